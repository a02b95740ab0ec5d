"""What each built-in adapter writes, without a session."""

from __future__ import annotations

import array
import datetime as dt
import enum
import gc
import math
import weakref
from decimal import Decimal
from typing import Any

import pytest

from psycoxide import _psycopg as pg


class Colour(enum.IntEnum):
    RED = -5


class Shout(float):
    """A float that prints itself as something else, as numpy's float64 does."""

    def __repr__(self) -> str:
        return f"Shout({float(self)})"

    __str__ = __repr__


class Text(str):
    """A str whose characters do not lie where those of a plain one do."""


def quoted(obj: object) -> bytes:
    return pg.adapt(obj).getquoted()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"NULL"),
        (True, b"true"),
        (False, b"false"),
        (0, b"0"),
        (-1, b" -1"),
        (2**63 - 1, b"9223372036854775807"),
        (-(2**63), b" -9223372036854775808"),
        (2**100, b"1267650600228229401496703205376"),
        (-(2**100), b" -1267650600228229401496703205376"),
        (Colour.RED, b" -5"),
        (1.5, b"1.5"),
        (-1e20, b" -1e+20"),
        (1e-7, b"1e-07"),
        (-0.0, b" -0.0"),
        (math.inf, b"'Infinity'::float"),
        (-math.inf, b"'-Infinity'::float"),
        (math.nan, b"'NaN'::float"),
        (Shout(-2.5), b" -2.5"),
        (Decimal("1.50"), b"1.50"),
        (Decimal("-1E+3"), b" -1E+3"),
        (Decimal("NaN"), b"'NaN'::numeric"),
        (Decimal("sNaN"), b"'NaN'::numeric"),
        (Decimal("Infinity"), b"'Infinity'::numeric"),
        (Decimal("-Infinity"), b"'-Infinity'::numeric"),
        ("l'heure \\", b"'l''heure \\'"),
        ("", b"''"),
        (dt.date(1, 2, 3), b"'0001-02-03'::date"),
        (dt.time(4, 5, 6), b"'04:05:06'::time"),
        (dt.time(4, 5, 6, 7, dt.timezone.utc), b"'04:05:06.000007+00:00'::timetz"),
        (dt.datetime(2020, 1, 2, 3, 4, 5), b"'2020-01-02T03:04:05'::timestamp"),
        (
            dt.datetime(2020, 1, 2, 3, 4, 5, 6, dt.timezone(dt.timedelta(hours=-3.5))),
            b"'2020-01-02T03:04:05.000006-03:30'::timestamptz",
        ),
        (dt.timedelta(seconds=-1), b"'-1 days 86399.000000 seconds'::interval"),
        ([], b"'{}'"),
        ([None], b"'{NULL}'"),
        ([None, None], b"'{NULL,NULL}'"),
        ([[]], b"ARRAY[ARRAY[]]"),
        ([[None]], b"'{{NULL}}'"),
        ([[[None], [None]]], b"'{{{NULL},{NULL}}}'"),
        ([[1], [None]], b"ARRAY[ARRAY[1],'{NULL}']"),
        ([1, None, -2], b"ARRAY[1,NULL, -2]"),
        (["a'b"], b"ARRAY['a''b']"),
        ((), b"()"),
        ((1, "a", None), b"(1, 'a', NULL)"),
        (((1, 2), [3]), b"((1, 2), ARRAY[3])"),
    ],
)
def test_values(value: object, text: bytes) -> None:
    assert quoted(value) == text
    assert pg._mogrify(b"%s", (value,)) == text


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes(make: Any) -> None:
    assert pg._mogrify(b"%s", (make(b"\0'\\\xff"),)) == rb"'\x00275cff'::bytea"
    assert pg._mogrify(b"%s", (make(b""),)) == rb"'\x'::bytea"
    # With no session: readable, and the same for every server.
    assert quoted(make(b"a'\\\0")) == rb"'a''\\\000'::bytea"
    assert quoted(make(b"")) == b"''::bytea"


def test_binary_takes_any_buffer() -> None:
    assert pg._mogrify(b"%s", (pg.Binary(array.array("H", [1])),)) in (
        rb"'\x0100'::bytea",
        rb"'\x0001'::bytea",
    )
    assert pg.Binary(None).getquoted() == b"NULL"
    text = pg.Binary("text")
    with pytest.raises(TypeError, match="can't escape str to binary"):
        text.getquoted()
    with pytest.raises(BufferError):
        pg.Binary(memoryview(b"abcd")[::2]).getquoted()


def test_str_of_an_adapter_is_its_text() -> None:
    assert str(pg.QuotedString("a'b")) == "'a''b'"
    assert str(pg.QuotedString("é")) == "'é'"
    assert str(pg.Binary(b"")) == "''::bytea"
    assert str(pg.List([1, "é"])) == "ARRAY[1,'é']"
    assert str(pg.AsIs("now()")) == "now()"
    assert str(pg.Date(2020, 1, 2)) == "'2020-01-02'::date"
    assert str(pg.SQL_IN((1, 2))) == "b'(1, 2)'"


@pytest.mark.parametrize(
    ("adapter", "text"),
    [
        (pg.AsIs(None), b"NULL"),
        (pg.AsIs(3.5), b"3.5"),
        (pg.Boolean([]), b"false"),
        (pg.Boolean("x"), b"true"),
        (pg.Int("-12"), b" -12"),
        (pg.Int(1.9), b"1"),
        (pg.Float(3), b"3"),
        (pg.Float(True), b"1"),
        (pg.Decimal(Decimal("-0.0")), b" -0.0"),
        (pg.QuotedString(b"x'"), b"'x'''"),
        (pg.SQL_IN(iter([1, "a"])), b"(1, 'a')"),
        (pg.NoneAdapter(None), b"NULL"),
    ],
)
def test_adapters_by_themselves(adapter: Any, text: bytes) -> None:
    assert adapter.getquoted() == text


def test_numbers_of_other_classes() -> None:
    class Single:
        """Prints fewer digits than its value has, as numpy's float32 does."""

        def __init__(self, text: str) -> None:
            self.text = text

        def __float__(self) -> float:
            return -0.10000000149011612

        def __str__(self) -> str:
            return self.text

    assert pg.Float(Single("-0.1")).getquoted() == b" -0.1"
    for text in ("Single(-0.1)", "1--x", "--1", "", "'"):
        assert pg.Float(Single(text)).getquoted() == b" -0.10000000149011612"

    class Money(Decimal):
        def __str__(self) -> str:
            return "$1; drop table t"

    with pytest.raises(ValueError, match="not a number"):
        quoted(Money(1))
    assert quoted(Money("-Infinity")) == b"'-Infinity'::numeric"


def test_adapters_know_what_they_adapt() -> None:
    value = ["x"]
    for make in (pg.AsIs, pg.Binary, pg.Boolean, pg.Float, pg.Int, pg.QuotedString, pg.List):
        assert make(value).adapted is value
    moment = dt.datetime(2020, 1, 2)
    adapter = pg.TimestampFromPy(moment)
    assert adapter.adapted is moment
    assert adapter.type == 2
    assert pg.ISQLQuote(value)._wrapped is value
    assert pg.ISQLQuote(value).getquoted() is None


def test_wrong_types_are_refused() -> None:
    makers: list[Any] = [
        pg.DateFromPy,
        pg.TimeFromPy,
        pg.TimestampFromPy,
        pg.IntervalFromPy,
        pg.List,
    ]
    for make in makers:
        with pytest.raises(TypeError):
            make(3)
    with pytest.raises(TypeError, match="can't quote non-string object"):
        pg.QuotedString(3).getquoted()
    with pytest.raises(TypeError):
        pg.QuotedString("x").prepare(object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="invalid literal"):
        pg.Int("x").getquoted()
    with pytest.raises((TypeError, ValueError)):
        pg.Float("x").getquoted()


def test_constructors() -> None:
    assert pg.Date(2020, 1, 2).adapted == dt.date(2020, 1, 2)
    assert pg.Time(1, 2, 3.25).adapted == dt.time(1, 2, 3, 250000)
    assert pg.Timestamp(2020, 1, 2).adapted == dt.datetime(2020, 1, 2)
    zone = dt.timezone.utc
    stamp = pg.Timestamp(2020, 1, 2, 3, 4, 5.5, zone)
    assert stamp.getquoted() == b"'2020-01-02T03:04:05.500000+00:00'::timestamptz"
    ticks = 1273173119.99992
    local = dt.datetime.fromtimestamp(ticks)
    assert pg.DateFromTicks(ticks).adapted == local.date()
    assert pg.TimeFromTicks(ticks).adapted == local.time()
    made = pg.TimestampFromTicks(ticks).adapted
    assert made == local.astimezone()
    assert made.tzinfo is not None
    with pytest.raises(ValueError, match="month"):
        pg.Date(2020, 13, 1)
    with pytest.raises(ValueError, match="microsecond"):
        pg.Time(1, 2, 59.9999999)


def test_encoding_of_a_quoted_string() -> None:
    adapter = pg.QuotedString("☃")
    assert adapter.encoding == "latin1"
    with pytest.raises(UnicodeEncodeError):
        adapter.getquoted()
    adapter.encoding = "utf8"
    assert adapter.encoding == "utf8"
    assert adapter.buffer is None
    assert adapter.getquoted() == "'☃'".encode()
    assert adapter.buffer is adapter.getquoted()
    # Never Latin-1: hardly any session speaks it.
    assert pg.QuotedString("é").getquoted() == "'é'".encode()


def test_half_characters_cannot_hide_a_quote() -> None:
    adapter = pg.QuotedString(b"\xc3'; drop table x --")
    with pytest.raises(ValueError, match="multibyte"):
        adapter.getquoted()
    for encoding in ("SJIS", "BIG5", "GBK", "GB18030", "UHC"):
        with pytest.raises(ValueError, match="multibyte"):
            pg._mogrify(b"%s", (pg.QuotedString(b"\x95'"),), encoding=encoding)


def test_nul_is_refused() -> None:
    for value in ("a\0b", ["\0"], ("\0",)):
        with pytest.raises(ValueError, match=r"cannot contain NUL \(0x00\) characters"):
            pg._mogrify(b"%s", (value,))


@pytest.mark.parametrize("kind", [str, Text])
@pytest.mark.parametrize("encoding", ["utf_8", "iso8859_1", "euc_jis_2004"])
@pytest.mark.parametrize(
    "text", ["", "a", "it's", "x" * 5000, "\x7f", "é", "\xff" * 3, "a" * 100 + "é", "日本", "𝄞"]
)
def test_text_of_every_width(text: str, encoding: str, kind: type[str]) -> None:
    adapter = pg.adapt(kind(text))
    adapter.encoding = encoding
    try:
        wanted = b"'" + text.replace("'", "''").encode(encoding) + b"'"
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            adapter.getquoted()
    else:
        assert adapter.getquoted() == wanted


def test_isoformat_of_a_subclass_is_kept_inside_its_constant() -> None:
    class Moment(dt.datetime):
        def isoformat(self, *args: Any, **kwargs: Any) -> str:
            return "x'; drop table t --"

    assert quoted(Moment(2020, 1, 1)) == b"'x''; drop table t --'::timestamp"


def test_a_zone_may_have_no_offset() -> None:
    class Nowhere(dt.tzinfo):
        def utcoffset(self, moment: object) -> None:
            return None

        dst = utcoffset

        def tzname(self, moment: object) -> str:
            return "nowhere"

    assert quoted(dt.time(1, 2, tzinfo=Nowhere())) == b"'01:02:00'::timetz"


def test_nesting_ends_in_an_exception() -> None:
    endless: list[object] = []
    endless.append(endless)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep, (endless,)):
        with pytest.raises(RecursionError):
            pg._mogrify(b"%s", (value,))
    fair: object = 1
    for _ in range(400):
        fair = [fair]
    assert pg._mogrify(b"%s", (fair,)).startswith(b"ARRAY[ARRAY[")


def test_cycles_are_collected() -> None:
    class Holder(list):  # type: ignore[type-arg]
        pass

    for make in (pg.AsIs, pg.List, pg.QuotedString, pg.Binary, pg.SQL_IN, pg.ISQLQuote):
        holder = Holder()
        holder.append(make(holder))
        alive = weakref.ref(holder)
        del holder
        gc.collect()
        assert alive() is None


def test_adapters_can_be_inherited_from() -> None:
    class Point(pg.AsIs):
        def __init__(self, x: int, y: int) -> None:
            super().__init__(f"point({x}, {y})")

    class Loud(pg.QuotedString):
        def getquoted(self) -> bytes:
            return super().getquoted().upper()

    assert pg._mogrify(b"%s %s", (Point(1, 2), Loud("a"))) == b"point(1, 2) 'A'"
