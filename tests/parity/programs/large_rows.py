"""Rows with long fields, more than a buffer of them: psycoxide decodes such rows as they come."""

import hashlib

from driver_program import describe, name_of


def digest(rows):
    """Rows too long to be shown: how many, of which types, and what they say."""
    text = repr([[describe(value) for value in row] for row in rows])
    types = {name_of(value) for row in rows for value in row}
    return len(rows), sorted(types), hashlib.sha256(text.encode()).hexdigest()


ROWS = """
select i, case when i % 3 > 0 then repeat(chr(65 + i % 50), 4500 + i % 7) end as text,
    case i % 5 when 0 then null when 1 then '' else repeat(chr(200 + i % 7000), i % 900) end,
    decode(repeat(lpad(to_hex(i % 256), 2, '0'), i % 1700), 'hex') as bytes, i / 8.0::float8,
    i % 2 = 0, round(i / 7.0, 4), date '2020-01-01' + i, timestamptz '2020-01-01+00' + i * interval '1h',
    array[i, null], jsonb_build_object('i', i, 'list', array[i]), repeat(chr(128512 + i % 50), i % 300)
from generate_series(1, 1500) i
"""
LONG = "select i, repeat(md5(i::text), 60) from generate_series(1, 1500) i"

cur = conn.cursor()
for output in ("hex", "escape"):
    cur.execute(f"set bytea_output to {output}")
    cur.execute(ROWS)
    show((cur.rowcount, cur.rownumber, cur.statusmessage))
    attempt(lambda: digest(cur.fetchall()))
    show(cur.rownumber)
    for place in (0, 1, 700, 1499):
        cur.scroll(place, "absolute")
        attempt(lambda: digest([cur.fetchone()]))
    cur.scroll(-1200)
    attempt(lambda: digest(cur.fetchmany(300)))
    attempt(lambda: digest(list(cur)))
    attempt(lambda: cur.scroll(1))

for factory in (extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor):
    with conn.cursor(cursor_factory=factory) as special:
        special.execute(LONG)
        rows = special.fetchall()
        show((len(rows), rows[0], rows[-1]))

# The same statement again; several in one text, of which the last counts; errors behind rows.
for query in (
    LONG,
    LONG,
    f"{LONG}; {LONG} where i > 3",
    f"{ROWS}; {LONG}",
    f"{LONG}; {ROWS}",
    f"{LONG}; set search_path to public",
    f"{LONG}; select 1",
    f"set client_encoding to latin1; {LONG}",
    f"set client_encoding to utf8; {LONG}",
    "select i, repeat('x', 2000), 1 / (1000 - i) from generate_series(1, 1500) i",
    f"{LONG}; select 1 / 0",
    "select repeat('x', 3000) from generate_series(1, 0)",
    "select null::text, repeat('x', 3000) from generate_series(1, 1000)",
    "select repeat('x', 3000000) from generate_series(1, 3)",
):
    attempt(lambda: cur.execute(query))
    show((cur.rowcount, cur.statusmessage))
    attempt(lambda: digest(cur.fetchall()))
    conn.rollback()

# Values that the typecaster refuses, and typecasters of the user's.
conn.set_client_encoding("UTF8")
cur.execute(LONG)
refused = []


def picky(value, cursor):
    refused.append(cursor is cur)
    if value is not None and len(refused) % 500 == 0:
        raise ValueError("not this one")
    return value and value[:5].upper()


extensions.register_type(extensions.new_type((25,), "PICKY", picky), cur)
show(digest(cur.fetchall()))
cur.execute(LONG)
for _ in range(5):
    attempt(lambda: digest(cur.fetchall()))
    show((cur.rownumber, len(refused), all(refused)))

cur = conn.cursor()
cur.execute("select date '0001-01-01 BC' + i, repeat('x', 2000) from generate_series(360, 1100) i")
for _ in range(10):
    attempt(lambda: digest([cur.fetchone()]))
show(cur.rownumber)
