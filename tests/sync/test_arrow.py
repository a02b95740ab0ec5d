# Generated from tests/aio/test_arrow.py by tools/generate_sync.py: do not edit.
"""Results as Arrow."""

from __future__ import annotations

import pytest

import psycoxide
from psycoxide.arrow import ArrowOptions

SERIES = "SELECT n, 'row ' || n AS t FROM generate_series(1, %s) n"


def test_a_cursors_rows_are_fetched_as_arrow(conn):
    for arrow in (None, True, ArrowOptions(string="large")):
        cursor = conn.cursor()
        cursor.arrow = arrow
        assert cursor.arrow is arrow
        cursor.execute(SERIES, (1000,))
        table = cursor.fetch_arrow()
        assert (len(table), table.column_names) == (1000, ["n", "t"])
        assert table.column_types[0] == "Int32"
        assert len(cursor.fetch_arrow()) == 0


def test_types_are_looked_up(conn):
    conn.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok')")
    for arrow in (None, True):
        for _ in range(2):
            cursor = conn.cursor()
            cursor.arrow = arrow
            cursor.execute("SELECT 'ok'::pg_temp.mood AS m, '{ok}'::pg_temp.mood[] AS l")
            table = cursor.fetch_arrow()
            assert table.column_types[0] == "Utf8"


def test_batches_are_streamed(conn):
    sizes = []
    for table in conn.stream_arrow(SERIES, (150_000,)):
        sizes.append(len(table))
    assert sizes == [65_536, 65_536, 18_928]
    assert conn.fetchval("SELECT 1") == 1


def test_a_stream_tells_how_far_it_is(conn):
    seen = []
    tables = conn.stream_arrow(SERIES, (150_000,), progress=lambda *far: seen.append(far))
    size = 0
    for table in tables:
        size += table.nbytes
    assert seen == sorted(seen)
    assert seen[-1] == (150_000, size)

    def stop(rows, size):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with conn.stream_arrow(SERIES, (10,), progress=stop) as tables:
            for _ in tables:
                pass
    assert conn.fetchval("SELECT 1") == 1


def test_a_stream_that_is_left_ends(conn):
    with conn.stream_arrow(SERIES, (3_000_000,)) as tables:
        for table in tables:
            assert len(table) == 65_536
            break
    assert conn.fetchval("SELECT 1") == 1


def test_a_value_that_has_no_place_is_an_error(conn):
    query = "SELECT CASE WHEN n = %s THEN 'infinity' ELSE '2020-01-01' END::date AS d"
    query += " FROM generate_series(1, 200000) n"
    cursor = conn.cursor()
    cursor.arrow = True
    with pytest.raises(psycoxide.DataError, match=r'row 70000, column "d".*infinity'):
        cursor.execute(query, (70_000,))
    with pytest.raises(psycoxide.DataError, match="row 70000"):
        for table in conn.stream_arrow(query, (70_000,)):
            assert len(table) == 65_536
    assert conn.fetchval("SELECT 1") == 1


def test_options_of_a_stream(conn):
    options = ArrowOptions(infinity="null")
    for table in conn.stream_arrow("SELECT 'infinity'::date AS d", options=options):
        assert len(table) == 1
    cursor = conn.cursor()
    cursor.arrow = ArrowOptions(numeric="string")
    for table in cursor.stream_arrow("SELECT 1e40::numeric"):
        assert table.column_types == ["Utf8"]


def test_no_result_is_an_error(conn):
    cursor = conn.cursor()
    cursor.execute("SET LOCAL work_mem = '1MB'")
    with pytest.raises(psycoxide.ProgrammingError):
        cursor.fetch_arrow()
    with pytest.raises(psycoxide.ProgrammingError):
        for _ in conn.stream_arrow("SET LOCAL work_mem = '1MB'"):
            pass
    assert conn.fetchval("SELECT 1") == 1


def test_rows_in_text_are_converted_behind_a_peer_that_does_not_bind(conn):
    conn.binding = "client"
    cursor = conn.cursor()
    cursor.arrow = True
    cursor.execute(SERIES, (10,))
    assert len(cursor.fetch_arrow()) == 10
    sizes = [len(table) for table in conn.stream_arrow(SERIES, (10,))]
    assert sizes == [10]
