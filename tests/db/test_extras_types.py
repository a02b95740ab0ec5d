"""Types registered from the catalogue: hstore, composites, ranges, json, addresses, uuid."""

import decimal
import ipaddress
import json
import uuid
from datetime import date

import pytest

import psycoxide
from psycoxide import extensions, extras


@pytest.fixture(autouse=True)
def registries():
    """The global typecasters and adapters, put back after each test."""
    every = (extensions.string_types, extensions.adapters)
    kept = [dict(each) for each in every]
    yield
    for each, before in zip(every, kept):
        each.clear()
        each.update(before)


@pytest.fixture
def ask(cur):
    """A function that runs a query and gives its one value."""

    def ask(query, *arguments):
        cur.execute(query, arguments)
        return cur.fetchone()[0]

    return ask


@pytest.fixture
def hstore(conn, cur):
    try:
        cur.execute("create extension if not exists hstore")
    except psycoxide.Error:
        conn.rollback()
        pytest.skip("the server has no hstore to offer")
    conn.commit()


@pytest.mark.parametrize(
    "value", [{}, {"a": "1"}, {"a": None, 'b"\\': "'"}, {"é": "ü\n"}, {"a=>b": "{,}"}]
)
def test_hstore_there_and_back(hstore, conn, ask, value):
    extras.register_hstore(conn)
    assert ask("select %s", value) == value
    assert ask("select %s", [value, value]) == [value, value]


def test_hstore_leaves_the_transaction_alone(hstore, conn, cur):
    extras.register_hstore(conn)
    assert conn.status == extensions.STATUS_READY
    cur.execute("select 1")
    extras.register_hstore(cur)
    assert conn.status == extensions.STATUS_IN_TRANSACTION


def test_hstore_is_registered_where_it_is_asked_for(hstore, conn, connect):
    extras.register_hstore(conn)
    (oid, *_), _ = extras.HstoreAdapter.get_oids(conn)
    assert oid in conn.string_types
    assert oid not in extensions.string_types
    extras.register_hstore(conn, globally=True)
    assert oid in extensions.string_types


def test_a_composite(conn, cur, ask):
    cur.execute("create type pg_temp.pair as (n int, t text)")
    caster = extras.register_composite("pair", conn)
    assert (caster.name, caster.attnames, caster.atttypes) == ("pair", ["n", "t"], [23, 25])
    value = ask("select (1, 'a \"b\", c')::pair")
    assert (value.n, value.t) == (1, 'a "b", c')
    assert ask("select array[(1, null)::pair, null]") == [(1, None), None]
    assert ask("select %s::pair", value) == value


def test_nested_composites(conn, cur, ask):
    cur.execute("create type pg_temp.inside as (d date, r numeric)")
    cur.execute("create type pg_temp.outside as (i inside, l inside[])")
    extras.register_composite("inside", conn)
    extras.register_composite("outside", conn)
    value = ask("select (('2000-01-02', 1.5)::inside, array[(null, 2)::inside])::outside")
    assert value.i == (date(2000, 1, 2), decimal.Decimal("1.5"))
    assert value.l == [(None, decimal.Decimal(2))]


def test_a_composite_in_a_schema(conn, cur, ask):
    cur.execute('create schema "composites"; create type composites.thing as (a int)')
    caster = extras.register_composite("composites.thing", cur)
    assert (caster.schema, caster.name) == ("composites", "thing")
    cur.execute("select '(7)'::composites.thing")
    assert cur.fetchone()[0].a == 7


def test_a_composite_made_otherwise(conn, cur, ask):
    class AsDict(extras.CompositeCaster):
        def make(self, values):
            return dict(zip(self.attnames, values))

    cur.execute("create type pg_temp.dicted as (a int, b text)")
    extras.register_composite("dicted", conn, factory=AsDict)
    assert ask("select (1, 'x')::dicted") == {"a": 1, "b": "x"}


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize(
    "register",
    [
        lambda conn: extras.register_composite("no_such_type", conn),
        lambda conn: extras.register_composite("no.such", conn),
        lambda conn: extras.register_range("no_such_type", "Nothing", conn),
        lambda conn: extras.register_json(conn, name="no_such_type"),
    ],
)
def test_what_the_server_does_not_have(conn, register, autocommit):
    conn.autocommit = autocommit
    with pytest.raises(psycoxide.ProgrammingError, match="not found"):
        register(conn)
    assert conn.status == extensions.STATUS_READY
    assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_looking_up_keeps_an_open_transaction(conn, cur):
    cur.execute("create temporary table kept ()")
    with pytest.raises(psycoxide.ProgrammingError):
        extras.register_composite("no_such_type", conn)
    cur.execute("select * from kept")


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("int4range", extras.NumericRange(1, 5)),
        ("int8range", extras.NumericRange(None, 5, "()")),
        ("numrange", extras.NumericRange(decimal.Decimal("-1.5"), decimal.Decimal(2), "[]")),
        ("daterange", extras.DateRange(date(2000, 1, 1), date(2000, 2, 1))),
        ("daterange", extras.DateRange(empty=True)),
        ("numrange", extras.NumericRange(empty=True)),
        ("int4range", extras.NumericRange(None, None, "()")),
    ],
)
def test_ranges_there_and_back(ask, type_name, value):
    got = ask(f"select %s::{type_name}", value)
    assert type(got) is type(value)
    assert got == value
    assert ask(f"select %s::{type_name}[]", [value, value]) == [value, value]


def test_a_range_of_ones_own(conn, cur, ask):
    cur.execute("create schema own; create type own.textrange as range (subtype = text)")
    caster = extras.register_range("own.textrange", "TextRange", conn)
    made = caster.range('a"b', "c\\,d", "[]")
    assert ask("select %s", made) == made
    assert ask("select '[,\"\"]'::own.textrange") == caster.range(None, "", "(]")
    assert ask("select %s", [made]) == [made]


def test_json(conn, ask):
    value = {"a": [1, 2.5, None, "it's"]}
    assert ask("select %s::json", extras.Json(value)) == value
    assert ask("select array[%s::jsonb]", extras.Json(value)) == [value]
    extras.register_default_jsonb(conn, loads=lambda s: json.loads(s, parse_float=decimal.Decimal))
    assert ask("select '[1.10]'::jsonb") == [decimal.Decimal("1.10")]


def test_json_by_name(conn):
    caster, array = extras.register_json(conn, name="jsonb")
    assert (caster.values, array.values) == ((3802,), (3807,))


def test_uuid(conn, ask):
    extras.register_uuid(None, conn)
    value = uuid.uuid4()
    assert ask("select %s", value) == value
    assert ask("select %s", [value]) == [value]
    assert ask("select null::uuid") is None


def test_ipaddress(conn, ask):
    extras.register_ipaddress(conn)
    interface = ipaddress.ip_interface("10.1.2.3/8")
    network = ipaddress.ip_network("10.0.0.0/8")
    assert ask("select %s::inet", interface) == interface
    assert ask("select %s::cidr", network) == network
    assert ask("select array['::1'::inet, null]") == [ipaddress.ip_interface("::1"), None]
