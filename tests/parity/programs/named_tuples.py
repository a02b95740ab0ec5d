"""Named tuples of odd columns."""

conn = psycopg2.connect(dsn)
cur = conn.cursor(cursor_factory=extras.NamedTupleCursor)
for statement in (
    "select 1 as a, 2 as b",
    'select 1 as "1", 2 as "_x", 3 as "a b"',
    'select 1 as "class", 2 as "def"',
    "select 1 as a, 2 as a",
    "select 1, 2",
    'select 1 as "\u00e9", 2 as "a-b", 3 as "\u65e5"',
    'select 1 as "a""b", 2 as "%"',
    "select",
    "select 1 as a where false",
):
    attempt(lambda: cur.execute(statement))
    attempt(lambda: cur.fetchone())
    attempt(lambda: cur.fetchmany(2))
    attempt(lambda: cur.fetchall())
    attempt(lambda: (cur.execute(statement), [r._fields for r in cur])[1])
    attempt(lambda: (cur.execute(statement), [r._asdict() for r in cur])[1])
    conn.rollback()
cur.execute("select 1 as a")
first = cur.fetchone()
cur.execute("select 2 as a")
show(type(first) is type(cur.fetchone()))
attempt(lambda: cur.execute("create temporary table nt (a int)"))
attempt(cur.fetchone)
named = conn.cursor("named", cursor_factory=extras.NamedTupleCursor)
named.execute("select generate_series(1, 5) as n")
show([row.n for row in named])
conn.rollback()
conn.close()
