"""Row by row, between other fetches and changes: psycoxide makes such rows a few at a time."""

import datetime as dt
import random

ROWS = """
select i, -i * 1000000007::int8, case when i % 4 > 0 then 'text ' || i end, i / 8.0::float8, i % 2 = 0,
    round(i / 7.0, 3), timestamp '2020-01-01' + i * interval '1h', date '2020-01-01' + i,
    timestamptz '2020-01-01+00' + i * interval '1h', '1h'::interval * i{more}
from generate_series(1, 400) i
"""
# Dates past the year 9999 cannot be read; lists and memoryviews are not made ahead.
BAD = ", case when i in (3, 60, 61, 200, 399, 400) then date '20000-01-01' else '2000-01-01' end"
MUTABLE = ", array[i, null], decode(lpad(to_hex(i % 256), 2, '0'), 'hex')"
BYTES = ", repeat(chr(65 + i % 26), (i % 5) * 9000)"


def zone(offset):
    return dt.timezone(offset, "ours")


def naive_rows(cursor):
    return [None] * len(cursor.description)


def walk(cur, seed, count, scrolls):
    """So many steps, chosen by chance."""
    steps = random.Random(seed)
    zones, factories = [cur.tzinfo_factory, zone, None], [None, naive_rows]
    actions = [
        lambda: next(cur),
        cur.fetchone,
        lambda: [next(cur) for _ in range(steps.randrange(70))],
        lambda: [cur.fetchone() for _ in range(steps.randrange(70))],
        lambda: cur.fetchmany(steps.randrange(1, 9)),
        lambda: setattr(cur, "tzinfo_factory", steps.choice(zones)),
        lambda: setattr(cur, "row_factory", steps.choice(factories)),
        lambda: cur.rownumber,
    ]
    if scrolls:
        actions.append(lambda: cur.scroll(steps.randrange(-60, 20)))
        actions.append(lambda: cur.scroll(steps.randrange(400), "absolute"))
    for _ in range(count):
        attempt(steps.choice(actions))
        show(cur.rownumber)
    attempt(cur.fetchall)
    attempt(cur.fetchone)
    attempt(lambda: next(cur))
    show(cur.rownumber)


for seed, more in enumerate(["", BAD, MUTABLE, BYTES]):
    cur = conn.cursor()
    cur.execute(ROWS.format(more=more))
    walk(cur, seed, 200, True)
    # Another result begins anew, also in the middle of one.
    cur.execute(ROWS.format(more=more))
    attempt(lambda: [next(cur) for _ in range(50)])
    cur.executemany("select %s", [(1,), (2,)])
    attempt(cur.fetchone)
    cur.execute("select 1")
    attempt(cur.fetchall)
    attempt(cur.fetchall)
    for itersize in (1, 7, 100):
        named = conn.cursor("named", scrollable=True)
        named.itersize = itersize
        named.execute(ROWS.format(more=more))
        walk(named, seed, 40, itersize == 7)
        attempt(named.close)
        conn.rollback()

# A cursor that is closed, or whose connection is, gives no row, made or not.
cur = conn.cursor()
cur.execute(ROWS.format(more=""))
attempt(lambda: [next(cur) for _ in range(20)])
cur.close()
attempt(cur.fetchone)
attempt(lambda: next(cur))
