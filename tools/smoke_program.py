"""Tries a fresh installation; run by tools/smoke.py inside the new venv."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import importlib
import os
import select
import sys

import psycoxide
from psycoxide import aio, errors, extensions, extras, pool, sql, sync

DSN = os.environ["PSYCOXIDE_TEST_DSN"]


def expect(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        sys.exit(f"smoke: {what}: got {got!r}, wanted {wanted!r}")


def values() -> None:
    given = (1, 2.5, "it's", decimal.Decimal("1.10"), datetime.date(2024, 2, 29), None, [1, 2])
    with psycoxide.connect(DSN) as conn, conn.cursor(cursor_factory=extras.DictCursor) as cursor:
        cursor.execute(
            "select %s::int as a, %s::float8, %s::text, %s::numeric, %s::date, %s::text, %s::int[]",
            given,
        )
        [row] = cursor.fetchall()
        expect("values", tuple(row), given)
        expect("by name", row["a"], 1)
        cursor.execute(sql.SQL("select {} + 1").format(sql.Literal(41)))
        expect("sql", cursor.fetchall(), [[42]])
    conn.close()


def named_cursor() -> None:
    with psycoxide.connect(DSN) as conn, conn.cursor("smoke") as cursor:
        cursor.execute("select generate_series(1, 5000)")
        expect("named cursor", sum(row[0] for row in cursor), 12502500)
    conn.close()


def errors_and_pool() -> None:
    shared = pool.SimpleConnectionPool(1, 2, DSN)
    conn = shared.getconn()
    try:
        conn.cursor().execute("select 1 / 0")
    except errors.DivisionByZero as error:
        expect("sqlstate", error.pgcode, "22012")
    else:
        sys.exit("smoke: a division by zero went unnoticed")
    shared.putconn(conn)
    shared.closeall()


def asynchronous() -> None:
    conn = psycoxide.connect(DSN, async_=1)
    wait(conn)
    cursor = conn.cursor()
    cursor.execute("select 'async'")
    wait(conn)
    expect("async", cursor.fetchall(), [("async",)])
    conn.close()


def event_loop() -> None:
    asyncio.run(tasks())


async def tasks() -> None:
    async with aio.connect(DSN, row_factory=aio.dict_row) as conn:
        expect("aio", await conn.fetch("select %s as a", (1,)), [{"a": 1}])
        async with conn.transaction():
            counted = await asyncio.gather(
                *(conn.fetchval("select %s::int", (number,)) for number in range(20))
            )
            expect("pipelined", counted, list(range(20)))
        sleeper = asyncio.create_task(conn.execute("select pg_sleep(60)"))
        await asyncio.sleep(0.1)
        sleeper.cancel()
        [cancelled] = await asyncio.gather(sleeper, return_exceptions=True)
        expect("cancelled", type(cancelled), asyncio.CancelledError)
        expect("usable", await conn.fetchval("select 'still here'"), "still here")


def twin() -> None:
    with sync.connect(DSN) as conn:
        expect("sync", conn.fetchrow("select 1, %s", ("a",)), (1, "a"))
        try:
            conn.execute("select pg_sleep(60)", timeout=0.1)
        except sync.OperationTimeout:
            expect("usable", conn.fetchval("select 1"), 1)
        else:
            sys.exit("smoke: a timeout went unnoticed")


def wait(conn: extensions.connection) -> None:
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return
        reads = [conn] if state == extensions.POLL_READ else []
        writes = [conn] if state == extensions.POLL_WRITE else []
        if not any(select.select(reads, writes, [], 30)):
            sys.exit("smoke: no answer within 30 s")


def another_interpreter() -> None:
    """It must get a plain ImportError: Python's own behaviour depends on its version."""
    try:
        interpreters = importlib.import_module("_interpreters")
    except ImportError:
        interpreters = importlib.import_module("_xxsubinterpreters")
    attempt = """
try:
    import psycoxide
except ImportError as error:
    assert "psycoxide" in str(error)
else:
    raise SystemExit("psycoxide could be imported twice")
"""
    kinds = (("legacy",), ("isolated",)) if sys.version_info >= (3, 13) else ((),)
    for kind in kinds:
        other = interpreters.create(*kind)
        failed = interpreters.run_string(other, attempt)
        expect(f"another interpreter {kind}", failed, None)
        interpreters.destroy(other)


if __name__ == "__main__":
    for step in (
        values,
        named_cursor,
        errors_and_pool,
        asynchronous,
        event_loop,
        twin,
        another_interpreter,
    ):
        step()
