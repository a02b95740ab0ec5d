"""Runs programs that are not ours on psycopg2 and on psycoxide, and compares test by test.

SQLAlchemy, Django, pandas and psycogreen are fetched with pip when this is run, and are never part
of this repository. Each client has one virtual environment, in which only the driver changes: it
is put first on PYTHONPATH. With psycoxide the client is started by `python -m psycoxide run`, as
its users would, or finds the shim in its environment.

The tests' own processes tell what they do line by line (`inside/`); the parent gives each test a
time limit, kills a process that hangs, notices one that crashed, and starts another with the
tests that are left.
"""
