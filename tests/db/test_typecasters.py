"""Typecasters at work: which one a column gets, what it is given, and what follows an error."""

from __future__ import annotations

import datetime as dt
import gc
import math
import random
import weakref
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from fixtures.server import needs_version

import psycoxide
from psycoxide import extensions

Fetch = Callable[[Any], Any]


def fetch_one_by_one(cur: Any) -> list[Any]:
    return [cur.fetchone()]


def fetch_many(cur: Any) -> list[Any]:
    return list(cur.fetchmany(100))


def fetch_all(cur: Any) -> list[Any]:
    return list(cur.fetchall())


def fetch_iterating(cur: Any) -> list[Any]:
    return list(cur)


FETCHES = [fetch_one_by_one, fetch_many, fetch_all, fetch_iterating]


def marking(name: str, oid: int = 23) -> Any:
    """A caster that shows that it was called."""
    return extensions.new_type((oid,), name, lambda value, cur: (name, value))


def value(cur: Any, sql: str, *args: Any) -> Any:
    cur.execute(sql, args or None)
    (row,) = cur.fetchall()
    return row[0]


def test_the_cursors_caster_comes_before_the_connections_and_that_before_all(conn: Any) -> None:
    first, second = conn.cursor(), conn.cursor()
    extensions.register_type(marking("connection"), conn)
    extensions.register_type(marking("cursor"), first)
    assert value(first, "SELECT 1") == ("cursor", "1")
    assert value(second, "SELECT 1") == ("connection", "1")
    extensions.register_type(extensions.INTEGER, first)
    assert value(first, "SELECT 1") == 1


def test_a_global_caster_holds_for_every_connection(connect: Any) -> None:
    # This oid is a type that no other test uses: `line`.
    saved = dict(extensions.string_types)
    try:
        extensions.register_type(marking("global", 628))
        assert value(connect().cursor(), "SELECT '{1,2,3}'::line") == ("global", "{1,2,3}")
    finally:
        extensions.string_types.clear()
        extensions.string_types.update(saved)
    assert value(connect().cursor(), "SELECT '{1,2,3}'::line") == "{1,2,3}"


def test_casters_are_chosen_when_the_statement_is_executed(cur: Any) -> None:
    cur.execute("SELECT 1")
    extensions.register_type(marking("late"), cur)
    assert cur.fetchone() == (1,)
    assert value(cur, "SELECT 1") == ("late", "1")


def test_an_elements_caster_does_not_change_the_arrays(cur: Any) -> None:
    extensions.register_type(marking("element"), cur)
    assert value(cur, "SELECT ARRAY[1, 2]") == [1, 2]
    array = extensions.new_array_type((1007,), "marked", marking("element"))
    extensions.register_type(array, cur)
    assert value(cur, "SELECT ARRAY[1, NULL]") == [("element", "1"), ("element", None)]


def test_a_python_caster_gets_text_none_and_the_cursor(conn: Any) -> None:
    seen: list[tuple[Any, Any]] = []

    def cast(text: str | None, cursor: Any) -> str | None:
        seen.append((text, cursor))
        return text

    cur = conn.cursor()
    extensions.register_type(extensions.new_type((25,), "seen", cast), cur)
    cur.execute("SELECT 'é'::text UNION ALL SELECT NULL")
    assert cur.fetchall() == [("é",), (None,)]
    assert seen == [("é", cur), (None, cur)]


@pytest.mark.parametrize("fetch", FETCHES)
def test_a_failing_caster_loses_its_row_only(conn: Any, fetch: Fetch) -> None:
    def cast(text: str | None, cursor: Any) -> int:
        if text == "2":
            raise KeyError(text)
        return int(text or 0)

    cur = conn.cursor()
    extensions.register_type(extensions.new_type((23,), "failing", cast), cur)
    cur.execute("SELECT generate_series(1, 4)")
    with pytest.raises(KeyError, match="2"):
        for _ in range(4):
            fetch(cur)
    assert cur.rownumber == 2
    assert cur.fetchall() == [(3,), (4,)]
    assert value(cur, "SELECT 5") == 5


@pytest.mark.parametrize("fetch", FETCHES)
def test_a_value_that_python_lacks_loses_its_row_only(cur: Any, fetch: Fetch) -> None:
    cur.execute("SELECT unnest(ARRAY[date '2020-01-01', '0044-03-15 BC', '2020-01-03'])")
    with pytest.raises(ValueError, match="year"):
        for _ in range(3):
            fetch(cur)
    assert gc.isenabled()
    assert cur.fetchall() == [(dt.date(2020, 1, 3),)]


def test_a_value_that_python_lacks_among_rows_made_ahead(cur: Any) -> None:
    """Where rows are made a few at a time, those around it are neither lost nor given twice."""
    lacking = {20, 21, 45, 60}
    cur.execute(
        "SELECT i, CASE WHEN i = ANY(%s) THEN date '0044-03-15 BC' END"
        " FROM generate_series(1, 60) i",
        (sorted(lacking),),
    )
    for number in range(1, 61):
        if number in lacking:
            with pytest.raises(ValueError, match="year"):
                cur.fetchone()
        else:
            assert cur.fetchone() == (number, None)
        assert cur.rownumber == number
    assert cur.fetchone() is None


def test_a_caster_may_use_the_connection(conn: Any) -> None:
    def cast(text: str | None, cursor: Any) -> Any:
        with cursor.connection.cursor() as other:
            other.execute("SELECT %s::int + 1", (text,))
            return other.fetchone()[0]

    cur = conn.cursor()
    extensions.register_type(extensions.new_type((25,), "nested", cast), cur)
    cur.execute("SELECT '1'::text UNION ALL SELECT '2'")
    assert cur.fetchall() == [(2,), (3,)]


def test_cast_uses_what_holds_for_the_cursor(cur: Any) -> None:
    assert cur.cast(23, "7") == 7
    assert cur.cast(23, b"7") == 7
    assert cur.cast(23, None) is None
    assert cur.cast(999_999, "é") == "é"
    extensions.register_type(marking("own"), cur)
    assert cur.cast(23, "7") == ("own", "7")
    with pytest.raises(TypeError):
        cur.cast(23, 7)


def test_row_factory_fills_what_it_is_given(cur: Any) -> None:
    made: list[Any] = []

    def factory(cursor: Any) -> list[Any]:
        assert cursor is cur
        row = [None, None]
        made.append(row)
        return row

    cur.row_factory = factory
    cur.execute("SELECT 1, 'a' UNION ALL SELECT 2, NULL ORDER BY 1")
    rows = cur.fetchall()
    assert rows == [[1, "a"], [2, None]]
    assert all(row is given for row, given in zip(rows, made))
    cur.row_factory = lambda cursor: []
    cur.execute("SELECT 1")
    with pytest.raises(IndexError):
        cur.fetchone()
    cur.row_factory = None
    assert value(cur, "SELECT 1") == 1


def test_rows_of_atomic_values_are_no_burden_to_the_collector(cur: Any) -> None:
    cur.execute("SELECT 1, 'a', 1.5::float8, 1.5, now(), NULL")
    gc.collect()
    (row,) = cur.fetchall()
    gc.collect()
    assert not gc.is_tracked(row)
    cur.execute("SELECT ARRAY[1]")
    (row,) = cur.fetchall()
    gc.collect()
    assert gc.is_tracked(row)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_fetch_leaves_the_collector_as_it_was(cur: Any, enabled: bool) -> None:
    try:
        if not enabled:
            gc.disable()
        cur.execute("SELECT generate_series(1, 1000)")
        assert len(cur.fetchall()) == 1000
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_a_cursor_in_a_cycle_with_its_caster_is_collected(conn: Any) -> None:
    class Caster:
        cursor: Any

        def __call__(self, text: str | None, cursor: Any) -> str | None:
            return text

    caster = Caster()
    caster.cursor = conn.cursor()
    extensions.register_type(extensions.new_type((23,), "cycle", caster), caster.cursor)
    caster.cursor.execute("SELECT 1")
    assert caster.cursor.fetchone() == ("1",)
    ref = weakref.ref(caster)
    del caster
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome", "Asia/Kolkata", "America/St_Johns"])
def test_timestamps_mean_the_same_in_every_zone(cur: Any, zone: str) -> None:
    cur.execute("SELECT set_config('timezone', %s, false)", (zone,))
    moments = [
        dt.datetime(1999, 12, 31, 23, 59, 59, 999_999, dt.timezone.utc) + dt.timedelta(days=100 * n)
        for n in range(100)
    ]
    cur.execute("SELECT unnest(%s)", (moments,))
    assert [row[0] for row in cur.fetchall()] == moments


def test_tzinfo_factory_of_the_cursor(cur: Any) -> None:
    cur.execute("SET timezone TO 'Asia/Kolkata'")
    assert cur.tzinfo_factory is dt.timezone
    sql = "SELECT timestamptz '2020-01-01 12:00:00+00'"
    assert value(cur, sql).tzinfo == dt.timezone(dt.timedelta(hours=5, minutes=30))
    cur.tzinfo_factory = None
    assert value(cur, sql) == dt.datetime(2020, 1, 1, 17, 30)
    offsets: list[dt.timedelta] = []

    def factory(offset: dt.timedelta) -> dt.tzinfo:
        offsets.append(offset)
        return dt.timezone(offset, "here")

    cur.tzinfo_factory = factory
    assert value(cur, sql).tzname() == "here"
    assert offsets == [dt.timedelta(hours=5, minutes=30)]


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "EUC_JP", "SJIS", "KOI8R", "BIG5"])
def test_text_in_every_kind_of_encoding(conn: Any, encoding: str) -> None:
    conn.set_client_encoding(encoding)
    cur = conn.cursor()
    # The second byte of U+8868 in SJIS, and of U+529F in BIG5, is a backslash.
    codes = {"SJIS": 0x8868, "EUC_JP": 0x8868, "BIG5": 0x529F, "KOI8R": 0x416, "LATIN1": 0xE9}
    text = 'a"b,' + chr(codes.get(encoding, 0x1F600)) + "}\\"
    code = codes.get(encoding, 0x1F600)
    cur.execute(f"SELECT 'a\"b,' || chr({code}) || E'}}\\\\'")
    assert cur.fetchone() == (text,)
    cur.execute(f"SELECT ARRAY['a\"b,' || chr({code}) || E'}}\\\\', NULL, chr({code})]")
    assert cur.fetchone() == ([text, None, chr(code)],)
    assert cur.cast(25, text) == text


@pytest.mark.parametrize(("encoding", "odd"), [("UTF8", "é"), ("LATIN1", "é"), ("SJIS", "あ")])
def test_text_of_every_length(conn: Any, encoding: str, odd: str) -> None:
    """Short text is looked at in words: each length, ASCII alone and with another character."""
    conn.set_client_encoding(encoding)
    cur = conn.cursor()
    letters = "".join(map(chr, range(33, 103)))
    texts = [letters[:length] for length in range(len(letters) + 1)]
    texts += [text[:at] + odd + text[at + 1 :] for text in texts for at in range(len(text))]
    cur.execute(
        "select substr(%(letters)s, 1, n) from generate_series(0, length(%(letters)s)) n union all "
        "select * from (select overlay(substr(%(letters)s, 1, n) placing %(odd)s from at for 1) "
        "from generate_series(1, length(%(letters)s)) n, generate_series(1, n) at "
        "order by n, at) odd",
        {"letters": letters, "odd": odd},
    )
    assert [text for (text,) in cur] == texts


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard"])
def test_intervals_mean_the_same_in_every_style(cur: Any, style: str) -> None:
    random_ = random.Random(style)
    cur.execute(f"SET intervalstyle TO {style}")
    for _ in range(300):
        months, days = random_.choice([0, random_.randint(-40, 40)]), random_.randint(-40, 40)
        micros = random_.choice([0, random_.randint(-(10**13), 10**13)])
        expected = dt.timedelta(
            int(math.fmod(months, 12)) * 30 + int(months / 12) * 365 + days, 0, micros
        )
        cur.execute(
            "SELECT make_interval(months => %s, days => %s) + %s * interval '1 microsecond'",
            (months, days, micros),
        )
        assert cur.fetchone() == (expected,)


@pytest.mark.parametrize("output", ["hex", "escape"])
def test_bytea_in_both_formats(cur: Any, output: str) -> None:
    cur.execute(f"SET bytea_output TO {output}")
    random_ = random.Random(1)
    for length in [0, 1, 31, 32, 33, 1000]:
        expected = bytes(random_.randrange(256) for _ in range(length))
        view = value(cur, "SELECT %s", expected)
        assert (view.tobytes(), view.format) == (expected, "c")
        (one, none) = value(cur, "SELECT ARRAY[%s, NULL]", expected)
        assert (one.tobytes(), none) == (expected, None)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("'NaN'::float8", math.nan),
        ("'-Infinity'::float4", -math.inf),
        ("1e-300::float8", 1e-300),
        ("0.1::float4", 0.1),
        ("(10::numeric ^ 50 + 0.5)::numeric(60, 3)", Decimal("1" + "0" * 50 + ".500")),
        ("9223372036854775807", 2**63 - 1),
        ("4294967295::oid", 2**32 - 1),
        ("'infinity'::date", dt.date.max),
        ("'-infinity'::timestamp", dt.datetime.min),
        ("'24:00'::time", dt.time(0)),
        ("'a  '::char(5)", "a    "),
        ("'x'::\"char\"", "x"),
        ("ARRAY[ARRAY[true], ARRAY[NULL::bool]]", [[True], [None]]),
        ("'[2:3]={1,2}'::int[]", [1, 2]),
        ("ARRAY['1.2.3.4'::inet]", ["1.2.3.4"]),
        ("ARRAY['1 day'::interval]", [dt.timedelta(1)]),
        ("'(1,2)'::point", "(1,2)"),
    ],
)
def test_values(cur: Any, sql: str, expected: Any) -> None:
    result = value(cur, f"SELECT {sql}")
    assert repr(result) == repr(expected)


def test_an_error_names_what_could_not_be_read(cur: Any) -> None:
    cur.execute("SET datestyle TO german")
    with pytest.raises(psycoxide.DataError, match="unable to parse date"):
        value(cur, "SELECT date '2020-02-01'")
    cur.execute("SET datestyle TO iso")
    assert value(cur, "SELECT date '2020-02-01'") == dt.date(2020, 2, 1)


@pytest.mark.parametrize("number", [0, 4294967296, 2**64 - 1])
def test_oid8_is_an_int(cur: Any, number: int) -> None:
    needs_version(cur.connection, 19, "oid8")
    for cursor in (cur, cur.connection.cursor(binary=True)):
        assert value(cursor, f"select '{number}'::oid8") == number
        assert value(cursor, f"select '{{null,{number}}}'::oid8[]") == [None, number]
    assert value(cur, "select null::oid8") is None


def test_oid8_has_its_caster_on_every_server() -> None:
    for oid, text, number in [(6437, "18446744073709551615", 2**64 - 1), (6442, "{1,NULL}", None)]:
        read = extensions.string_types[oid](text, None)
        assert read == number if number else read == [1, None]
