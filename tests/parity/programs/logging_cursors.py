"""Connections and cursors that log."""

import io
import logging

for factory in (extras.LoggingConnection, extras.MinTimeLoggingConnection):
    logged = psycopg2.connect(dsn, connection_factory=factory)
    out = io.StringIO()
    attempt(lambda: logged.cursor().execute("select 1"))
    if factory is extras.LoggingConnection:
        logged.initialize(out)
    else:
        logged.initialize(out, mintime=0)
    cur = logged.cursor()
    show(type(cur).__name__)
    cur.execute("select %s, 'x'", (1,))
    attempt(lambda: cur.execute("select 1 / 0"))
    logged.rollback()
    attempt(lambda: cur.callproc("lower", ["A"]))
    cur.executemany("select %s", [(1,), (2,)])
    lines = out.getvalue().splitlines()
    show([line.split(" (exec")[0] for line in lines])
    attempt(lambda: logged.cursor("named").execute("select 1"))
    attempt(lambda: logged.cursor(cursor_factory=extras.DictCursor))
    logged.rollback()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger(factory.__name__)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logged.initialize(logger)
    logged.cursor().execute("select 'to the logger'")
    show([line.split(" (exec")[0] for line in stream.getvalue().splitlines()])
    if factory is extras.MinTimeLoggingConnection:
        logged.initialize(out, mintime=10000)
        before = len(out.getvalue())
        logged.cursor().execute("select 'quick'")
        show(len(out.getvalue()) - before)
    logged.close()
