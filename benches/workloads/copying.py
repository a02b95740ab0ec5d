"""COPY in both directions."""

from __future__ import annotations

import tempfile
from typing import Any, BinaryIO

from .registry import workload

OUT = "copy t_copy to stdout"
IN = "copy t_copyin from stdin"
LINES = 1_000_000


class Counter:
    """A file that only counts the bytes written to it."""

    size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)


def make_file() -> BinaryIO:
    """About 200 MB of rows in a file."""
    tail = "abcdefghij" * 17
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    file.writelines(f"{i}\tvalue number {i}\t{tail}\n".encode() for i in range(LINES))
    file.seek(0)
    return file


@workload("copy_out", "2,000,000 rows by COPY TO STDOUT", "t_copy")
def copy_out(driver: Any) -> None:
    cursor = driver.connect().cursor()
    sink = Counter()
    with driver.meter():
        cursor.copy_expert(OUT, sink)
    assert sink.size > 2_000_000, sink.size


@copy_out.on("psycopg", "psycopg-binary")
def copy_out_psycopg(driver: Any) -> None:
    cursor = driver.connect().cursor()
    size = 0
    with driver.meter(), cursor.copy(OUT) as copy:
        for block in copy:
            size += len(block)
    assert size > 2_000_000, size


@copy_out.on("asyncpg")
async def copy_out_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    sink = Counter()

    async def write(data: bytes) -> None:
        sink.write(data)

    with driver.meter():
        await conn.copy_from_query("select * from t_copy", output=write)
    assert sink.size > 2_000_000, sink.size


@workload("copy_in", "1,000,000 rows, 200 MB, from a file by COPY FROM STDIN", "t_copyin")
def copy_in(driver: Any) -> None:
    cursor = driver.connect().cursor()
    cursor.execute("truncate t_copyin")
    source = make_file()
    with driver.meter():
        cursor.copy_expert(IN, source)
    check(cursor)


@copy_in.on("psycopg", "psycopg-binary")
def copy_in_psycopg(driver: Any) -> None:
    cursor = driver.connect().cursor()
    cursor.execute("truncate t_copyin")
    source = make_file()
    with source, driver.meter(), cursor.copy(IN) as copy:
        while block := source.read(65536):
            copy.write(block)
    check(cursor)


@copy_in.on("asyncpg")
async def copy_in_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    await conn.execute("truncate t_copyin")
    source = make_file()
    with driver.meter():
        await conn.copy_to_table("t_copyin", source=source)
    assert await conn.fetchval("select count(*) from t_copyin") == LINES


def check(cursor: Any) -> None:
    cursor.execute("select count(*) from t_copyin")
    got = cursor.fetchone()[0]
    assert got == LINES, got
    cursor.execute("truncate t_copyin")
