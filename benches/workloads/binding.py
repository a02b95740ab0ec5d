"""Binding on the server: psycoxide's own API beside merged text, beside asyncpg, beside psycopg 3.

`psycoxide-merged` is the same API with `binding="client"`, and its columns come in text.
"""

from __future__ import annotations

import asyncio
from typing import Any

from drivers import Absent

from .awaited import CONNECTIONS, STATEMENTS
from .fetching import WHOLE
from .registry import Workload, workload

TEXTS = 10_000
BY_KEY = "select id, name, at from t_alchemy where id = {} and name <> {} and price >= {}"
PERCENTS = BY_KEY.format("%s", "%s", "%s")
DOLLARS = BY_KEY.format("$1", "$2", "$3")
OWN = ("psycoxide", "psycoxide-merged")


def own_connection(driver: Any) -> Any:
    """A blocking connection of psycoxide's own API."""
    conn = driver.submodule("sync").connect(**driver.unix, binding=driver.binding)
    driver.pids.append(conn.info.backend_pid)
    return conn


@workload("bind_key", "20,000 times SELECT by key with three parameters, autocommit", "t_alchemy")
def bind_key(driver: Any) -> None:
    conn = driver.connect()
    cursor = driver.cursor(conn)
    for number in range(10):
        cursor.execute(PERCENTS, (number, "x", 0))
    with driver.meter():
        for number in range(STATEMENTS):
            cursor.execute(PERCENTS, (number % 10_000, "x", 0))
            cursor.fetchone()


@bind_key.on(*OWN)
def bind_key_own(driver: Any) -> None:
    conn = own_connection(driver)
    for number in range(10):
        conn.fetchrow(PERCENTS, (number, "x", 0))
    with driver.meter():
        for number in range(STATEMENTS):
            conn.fetchrow(PERCENTS, (number % 10_000, "x", 0))


@bind_key.on("asyncpg")
async def bind_key_asyncpg(driver: Any) -> None:
    raise Absent("it has no blocking API")


@workload(
    "bind_cold",
    "10,000 different texts with two parameters",
    "t_alchemy",
    baseline="psycoxide-merged",
    drivers=OWN,
)
def bind_cold(driver: Any) -> None:
    conn = own_connection(driver)
    texts = [
        f"select id, name, {number} from t_alchemy where id = %s and name <> %s"
        for number in range(TEXTS)
    ]
    conn.fetchrow("select %s, %s", (1, "x"))
    with driver.meter():
        for number, text in enumerate(texts):
            conn.fetchrow(text, (number, "x"))


AWAITED = ("asyncpg", "psycoxide", "psycoxide-merged", "psycopg", "psycopg-binary")


@workload(
    "bind_aio_ten",
    "20,000 times SELECT by key with three parameters over ten connections, awaited",
    "t_alchemy",
    baseline="asyncpg",
    drivers=AWAITED,
)
async def bind_aio_ten(driver: Any) -> None:
    async def run(conn: Any, count: int) -> None:
        if driver.module_name == "psycopg":
            for number in range(count):
                cursor = await conn.execute(PERCENTS, (number % 10_000, "x", 0))
                await cursor.fetchone()
        else:
            for number in range(count):
                await conn.fetchrow(PERCENTS, (number % 10_000, "x", 0))

    await ten(driver, run)


@bind_aio_ten.on("asyncpg")
async def bind_aio_ten_asyncpg(driver: Any) -> None:
    async def run(conn: Any, count: int) -> None:
        for number in range(count):
            await conn.fetchrow(DOLLARS, number % 10_000, "x", 0)

    await ten(driver, run)


async def ten(driver: Any, run: Any) -> None:
    conns = [await driver.connect_awaited() for _ in range(CONNECTIONS)]
    await asyncio.gather(*[run(conn, 10) for conn in conns])
    with driver.meter():
        await asyncio.gather(*[run(conn, STATEMENTS // CONNECTIONS) for conn in conns])


def declare_whole(name: str) -> Workload:
    about, table, columns, count = WHOLE[name]
    query = f"select {columns} from {table}"

    @workload(
        f"bind_{name}",
        f"{about}, awaited, in binary",
        table,
        baseline="asyncpg",
        drivers=AWAITED,
    )
    async def body(driver: Any) -> None:
        conn = await driver.connect_awaited()
        if driver.module_name == "psycopg":
            with driver.meter():
                cursor = await conn.execute(query, binary=driver.binary)
                rows = await cursor.fetchall()
                got = len(rows)
                del rows, cursor
        else:
            binary = driver.binding == "server"
            with driver.meter():
                rows = await conn.fetch(query, binary=binary)
                got = len(rows)
                del rows
        assert got == count, got

    @body.on("asyncpg")
    async def asyncpg(driver: Any) -> None:
        conn = await driver.connect_awaited()
        with driver.meter():
            rows = await conn.fetch(query)
            got = len(rows)
            del rows
        assert got == count, got

    return body


for whole in ("f_mixed", "f_float8", "f_tstz", "f_uuid", "f_intarr"):
    declare_whole(whole)
