"""Pickles and copies of what a program keeps: errors, rows, ranges, columns, transaction ids."""

import copy
import pickle

cur = conn.cursor()


def both(thing, look):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        attempt(lambda: look(pickle.loads(pickle.dumps(thing, protocol))))
    attempt(lambda: look(copy.copy(thing)))
    attempt(lambda: look(copy.deepcopy(thing)))


for statement in ("select 1 / 0", "select * from nowhere", "selec"):
    try:
        cur.execute(statement)
    except psycopg2.Error as error:
        both(
            error,
            lambda e: (
                type(e).__name__,
                type(e).__module__,
                str(e),
                e.pgcode,
                e.pgerror,
                e.cursor is None,
                e.args,
            ),
        )
    conn.rollback()
both(psycopg2.OperationalError("made by hand", 2), lambda e: (type(e).__name__, e.args, e.pgcode))
both(psycopg2.Warning("w"), lambda e: (type(e).__name__, e.args))
for factory in (extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor):
    named = conn.cursor(cursor_factory=factory)
    named.execute("select 1 as a, 'x' as b, null as c")
    row = named.fetchone()
    attempt(lambda: (type(copy.copy(row)).__name__, copy.copy(row)))
    attempt(lambda: (type(copy.deepcopy(row)).__name__, copy.deepcopy(row)))
    if factory is not extras.NamedTupleCursor:
        # psycopg2's named tuples cannot be pickled.
        both(row, lambda r: (type(r).__name__, r))
        both(row, lambda r: (r["a"], r["b"], list(r.keys()), dict(r.items())))
for value in (
    extras.NumericRange(1, 5, "[]"),
    extras.DateRange(None, None),
    extras.NumericRange(empty=True),
):
    both(value, lambda r: (repr(r), r == value, hash(r) == hash(value)))
cur.execute("select 1::numeric(5, 2) as a, 'x'::text as b")
both(cur.description[0], lambda c: (repr(c), tuple(c), c.name, c.table_oid))
both(cur.description, lambda d: [tuple(c) for c in d])
both(conn.xid(1, "a", "b"), lambda x: (str(x), x.gtrid, tuple(x)))
both(
    extensions.Notify(7, "channel", "payload"),
    lambda n: (n == extensions.Notify(7, "channel", "payload"), repr(n)),
)
both(extras.Json({"a": 1}), lambda j: (type(j).__name__, j.adapted))
both(extras.Inet("127.0.0.1/8"), lambda i: (type(i).__name__, i.addr))
for thing in (conn, cur, conn.info):
    attempt(lambda: pickle.dumps(thing))
    attempt(lambda: copy.deepcopy(thing))
