"""Inserting rows, one or many with each statement."""

from __future__ import annotations

import datetime
from typing import Any

from .registry import workload

INSERT = "insert into t_ins values (%s, %s, %s, %s, %s)"
DOLLARS = "insert into t_ins values ($1, $2, $3, $4, $5)"
AT = datetime.datetime(2024, 5, 17, 12, 34, 56, 123456)
Row = tuple[int, str, float, datetime.datetime, bool]


def make_rows(count: int) -> list[Row]:
    """Rows of which every tenth has a quote to be doubled."""
    return [
        (i, f"it's row {i}" if i % 10 == 0 else f"text of row {i}", i * 0.5, AT, i % 2 == 0)
        for i in range(count)
    ]


def prepare(driver: Any) -> tuple[Any, Any]:
    conn = driver.connect(autocommit=False)
    cursor = conn.cursor()
    cursor.execute("truncate t_ins")
    conn.commit()
    return conn, cursor


def check(cursor: Any, count: int) -> None:
    cursor.execute("select count(*) from t_ins")
    got = cursor.fetchone()[0]
    assert got == count, got


async def many_asyncpg(driver: Any, count: int, *, single: bool = False) -> None:
    conn = await driver.connect()
    await conn.execute("truncate t_ins")
    rows = make_rows(count)
    with driver.meter():
        async with conn.transaction():
            if single:
                for row in rows:
                    await conn.execute(DOLLARS, *row)
            else:
                await conn.executemany(DOLLARS, rows)
    assert await conn.fetchval("select count(*) from t_ins") == count


@workload("insert1", "10,000 inserts, one execute each", "t_ins")
def insert1(driver: Any) -> None:
    conn, cursor = prepare(driver)
    rows = make_rows(10_000)
    with driver.meter():
        for row in rows:
            cursor.execute(INSERT, row)
        conn.commit()
    check(cursor, 10_000)


@insert1.on("asyncpg")
async def insert1_asyncpg(driver: Any) -> None:
    await many_asyncpg(driver, 10_000, single=True)


@workload("insert_commit", "3,000 times an insert and a commit", "t_ins")
def insert_commit(driver: Any) -> None:
    conn, cursor = prepare(driver)
    rows = make_rows(3_000)
    with driver.meter():
        for row in rows:
            cursor.execute(INSERT, row)
            conn.commit()
    check(cursor, 3_000)


@insert_commit.on("asyncpg")
async def insert_commit_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    await conn.execute("truncate t_ins")
    rows = make_rows(3_000)
    with driver.meter():
        for row in rows:
            async with conn.transaction():
                await conn.execute(DOLLARS, *row)
    assert await conn.fetchval("select count(*) from t_ins") == 3_000


@workload("executemany", "10,000 inserts by executemany", "t_ins")
def executemany(driver: Any, count: int = 10_000) -> None:
    conn, cursor = prepare(driver)
    rows = make_rows(count)
    with driver.meter():
        cursor.executemany(INSERT, rows)
        conn.commit()
    check(cursor, count)


@executemany.on("asyncpg")
async def executemany_asyncpg(driver: Any) -> None:
    await many_asyncpg(driver, 10_000)


@workload(
    "executemany_prepared",
    "10,000 inserts by executemany, with prepare=True where there is that",
    "t_ins",
)
def executemany_prepared(driver: Any, count: int = 10_000) -> None:
    conn, cursor = prepare(driver)
    rows = make_rows(count)
    prepared = {"prepare": True} if driver.name == "psycoxide" else {}
    with driver.meter():
        cursor.executemany(INSERT, rows, **prepared)
        conn.commit()
    check(cursor, count)


executemany_prepared.on("asyncpg")(executemany_asyncpg)


@workload("execute_batch", "50,000 inserts by execute_batch; elsewhere executemany", "t_ins")
def execute_batch(driver: Any) -> None:
    conn, cursor = prepare(driver)
    rows = make_rows(50_000)
    batch = driver.submodule("extras").execute_batch
    with driver.meter():
        batch(cursor, INSERT, rows)
        conn.commit()
    check(cursor, 50_000)


@workload("execute_values", "200,000 rows by execute_values; elsewhere executemany", "t_ins")
def execute_values(driver: Any) -> None:
    conn, cursor = prepare(driver)
    rows = make_rows(200_000)
    values = driver.submodule("extras").execute_values
    with driver.meter():
        values(cursor, "insert into t_ins values %s", rows)
        conn.commit()
    check(cursor, 200_000)


def many_psycopg(count: int) -> Any:
    def body(driver: Any) -> None:
        executemany.default(driver, count)

    return body


def many_by_asyncpg(count: int) -> Any:
    async def body(driver: Any) -> None:
        await many_asyncpg(driver, count)

    return body


for many, rows_in_all in ((execute_batch, 50_000), (execute_values, 200_000)):
    many.on("psycopg", "psycopg-binary")(many_psycopg(rows_in_all))
    many.on("asyncpg")(many_by_asyncpg(rows_in_all))
