"""Pools: borrow a connection, run `SELECT 1`, give it back; more borrowers than connections.

Tasks run on uvloop. They are compared with asyncpg's pool and, under another name, with psycopg's;
threads with psycopg's.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from drivers import Absent

from .registry import workload

TASKS = 100
THREADS = 8
CONNECTIONS = 10
BORROWED = 20_000
ABOUT = "20,000 times: borrow, SELECT 1, give back"


def pool_class(driver: Any, is_async: bool) -> Any:
    """The class of a driver's pool, with psycopg_pool's arguments."""
    name = "AsyncConnectionPool" if is_async else "ConnectionPool"
    if driver.name == "psycoxide":
        module = driver.submodule("aio" if is_async else "sync")
    else:
        try:
            import psycopg_pool as module
        except ImportError:
            raise Absent("no psycopg_pool") from None
    return getattr(module, name)


@contextlib.asynccontextmanager
async def opened(driver: Any) -> AsyncIterator[Any]:
    """A full pool, as a function that gives the block in which a connection is borrowed."""
    if driver.name == "asyncpg":
        where = dict(driver.unix)
        where["database"] = where.pop("dbname")
        async with driver.module.create_pool(
            **where, min_size=CONNECTIONS, max_size=CONNECTIONS, ssl=False
        ) as pool:
            yield pool.acquire
    else:
        options = {**driver.unix, "autocommit": True}
        made = pool_class(driver, True)(kwargs=options, min_size=CONNECTIONS, open=False)
        async with made as pool:
            await pool.wait()
            yield pool.connection


async def tasks(driver: Any) -> None:
    async def borrow(block: Any, count: int) -> None:
        for _ in range(count):
            async with block() as conn:
                if driver.name == "psycopg":
                    await (await conn.execute("SELECT 1")).fetchone()
                else:
                    await conn.fetchval("SELECT 1")

    async with opened(driver) as block:
        await asyncio.gather(*[borrow(block, 2) for _ in range(TASKS)])
        with driver.meter():
            await asyncio.gather(*[borrow(block, BORROWED // TASKS) for _ in range(TASKS)])


def declare_tasks(name: str, baseline: str, *drivers: str) -> None:
    about = f"{ABOUT}, {TASKS} tasks, {CONNECTIONS} connections"
    declared = workload(name, about, baseline=baseline, drivers=(*drivers, "psycoxide"))
    declared(tasks).on("asyncpg")(tasks)


declare_tasks("pool_tasks", "asyncpg", "asyncpg")
declare_tasks("pool_tasks_psycopg", "psycopg", "psycopg")


@workload(
    "pool_threads",
    f"{ABOUT}, {THREADS} threads, four connections",
    baseline="psycopg",
    drivers=("psycopg", "psycoxide"),
)
def pool_threads(driver: Any) -> None:
    def borrow(count: int) -> None:
        for _ in range(count):
            with pool.connection() as conn:
                if driver.name == "psycopg":
                    conn.execute("SELECT 1").fetchone()
                else:
                    conn.fetchval("SELECT 1")

    def run(count: int) -> None:
        threads = [threading.Thread(target=borrow, args=(count,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    options = {**driver.unix, "autocommit": True}
    with pool_class(driver, False)(kwargs=options, min_size=4, open=False) as pool:
        pool.wait()
        run(10)
        with driver.meter():
            run(BORROWED // THREADS)
