# Generated from tests/aio/test_prepared.py by tools/generate_sync.py: do not edit.
"""Statements that get names by themselves, and those that a program prepares."""

from __future__ import annotations

import os
from functools import partial

import pytest
from fixtures.server import needs_version
from fixtures.tasks import gather, sleep

import psycoxide
from psycoxide import errors, extensions, sql, sync

pytestmark = pytest.mark.timeout(60)


def named(conn):
    """The texts of the statements that the server has under a name."""
    rows = conn.fetch(
        "select statement from pg_prepared_statements where name like '\\_px\\_%' order by 1",
        row_factory=sync.scalar_row,
        prepare=False,
    )
    return rows


def runs(conn, query, params, times, **options):
    """The result of each of several runs."""
    return [conn.fetch(query, params, **options) for _ in range(times)]


@pytest.fixture
def other(dsn):
    """Another connection."""
    with sync.connect(dsn) as conn:
        yield conn


@pytest.fixture
def table(conn):
    """A table that all sessions see."""
    name = f"prepared_{os.getpid()}"
    conn.execute(f"drop table if exists {name}")
    conn.execute(f"create table {name} (a integer, b text)")
    conn.execute(f"insert into {name} values (1, 'one'), (2, 'two')")
    yield name
    if conn.closed:
        return
    conn.rollback()
    conn.execute(f"drop table if exists {name}")


# ---- when a statement gets a name ----------------------------------------------------------------


def test_the_sixth_run_has_a_name(conn):
    for run in range(1, 8):
        assert conn.fetchval("select %s + 1", (run,)) == run + 1
        assert named(conn) == (["select $1 + 1"] if run > 5 else []), run


@pytest.mark.parametrize("threshold", [0, 1, 2, 7])
def test_thresholds(dsn, threshold):
    with sync.connect(dsn, prepare_threshold=threshold) as conn:
        assert conn.prepare_threshold == threshold
        # The question about poolers is asked with an early run.
        runs(conn, "select %s", (0,), 2, prepare=True)
        for run in range(1, 10):
            conn.fetchval("select %s + 1", (run,))
            assert ("select $1 + 1" in named(conn)) == (run > threshold), run


def test_no_threshold(dsn):
    with sync.connect(dsn, prepare_threshold=None) as conn:
        assert conn.prepare_threshold is None
        runs(conn, "select %s", (1,), 10)
        assert named(conn) == []
        runs(conn, "select %s", (1,), 2, prepare=True)
        assert named(conn) == ["select $1"]
        conn.prepare_threshold = 1
        runs(conn, "select %s, 2", (1,), 3)
        assert named(conn) == ["select $1", "select $1, 2"]


def test_prepare_true_and_false(conn):
    runs(conn, "select %s", (1,), 20, prepare=False)
    assert named(conn) == []
    runs(conn, "select %s", (1,), 2, prepare=True)
    assert named(conn) == ["select $1"]


def test_never_more_than_prepared_max(dsn):
    with sync.connect(dsn, prepare_threshold=0, prepared_max=3) as conn:
        assert conn.prepared_max == 3
        for n in range(30):
            for m in (n, 0, n):
                assert conn.fetchval(f"select %s + {m}", (1,)) == 1 + m
            texts = named(conn)
            assert len(texts) <= 3
        assert set(texts) == {"select $1 + 0", "select $1 + 28", "select $1 + 29"}
        conn.prepared_max = 1
        conn.fetchval("select %s + 29", (1,))
        assert named(conn) == ["select $1 + 29"]
        conn.prepared_max = 0
        conn.fetchval("select %s + 29", (1,))
        assert named(conn) == []


def test_none_are_prepared_where_none_may_be(dsn):
    with sync.connect(dsn, prepared_max=0) as conn:
        runs(conn, "select %s", (1,), 10)
        runs(conn, "select %s", (1,), 10, prepare=True)
        assert named(conn) == []


def test_types_make_other_statements(conn):
    for value in (1, 1 << 40, "x", 1.5, None):
        for _ in range(3):
            assert conn.fetchval("select %s", (value,), prepare=True) == value
    assert len(named(conn)) >= 4


# ---- prepare() -----------------------------------------------------------------------------------


def test_prepare(conn, table):
    statement = conn.prepare(f"select a, b from {table} where a = %s or b = %s")
    assert statement.parameters == (23, 25)
    assert [(column.name, column.type_code) for column in statement.columns] == [
        ("a", 23),
        ("b", 25),
    ]
    assert statement.connection is conn
    for _ in range(3):
        assert statement.fetch((1, "two")) == [(1, "one"), (2, "two")]
        assert statement.fetchrow((2, "")) == (2, "two")
        assert statement.fetchval((2, "")) == 2
        assert statement.fetchrow((7, "")) is None
        cursor = statement.execute((1, ""))
        assert cursor.fetchall() == [(1, "one")]
        assert [row for row in statement.stream((1, "two"))] == [(1, "one"), (2, "two")]
    texts = named(conn)
    assert texts == [f"select a, b from {table} where a = $1 or b = $2"]


def test_prepare_a_command(conn, table):
    statement = conn.prepare(f"insert into {table} values (%(a)s, %(b)s)")
    assert (statement.parameters, statement.columns) == ((23, 25), None)
    cursor = statement.executemany([{"a": n, "b": "x"} for n in range(10, 20)])
    assert cursor.rowcount == 10
    assert statement.fetch({"a": 20, "b": None}) == []
    assert conn.fetchval(f"select count(*) from {table}") == 13


def test_prepare_native_and_composed(conn):
    statement = conn.prepare("select $1::int + $2::int, $1::int")
    assert statement.fetchrow((1, 2)) == (3, 1)
    composed = sql.SQL("select {}::int as {}").format(sql.Placeholder(), sql.Identifier("x y"))
    statement = conn.prepare(composed)
    assert statement.columns[0].name == "x y"
    assert statement.fetchval((5,)) == 5


def test_prepare_fails(conn):
    for query, error in (
        ("select * from nowhere_at_all where a = %s", errors.UndefinedTable),
        ("selec %s", psycoxide.ProgrammingError),
        ("select from where %s", errors.SyntaxError),
        ("select '%s'", psycoxide.ProgrammingError),
        ("select %s, $1", psycoxide.ProgrammingError),
        ("", psycoxide.ProgrammingError),
    ):
        with pytest.raises(error):
            statement = conn.prepare(query)
            statement.fetch((1,))
        assert conn.fetchval("select 42") == 42
    statement = conn.prepare("select 1 / %s")
    for _ in range(4):
        with pytest.raises(errors.DivisionByZero):
            statement.fetch((0,))
        assert statement.fetchval((1,)) == 1
        with pytest.raises(IndexError):
            statement.fetch(())
        with pytest.raises(TypeError):
            statement.fetch((1, 2))


def test_a_statement_of_a_closed_connection(dsn):
    with sync.connect(dsn) as conn:
        statement = conn.prepare("select %s")
    with pytest.raises(psycoxide.InterfaceError):
        statement.fetch((1,))
    with pytest.raises(psycoxide.InterfaceError):
        conn.prepare("select %s")


# ---- values --------------------------------------------------------------------------------------

TYPES = {
    "bool": ["t", "f"],
    "int2": ["-32768"],
    "int4": ["2147483647", "-1"],
    "int8": ["-9223372036854775808"],
    "oid": ["4294967295"],
    "float4": ["1.1", "NaN", "-Infinity", "3.4e38"],
    "float8": ["0.1", "-0", "NaN", "Infinity", "5e-324"],
    "numeric": ["1.10", "NaN", "0.00", "12345678901234567890.5", "1e-20", "-100"],
    "money": ["1.50"],
    "text": ["", "snowman \u2603", "a'b\\c"],
    "varchar(3)": ["abc"],
    "char(5)": ["ab"],
    '"char"': ["x"],
    "name": ["n"],
    "bytea": ["", "\\x00ff5c27"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "date": ["2024-02-29", "infinity", "0001-01-01"],
    "time": ["23:59:59.999999", "24:00"],
    "timetz": ["12:34:56+05:30", "00:00:00-12"],
    "timestamp": ["2024-02-29 12:34:56.000001", "infinity"],
    "timestamptz": ["2024-02-29 12:34:56.5+02", "-infinity"],
    "interval": ["1 year 2 days 03:04:05.6", "-1 mon", "0", "-00:00:00.5"],
    "json": ['{"a": [1, 2.50, null, "\u2603"]}'],
    "jsonb": ['{"a": [1, 2.50, null, "x"]}', "null", '"s"'],
    "inet": ["10.0.0.1/8", "::1"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "point": ["(1,2)"],
    "box": ["(1,2),(0,0)"],
    "bit(3)": ["101"],
    "varbit": ["1010101"],
    "xml": ["<a/>"],
    "tsvector": ["a b"],
    "int4range": ["[1,5)", "empty", "(,)"],
    "numrange": ["[1.5,2]"],
    "tsrange": ['["2024-01-01 00:00","2024-01-02 00:00")'],
    "tstzrange": ['["2024-01-01 00:00+00",)'],
    "daterange": ["[2024-01-01,2024-02-01)"],
    "regclass": ["pg_class"],
}


def shown(value):
    """What tells a value from an equal one of another type."""
    if isinstance(value, memoryview):
        return ("memoryview", value.format, value.readonly, value.tobytes())
    if isinstance(value, (list, tuple)):
        return (type(value), [shown(each) for each in value])
    return (type(value), repr(value))


def differing(conn, query, values):
    """Runs a query without a name and with one, and in each format; what differs from the first."""
    first = shown(conn.fetch(query, values, prepare=False, binary=False))
    found = []
    for options in (
        *[{}] * 8,
        *[{"prepare": True}] * 3,
        {"binary": True},
        {"binary": True, "prepare": True},
        {"binary": True, "prepare": False},
        {"binary": False},
        {"binary": False, "prepare": True},
    ):
        seen = shown(conn.fetch(query, values, **options))
        if seen != first:
            found.append((options, first, seen))
    return found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome"])
@pytest.mark.parametrize("name", TYPES)
def test_values_are_the_same_under_a_name_and_in_each_format(conn, name, zone):
    conn.execute("set time zone %s", (zone,))
    values = TYPES[name]
    literals = ", ".join([f"(%s::{name})"] * len(values))
    columns = f"v, null::{name}, array[v, null, v], '{{}}'::{name}[]"
    query = f"select {columns} from (values {literals}) _ (v)"
    assert differing(conn, query, values) == []


def test_composites_are_the_same(conn, table):
    query = (
        f"select t, array_agg(t) over (), row(1, 'x', %s::numeric), null::{table} from {table} t"
    )
    assert differing(conn, query, (1.5,)) == []


@pytest.mark.parametrize("place", ["global", "connection", "cursor"])
@pytest.mark.parametrize("name", ["int4", "numeric", "timestamptz", "jsonb", "int4[]", "uuid"])
def test_a_typecaster_that_is_registered_between_runs(conn, name, place):
    """It gets the text that it gets without a name."""
    values = {"int4": "7", "numeric": "1.50", "jsonb": '{"a": 1}', "int4[]": "{1,2}"}
    value = values.get(
        name, {"uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}.get(name, "2024-01-01")
    )
    query = f"select %s::{name}"
    cursor = conn.cursor()

    def ask():
        cursor.execute(query, (value,))
        return cursor.fetchall()

    before = [ask() for _ in range(7)]
    oid = conn.fetchval("select %s::regtype::oid", (name,), prepare=False)
    text = conn.fetchval(f"select (%s::{name})::text", (value,), prepare=False)
    caster = extensions.new_type((oid,), "SHOUT", lambda text, cursor: ("cast", text))
    scope = {"global": None, "connection": conn, "cursor": cursor}[place]
    old = extensions.string_types.get(oid)
    extensions.register_type(caster, scope)
    try:
        for _ in range(3):
            assert ask() == [(("cast", text),)]
            assert before[0] != [(("cast", text),)]
    finally:
        if place == "global":
            if old is None:
                del extensions.string_types[oid]
            else:
                extensions.register_type(old)
    if place == "global":
        assert shown(ask()) == shown(before[0])


def test_a_typecaster_that_is_registered_while_the_statement_runs(dsn, conn):
    """Rows that arrive in binary are not given to it as text."""
    query = "select 7, pg_sleep(%s)::text"
    for _ in range(8):
        conn.fetch(query, (0,))
    caster = extensions.new_type((23,), "SHOUT", lambda text, cursor: ("cast", text))

    def register():
        sleep(0.1)
        extensions.register_type(caster, conn)

    rows, _ = gather(partial(conn.fetch, query, (0.3,)), register)
    assert rows in ([(7, "")], [(("cast", "7"), "")])
    assert conn.fetch(query, (0,)) == [(("cast", "7"), "")]


def test_the_time_zone_changes_between_runs(conn):
    query = "select %s::timestamptz, array[%s::timestamptz]"
    values = ("2024-07-01 12:00:00+00",) * 2
    for zone in ("UTC", "Europe/Rome", "UTC", "Asia/Kathmandu", "UTC"):
        conn.execute("set time zone %s", (zone,))
        plain = conn.fetch(query, values, prepare=False, binary=False)
        for _ in range(8):
            assert shown(conn.fetch(query, values)) == shown(plain)


def test_settings_that_change_the_text_of_values(conn):
    query = "select %s::interval, %s::bytea, %s::float8, %s::date"
    values = ("1 year 1.5 hours", "\\x00ff", "0.1", "2024-02-03")
    for setting in (
        "bytea_output to 'escape'",
        "extra_float_digits to 3",
        "bytea_output to 'hex'",
    ):
        conn.execute("set " + setting)
        plain = conn.fetch(query, values, prepare=False, binary=False)
        for _ in range(8):
            assert shown(conn.fetch(query, values)) == shown(plain), setting


# ---- tables change -------------------------------------------------------------------------------


def test_another_connection_changes_a_table(conn, other, table):
    query = f"select * from {table} where a = %s"
    for change, row in (
        ("add column c integer default 3", (1, "one", 3)),
        ("alter column a type bigint", (1, "one", 3)),
        ("drop column b", (1, 3)),
        ("add column b text default 'x'", (1, 3, "x")),
    ):
        runs(conn, query, (1,), 7)
        assert f"select * from {table} where a = $1" in named(conn)
        other.execute(f"alter table {table} {change}")
        assert runs(conn, query, (1,), 8) == [[row]] * 8


def test_another_connection_makes_a_table_anew(conn, other, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    other.execute(f"drop table {table}; create table {table} (b text, a integer)")
    other.execute(f"insert into {table} values ('new', 1)")
    assert runs(conn, query, (1,), 3) == [[("new", 1)]] * 3
    other.execute(f"drop table {table}")
    for _ in range(3):
        with pytest.raises(errors.UndefinedTable):
            conn.fetch(query, (1,))
    other.execute(f"create table {table} (a integer)")
    assert runs(conn, query, (1,), 8) == [[]] * 8


def test_a_change_before_the_first_statement_of_a_transaction(conn, other, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    other.execute(f"alter table {table} add column c integer")
    with conn.transaction():
        assert conn.fetch(query, (1,)) == [(1, "one", None)]
        assert conn.fetch(query, (2,)) == [(2, "two", None)]
    other.execute(f"alter table {table} add column d integer")
    conn.set_autocommit(False)
    assert conn.fetch(query, (1,)) == [(1, "one", None, None)]
    conn.commit()
    conn.set_autocommit(True)


def test_a_change_within_a_transaction(conn, other, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    with pytest.raises(errors.FeatureNotSupported, match="cached plan"):
        with conn.transaction():
            conn.fetchval("select 1")
            other.execute(f"alter table {table} add column c integer")
            conn.fetch(query, (1,))
    assert conn.fetch(query, (1,)) == [(1, "one", None)]


def test_a_transaction_that_a_change_broke_is_run_again(conn, other, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    numbers = []
    for attempt, transaction in conn.retrying(retry_min=0.0, retry_max=0.001):
        with attempt, transaction as conn:
            numbers.append(attempt.number)
            conn.fetchval("select 1")
            if attempt.number == 1:
                other.execute(f"alter table {table} add column c integer")
            assert conn.fetch(query, (1,)) == [(1, "one", None)]
    assert numbers == [1, 2]


def test_a_transaction_whose_statement_is_gone_is_run_again(conn, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    numbers = []
    for attempt, transaction in conn.retrying(retry_min=0.0, retry_max=0.001):
        with attempt, transaction as conn:
            numbers.append(attempt.number)
            if attempt.number == 1:
                # Behind the driver's back: the tag is that of a block.
                conn.execute("do $$ begin execute 'deallocate all'; end $$")
            assert conn.fetch(query, (1,)) == [(1, "one")]
    assert numbers == [1, 2]


def test_other_unsupported_features_are_no_reason_to_run_again(conn, table):
    numbers = []
    with pytest.raises(errors.FeatureNotSupported):
        for attempt, transaction in conn.retrying(retry_min=0.0, retry_max=0.001):
            with attempt, transaction as conn:
                numbers.append(attempt.number)
                conn.fetch("select count(*) from pg_class for update")
    assert numbers == [1]


@pytest.mark.parametrize("command", ["discard all", "deallocate all", "DISCARD ALL;"])
def test_statements_that_the_program_discards(conn, command):
    runs(conn, "select %s + 1", (1,), 7)
    assert named(conn)
    conn.execute(command)
    assert named(conn) == []
    assert runs(conn, "select %s + 1", (1,), 3) == [[(2,)]] * 3
    assert named(conn) == ["select $1 + 1"]
    with conn.transaction():
        conn.execute("deallocate all")
        assert runs(conn, "select %s + 1", (1,), 3) == [[(2,)]] * 3


def test_a_single_statement_is_deallocated(conn):
    runs(conn, "select %s + 1", (1,), 7)
    name = conn.fetchval(
        "select name from pg_prepared_statements where name like '\\_px\\_%'", prepare=False
    )
    conn.execute(sql.SQL("deallocate {}").format(sql.Identifier(name)))
    assert runs(conn, "select %s + 1", (1,), 3) == [[(2,)]] * 3


def test_the_search_path_changes(conn):
    schemas = [f"s{n}_{os.getpid()}" for n in (1, 2)]
    conn.execute("; ".join(f"drop schema if exists {s} cascade" for s in schemas))
    try:
        for n, schema in enumerate(schemas):
            conn.execute(f"create schema {schema}")
            conn.execute(f"create table {schema}.t (n{n} int, {'x int' if n else 'y text'})")
            conn.execute(f"insert into {schema}.t values ({n}, {n})")
        query = "select * from t where %s = 1"
        for change in (
            "set search_path to {}",
            "set session search_path = {}",
            "SET SCHEMA '{}'",
            "/* path */ set search_path to {}",
            "select set_config('search_path', '{}', false)",
        ):
            for n, schema in [*enumerate(schemas)] * 2:
                conn.execute(change.format(schema))
                value = n if n else str(n)
                assert runs(conn, query, (1,), 7) == [[(n, value)]] * 7, change
        conn.execute(f"set search_path to {schemas[0]}")
        runs(conn, query, (1,), 7)
        with conn.transaction():
            conn.execute(f"set local search_path to {schemas[1]}")
            assert runs(conn, query, (1,), 3) == [[(1, 1)]] * 3
        assert runs(conn, query, (1,), 3) == [[(0, "0")]] * 3
    finally:
        conn.execute("reset search_path")
        conn.execute("; ".join(f"drop schema if exists {s} cascade" for s in schemas))


@pytest.mark.parametrize(
    "create",
    [
        "create temp table {} (a integer)",
        "create temp table {} as select 7 as a where false",
        "select 7 as a into temp {} where false",
        "create temp view {} as select 7 as a where false",
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_temporary_table_hides_another_one(conn, table, create, first):
    if not first:
        conn.execute("create temp table another (a integer)")
    query = f"select count(a) from {table} where a > %s"
    assert runs(conn, query, (0,), 7) == [[(2,)]] * 7
    conn.execute(create.format(table))
    assert runs(conn, query, (0,), 7) == [[(0,)]] * 7
    kind = "view" if "view" in create else "table"
    conn.execute(f"drop {kind} pg_temp.{table}")
    assert runs(conn, query, (0,), 7) == [[(2,)]] * 7


def test_ddl_is_rolled_back(conn, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    for change in (f"alter table {table} add column c int", f"alter table {table} drop column b"):
        conn.execute("begin")
        conn.execute(change)
        row = conn.fetch(query, (1,))
        assert row != [(1, "one")]
        assert conn.fetch(query, (1,)) == row
        conn.execute("savepoint s")
        conn.execute(f"alter table {table} add column d int")
        assert conn.fetch(query, (1,)) != row
        conn.execute("rollback to s")
        assert conn.fetch(query, (1,)) == row
        conn.execute("rollback")
        conn.execute("begin")
        assert conn.fetch(query, (1,)) == [(1, "one")]
        conn.execute("rollback")


def test_a_type_is_made_anew(conn):
    name = f"mood_{os.getpid()}"
    conn.execute(f"drop type if exists {name}")
    try:
        for label in ("sad", "glad"):
            conn.execute(f"create type {name} as enum ('{label}')")
            assert runs(conn, f"select %s::{name}", (label,), 8) == [[(label,)]] * 8
            assert runs(conn, f"select '{label}'::{name}", None, 8) == [[(label,)]] * 8
            conn.execute(f"drop type {name}")
        for fields in ("a int", "a text, b int"):
            conn.execute(f"create type {name} as ({fields})")
            value = "(1)" if fields == "a int" else "(x,2)"
            assert runs(conn, f"select %s::{name}", (value,), 8) == [[(value,)]] * 8
            conn.execute(f"drop type {name}")
    finally:
        conn.execute(f"drop type if exists {name}")


def test_another_connection_makes_a_type_anew(conn, other):
    name = f"mood2_{os.getpid()}"
    other.execute(f"drop type if exists {name}")
    try:
        for label in ("sad", "glad", "mad"):
            other.execute(f"create type {name} as enum ('{label}')")
            assert runs(conn, f"select %s::{name}", (label,), 8) == [[(label,)]] * 8
            other.execute(f"drop type {name}")
    finally:
        other.execute(f"drop type if exists {name}")


# ---- many at a time ------------------------------------------------------------------------------


def test_many_calls_at_a_time(conn):
    for _ in range(6):
        calls = [partial(conn.fetchval, "select %s + 1", (n,)) for n in range(64)]
        assert gather(*calls) == list(range(1, 65))
    assert named(conn) == ["select $1 + 1"]


def test_many_calls_while_a_table_changes(conn, other, table):
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    for n in range(10):
        calls = [partial(conn.fetch, query, (1,)) for _ in range(32)]
        if n % 2:
            calls.insert(16, partial(conn.execute, "deallocate all"))
        else:
            calls.insert(16, partial(conn.execute, f"alter table {table} add column c{n} int"))
        other.execute(f"alter table {table} add column d{n} int")
        results = gather(*calls)
        del results[16]
        assert {rows[0][:2] for rows in results} == {(1, "one")}
    assert len(named(conn)) == 1


def test_pipelines(conn, table):
    query = f"select b from {table} where a = %s"
    for _ in range(5):
        with conn.pipeline() as pipeline:
            handles = [pipeline.fetchval(query, (1 + n % 2,)) for n in range(6)]
        assert [handle.result() for handle in handles] == ["one", "two"] * 3
    assert len(named(conn)) == 1
    # One that fails in front, and one whose table has changed.
    with pytest.raises(errors.DivisionByZero):
        with conn.pipeline() as pipeline:
            pipeline.fetchval("select 1 / %s", (0,))
            pipeline.fetchval(query + " and true", (1,))
    for _ in range(7):
        assert conn.fetchval(query + " and true", (1,)) == "one"


def test_a_table_changes_before_a_pipeline(conn, other, table):
    """A pipeline is one transaction: either it is run again as a whole, or its error is raised."""
    query = f"select * from {table} where a = %s"
    runs(conn, query, (1,), 7)
    other.execute(f"alter table {table} add column c int")
    try:
        with conn.pipeline() as pipeline:
            handles = [pipeline.fetch(query, (1,)) for _ in range(3)]
    except errors.FeatureNotSupported:
        pass
    else:
        assert [handle.result() for handle in handles] == [[(1, "one", None)]] * 3
    with conn.pipeline() as pipeline:
        handles = [pipeline.fetch(query, (1,)) for _ in range(3)]
    assert [handle.result() for handle in handles] == [[(1, "one", None)]] * 3


def test_streams(conn, other, table):
    query = f"select * from {table} where a > %s order by a"
    for n in range(12):
        if n in (8, 10):
            other.execute(f"alter table {table} add column c{n} int")
        rows = [row[:2] for row in conn.stream(query, (0,))]
        assert rows == [(1, "one"), (2, "two")]
    rows = [row for row in conn.stream("select g from generate_series(1, %s) g", (50_000,))]
    assert len(rows) == 50_000


# ---- pools ---------------------------------------------------------------------------------------


def test_connections_of_a_pool_keep_their_statements(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_size=1) as pool:
        for n in range(7):
            assert pool.fetchval("select %s + 1", (n,)) == n + 1
        with pool.connection() as conn:
            assert named(conn) == ["select $1 + 1"]
            assert conn.prepared == 1


def test_a_pool_that_resets_its_connections(dsn):
    def reset(conn):
        conn.execute("discard all")

    with sync.ConnectionPool(dsn, min_size=1, max_size=1, reset=reset) as pool:
        for _ in range(3):
            with pool.connection() as conn:
                assert named(conn) == []
                for n in range(7):
                    assert conn.fetchval("select %s + 1", (n,)) == n + 1
                assert named(conn) == ["select $1 + 1"]


def test_a_pool_whose_connections_are_given_back_within_a_transaction(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_size=1) as pool:
        for _ in range(3):
            conn = pool.getconn()
            conn.execute("begin")
            conn.execute("create temp table t (a integer)")
            assert runs(conn, "select * from t where a = %s", (1,), 7) == [[]] * 7
            pool.putconn(conn)
            with pytest.raises(errors.UndefinedTable):
                pool.fetch("select * from t where a = %s", (1,))


# ---- plans ---------------------------------------------------------------------------------------


def test_a_generic_plan_can_be_avoided(conn):
    """The server makes generic plans from the sixth run under a name on, not without one."""
    needs_version(conn, 14, "the count of generic plans")
    conn.execute("create temp table skewed as select 1 as k from generate_series(1, 100) g")
    query = "select count(*) from skewed where k = %s"

    def plans():
        return conn.fetchrow(
            "select sum(generic_plans), sum(custom_plans) from pg_prepared_statements "
            "where statement like %s",
            ("select count(_) from skewed%",),
            prepare=False,
        )

    runs(conn, query, (1,), 30, prepare=False)
    assert plans() == (None, None)
    runs(conn, query, (1,), 30)
    generic, custom = plans()
    assert generic > 0 and custom == 5
    conn.execute("discard all")
    conn.execute("set plan_cache_mode to force_custom_plan")
    conn.execute("create temp table skewed as select 1 as k from generate_series(1, 100) g")
    runs(conn, query, (1,), 30)
    generic, custom = plans()
    assert generic == 0 and custom >= 24
