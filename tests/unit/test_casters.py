"""Typecaster objects: their names and oids, comparison, registries and construction."""

from __future__ import annotations

import gc
import operator
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from psycoxide import _psycopg as native
from psycoxide._exceptions import Error, ProgrammingError

# What is wrong by the stubs is tried as well.
_psycopg: Any = native

SCALARS: dict[str, tuple[int, ...]] = {
    "NUMBER": (20, 23, 21, 701, 700, 1700),
    "LONGINTEGER": (20,),
    "INTEGER": (23, 21),
    "FLOAT": (701, 700),
    "DECIMAL": (1700,),
    "UNICODE": (19, 18, 25, 1042, 1043),
    "BYTES": (19, 18, 25, 1042, 1043),
    "STRING": (19, 18, 25, 1042, 1043),
    "BOOLEAN": (16,),
    "DATETIME": (1114,),
    "DATETIMETZ": (1184,),
    "TIME": (1083, 1266),
    "DATE": (1082,),
    "INTERVAL": (704, 1186),
    "BINARY": (17,),
    "ROWID": (26,),
    "UNKNOWN": (705,),
}
ARRAYS: dict[str, tuple[int, ...]] = {
    "LONGINTEGERARRAY": (1016,),
    "INTEGERARRAY": (1005, 1006, 1007),
    "FLOATARRAY": (1021, 1022),
    "DECIMALARRAY": (1231,),
    "UNICODEARRAY": (1002, 1003, 1009, 1014, 1015),
    "BYTESARRAY": (1002, 1003, 1009, 1014, 1015),
    "STRINGARRAY": (1002, 1003, 1009, 1014, 1015),
    "BOOLEANARRAY": (1000,),
    "DATETIMEARRAY": (1115,),
    "DATETIMETZARRAY": (1185,),
    "TIMEARRAY": (1183, 1270),
    "DATEARRAY": (1182,),
    "INTERVALARRAY": (1187,),
    "BINARYARRAY": (1001,),
    "ROWIDARRAY": (1028, 1013),
    "INETARRAY": (1041,),
    "CIDRARRAY": (651,),
    "MACADDRARRAY": (1040,),
}
ALIASES = ["DATETIME", "DATETIMETZ", "TIME", "DATE", "INTERVAL"]


def caster(name: str) -> Any:
    return getattr(_psycopg, name)


@pytest.fixture
def string_types() -> Iterator[dict[int, Any]]:
    """The global registry, put back after the test."""
    types: dict[int, Any] = _psycopg.string_types
    saved = dict(types)
    yield types
    types.clear()
    types.update(saved)


@pytest.mark.parametrize("name", [*SCALARS, *ARRAYS])
def test_name_and_oids(name: str) -> None:
    assert caster(name).name == name
    assert caster(name).values == {**SCALARS, **ARRAYS}[name]


@pytest.mark.parametrize("name", ALIASES)
@pytest.mark.parametrize("suffix", ["", "ARRAY"])
def test_py_aliases_are_objects_of_their_own(name: str, suffix: str) -> None:
    alias = caster("PY" + name + suffix)
    assert alias is not caster(name + suffix)
    assert alias == caster(name + suffix)
    assert alias.name == "PY" + name + suffix


def test_the_later_of_two_registrations_is_in_force() -> None:
    assert _psycopg.string_types[25] is _psycopg.STRING
    assert _psycopg.string_types[1009] is _psycopg.STRINGARRAY
    assert _psycopg.string_types[20] is _psycopg.LONGINTEGER
    assert _psycopg.string_types[1700] is _psycopg.DECIMAL
    assert _psycopg.binary_types == {}


def test_compares_with_oids_from_both_sides() -> None:
    assert _psycopg.NUMBER == 23
    assert operator.eq(23, _psycopg.NUMBER)
    assert _psycopg.NUMBER != 25
    assert operator.ne(25, _psycopg.NUMBER)
    assert operator.eq(_psycopg.NUMBER, 25) is False
    assert _psycopg.NUMBER == "23"
    assert _psycopg.NUMBER != 2**80


def test_compares_with_casters_by_shared_oids() -> None:
    assert _psycopg.NUMBER == _psycopg.INTEGER
    assert _psycopg.STRING == _psycopg.UNICODE
    assert _psycopg.STRING != _psycopg.NUMBER


@pytest.mark.parametrize(
    ("other", "error"), [(None, TypeError), ("x", ValueError), ([], TypeError)]
)
def test_comparison_with_no_number_fails(other: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        operator.eq(_psycopg.NUMBER, other)


def test_is_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(_psycopg.DATE)


def test_cannot_be_made_directly() -> None:
    with pytest.raises(TypeError):
        type(_psycopg.DATE)()


def test_repr() -> None:
    assert repr(_psycopg.DATE).startswith("<psycoxide._psycopg.type 'DATE' at 0x")


@pytest.mark.parametrize("args", [(), ("1",), ("1", None, None)])
def test_takes_a_value_and_a_cursor(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="exactly 2 arguments"):
        _psycopg.INTEGER(*args)


@pytest.mark.parametrize("value", [1, bytearray(b"1"), ["1"]])
def test_takes_only_text(value: object) -> None:
    with pytest.raises(TypeError):
        _psycopg.INTEGER(value, None)


@pytest.mark.parametrize("name", [*SCALARS, *ARRAYS])
def test_null_is_none(name: str) -> None:
    assert caster(name)(None, None) is None


def test_new_type_calls_the_function() -> None:
    seen: list[tuple[object, object]] = []

    def cast(value: object, cursor: object) -> str:
        seen.append((value, cursor))
        return "made"

    new = _psycopg.new_type((23, 20), "NEW", cast)
    assert (new.name, new.values) == ("NEW", (23, 20))
    assert new == 20
    cursor = object()
    assert new("é", cursor) == "made"
    assert new("é".encode(), cursor) == "made"
    assert seen == [("é", cursor)] * 2


def test_new_type_takes_psycopg2s_keywords() -> None:
    new = _psycopg.new_type(values=(1,), name="x", castobj=lambda v, c: v, baseobj=_psycopg.DATE)
    assert new("y", None) == "y"


def test_new_type_without_a_function_fails_when_called() -> None:
    new = _psycopg.new_type((1,), "x", None)
    with pytest.raises(Error, match="no casting function"):
        new("1", None)
    assert _psycopg.new_type((1,)).name is None


def test_new_type_with_something_not_callable_fails_when_called() -> None:
    new = _psycopg.new_type((1,), "x", 42)
    with pytest.raises(TypeError, match="not callable"):
        new("1", None)


@pytest.mark.parametrize(
    "args", [([1], "x", None), ((1,), b"x", None), (1, "x", None), ((1,), 1, None)]
)
def test_new_type_checks_its_arguments(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        _psycopg.new_type(*args)


@pytest.mark.parametrize(
    "args", [((1,), "x", 1), ((1,), "x"), ([1], "x", None), ((1,), None, None)]
)
def test_new_array_type_checks_its_arguments(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        _psycopg.new_array_type(*args)


def test_an_oid_that_is_no_number_fails_in_comparison_only() -> None:
    new = _psycopg.new_type(("a",), "x", lambda v, c: v)
    assert new("1", None) == "1"
    with pytest.raises(TypeError):
        bool(new == 1)


def test_new_array_type_over_a_python_caster() -> None:
    upper = _psycopg.new_type((1,), "U", lambda v, c: "null" if v is None else v.upper())
    array = _psycopg.new_array_type((2,), "UARRAY", upper)
    assert array("{a,{}}".replace("{}", '"b c"'), None) == ["A", "B C"]
    assert array("{{a,NULL},{null,b}}", None) == [["A", "null"], ["null", "B"]]
    assert array("{}", None) == []


def test_new_array_type_over_an_array_reads_quoted_arrays() -> None:
    array = _psycopg.new_array_type((1,), "x", _psycopg.INTEGERARRAY)
    assert array('{"{1,2}","{}"}', None) == [[1, 2], []]


def test_arrays_of_arrays_end_somewhere() -> None:
    array = _psycopg.INTEGERARRAY
    with pytest.raises(ProgrammingError, match="too deep"):
        for _ in range(10_000):
            array = _psycopg.new_array_type((1,), "x", array)


def test_an_error_in_an_element_is_the_callers() -> None:
    def cast(value: str | None, cursor: object) -> object:
        raise KeyError(value)

    array = _psycopg.new_array_type((1,), "x", _psycopg.new_type((2,), "y", cast))
    with pytest.raises(KeyError, match="b"):
        array("{b}", None)


def test_values_made_before_an_error_are_released() -> None:
    class Thing:
        pass

    alive: list[weakref.ref[Thing]] = []

    def cast(value: str | None, cursor: object) -> Thing:
        if value == "x":
            raise KeyError(value)
        thing = Thing()
        alive.append(weakref.ref(thing))
        return thing

    array = _psycopg.new_array_type((1,), "x", _psycopg.new_type((2,), "y", cast))
    with pytest.raises(KeyError):
        array("{{a,b},{c,x}}", None)
    gc.collect()
    assert len(alive) == 3
    assert [ref() for ref in alive] == [None] * 3


def test_a_caster_may_be_called_from_within_a_caster() -> None:
    inner = _psycopg.new_array_type((1,), "x", _psycopg.INTEGER)
    outer = _psycopg.new_type((2,), "y", lambda v, c: inner(v.replace(";", ","), c))
    array = _psycopg.new_array_type((3,), "z", outer)
    assert array('{"{1;2}","{3}"}', None) == [[1, 2], [3]]


def test_a_caster_in_a_cycle_is_collected() -> None:
    class Function:
        caster: Any = None

        def __call__(self, value: str | None, cursor: object) -> str | None:
            return value

    function = Function()
    function.caster = _psycopg.new_array_type((1,), "x", _psycopg.new_type((2,), "y", function))
    ref = weakref.ref(function)
    del function
    gc.collect()
    assert ref() is None


def test_register_type_globally(string_types: dict[int, Any]) -> None:
    new = _psycopg.new_type((23, 999_999), "NEW", lambda v, c: v)
    assert _psycopg.register_type(new) is None
    assert string_types[23] is new
    assert string_types[999_999] is new
    _psycopg.register_type(_psycopg.INTEGER, None)
    assert string_types[23] is _psycopg.INTEGER


@pytest.mark.parametrize("args", [(1,), (_psycopg.DATE, 1), (), (_psycopg.DATE, None, None)])
def test_register_type_checks_its_arguments(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        _psycopg.register_type(*args)


INTEGER_ARRAYS = [
    *("{}", "{0}", "{1,2,3}", "{-1,-9223372036854775808,9223372036854775807}", "{NULL}"),
    *("{1,NULL,null,3}", "{NULL,NULL}", "{{1,2},{3,NULL}}", "{{}}", "[2:3]={1,2}", '{"1",2}'),
    *("{123456789012345678,1234567890123456789}", "{01}", "{ 1}", "{+1}", "{1_0}", "{0x1f}"),
    *("{1", "{1,", "{1,}", "{,1}", "1}", "{1}}", "{1},", "{1}x", "{NULLx}", "{1 ,2}", "{-}", "{a}"),
    *(
        "{99999999999999999999}",
        '{"1,2"}',
        "{1,{2}}",
        "{1\\,2}",
        "{" + ",".join(["7"] * 3000) + "}",
    ),
]


@pytest.mark.parametrize("text", INTEGER_ARRAYS, ids=lambda text: text[:20])
def test_arrays_of_integers_are_those_of_a_caster_in_python(text):
    """The short way through an array that only holds integers, beside the general one."""
    plain = _psycopg.new_type((1 << 20,), "PLAIN", lambda *given: _psycopg.INTEGER(*given))
    general = _psycopg.new_array_type((1 << 21,), "PLAINS", plain)

    def outcome(caster):
        try:
            return caster(text, None)
        except Exception as error:
            return type(error), str(error)

    assert outcome(_psycopg.INTEGERARRAY) == outcome(general)
