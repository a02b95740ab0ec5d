"""Multiranges, which psycopg2 does not have: str until they are registered."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from decimal import Decimal

import pytest
from fixtures.server import needs_version

import psycoxide
from psycoxide.extras import (
    DateMultirange,
    DateRange,
    DateTimeMultirange,
    DateTimeRange,
    DateTimeTZMultirange,
    DateTimeTZRange,
    Multirange,
    NumericMultirange,
    NumericRange,
    Range,
    register_default_multiranges,
    register_multirange,
    register_range,
)

NOON = dt.datetime(2024, 2, 29, 12)
UTC = dt.timezone.utc

VALUES = [
    ("int4multirange", NumericMultirange([NumericRange(1, 3), NumericRange(5, None)])),
    ("int8multirange", NumericMultirange([NumericRange(-(2**40), 2**40)])),
    ("nummultirange", NumericMultirange([NumericRange(Decimal("-1.5"), Decimal("2.5"), "(]")])),
    (
        "datemultirange",
        DateMultirange(
            [
                DateRange(None, dt.date(2024, 1, 1), "()"),
                DateRange(dt.date(2024, 2, 29), dt.date(2025, 1, 1)),
            ]
        ),
    ),
    ("tsmultirange", DateTimeMultirange([DateTimeRange(NOON, None, "()")])),
    (
        "tstzmultirange",
        DateTimeTZMultirange([DateTimeTZRange(NOON.replace(tzinfo=UTC), None, "[)")]),
    ),
    ("int4multirange", NumericMultirange()),
    ("tstzmultirange", DateTimeTZMultirange()),
]


@pytest.fixture
def cur(conn):
    needs_version(conn, 14, "a multirange")
    return conn.cursor()


@pytest.mark.parametrize(("type_name", "value"), VALUES)
def test_there_and_back(conn, cur, type_name, value):
    register_default_multiranges(conn)
    cur.execute(f"select %s::{type_name}, array[%s, %s]::{type_name}[]", (value, value, value))
    (one, many) = cur.fetchone()
    assert one == value
    assert type(one) is type(value)
    assert all(type(mine) is type(theirs) for mine, theirs in zip(one, value))
    assert many == [value, value]
    cur.execute(f"select null::{type_name}")
    assert cur.fetchone() == (None,)


def test_without_registration_they_are_str_as_in_psycopg2(cur):
    cur.execute("select '{[1,3),[5,)}'::int4multirange")
    assert cur.fetchone() == ("{[1,3),[5,)}",)


def test_the_server_merges_and_sorts(conn, cur):
    register_default_multiranges(cur)
    ranges = NumericMultirange([NumericRange(5, 9), NumericRange(1, 3), NumericRange(3, 4)])
    cur.execute("select %s::int4multirange", (ranges,))
    assert cur.fetchone()[0] == NumericMultirange([NumericRange(1, 4), NumericRange(5, 9)])
    other = conn.cursor()
    other.execute("select '{[1,3)}'::int4multirange")
    assert other.fetchone() == ("{[1,3)}",)


def test_a_multirange_of_ones_own(conn, cur):
    cur.execute("create type textrange as range (subtype = text)")
    register_range("textrange", "TextRange", conn)
    caster = register_multirange("textmultirange", "TextMultirange", conn)
    assert caster.multirange.__name__ == "TextMultirange"
    cur.execute("""select '{["(a","a,\\")"),[{x},"}")}'::textmultirange""")
    (value,) = cur.fetchone()
    assert isinstance(value, caster.multirange)
    assert [(one.lower, one.upper) for one in value] == [("(a", 'a,")'), ("{x}", "}")]
    cur.execute("select %s", (value,))
    assert cur.fetchone() == (value,)


def test_what_the_server_does_not_have(conn, cur):
    with pytest.raises(psycoxide.ProgrammingError, match="multirange 'nosuch' not found"):
        register_multirange("nosuch", "NoSuch", conn)
    with pytest.raises(psycoxide.ProgrammingError, match="'int4range' not found"):
        register_multirange("int4range", "NoSuch", conn)
    assert conn.status == psycoxide.extensions.STATUS_READY
    with pytest.raises(TypeError, match="pgmultirange must be"):
        register_multirange(7, "NoSuch", conn)
    with pytest.raises(TypeError, match="pymultirange must be"):
        register_multirange("int4multirange", Multirange, conn)


def test_as_a_sequence():
    value = NumericMultirange([NumericRange(1, 3), NumericRange(5, None)])
    assert len(value) == 2
    assert value[0] == NumericRange(1, 3)
    assert value[1:] == NumericMultirange([NumericRange(5, None)])
    assert list(reversed(value)) == [NumericRange(5, None), NumericRange(1, 3)]
    assert 2 in value
    assert 3 not in value
    assert NumericRange(1, 3) in value
    assert NumericRange(1, 2) not in value
    assert value.index(NumericRange(5, None)) == 1
    assert not NumericMultirange()
    assert value
    assert value == Multirange(list(value))
    assert value != list(value)
    assert len({value, copy.copy(value)}) == 1
    assert repr(value) == (
        "NumericMultirange([NumericRange(1, 3, '[)'), NumericRange(5, None, '[)')])"
    )
    assert str(value) == "{[1, 3), [5, None)}"
    assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(TypeError, match="consists of ranges: got int"):
        NumericMultirange([1])
    with pytest.raises(AttributeError):
        value.ranges = ()


def test_parsing_without_a_cursor(cur):
    caster = register_multirange("int4multirange", "Own", cur.connection)
    assert caster.parse("{[1,3)}") == Multirange([Range("1", "3")])
    assert caster.parse(None) is None
    for text in ("", "{", "{[1,3)", "{[1,3)[5,6)}", "{[1,3),}", "[1,3)"):
        with pytest.raises(psycoxide.InterfaceError, match="failed to parse multirange"):
            caster.parse(text)


def test_a_multirange_of_no_known_type_is_refused(cur):
    with pytest.raises(psycoxide.ProgrammingError, match="can't adapt type 'Multirange'"):
        cur.execute("select %s", (Multirange([NumericRange(1, 2)]),))
