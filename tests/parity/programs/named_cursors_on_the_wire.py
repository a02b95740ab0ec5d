"""DECLARE, FETCH, MOVE and CLOSE in all their forms."""

c = psycopg2.connect(dsn)
numbers = "select * from generate_series(1, 10) as n"

for scrollable in (None, True, False):
    for withhold in (False, True):
        cur = c.cursor('a cur"sor', scrollable=scrollable, withhold=withhold)
        show((cur.name, cur.scrollable, cur.withhold, cur.itersize, cur.arraysize))
        show(cur.description)
        cur.execute(numbers)
        show((cur.rowcount, cur.rownumber, cur.query, cur.statusmessage, cur.description))
        attempt(cur.fetchone)
        show((cur.rowcount, cur.rownumber, cur.query, cur.statusmessage, len(cur.description)))
        attempt(lambda: cur.fetchmany(2))
        attempt(cur.fetchmany)
        attempt(lambda: cur.scroll(2))
        attempt(cur.fetchone)
        attempt(lambda: cur.scroll(-2))
        attempt(cur.fetchone)
        c.rollback() if c.info.transaction_status == 3 else None
        attempt(lambda: cur.scroll(1, mode="absolute"))
        attempt(lambda: cur.scroll(0))
        attempt(cur.fetchall)
        attempt(lambda: cur.scroll(100))
        attempt(cur.fetchone)
        c.commit()
        show((c.status, cur.closed))
        attempt(cur.fetchone)
        attempt(cur.close)
        c.rollback()
        attempt(cur.close)
        show((c.status, cur.closed))

cur = c.cursor("n")
cur.itersize = 3
cur.execute(numbers)
show([next(cur) for _ in range(4)])
show((cur.rownumber, cur.rowcount))
cur.scroll(-1)
show(cur.fetchall())
attempt(lambda: next(cur))
cur.close()
cur = c.cursor("n")
cur.itersize = 4
cur.execute(numbers)
show(list(cur))
attempt(lambda: setattr(cur, "itersize", "x"))
attempt(lambda: setattr(cur, "itersize", 0))
show(cur.itersize)
attempt(lambda: list(cur))
attempt(lambda: cur.fetchmany(0))
attempt(lambda: cur.fetchmany(-1))
attempt(lambda: cur.execute(numbers))
attempt(lambda: cur.executemany(numbers, []))
attempt(lambda: cur.callproc("f"))
attempt(lambda: cur.copy_expert("copy x to stdout", None))
cur.close()
attempt(cur.close)
attempt(cur.fetchone)
c.rollback()

c.cursor().execute("declare stolen cursor for " + numbers)
thief = c.cursor("stolen")
show(thief.fetchone())
show(thief.fetchmany(2))
thief.close()
unused = c.cursor("never")
unused.close()
unused = c.cursor("never")
attempt(unused.fetchone)
attempt(unused.close)
c.rollback()
for name in ("", "x" * 70, b"bytes", "\u20ac", 'a"b', 1):
    attempt(lambda: c.cursor(name).name)
    attempt(lambda: c.cursor(name).execute("select 1"))
    c.rollback()
cur = c.cursor("args")
attempt(lambda: cur.execute("select %s, '%%'", (1,)))
attempt(cur.fetchall)
c.rollback()
for query in (
    "",
    "select 1/0",
    "insert into nope values (1)",
    "select 1; select 2",
    sql.SQL("select 1"),
):
    cur = c.cursor("bad")
    attempt(lambda: cur.execute(query))
    attempt(cur.fetchall)
    c.rollback()
c.autocommit = True
cur = c.cursor("auto", withhold=True)
cur.execute(numbers)
show(cur.fetchmany(2))
attempt(lambda: cur.scroll(3))
show(cur.fetchall())
cur.close()
attempt(lambda: c.cursor("plain").execute(numbers))
with c.cursor("held", withhold=True) as cur:
    cur.execute(numbers)
    show(cur.fetchone())
show(cur.closed)
c.autocommit = False


def leave():
    with c.cursor("w") as cur:
        cur.execute(numbers)
        cur.fetchone()
        c.cursor().execute("select 1/0")


attempt(leave)
c.rollback()
cur = c.cursor("dict", cursor_factory=extras.DictCursor)
cur.execute("select 1 as a, 2 as b")
show([dict(row) for row in cur])
cur = c.cursor("real", cursor_factory=extras.RealDictCursor)
cur.execute("select 1 as a, 2 as b")
show(cur.fetchmany(5))
cur = c.cursor("tuple", cursor_factory=extras.NamedTupleCursor)
cur.itersize = 1
cur.execute("select n as a, 2 as b from generate_series(1, 3) as n")
show(list(cur))
attempt(lambda: cur.scroll(0, "absolute"))
attempt(cur.fetchone)
c.close()
attempt(cur.fetchone)
attempt(cur.close)
