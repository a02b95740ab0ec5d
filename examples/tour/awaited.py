"""Section 1: psycoxide's API for asyncio, and the same without it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from show import Show

from psycoxide import aio, sync

TABLE = "create table tour.item (id int primary key, name text)"
COUNT = "select count(*) from tour.item"
MANY = 200


def run(show: Show, dsn: str) -> None:
    asyncio.run(first(show, dsn))
    asyncio.run(tasks(show, dsn))
    asyncio.run(cancelled(show, dsn))
    without(show, dsn)


async def queries(conn: aio.AsyncConnection[Any]) -> tuple[Any, ...]:
    await conn.execute(TABLE)
    async with conn.transaction():
        await conn.execute("insert into tour.item values (%s, %s), (2, 'ice')", [1, "tea"])
    return (
        await conn.fetchval(COUNT),
        await conn.fetchrow("select * from tour.item where name in %s", [("tea", "?")]),
        await conn.fetch("select * from tour.item order by id", row_factory=aio.dict_row),
    )


async def first(show: Show, dsn: str) -> None:
    show.step("[b]psycoxide.aio[/b]: queries, rows and transactions that are awaited:")
    show.code(queries)
    async with aio.connect(dsn) as conn:
        count, row, rows = await queries(conn)
    show.value("fetchval():", count)
    show.value("fetchrow():", row)
    show.value("fetch():   ", rows)
    show.check("the rows are those of the transaction", (count, row), (2, (1, "tea")))


async def tasks(show: Show, dsn: str) -> None:
    show.step(f"{MANY} tasks share a connection, whose statements do not wait for each other:")
    async with aio.connect(dsn) as conn:
        began = time.perf_counter()
        one_by_one = [await conn.fetchval("select %s * 2", [n]) for n in range(MANY)]
        between = time.perf_counter()
        at_once = await asyncio.gather(*(conn.fetchval("select %s * 2", [n]) for n in range(MANY)))
        took = time.perf_counter() - between
    show.value("one by one:", f"{(between - began) * 1000:.1f} ms")
    show.value("gather():  ", f"{took * 1000:.1f} ms")
    show.check("each task has its own answer", at_once, one_by_one)


async def move(conn: aio.AsyncConnection[Any]) -> None:
    async with conn.transaction():
        await conn.execute("delete from tour.item")
        await conn.execute("select pg_sleep(60)")


async def cancelled(show: Show, dsn: str) -> None:
    show.step("A task is cancelled in the middle of a transaction, while the server works:")
    show.code(move)
    async with aio.connect(dsn) as conn:
        task = asyncio.ensure_future(move(conn))
        await asyncio.sleep(0.2)
        began = time.perf_counter()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        returned = time.perf_counter() - began
        count = await conn.fetchval(COUNT)
        took = time.perf_counter() - began
        show.value("the task returned after", f"{returned * 1000:.1f} ms")
        show.value("the connection answered the next query after", f"{took * 1000:.1f} ms")
        show.check("the task was cancelled, and at once", task.cancelled() and returned < 1)
        show.check("the transaction was rolled back", count, 2)
        try:
            await conn.execute("select pg_sleep(60)", timeout=0.2)
        except aio.OperationTimeout as error:
            show.value("with timeout=0.2:", type(error).__name__)
        show.check("after a timeout the connection is usable, too", await conn.fetchval(COUNT), 2)


def without(show: Show, dsn: str) -> None:
    show.step("[b]psycoxide.sync[/b] is the same without await:")
    with sync.connect(dsn) as conn:
        names = conn.fetch("select name from tour.item order by id", row_factory=sync.scalar_row)
    show.check("it has the same rows", names, ["tea", "ice"])
