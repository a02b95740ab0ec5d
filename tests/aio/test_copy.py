"""COPY in blocks and in rows."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import gc
import ipaddress
import time
import tracemalloc
import uuid
from typing import Any

import pytest
from fixtures.tasks import ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio, errors
from psycoxide.extensions import AsIs
from psycoxide.extras import Json, NumericRange

PLACE = "CREATE TEMP TABLE place (id int PRIMARY KEY, name text)"


@pytest.fixture
async def place(aconn):
    await aconn.execute(PLACE)
    return aconn


async def collected(rows: Any) -> list[Any]:
    found = []
    async for row in rows:
        found.append(row)
    return found


# ---- to the server ------------------------------------------------------------------------------


async def test_data_as_they_are(place):
    async with place.copy("COPY place FROM STDIN") as copy:
        assert copy.rowcount == -1
        await copy.write("1\ton")
        await copy.write(b"e\n2\t\\N\n")
        await copy.write(bytearray("3\tdre\u00ef\n".encode()))
        await copy.write("")
    assert copy.rowcount == 3
    assert await place.fetch("TABLE place") == [(1, "one"), (2, None), (3, "dre\u00ef")]


async def test_rows(place):
    async with place.copy("COPY place (name, id) FROM STDIN") as copy:
        await copy.write_row(("tab\t, line\n, return\r, back\\slash, \\N", 1))
        await copy.write_row([None, 2])
        await copy.write_row(iter(["", "3"]))
        await copy.write_rows([("a", 4), ["b", 5]])
        await copy.write_rows((str(number), number) for number in (6, 7))
        await copy.write_rows([])
    assert copy.rowcount == 7
    rows = await place.fetch("SELECT name FROM place ORDER BY id")
    names = [name for (name,) in rows]
    assert names == ["tab\t, line\n, return\r, back\\slash, \\N", None, "", "a", "b", "6", "7"]


async def test_rows_that_come_as_they_are_awaited(place):
    async def rows():
        for number in range(3):
            await asleep(0)
            yield number, f"n{number}"

    async with place.copy("COPY place FROM STDIN") as copy:
        await copy.write_rows(rows())
    assert await place.fetchval("SELECT string_agg(name, ' ' ORDER BY id) FROM place") == "n0 n1 n2"


class Colour(enum.Enum):
    RED = "red"


TEXTS = [
    ("bool", True),
    ("int2", -5),
    ("int8", -(2**63)),
    ("numeric", decimal.Decimal(10**30)),
    ("numeric", decimal.Decimal("-1.50")),
    ("numeric", decimal.Decimal("NaN")),
    ("float8", 0.1),
    ("float8", -1e300),
    ("float8", float("-inf")),
    ("text", "\\N"),
    ("text", "\u20ac \U0001f600 \b\f\v"),
    ("bytea", bytes(range(256))),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(1, 2, 3, 4)),
    ("timestamp", dt.datetime(2024, 5, 17, 1, 2, 3, 4)),
    ("timestamptz", dt.datetime(2024, 5, 17, 1, 2, 3, 4, dt.timezone.utc)),
    ("interval", dt.timedelta(days=-3, seconds=5, microseconds=7)),
    ("uuid", uuid.UUID(int=5)),
    ("inet", ipaddress.ip_interface("10.0.0.1/8")),
    ("int4[]", [1, None, -3]),
    ("text[]", ['a"b', "c\\d", "", "NULL", "{x,y}", None, "t\tn\n"]),
    ("text[]", [["a"], ["b"]]),
    ("int4[]", []),
    ("jsonb", {"a": [1, None, 'q"\\']}),
    ("int4range", NumericRange(1, 5)),
]


@pytest.mark.parametrize(("name", "value"), TEXTS)
async def test_values_in_text(aconn, name, value):
    await aconn.execute(f"CREATE TEMP TABLE one (n int, value {name})")
    async with aconn.copy("COPY one FROM STDIN") as copy:
        await copy.write_rows([(1, value), (2, None)])
    expected = repr([(1, value), (2, None)])
    assert repr(await aconn.fetch("TABLE one")) == expected
    async with aconn.copy("COPY one TO STDOUT") as copy:
        copy.set_types(["int4", name])
        assert repr(await collected(copy.rows())) == expected
    assert copy.rowcount == 2


BINARY = [
    *(
        each
        for each in TEXTS
        if each[0] in ("bool", "int2", "int8", "float8", "text", "bytea", "date", "uuid", "jsonb")
    ),
    ("timestamp", dt.datetime(2024, 5, 17, 1, 2, 3, 4)),
    ("timestamptz", dt.datetime(2024, 5, 17, 1, 2, 3, 4, dt.timezone.utc)),
    ("varchar", "abc"),
    ("time", dt.time(1, 2, 3, 4)),
    ("timetz", dt.time(1, 2, 3, 4, dt.timezone(dt.timedelta(hours=-3, seconds=5)))),
    ("interval", dt.timedelta(days=-3, seconds=5, microseconds=7)),
    ("int4[]", [1, None, -3]),
    ("int8[]", [[1, 2**40], [None, -3]]),
    ("float8[]", [1.5, None]),
    ("text[]", ['a"b', "c\\d", "", "NULL", "{x,y}", None, "t\tn\n"]),
]


@pytest.mark.parametrize(("name", "value"), BINARY)
async def test_values_in_binary(aconn, name, value):
    await aconn.execute(f"CREATE TEMP TABLE one (n int, value {name})")
    async with aconn.copy("COPY one FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", name])
        await copy.write_rows([(1, value), (2, None)])
    assert await aconn.fetch("TABLE one") == [(1, value), (2, None)]
    async with aconn.copy("COPY one TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["int4", name])
        assert await copy.read_row() == (1, value)
        assert await copy.read_row() == (2, None)
        assert await copy.read_row() is None
        assert await copy.read_row() is None


async def test_an_adapter_may_write_null_in_binary(aconn):
    await aconn.execute("CREATE TEMP TABLE one (n int, value jsonb)")
    async with aconn.copy("COPY one FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "jsonb"])
        await copy.write_rows([(1, AsIs(None)), (AsIs(None), Json([1]))])
    assert await aconn.fetch("TABLE one") == [(1, None), (None, [1])]


async def test_no_rows_in_binary(place):
    async with place.copy("COPY place FROM STDIN (FORMAT BINARY)"):
        pass
    async with place.copy("COPY place FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([23, 25])
        await copy.write_rows([])
    assert copy.rowcount == 0


async def test_adapters_of_the_program(place):
    class Point:
        pass

    psycoxide.extensions.register_adapter(Point, lambda _: psycoxide.extensions.AsIs("'7'"))
    try:
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_row((Point(), Json({"a": 1})))
            await copy.write_row((8, Colour.RED.value))
    finally:
        psycoxide.extensions.adapters.pop((Point, psycoxide.extensions.ISQLQuote))
    assert await place.fetch("TABLE place") == [(7, '{"a": 1}'), (8, "red")]


async def test_other_client_encodings(dsn):
    async with aio.connect(dsn, client_encoding="SJIS") as conn:
        await conn.execute("CREATE TEMP TABLE one (value text)")
        values = ["\u30bd\\", "\u8868\t\u30bd", "\\N"]
        async with conn.copy("COPY one FROM STDIN") as copy:
            await copy.write_rows([(value,) for value in values])
        assert [value for (value,) in await conn.fetch("TABLE one")] == values
        async with conn.copy("COPY one TO STDOUT") as copy:
            assert [value for (value,) in await collected(copy.rows())] == values


async def test_many_rows(aconn):
    await aconn.execute("CREATE TEMP TABLE many (a int, b text, c float8)")
    rows = [(number, f"text {number}", number / 3) for number in range(100_000)]
    async with aconn.copy("COPY many FROM STDIN") as copy:
        await copy.write_rows(rows)
    assert copy.rowcount == 100_000
    async with aconn.copy("COPY many TO STDOUT") as copy:
        copy.set_types(["int4", "text", "float8"])
        assert await collected(copy.rows()) == rows
    async with aconn.copy("COPY many TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "text", "float8"])
        assert await collected(copy.rows()) == rows


async def test_memory_is_constant(aconn):
    await aconn.execute("CREATE TEMP TABLE many (a int, b text)")

    async def run(count):
        gc.collect()
        tracemalloc.start()
        async with aconn.copy("COPY many FROM STDIN") as copy:
            await copy.write_rows((number, "x" * 50) for number in range(count))
        async with aconn.copy("COPY many TO STDOUT") as copy:
            async for _ in copy:
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few, many = await run(20_000), await run(200_000)
    # The table has some 12 MB then; how much comes in a block depends on the time.
    assert many < few + (3 << 20)


# ---- from the server ----------------------------------------------------------------------------


async def test_blocks(aconn):
    async with aconn.copy(
        "COPY (SELECT g FROM generate_series(1, %s) g) TO STDOUT", (5000,)
    ) as copy:
        blocks = await collected(copy)
        assert await copy.read() == b""
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks) == b"".join(b"%d\n" % number for number in range(1, 5001))
    assert copy.rowcount == 5000


async def test_rows_without_types_are_texts(aconn):
    query = "SELECT 1, NULL, E'a\\tb\\n\\\\N', '' UNION ALL SELECT 2, 'x', '', NULL"
    async with aconn.copy(f"COPY ({query}) TO STDOUT") as copy:
        rows = await collected(copy.rows())
    assert rows == [("1", None, "a\tb\n\\N", ""), ("2", "x", "", None)]
    async with aconn.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        assert await copy.read_row() == (b"\0\0\0\x01", None, b"a\tb\n\\N", b"")


async def test_rows_without_columns(aconn):
    async with aconn.copy("COPY (SELECT FROM generate_series(1, 3)) TO STDOUT") as copy:
        assert await collected(copy.rows()) == [(), (), ()]


async def test_no_rows(aconn):
    async with aconn.copy("COPY (SELECT 1 WHERE false) TO STDOUT") as copy:
        assert await collected(copy.rows()) == []
        assert await copy.read_row() is None
    assert copy.rowcount == 0


async def test_leaving_a_copy_out_early(aconn):
    query = "COPY (SELECT g, repeat('x', 100) FROM generate_series(1, 2000000) g) TO STDOUT"
    for _ in range(3):
        async with aconn.copy(query) as copy:
            assert await copy.read_row() == ("1", "x" * 100)
        assert await aconn.fetchval("SELECT 7") == 7
    assert not aconn.closed


# ---- errors -------------------------------------------------------------------------------------


async def test_an_exception_makes_the_copy_fail(place):
    async def fail():
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_rows((number, "x") for number in range(50_000))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()
    assert await place.fetchval("SELECT count(*) FROM place") == 0


async def test_an_exception_that_cannot_be_told(place):
    """It makes the COPY fail all the same, even while its traceback keeps the COPY alive."""

    class Mute(Exception):
        def __str__(self):
            raise ValueError

    async def fail():
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_row((1, "a"))
            raise Mute

    with pytest.raises(Mute) as raised:
        await fail()
    assert await place.fetchval("SELECT count(*) FROM place", timeout=10) == 0
    del raised


async def test_the_server_is_told_which_exception(place, dsn):
    await place.execute("SET log_min_messages = panic")

    async def fail():
        async with place.transaction(), place.copy("COPY place FROM STDIN"):
            raise ValueError("\u20ac\0" + "x" * 100_000)

    with pytest.raises(ValueError, match="xxx"):
        await fail()
    assert await place.fetchval("SELECT 7") == 7


async def test_an_error_at_the_end(place):
    async def double():
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_rows([(1, "a"), (1, "b")])

    with pytest.raises(errors.UniqueViolation) as raised:
        await double()
    assert raised.value.pgcode == "23505"
    assert await place.fetchval("SELECT count(*) FROM place") == 0


async def test_an_error_in_the_middle(place):
    written = 0

    async def wrong():
        nonlocal written
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_row(("no number", "x"))
            while written < 1000:
                written += 1
                await copy.write("2\tx\n" * 50_000)
                await asleep(0.001)

    with pytest.raises(errors.InvalidTextRepresentation):
        await wrong()
    assert written < 1000
    assert await place.fetchval("SELECT 7") == 7


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("COPY nothing FROM STDIN", errors.UndefinedTable),
        ("COPY nothing TO STDOUT", errors.UndefinedTable),
        ("SELECT 1", psycoxide.ProgrammingError),
        ("SET application_name = 'x'", psycoxide.ProgrammingError),
        ("", psycoxide.ProgrammingError),
    ],
)
async def test_what_is_no_copy(aconn, statement, error):
    async def run():
        async with aconn.copy(statement):
            pytest.fail("it was entered")

    with pytest.raises(error):
        await run()
    assert await aconn.fetchval("SELECT 7") == 7


async def test_two_copies_in_one_text(place):
    async def run():
        async with place.copy("COPY place TO STDOUT; COPY place FROM STDIN") as copy:
            await collected(copy)

    with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
        await run()
    assert await place.fetchval("SELECT 7") == 7


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("ab", TypeError),
        (5, TypeError),
        ({"id": 1}, TypeError),
        ((1, object()), psycoxide.ProgrammingError),
        ((1, (2, 3)), psycoxide.NotSupportedError),
        ((1, "\ud800"), UnicodeEncodeError),
    ],
)
async def test_rows_that_cannot_be_written(place, row, error):
    async with place.copy("COPY place FROM STDIN") as copy:
        await copy.write_row((1, "before"))
        with pytest.raises(error):
            await copy.write_row(row)
        with pytest.raises(error):
            await copy.write_rows([(2, "between"), row])
        await copy.write_row((3, "after"))
    rows = await place.fetch("TABLE place")
    assert rows == [(1, "before"), (2, "between"), (3, "after")]


async def test_what_binary_does_not_take(place):
    async with place.copy("COPY place FROM STDIN (FORMAT BINARY)") as copy:
        with pytest.raises(psycoxide.ProgrammingError, match="set_types"):
            await copy.write_row((1, "a"))
        with pytest.raises(psycoxide.ProgrammingError, match="2 columns"):
            copy.set_types(["int4"])
        with pytest.raises(psycoxide.ProgrammingError, match="mood"):
            copy.set_types(["int4", "mood"])
        copy.set_types(["int4", "text"])
        with pytest.raises(psycoxide.ProgrammingError, match="a row of 1 values"):
            await copy.write_row((1,))
        for value in ("x", 2**40, 1.5):
            with pytest.raises(psycoxide.NotSupportedError, match="text format"):
                await copy.write_row((value, "a"))
        await copy.write_row((1, "a"))
    assert await place.fetch("TABLE place") == [(1, "a")]
    async with place.copy("COPY (SELECT 1::money) TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["money"])
        with pytest.raises(psycoxide.NotSupportedError, match="text format"):
            await copy.read_row()


async def test_the_wrong_direction(place):
    async with place.copy("COPY place FROM STDIN") as copy:
        with pytest.raises(psycoxide.ProgrammingError, match="written, not read"):
            await copy.read()
    async with place.copy("COPY place TO STDOUT") as copy:
        with pytest.raises(psycoxide.ProgrammingError, match="read, not written"):
            await copy.write_row((1, "a"))
        with pytest.raises(psycoxide.ProgrammingError, match="read, not written"):
            await copy.write("")


async def test_after_its_end(place):
    async with place.copy("COPY place FROM STDIN") as copy:
        pass
    with pytest.raises(psycoxide.ProgrammingError, match="over"):
        await copy.write_row((1, "a"))
    copy = place.copy("COPY place FROM STDIN")
    with pytest.raises(psycoxide.ProgrammingError, match="enter its block"):
        await copy.write_row((1, "a"))


async def test_csv_rows_are_refused(aconn):
    async with aconn.copy("COPY (SELECT 1, 2) TO STDOUT (FORMAT CSV)") as copy:
        with pytest.raises(psycoxide.DataError, match="options"):
            await copy.read_row()


async def test_a_lost_connection(place, dsn):
    pid = await place.fetchval("SELECT pg_backend_pid()")

    async def run():
        async with place.copy("COPY place FROM STDIN") as copy:
            async with aio.connect(dsn) as other:
                await other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            for _ in range(100):
                await copy.write("1\tx\n" * 50_000)
                await asleep(0.01)

    with pytest.raises(psycoxide.OperationalError):
        await run()
    assert place.closed


# ---- beside other calls -------------------------------------------------------------------------


async def test_other_calls_of_the_block_are_refused(place):
    async with place.copy("COPY place FROM STDIN") as copy:
        await copy.write_row((1, "a"))
        with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
            await place.fetchval("SELECT 1")
    assert await place.fetchval("SELECT count(*) FROM place") == 1


async def test_the_calls_of_others_wait(place):
    async with place.copy("COPY place FROM STDIN") as copy:
        other = aspawn(place.fetchval, "SELECT count(*) FROM place")
        await asleep(0.1)
        assert not other.done()
        await copy.write_row((1, "a"))
    assert await ajoin(other) == 1


async def test_within_a_transaction(place):
    async with place.transaction(force_rollback=True):
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_row((1, "a"))
        assert await place.fetchval("SELECT count(*) FROM place") == 1
    assert await place.fetchval("SELECT count(*) FROM place") == 0


async def test_copy_begins_a_transaction(dsn):
    async with aio.connect(dsn, autocommit=False) as conn:
        await conn.execute(PLACE)
        await conn.commit()
        async with conn.copy("COPY place FROM STDIN") as copy:
            await copy.write_row((1, "a"))
        await conn.rollback()
        assert await conn.fetchval("SELECT count(*) FROM place") == 0


async def test_a_cursor_copies(place):
    async with place.cursor() as cursor:
        async with cursor.copy("COPY place FROM STDIN") as copy:
            await copy.write_row((1, "a"))
        assert cursor.rowcount == 1


async def test_a_wait_has_a_time_limit(place, dsn):
    async def run(other):
        await other.execute("BEGIN; LOCK TABLE locked")
        async with place.copy("COPY locked FROM STDIN", timeout=0.2):
            pytest.fail("it was entered")

    await place.execute("CREATE TABLE IF NOT EXISTS locked (a int)")
    began = time.monotonic()
    async with aio.connect(dsn) as other:
        with pytest.raises(aio.OperationTimeout):
            await run(other)
    assert time.monotonic() - began < 5
    await place.execute("DROP TABLE locked")


# ---- cancelled ----------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 0.001, 0.01, 0.03, 0.1])
async def test_a_block_may_be_cancelled_at_any_time(place, delay):  # only in aio
    import asyncio

    async def write():
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_rows((number, "x" * 100) for number in range(10_000_000))

    async def read():
        query = "COPY (SELECT repeat('x', 100) FROM generate_series(1, 10000000) g) TO STDOUT"
        async with place.copy(query) as copy:
            await collected(copy)

    for step in (write, read):
        task = aspawn(step)
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await place.fetchval("SELECT count(*) FROM place") == 0
    assert not place.closed


async def test_a_write_is_cancelled_before_it_begins(place):  # only in aio
    """What it was given is lost: the COPY does not go on without that."""
    import asyncio

    async def write():
        async with place.copy("COPY place FROM STDIN") as copy:
            await copy.write_row((1, "a"))
            # A caller that was busy for long lets other tasks have their turn first.
            time.sleep(0.01)
            written = asyncio.ensure_future(copy.write("2\tb\n" * 100_000))
            await asyncio.sleep(0)
            written.cancel()
            with pytest.raises(asyncio.CancelledError):
                await written
            await copy.write_row((3, "c"))

    with pytest.raises(psycoxide.ProgrammingError, match=r"left before its end|is over"):
        await write()
    assert await place.fetchval("SELECT count(*) FROM place") == 0


async def test_a_copy_that_is_dropped_ends(place):  # only in aio
    copy = place.copy("COPY place FROM STDIN")
    await copy.__aenter__()
    await copy.write_row((1, "a"))
    del copy
    gc.collect()
    assert await place.fetchval("SELECT count(*) FROM place") == 0


async def test_a_copy_leaves_turns_to_the_loop(place):  # only in aio
    import asyncio

    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    async with place.copy("COPY place FROM STDIN") as copy:
        await copy.write_rows((number, "x" * 20) for number in range(200_000))
    counting.cancel()
    assert turns > 10
    assert copy.rowcount == 200_000
