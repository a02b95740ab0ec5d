"""Which adapter is chosen, and that what a user registers wins at once."""

from __future__ import annotations

import datetime as dt
import enum
from collections import namedtuple
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from psycoxide import _psycopg as pg
from psycoxide._exceptions import ProgrammingError


@pytest.fixture(autouse=True)
def registry() -> Iterator[dict[Any, Any]]:
    """The registry, put back as it was when the test is over."""
    before = dict(pg.adapters)
    yield pg.adapters
    pg.adapters.clear()
    pg.adapters.update(before)


def merge(*values: object) -> bytes:
    return pg._mogrify(b"|".join([b"%s"] * len(values)), values)


def register(kind: type, adapter: Callable[[Any], Any]) -> None:
    pg.adapters[(kind, pg.ISQLQuote)] = adapter


def marked(value: object) -> Any:
    return pg.AsIs("marked")


VALUES: list[Any] = [
    True,
    1,
    1.5,
    "x",
    b"x",
    bytearray(b"x"),
    memoryview(b"x"),
    Decimal(1),
    dt.date(2020, 1, 1),
    dt.datetime(2020, 1, 1),
    dt.time(1),
    dt.timedelta(1),
    [1],
    (1,),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_registered_adapter_wins_at_once(value: Any) -> None:
    before = merge(value)
    register(type(value), marked)
    assert merge(value) == b"marked"
    if not isinstance(value, (list, tuple)):
        assert merge([value, value], (value,)) == b"ARRAY[marked,marked]|(marked)"
    register(type(value), type(pg.adapt(None)))
    assert merge(value) == b"NULL"
    del pg.adapters[(type(value), pg.ISQLQuote)]
    if not isinstance(value, (bool, dt.datetime)):
        with pytest.raises(ProgrammingError, match="can't adapt type"):
            merge(value)
    pg.adapters.update({(type(value), pg.ISQLQuote): marked})
    assert merge(value) == b"marked"
    assert before != b"marked"


def test_an_adapter_may_register_another_in_the_middle_of_a_query() -> None:
    class Switch:
        def __conform__(self, protocol: object) -> Any:
            register(int, marked)
            return pg.AsIs("switched")

    assert merge(1, Switch(), 1) == b"1|switched|marked"
    del pg.adapters[(int, pg.ISQLQuote)]
    register(int, pg.Int)
    assert merge([1, Switch(), 1]) == b"ARRAY[1,switched,marked]"


def test_a_time_zone_may_register_an_adapter() -> None:
    class Zone(dt.tzinfo):
        def utcoffset(self, moment: object) -> None:
            register(int, marked)

        dst = utcoffset

        def tzname(self, moment: object) -> str:
            return "nowhere"

    assert merge(1, dt.datetime(2020, 1, 1, tzinfo=Zone()), 1).endswith(b"|marked")


def test_a_builtin_adapter_serves_other_types() -> None:
    class Name:
        def __str__(self) -> str:
            return "name"

    register(Name, pg.AsIs)
    assert merge(Name(), [Name()]) == b"name|ARRAY[name]"
    register(str, pg.AsIs)
    assert merge("now()") == b"now()"
    register(dict, pg.SQL_IN)
    assert merge({"a": 1}) == b"(a)"


def test_exact_type_then_protocol_then_object_then_bases() -> None:
    class Base:
        pass

    class Derived(Base):
        def __conform__(self, protocol: object) -> Any:
            assert protocol is pg.ISQLQuote
            return conformed

    register(Base, lambda obj: pg.AsIs("base"))
    conformed: Any = pg.AsIs("conformed")
    assert merge(Derived()) == b"conformed"
    conformed = None
    assert merge(Derived()) == b"base"
    register(Derived, lambda obj: pg.AsIs("exact"))
    assert merge(Derived()) == b"exact"


def test_bases_are_searched_from_the_nearest() -> None:
    class A:
        pass

    class B(A):
        pass

    class C(B):
        pass

    register(A, lambda obj: pg.AsIs("a"))
    assert merge(C()) == b"a"
    register(B, lambda obj: pg.AsIs("b"))
    assert merge(C()) == b"b"


def test_subclasses_of_builtin_types() -> None:
    class Text(str):
        pass

    class Number(int):
        def __str__(self) -> str:
            return "'; drop table t --"

    class Level(enum.IntEnum):
        LOW = 1

    pair = namedtuple("pair", "a b")
    assert merge(Text("x'"), Number(-3), Level.LOW, pair(1, "b")) == b"'x'''| -3|1|(1, 'b')"


def test_other_protocols() -> None:
    class Other:
        @staticmethod
        def __adapt__(obj: object) -> Any:
            if obj == 3:
                raise TypeError("no")
            return ("adapted", obj)

    assert pg.adapt(1, Other) == ("adapted", 1)
    with pytest.raises(ProgrammingError, match="can't adapt type 'int'"):
        pg.adapt(3, Other)
    with pytest.raises(ProgrammingError, match="can't adapt type 'int'"):
        pg.adapt(3, None.__class__, "alternate")


def test_a_type_error_of_conform_means_no() -> None:
    class No:
        def __conform__(self, protocol: object) -> Any:
            raise TypeError("no")

    with pytest.raises(ProgrammingError, match="can't adapt type 'No'"):
        merge(No())


@pytest.mark.parametrize("where", ["adapter", "conform", "prepare attribute", "getquoted"])
def test_errors_of_adapters_pass_through(where: str) -> None:
    class Boom(Exception):
        pass

    class Bad:
        def __conform__(self, protocol: object) -> Any:
            if where == "conform":
                raise Boom
            return self

        def getquoted(self) -> bytes:
            raise Boom

    def raising(obj: object) -> Any:
        raise Boom

    if where == "adapter":
        register(Bad, raising)
    for value in (Bad(), [Bad()], (Bad(),)):
        with pytest.raises(Boom):
            merge(value)


@pytest.mark.parametrize("result", [None, 3, bytearray(b"x"), []])
def test_what_getquoted_may_not_return(result: object) -> None:
    class Bad:
        def __conform__(self, protocol: object) -> Any:
            return self

        def getquoted(self) -> object:
            return result

    name = type(result).__name__
    for value in (Bad(), [1, Bad()], (Bad(),)):
        with pytest.raises(ValueError, match=f"only bytes values expected, got {name}"):
            merge(value)


def test_getquoted_may_return_text() -> None:
    class Text:
        def __conform__(self, protocol: object) -> Any:
            return self

        def getquoted(self) -> str:
            return "'é'"

    assert pg._mogrify(b"%s", (Text(),), encoding="LATIN1") == b"'\xe9'"


def test_names_of_types_in_errors() -> None:
    for value, name in ((object(), "object"), ({}, "dict"), (1j, "complex"), (set, "type")):
        with pytest.raises(ProgrammingError, match=f"^can't adapt type '{name}'$"):
            merge(value)


def test_none_needs_no_adapter_but_in_tuples_it_has_one() -> None:
    register(type(None), marked)
    assert merge(None, [None, 1], (None,)) == b"NULL|ARRAY[NULL,1]|(marked)"


def test_a_list_may_change_while_it_is_written() -> None:
    values: list[object] = []

    class Shrink:
        def __conform__(self, protocol: object) -> Any:
            del values[1:]
            return pg.AsIs("x")

    values.extend([Shrink(), 1, 2, 3])
    assert merge(values) == b"ARRAY[x]"
