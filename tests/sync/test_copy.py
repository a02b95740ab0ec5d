# Generated from tests/aio/test_copy.py by tools/generate_sync.py: do not edit.
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
from fixtures.tasks import join, sleep, spawn

import psycoxide
from psycoxide import errors, sync
from psycoxide.extensions import AsIs
from psycoxide.extras import Json, NumericRange

PLACE = "CREATE TEMP TABLE place (id int PRIMARY KEY, name text)"


@pytest.fixture
def place(conn):
    conn.execute(PLACE)
    return conn


def collected(rows: Any) -> list[Any]:
    found = []
    for row in rows:
        found.append(row)
    return found


# ---- to the server ------------------------------------------------------------------------------


def test_data_as_they_are(place):
    with place.copy("COPY place FROM STDIN") as copy:
        assert copy.rowcount == -1
        copy.write("1\ton")
        copy.write(b"e\n2\t\\N\n")
        copy.write(bytearray("3\tdre\u00ef\n".encode()))
        copy.write("")
    assert copy.rowcount == 3
    assert place.fetch("TABLE place") == [(1, "one"), (2, None), (3, "dre\u00ef")]


def test_rows(place):
    with place.copy("COPY place (name, id) FROM STDIN") as copy:
        copy.write_row(("tab\t, line\n, return\r, back\\slash, \\N", 1))
        copy.write_row([None, 2])
        copy.write_row(iter(["", "3"]))
        copy.write_rows([("a", 4), ["b", 5]])
        copy.write_rows((str(number), number) for number in (6, 7))
        copy.write_rows([])
    assert copy.rowcount == 7
    rows = place.fetch("SELECT name FROM place ORDER BY id")
    names = [name for (name,) in rows]
    assert names == ["tab\t, line\n, return\r, back\\slash, \\N", None, "", "a", "b", "6", "7"]


def test_rows_that_come_as_they_are_awaited(place):
    def rows():
        for number in range(3):
            sleep(0)
            yield number, f"n{number}"

    with place.copy("COPY place FROM STDIN") as copy:
        copy.write_rows(rows())
    assert place.fetchval("SELECT string_agg(name, ' ' ORDER BY id) FROM place") == "n0 n1 n2"


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
def test_values_in_text(conn, name, value):
    conn.execute(f"CREATE TEMP TABLE one (n int, value {name})")
    with conn.copy("COPY one FROM STDIN") as copy:
        copy.write_rows([(1, value), (2, None)])
    expected = repr([(1, value), (2, None)])
    assert repr(conn.fetch("TABLE one")) == expected
    with conn.copy("COPY one TO STDOUT") as copy:
        copy.set_types(["int4", name])
        assert repr(collected(copy.rows())) == expected
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
def test_values_in_binary(conn, name, value):
    conn.execute(f"CREATE TEMP TABLE one (n int, value {name})")
    with conn.copy("COPY one FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", name])
        copy.write_rows([(1, value), (2, None)])
    assert conn.fetch("TABLE one") == [(1, value), (2, None)]
    with conn.copy("COPY one TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["int4", name])
        assert copy.read_row() == (1, value)
        assert copy.read_row() == (2, None)
        assert copy.read_row() is None
        assert copy.read_row() is None


def test_an_adapter_may_write_null_in_binary(conn):
    conn.execute("CREATE TEMP TABLE one (n int, value jsonb)")
    with conn.copy("COPY one FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "jsonb"])
        copy.write_rows([(1, AsIs(None)), (AsIs(None), Json([1]))])
    assert conn.fetch("TABLE one") == [(1, None), (None, [1])]


def test_no_rows_in_binary(place):
    with place.copy("COPY place FROM STDIN (FORMAT BINARY)"):
        pass
    with place.copy("COPY place FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([23, 25])
        copy.write_rows([])
    assert copy.rowcount == 0


def test_adapters_of_the_program(place):
    class Point:
        pass

    psycoxide.extensions.register_adapter(Point, lambda _: psycoxide.extensions.AsIs("'7'"))
    try:
        with place.copy("COPY place FROM STDIN") as copy:
            copy.write_row((Point(), Json({"a": 1})))
            copy.write_row((8, Colour.RED.value))
    finally:
        psycoxide.extensions.adapters.pop((Point, psycoxide.extensions.ISQLQuote))
    assert place.fetch("TABLE place") == [(7, '{"a": 1}'), (8, "red")]


def test_other_client_encodings(dsn):
    with sync.connect(dsn, client_encoding="SJIS") as conn:
        conn.execute("CREATE TEMP TABLE one (value text)")
        values = ["\u30bd\\", "\u8868\t\u30bd", "\\N"]
        with conn.copy("COPY one FROM STDIN") as copy:
            copy.write_rows([(value,) for value in values])
        assert [value for (value,) in conn.fetch("TABLE one")] == values
        with conn.copy("COPY one TO STDOUT") as copy:
            assert [value for (value,) in collected(copy.rows())] == values


def test_many_rows(conn):
    conn.execute("CREATE TEMP TABLE many (a int, b text, c float8)")
    rows = [(number, f"text {number}", number / 3) for number in range(100_000)]
    with conn.copy("COPY many FROM STDIN") as copy:
        copy.write_rows(rows)
    assert copy.rowcount == 100_000
    with conn.copy("COPY many TO STDOUT") as copy:
        copy.set_types(["int4", "text", "float8"])
        assert collected(copy.rows()) == rows
    with conn.copy("COPY many TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "text", "float8"])
        assert collected(copy.rows()) == rows


def test_memory_is_constant(conn):
    conn.execute("CREATE TEMP TABLE many (a int, b text)")

    def run(count):
        gc.collect()
        tracemalloc.start()
        with conn.copy("COPY many FROM STDIN") as copy:
            copy.write_rows((number, "x" * 50) for number in range(count))
        with conn.copy("COPY many TO STDOUT") as copy:
            for _ in copy:
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few, many = run(20_000), run(200_000)
    # The table has some 12 MB then; how much comes in a block depends on the time.
    assert many < few + (3 << 20)


# ---- from the server ----------------------------------------------------------------------------


def test_blocks(conn):
    with conn.copy("COPY (SELECT g FROM generate_series(1, %s) g) TO STDOUT", (5000,)) as copy:
        blocks = collected(copy)
        assert copy.read() == b""
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks) == b"".join(b"%d\n" % number for number in range(1, 5001))
    assert copy.rowcount == 5000


def test_rows_without_types_are_texts(conn):
    query = "SELECT 1, NULL, E'a\\tb\\n\\\\N', '' UNION ALL SELECT 2, 'x', '', NULL"
    with conn.copy(f"COPY ({query}) TO STDOUT") as copy:
        rows = collected(copy.rows())
    assert rows == [("1", None, "a\tb\n\\N", ""), ("2", "x", "", None)]
    with conn.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        assert copy.read_row() == (b"\0\0\0\x01", None, b"a\tb\n\\N", b"")


def test_rows_without_columns(conn):
    with conn.copy("COPY (SELECT FROM generate_series(1, 3)) TO STDOUT") as copy:
        assert collected(copy.rows()) == [(), (), ()]


def test_no_rows(conn):
    with conn.copy("COPY (SELECT 1 WHERE false) TO STDOUT") as copy:
        assert collected(copy.rows()) == []
        assert copy.read_row() is None
    assert copy.rowcount == 0


def test_leaving_a_copy_out_early(conn):
    query = "COPY (SELECT g, repeat('x', 100) FROM generate_series(1, 2000000) g) TO STDOUT"
    for _ in range(3):
        with conn.copy(query) as copy:
            assert copy.read_row() == ("1", "x" * 100)
        assert conn.fetchval("SELECT 7") == 7
    assert not conn.closed


# ---- errors -------------------------------------------------------------------------------------


def test_an_exception_makes_the_copy_fail(place):
    def fail():
        with place.copy("COPY place FROM STDIN") as copy:
            copy.write_rows((number, "x") for number in range(50_000))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert place.fetchval("SELECT count(*) FROM place") == 0


def test_an_exception_that_cannot_be_told(place):
    """It makes the COPY fail all the same, even while its traceback keeps the COPY alive."""

    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def fail():
        with place.copy("COPY place FROM STDIN") as copy:
            copy.write_row((1, "a"))
            raise Mute

    with pytest.raises(Mute) as raised:
        fail()
    assert place.fetchval("SELECT count(*) FROM place", timeout=10) == 0
    del raised


def test_the_server_is_told_which_exception(place, dsn):
    place.execute("SET log_min_messages = panic")

    def fail():
        with place.transaction(), place.copy("COPY place FROM STDIN"):
            raise ValueError("\u20ac\0" + "x" * 100_000)

    with pytest.raises(ValueError, match="xxx"):
        fail()
    assert place.fetchval("SELECT 7") == 7


def test_an_error_at_the_end(place):
    def double():
        with place.copy("COPY place FROM STDIN") as copy:
            copy.write_rows([(1, "a"), (1, "b")])

    with pytest.raises(errors.UniqueViolation) as raised:
        double()
    assert raised.value.pgcode == "23505"
    assert place.fetchval("SELECT count(*) FROM place") == 0


def test_an_error_in_the_middle(place):
    written = 0

    def wrong():
        nonlocal written
        with place.copy("COPY place FROM STDIN") as copy:
            copy.write_row(("no number", "x"))
            while written < 1000:
                written += 1
                copy.write("2\tx\n" * 50_000)
                sleep(0.001)

    with pytest.raises(errors.InvalidTextRepresentation):
        wrong()
    assert written < 1000
    assert place.fetchval("SELECT 7") == 7


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
def test_what_is_no_copy(conn, statement, error):
    def run():
        with conn.copy(statement):
            pytest.fail("it was entered")

    with pytest.raises(error):
        run()
    assert conn.fetchval("SELECT 7") == 7


def test_two_copies_in_one_text(place):
    def run():
        with place.copy("COPY place TO STDOUT; COPY place FROM STDIN") as copy:
            collected(copy)

    with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
        run()
    assert place.fetchval("SELECT 7") == 7


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
def test_rows_that_cannot_be_written(place, row, error):
    with place.copy("COPY place FROM STDIN") as copy:
        copy.write_row((1, "before"))
        with pytest.raises(error):
            copy.write_row(row)
        with pytest.raises(error):
            copy.write_rows([(2, "between"), row])
        copy.write_row((3, "after"))
    rows = place.fetch("TABLE place")
    assert rows == [(1, "before"), (2, "between"), (3, "after")]


def test_what_binary_does_not_take(place):
    with place.copy("COPY place FROM STDIN (FORMAT BINARY)") as copy:
        with pytest.raises(psycoxide.ProgrammingError, match="set_types"):
            copy.write_row((1, "a"))
        with pytest.raises(psycoxide.ProgrammingError, match="2 columns"):
            copy.set_types(["int4"])
        with pytest.raises(psycoxide.ProgrammingError, match="mood"):
            copy.set_types(["int4", "mood"])
        copy.set_types(["int4", "text"])
        with pytest.raises(psycoxide.ProgrammingError, match="a row of 1 values"):
            copy.write_row((1,))
        for value in ("x", 2**40, 1.5):
            with pytest.raises(psycoxide.NotSupportedError, match="text format"):
                copy.write_row((value, "a"))
        copy.write_row((1, "a"))
    assert place.fetch("TABLE place") == [(1, "a")]
    with place.copy("COPY (SELECT 1::money) TO STDOUT (FORMAT BINARY)") as copy:
        copy.set_types(["money"])
        with pytest.raises(psycoxide.NotSupportedError, match="text format"):
            copy.read_row()


def test_the_wrong_direction(place):
    with place.copy("COPY place FROM STDIN") as copy:
        with pytest.raises(psycoxide.ProgrammingError, match="written, not read"):
            copy.read()
    with place.copy("COPY place TO STDOUT") as copy:
        with pytest.raises(psycoxide.ProgrammingError, match="read, not written"):
            copy.write_row((1, "a"))
        with pytest.raises(psycoxide.ProgrammingError, match="read, not written"):
            copy.write("")


def test_after_its_end(place):
    with place.copy("COPY place FROM STDIN") as copy:
        pass
    with pytest.raises(psycoxide.ProgrammingError, match="over"):
        copy.write_row((1, "a"))
    copy = place.copy("COPY place FROM STDIN")
    with pytest.raises(psycoxide.ProgrammingError, match="enter its block"):
        copy.write_row((1, "a"))


def test_csv_rows_are_refused(conn):
    with conn.copy("COPY (SELECT 1, 2) TO STDOUT (FORMAT CSV)") as copy:
        with pytest.raises(psycoxide.DataError, match="options"):
            copy.read_row()


def test_a_lost_connection(place, dsn):
    pid = place.fetchval("SELECT pg_backend_pid()")

    def run():
        with place.copy("COPY place FROM STDIN") as copy:
            with sync.connect(dsn) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            for _ in range(100):
                copy.write("1\tx\n" * 50_000)
                sleep(0.01)

    with pytest.raises(psycoxide.OperationalError):
        run()
    assert place.closed


# ---- beside other calls -------------------------------------------------------------------------


def test_other_calls_of_the_block_are_refused(place):
    with place.copy("COPY place FROM STDIN") as copy:
        copy.write_row((1, "a"))
        with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
            place.fetchval("SELECT 1")
    assert place.fetchval("SELECT count(*) FROM place") == 1


def test_the_calls_of_others_wait(place):
    with place.copy("COPY place FROM STDIN") as copy:
        other = spawn(place.fetchval, "SELECT count(*) FROM place")
        sleep(0.1)
        assert not other.done()
        copy.write_row((1, "a"))
    assert join(other) == 1


def test_within_a_transaction(place):
    with place.transaction(force_rollback=True):
        with place.copy("COPY place FROM STDIN") as copy:
            copy.write_row((1, "a"))
        assert place.fetchval("SELECT count(*) FROM place") == 1
    assert place.fetchval("SELECT count(*) FROM place") == 0


def test_copy_begins_a_transaction(dsn):
    with sync.connect(dsn, autocommit=False) as conn:
        conn.execute(PLACE)
        conn.commit()
        with conn.copy("COPY place FROM STDIN") as copy:
            copy.write_row((1, "a"))
        conn.rollback()
        assert conn.fetchval("SELECT count(*) FROM place") == 0


def test_a_cursor_copies(place):
    with place.cursor() as cursor:
        with cursor.copy("COPY place FROM STDIN") as copy:
            copy.write_row((1, "a"))
        assert cursor.rowcount == 1


def test_a_wait_has_a_time_limit(place, dsn):
    def run(other):
        other.execute("BEGIN; LOCK TABLE locked")
        with place.copy("COPY locked FROM STDIN", timeout=0.2):
            pytest.fail("it was entered")

    place.execute("CREATE TABLE IF NOT EXISTS locked (a int)")
    began = time.monotonic()
    with sync.connect(dsn) as other:
        with pytest.raises(sync.OperationTimeout):
            run(other)
    assert time.monotonic() - began < 5
    place.execute("DROP TABLE locked")


# ---- cancelled ----------------------------------------------------------------------------------
