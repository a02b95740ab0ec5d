"""Statements that get names by themselves, and those that a program prepares."""

from __future__ import annotations

import os
from functools import partial

import pytest
from fixtures.server import needs_version
from fixtures.tasks import agather, asleep

import psycoxide
from psycoxide import aio, errors, extensions, sql

pytestmark = pytest.mark.timeout(60)


async def named(conn):
    """The texts of the statements that the server has under a name."""
    rows = await conn.fetch(
        "select statement from pg_prepared_statements where name like '\\_px\\_%' order by 1",
        row_factory=aio.scalar_row,
        prepare=False,
    )
    return rows


async def runs(conn, query, params, times, **options):
    """The result of each of several runs."""
    return [await conn.fetch(query, params, **options) for _ in range(times)]


@pytest.fixture
async def other(dsn):
    """Another connection."""
    async with aio.connect(dsn) as conn:
        yield conn


@pytest.fixture
async def table(aconn):
    """A table that all sessions see."""
    name = f"prepared_{os.getpid()}"
    await aconn.execute(f"drop table if exists {name}")
    await aconn.execute(f"create table {name} (a integer, b text)")
    await aconn.execute(f"insert into {name} values (1, 'one'), (2, 'two')")
    yield name
    if aconn.closed:
        return
    await aconn.rollback()
    await aconn.execute(f"drop table if exists {name}")


# ---- when a statement gets a name ----------------------------------------------------------------


async def test_the_sixth_run_has_a_name(aconn):
    for run in range(1, 8):
        assert await aconn.fetchval("select %s + 1", (run,)) == run + 1
        assert await named(aconn) == (["select $1 + 1"] if run > 5 else []), run


@pytest.mark.parametrize("threshold", [0, 1, 2, 7])
async def test_thresholds(dsn, threshold):
    async with aio.connect(dsn, prepare_threshold=threshold) as conn:
        assert conn.prepare_threshold == threshold
        # The question about poolers is asked with an early run.
        await runs(conn, "select %s", (0,), 2, prepare=True)
        for run in range(1, 10):
            await conn.fetchval("select %s + 1", (run,))
            assert ("select $1 + 1" in await named(conn)) == (run > threshold), run


async def test_no_threshold(dsn):
    async with aio.connect(dsn, prepare_threshold=None) as conn:
        assert conn.prepare_threshold is None
        await runs(conn, "select %s", (1,), 10)
        assert await named(conn) == []
        await runs(conn, "select %s", (1,), 2, prepare=True)
        assert await named(conn) == ["select $1"]
        conn.prepare_threshold = 1
        await runs(conn, "select %s, 2", (1,), 3)
        assert await named(conn) == ["select $1", "select $1, 2"]


async def test_prepare_true_and_false(aconn):
    await runs(aconn, "select %s", (1,), 20, prepare=False)
    assert await named(aconn) == []
    await runs(aconn, "select %s", (1,), 2, prepare=True)
    assert await named(aconn) == ["select $1"]


async def test_never_more_than_prepared_max(dsn):
    async with aio.connect(dsn, prepare_threshold=0, prepared_max=3) as conn:
        assert conn.prepared_max == 3
        for n in range(30):
            for m in (n, 0, n):
                assert await conn.fetchval(f"select %s + {m}", (1,)) == 1 + m
            texts = await named(conn)
            assert len(texts) <= 3
        assert set(texts) == {"select $1 + 0", "select $1 + 28", "select $1 + 29"}
        conn.prepared_max = 1
        await conn.fetchval("select %s + 29", (1,))
        assert await named(conn) == ["select $1 + 29"]
        conn.prepared_max = 0
        await conn.fetchval("select %s + 29", (1,))
        assert await named(conn) == []


async def test_none_are_prepared_where_none_may_be(dsn):
    async with aio.connect(dsn, prepared_max=0) as conn:
        await runs(conn, "select %s", (1,), 10)
        await runs(conn, "select %s", (1,), 10, prepare=True)
        assert await named(conn) == []


async def test_types_make_other_statements(aconn):
    for value in (1, 1 << 40, "x", 1.5, None):
        for _ in range(3):
            assert await aconn.fetchval("select %s", (value,), prepare=True) == value
    assert len(await named(aconn)) >= 4


# ---- prepare() -----------------------------------------------------------------------------------


async def test_prepare(aconn, table):
    statement = await aconn.prepare(f"select a, b from {table} where a = %s or b = %s")
    assert statement.parameters == (23, 25)
    assert [(column.name, column.type_code) for column in statement.columns] == [
        ("a", 23),
        ("b", 25),
    ]
    assert statement.connection is aconn
    for _ in range(3):
        assert await statement.fetch((1, "two")) == [(1, "one"), (2, "two")]
        assert await statement.fetchrow((2, "")) == (2, "two")
        assert await statement.fetchval((2, "")) == 2
        assert await statement.fetchrow((7, "")) is None
        cursor = await statement.execute((1, ""))
        assert await cursor.fetchall() == [(1, "one")]
        assert [row async for row in statement.stream((1, "two"))] == [(1, "one"), (2, "two")]
    texts = await named(aconn)
    assert texts == [f"select a, b from {table} where a = $1 or b = $2"]


async def test_prepare_a_command(aconn, table):
    statement = await aconn.prepare(f"insert into {table} values (%(a)s, %(b)s)")
    assert (statement.parameters, statement.columns) == ((23, 25), None)
    cursor = await statement.executemany([{"a": n, "b": "x"} for n in range(10, 20)])
    assert cursor.rowcount == 10
    assert await statement.fetch({"a": 20, "b": None}) == []
    assert await aconn.fetchval(f"select count(*) from {table}") == 13


async def test_prepare_native_and_composed(aconn):
    statement = await aconn.prepare("select $1::int + $2::int, $1::int")
    assert await statement.fetchrow((1, 2)) == (3, 1)
    composed = sql.SQL("select {}::int as {}").format(sql.Placeholder(), sql.Identifier("x y"))
    statement = await aconn.prepare(composed)
    assert statement.columns[0].name == "x y"
    assert await statement.fetchval((5,)) == 5


async def test_prepare_fails(aconn):
    for query, error in (
        ("select * from nowhere_at_all where a = %s", errors.UndefinedTable),
        ("selec %s", psycoxide.ProgrammingError),
        ("select from where %s", errors.SyntaxError),
        ("select '%s'", psycoxide.ProgrammingError),
        ("select %s, $1", psycoxide.ProgrammingError),
        ("", psycoxide.ProgrammingError),
    ):
        with pytest.raises(error):
            statement = await aconn.prepare(query)
            await statement.fetch((1,))
        assert await aconn.fetchval("select 42") == 42
    statement = await aconn.prepare("select 1 / %s")
    for _ in range(4):
        with pytest.raises(errors.DivisionByZero):
            await statement.fetch((0,))
        assert await statement.fetchval((1,)) == 1
        with pytest.raises(IndexError):
            await statement.fetch(())
        with pytest.raises(TypeError):
            await statement.fetch((1, 2))


async def test_a_statement_of_a_closed_connection(dsn):
    async with aio.connect(dsn) as conn:
        statement = await conn.prepare("select %s")
    with pytest.raises(psycoxide.InterfaceError):
        await statement.fetch((1,))
    with pytest.raises(psycoxide.InterfaceError):
        await conn.prepare("select %s")


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


async def differing(aconn, query, values):
    """Runs a query without a name and with one, and in each format; what differs from the first."""
    first = shown(await aconn.fetch(query, values, prepare=False, binary=False))
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
        seen = shown(await aconn.fetch(query, values, **options))
        if seen != first:
            found.append((options, first, seen))
    return found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome"])
@pytest.mark.parametrize("name", TYPES)
async def test_values_are_the_same_under_a_name_and_in_each_format(aconn, name, zone):
    await aconn.execute("set time zone %s", (zone,))
    values = TYPES[name]
    literals = ", ".join([f"(%s::{name})"] * len(values))
    columns = f"v, null::{name}, array[v, null, v], '{{}}'::{name}[]"
    query = f"select {columns} from (values {literals}) _ (v)"
    assert await differing(aconn, query, values) == []


async def test_composites_are_the_same(aconn, table):
    query = (
        f"select t, array_agg(t) over (), row(1, 'x', %s::numeric), null::{table} from {table} t"
    )
    assert await differing(aconn, query, (1.5,)) == []


@pytest.mark.parametrize("place", ["global", "connection", "cursor"])
@pytest.mark.parametrize("name", ["int4", "numeric", "timestamptz", "jsonb", "int4[]", "uuid"])
async def test_a_typecaster_that_is_registered_between_runs(aconn, name, place):
    """It gets the text that it gets without a name."""
    values = {"int4": "7", "numeric": "1.50", "jsonb": '{"a": 1}', "int4[]": "{1,2}"}
    value = values.get(
        name, {"uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}.get(name, "2024-01-01")
    )
    query = f"select %s::{name}"
    cursor = aconn.cursor()

    async def ask():
        await cursor.execute(query, (value,))
        return await cursor.fetchall()

    before = [await ask() for _ in range(7)]
    oid = await aconn.fetchval("select %s::regtype::oid", (name,), prepare=False)
    text = await aconn.fetchval(f"select (%s::{name})::text", (value,), prepare=False)
    caster = extensions.new_type((oid,), "SHOUT", lambda text, cursor: ("cast", text))
    scope = {"global": None, "connection": aconn, "cursor": cursor}[place]
    old = extensions.string_types.get(oid)
    extensions.register_type(caster, scope)
    try:
        for _ in range(3):
            assert await ask() == [(("cast", text),)]
            assert before[0] != [(("cast", text),)]
    finally:
        if place == "global":
            if old is None:
                del extensions.string_types[oid]
            else:
                extensions.register_type(old)
    if place == "global":
        assert shown(await ask()) == shown(before[0])


async def test_a_typecaster_that_is_registered_while_the_statement_runs(dsn, aconn):
    """Rows that arrive in binary are not given to it as text."""
    query = "select 7, pg_sleep(%s)::text"
    for _ in range(8):
        await aconn.fetch(query, (0,))
    caster = extensions.new_type((23,), "SHOUT", lambda text, cursor: ("cast", text))

    async def register():
        await asleep(0.1)
        extensions.register_type(caster, aconn)

    rows, _ = await agather(partial(aconn.fetch, query, (0.3,)), register)
    assert rows in ([(7, "")], [(("cast", "7"), "")])
    assert await aconn.fetch(query, (0,)) == [(("cast", "7"), "")]


async def test_the_time_zone_changes_between_runs(aconn):
    query = "select %s::timestamptz, array[%s::timestamptz]"
    values = ("2024-07-01 12:00:00+00",) * 2
    for zone in ("UTC", "Europe/Rome", "UTC", "Asia/Kathmandu", "UTC"):
        await aconn.execute("set time zone %s", (zone,))
        plain = await aconn.fetch(query, values, prepare=False, binary=False)
        for _ in range(8):
            assert shown(await aconn.fetch(query, values)) == shown(plain)


async def test_settings_that_change_the_text_of_values(aconn):
    query = "select %s::interval, %s::bytea, %s::float8, %s::date"
    values = ("1 year 1.5 hours", "\\x00ff", "0.1", "2024-02-03")
    for setting in (
        "bytea_output to 'escape'",
        "extra_float_digits to 3",
        "bytea_output to 'hex'",
    ):
        await aconn.execute("set " + setting)
        plain = await aconn.fetch(query, values, prepare=False, binary=False)
        for _ in range(8):
            assert shown(await aconn.fetch(query, values)) == shown(plain), setting


# ---- tables change -------------------------------------------------------------------------------


async def test_another_connection_changes_a_table(aconn, other, table):
    query = f"select * from {table} where a = %s"
    for change, row in (
        ("add column c integer default 3", (1, "one", 3)),
        ("alter column a type bigint", (1, "one", 3)),
        ("drop column b", (1, 3)),
        ("add column b text default 'x'", (1, 3, "x")),
    ):
        await runs(aconn, query, (1,), 7)
        assert f"select * from {table} where a = $1" in await named(aconn)
        await other.execute(f"alter table {table} {change}")
        assert await runs(aconn, query, (1,), 8) == [[row]] * 8


async def test_another_connection_makes_a_table_anew(aconn, other, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    await other.execute(f"drop table {table}; create table {table} (b text, a integer)")
    await other.execute(f"insert into {table} values ('new', 1)")
    assert await runs(aconn, query, (1,), 3) == [[("new", 1)]] * 3
    await other.execute(f"drop table {table}")
    for _ in range(3):
        with pytest.raises(errors.UndefinedTable):
            await aconn.fetch(query, (1,))
    await other.execute(f"create table {table} (a integer)")
    assert await runs(aconn, query, (1,), 8) == [[]] * 8


async def test_a_change_before_the_first_statement_of_a_transaction(aconn, other, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    await other.execute(f"alter table {table} add column c integer")
    async with aconn.transaction():
        assert await aconn.fetch(query, (1,)) == [(1, "one", None)]
        assert await aconn.fetch(query, (2,)) == [(2, "two", None)]
    await other.execute(f"alter table {table} add column d integer")
    await aconn.set_autocommit(False)
    assert await aconn.fetch(query, (1,)) == [(1, "one", None, None)]
    await aconn.commit()
    await aconn.set_autocommit(True)


async def test_a_change_within_a_transaction(aconn, other, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    with pytest.raises(errors.FeatureNotSupported, match="cached plan"):
        async with aconn.transaction():
            await aconn.fetchval("select 1")
            await other.execute(f"alter table {table} add column c integer")
            await aconn.fetch(query, (1,))
    assert await aconn.fetch(query, (1,)) == [(1, "one", None)]


async def test_a_transaction_that_a_change_broke_is_run_again(aconn, other, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    numbers = []
    async for attempt, transaction in aconn.retrying(retry_min=0.0, retry_max=0.001):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            await conn.fetchval("select 1")
            if attempt.number == 1:
                await other.execute(f"alter table {table} add column c integer")
            assert await conn.fetch(query, (1,)) == [(1, "one", None)]
    assert numbers == [1, 2]


async def test_a_transaction_whose_statement_is_gone_is_run_again(aconn, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    numbers = []
    async for attempt, transaction in aconn.retrying(retry_min=0.0, retry_max=0.001):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            if attempt.number == 1:
                # Behind the driver's back: the tag is that of a block.
                await conn.execute("do $$ begin execute 'deallocate all'; end $$")
            assert await conn.fetch(query, (1,)) == [(1, "one")]
    assert numbers == [1, 2]


async def test_other_unsupported_features_are_no_reason_to_run_again(aconn, table):
    numbers = []
    with pytest.raises(errors.FeatureNotSupported):
        async for attempt, transaction in aconn.retrying(retry_min=0.0, retry_max=0.001):
            async with attempt, transaction as conn:
                numbers.append(attempt.number)
                await conn.fetch("select count(*) from pg_class for update")
    assert numbers == [1]


@pytest.mark.parametrize("command", ["discard all", "deallocate all", "DISCARD ALL;"])
async def test_statements_that_the_program_discards(aconn, command):
    await runs(aconn, "select %s + 1", (1,), 7)
    assert await named(aconn)
    await aconn.execute(command)
    assert await named(aconn) == []
    assert await runs(aconn, "select %s + 1", (1,), 3) == [[(2,)]] * 3
    assert await named(aconn) == ["select $1 + 1"]
    async with aconn.transaction():
        await aconn.execute("deallocate all")
        assert await runs(aconn, "select %s + 1", (1,), 3) == [[(2,)]] * 3


async def test_a_single_statement_is_deallocated(aconn):
    await runs(aconn, "select %s + 1", (1,), 7)
    name = await aconn.fetchval(
        "select name from pg_prepared_statements where name like '\\_px\\_%'", prepare=False
    )
    await aconn.execute(sql.SQL("deallocate {}").format(sql.Identifier(name)))
    assert await runs(aconn, "select %s + 1", (1,), 3) == [[(2,)]] * 3


async def test_the_search_path_changes(aconn):
    schemas = [f"s{n}_{os.getpid()}" for n in (1, 2)]
    await aconn.execute("; ".join(f"drop schema if exists {s} cascade" for s in schemas))
    try:
        for n, schema in enumerate(schemas):
            await aconn.execute(f"create schema {schema}")
            await aconn.execute(f"create table {schema}.t (n{n} int, {'x int' if n else 'y text'})")
            await aconn.execute(f"insert into {schema}.t values ({n}, {n})")
        query = "select * from t where %s = 1"
        for change in (
            "set search_path to {}",
            "set session search_path = {}",
            "SET SCHEMA '{}'",
            "/* path */ set search_path to {}",
            "select set_config('search_path', '{}', false)",
        ):
            for n, schema in [*enumerate(schemas)] * 2:
                await aconn.execute(change.format(schema))
                value = n if n else str(n)
                assert await runs(aconn, query, (1,), 7) == [[(n, value)]] * 7, change
        await aconn.execute(f"set search_path to {schemas[0]}")
        await runs(aconn, query, (1,), 7)
        async with aconn.transaction():
            await aconn.execute(f"set local search_path to {schemas[1]}")
            assert await runs(aconn, query, (1,), 3) == [[(1, 1)]] * 3
        assert await runs(aconn, query, (1,), 3) == [[(0, "0")]] * 3
    finally:
        await aconn.execute("reset search_path")
        await aconn.execute("; ".join(f"drop schema if exists {s} cascade" for s in schemas))


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
async def test_a_temporary_table_hides_another_one(aconn, table, create, first):
    if not first:
        await aconn.execute("create temp table another (a integer)")
    query = f"select count(a) from {table} where a > %s"
    assert await runs(aconn, query, (0,), 7) == [[(2,)]] * 7
    await aconn.execute(create.format(table))
    assert await runs(aconn, query, (0,), 7) == [[(0,)]] * 7
    kind = "view" if "view" in create else "table"
    await aconn.execute(f"drop {kind} pg_temp.{table}")
    assert await runs(aconn, query, (0,), 7) == [[(2,)]] * 7


async def test_ddl_is_rolled_back(aconn, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    for change in (f"alter table {table} add column c int", f"alter table {table} drop column b"):
        await aconn.execute("begin")
        await aconn.execute(change)
        row = await aconn.fetch(query, (1,))
        assert row != [(1, "one")]
        assert await aconn.fetch(query, (1,)) == row
        await aconn.execute("savepoint s")
        await aconn.execute(f"alter table {table} add column d int")
        assert await aconn.fetch(query, (1,)) != row
        await aconn.execute("rollback to s")
        assert await aconn.fetch(query, (1,)) == row
        await aconn.execute("rollback")
        await aconn.execute("begin")
        assert await aconn.fetch(query, (1,)) == [(1, "one")]
        await aconn.execute("rollback")


async def test_a_type_is_made_anew(aconn):
    name = f"mood_{os.getpid()}"
    await aconn.execute(f"drop type if exists {name}")
    try:
        for label in ("sad", "glad"):
            await aconn.execute(f"create type {name} as enum ('{label}')")
            assert await runs(aconn, f"select %s::{name}", (label,), 8) == [[(label,)]] * 8
            assert await runs(aconn, f"select '{label}'::{name}", None, 8) == [[(label,)]] * 8
            await aconn.execute(f"drop type {name}")
        for fields in ("a int", "a text, b int"):
            await aconn.execute(f"create type {name} as ({fields})")
            value = "(1)" if fields == "a int" else "(x,2)"
            assert await runs(aconn, f"select %s::{name}", (value,), 8) == [[(value,)]] * 8
            await aconn.execute(f"drop type {name}")
    finally:
        await aconn.execute(f"drop type if exists {name}")


async def test_another_connection_makes_a_type_anew(aconn, other):
    name = f"mood2_{os.getpid()}"
    await other.execute(f"drop type if exists {name}")
    try:
        for label in ("sad", "glad", "mad"):
            await other.execute(f"create type {name} as enum ('{label}')")
            assert await runs(aconn, f"select %s::{name}", (label,), 8) == [[(label,)]] * 8
            await other.execute(f"drop type {name}")
    finally:
        await other.execute(f"drop type if exists {name}")


# ---- many at a time ------------------------------------------------------------------------------


async def test_many_calls_at_a_time(aconn):
    for _ in range(6):
        calls = [partial(aconn.fetchval, "select %s + 1", (n,)) for n in range(64)]
        assert await agather(*calls) == list(range(1, 65))
    assert await named(aconn) == ["select $1 + 1"]


async def test_many_calls_while_a_table_changes(aconn, other, table):
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    for n in range(10):
        calls = [partial(aconn.fetch, query, (1,)) for _ in range(32)]
        if n % 2:
            calls.insert(16, partial(aconn.execute, "deallocate all"))
        else:
            calls.insert(16, partial(aconn.execute, f"alter table {table} add column c{n} int"))
        await other.execute(f"alter table {table} add column d{n} int")
        results = await agather(*calls)
        del results[16]
        assert {rows[0][:2] for rows in results} == {(1, "one")}
    assert len(await named(aconn)) == 1


async def test_pipelines(aconn, table):
    query = f"select b from {table} where a = %s"
    for _ in range(5):
        async with aconn.pipeline() as pipeline:
            handles = [pipeline.fetchval(query, (1 + n % 2,)) for n in range(6)]
        assert [await handle.result() for handle in handles] == ["one", "two"] * 3
    assert len(await named(aconn)) == 1
    # One that fails in front, and one whose table has changed.
    with pytest.raises(errors.DivisionByZero):
        async with aconn.pipeline() as pipeline:
            pipeline.fetchval("select 1 / %s", (0,))
            pipeline.fetchval(query + " and true", (1,))
    for _ in range(7):
        assert await aconn.fetchval(query + " and true", (1,)) == "one"


async def test_a_table_changes_before_a_pipeline(aconn, other, table):
    """A pipeline is one transaction: either it is run again as a whole, or its error is raised."""
    query = f"select * from {table} where a = %s"
    await runs(aconn, query, (1,), 7)
    await other.execute(f"alter table {table} add column c int")
    try:
        async with aconn.pipeline() as pipeline:
            handles = [pipeline.fetch(query, (1,)) for _ in range(3)]
    except errors.FeatureNotSupported:
        pass
    else:
        assert [await handle.result() for handle in handles] == [[(1, "one", None)]] * 3
    async with aconn.pipeline() as pipeline:
        handles = [pipeline.fetch(query, (1,)) for _ in range(3)]
    assert [await handle.result() for handle in handles] == [[(1, "one", None)]] * 3


async def test_streams(aconn, other, table):
    query = f"select * from {table} where a > %s order by a"
    for n in range(12):
        if n in (8, 10):
            await other.execute(f"alter table {table} add column c{n} int")
        rows = [row[:2] async for row in aconn.stream(query, (0,))]
        assert rows == [(1, "one"), (2, "two")]
    rows = [row async for row in aconn.stream("select g from generate_series(1, %s) g", (50_000,))]
    assert len(rows) == 50_000


# ---- pools ---------------------------------------------------------------------------------------


async def test_connections_of_a_pool_keep_their_statements(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=1) as pool:
        for n in range(7):
            assert await pool.fetchval("select %s + 1", (n,)) == n + 1
        async with pool.connection() as conn:
            assert await named(conn) == ["select $1 + 1"]
            assert conn.prepared == 1


async def test_a_pool_that_resets_its_connections(dsn):
    async def reset(conn):
        await conn.execute("discard all")

    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=1, reset=reset) as pool:
        for _ in range(3):
            async with pool.connection() as conn:
                assert await named(conn) == []
                for n in range(7):
                    assert await conn.fetchval("select %s + 1", (n,)) == n + 1
                assert await named(conn) == ["select $1 + 1"]


async def test_a_pool_whose_connections_are_given_back_within_a_transaction(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=1) as pool:
        for _ in range(3):
            conn = await pool.getconn()
            await conn.execute("begin")
            await conn.execute("create temp table t (a integer)")
            assert await runs(conn, "select * from t where a = %s", (1,), 7) == [[]] * 7
            await pool.putconn(conn)
            with pytest.raises(errors.UndefinedTable):
                await pool.fetch("select * from t where a = %s", (1,))


# ---- plans ---------------------------------------------------------------------------------------


async def test_a_generic_plan_can_be_avoided(aconn):
    """The server makes generic plans from the sixth run under a name on, not without one."""
    needs_version(aconn, 14, "the count of generic plans")
    await aconn.execute("create temp table skewed as select 1 as k from generate_series(1, 100) g")
    query = "select count(*) from skewed where k = %s"

    async def plans():
        return await aconn.fetchrow(
            "select sum(generic_plans), sum(custom_plans) from pg_prepared_statements "
            "where statement like %s",
            ("select count(_) from skewed%",),
            prepare=False,
        )

    await runs(aconn, query, (1,), 30, prepare=False)
    assert await plans() == (None, None)
    await runs(aconn, query, (1,), 30)
    generic, custom = await plans()
    assert generic > 0 and custom == 5
    await aconn.execute("discard all")
    await aconn.execute("set plan_cache_mode to force_custom_plan")
    await aconn.execute("create temp table skewed as select 1 as k from generate_series(1, 100) g")
    await runs(aconn, query, (1,), 30)
    generic, custom = await plans()
    assert generic == 0 and custom >= 24
