"""Several readers of one query: their snapshot, their errors, their end. They read rows here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from psycoxide import OperationalError, ProgrammingError, errors, sync
from psycoxide._arrow.reading import Reading, Stopped
from psycoxide._arrow.source import source

ROWS = 20_000


@pytest.fixture
def conn(dsn: str) -> Iterator[Any]:
    """A connection whose search path was SET, which others have to be told."""
    with sync.connect(dsn, application_name="reading") as conn:
        conn.execute("create schema reading")
        conn.execute("set search_path = reading")
        conn.execute(f"create table item as select generate_series(1, {ROWS}) as id")
        conn.execute("create index on item (id); analyze item")
        yield conn
        conn.execute("drop schema reading cascade")


def reading(conn: Any, query: str, params: Any = None, **options: Any) -> Reading[Any]:
    given = source(query, params, conn.cursor()._native)
    how = {"on": "id", "readers": 3, "take": take, **options}
    return Reading(conn._like_this_one(conn, None), given, **how)


def take(conn: Any, query: str, params: Any, came: Any) -> Any:
    """The rows of a part."""
    rows = conn.fetch(query, params)
    if came is not None:
        came(len(rows), 1)
    return rows


def others(conn: Any) -> int:
    """How many connections there are beside this one."""
    count: int = conn.fetchval(
        "select count(*) from pg_stat_activity"
        " where application_name = 'reading' and pid <> pg_backend_pid()"
    )
    return count


def check_over(conn: Any) -> None:
    """Nothing is left of a reading: no thread, no connection."""
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("psycoxide-reader")]
    until = time.monotonic() + 10
    while others(conn):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_all_rows_are_read_in_the_order_of_the_parts(conn: Any) -> None:
    seen: list[tuple[int, int]] = []
    found = reading(conn, "item", progress=lambda *numbers: seen.append(numbers)).run()
    assert seen[-1] == (ROWS, 12)
    assert [row[0] for part in found for row in part] == list(range(1, ROWS + 1))
    assert len(found) == 12
    check_over(conn)


def test_parameters_are_bound(conn: Any) -> None:
    for query, params in [
        ("select * from item where id > %s and '%%' = %s", [5_000, "%"]),
        ("select * from item where id > $1 and 'a' = $2", [5_000, "a"]),
        ("select id + 0 as id from item where id > $1", [5_000]),
        ("select * from item where id > %(id)s or %(id)s is null", {"id": 5_000}),
    ]:
        found = reading(conn, query, params).run()
        # Perhaps one more for rows without a value, which there might be.
        assert len(found) in (12, 13)
        assert sum(map(len, found)) == ROWS - 5_000


def test_they_read_what_one_snapshot_shows(conn: Any, dsn: str) -> None:
    """Each part that is read makes another transaction change all that is not read yet."""
    lock = threading.Lock()

    def take_and_change(reader: Any, query: str, params: Any, came: Any) -> Any:
        rows = reader.fetch(query, params)
        with lock, sync.connect(dsn) as other:
            other.execute("update reading.item set id = -id")
            other.execute("insert into reading.item values (0)")
        return rows

    with conn.transaction(force_rollback=True):
        conn.execute("insert into item values (100000000)")
        origin = conn._like_this_one(conn, None)
    given = source("item", None, conn.cursor()._native)
    found = Reading(origin, given, "ctid", 2, take_and_change).run()
    assert sorted(row[0] for part in found for row in part) == list(range(1, ROWS + 1))
    assert conn.fetchval("select count(*) from item") == ROWS + len(found)


def test_more_readers_than_parts(conn: Any) -> None:
    conn.execute("create table empty (id int); create table one as select 1 as id")
    assert reading(conn, "empty", on="ctid").run() == [[]]
    assert reading(conn, "one", on=None).run() == [[(1,)]]
    assert [row for part in reading(conn, "one").run() for row in part] == [(1,)]


def test_the_role_and_its_policies_are_those_of_the_connection(conn: Any) -> None:
    conn.execute("create role clerk; grant usage on schema reading to clerk")
    try:
        conn.execute("grant select on item to clerk; alter table item enable row level security")
        conn.execute("create policy few on item to clerk using (id <= 100)")
        conn.execute("set role clerk")
        for on in ("ctid", "id"):
            found = reading(conn, "item", on=on).run()
            assert sorted(row[0] for part in found for row in part) == list(range(1, 101))
        conn.execute("reset role")
        assert sum(map(len, reading(conn, "item").run())) == ROWS
    finally:
        conn.execute("reset role")
        conn.execute("drop owned by clerk; drop role clerk")


def test_a_part_that_fails_ends_the_others(conn: Any) -> None:
    query = f"select id, pg_sleep(case when id = 5 then 60 end), 1 / (id - {ROWS}) from item"
    began = time.monotonic()
    with pytest.raises(errors.DivisionByZero):
        reading(conn, query).run()
    assert time.monotonic() - began < 30
    check_over(conn)


def test_what_the_caller_raises_ends_all(conn: Any) -> None:
    class Enough(Exception):
        pass

    def progress(rows: int, size: int) -> None:
        raise Enough

    query = "select id, pg_sleep(case when id = 10000 then 60 end) from item"
    began = time.monotonic()
    with pytest.raises(Enough):
        reading(conn, query, progress=progress).run()
    assert time.monotonic() - began < 30
    check_over(conn)


def test_it_can_be_stopped_from_another_thread(conn: Any) -> None:
    one = reading(conn, "select id, pg_sleep(case when id % 5000 = 1 then 60 end) from item")
    threading.Timer(0.5, one.stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        one.run()
    assert time.monotonic() - began < 30
    check_over(conn)


def test_a_reader_that_is_lost_ends_all(conn: Any, dsn: str) -> None:
    def take_and_lose(reader: Any, query: str, params: Any, came: Any) -> Any:
        with sync.connect(dsn) as other:
            other.execute("select pg_terminate_backend(%s)", [reader.info.backend_pid])
        return reader.fetch(query, params)

    with pytest.raises(OperationalError):
        reading(conn, "item", take=take_and_lose).run()
    check_over(conn)


def test_the_coordinator_outlives_its_time_limit(conn: Any) -> None:
    conn.execute("set idle_in_transaction_session_timeout = '300ms'")
    query = "select id, pg_sleep(case when id = 10000 then 0.8 end) from item"
    assert sum(map(len, reading(conn, query).run())) == ROWS


def test_a_statement_has_the_time_limit_of_the_connection(conn: Any) -> None:
    conn.timeout = 0.5
    try:
        with pytest.raises(sync.OperationTimeout):
            reading(conn, "select id, pg_sleep(case when id = 3 then 60 end) from item").run()
    finally:
        conn.timeout = None
    check_over(conn)


def test_what_cannot_be_divided_is_refused_before_anyone_reads(conn: Any) -> None:
    for query, on, error in [
        ("select * from item", None, ProgrammingError),
        ("item", "name", ProgrammingError),
        ("nowhere", None, errors.UndefinedTable),
    ]:
        with pytest.raises(error):
            reading(conn, query, on=on).run()
    check_over(conn)
