#!/bin/sh
# A SELECT by the extended query protocol keeps its snapshot while the transaction is idle.
#
# Seen: PostgreSQL 18.6, psycopg2 2.9.13, psycopg 3.3.9, asyncpg 0.32.0, November 2026.
#
# Under READ COMMITTED a transaction that is idle after a SELECT holds no snapshot, so VACUUM may remove
# rows that others delete meanwhile. That is the case after psycopg2's statements, and after psycopg 3's
# without parameters, which are simple queries. After one with a parameter, pg_stat_activity.backend_xmin
# stays set until the next statement or the end of the transaction, though all rows were fetched: the
# unnamed portal of the extended protocol is open, and its snapshot with it. A program that runs one such SELECT
# and then thinks for an hour holds up VACUUM for an hour. asyncpg's fetch() does the same within a
# transaction. One would think that a statement whose rows have all been fetched is over.
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
LOOK = "select state, backend_xmin is not null from pg_stat_activity where pid = %s"
outside = psycopg.connect(DSN, autocommit=True)
seen = {}


def look(how, pid):
    state, keeps = outside.execute(LOOK, (pid,)).fetchone()
    assert state == "idle in transaction", state
    seen[how] = keeps


conn = psycopg2.connect(DSN)
cur = conn.cursor()
cur.execute("select %s::int", (1,))
cur.fetchall()
look("psycopg2, a parameter", conn.info.backend_pid)
conn.close()

with psycopg.connect(DSN) as conn:
    conn.execute("select 1").fetchall()
    look("psycopg 3, no parameters", conn.info.backend_pid)
    conn.execute("select %s::int", (1,)).fetchall()
    look("psycopg 3, a parameter", conn.info.backend_pid)
    conn.execute("select 1").fetchall()
    look("psycopg 3, then one without", conn.info.backend_pid)


async def by_asyncpg():
    conn = await asyncpg.connect(host=FOLDER, user="finder", database="postgres")
    async with conn.transaction():
        await conn.fetch("select $1::int", 1)
        look("asyncpg, a parameter", conn.get_server_pid())
    await conn.close()


asyncio.run(by_asyncpg())
for how, keeps in seen.items():
    print(f"{how:30} {'keeps its snapshot' if keeps else 'keeps none'}")
assert list(seen.values()) == [False, False, True, False, True], "this has changed"
PYTHON
