"""Asynchronous."""

aconn = psycopg2.connect(dsn, async_=1)
extras.wait_select(aconn)
cur = aconn.cursor()
show(aconn.autocommit)
show(aconn.async_)
cur.execute("select 1")
attempt(lambda: cur.execute("select 2"))
attempt(lambda: cur.callproc("now"))
attempt(cur.fetchone)
extras.wait_select(aconn)
show(cur.fetchall())
for action in (
    aconn.commit,
    aconn.rollback,
    lambda: aconn.cursor("x"),
    lambda: setattr(aconn, "autocommit", False),
    lambda: aconn.set_session(readonly=True),
    aconn.reset,
    lambda: cur.executemany("select 1", [()]),
    lambda: cur.copy_from(None, "x"),
    lambda: cur.copy_expert("x", None),
    aconn.lobject,
    lambda: aconn.set_client_encoding("UTF8"),
    lambda: aconn.tpc_begin("x"),
    aconn.cancel,
    lambda: aconn.set_isolation_level(1),
    lambda: aconn.__enter__(),
):
    attempt(action)
cur.execute("select 1/0")
attempt(lambda: extras.wait_select(aconn))
attempt(cur.fetchone)
cur.execute("select 3")
extras.wait_select(aconn)
show(cur.fetchone())
aconn.close()
