"""Transactions."""

show(conn.status)
show(conn.info.transaction_status)
cur = conn.cursor()
cur.execute("select 1")
show(conn.status)
show(conn.info.transaction_status)
attempt(lambda: cur.execute("select 1/0"))
show(conn.info.transaction_status)
attempt(lambda: cur.execute("select 1"))
conn.rollback()
show(conn.status)
attempt(lambda: setattr(conn, "autocommit", True))
show(conn.autocommit)
cur.execute("select 1")
show(conn.info.transaction_status)
cur.execute("begin")
show(conn.info.transaction_status)
conn.rollback()
show(conn.info.transaction_status)
cur.execute("rollback")
conn.autocommit = False
cur.execute("select 1")
attempt(lambda: setattr(conn, "autocommit", True))
attempt(lambda: conn.set_session(readonly=True))
conn.rollback()
for level in (
    None,
    0,
    1,
    2,
    3,
    4,
    5,
    "serializable",
    "READ COMMITTED",
    "default",
    "nonsense",
    b"x",
    1.5,
):
    attempt(lambda: setattr(conn, "isolation_level", level))
    show(conn.isolation_level)
conn.set_session(isolation_level="default", readonly="default", deferrable="default")
for value in (True, False, None, "default", "nonsense", 3):
    attempt(lambda: setattr(conn, "readonly", value))
    show(conn.readonly)
    attempt(lambda: setattr(conn, "deferrable", value))
    show(conn.deferrable)
conn.readonly = None
conn.deferrable = None
conn.set_isolation_level(0)
show(conn.autocommit)
conn.set_isolation_level(1)
show(conn.autocommit)
show(conn.isolation_level)
attempt(lambda: conn.set_isolation_level(7))
conn.set_session(isolation_level="default")
