"""Results as Arrow."""

from __future__ import annotations

import pytest

import psycoxide
from psycoxide.arrow import ArrowOptions

SERIES = "SELECT n, 'row ' || n AS t FROM generate_series(1, %s) n"


async def test_a_cursors_rows_are_fetched_as_arrow(aconn):
    for arrow in (None, True, ArrowOptions(string="large")):
        cursor = aconn.cursor()
        cursor.arrow = arrow
        assert cursor.arrow is arrow
        await cursor.execute(SERIES, (1000,))
        table = await cursor.fetch_arrow()
        assert (len(table), table.column_names) == (1000, ["n", "t"])
        assert table.column_types[0] == "Int32"
        assert len(await cursor.fetch_arrow()) == 0


async def test_types_are_looked_up(aconn):
    await aconn.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok')")
    for arrow in (None, True):
        for _ in range(2):
            cursor = aconn.cursor()
            cursor.arrow = arrow
            await cursor.execute("SELECT 'ok'::pg_temp.mood AS m, '{ok}'::pg_temp.mood[] AS l")
            table = await cursor.fetch_arrow()
            assert table.column_types[0] == "Utf8"


async def test_batches_are_streamed(aconn):
    sizes = []
    async for table in aconn.stream_arrow(SERIES, (150_000,)):
        sizes.append(len(table))
    assert sizes == [65_536, 65_536, 18_928]
    assert await aconn.fetchval("SELECT 1") == 1


async def test_a_stream_tells_how_far_it_is(aconn):
    seen = []
    tables = aconn.stream_arrow(SERIES, (150_000,), progress=lambda *far: seen.append(far))
    size = 0
    async for table in tables:
        size += table.nbytes
    assert seen == sorted(seen)
    assert seen[-1] == (150_000, size)

    def stop(rows, size):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with aconn.stream_arrow(SERIES, (10,), progress=stop) as tables:
            async for _ in tables:
                pass
    assert await aconn.fetchval("SELECT 1") == 1


async def test_a_stream_that_is_left_ends(aconn):
    async with aconn.stream_arrow(SERIES, (3_000_000,)) as tables:
        async for table in tables:
            assert len(table) == 65_536
            break
    assert await aconn.fetchval("SELECT 1") == 1


async def test_a_value_that_has_no_place_is_an_error(aconn):
    query = "SELECT CASE WHEN n = %s THEN 'infinity' ELSE '2020-01-01' END::date AS d"
    query += " FROM generate_series(1, 200000) n"
    cursor = aconn.cursor()
    cursor.arrow = True
    with pytest.raises(psycoxide.DataError, match=r'row 70000, column "d".*infinity'):
        await cursor.execute(query, (70_000,))
    with pytest.raises(psycoxide.DataError, match="row 70000"):
        async for table in aconn.stream_arrow(query, (70_000,)):
            assert len(table) == 65_536
    assert await aconn.fetchval("SELECT 1") == 1


async def test_options_of_a_stream(aconn):
    options = ArrowOptions(infinity="null")
    async for table in aconn.stream_arrow("SELECT 'infinity'::date AS d", options=options):
        assert len(table) == 1
    cursor = aconn.cursor()
    cursor.arrow = ArrowOptions(numeric="string")
    async for table in cursor.stream_arrow("SELECT 1e40::numeric"):
        assert table.column_types == ["Utf8"]


async def test_no_result_is_an_error(aconn):
    cursor = aconn.cursor()
    await cursor.execute("SET LOCAL work_mem = '1MB'")
    with pytest.raises(psycoxide.ProgrammingError):
        await cursor.fetch_arrow()
    with pytest.raises(psycoxide.ProgrammingError):
        async for _ in aconn.stream_arrow("SET LOCAL work_mem = '1MB'"):
            pass
    assert await aconn.fetchval("SELECT 1") == 1


async def test_rows_in_text_are_converted_behind_a_peer_that_does_not_bind(aconn):
    aconn.binding = "client"
    cursor = aconn.cursor()
    cursor.arrow = True
    await cursor.execute(SERIES, (10,))
    assert len(await cursor.fetch_arrow()) == 10
    sizes = [len(table) async for table in aconn.stream_arrow(SERIES, (10,))]
    assert sizes == [10]
