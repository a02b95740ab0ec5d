"""Many small statements, one after another."""

from __future__ import annotations

from typing import Any

from .registry import workload

COUNT = 20_000
PARAMETERS = "select %s::int, %s::int, %s::text"
DOLLARS = "select $1::int, $2::int, $3::text"


@workload("rt_simple", "20,000 times SELECT 1")
def rt_simple(driver: Any) -> None:
    cursor = driver.cursor(driver.connect())
    cursor.execute("select 1")
    with driver.meter():
        for _ in range(COUNT):
            cursor.execute("SELECT 1")
            cursor.fetchone()


@rt_simple.on("asyncpg")
async def rt_simple_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    with driver.meter():
        for _ in range(COUNT):
            await conn.fetch("SELECT 1")


@workload("rt_param", "20,000 statements with three parameters")
def rt_param(driver: Any, *, autocommit: bool = True) -> None:
    cursor = driver.cursor(driver.connect(autocommit=autocommit))
    cursor.execute("select 1")
    with driver.meter():
        for number in range(COUNT):
            cursor.execute(PARAMETERS, (number, 42, "some text"))
            cursor.fetchone()


@rt_param.on("asyncpg")
async def rt_param_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    with driver.meter():
        for number in range(COUNT):
            await conn.fetch(DOLLARS, number, 42, "some text")


@workload("rt_tx", "the same inside one transaction")
def rt_tx(driver: Any) -> None:
    rt_param.default(driver, autocommit=False)


@rt_tx.on("asyncpg")
async def rt_tx_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    async with conn.transaction():
        with driver.meter():
            for number in range(COUNT):
                await conn.fetch(DOLLARS, number, 42, "some text")


@workload("rt_commit", "10,000 times a new cursor, a statement, a commit")
def rt_commit(driver: Any) -> None:
    conn = driver.connect(autocommit=False)
    with driver.meter():
        for number in range(COUNT // 2):
            cursor = driver.cursor(conn)
            cursor.execute(PARAMETERS, (number, 42, "some text"))
            cursor.fetchone()
            cursor.close()
            conn.commit()


@rt_commit.on("asyncpg")
async def rt_commit_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    with driver.meter():
        for number in range(COUNT // 2):
            async with conn.transaction():
                await conn.fetch(DOLLARS, number, 42, "some text")
