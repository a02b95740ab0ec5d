# Generated from tests/aio/test_streams.py by tools/generate_sync.py: do not edit.
"""Rows given out while they arrive."""

from __future__ import annotations

import gc
import time
import tracemalloc
from functools import partial
from typing import Any, NamedTuple

import pytest
from fixtures.tasks import gather, join, sleep, spawn

import psycoxide
from psycoxide import sync
from psycoxide.errors import DivisionByZero, QueryCanceled

SERIES = "SELECT g, 'row ' || g FROM generate_series(1, %s) g"


def collected(rows: Any) -> list[Any]:
    found = []
    for row in rows:
        found.append(row)
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 31, 33, 1000, 70_000])
def test_all_rows_come_in_their_order(conn, count):
    rows = collected(conn.stream(SERIES, (count,)))
    assert rows == [(number, f"row {number}") for number in range(1, count + 1)]
    assert conn.fetchval("SELECT 1") == 1


def test_the_same_rows_as_of_a_fetch(conn):
    query = """SELECT g, g / 3.0, g::float8, NULL, repeat('x', g), now() - make_interval(days => g),
               ARRAY[g, NULL], md5(g::text)::uuid, json_build_object('a', g)
               FROM generate_series(1, 3000) g"""
    with conn.transaction():
        rows = collected(conn.stream(query))
        assert rows == conn.fetch(query)


class Item(NamedTuple):
    number: int
    text: str


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (sync.tuple_row, (1, "row 1")),
        (sync.dict_row, {"g": 1, "?column?": "row 1"}),
        (sync.scalar_row, 1),
        (sync.args_row(Item), Item(1, "row 1")),
        (sync.record_row, (1, "row 1")),
        (lambda cursor: lambda row: [len(cursor.description), *row], [2, 1, "row 1"]),
    ],
)
def test_rows_in_every_shape(conn, factory, expected):
    rows = collected(conn.stream(SERIES, (3,), row_factory=factory))
    assert len(rows) == 3
    assert rows[0] == expected
    with conn.cursor(row_factory=factory) as cursor:
        assert collected(cursor.stream(SERIES, (3,))) == rows


def test_a_cursor_describes_its_stream(conn):
    with conn.cursor() as cursor:
        for _ in cursor.stream(SERIES, (3,)):
            assert [column.name for column in cursor.description] == ["g", "?column?"]
        assert cursor.rowcount == 3
        assert cursor.statusmessage == "SELECT 3"
        assert cursor.query == SERIES.replace("%s", "$1").encode()
        cursor.execute("SELECT 5")
        assert cursor.fetchone() == (5,)


def test_nothing_runs_before_the_first_row_is_asked_for(conn):
    rows = conn.stream("SELECT 1 / 0")
    assert conn.fetchval("SELECT 1") == 1
    with pytest.raises(DivisionByZero):
        next(rows)
    conn.stream("SELECT 1")
    assert conn.fetchval("SELECT 2") == 2


def test_a_statement_without_a_table_has_no_rows(conn):
    assert collected(conn.stream("CREATE TEMP TABLE nothing ()")) == []
    assert collected(conn.stream("SELECT FROM generate_series(1, 3)")) == [()] * 3


def test_rows_come_as_they_arrive(conn):
    query = "SELECT g, pg_sleep(0.2) FROM generate_series(1, 4) g"
    began = time.monotonic()
    found = []
    # The server sends a row at once if it fills the buffer.
    query = f"SELECT repeat('x', 10000), q.* FROM ({query} OFFSET 0) q"
    for _ in conn.stream(query):
        found.append(time.monotonic() - began)
    assert len(found) == 4
    assert found[3] - found[0] > 0.2


def test_memory_is_constant(conn):
    peaks = []
    for count in (20_000, 200_000):
        gc.collect()
        tracemalloc.start()
        for _ in conn.stream("SELECT g, repeat('x', 50) FROM generate_series(1, %s) g", (count,)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (3 << 20)


def test_a_slow_reader_keeps_the_server_waiting(conn, dsn):
    with sync.connect(dsn) as other:
        other.execute("CREATE TEMP SEQUENCE IF NOT EXISTS none")
        pid = conn.fetchval("SELECT pg_backend_pid()")
        with conn.stream("SELECT g, repeat('x', 1000) FROM generate_series(1, 200000) g") as rows:
            next(rows)
            for _ in range(100):
                wait = other.fetchval(
                    "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (pid,)
                )
                if wait == "ClientWrite":
                    break
                sleep(0.05)
            assert wait == "ClientWrite"
            assert len(collected(rows)) == 199_999


# ---- leaving early ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 2_000_000])
def test_a_loop_that_is_left_leaves_the_connection_usable(conn, count):
    for _ in range(3):
        for number, _ in conn.stream(SERIES, (count,)):
            if number == 5:
                break
        assert conn.fetchval("SELECT 7") == 7
    assert not conn.closed


def test_a_block_that_is_left_ends_its_stream(conn):
    rows = conn.stream(SERIES, (2_000_000,))

    def divide():
        with rows:
            for number, _ in rows:
                number / (number - 3)

    with pytest.raises(ZeroDivisionError):
        divide()
    assert conn.fetchval("SELECT 7") == 7
    assert collected(rows) == []


def test_an_ended_stream_has_no_more_rows(conn):
    rows = conn.stream(SERIES, (2_000_000,))
    assert next(rows) == (1, "row 1")
    rows.close()
    rows.close()
    with pytest.raises(StopIteration):
        next(rows)
    rows = conn.stream(SERIES, (1,))
    assert len(collected(rows)) == 1
    assert collected(rows) == []
    rows.close()


def test_a_stream_that_is_dropped_ends(conn):
    rows = conn.stream(SERIES, (2_000_000,))
    next(rows)
    cycle = [rows]
    cycle.append(cycle)
    del rows, cycle
    gc.collect()
    assert conn.fetchval("SELECT 7") == 7


# Each part of the answer takes a while.
SLOW = "SELECT g, CASE WHEN g % 100 = 0 THEN pg_sleep(0.0005) END FROM generate_series(1, 300000) g"


@pytest.mark.parametrize("kind", ["stream", "stream_arrow"])
def test_a_stream_may_be_closed_while_another_task_reads_it(conn, kind):
    rows = getattr(conn, kind)(SLOW)
    reading = spawn(partial(next, rows))
    sleep(0.02)
    rows.close()
    # What it waits for comes yet; then nobody is left who could go on.
    join(reading)
    assert conn.fetchval("SELECT 7", timeout=10) == 7
    assert collected(rows) == []


def test_a_copy_may_be_left_while_another_task_reads_it(conn):
    with conn.copy(f"COPY ({SLOW}) TO STDOUT") as copy:
        reading = spawn(copy.read)
        sleep(0.02)
    join(reading)
    assert conn.fetchval("SELECT 7", timeout=10) == 7


def test_an_exception_survives_the_end_of_a_stream(conn):
    def fail():
        for _ in conn.stream(SERIES, (2_000_000,)):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert conn.fetchval("SELECT 7") == 7


def test_closing_the_connection_ends_a_stream(dsn):
    conn = sync.connect(dsn)
    rows = conn.stream(SERIES, (2_000_000,))
    next(rows)
    conn.close()
    with pytest.raises(psycoxide.InterfaceError, match="closed"):
        collected(rows)


# ---- errors -------------------------------------------------------------------------------------


def test_an_error_comes_after_the_rows_before_it(conn):
    found = []
    with pytest.raises(DivisionByZero) as raised:
        for (number,) in conn.stream("SELECT 1 / (50000 - g) FROM generate_series(1, 60000) g"):
            found.append(number)
    assert 0 < len(found) < 50_000
    assert raised.value.pgcode == "22012"
    assert conn.fetchval("SELECT 7") == 7


def test_a_row_factory_may_raise(conn):
    def factory(cursor):
        def make(row):
            if row[0] == 1000:
                raise ValueError("no")
            return row

        return make

    rows = conn.stream(SERIES, (2_000_000,), row_factory=factory)
    with pytest.raises(ValueError, match="no"):
        collected(rows)
    assert next(rows)[0] == 1001
    rows.close()
    assert conn.fetchval("SELECT 7") == 7


@pytest.mark.parametrize("query", ["COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"])
def test_copy_is_refused(conn, query):
    with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
        collected(conn.stream(query))
    assert conn.fetchval("SELECT 7") == 7


def test_several_results_are_refused(conn):
    query = "SELECT generate_series(1, 100000); SELECT generate_series(1, 100000)"
    with pytest.raises(psycoxide.ProgrammingError, match="several results"):
        collected(conn.stream(query))
    assert conn.fetchval("SELECT 7") == 7


def test_a_lost_connection(conn, dsn):
    rows = conn.stream(SERIES, (2_000_000,))
    next(rows)
    pid = conn.info.backend_pid
    with sync.connect(dsn) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with pytest.raises(psycoxide.OperationalError):
        collected(rows)
    assert conn.closed


def test_a_wait_for_rows_has_a_time_limit(conn):
    rows = conn.stream("SELECT pg_sleep(10)", timeout=0.1)
    began = time.monotonic()
    with pytest.raises(sync.OperationTimeout):
        next(rows)
    assert time.monotonic() - began < 5
    with pytest.raises(psycoxide.ProgrammingError, match="over"):
        next(rows)
    assert conn.fetchval("SELECT 7") == 7


def test_the_time_of_the_reader_does_not_count(conn):
    rows = conn.stream(SERIES, (300_000,), timeout=0.5)
    next(rows)
    sleep(0.7)
    assert len(collected(rows)) == 299_999


# ---- beside other calls -------------------------------------------------------------------------


def test_another_call_of_the_reader_is_refused(conn):
    for number, _ in conn.stream(SERIES, (3,)):
        if number == 1:
            continue
        conn.fetchval("SELECT 1")  # It is complete.
    for _ in conn.stream(SERIES, (2_000_000,)):
        for call in (conn.fetch, conn.execute, conn.fetchval):
            with pytest.raises(psycoxide.ProgrammingError, match="stream of rows"):
                call("SELECT 1")
        with pytest.raises(psycoxide.ProgrammingError, match="stream of rows"):
            collected(conn.stream("SELECT 1"))
        break
    assert conn.fetchval("SELECT 7") == 7


def test_the_calls_of_others_wait(conn):
    rows = conn.stream(SERIES, (500_000,))
    next(rows)
    others = [
        spawn(conn.fetchval, "SELECT 1"),
        spawn(partial(collected, conn.stream(SERIES, (2,)))),
    ]
    sleep(0.1)
    assert not any(other.done() for other in others)
    assert len(collected(rows)) == 499_999
    assert [join(other) for other in others] == [1, [(1, "row 1"), (2, "row 2")]]


def test_two_streams_take_turns(conn):
    def read(count):
        return len(collected(conn.stream(SERIES, (count,))))

    assert gather(partial(read, 100_000), partial(read, 200_000)) == [100_000, 200_000]


# ---- in a transaction ---------------------------------------------------------------------------


def test_a_stream_within_a_transaction(conn):
    with conn.transaction():
        conn.execute("CREATE TEMP TABLE numbers ON COMMIT DROP AS SELECT generate_series(1, 5) n")
        assert len(collected(conn.stream("SELECT n FROM numbers"))) == 5
        assert conn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_INTRANS
    with pytest.raises(psycoxide.ProgrammingError, match="numbers"):
        collected(conn.stream("SELECT n FROM numbers"))


def test_a_stream_begins_a_transaction(dsn):
    with sync.connect(dsn, autocommit=False) as conn:
        assert len(collected(conn.stream(SERIES, (70_000,)))) == 70_000
        assert conn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_INTRANS
        conn.commit()
        with pytest.raises(DivisionByZero):
            collected(conn.stream("SELECT 1 / 0"))
        conn.rollback()
        assert conn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_IDLE


def test_a_short_stream_may_be_left_within_a_transaction(conn):
    with conn.transaction():
        conn.execute("CREATE TEMP TABLE kept ()")
        for _ in conn.stream(SERIES, (100,)):
            break
    assert conn.fetch("SELECT FROM kept") == []


def test_a_long_stream_that_is_left_makes_the_transaction_fail(conn):
    def leave():
        with conn.transaction():
            for _ in conn.stream(SERIES, (2_000_000,)):
                break

    with pytest.raises(psycoxide.errors.InFailedSqlTransaction):
        leave()
    assert conn.fetchval("SELECT 7") == 7


def test_the_end_of_a_transaction_ends_its_stream(conn):
    rows = conn.stream(SERIES, (2_000_000,))

    def fail():
        with conn.transaction():
            next(rows)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(psycoxide.ProgrammingError, match="over"):
        collected(rows)
    assert conn.fetchval("SELECT 7") == 7


# ---- cancelled ----------------------------------------------------------------------------------


def test_a_cancelled_query(conn, dsn):
    rows = conn.stream("SELECT g, pg_sleep(0.001) FROM generate_series(1, 100000) g")
    pid = conn.fetchval("SELECT pg_backend_pid()")
    reading = spawn(partial(collected, rows))
    with sync.connect(dsn) as other:
        sleep(0.2)
        other.execute("SELECT pg_cancel_backend(%s)", (pid,))
    with pytest.raises(QueryCanceled):
        join(reading)
    assert conn.fetchval("SELECT 7") == 7
