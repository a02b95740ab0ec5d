"""Executemany over lists, which psycoxide sends in batches, and iterators, which it does not."""

cur = conn.cursor()
cur.execute("create temporary table m (n int primary key, t text)")
cur.execute("create temporary table log (n int)")
conn.commit()


def rows(table="m"):
    cur.execute(f"select * from {table} order by 1")
    return cur.fetchall()


class Raw:
    """Writes itself into the query as it is."""

    def __init__(self, sql):
        self.sql = sql

    def getquoted(self):
        return self.sql.encode()


extensions.register_adapter(Raw, lambda raw: raw)


def run(query, items, prepare=None):
    for made in (list, tuple, iter):
        if prepare:
            prepare()
        attempt(lambda: cur.executemany(query, made(items)))
        show(cur.rowcount)
        show(cur.statusmessage)
        show(cur.query)
        show(cur.lastrowid)
        show(cur.description)
        show(conn.get_transaction_status())
        attempt(rows)
        conn.rollback()


insert = "insert into m values (%s, %s)"
run(insert, [(n, f"it's {n}; \\ é") for n in range(5)])
run(insert, [(n, "x") for n in range(2500)])
run(insert, [(n, "x" * 5000) for n in range(60)])
# The first error ends it, wherever it comes from, and after what stands before it.
run(insert, [(n % 1700, "x") for n in range(2500)])
run(insert, [(1, "a"), ("a", "b"), (2, "c")])
run(insert, [(1, "a"), (2,), (1, "b")])
run(insert, [(1, "a"), (1, "b"), (2,)])
run(insert, [(1, "a"), (2, object()), (3, "c")])
run(insert, [(1, "a"), (2, "\0"), (3, "c")])
run(insert, [(1, "a"), None, (3, "c")])
run("insert into m values (%s, '%%')", [(1,), (2,)])
run("insert into m values (%(n)s, %(t)s)", [{"n": 1, "t": "a"}, {"n": 2, "t": None}])
run("insert into m values (%(n)s, %(t)s)", [{"n": 1, "t": "a"}, {"n": 2}])
run("selec %s", [(1,), (2,)])
run("select\n  nothing(%s)", [(1,), (2,)])
run("select %s, 1/(1 - %s)", [(0, 0), (2, 1), (3, 0)])
# Rows that come back are dropped.
run(insert + " returning n, t", [(1, "a"), (2, "b")])
run("select n from generate_series(1, %s) n", [(3,), (20000,)])
run("with x as (select %s::int n) insert into m select n, 'x' from x", [(1,), (2,)])
run(
    "update m set t = %s where n < %s",
    [("x", 3), ("y", 10)],
    lambda: [cur.execute(insert, (n, "")) for n in range(4)],
)
run(sql.SQL("insert into {} values (%s, %s)").format(sql.Identifier("m")), [(1, "a"), (2, "b")])
run(b"insert into m values (%s, %s)", [(1, "a"), (2, "b")])
# What is not plain goes one by one: several statements, comments, the ends of transactions.
run("insert into m values (%s, %s); insert into log values (1)", [(1, "a"), (2, "b")])
run("insert into m values (%s, %s);", [(1, "a"), (2, "b")])
run("/* ; */ insert into m values (%s, %s) -- end", [(1, "a"), (2, "b")])
run("insert into m values (%s, %s) -- end", [(1, "a"), (2, "b")])
run("insert into m values (%s, $1)", [(1,), (2,)])
run("savepoint s%s", [(1,), (2,)])
run("commit", [(), ()])
run("insert into log values (%s)", [(Raw("1); insert into log values (2"),), (3,)])
run("insert into log values (%s)", [(1,), (Raw("$1"),), (3,)])
run("insert into log values (%s)", [([Raw("1); insert into log values (2")],), (3,)])
run(insert, [(n, Raw(f"'{n}; $1'")) for n in range(5)])
run(insert, [(n, extensions.AsIs("'a'); insert into log values (7")) for n in range(3)])
run("insert into log values (%s)", [(1,), (Raw("2); commit; insert into log values (3"),), ("x",)])
attempt(lambda: rows("log"))
cur.execute("delete from log")
conn.commit()
# In a failed transaction, and where the program ended it.
attempt(lambda: cur.execute("selec"))
attempt(lambda: cur.executemany(insert, [(1, "a"), (2, "b")]))
conn.rollback()
cur.execute("select 1")
cur.execute("commit")
attempt(lambda: cur.executemany(insert, [(1, "a"), (2, "b"), (1, "c"), (3, "d")]))
conn.rollback()
show(rows())
cur.execute("delete from m")
conn.commit()
# In autocommit each statement is a transaction of its own.
conn.autocommit = True
attempt(lambda: cur.executemany(insert, [(1, "a"), (2, "b"), (1, "c"), (3, "d")]))
show(rows())
cur.execute("delete from m")
cur.execute("begin")
attempt(lambda: cur.executemany(insert, [(1, "a"), (2, "b"), (1, "c"), (3, "d")]))
cur.execute("rollback")
show(rows())
conn.autocommit = False
# Notices come in order, and statements see what those before them did.
cur.execute(
    "create function pg_temp.say(n int) returns int language plpgsql as "
    "$$begin raise notice 'at % of %', n, (select count(*) from m); return n; end$$"
)
del conn.notices[:]
cur.executemany("insert into m select pg_temp.say(%s), 'x'", [(n,) for n in range(5)])
show(conn.notices)
# A list may change while it is gone through, and be any kind of list.
items = [(10, "a")]


class Growing:
    def getquoted(self):
        if len(items) < 3:
            items.append((10 + len(items), Growing()))
        return b"'grown'"


extensions.register_adapter(Growing, lambda growing: growing)
items.append((11, Growing()))
cur.executemany(insert, items)
show(cur.rowcount)


class Backwards(list):
    def __iter__(self):
        return reversed(list(super().__iter__()))


attempt(lambda: cur.executemany(insert, Backwards([(20, "a"), ("x", "b")])))
conn.rollback()
cur.execute("drop table m, log")
conn.commit()
