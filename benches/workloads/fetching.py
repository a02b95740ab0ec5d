"""Large results, fetched whole: of many types, as tuples and as dictionaries."""

from __future__ import annotations

import json
from typing import Any

from meter import memory

from .registry import workload
from .rowwise import row_cursor

# name: (description, table, columns, rows)
WHOLE: dict[str, tuple[str, str, str, int]] = {
    "f_int1m": ("1,000,000 rows of one int4", "t_int1m", "a", 1_000_000),
    "f_mixed": ("200,000 rows of ten mixed columns", "t_mixed", "*", 200_000),
    "f_text5": ("300,000 rows of five short texts", "t_text5", "*", 300_000),
    "f_text1k": ("100,000 texts of 1 kB", "t_text1k", "a", 100_000),
    "f_numeric": ("300,000 numerics", "t_numeric", "a", 300_000),
    "f_tstz": ("300,000 timestamps with time zone", "t_tstz", "a", 300_000),
    "f_uuid": ("300,000 uuids, as uuid.UUID", "t_uuid", "a", 300_000),
    "f_jsonb": ("50,000 jsonb documents", "t_jsonb", "a", 50_000),
    "f_intarr": ("100,000 arrays of ten int4", "t_intarr", "a", 100_000),
    "f_bytea": ("10,000 byte strings of 10 kB", "t_bytea", "a", 10_000),
    "f_bytea_binary": ("the same, in binary where one may ask for that", "t_bytea", "a", 10_000),
    "f_float8": ("1,000,000 float8", "t_float8", "a", 1_000_000),
    "f_hstore": ("50,000 hstores, as dict", "t_hstore", "a", 50_000),
    "f_wide": ("10,000 rows of 100 columns, a fifth NULL", "t_wide", "*", 10_000),
}


def fetch(driver: Any, name: str) -> None:
    _about, table, columns, count = WHOLE[name]
    conn = driver.connect()
    teach(driver, conn, name)
    cursor = driver.binary_cursor(conn) if name.endswith("_binary") else driver.cursor(conn)
    query = f"select {columns} from {table}"
    cursor.execute(f"{query} limit 50")
    cursor.fetchall()
    with driver.meter():
        cursor.execute(query)
        rows = cursor.fetchall()
        got = len(rows)
        del rows  # freeing what was fetched is part of its price
    assert got == count, got


def teach(driver: Any, conn: Any, name: str) -> None:
    """Register the types that psycopg2 reads only on demand."""
    if driver.name.startswith("psycopg") and driver.module_name == "psycopg":
        if name == "f_hstore":
            types = driver.submodule("types")
            hstore = driver.submodule("types.hstore")
            hstore.register_hstore(types.TypeInfo.fetch(conn, "hstore"), conn)
    elif name == "f_uuid":
        driver.submodule("extras").register_uuid()
    elif name == "f_hstore":
        driver.submodule("extras").register_hstore(conn)


async def fetch_asyncpg(driver: Any, name: str) -> None:
    _about, table, columns, count = WHOLE[name]
    conn = await driver.connect()
    if name == "f_jsonb":
        await conn.set_type_codec(
            "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
    if name == "f_hstore":
        await conn.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")
    query = f"select {columns} from {table}"
    await conn.fetch(f"{query} limit 50")
    with driver.meter():
        rows = await conn.fetch(query)
        got = len(rows)
        del rows
    assert got == count, got


def declare(name: str) -> None:
    about, table, _columns, _count = WHOLE[name]

    def body(driver: Any) -> None:
        fetch(driver, name)

    async def body_asyncpg(driver: Any) -> None:
        await fetch_asyncpg(driver, name)

    workload(name, about, table)(body).on("asyncpg")(body_asyncpg)


for whole in WHOLE:
    declare(whole)


def rows_as(driver: Any, kind: str) -> None:
    """All of t_mixed, as rows of this kind."""
    cursor = row_cursor(driver, driver.connect(), kind)
    cursor.execute("select * from t_mixed limit 50")
    cursor.fetchall()
    with driver.meter():
        cursor.execute("select * from t_mixed")
        rows = cursor.fetchall()
        got = len(rows)
        del rows
    assert got == 200_000, got


@workload("d_real", "t_mixed through RealDictCursor", "t_mixed")
def d_real(driver: Any) -> None:
    rows_as(driver, "real")


@workload("d_dict", "t_mixed through DictCursor", "t_mixed")
def d_dict(driver: Any) -> None:
    rows_as(driver, "dict")


@workload("d_named", "t_mixed through NamedTupleCursor", "t_mixed")
def d_named(driver: Any) -> None:
    rows_as(driver, "named")


@workload("memory", "1,000,000 rows of five columns: memory after execute, after fetchall", "t_mem")
def in_memory(driver: Any) -> None:
    cursor = driver.cursor(driver.connect())
    with driver.meter():
        cursor.execute("select * from t_mem")
        driver.figures["rss_executed"] = memory("VmRSS")
        rows = cursor.fetchall()
        driver.figures["rss_fetched"] = memory("VmRSS")
    assert len(rows) == 1_000_000, len(rows)


@workload("memory_forward", "the same, where rows may be freed as they are read", "t_mem")
def in_memory_forward(driver: Any) -> None:
    cursor = driver.cursor(driver.connect())
    if hasattr(cursor, "forward_only"):
        cursor.forward_only = True
    with driver.meter():
        cursor.execute("select * from t_mem")
        rows = cursor.fetchall()
        driver.figures["rss_fetched"] = memory("VmRSS")
    assert len(rows) == 1_000_000, len(rows)


@in_memory.on("asyncpg")
async def in_memory_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    with driver.meter():
        rows = await conn.fetch("select * from t_mem")
        driver.figures["rss_fetched"] = memory("VmRSS")
    assert len(rows) == 1_000_000, len(rows)
