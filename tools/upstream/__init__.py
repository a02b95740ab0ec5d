"""Runs psycopg2's own test suite, from its sdist on PyPI, against psycoxide.

The suite is fetched when it is run and is never part of this repository. The tests, and every
process they start, find psycoxide under the name `psycopg2`.

One worker process runs the tests in the suite's own order, as upstream does, and reports each
start and stop as a line of JSON. The parent never imports the driver: it gives each test a time
limit, kills a worker that hangs (even one that holds the GIL in native code), notices a crash, and
starts another worker with the next test.
"""
