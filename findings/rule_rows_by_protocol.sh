#!/bin/sh
# The simple query protocol sends the rows of a rule's SELECT, and the extended one drops them.
#
# Seen: PostgreSQL 18.6, psycopg2 2.9.13, psycopg 3.3.9, asyncpg 0.32.0, November 2026.
#
# A table has a rule ON INSERT DO ALSO SELECT. The same INSERT returns the rule's rows in psycopg2, with
# parameters or without, as it merges them into a simple query. In psycopg 3 it returns them as long as
# there are no parameters; with one, or in a pipeline, there are no rows and no description, without a
# word: the statement changes its result when a value moves out of its text. asyncpg returns none either
# way. One would think that the protocol decides how a statement is sent, not what it returns.
set -eu
. "$(dirname "$0")/lib/throwaway_server.sh"
start_server "$(mktemp -d)" psycopg2-binary==2.9.13 'psycopg[binary]==3.3.9' asyncpg==0.32.0
"$PYTHON" - <<'PYTHON'
import asyncio
import os

import asyncpg
import psycopg
import psycopg2

DSN = os.environ["DSN"]
FOLDER = DSN.split()[0].removeprefix("host=")

with psycopg.connect(DSN, autocommit=True) as conn:
    conn.execute("create table item (n int)")
    conn.execute("create rule shown as on insert to item do also select new.n * 2 as twice")

seen = {}
conn = psycopg2.connect(DSN)
cur = conn.cursor()
cur.execute("insert into item values (1)")
seen["psycopg2, no parameters"] = cur.fetchall()
cur.execute("insert into item values (%s)", (1,))
seen["psycopg2, a parameter"] = cur.fetchall()
conn.close()

with psycopg.connect(DSN) as conn:
    cur = conn.execute("insert into item values (1)")
    seen["psycopg 3, no parameters"] = cur.fetchall()
    cur = conn.execute("insert into item values (%s)", (1,))
    seen["psycopg 3, a parameter"] = cur.description
    with conn.pipeline():
        cur = conn.execute("insert into item values (1)")
    seen["psycopg 3, no parameters, in a pipeline"] = cur.description


async def by_asyncpg():
    conn = await asyncpg.connect(host=FOLDER, user="finder", database="postgres")
    seen["asyncpg, no parameters"] = await conn.fetch("insert into item values (1)")
    seen["asyncpg, a parameter"] = await conn.fetch("insert into item values ($1)", 1)
    await conn.close()


asyncio.run(by_asyncpg())
for how, rows in seen.items():
    print(f"{how:42} {rows}")
assert list(seen.values()) == [[(2,)], [(2,)], [(2,)], None, None, [], []], "this has changed"
PYTHON
