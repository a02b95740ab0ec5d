"""`read_arrow()`, on both APIs, and partitions as Arrow."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from psycoxide import OperationalError, ProgrammingError, aio, sync
from psycoxide.arrow import ArrowOptions

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: `make setup` gets it")

ROWS = 20_000


@pytest.fixture
def conn(dsn: str) -> Iterator[Any]:
    """A connection whose search path was SET."""
    with sync.connect(dsn) as conn:
        conn.execute("create schema read_arrow")
        conn.execute("set search_path = read_arrow")
        conn.execute(
            "create table item as select g as id, (g * 1.5)::numeric(10, 2) as price,"
            " case when g % 3 = 0 then g::text end as name, array[g, null] as some"
            f" from generate_series(1, {ROWS}) as g"
        )
        conn.execute("create index on item (id); analyze item")
        yield conn
        conn.execute("drop schema read_arrow cascade")


def all_at_once(conn: Any) -> Any:
    with conn.cursor() as cursor:
        cursor.arrow = True
        cursor.execute("select * from item order by id")
        return cursor.fetch_arrow_table()


@pytest.mark.parametrize("readers", [1, 2, 5])
@pytest.mark.parametrize("query", ["item", "select * from item where id > %s"])
def test_it_is_what_one_cursor_reads(conn: Any, readers: int, query: str) -> None:
    params = [0] if "%s" in query else None
    table = pa.table(conn.read_arrow(query, params, readers=readers, on="id"))
    whole = all_at_once(conn)
    assert table.schema.equals(whole.schema, check_metadata=True)
    assert table.sort_by("id") == whole
    if readers > 1:
        # In the order of the parts.
        ids = table["id"].combine_chunks()
        assert [chunk[0].as_py() for chunk in table["id"].chunks] == sorted(
            chunk[0].as_py() for chunk in table["id"].chunks
        )
        assert len(ids) == ROWS


@pytest.mark.parametrize("readers", [1, 2])
def test_options_and_progress(conn: Any, readers: int) -> None:
    options = ArrowOptions(numeric="string")
    seen: list[tuple[int, int]] = []
    table = conn.read_arrow(
        "item", readers=readers, options=options, progress=lambda *n: seen.append(n)
    )
    assert pa.table(table).schema.field("price").type == pa.string()
    assert seen == sorted(seen)
    assert seen[-1] == (ROWS, table.nbytes)


@pytest.mark.parametrize("readers", [1, 2])
def test_progress_is_told_meanwhile(conn: Any, readers: int) -> None:
    # Each row takes a millisecond, and 16 MiB are some hundred of them.
    query = (
        "select id, repeat('x', 100000) as text, pg_sleep(0.001)::text from item where id < 1000"
    )
    seen: list[tuple[int, int]] = []
    conn.read_arrow(query, readers=readers, on="id", progress=lambda *n: seen.append(n))
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert any(0 < rows < 999 for rows, _ in seen)
    assert seen[-1][0] == 999


@pytest.mark.parametrize("readers", [1, 2])
def test_progress_that_raises(conn: Any, readers: int) -> None:
    def progress(rows: int, size: int) -> None:
        raise ZeroDivisionError(rows)

    with pytest.raises(ZeroDivisionError):
        conn.read_arrow("item", readers=readers, progress=progress)
    assert conn.fetchval("select count(*) from item") == ROWS


def test_nothing_to_read(conn: Any) -> None:
    for readers in (1, 2):
        table = pa.table(
            conn.read_arrow("select * from item where false", readers=readers, on="id")
        )
        assert table.num_rows == 0
        assert table.column_names == ["id", "price", "name", "some"]


def test_bad_numbers_of_readers(conn: Any) -> None:
    for readers in (0, -1, 1.5, None, True):
        with pytest.raises(ValueError, match="readers is how many"):
            conn.read_arrow("item", readers=readers)
    with pytest.raises(ProgrammingError, match="say on="):
        conn.read_arrow("select * from item", readers=2)
    assert conn.fetchval("select 1") == 1


def test_own_rows_are_seen_by_one_reader_only(conn: Any) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("insert into item (id) values (-1)")
        assert conn.read_arrow("item").num_rows == ROWS + 1
        assert conn.read_arrow("item", readers=2).num_rows == ROWS


def test_outside_autocommit_mode_no_transaction_is_left(dsn: str, conn: Any) -> None:
    with sync.connect(dsn, autocommit=False) as other:
        assert other.read_arrow("read_arrow.item", readers=2).num_rows == ROWS
        assert other.info.transaction_status == 0


def test_it_does_not_block_the_loop(dsn: str, conn: Any) -> None:
    async def main() -> None:
        async with aio.connect(dsn) as own:
            await own.execute("set search_path = read_arrow")
            seen: list[tuple[int, int]] = []
            reading = asyncio.create_task(
                own.read_arrow(
                    "select *, pg_sleep(case when id % 10000 = 1 then 0.3 end)::text from item",
                    readers=2,
                    on="id",
                    progress=lambda *numbers: seen.append(numbers),
                )
            )
            # The connection itself is free meanwhile.
            turns = 0
            while not reading.done():
                assert await own.fetchval("select 1") == 1
                turns += 1
            assert turns > 5
            assert (await reading).num_rows == ROWS
            assert seen[-1][0] == ROWS
            assert (await own.read_arrow("item")).num_rows == ROWS

    asyncio.run(main())


def test_a_cancelled_task_ends_the_readers(dsn: str, conn: Any) -> None:
    sleeping = (
        "select count(*) from pg_stat_activity where query like '%%pg_sleep(60)%%'"
        " and state = 'active' and pid <> pg_backend_pid() and %s"
    )

    async def main() -> None:
        async with aio.connect(dsn) as own:
            reading = asyncio.create_task(
                own.read_arrow(
                    "select id, pg_sleep(60)::text from read_arrow.item", readers=2, on="id"
                )
            )
            while await own.fetchval(sleeping, [True]) < 2:
                await asyncio.sleep(0.02)
            reading.cancel()
            began = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert time.monotonic() - began < 1
            while await own.fetchval(sleeping, [True]):
                assert time.monotonic() - began < 20
                await asyncio.sleep(0.02)

    asyncio.run(main())
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("psycoxide-reader")]


def test_partitions_as_arrow(dsn: str, conn: Any) -> None:
    cursor = conn.cursor()
    cursor.arrow = ArrowOptions(numeric="float64")
    with conn.transaction(), sync.connect(dsn) as reader:
        partitions, schema = cursor.adbc_execute_partitions("item", partitions=3)
        tables = []
        for partition in partitions:
            reading = reader.cursor()
            reading.arrow = ArrowOptions(numeric="float64")
            tables.append(reading.adbc_read_partition(partition).fetch_arrow_table())
    assert all(table.schema == pa.schema(schema) for table in tables)
    assert pa.schema(schema).field("price").type == pa.float64()
    assert sorted(pa.concat_tables(tables)["id"].to_pylist()) == list(range(1, ROWS + 1))


def test_partitions_on_asyncio(dsn: str, conn: Any) -> None:
    async def main() -> int:
        async with aio.connect(dsn) as own, aio.connect(dsn) as reader:
            async with own.transaction():
                cursor = own.cursor()
                parts, _ = await cursor.adbc_execute_partitions("read_arrow.item", partitions=3)
                count = 0
                for part in parts:
                    found = await reader.cursor().adbc_read_partition(part)
                    count += len(await found.fetchall())
            with pytest.raises(OperationalError, match="is gone"):
                await reader.cursor().adbc_read_partition(parts[0])
            return count

    assert asyncio.run(main()) == ROWS
