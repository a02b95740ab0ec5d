#!/bin/sh
# A block of a transaction in which an error was caught ends without an error, and its rows are gone.
#
# Seen: PostgreSQL 18.6, psycopg2 2.9.13, psycopg 3.3.9, asyncpg 0.32.0, SQLAlchemy 2.0.49, November 2026.
#
# A statement that fails makes the transaction one that can only be rolled back. If the program catches
# the error within the block and goes on, the block ends as after success and sends COMMIT, to which
# the server answers ROLLBACK, which is no error of the protocol. Neither psycopg2's `with conn:` nor the
# blocks of psycopg 3, asyncpg and SQLAlchemy look at that answer: nothing is raised, and what was
# inserted before is not in the table. One would expect the end of the block to raise, or the rows to be
# there.
set -eu
. "$(dirname "$0")/lib/throwaway_server.sh"
start_server "$(mktemp -d)" psycopg2-binary==2.9.13 'psycopg[binary]==3.3.9' asyncpg==0.32.0 \
	sqlalchemy==2.0.49
"$PYTHON" - <<'PYTHON'
import asyncio
import os

import asyncpg
import psycopg
import psycopg2
import sqlalchemy

DSN = os.environ["DSN"]
FOLDER = DSN.split()[0].removeprefix("host=")
outside = psycopg.connect(DSN, autocommit=True)
outside.execute("create table item (name text)")


def look(how):
    rows = outside.execute("select count(*) from item").fetchone()[0]
    print(f"{how:12} no exception at the end of the block, {rows} rows")
    assert rows == 0, "this has changed"


conn = psycopg2.connect(DSN)
with conn, conn.cursor() as cur:
    cur.execute("insert into item values ('kept?')")
    try:
        cur.execute("select 1/0")
    except psycopg2.Error:
        pass
look("psycopg2")
conn.close()

with psycopg.connect(DSN, autocommit=True) as conn, conn.transaction():
    conn.execute("insert into item values ('kept?')")
    try:
        conn.execute("select 1/0")
    except psycopg.Error:
        pass
look("psycopg 3")


async def by_asyncpg():
    conn = await asyncpg.connect(host=FOLDER, user="finder", database="postgres")
    async with conn.transaction():
        await conn.execute("insert into item values ('kept?')")
        try:
            await conn.execute("select 1/0")
        except asyncpg.PostgresError:
            pass
    await conn.close()


asyncio.run(by_asyncpg())
look("asyncpg")

url = f"postgresql+psycopg://finder@/postgres?host={FOLDER}"
engine = sqlalchemy.create_engine(url)
with engine.begin() as conn:
    conn.execute(sqlalchemy.text("insert into item values ('kept?')"))
    try:
        conn.execute(sqlalchemy.text("select 1/0"))
    except sqlalchemy.exc.DBAPIError:
        pass
look("SQLAlchemy")
PYTHON
