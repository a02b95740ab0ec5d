"""Strategies for what is written: values of all kinds, templates, composed SQL."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
from collections import namedtuple
from typing import Any

from hypothesis import strategies as st
from two_drivers import Custom, Recipe


class Whole(int):
    def __str__(self) -> str:
        return "a whole"


class Real(float):
    pass


class Word(str):
    def __str__(self) -> str:
        return "another word"


class Raw(bytes):
    pass


class Row(list):
    pass


class Colour(enum.IntEnum):
    RED = 1


Point = namedtuple("Point", "x y")


def call(path: str, *arguments: Any, **options: Any) -> Recipe:
    return Recipe(path, arguments, tuple(options.items()))


def made(path: str, *strategies: Any) -> Any:
    """A strategy for a call with drawn arguments."""
    return st.tuples(*strategies).map(lambda drawn: call(path, *drawn))


# --- the leaves

OFFSETS = st.integers(-86399, 86399).map(lambda s: dt.timezone(dt.timedelta(seconds=s)))
ZONES = st.none() | st.just(dt.timezone.utc) | OFFSETS
INTEGERS = st.integers() | st.integers(-(2**63), 2**63) | st.integers(-(10**60), 10**60)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.text(
    "ab'\\\"\n\r\t%{},() ", max_size=9
)
ANY_TEXTS = TEXTS | st.text(st.characters(), max_size=5)
DATETIMES = st.datetimes(timezones=ZONES)
TIMES = st.times(timezones=ZONES)
BOUNDS = st.sampled_from(["[]", "[)", "(]", "()"])
ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.ip_addresses(v=4).map(ipaddress.ip_interface),
    st.ip_addresses(v=6).map(ipaddress.ip_interface),
    st.ip_addresses(v=4).map(lambda a: ipaddress.ip_network(f"{a}/8", strict=False)),
    st.ip_addresses(v=6).map(lambda a: ipaddress.ip_network(f"{a}/44", strict=False)),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def ranges(name: str, bounds: Any) -> Any:
    inner = made(f"extras.{name}", st.none() | bounds, st.none() | bounds, BOUNDS)
    return inner | st.just(call(f"extras.{name}", empty=True))


RANGES = st.one_of(
    ranges("NumericRange", st.integers() | st.decimals() | st.floats()),
    ranges("DateRange", st.dates()),
    ranges("DateTimeRange", st.datetimes()),
    ranges("DateTimeTZRange", DATETIMES),
    ranges("Range", st.integers()),
)
HSTORES = st.dictionaries(TEXTS, st.none() | TEXTS, max_size=3)

LEAVES = st.one_of(
    st.none(), st.booleans(), INTEGERS, st.floats(), st.decimals(), st.complex_numbers(),
    ANY_TEXTS, st.binary(max_size=9), st.binary(max_size=5).map(bytearray),
    st.binary(max_size=5).map(memoryview), st.dates(), TIMES, DATETIMES, st.timedeltas(),
    st.uuids(), ADDRESSES, RANGES, HSTORES, st.just(()), st.just([]), st.just({}),
    st.integers().map(Whole), st.floats().map(Real), TEXTS.map(Word),
    st.binary(max_size=3).map(Raw),
    st.just(Colour.RED), st.just(object), st.just(Ellipsis), st.just({1}),
    made("extras.Json", JSON), made("extras.Inet", TEXTS),
    made("extensions.AsIs", INTEGERS | TEXTS | st.none() | st.floats()),
    made("extensions.QuotedString", ANY_TEXTS | st.integers()),
    made("extensions.Binary", st.binary(max_size=5) | st.none() | TEXTS),
    made("extensions.Int", INTEGERS | st.booleans()), made("extensions.Float", st.floats()),
    made("extensions.Boolean", INTEGERS | TEXTS),
    made("extensions.DateFromPy", st.dates()), made("extensions.TimeFromPy", TIMES),
    made("extensions.TimestampFromPy", DATETIMES),
    made("extensions.IntervalFromPy", st.timedeltas()),
    made("base.Date", st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32)),
    made("base.Time", st.integers(0, 24), st.integers(0, 60), st.floats(0, 61)),
    made("base.Timestamp", st.integers(1, 9999), st.integers(1, 12), st.integers(1, 28),
         st.integers(0, 23), st.integers(0, 59), st.floats(0, 59)),
    made("base.DateFromTicks", st.floats(0, 2e9)), made("base.TimeFromTicks", st.floats(0, 2e9)),
    made("base.TimestampFromTicks", st.floats(0, 2e9)),
    made("sql.SQL", TEXTS), made("sql.Identifier", TEXTS), made("sql.Literal", INTEGERS | TEXTS),
)  # fmt: skip


def nested(leaves: Any) -> Any:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.lists(st.none() | inner, max_size=3),
            st.tuples(inner, inner).map(lambda xy: Point(*xy)),
            inner.map(lambda one: Row([one])) if leaves is PLAIN else st.nothing(),
        ),
        max_leaves=6,
    )


PLAIN = st.one_of(st.none(), INTEGERS, st.floats(), TEXTS, st.dates(), st.decimals())


def values() -> Any:
    """Anything that one may try to pass as a parameter."""
    custom = nested(PLAIN).map(Custom)
    return st.one_of(LEAVES, nested(LEAVES), nested(PLAIN), custom, st.lists(custom, max_size=2))


# --- templates

# Well-formed ones only: for others psycopg2 releases an object too often, and the interpreter
# crashes some time later. cases.py has those, a few in a process.
LITERAL = st.text("ab '\n\u20ac\\()sd", max_size=3) | st.just("%%")
NAMES = st.sampled_from(["a", "b", "a b", "", "(a)", "a%s"])


class Missing(dict):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def filled() -> Any:
    """A template and its parameters."""
    one = nested(PLAIN)

    def positional(values: list[Any]) -> Any:
        texts = st.lists(LITERAL, min_size=len(values) + 1, max_size=len(values) + 1)
        return st.tuples(texts.map("%s".join), st.sampled_from([values, tuple(values)]))

    def named(names: list[str]) -> Any:
        parts = st.tuples(*(LITERAL.map(lambda text, n=n: f"{text}%({n})s") for n in names))
        values = st.fixed_dictionaries(dict.fromkeys(names, one), optional={"more": one})
        return st.tuples(parts.map("".join), values | values.map(Missing) | st.just(Missing()))

    cases = st.lists(one, max_size=4).flatmap(positional) | st.lists(
        NAMES, min_size=1, max_size=4
    ).flatmap(named)
    return cases.flatmap(lambda c: st.sampled_from([c, (c[0].encode(), c[1]), (Word(c[0]), c[1])]))


# --- composed SQL


def composed() -> Any:
    literal = made("sql.Literal", nested(PLAIN) | LEAVES)
    leaves = st.one_of(
        made("sql.SQL", TEXTS),
        st.lists(ANY_TEXTS, min_size=1, max_size=3).map(
            lambda parts: call("sql.Identifier", *parts)
        ),
        literal,
        made("sql.Placeholder", st.none() | TEXTS),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner | st.integers() | TEXTS, max_size=3).map(
            lambda parts: call("sql.Composed", parts)
        ),
        max_leaves=5,
    )


# --- values that a server takes, with their type


def storable() -> Any:
    server_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
    quoting = st.text("ab'\\\"\n\t{},() NUL", max_size=8)
    text = server_texts | quoting
    int4 = st.integers(-(2**31), 2**31 - 1)
    moment = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=OFFSETS)
    kinds = {
        "int": int4,
        "int8": st.integers(-(2**63), 2**63 - 1),
        "numeric": st.decimals(allow_infinity=False) | st.integers(),
        "float8": st.floats(),
        "float4": st.floats(width=32),
        "text": text,
        "bytea": st.binary(max_size=20),
        "bool": st.booleans(),
        "date": st.dates(),
        "time": st.times(),
        "timetz": st.times(timezones=st.integers(-57599, 57599).map(
            lambda s: dt.timezone(dt.timedelta(seconds=s)))),
        "timestamp": st.datetimes(),
        "timestamptz": moment,
        "interval": st.timedeltas(dt.timedelta(-(10**8)), dt.timedelta(10**8)),
        "uuid": st.uuids(),
        "inet": ADDRESSES,
        "cidr": ADDRESSES,
        "json": made("extras.Json", JSON),
        "jsonb": made("extras.Json", JSON),
        "hstore": st.dictionaries(text, st.none() | text, max_size=3),
        "int4range": ranges("NumericRange", int4),
        "int8range": ranges("NumericRange", st.integers(-(2**60), 2**60)),
        "numrange": ranges("NumericRange", st.decimals(allow_nan=False, allow_infinity=False)),
        "daterange": ranges("DateRange", st.dates()),
        "tsrange": ranges("DateTimeRange", st.datetimes()),
        "tstzrange": ranges("DateTimeTZRange", moment),
        "differ_values.pair": st.tuples(st.none() | int4, st.none() | text),
        "differ_values.nest": st.tuples(
            st.none() | st.tuples(st.none() | int4, st.none() | text),
            st.none() | moment,
            st.none() | st.lists(int4, min_size=1, max_size=3),
        ),
    }  # fmt: skip

    def cases(kind: str) -> Any:
        one = kinds[kind]
        many = st.lists(st.none() | one, max_size=3)
        square = st.integers(1, 2).flatmap(
            lambda n: st.lists(
                st.lists(st.none() | one, min_size=n, max_size=n), min_size=1, max_size=2
            )
        )
        plain = st.tuples(st.just(kind), st.none() | one)
        return plain | st.tuples(st.just(f"{kind}[]"), many | square)

    return st.sampled_from(sorted(kinds)).flatmap(cases)
