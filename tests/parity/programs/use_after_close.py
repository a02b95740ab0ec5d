"""Use after close."""

cur = conn.cursor()
cur.close()
for action in (
    cur.fetchone,
    cur.fetchall,
    lambda: cur.execute("select 1"),
    cur.close,
    lambda: cur.mogrify("select 1"),
    lambda: cur.scroll(1),
    lambda: cur.nextset(),
    lambda: cur.callproc("now"),
    lambda: cur.executemany("select 1", [()]),
    lambda: cur.closed,
    lambda: cur.description,
):
    attempt(action)
other = psycopg2.connect(dsn)
cur = other.cursor()
other.close()
for action in (
    lambda: cur.execute("select 1"),
    cur.fetchone,
    other.cursor,
    other.commit,
    other.rollback,
    other.close,
    other.cancel,
    other.poll,
    other.fileno,
    other.get_backend_pid,
    lambda: other.autocommit,
    other.reset,
    lambda: other.set_session(readonly=True),
    lambda: other.isolation_level,
    lambda: other.set_client_encoding("UTF8"),
    lambda: other.encoding,
    lambda: other.__enter__(),
    lambda: other.closed,
    lambda: other.status,
    other.get_transaction_status,
    lambda: cur.closed,
    other.lobject,
    other.tpc_recover,
    lambda: other.xid(1, "a", "b"),
    lambda: other.notices,
):
    attempt(action)
