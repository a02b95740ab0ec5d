"""The hot paths whose instructions are counted: `paths.py NAME` runs one.

They are long enough that importing and connecting do not matter. They use a Unix socket if there
is one.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

AT = datetime.datetime(2024, 5, 17, 12, 34, 56, 123456)
VALUES = (42, 3.25, "plain text", "it's quoted\\ text", None, True, AT, AT.date(),
          decimal.Decimal("12345.6789"), [1, 2, 3])  # fmt: skip
MIXED = """select n, n * 1000000000::bigint, n / 7.0::float8, n / 3.0, n % 2 = 0,
    'text of row ' || n, date '2024-05-17' + n % 1000,
    timestamp '2024-05-17 12:34:56' + n * interval '1 s',
    timestamptz '2024-05-17 12:34:56+00' + n * interval '1 s', nullif(n % 5, 0)
    from generate_series(1, 10000) n"""


def where() -> tuple[str, dict[str, Any]]:
    """What connects to the server."""
    description = os.environ.get("PSYCOXIDE_TEST_SERVER")
    dsn = os.environ["PSYCOXIDE_TEST_DSN"]
    if description:
        return dsn, {"host": json.loads(Path(description).read_text())["sockets"]}
    return dsn, {}


def connect() -> Any:
    import psycoxide

    dsn, options = where()
    return psycoxide.connect(dsn, **options)


def awaited(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Runs `work` with a connection, on asyncio's own loop."""
    from psycoxide import aio

    async def main() -> None:
        dsn, options = where()
        async with aio.connect(dsn, **options) as conn:
            await work(conn)

    asyncio.run(main())


async def aio_statements(conn: Any) -> None:
    for number in range(1500):
        await conn.fetchrow("select %s::int, %s::int, %s::text", (number, 42, "some text"))


async def aio_gather(conn: Any) -> None:
    for _ in range(25):
        await asyncio.gather(*[conn.fetchval("select 1") for _ in range(64)])


async def aio_rows(conn: Any, factory: str) -> None:
    from psycoxide import rows

    assert await conn.fetch(MIXED, row_factory=getattr(rows, factory))


def fetch(query: str, factory: str | None = None) -> None:
    from psycoxide import extras

    conn = connect()
    cur = conn.cursor(cursor_factory=getattr(extras, factory) if factory else None)
    cur.execute(query)
    assert cur.fetchall()


def iterate() -> None:
    cur = connect().cursor()
    cur.execute("select n, n from generate_series(1, 30000) n")
    assert sum(1 for _row in cur) == 30_000


def bit_by_bit(
    take: Callable[[Any], Any], factory: str | None = None, name: str | None = None
) -> None:
    """As many rows as `fetch(MIXED)` has; `take` fetches them from the cursor."""
    from psycoxide import extras

    cur = connect().cursor(name, cursor_factory=getattr(extras, factory) if factory else None)
    cur.execute(MIXED)
    for _ in range(10_000):
        assert take(cur)


def statements() -> None:
    cur = connect().cursor()
    for number in range(1500):
        cur.execute("select %s::int, %s::int, %s::text", (number, 42, "some text"))
        cur.fetchone()


def executemany() -> None:
    cur = connect().cursor()
    cur.execute("create temporary table many (a int, b text, c float8, d timestamp, e bool)")
    rows = [(n, f"it's row {n}", n * 0.5, AT, n % 2 == 0) for n in range(3000)]
    cur.executemany("insert into many values (%s, %s, %s, %s, %s)", rows)


def mogrify() -> None:
    cur = connect().cursor()
    for _ in range(5000):
        cur.mogrify("insert into t values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", VALUES)


def copy_out() -> None:
    class Sink:
        def write(self, data: bytes) -> None:
            pass

    query = "copy (select n, 'row ' || n from generate_series(1, 100000) n) to stdout"
    connect().cursor().copy_expert(query, Sink())


ALL: dict[str, Callable[[], None]] = {
    "integers": lambda: fetch("select n from generate_series(1, 50000) n"),
    "floats": lambda: fetch("select n / 7.0::float8 from generate_series(1, 30000) n"),
    "mixed": lambda: fetch(MIXED),
    "dicts": lambda: fetch(MIXED, "RealDictCursor"),
    "json": lambda: fetch(
        "select jsonb_build_object('id', n, 'name', 'n ' || n, 'tags', array[n, n + 1]) "
        "from generate_series(1, 5000) n"
    ),
    "iteration": iterate,
    "one_tuple": lambda: bit_by_bit(lambda cur: cur.fetchone()),
    "one_dict": lambda: bit_by_bit(lambda cur: cur.fetchone(), "DictCursor"),
    "one_real": lambda: bit_by_bit(lambda cur: cur.fetchone(), "RealDictCursor"),
    "many_real": lambda: bit_by_bit(lambda cur: cur.fetchmany(1), "RealDictCursor"),
    "server_dict": lambda: bit_by_bit(next, "DictCursor", "named"),
    "statements": statements,
    "executemany": executemany,
    "mogrify": mogrify,
    "copy_out": copy_out,
    "aio_statements": lambda: awaited(aio_statements),
    "aio_gather": lambda: awaited(aio_gather),
    "aio_dicts": lambda: awaited(lambda conn: aio_rows(conn, "dict_row")),
    "aio_records": lambda: awaited(lambda conn: aio_rows(conn, "record_row")),
}

if __name__ == "__main__":
    ALL[sys.argv[1]]()
