"""Runs other projects' tests on psycopg2 and on psycoxide, and compares test by test.

SQLAlchemy, Django, pandas and psycogreen are fetched with pip when this is run, and are never part
of this repository. Each client has one virtual environment, in which only the driver changes: it
is put first on PYTHONPATH. With psycoxide the client is started by `python -m psycoxide run`, as
users would start it, or finds the shim in its environment. The clients of our own dialects for
SQLAlchemy, and of our own engine for Django, need neither; those on asyncio are compared with
psycopg 3.

The tests' own processes report line by line (`inside/`); the parent gives each test a time limit,
kills a process that hangs, notices a crash, and starts another process with the remaining tests.
"""
