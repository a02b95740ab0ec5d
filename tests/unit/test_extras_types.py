"""hstore, composite types, uuid and network addresses: what needs no server."""

import ipaddress
import uuid
from types import SimpleNamespace

import pytest

from psycoxide import DataError, InterfaceError, extensions
from psycoxide.extras import (
    CompositeCaster,
    HstoreAdapter,
    Inet,
    register_inet,
    register_ipaddress,
    register_uuid,
)


@pytest.fixture
def registry():
    """The global typecasters and adapters, put back after the test."""
    registries = (extensions.string_types, extensions.adapters)
    kept = [dict(each) for each in registries]
    yield extensions.string_types
    for each, before in zip(registries, kept):
        each.clear()
        each.update(before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", {}),
        ('"a"=>"1"', {"a": "1"}),
        ('"a"=>"1", "b"=>NULL', {"a": "1", "b": None}),
        (r'"a\"b"=>"c\\d"', {'a"b': r"c\d"}),
        ('"a=>b"=>"c, d"', {"a=>b": "c, d"}),
        ('"a\nb"=>""', {"a\nb": ""}),
        ('"é"=>"\\""', {"é": '"'}),
    ],
)
def test_parsing_hstore(text, expected):
    assert HstoreAdapter.parse(text, None) == expected


@pytest.mark.parametrize("text", ["a", "a=>b", '"a"', '"a"=>', '"a"=>"b', '"a"=>"b" x'])
def test_what_is_no_hstore(text):
    with pytest.raises(InterfaceError, match="error parsing hstore"):
        HstoreAdapter.parse(text, None)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ({}, b"''::hstore"),
        ({"a": "1", "b": None}, b"hstore(ARRAY['a','b'], ARRAY['1',NULL])"),
        ({"it's": "x"}, b"hstore(ARRAY['it''s'], ARRAY['x'])"),
    ],
)
def test_adapting_hstore(value, quoted):
    assert HstoreAdapter(value).getquoted() == quoted


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ({}, b"''::hstore"),
        ({"a": "1", "b": None}, b"(('a' => '1')||('b' => NULL))"),
        ({"it's": "\\"}, b"(('it''s' => '\\'))"),
    ],
)
def test_adapting_hstore_for_servers_before_9_0(value, quoted):
    assert HstoreAdapter(value)._getquoted_8() == quoted


@pytest.mark.parametrize(
    ("version", "quoted"), [(80422, b"(('a' => '1'))"), (90000, b"hstore(ARRAY['a'], ARRAY['1'])")]
)
def test_the_form_of_hstore_depends_on_the_server(version, quoted):
    # No server of that age runs any more: the adapter asks only for its version.
    class Adapter(HstoreAdapter):
        conn = SimpleNamespace(info=SimpleNamespace(server_version=version))

        def __init__(self, wrapped):
            self.wrapped = wrapped

        def _quoted(self, value):
            return extensions.adapt(value).getquoted()

    assert Adapter({"a": "1"}).getquoted() == quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1,2)", ["1", "2"]),
        ("(,)", [None, None]),
        ("()", [None]),
        ('("",x)', ["", "x"]),
        ('("a b","c""d")', ["a b", 'c"d']),
        (r'("a\\b","c,d")', ["a\\b", "c,d"]),
        ('("(1,""2 3"")",x)', ['(1,"2 3")', "x"]),
        ('("a\nb")', ["a\nb"]),
        ("( a ,b)", [" a ", "b"]),
    ],
)
def test_tokens_of_a_composite_value(text, expected):
    assert CompositeCaster.tokenize(text) == expected


@pytest.mark.parametrize("text", ["", "1,2", "(1,2", '("1,2)', "(1,2)x", "(1)(2)"])
def test_what_is_no_composite_value(text):
    with pytest.raises(InterfaceError, match="can't parse type"):
        CompositeCaster.tokenize(text)


class Casting:
    """A cursor that only casts."""

    def cast(self, oid, text):
        return (oid, text)


def test_a_composite_becomes_a_named_tuple():
    caster = CompositeCaster("my type", 1_000_011, [("a", 23), ("b", 25)], array_oid=1_000_012)
    value = caster.parse("(1,)", Casting())
    assert type(value).__name__ == "my_type"
    assert (value.a, value.b) == ((23, "1"), (25, None))
    assert caster.parse(None, Casting()) is None
    assert (caster.typecaster.name, caster.array_typecaster.name) == ("my type", "my typeARRAY")


def test_a_composite_of_another_size_is_an_error():
    caster = CompositeCaster("t", 1_000_011, [("a", 23)])
    assert caster.array_typecaster is None
    with pytest.raises(DataError, match="expecting 1 components for the type t, 2 found instead"):
        caster.parse("(1,2)", Casting())


def test_a_composite_can_be_made_otherwise():
    class AsDict(CompositeCaster):
        def make(self, values):
            return dict(zip(self.attnames, values))

    caster = AsDict("t", 1_000_011, [("a", 23), ("b", 25)])
    assert caster.parse("(1,x)", Casting()) == {"a": (23, "1"), "b": (25, "x")}


def test_uuid(registry):
    value = uuid.UUID("12345678-1234-5678-1234-567812345678")
    caster = register_uuid()
    assert caster is registry[2950]
    assert caster(str(value), None) == value
    assert caster(None, None) is None
    assert registry[2951].name == "UUID[]"
    assert extensions.adapt(value).getquoted() == f"'{value}'::uuid".encode()
    assert str(extensions.adapt(value)) == f"'{value}'::uuid"


def test_uuid_with_other_oids(registry):
    register_uuid((900_011, 900_012))
    assert {900_011, 900_012} <= set(registry)


def test_ipaddress(registry):
    register_ipaddress()
    assert registry[869]("192.168.1.5/24", None) == ipaddress.ip_interface("192.168.1.5/24")
    assert registry[650]("::/64", None) == ipaddress.ip_network("::/64")
    assert registry[869](None, None) is None
    for value in (ipaddress.ip_interface("::1"), ipaddress.ip_network("10.0.0.0/8")):
        assert extensions.adapt(value).getquoted() == f"'{value}'".encode()


def test_inet_is_deprecated(registry):
    with pytest.warns(DeprecationWarning, match="the inet adapter is deprecated"):
        caster = register_inet()
    assert repr(caster("1.2.3.4/8", None)) == "Inet('1.2.3.4/8')"
    assert caster(None, None) is None


def test_inet_is_quoted():
    assert Inet("1'").getquoted() == b"'1'''::inet"
    assert str(Inet("::1")) == "::1"
