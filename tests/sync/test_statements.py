# Generated from tests/aio/test_statements.py by tools/generate_sync.py: do not edit.
"""`execute`, `fetch`, `fetchrow` and `fetchval`: queries, parameters and results."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import ipaddress
import random
import uuid

import pytest

import psycoxide
from psycoxide import errors, extensions, extras, sql, sync

TWO = "select * from (values (1, 'a'), (2, 'b')) as t(n, s)"
NONE = "select 1 as n where false"


# ---- what they return -------------------------------------------------------------------------


def test_fetch(conn):
    assert conn.fetch(TWO) == [(1, "a"), (2, "b")]
    assert conn.fetch(NONE) == []
    assert conn.fetch("set application_name to 'x'") == []


def test_fetchrow(conn):
    assert conn.fetchrow(TWO) == (1, "a")
    assert conn.fetchrow(NONE) is None
    assert conn.fetchrow("set application_name to 'x'") is None


def test_fetchval(conn):
    assert conn.fetchval(TWO) == 1
    assert conn.fetchval(NONE) is None
    assert conn.fetchval("select null") is None
    assert conn.fetchval("select") is None
    assert conn.fetchval("set application_name to 'x'") is None


def test_execute_returns_a_cursor(conn):
    cursor = conn.execute(TWO)
    assert isinstance(cursor, sync.Cursor)
    assert cursor.fetchall() == [(1, "a"), (2, "b")]


def test_rows_without_columns(conn):
    assert conn.fetch("select from generate_series(1, 3)") == [(), (), ()]


def test_returning(conn):
    conn.execute("create temporary table t (n integer)")
    rows = conn.fetch("insert into t values (1), (2) returning n * 10 as m")
    assert rows == [(10,), (20,)]
    assert conn.fetchval("delete from t where n = 1 returning n") == 1


def test_ddl(conn):
    conn.execute("create temporary table t (n integer)")
    conn.execute("alter table t add column s text")
    conn.execute("create index on t (n)")
    conn.execute("drop table t")


def test_several_statements_in_one_text(conn):
    cursor = conn.execute("select 1; select 2; select 3")
    assert cursor.fetchall() == [(3,)]
    assert conn.fetchval("create temporary table t (n int); select 7") == 7
    with pytest.raises(errors.DivisionByZero):
        conn.execute("insert into t values (1); select 1 / 0")
    assert conn.fetchval("select count(*) from t") == 0


def test_explain_and_show(conn):
    assert "Result" in conn.fetchval("explain select 1")
    assert conn.fetchval("show server_encoding") == "UTF8"


def test_a_procedure_that_commits(conn):
    conn.execute("create temporary table t (n integer)")
    conn.execute(
        "do $$ begin insert into t values (1); commit; insert into t values (2); rollback; end $$"
    )
    assert conn.fetch("select n from t") == [(1,)]


@pytest.mark.parametrize("query", ["", "  ", ";", "-- nothing"])
def test_a_query_without_a_statement(conn, query):
    with pytest.raises(psycoxide.ProgrammingError, match="empty query"):
        conn.execute(query)
    assert conn.fetchval("select 42") == 42


def test_copy_is_refused(conn):
    conn.execute("create temporary table t (n integer)")
    for query in ("copy t to stdout", "copy t from stdin"):
        with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
            conn.execute(query)
        assert conn.fetchval("select 42") == 42


# ---- parameters -------------------------------------------------------------------------------


def test_parameters_by_place_and_by_name(conn):
    assert conn.fetchrow("select %s, %s, 5 %% 3", (1, "a")) == (1, "a", 2)
    assert conn.fetchrow("select %s", [7]) == (7,)
    assert conn.fetchrow("select %(a)s, %(b)s, %(a)s", {"a": 1, "b": "x"}) == (1, "x", 1)


def test_text_without_parameters_is_sent_as_it_is(conn):
    assert conn.fetchval("select 'a%sb%%'") == "a%sb%%"


@pytest.mark.parametrize(
    "query, parameters, error",
    [
        ("select %s, %s", (1,), IndexError),
        ("select %s", (1, 2), TypeError),
        ("select %(a)s", {}, KeyError),
        ("select %s", (object(),), psycoxide.ProgrammingError),
        ("select %d", (1,), ValueError),
        (7, None, TypeError),
    ],
)
def test_parameters_that_do_not_fit(conn, query, parameters, error):
    for call in (conn.execute, conn.fetch, conn.fetchrow, conn.fetchval):
        with pytest.raises(error):
            call(query, parameters)
    assert conn.fetchval("select 42") == 42


def test_composed_queries(conn):
    table = sql.Identifier('od"d')
    conn.execute(sql.SQL("create temporary table {} (n integer)").format(table))
    conn.execute(sql.SQL("insert into {} values (%s)").format(table), (3,))
    assert sql.Literal("a'b").as_string(conn) == "E'a''b'"
    assert sql.Identifier("a b").as_string(conn.cursor()) == '"a b"'
    query = sql.SQL("select {}, n from {}").format(sql.Literal("it's"), table)
    assert conn.fetchrow(query) == ("it's", 3)
    assert conn.fetchval(b"select n from " + b'"od""d"') == 3


class Colour(enum.Enum):
    RED = "red"


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


@pytest.mark.parametrize(
    "value, kind, expected",
    [
        (None, "text", None),
        (True, "boolean", True),
        (-7, "integer", -7),
        (2**40, "bigint", 2**40),
        (10**50, "numeric", decimal.Decimal(10**50)),
        (1.5, "double precision", 1.5),
        (float("-inf"), "double precision", float("-inf")),
        (decimal.Decimal("1.10"), "numeric", decimal.Decimal("1.10")),
        ("it's \\ ' \" €", "text", "it's \\ ' \" €"),
        (b"\x00\xff'\\", "bytea", b"\x00\xff'\\"),
        (bytearray(b"ab"), "bytea", b"ab"),
        (memoryview(b"ab"), "bytea", b"ab"),
        (datetime.date(2024, 2, 29), "date", datetime.date(2024, 2, 29)),
        (datetime.time(1, 2, 3, 4), "time", datetime.time(1, 2, 3, 4)),
        (
            datetime.datetime(2024, 1, 1, 12, 0, 0, 5),
            "timestamp",
            datetime.datetime(2024, 1, 1, 12, 0, 0, 5),
        ),
        (datetime.timedelta(days=-3, seconds=5), "interval", datetime.timedelta(-3, 5)),
        ([1, 2, None], "integer[]", [1, 2, None]),
        ([], "text[]", []),
        ([["a", "b"], ["c", None]], "text[]", [["a", "b"], ["c", None]]),
        (
            uuid.UUID("12345678123456781234567812345678"),
            "uuid",
            uuid.UUID("12345678123456781234567812345678"),
        ),
        (ipaddress.ip_address("10.0.0.1"), "inet", ipaddress.ip_address("10.0.0.1")),
        ({"a": [1, None]}, "jsonb", {"a": [1, None]}),
        (extras.Json([1]), "json", [1]),
        (Colour.RED, "text", "red"),
        (extras.NumericRange(1, 5), "int4range", extras.NumericRange(1, 5)),
        (
            extras.DateRange(datetime.date(2024, 1, 1), None),
            "daterange",
            extras.DateRange(datetime.date(2024, 1, 1), None),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_go_there_and_back(conn, value, kind, expected):
    found = conn.fetchval(f"select %s::{kind}", (value,))
    assert found == expected
    assert type(found) is type(expected)


def test_a_moment_with_a_zone(conn):
    moment = datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.timezone.utc)
    for zone in ("UTC", "Europe/Berlin"):
        conn.execute("select set_config('TimeZone', %s, false)", (zone,))
        found = conn.fetchval("select %s::timestamptz", (moment,))
        assert found == moment
        assert found.tzinfo is not None


def test_a_tuple_is_a_list_for_in(conn):
    assert conn.fetchval("select 2 in %s", ((1, 2),)) is True


def test_an_adapter_of_the_program(conn):
    extensions.register_adapter(Point, lambda p: extensions.AsIs(f"'({p.x},{p.y})'"))
    try:
        assert conn.fetchval("select %s::point", (Point(1, 2),)) == "(1,2)"
    finally:
        del extensions.adapters[Point, extensions.ISQLQuote]


def test_typecasters_of_the_program(conn):
    def cast(text, cursor):
        return None if text is None else f"<{text}>"

    caster = extensions.new_type((23,), "MARKED", cast)
    extensions.register_type(caster)
    try:
        assert conn.fetchval("select 5") == "<5>"
        assert conn.fetch("select 5, null::int, 'x'") == [("<5>", None, "x")]
    finally:
        extensions.register_type(extensions.INTEGER)
    assert conn.fetchval("select 5") == 5


def test_a_typecaster_that_raises(conn):
    def cast(text, cursor):
        raise KeyError(text)

    caster = extensions.new_type((600,), "FAILING", cast)
    extensions.register_type(caster)
    try:
        for call in (conn.fetch, conn.fetchrow, conn.fetchval):
            with pytest.raises(KeyError):
                call("select '(1,2)'::point")
            assert conn.fetchval("select 42") == 42
        cursor = conn.execute("select '(1,2)'::point")
        with pytest.raises(KeyError):
            cursor.fetchone()
    finally:
        extensions.string_types.pop(600)


def test_an_adapter_that_raises(conn):
    def adapt(value):
        raise KeyError("no")

    extensions.register_adapter(Point, adapt)
    try:
        with pytest.raises(KeyError):
            conn.fetchval("select %s", (Point(1, 2),))
    finally:
        del extensions.adapters[Point, extensions.ISQLQuote]
    assert conn.fetchval("select 42") == 42


def test_nul_is_refused(conn):
    with pytest.raises(ValueError, match="NUL"):
        conn.fetchval("select %s", ("a\0b",))
    with pytest.raises(ValueError, match="NUL"):
        conn.fetchval("select 'a\0b'")
    assert conn.fetchval("select 42") == 42


def test_text_that_the_encoding_does_not_have(conn):
    conn.execute("set client_encoding to latin1")
    assert conn.fetchval("select %s", ("é",)) == "é"
    with pytest.raises(UnicodeEncodeError):
        conn.fetchval("select %s", ("€",))
    with pytest.raises(errors.UntranslatableCharacter):
        conn.fetchval("select chr(8364)")
    assert conn.fetchval("select 42") == 42


# ---- types ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("5::smallint", 5),
        ("'x'::\"char\"", "x"),
        ("'name'::name", "name"),
        ("'abc'::char(5)", "abc  "),
        ("5::oid", 5),
        ("1.5::real", 1.5),
        ("'NaN'::numeric", decimal.Decimal("NaN")),
        ("'12.50'::money", "$12.50"),
        ("'{1,2}'::bigint[]", [1, 2]),
        ("'{t,f}'::boolean[]", [True, False]),
        ("'{2024-01-01}'::date[]", [datetime.date(2024, 1, 1)]),
        ("'a=>1'::hstore", None),
        ("'<a/>'::xml", "<a/>"),
        ("'(1,2)'::point", "(1,2)"),
        ("'101'::bit(3)", "101"),
        ("'10.0.0.0/8'::cidr", ipaddress.ip_network("10.0.0.0/8")),
        ("'10.0.0.1/8'::inet", ipaddress.ip_interface("10.0.0.1/8")),
        ("'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03"),
        ("'a b'::tsvector", "'a' 'b'"),
        ("array['00000000-0000-0000-0000-000000000001'::uuid]", [uuid.UUID(int=1)]),
        ("row(1, 'a')", "(1,a)"),
        ("'{\"a\": 1}'::json", {"a": 1}),
        ("'[1]'::jsonb", [1]),
        ("'\\x00ff'::bytea", b"\x00\xff"),
        ("1 = 1", True),
        ("null::integer", None),
        ("interval '1 day 2 hours'", datetime.timedelta(1, 7200)),
        ("time '12:00'", datetime.time(12)),
        ("pg_typeof(1)", "integer"),
    ],
)
def test_types(conn, text, expected):
    found = conn.fetchval(f"select {text}")
    if isinstance(expected, decimal.Decimal) and expected.is_nan():
        assert found.is_nan()
    elif expected is not None or text.startswith("null"):
        assert found == expected
        assert type(found) is type(expected)


def test_random_values_of_all_types_at_once(conn):
    generator = random.Random(7)
    for _ in range(20):
        values = (
            generator.randrange(-(2**31), 2**31),
            generator.random(),
            "".join(chr(generator.randrange(1, 0xD800)) for _ in range(20)),
            generator.randbytes(20),
            datetime.date.fromordinal(generator.randrange(1, 3652059)),
            [generator.randrange(100) for _ in range(5)],
            uuid.UUID(bytes=generator.randbytes(16)),
            {"a": generator.random()},
            None,
        )
        marks = "%s::int, %s::float8, %s, %s, %s::date, %s::int[], %s::uuid, %s::jsonb, %s::text"
        assert conn.fetchrow(f"select {marks}", values) == values


# ---- size -------------------------------------------------------------------------------------


def test_many_rows(conn):
    rows = conn.fetch("select g, 'row ' || g from generate_series(1, 50000) g")
    assert rows == [(g, f"row {g}") for g in range(1, 50001)]
    maps = conn.fetch("select g as n from generate_series(1, 5000) g", row_factory=sync.dict_row)
    assert maps == [{"n": g} for g in range(1, 5001)]


def test_large_values(conn):
    text = "é" * 3_000_000
    assert conn.fetchval("select %s", (text,)) == text
    data = bytes(range(256)) * 20_000
    assert conn.fetchval("select %s", (data,)) == data


def test_many_columns(conn):
    columns = ", ".join(f"{n} as c{n}" for n in range(1600))
    assert conn.fetchrow(f"select {columns}") == tuple(range(1600))


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, error",
    [
        ("selec 1", errors.SyntaxError),
        ("select * from nowhere", errors.UndefinedTable),
        ("select nothing", errors.UndefinedColumn),
        ("select 1 / 0", errors.DivisionByZero),
        ("select 'x'::int", errors.InvalidTextRepresentation),
        ("insert into once values (1)", errors.UniqueViolation),
        ("insert into once values (null)", errors.NotNullViolation),
        ("insert into once values (-1)", errors.CheckViolation),
        ("set statement_timeout to 1; select pg_sleep(5)", errors.QueryCanceled),
        ("select pg_catalog.pg_read_file('/nowhere')", psycoxide.Error),
        ("do $$ begin raise exception 'x' using errcode = 'ZZ123'; end $$", psycoxide.Error),
        ("create table pg_catalog.x (n int)", errors.InsufficientPrivilege),
    ],
)
def test_an_error_leaves_the_connection_usable(conn, query, error):
    conn.execute("create temporary table once (n int unique not null check (n > 0))")
    conn.execute("insert into once values (1)")
    for call in (conn.execute, conn.fetch, conn.fetchrow, conn.fetchval):
        with pytest.raises(error) as caught:
            call(query)
        assert caught.value.pgcode
        assert caught.value.diag.severity == "ERROR"
        conn.execute("set statement_timeout to 0")
        assert conn.fetchval("select 42") == 42


def test_an_error_after_rows(conn):
    for call in (conn.execute, conn.fetch, conn.fetchrow, conn.fetchval):
        with pytest.raises(errors.DivisionByZero):
            call("select 1 / (3000 - g) from generate_series(1, 5000) g")
        assert conn.fetchval("select 42") == 42


def test_a_fatal_error_closes_the_connection(dsn):
    with sync.connect(dsn) as conn:
        with pytest.raises(psycoxide.OperationalError, match="terminat") as caught:
            conn.fetchval("select pg_terminate_backend(pg_backend_pid())")
        assert isinstance(caught.value, errors.AdminShutdown)
        assert conn.closed
        assert conn.broken


# ---- time limits ------------------------------------------------------------------------------


def test_timeout(conn):
    for call in (conn.execute, conn.fetch, conn.fetchrow, conn.fetchval):
        with pytest.raises(sync.OperationTimeout):
            call("select pg_sleep(20)", timeout=0.02)
        assert conn.fetchval("select 42") == 42


def test_command_timeout_is_that_of_calls_without_one(dsn):
    with sync.connect(dsn, command_timeout=0.05) as conn:
        assert conn.timeout == 0.05
        with pytest.raises(sync.OperationTimeout):
            conn.execute("select pg_sleep(20)")
        conn.execute("select pg_sleep(0.1)", timeout=20)
        conn.timeout = None
        conn.execute("select pg_sleep(0.1)")


def test_a_timeout_in_a_block_rolls_it_back(conn):
    conn.execute("create temporary table t (n integer)")
    with pytest.raises(sync.OperationTimeout):
        with conn.transaction():
            conn.execute("insert into t values (1)")
            conn.execute("select pg_sleep(20)", timeout=0.02)
    assert conn.fetchval("select count(*) from t") == 0


def test_a_timeout_that_is_caught_in_a_savepoint(conn):
    conn.execute("create temporary table t (n integer)")
    with conn.transaction():
        conn.execute("insert into t values (1)")
        with contextlib.suppress(sync.OperationTimeout):
            with conn.transaction():
                conn.execute("insert into t values (2)")
                conn.execute("select pg_sleep(20)", timeout=0.02)
        conn.execute("insert into t values (3)")
    assert conn.fetch("select n from t order by n") == [(1,), (3,)]


@pytest.mark.parametrize("timeout", [-0.5, float("nan")])
def test_a_timeout_that_is_no_time(conn, timeout):
    with pytest.raises(ValueError, match="timeout"):
        conn.execute("select 1", timeout=timeout)
    assert conn.fetchval("select 42", timeout=float("inf")) == 42


def test_an_infinite_timeout_is_none(conn):
    conn.timeout = 0.05
    assert conn.fetchval("select 1 from pg_sleep(0.2)", timeout=float("inf")) == 1
    with pytest.raises(sync.OperationTimeout):
        conn.execute("select pg_sleep(10)")
    conn.timeout = float("inf")
    assert conn.fetchval("select 1 from pg_sleep(0.1)") == 1


@pytest.mark.parametrize("statement", ["copy (select 1) to stdout", "copy pg_class from stdin"])
def test_copy_has_a_method_of_its_own(conn, statement):
    with pytest.raises(psycoxide.ProgrammingError, match=r"use the copy\(\) method"):
        conn.execute(statement)
    assert conn.fetchval("select 1") == 1
