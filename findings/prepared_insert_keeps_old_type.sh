#!/bin/sh
# A prepared INSERT goes on reading a text as the type that its column had, and says nothing.
#
# Seen: PostgreSQL 18.6, psycopg 3.3.9, asyncpg 0.32.0, November 2026.
#
# psycopg 3 sends a str without a type and prepares a statement by itself after five runs. The server has
# chosen the parameter's type then: integer, for an integer column. If somebody changes the column to text,
# the prepared statement stays valid (it returns no rows whose types could have changed), the value is read
# as an integer as before, and cast to text: '007' arrives as '7', and 'tea' is refused as an invalid integer
# by a column of type text. A connection that was made later, or that prepares nothing, stores '007'.
# asyncpg, which asks for the type before it sends, refuses the str: it knows the old type, too. One would
# expect a change of a column to end what was prepared against it, as it does for the columns of a SELECT.
set -eu
. "$(dirname "$0")/lib/throwaway_server.sh"
start_server "$(mktemp -d)" 'psycopg[binary]==3.3.9' asyncpg==0.32.0
"$PYTHON" - <<'PYTHON'
import asyncio
import os

import asyncpg
import psycopg

DSN = os.environ["DSN"]
FOLDER = DSN.split()[0].removeprefix("host=")
other = psycopg.connect(DSN, autocommit=True)


def stored():
    return other.execute("select code from item where code like '%7'").fetchone()[0]


other.execute("create table item (code integer)")
seen = {}
with psycopg.connect(DSN, autocommit=True) as conn:
    for number in range(6):
        conn.execute("insert into item values (%s)", [str(number)])
    other.execute("alter table item alter code type text")
    conn.execute("insert into item values (%s)", ["007"])
    seen["psycopg 3, prepared before"] = stored()
    try:
        conn.execute("insert into item values (%s)", ["tea"])
    except psycopg.Error as error:
        seen["and a word"] = type(error).__name__
other.execute("truncate item")
other.execute("insert into item values (%s)", ["007"])
seen["psycopg 3, not prepared"] = stored()


async def main():
    other.execute("drop table item")
    other.execute("create table item (code integer)")
    conn = await asyncpg.connect(host=FOLDER, user="finder", database="postgres")
    await conn.execute("insert into item values ($1)", 1)
    other.execute("alter table item alter code type text")
    try:
        await conn.execute("insert into item values ($1)", "007")
    except asyncpg.DataError as error:
        seen["asyncpg"] = type(error).__name__
    await conn.close()


asyncio.run(main())
for how, what in seen.items():
    print(f"{how:28} {what}")
assert seen == {
    "psycopg 3, prepared before": "7",
    "and a word": "InvalidTextRepresentation",
    "psycopg 3, not prepared": "007",
    "asyncpg": "DataError",
}, "this has changed"
PYTHON
