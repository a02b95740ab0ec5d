"""JSON: the adapter and the typecasters."""

import decimal
import json

import pytest

from psycoxide import extensions
from psycoxide.extras import Json, register_json


def test_an_object_is_written_as_json():
    assert extensions.adapt(Json({"a": "it's"})).getquoted() == b"""'{"a": "it''s"}'"""
    assert str(Json([1, None])) == "'[1, null]'"


def test_dumps_can_be_given_or_overridden():
    class Sorted(Json):
        def dumps(self, obj):
            return json.dumps(obj, sort_keys=True)

    assert Json({}, dumps=lambda obj: "given").getquoted() == b"'given'"
    assert Sorted({"b": 1, "a": 2}).getquoted() == b"""'{"a": 2, "b": 1}'"""


def test_it_conforms_to_isqlquote_only():
    wrapped = Json(1)
    assert wrapped.__conform__(extensions.ISQLQuote) is wrapped
    assert wrapped.__conform__(int) is None


def test_the_default_casters():
    for oid, name in ((114, "JSON"), (199, "JSONARRAY"), (3802, "JSONB"), (3807, "JSONBARRAY")):
        assert extensions.string_types[oid].name == name
    assert extensions.JSON == 114
    assert extensions.JSONB('{"a": [1, 2.5, null]}', None) == {"a": [1, 2.5, None]}
    assert extensions.JSON(None, None) is None
    with pytest.raises(ValueError):
        extensions.JSON("{", None)


@pytest.fixture
def registry():
    """The global typecasters, put back after the test."""
    kept = dict(extensions.string_types)
    yield extensions.string_types
    extensions.string_types.clear()
    extensions.string_types.update(kept)


def test_registering_with_oids(registry):
    caster, array = register_json(oid=900_001, array_oid=900_002, globally=True, name="mine")
    assert (caster.name, array.name) == ("MINE", "MINEARRAY")
    assert registry[900_001] is caster
    assert registry[900_002] is array


def test_registering_without_an_array(registry):
    caster, array = register_json(
        oid=900_001, loads=lambda s: json.loads(s, parse_float=decimal.Decimal)
    )
    assert array is None
    assert caster("1.10", None) == decimal.Decimal("1.10")
    assert caster(None, None) is None
