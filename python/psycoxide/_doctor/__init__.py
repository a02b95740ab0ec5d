"""`python -m psycoxide doctor`: what happens on the way to a server, step by step.

`command` reads the command line, `examination` goes through the steps, and `printing` shows them.
Nothing else of the package imports this one.
"""
