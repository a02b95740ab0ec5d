"""Parameters that are bound on the server: the same values as when they are merged into texts."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import itertools
import os
import random
import uuid

import pytest
from fixtures.messages import message

import psycoxide
from psycoxide import aio, errors, extensions, extras, sql

pytestmark = pytest.mark.timeout(120)

OF_TYPES = {"42P08", "42P18", "42883", "42725", "42804"}
UTC = datetime.timezone.utc


@pytest.fixture
async def merged(dsn):
    """A connection that merges parameters into the text."""
    async with aio.connect(dsn, binding="client") as conn:
        yield conn


def shown(value):
    """What tells a value from an equal one of another type."""
    if isinstance(value, memoryview):
        return ("memoryview", value.tobytes())
    if isinstance(value, (list, tuple)):
        return (type(value), [shown(each) for each in value])
    return (type(value), repr(value))


async def outcome(conn, query, params, **options):
    """The rows of a query, or its error."""
    try:
        return shown(await conn.fetch(query, params, **options)), None
    except psycoxide.Error as error:
        assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE
        return (type(error), error.pgcode), error


async def sent(conn, query, params=None):
    """The text that is sent."""
    cursor = await conn.execute(query, params)
    return cursor.query.decode().replace(" E'", " '").replace("(E'", "('")


# ---- at random ----------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


def text(dice):
    return "".join(dice.choices("ab'\"\\%s$1 é☃{}(),:;-/*\n", k=dice.randrange(8)))


def moment(dice):
    return datetime.datetime(
        *(dice.randrange(1, 9999), dice.randrange(1, 13), dice.randrange(1, 29)),
        *(dice.randrange(24), dice.randrange(60), dice.randrange(60), dice.randrange(1_000_000)),
    )


def integer(dice):
    bits = dice.choice([1, 7, 8, 15, 16, 31, 32, 33, 62, 63, 64, 65, 100])
    return dice.choice([-1, 1]) * (dice.getrandbits(bits) | dice.choice([0, 1 << bits - 1]))


def number(dice):
    return decimal.Decimal(integer(dice)).scaleb(-dice.randrange(1, 12))


KINDS = {
    "small": lambda dice: dice.randrange(-5, 6),
    "integer": integer,
    "bool": lambda dice: dice.random() < 0.5,
    "text": text,
    "digits": lambda dice: str(integer(dice)),
    "numeric": number,
    "bytes": lambda dice: dice.randbytes(dice.randrange(9)),
    "bytearray": lambda dice: bytearray(dice.randbytes(3)),
    "date": lambda dice: moment(dice).date(),
    "time": lambda dice: moment(dice).time(),
    "timetz": lambda dice: moment(dice).time().replace(tzinfo=UTC),
    "timestamp": moment,
    "timestamptz": lambda dice: moment(dice).replace(
        tzinfo=datetime.timezone(datetime.timedelta(minutes=dice.randrange(-700, 700)))
    ),
    "timedelta": lambda dice: datetime.timedelta(dice.randrange(-999, 999), 5, integer(dice) % 999),
    "uuid": lambda dice: uuid.UUID(int=dice.getrandbits(128)),
    "inet": lambda dice: ipaddress.ip_address(dice.getrandbits(32)),
    "enum": lambda dice: Colour.RED,
    "json": lambda dice: extras.Json({"a": [dice.randrange(9), text(dice).replace("\\", "")]}),
    "integers": lambda dice: [dice.choice([None, integer(dice)]) for _ in range(dice.randrange(4))],
    "texts": lambda dice: [dice.choice([None, text(dice)]) for _ in range(dice.randrange(4))],
    "dates": lambda dice: [moment(dice).date() for _ in range(dice.randrange(1, 4))],
    "numbers": lambda dice: [[number(dice), number(dice)] for _ in range(dice.randrange(1, 3))],
    "nulls": lambda dice: [None] * dice.randrange(3),
    "none": lambda dice: None,
    "range": lambda dice: extras.NumericRange(dice.randrange(5), 5 + dice.randrange(5), "[)"),
    "raw": lambda dice: extensions.AsIs("1 + 1"),
}

#: Statements whose placeholders stand for values of one kind.
STATEMENTS = [
    "select %s",
    "select %s, %s as b",
    "select (%s)",
    "select %s is null, %s is not null",
    "select coalesce(%s, %s), nullif(%s, %s)",
    "select case when %s = %s then %s else %s end",
    "select %s = %s, %s <> %s",
    "select %s < %s or %s >= %s",
    "select %s is distinct from %s",
    "select %s in (%s, %s), %s not in (%s)",
    "select %s between %s and %s",
    "select array[%s, %s]",
    "select greatest(%s, %s), least(%s, %s)",
    "select * from (values (%s, %s), (%s, %s)) as v (a, b)",
    "with x as (select %s as a) select a, a from x where a is not distinct from %s",
    "select %s union all select %s",
    "select a from (select %s as a) s order by a limit 3",
    "select distinct %s",
    "select (%s)::text, cast(%s as text)",
    "select max(v) from (values (%s), (%s)) as t (v)",
    "select count(*) from generate_series(1, 3) where %s is not null group by %s",
    "select row(%s, %s)",
    "select (row(%s, %s)) = (row(%s, %s))",
    "select %s = any(array[%s, %s])",
    "select exists (select 1 where %s = %s)",
    "select -1 - length((%s)::text)",
    "select /* 'a' %% */ %s -- it's %% \n , 'x%%' as \"%%\"",
    "select %s order by 1",
    "select %s order by %s desc",
    "select 1 as n offset 0 rows -- \n",
    "insert into target (a) values ((%s)::text) returning a",
    "update target set a = (%s)::text where a = (%s)::text returning a",
    "delete from target where a is not distinct from (%s)::text",
    "table target",
    "values (%s, %s)",
    "select %s, generate_series(1, 2)",
    "select lag(%s) over (order by %s) from generate_series(1, 2)",
    'select (%s)::text collate "C" < (%s)::text',
    "select (select %s), array(select %s)",
    "select g, %s from generate_series(1, 2) g where g in %s",
]


async def test_statements_at_random(aconn, merged):
    """The same value of the same type; or an error that tells where to write a cast."""
    dice = random.Random(22)
    for each in (aconn, merged):
        await each.execute("create temp table target (a text)")
    wrong, cast, same = [], 0, 0
    for _ in range(4):
        for query, (name, kind) in itertools.product(STATEMENTS, KINDS.items()):
            values = [kind(dice) for _ in range(query.count("%s"))]
            if query.endswith("in %s"):
                values[-1] = (1, dice.randrange(4))
            if dice.random() < 0.1 and values:
                values[0] = None
            expected, _ = await outcome(merged, query, values)
            found, error = await outcome(aconn, query, values)
            if found == expected or (error is not None and expected[0] is not list):
                same += 1
            elif error is not None and "cast" in (error.diag.message_hint or ""):
                assert error.pgcode in OF_TYPES
                cast += 1
            else:
                wrong.append((query, name, values, found, expected))
    assert wrong == []
    assert cast < same / 20, f"{cast} of {same} need a cast"


async def test_floats_and_whole_decimals(aconn, merged):
    """Their literals are of type numeric and integer, as parameters they are what they are."""
    for value in (0.1, 1e300, -2.5, 5e-324, 1 / 3):
        for query in ("select %s::float8", "select %s + 0::float8", "select array[%s]::float8[]"):
            assert await aconn.fetch(query, (value,)) == await merged.fetch(query, (value,))
        assert shown(await aconn.fetchval("select %s", (value,))) == shown(value)
        assert isinstance(await merged.fetchval("select %s", (value,)), decimal.Decimal)
    for value in ("7", "1000.0", "NaN"):
        value = decimal.Decimal(value)
        assert shown(await aconn.fetchval("select %s", (value,))) == shown(value)
    for value in ("inf", "-inf", "nan"):
        assert shown(await aconn.fetchval("select %s", (float(value),))) == shown(float(value))


# ---- places -------------------------------------------------------------------------------------

PLACES = [
    # Expression
    ("select %s + 1", (1,), 2, "select $1 + 1"),
    ("select 1 where %s", (True,), 1, "select 1 where $1"),
    ("select 1 limit %s", (1,), 1, "select 1 limit $1"),
    ("select g from generate_series(1, 3) g offset %s limit %s", (1, 1), 2, "offset $1 limit $2"),
    ("select 2 = any(%s)", ([1, 2],), True, "select 2 = any($1)"),
    ("select 2 <> all(%s)", ([1, 2],), False, "select 2 <> all($1)"),
    # NullTest
    ("select %s is null", (None,), True, "select NULL is null"),
    ("select %s is null", (1,), False, "select $1 is null"),
    ("select %s is not null", ("x",), True, "select 'x' is not null"),
    # Compared
    ("select %s in (1, 2)", (2,), True, "in (1, 2)"),
    ("select %s between 1 and 3", ("2",), True, "between 1 and 3"),
    # AfterIs
    ("select true is %s", (True,), True, "select true is true"),
    ("select null is %s", (None,), True, "select null is NULL"),
    # TypedConstant
    ("select interval %s", ("1 day",), datetime.timedelta(1), "select interval '1 day'"),
    ("select date %s", ("2024-01-02",), datetime.date(2024, 1, 2), "select date '2024-01-02'"),
    # TypeModifier
    ("select 'abc'::varchar(%s)", (2,), "ab", "select 'abc'::varchar(2)"),
    # TypeName
    ("select '1'::%s", (extensions.AsIs("int"),), 1, "select '1'::int"),
    ("select cast('1' as %s)", (extensions.AsIs("int"),), 1, "select cast('1' as int)"),
    # Collation
    ("select 'a' collate %s", (extensions.AsIs('"C"'),), "a", "select 'a' collate \"C\""),
    # Name
    ("select relname from %s where oid = 1259", (extensions.AsIs("pg_class"),), "pg_class", None),
    # List
    ("select 2 in %s", ((1, 2),), True, "select 2 in (1, 2)"),
    ("select g from generate_series(1, 3) g where g in %s and g > %s", ((1, 2), 1), 2, "g > $1"),
    # SortKey
    ("select g from generate_series(1, 2) g order by %s desc", (1,), 2, "order by 1 desc"),
    # Field
    ("select extract(%s from date '2024-03-04')::int", (extensions.AsIs("month"),), 3, "(month"),
    # Negated
    ("select -%s", (1,), -1, None),
    ("select -%s", (-1,), 1, None),
    # Grouped
    (
        "select count(*) from generate_series(1, 3) g group by g %% %s order by g %% %s",
        (2, 2),
        1,
        None,
    ),
    # A row
    ("select %s = %s", ((1, "a"), (1, "a")), True, "select (1, 'a') = (1, 'a')"),
    # All in all
    ("explain (costs off) select %s", (1,), "Result", "explain (costs off) select 1"),
    ("set application_name to %s", ("it's",), None, "set application_name to 'it''s'"),
    ("select %s; select %s", (1, 2), 2, "select 1; select 2"),
    ("do $$ begin end $$", (), None, None),
]


@pytest.mark.parametrize("query, values, expected, text", PLACES)
async def test_places(aconn, query, values, expected, text):
    for _ in range(7):
        assert await aconn.fetchval(query, values) == expected
    if text is not None:
        assert text in await sent(aconn, query, values)


async def test_a_conflict_target(aconn):
    await aconn.execute("create temp table t (a int, b text)")
    await aconn.execute("create unique index on t (a) where b = 'x'")
    query = (
        "insert into t values (%s, %s) on conflict (a) where b = %s do update set b = t.b "
        "returning xmax = 0"
    )
    found = [await aconn.fetchval(query, (1, "x", "x")) for _ in range(8)]
    assert found == [True, *[False] * 7]


async def test_where_a_value_is_merged_the_others_are_bound(aconn):
    query = "select %s, %s in %s, interval %s, %s"
    values = (7, 1, (1, 2), "1 h", "x")
    assert await aconn.fetchrow(query, values) == (7, True, datetime.timedelta(hours=1), "x")
    assert await sent(aconn, query, values) == "select $1, $2 in (1, 2), interval '1 h', $3"


async def test_names(aconn):
    query = "select %(a)s, %(b)s, %(a)s + 1"
    for _ in range(7):
        assert await aconn.fetchrow(query, {"a": 1, "b": "x", "c": object()}) == (1, "x", 2)
    assert await sent(aconn, query, {"a": 1, "b": "x"}) == "select $1, $2, $3 + 1"


async def test_composed_queries(aconn):
    query = sql.SQL("select {} as {}, {}").format(
        sql.Placeholder(), sql.Identifier('odd "1" name'), sql.Literal("it's 5")
    )
    for _ in range(7):
        cursor = await aconn.execute(query, (7,))
        assert cursor.description[0].name == 'odd "1" name'
        assert await cursor.fetchone() == (7, "it's 5")


async def test_composites(aconn):
    name = f"pair_{os.getpid()}"
    await aconn.execute(f"drop type if exists {name}")
    await aconn.execute(f"create type {name} as (a int, b text)")
    try:
        for _ in range(7):
            query = f"select (%s::{name}).b, %s::{name} = row(1, 'x')::{name}"
            assert await aconn.fetchrow(query, ((1, "x y"), (1, "x"))) == ("x y", True)
            query = f"select array_length(%s::{name}[], 1)"
            assert await aconn.fetchval(query, ([(1, "a"), (2, None)],)) == 2
    finally:
        await aconn.execute(f"drop type {name}")


# ---- $1 -----------------------------------------------------------------------------------------


async def test_native_parameters(aconn):
    for _ in range(7):
        assert await aconn.fetchrow("select $1, $2", (1, "x")) == (1, "x")
        assert await aconn.fetchrow("select $2, $1, $1 + 1", (1, "x")) == ("x", 1, 2)
        assert await aconn.fetchval("select 2 in $1 and $2", ((1, 2), True)) is True
        assert await aconn.fetchval("select 5 %% $1", (3,)) == 2
        assert await aconn.fetchval("select $1 || '%%'", ("x",)) == "x%"
        # Alone it is an ordinary character, as there is no %s.
        assert await aconn.fetchval("select 5 % $1", (3,)) == 2
        assert await aconn.fetchval("select 'abc' like 'a%' and $1", (True,)) is True
        assert await aconn.fetchval("select $1::text like '%'", ("x",)) is True
    # One that does not stand in the query has a type all the same.
    assert await aconn.fetchval("select $2", (1, 2)) == 2
    with pytest.raises(errors.IndeterminateDatatype, match=r"\$1"):
        await aconn.fetch("select $2", (None, 2))
    assert await aconn.fetchval("select $1 + $2", (1, 2)) == 3


# ---- errors -------------------------------------------------------------------------------------

REFUSED = [
    ("select $1, $2", (1,), psycoxide.ProgrammingError),
    ("select $1", (1, 2), psycoxide.ProgrammingError),
    ("select $1", {"a": 1}, TypeError),
    ("select $2", (1,), psycoxide.ProgrammingError),
    ("select $1, %s", (1, 2), psycoxide.ProgrammingError),
    ("select $0", (1,), psycoxide.ProgrammingError),
    ("select %s, %s", (1,), IndexError),
    ("select %s", (1, 2), TypeError),
    ("select %(a)s", {"b": 1}, KeyError),
    ("select %(a)s", (1,), TypeError),
    ("select %s, %(a)s", (1,), psycoxide.ProgrammingError),
    ("select 5 % 3, %s", (1,), ValueError),
    ("select %", (1,), ValueError),
    ("select %(a", {"a": 1}, psycoxide.ProgrammingError),
    ("select '%s'", ("x",), psycoxide.ProgrammingError),
    ("select 'it''s %s'", ("x",), psycoxide.ProgrammingError),
    ("select $$ %s $$", ("x",), psycoxide.ProgrammingError),
    ('select 1 as "%s"', ("x",), psycoxide.ProgrammingError),
    ("select 1 /* %s */", ("x",), psycoxide.ProgrammingError),
    ("select 1 -- %s", ("x",), psycoxide.ProgrammingError),
    ("select %s", ("a\0b",), ValueError),
    ("select %s", (["a\0b"],), ValueError),
    ("select \0 %s", (1,), ValueError),
    ("select %s", ("\ud800",), UnicodeEncodeError),
    ("select '\ud800', %s", (1,), UnicodeEncodeError),
    ("select %s", (object(),), psycoxide.ProgrammingError),
]


@pytest.mark.parametrize("query, values, error", REFUSED, ids=range(len(REFUSED)))
async def test_refused_before_anything_is_sent(server, relay, query, values, error):
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    async with aio.connect(**{**server.parameters, **found.options}) as conn:
        assert await conn.fetchval("select 42") == 42
        before = len(found.connections[0].sent)
        for options in ({}, {"prepare": True}, {"binary": True}, {"prepare": False}):
            with pytest.raises(error):
                await conn.fetch(query, values, **options)
        assert len(found.connections[0].sent) == before
        assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE
        assert await conn.fetchval("select 42") == 42


async def test_too_many_parameters(aconn):
    query = "select " + ", ".join(["%s"] * 65_535)
    with pytest.raises(errors.TooManyColumns):
        await aconn.fetch(query, range(65_535))
    query = "select array[" + ", ".join(["%s"] * 65_535) + "]"
    assert await aconn.fetchval(query, list(range(65_535))) == list(range(65_535))
    query = "select array[" + ", ".join(["%s"] * 65_536) + "]"
    try:
        found = await aconn.fetchval(query, list(range(65_536)))
    except psycoxide.Error as error:
        assert "65535" in str(error) or "65,535" in str(error)
    else:
        assert found == list(range(65_536))
    assert await aconn.fetchval("select 42") == 42


async def test_large_integers(aconn):
    for value in (2**31 - 1, 2**31, -(2**31), 2**63 - 1, 2**63, -(2**63) - 1, 10**40):
        assert await aconn.fetchval("select %s", (value,)) == value
        assert await aconn.fetchval("select %s::numeric", (value,)) == value
    with pytest.raises(errors.NumericValueOutOfRange):
        await aconn.fetchval("select %s::int8", (2**63,))
    assert await aconn.fetchval("select %s::bytea", (b"a\0b",)) == b"a\0b"


async def test_the_hint_names_the_placeholder(aconn):
    await aconn.execute("create temp table two (a integer, b text)")
    for query, values, label in (
        ("select json_build_array(%s)", ("x",), "%s"),
        ("select json_build_array(1, %(name)s)", {"name": "x"}, "%(name)s"),
        ("select json_build_array($1)", ("x",), "$1"),
        ("insert into two values ($1, $1)", ("x",), "$1"),
    ):
        with pytest.raises((errors.IndeterminateDatatype, errors.AmbiguousParameter)) as caught:
            await aconn.fetch(query, values)
        assert label in caught.value.diag.message_hint
        assert "cast" in caught.value.diag.message_hint
    assert await aconn.fetchval("select json_build_array(%s::text)", ("x",)) == ["x"]


async def test_quotes_are_refused_where_the_peer_does_not_bind(server, message_relay):
    def change(kind, body):
        return b"" if kind == b"S" and body.startswith(b"in_hot_standby") else message(kind, body)

    found = message_relay((server.host, server.port), change=change)
    async with aio.connect(**{**server.parameters, **found.options}) as conn:
        assert await conn.fetchval("select %s", (1,)) == 1
        for query in (
            "select '%s'",
            "set application_name = '%s'",
            "do $$ %s $$",
            "select 1 -- %s",
        ):
            seen = bytes(found.conversations[-1].seen)
            with pytest.raises(psycoxide.ProgrammingError, match="stands inside"):
                await conn.execute(query, ("x",))
            with pytest.raises(psycoxide.ProgrammingError, match="stands inside"):
                await conn.executemany(query, [("x",), ("y",)])
            assert found.conversations[-1].seen == seen
        assert await conn.fetchval("select %s", (1,)) == 1
