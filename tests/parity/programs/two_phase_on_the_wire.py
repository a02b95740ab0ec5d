"""Two-phase commit: statements, statuses and refusals in each phase."""

c = psycopg2.connect(dsn)
other = psycopg2.connect(dsn)


def look():
    show((c.status, c.info.transaction_status, c.autocommit))


def phases(*steps):
    for step in steps:
        attempt(step)
        look()


def run(query="select 1"):
    return lambda: c.cursor().execute(query)


x = c.xid(7, "differ", "branch")
show((x.format_id, x.gtrid, x.bqual, x.prepared, x.owner, x.database))
show((str(x), len(x), list(x), x == x, repr(x)))
attempt(lambda: x[3])
attempt(lambda: x[-1])
for arguments in (
    (-1, "a", "b"),
    (2**31, "a", "b"),
    (0, "a" * 65, "b"),
    (0, "a", "b" * 65),
    (0, "\u20ac", "b"),
    (0, "\n", "b"),
    ("x", "a", "b"),
    (0, 1, 2),
    (0, "", ""),
):
    attempt(lambda: str(c.xid(*arguments)))
for text in ("7_ZGlmZmVy_YnJhbmNo", "plain", "", "1_2", "1__", "x_Zw==_Yg==", "-1_Zw==_Yg=="):
    attempt(lambda: tuple(extensions.Xid.from_string(text)))
    attempt(lambda: str(extensions.Xid.from_string(text)))

phases(
    lambda: c.tpc_begin(x),
    run(),
    lambda: c.tpc_begin(x),
    c.commit,
    c.rollback,
    lambda: setattr(c, "autocommit", True),
    c.tpc_commit,
    c.tpc_commit,
    c.tpc_prepare,
)
phases(lambda: c.tpc_begin(x), run(), c.tpc_rollback, c.tpc_rollback)
phases(
    lambda: c.tpc_begin("plain id"),
    run(),
    c.tpc_prepare,
    run(),
    c.commit,
    c.rollback,
    c.cancel,
    c.reset,
    lambda: c.set_session(readonly=True),
    lambda: c.set_client_encoding("latin1"),
    c.tpc_prepare,
    lambda: c.tpc_begin(x),
    lambda: c.cursor("n").execute("select 1"),
    c.lobject,
    lambda: c.tpc_commit(x),
    c.tpc_commit,
)
phases(lambda: c.tpc_begin(x), c.tpc_prepare, c.tpc_rollback)
phases(lambda: c.tpc_begin(x), run("select 1/0"), c.tpc_prepare, c.tpc_rollback)
attempt(c.rollback)
phases(lambda: c.tpc_begin(x), run(), c.tpc_prepare)
show(
    sorted(
        (str(i), i.format_id, i.gtrid, i.bqual, i.owner, i.database)
        for i in other.tpc_recover()
        if i.gtrid == "differ"
    )
)
show((other.status, other.info.transaction_status))
attempt(lambda: other.tpc_commit(x))
attempt(lambda: other.tpc_commit("no such"))
attempt(lambda: other.tpc_rollback("no 'such'"))
attempt(lambda: other.cursor().execute("select 1"))
attempt(lambda: other.tpc_rollback(x))
attempt(lambda: other.tpc_begin(x))
attempt(other.tpc_recover)
show(other.status)
attempt(other.rollback)
attempt(lambda: c.tpc_rollback())
look()
c.close()
c = psycopg2.connect(dsn)
c.autocommit = True
phases(lambda: c.tpc_begin(x), lambda: c.tpc_rollback(x), lambda: c.tpc_begin(3))
c.autocommit = False
c.isolation_level = 3
phases(lambda: c.tpc_begin(x), c.tpc_commit)
# What the refusals above left prepared would keep replication slots from being made.
last = psycopg2.connect(dsn)
last.autocommit = True
sweep = last.cursor()
sweep.execute("select gid from pg_prepared_xacts where database = current_database() order by gid")
for (gid,) in sweep.fetchall():
    show(gid)
    sweep.execute("rollback prepared %s", (gid,))
last.close()
c.close()
other.close()
phases_after = [
    c.tpc_prepare,
    c.tpc_commit,
    c.tpc_recover,
    lambda: c.tpc_begin(x),
    lambda: c.xid(1, "a", "b"),
]
for step in phases_after:
    attempt(step)
