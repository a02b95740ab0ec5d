"""Rows given out while they arrive."""

from __future__ import annotations

import gc
import time
import tracemalloc
from functools import partial
from typing import Any, NamedTuple

import pytest
from fixtures.tasks import agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio
from psycoxide.errors import DivisionByZero, QueryCanceled

SERIES = "SELECT g, 'row ' || g FROM generate_series(1, %s) g"


async def collected(rows: Any) -> list[Any]:
    found = []
    async for row in rows:
        found.append(row)
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 31, 33, 1000, 70_000])
async def test_all_rows_come_in_their_order(aconn, count):
    rows = await collected(aconn.stream(SERIES, (count,)))
    assert rows == [(number, f"row {number}") for number in range(1, count + 1)]
    assert await aconn.fetchval("SELECT 1") == 1


async def test_the_same_rows_as_of_a_fetch(aconn):
    query = """SELECT g, g / 3.0, g::float8, NULL, repeat('x', g), now() - make_interval(days => g),
               ARRAY[g, NULL], md5(g::text)::uuid, json_build_object('a', g)
               FROM generate_series(1, 3000) g"""
    async with aconn.transaction():
        rows = await collected(aconn.stream(query))
        assert rows == await aconn.fetch(query)


class Item(NamedTuple):
    number: int
    text: str


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (aio.tuple_row, (1, "row 1")),
        (aio.dict_row, {"g": 1, "?column?": "row 1"}),
        (aio.scalar_row, 1),
        (aio.args_row(Item), Item(1, "row 1")),
        (aio.record_row, (1, "row 1")),
        (lambda cursor: lambda row: [len(cursor.description), *row], [2, 1, "row 1"]),
    ],
)
async def test_rows_in_every_shape(aconn, factory, expected):
    rows = await collected(aconn.stream(SERIES, (3,), row_factory=factory))
    assert len(rows) == 3
    assert rows[0] == expected
    async with aconn.cursor(row_factory=factory) as cursor:
        assert await collected(cursor.stream(SERIES, (3,))) == rows


async def test_a_cursor_describes_its_stream(aconn):
    async with aconn.cursor() as cursor:
        async for _ in cursor.stream(SERIES, (3,)):
            assert [column.name for column in cursor.description] == ["g", "?column?"]
        assert cursor.rowcount == 3
        assert cursor.statusmessage == "SELECT 3"
        assert cursor.query == SERIES.replace("%s", "$1").encode()
        await cursor.execute("SELECT 5")
        assert await cursor.fetchone() == (5,)


async def test_nothing_runs_before_the_first_row_is_asked_for(aconn):
    rows = aconn.stream("SELECT 1 / 0")
    assert await aconn.fetchval("SELECT 1") == 1
    with pytest.raises(DivisionByZero):
        await anext(rows)
    aconn.stream("SELECT 1")
    assert await aconn.fetchval("SELECT 2") == 2


async def test_a_statement_without_a_table_has_no_rows(aconn):
    assert await collected(aconn.stream("CREATE TEMP TABLE nothing ()")) == []
    assert await collected(aconn.stream("SELECT FROM generate_series(1, 3)")) == [()] * 3


async def test_rows_come_as_they_arrive(aconn):
    query = "SELECT g, pg_sleep(0.2) FROM generate_series(1, 4) g"
    began = time.monotonic()
    found = []
    # The server sends a row at once if it fills the buffer.
    query = f"SELECT repeat('x', 10000), q.* FROM ({query} OFFSET 0) q"
    async for _ in aconn.stream(query):
        found.append(time.monotonic() - began)
    assert len(found) == 4
    assert found[3] - found[0] > 0.2


async def test_memory_is_constant(aconn):
    peaks = []
    for count in (20_000, 200_000):
        gc.collect()
        tracemalloc.start()
        async for _ in aconn.stream(
            "SELECT g, repeat('x', 50) FROM generate_series(1, %s) g", (count,)
        ):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (3 << 20)


async def test_a_slow_reader_keeps_the_server_waiting(aconn, dsn):
    async with aio.connect(dsn) as other:
        await other.execute("CREATE TEMP SEQUENCE IF NOT EXISTS none")
        pid = await aconn.fetchval("SELECT pg_backend_pid()")
        async with aconn.stream(
            "SELECT g, repeat('x', 1000) FROM generate_series(1, 200000) g"
        ) as rows:
            await anext(rows)
            for _ in range(100):
                wait = await other.fetchval(
                    "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (pid,)
                )
                if wait == "ClientWrite":
                    break
                await asleep(0.05)
            assert wait == "ClientWrite"
            assert len(await collected(rows)) == 199_999


# ---- leaving early ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 2_000_000])
async def test_a_loop_that_is_left_leaves_the_connection_usable(aconn, count):
    for _ in range(3):
        async for number, _ in aconn.stream(SERIES, (count,)):
            if number == 5:
                break
        assert await aconn.fetchval("SELECT 7") == 7
    assert not aconn.closed


async def test_a_block_that_is_left_ends_its_stream(aconn):
    rows = aconn.stream(SERIES, (2_000_000,))

    async def divide():
        async with rows:
            async for number, _ in rows:
                number / (number - 3)

    with pytest.raises(ZeroDivisionError):
        await divide()
    assert await aconn.fetchval("SELECT 7") == 7
    assert await collected(rows) == []


async def test_an_ended_stream_has_no_more_rows(aconn):
    rows = aconn.stream(SERIES, (2_000_000,))
    assert await anext(rows) == (1, "row 1")
    await rows.aclose()
    await rows.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(rows)
    rows = aconn.stream(SERIES, (1,))
    assert len(await collected(rows)) == 1
    assert await collected(rows) == []
    await rows.aclose()


async def test_a_stream_that_is_dropped_ends(aconn):
    rows = aconn.stream(SERIES, (2_000_000,))
    await anext(rows)
    cycle = [rows]
    cycle.append(cycle)
    del rows, cycle
    gc.collect()
    assert await aconn.fetchval("SELECT 7") == 7


# Each part of the answer takes a while.
SLOW = "SELECT g, CASE WHEN g % 100 = 0 THEN pg_sleep(0.0005) END FROM generate_series(1, 300000) g"


@pytest.mark.parametrize("kind", ["stream", "stream_arrow"])
async def test_a_stream_may_be_closed_while_another_task_reads_it(aconn, kind):
    rows = getattr(aconn, kind)(SLOW)
    reading = aspawn(partial(anext, rows))
    await asleep(0.02)
    await rows.aclose()
    # What it waits for comes yet; then nobody is left who could go on.
    await ajoin(reading)
    assert await aconn.fetchval("SELECT 7", timeout=10) == 7
    assert await collected(rows) == []


async def test_a_copy_may_be_left_while_another_task_reads_it(aconn):
    async with aconn.copy(f"COPY ({SLOW}) TO STDOUT") as copy:
        reading = aspawn(copy.read)
        await asleep(0.02)
    await ajoin(reading)
    assert await aconn.fetchval("SELECT 7", timeout=10) == 7


async def test_an_exception_survives_the_end_of_a_stream(aconn):
    async def fail():
        async for _ in aconn.stream(SERIES, (2_000_000,)):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()
    assert await aconn.fetchval("SELECT 7") == 7


async def test_closing_the_connection_ends_a_stream(dsn):
    conn = await aio.connect(dsn)
    rows = conn.stream(SERIES, (2_000_000,))
    await anext(rows)
    await conn.close()
    with pytest.raises(psycoxide.InterfaceError, match="closed"):
        await collected(rows)


# ---- errors -------------------------------------------------------------------------------------


async def test_an_error_comes_after_the_rows_before_it(aconn):
    found = []
    with pytest.raises(DivisionByZero) as raised:
        async for (number,) in aconn.stream(
            "SELECT 1 / (50000 - g) FROM generate_series(1, 60000) g"
        ):
            found.append(number)
    assert 0 < len(found) < 50_000
    assert raised.value.pgcode == "22012"
    assert await aconn.fetchval("SELECT 7") == 7


async def test_a_row_factory_may_raise(aconn):
    def factory(cursor):
        def make(row):
            if row[0] == 1000:
                raise ValueError("no")
            return row

        return make

    rows = aconn.stream(SERIES, (2_000_000,), row_factory=factory)
    with pytest.raises(ValueError, match="no"):
        await collected(rows)
    assert (await anext(rows))[0] == 1001
    await rows.aclose()
    assert await aconn.fetchval("SELECT 7") == 7


@pytest.mark.parametrize("query", ["COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"])
async def test_copy_is_refused(aconn, query):
    with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
        await collected(aconn.stream(query))
    assert await aconn.fetchval("SELECT 7") == 7


async def test_several_results_are_refused(aconn):
    query = "SELECT generate_series(1, 100000); SELECT generate_series(1, 100000)"
    with pytest.raises(psycoxide.ProgrammingError, match="several results"):
        await collected(aconn.stream(query))
    assert await aconn.fetchval("SELECT 7") == 7


async def test_a_lost_connection(aconn, dsn):
    rows = aconn.stream(SERIES, (2_000_000,))
    await anext(rows)
    pid = aconn.info.backend_pid
    async with aio.connect(dsn) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with pytest.raises(psycoxide.OperationalError):
        await collected(rows)
    assert aconn.closed


async def test_a_wait_for_rows_has_a_time_limit(aconn):
    rows = aconn.stream("SELECT pg_sleep(10)", timeout=0.1)
    began = time.monotonic()
    with pytest.raises(aio.OperationTimeout):
        await anext(rows)
    assert time.monotonic() - began < 5
    with pytest.raises(psycoxide.ProgrammingError, match="over"):
        await anext(rows)
    assert await aconn.fetchval("SELECT 7") == 7


async def test_the_time_of_the_reader_does_not_count(aconn):
    rows = aconn.stream(SERIES, (300_000,), timeout=0.5)
    await anext(rows)
    await asleep(0.7)
    assert len(await collected(rows)) == 299_999


# ---- beside other calls -------------------------------------------------------------------------


async def test_another_call_of_the_reader_is_refused(aconn):
    async for number, _ in aconn.stream(SERIES, (3,)):
        if number == 1:
            continue
        await aconn.fetchval("SELECT 1")  # It is complete.
    async for _ in aconn.stream(SERIES, (2_000_000,)):
        for call in (aconn.fetch, aconn.execute, aconn.fetchval):
            with pytest.raises(psycoxide.ProgrammingError, match="stream of rows"):
                await call("SELECT 1")
        with pytest.raises(psycoxide.ProgrammingError, match="stream of rows"):
            await collected(aconn.stream("SELECT 1"))
        break
    assert await aconn.fetchval("SELECT 7") == 7


async def test_the_calls_of_others_wait(aconn):
    rows = aconn.stream(SERIES, (500_000,))
    await anext(rows)
    others = [
        aspawn(aconn.fetchval, "SELECT 1"),
        aspawn(partial(collected, aconn.stream(SERIES, (2,)))),
    ]
    await asleep(0.1)
    assert not any(other.done() for other in others)
    assert len(await collected(rows)) == 499_999
    assert [await ajoin(other) for other in others] == [1, [(1, "row 1"), (2, "row 2")]]


async def test_two_streams_take_turns(aconn):
    async def read(count):
        return len(await collected(aconn.stream(SERIES, (count,))))

    assert await agather(partial(read, 100_000), partial(read, 200_000)) == [100_000, 200_000]


# ---- in a transaction ---------------------------------------------------------------------------


async def test_a_stream_within_a_transaction(aconn):
    async with aconn.transaction():
        await aconn.execute(
            "CREATE TEMP TABLE numbers ON COMMIT DROP AS SELECT generate_series(1, 5) n"
        )
        assert len(await collected(aconn.stream("SELECT n FROM numbers"))) == 5
        assert aconn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_INTRANS
    with pytest.raises(psycoxide.ProgrammingError, match="numbers"):
        await collected(aconn.stream("SELECT n FROM numbers"))


async def test_a_stream_begins_a_transaction(dsn):
    async with aio.connect(dsn, autocommit=False) as conn:
        assert len(await collected(conn.stream(SERIES, (70_000,)))) == 70_000
        assert conn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_INTRANS
        await conn.commit()
        with pytest.raises(DivisionByZero):
            await collected(conn.stream("SELECT 1 / 0"))
        await conn.rollback()
        assert conn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_IDLE


async def test_a_short_stream_may_be_left_within_a_transaction(aconn):
    async with aconn.transaction():
        await aconn.execute("CREATE TEMP TABLE kept ()")
        async for _ in aconn.stream(SERIES, (100,)):
            break
    assert await aconn.fetch("SELECT FROM kept") == []


async def test_a_long_stream_that_is_left_makes_the_transaction_fail(aconn):
    async def leave():
        async with aconn.transaction():
            async for _ in aconn.stream(SERIES, (2_000_000,)):
                break

    with pytest.raises(psycoxide.errors.InFailedSqlTransaction):
        await leave()
    assert await aconn.fetchval("SELECT 7") == 7


async def test_the_end_of_a_transaction_ends_its_stream(aconn):
    rows = aconn.stream(SERIES, (2_000_000,))

    async def fail():
        async with aconn.transaction():
            await anext(rows)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    with pytest.raises(psycoxide.ProgrammingError, match="over"):
        await collected(rows)
    assert await aconn.fetchval("SELECT 7") == 7


# ---- cancelled ----------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 0.001, 0.01, 0.03, 0.1])
async def test_a_reader_may_be_cancelled_at_any_time(aconn, delay):  # only in aio
    import asyncio

    for query in (
        SERIES,
        "SELECT pg_sleep(1), %s",
        "SELECT repeat('x', 100000) FROM generate_series(1, %s)",
    ):
        task = aspawn(partial(collected, aconn.stream(query, (5_000_000,))))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await aconn.fetchval("SELECT 7") == 7


async def test_a_stream_leaves_turns_to_the_loop(aconn):  # only in aio
    import asyncio

    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    assert len(await collected(aconn.stream(SERIES, (300_000,)))) == 300_000
    counting.cancel()
    assert turns > 10


async def test_a_loop_may_be_closed_over_a_stream(dsn, loop):  # only in aio
    import asyncio

    conn = await aio.connect(dsn)
    kept = []

    async def begin():
        kept.append(conn.stream(SERIES, (2_000_000,)))
        await anext(kept[0])

    await begin()
    kept.clear()
    assert await conn.fetchval("SELECT 7") == 7
    await conn.close()
    del asyncio


async def test_a_cancelled_query(aconn, dsn):
    rows = aconn.stream("SELECT g, pg_sleep(0.001) FROM generate_series(1, 100000) g")
    pid = await aconn.fetchval("SELECT pg_backend_pid()")
    reading = aspawn(partial(collected, rows))
    async with aio.connect(dsn) as other:
        await asleep(0.2)
        await other.execute("SELECT pg_cancel_backend(%s)", (pid,))
    with pytest.raises(QueryCanceled):
        await ajoin(reading)
    assert await aconn.fetchval("SELECT 7") == 7
