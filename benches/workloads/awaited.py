"""Coroutines: psycoxide.aio beside asyncpg, on the same event loop. psycopg 3 is there as well.

Each driver does what its manual shows. The workloads whose names end in `_asyncio` run on
asyncio's own loop, the others on uvloop.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from drivers import Absent
from meter import memory

from .fetching import WHOLE
from .registry import workload

STATEMENTS = 20_000
CONNECTIONS = 10
GATHERED = 64
IDLE = 100
INSERT = "insert into t_ins values ({}, {}, {}, {}, {})"
PERCENTS = INSERT.format(*["%s"] * 5)
DOLLARS = INSERT.format("$1", "$2", "$3", "$4", "$5")
AT = datetime.datetime(2024, 5, 17, 12, 34, 56)

Body = Callable[[Any], Coroutine[Any, Any, None]]
Fetch = Callable[[Any, str], Coroutine[Any, Any, Any]]


def on_both_loops(name: str, about: str, *tables: str) -> Callable[[Body], Body]:
    """Decorates a body that runs on uvloop, and as another workload on asyncio's loop."""

    def add(body: Body) -> Body:
        for loop, ending, words in (
            ("uvloop", "", ""),
            ("asyncio", "_asyncio", ", asyncio's loop"),
        ):
            declared = workload(
                f"{name}{ending}",
                f"{about}{words}",
                *tables,
                baseline="asyncpg",
                drivers=("asyncpg", "psycoxide", "psycopg", "psycopg-binary"),
                loop=loop,
            )
            declared(body).on("asyncpg")(body)
        return body

    return add


def feature(driver: Any, owner: Any, name: str) -> Any:
    """A method of a driver's object."""
    found = getattr(owner, name, None)
    if found is None:
        raise Absent(f"no {name}() in {driver.module_name}")
    return found


def fetcher(driver: Any) -> Fetch:
    """How a driver runs a query and fetches all of its rows."""
    if driver.module_name != "psycopg":
        return lambda conn, query: conn.fetch(query)
    binary = driver.binary

    async def fetch(conn: Any, query: str) -> Any:
        cursor = await conn.execute(query, binary=binary)
        return await cursor.fetchall()

    return fetch


# ---- statements ----------------------------------------------------------------------------------


async def one_by_one(fetch: Fetch, conn: Any, count: int) -> None:
    for _ in range(count):
        await fetch(conn, "SELECT 1")


@on_both_loops("aio_ten", "20,000 times SELECT 1 over ten connections, awaited")
async def aio_ten(driver: Any) -> None:
    conns = [await driver.connect_awaited() for _ in range(CONNECTIONS)]
    fetch = fetcher(driver)
    await asyncio.gather(*[one_by_one(fetch, conn, 1) for conn in conns])
    with driver.meter():
        work = [one_by_one(fetch, conn, STATEMENTS // CONNECTIONS) for conn in conns]
        await asyncio.gather(*work)


@on_both_loops("aio_one", "20,000 times SELECT 1, one after another, awaited")
async def aio_one(driver: Any) -> None:
    conn = await driver.connect_awaited()
    fetch = fetcher(driver)
    await fetch(conn, "SELECT 1")
    with driver.meter():
        await one_by_one(fetch, conn, STATEMENTS)


@on_both_loops(
    "aio_gather", "20,000 times SELECT 1 on one connection, 64 gathered (asyncpg: one by one)"
)
async def aio_gather(driver: Any) -> None:
    conn = await driver.connect_awaited()
    fetch = fetcher(driver)
    await fetch(conn, "SELECT 1")
    with driver.meter():
        for _ in range(STATEMENTS // GATHERED):
            if driver.name == "asyncpg":
                await one_by_one(fetch, conn, GATHERED)
            else:
                await asyncio.gather(*[fetch(conn, "SELECT 1") for _ in range(GATHERED)])


# ---- large results -------------------------------------------------------------------------------


def declare_whole(name: str) -> None:
    about, table, columns, count = WHOLE[name]

    @on_both_loops(f"aio_{name}", f"{about}, awaited", table)
    async def body(driver: Any) -> None:
        conn = await driver.connect_awaited()
        fetch, query = fetcher(driver), f"select {columns} from {table}"
        await fetch(conn, f"{query} limit 50")
        with driver.meter():
            rows = await fetch(conn, query)
            got = len(rows)
            del rows
        assert got == count, got


for whole in ("f_mixed", "f_int1m", "f_text1k"):
    declare_whole(whole)


def declare_shaped(name: str, factory: str) -> None:
    @on_both_loops(
        f"aio_{name}", f"200,000 rows of ten mixed columns, as {name}, awaited", "t_mixed"
    )
    async def body(driver: Any) -> None:
        conn = await driver.connect_awaited()
        with driver.meter():
            if driver.name == "asyncpg":
                rows = await conn.fetch("select * from t_mixed")
                if name == "dicts":
                    rows = [dict(row) for row in rows]
            else:
                if name == "records" and driver.name != "psycoxide":
                    raise Absent("no records")
                conn.row_factory = getattr(driver.submodule("rows"), factory)
                rows = await fetcher(driver)(conn, "select * from t_mixed")
            got = len(rows)
            del rows
        assert got == 200_000, got


declare_shaped("records", "record_row")
declare_shaped("dicts", "dict_row")


# ---- row by row ----------------------------------------------------------------------------------


async def count(rows: AsyncIterator[Any]) -> int:
    got = 0
    async for _row in rows:
        got += 1
    return got


@on_both_loops(
    "aio_iter", "200,000 rows of ten mixed columns, `async for` over a cursor", "t_mixed"
)
async def aio_iter(driver: Any) -> None:
    conn = await driver.connect_awaited()
    with driver.meter():
        if driver.name == "asyncpg":
            async with conn.transaction():
                got = await count(conn.cursor("select * from t_mixed"))
        else:
            got = await count(await conn.execute("select * from t_mixed"))
    assert got == 200_000, got


@on_both_loops("aio_stream", "1,000,000 rows of one int4, streamed", "t_int1m")
async def aio_stream(driver: Any) -> None:
    conn = await driver.connect_awaited()
    with driver.meter():
        if driver.name == "asyncpg":
            async with conn.transaction():
                got = await count(conn.cursor("select a from t_int1m"))
        elif driver.name == "psycoxide":
            got = await count(feature(driver, conn, "stream")("select a from t_int1m"))
        else:
            got = await count(conn.cursor(binary=driver.binary).stream("select a from t_int1m"))
    assert got == 1_000_000, got


# ---- writing -------------------------------------------------------------------------------------


@on_both_loops("aio_executemany", "10,000 rows inserted by executemany(), awaited", "t_ins")
async def aio_executemany(driver: Any) -> None:
    conn = await driver.connect_awaited()
    rows = [(number, f"it's row {number}", number * 0.5, AT, True) for number in range(10_000)]
    await conn.execute("truncate t_ins")
    query = DOLLARS if driver.name == "asyncpg" else PERCENTS
    if driver.module_name == "psycopg":
        conn = conn.cursor()
    with driver.meter():
        await feature(driver, conn, "executemany")(query, rows)
    await check(driver, conn, "t_ins", 10_000)


@on_both_loops("aio_copy_in", "1,000,000 records by COPY FROM STDIN, awaited", "t_copyin")
async def aio_copy_in(driver: Any) -> None:
    conn = await driver.connect_awaited()
    records = [(number, f"value {number}", "text") for number in range(1_000_000)]
    await conn.execute("truncate t_copyin")
    with driver.meter():
        if driver.name == "asyncpg":
            await conn.copy_records_to_table("t_copyin", records=records)
        elif driver.name == "psycoxide":
            async with feature(driver, conn, "copy")("copy t_copyin from stdin") as copy:
                await copy.write_rows(records)
        else:
            async with conn.cursor().copy("copy t_copyin from stdin") as copy:
                for record in records:
                    await copy.write_row(record)
    await check(driver, conn, "t_copyin", 1_000_000)


async def check(driver: Any, conn: Any, table: str, expected: int) -> None:
    if driver.module_name == "psycopg":
        cursor = await conn.execute(f"select count(*) from {table}")
        got = (await cursor.fetchone())[0]
    else:
        got = await conn.fetchval(f"select count(*) from {table}")
    assert got == expected, got
    await conn.execute(f"truncate {table}")


# ---- at rest -------------------------------------------------------------------------------------


@on_both_loops("aio_idle", f"{IDLE} connections at rest for two seconds")
async def aio_idle(driver: Any) -> None:
    conns = [await driver.connect_awaited()]
    fetch = fetcher(driver)
    await fetch(conns[0], "SELECT 1")
    before = memory("VmRSS")
    for _ in range(IDLE):
        conns.append(await driver.connect_awaited())
        await fetch(conns[-1], "SELECT 1")
    driver.figures["rss_each"] = (memory("VmRSS") - before) / IDLE
    with driver.meter():
        await asyncio.sleep(2)
    assert len(conns) == IDLE + 1
