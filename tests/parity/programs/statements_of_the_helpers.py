"""The statements that the driver's helpers write."""

import io

c = psycopg2.connect(dsn)
cur = c.cursor()
cur.execute("create temporary table h (a int, b text)")
cur.executemany("insert into h values (%s, %s)", [(1, "a"), (2, None), (3, "\u20ac")])
show((cur.rowcount, cur.query, cur.statusmessage))
cur.executemany("insert into h values (%(a)s, %(b)s)", iter([{"a": 1, "b": "x%s"}]))
# An iterator: in a batch the server's log would not have the statement that fails.
failing = iter([(1, "a"), ("x", "b"), (3, "c")])
attempt(lambda: cur.executemany("insert into h values (%s, %s)", failing))
c.rollback()
cur.execute("create temporary table h (a int, b text)")
rows = [(n, f"it's {n}%") for n in range(7)]
for size in (1, 2, 3, 7, 100):
    extras.execute_batch(cur, "insert into h values (%s, %s)", rows, page_size=size)
    show((cur.rowcount, cur.query))
    extras.execute_values(cur, "insert into h values %s", rows, page_size=size)
    show((cur.rowcount, cur.query))
    show(
        extras.execute_values(
            cur, "insert into h values %s returning a, '%%'", rows, page_size=size, fetch=True
        )
    )
extras.execute_values(
    cur, b"insert into h (b, a) values %s", [{"a": 1, "b": 2}], template="(%(b)s, %(a)s + 1)"
)
extras.execute_values(
    cur, sql.SQL("insert into {} values %s").format(sql.Identifier("h")), rows[:1]
)
extras.execute_batch(cur, sql.SQL("delete from h where a = %s"), [(1,), (2,)])
extras.execute_batch(cur, "select 1", [])
show(extras.execute_values(cur, "insert into h values %s", [], fetch=True))
for query in ("insert into h values", "%s %s", "%(a)s", "%", "%x", "%% %s"):
    attempt(lambda: extras.execute_values(cur, query, rows[:1]))
    c.rollback()
attempt(
    lambda: extras.execute_values(cur, "select * from (values %s) as v", [(1,), (2, 3)], fetch=True)
)
c.rollback()
attempt(lambda: extras.execute_values(cur, "select * from (values %s) as v", [1, 2], fetch=True))
c.rollback()
attempt(
    lambda: extras.execute_values(cur, "select * from (values %s) as v", ["ab", "cd"], fetch=True)
)
c.rollback()
show(cur.callproc("int4pl", [1, 2]))
show((cur.query, cur.fetchall()))
show(cur.callproc("make_interval", {"days": 3, "hours": 2}))
show((cur.query, cur.fetchall()))
show(cur.callproc("version"))
show(cur.callproc("version", None))
show(cur.callproc("int4pl", (1, 2)))
for call in (
    ("pg_sleep", ["x"]),
    ("nope",),
    ("nope", {"a b": 1}),
    ("nope", {1: 1}),
    (1,),
    ("version", 3),
    ("a.b.c", []),
):
    attempt(lambda: cur.callproc(*call))
    c.rollback()
cur.execute("create temporary table h (a int, b text)")
for options in (
    {},
    {"sep": "|"},
    {"null": "it's"},
    {"columns": ("a",)},
    {"columns": ["b", "a"]},
    {"sep": "'", "null": "\\"},
    {"columns": "ab"},
):
    attempt(lambda: cur.copy_from(io.StringIO(""), "h", **options))
    show((cur.query, cur.rowcount, cur.statusmessage))
    c.rollback()
    cur.execute("create temporary table h (a int, b text)")
    attempt(lambda: cur.copy_to(io.StringIO(), "h", **options))
    show((cur.query, cur.rowcount, cur.statusmessage))
    c.rollback()
    cur.execute("create temporary table h (a int, b text)")
attempt(
    lambda: cur.copy_expert(sql.SQL("copy {} to stdout").format(sql.Identifier("h")), io.StringIO())
)
attempt(lambda: cur.copy_expert(b"copy h to stdout", io.BytesIO()))
attempt(lambda: cur.copy_expert("copy h to stdout", io.BytesIO(), 0))
attempt(lambda: cur.copy_expert("copy h to stdout", io.BytesIO(), "x"))
attempt(lambda: cur.copy_expert("copy h to stdout"))
attempt(lambda: cur.copy_from(io.StringIO("1\ta\n2\tb\n"), "h", size=1))
show(cur.rowcount)
c.rollback()
for encoding in ("latin1", "LATIN1", "utf8", "nonsense", "", "sql_ascii", "UTF-8"):
    cur.execute("select 1")
    attempt(lambda: c.set_client_encoding(encoding))
    show((c.encoding, c.status, c.info.transaction_status))
attempt(lambda: c.set_client_encoding(None))
c.rollback()
c.cursor().execute("select 1")
c.reset()
c.reset()
c.autocommit = True
c.reset()
show(c.autocommit)
extras.register_hstore(c)
extras.register_hstore(cur)
show(c.status)
show(extras.HstoreAdapter.get_oids(c) is not None)
c.cursor().execute("create schema if not exists differ_s")
c.cursor().execute(
    "drop type if exists differ_s.pair; create type differ_s.pair as (a int, b text)"
)
attempt(lambda: extras.register_composite("differ_s.pair", c).name)
attempt(lambda: extras.register_composite("differ_s.nope", c))
attempt(lambda: extras.register_composite("nope", c))
attempt(lambda: extras.register_range("nope", "Nope", c))
show(c.info.transaction_status)
c.autocommit = False
attempt(lambda: extras.register_composite("differ_s.pair", c).name)
show(c.status)
attempt(lambda: extras.register_composite("nope", c))
show((c.status, c.info.transaction_status))
c.cursor().execute("select 1")
attempt(lambda: extras.register_composite("nope", c))
show((c.status, c.info.transaction_status))
c.rollback()
attempt(lambda: extras.register_range("nope", "Nope", c))
show((c.status, c.info.transaction_status))
attempt(lambda: extras.register_range("int4range", "Mine", cur).name)
show((c.status, c.info.transaction_status))
attempt(lambda: extensions.encrypt_password("p", "u", c))
attempt(lambda: extensions.encrypt_password("p", "u", c, "md5"))
attempt(lambda: extensions.encrypt_password("p", "u", c, "nope"))
attempt(lambda: extensions.encrypt_password("p", "u"))
attempt(lambda: extensions.encrypt_password("p", "u", algorithm="md5"))
c.rollback()
c.cursor().execute("drop schema differ_s cascade")
c.commit()
c.close()
