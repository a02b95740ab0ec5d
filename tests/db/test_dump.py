"""Parameters that are bound on the server: each has the type and the value of its merged literal.

psycopg 3's wrapper of libpq sends what was dumped: it takes types, formats and bytes as they are.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import math
import uuid
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from psycoxide import _psycopg as pg, extensions, extras

pytest.importorskip("psycopg", reason="no psycopg 3 to send parameters with")


@pytest.fixture(autouse=True)
def no_adapter_of_uuids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test's `register_uuid()` would hold for the whole process."""
    key = (uuid.UUID, extensions.ISQLQuote)
    monkeypatch.delitem(extensions.adapters, key, raising=False)


class Answer:
    """The type and the text of one value, or the SQLSTATE of the error that there was instead."""

    def __init__(self, result: Any) -> None:
        from psycopg.pq import ExecStatus

        self.error = None
        if result.status != ExecStatus.TUPLES_OK:
            self.error = result.error_field(ord("C"))
            self.message = result.error_message
            return
        self.type = result.get_value(0, 0)
        self.text = result.get_value(0, 1)

    def __repr__(self) -> str:
        return repr(self.message if self.error else (self.type, self.text))


class Peer:
    """A session that values are sent to in both ways."""

    encoding = "UTF8"

    def __init__(self, dsn: str) -> None:
        from psycopg.pq import PGconn

        self.conn = PGconn.connect(dsn.encode())
        assert not self.conn.error_message
        self.run(b"SET timezone = 'Europe/Rome'; SET client_min_messages = error")

    def run(self, sql: bytes) -> Any:
        return self.conn.exec_(sql)

    def merged(self, literal: bytes) -> Answer:
        return Answer(self.run(b"SELECT pg_typeof(%s)::text, (%s)::text" % (literal, literal)))

    def bound(self, oid: int, form: int, content: bytes | None) -> Answer:
        sql = b"SELECT pg_typeof($1)::text, $1::text" if oid else b"SELECT 'unknown', $1::text"
        return Answer(self.conn.exec_params(sql, [content], [oid], [form]))


@pytest.fixture(scope="module")
def peer(dsn: str) -> Iterator[Peer]:
    made = Peer(dsn)
    yield made
    made.conn.finish()


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """The adapters, put back after each test."""
    kept = dict(extensions.adapters)
    yield
    extensions.adapters.clear()
    extensions.adapters.update(kept)


def outcome(function: Any, *args: Any, **options: Any) -> Any:
    try:
        return function(*args, **options)
    except Exception as raised:
        return type(raised), str(raised)


def check(
    peer: Peer,
    value: Any,
    *,
    bound: bool | None = None,
    same_error: bool = True,
    **options: Any,
) -> Any:
    """Compares what the server makes of a value in both ways. Returns what was dumped."""
    options.setdefault("encoding", peer.encoding)
    literal = outcome(mogrify, value, **options)
    dumped = outcome(pg._dump, value, **options)
    if not isinstance(literal, bytes) or isinstance(dumped, bytes):
        assert dumped == literal
        assert not bound
        return dumped
    assert bound is not False
    merged, sent = peer.merged(literal), peer.bound(*dumped)
    if same_error or not (sent.error and merged.error):
        assert sent.error == merged.error, (literal, dumped, merged, sent)
    if not merged.error:
        assert (sent.type, sent.text) == (merged.type, merged.text), (literal, dumped)
    return dumped


def mogrify(value: Any, **options: Any) -> bytes:
    """The literal, by the conventions of psycopg2 or by the package's own."""
    if options.pop("own", False):
        return pg._dump((value,), own=True, **options)[1:-1]  # type: ignore[index,return-value]
    options.pop("binary", None)
    return pg._mogrify(b"%s", (value,), **options)


class NoOffset(dt.tzinfo):
    """A time zone that does not say."""

    def utcoffset(self, moment: dt.datetime | None) -> None:
        return None


class Colour(enum.Enum):
    RED = 1
    BLUE = "it's"


BORDERS = [2**bits + more for bits in (31, 32, 63, 64) for more in (-2, -1, 0, 1)]
INTEGERS = st.integers() | st.sampled_from(BORDERS + [-border for border in BORDERS])
INTEGERS |= st.integers(-(10**60), 10**60)
SOME_FLOATS = [0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, 1e16, 1e22, 1e-5, math.nan]
FLOATS = st.floats() | st.sampled_from([*SOME_FLOATS, math.inf, -math.inf])
SOME_DECIMALS = "0 -0 0.0 1E+5 1.50 -1E-5 1E+200 NaN sNaN -NaN123 Infinity -Infinity 7 99999999999"
DECIMALS = st.decimals() | st.sampled_from([Decimal(text) for text in SOME_DECIMALS.split()])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.text(
    "ab'\\\"\n\r\t%{},() \0NUL\x7fé\u20ac\U0001f600", max_size=9
)
BYTES = st.binary(max_size=9)
BUFFERS = BYTES | BYTES.map(bytearray) | BYTES.map(memoryview)
OFFSETS = st.timedeltas(
    dt.timedelta(days=-1, microseconds=1), dt.timedelta(days=1, microseconds=-1)
)
WHOLE_OFFSETS = st.integers(-86399, 86399).map(lambda seconds: dt.timedelta(seconds=seconds))
ZONES = st.one_of(
    st.just(dt.timezone.utc),
    (WHOLE_OFFSETS | OFFSETS).map(dt.timezone),
    st.sampled_from(["Europe/Rome", "America/New_York", "Asia/Kathmandu", "Africa/Monrovia"]).map(
        zoneinfo.ZoneInfo
    ),
    st.just(NoOffset()),
)
SOME_DAYS = [dt.date.min, dt.date.max, dt.date(2000, 2, 29), dt.date(1999, 12, 31)]
DATES = st.dates() | st.sampled_from(SOME_DAYS)
NAIVE = st.datetimes() | st.sampled_from([dt.datetime.min, dt.datetime.max])
AWARE = st.builds(lambda moment, zone: moment.replace(tzinfo=zone), NAIVE, ZONES)
NAIVE_TIMES = st.times() | st.sampled_from([dt.time.min, dt.time.max])
AWARE_TIMES = st.builds(lambda time, zone: time.replace(tzinfo=zone), NAIVE_TIMES, ZONES)
SPANS = st.timedeltas() | st.sampled_from([dt.timedelta.min, dt.timedelta.max, dt.timedelta(-1)])
FINITE = st.floats(allow_nan=False, allow_infinity=False)

# What lists are made of: each strategy gives values of one type.
KINDS = [
    st.booleans(), INTEGERS, st.integers(-5, 5), FLOATS, FINITE, DECIMALS, TEXTS, BUFFERS, DATES,
    NAIVE, AWARE, NAIVE_TIMES, AWARE_TIMES, SPANS, INTEGERS | FINITE, INTEGERS | DECIMALS,
    DECIMALS | FLOATS,
]  # fmt: skip
RANGES = [
    st.builds(
        kind, st.none() | bounds, st.none() | bounds, st.sampled_from(["[)", "(]", "[]", "()"])
    )
    for kind, bounds in [
        (extras.NumericRange, st.integers() | st.decimals(allow_nan=False)),
        (extras.DateRange, DATES),
        (extras.DateTimeRange, NAIVE),
        (extras.DateTimeTZRange, AWARE),
        (extras.DateTimeTZRange, NAIVE),
    ]
]
KINDS += [*RANGES, st.just(extras.DateRange(empty=True)) | RANGES[1]]
SCALARS = st.none() | st.one_of(KINDS)


def rectangles(kind: Any) -> Any:
    """Lists of lists of the same lengths."""
    items = st.none() | kind

    def of_shape(shape: list[int]) -> Any:
        made = items
        for size in shape:
            made = st.lists(made, min_size=size, max_size=size)
        return made

    return st.lists(st.integers(0, 3), min_size=1, max_size=3).flatmap(of_shape)


ARRAYS = st.one_of([rectangles(kind) for kind in KINDS])
RAGGED = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)


@given(SCALARS)
def test_a_scalar_is_bound_as_its_literal(peer: Peer, value: Any) -> None:
    check(peer, value)


@given(ARRAYS)
def test_a_list_is_bound_as_its_literal(peer: Peer, value: Any) -> None:
    check(peer, value)


@given(RAGGED)
def test_any_list_is_bound_or_merged(peer: Peer, value: Any) -> None:
    check(peer, value)


@given(SCALARS | ARRAYS)
def test_text_alone_says_the_same(peer: Peer, value: Any) -> None:
    """For servers whose binary formats are not known."""
    dumped = check(peer, value, binary=False)
    assert not isinstance(dumped, tuple) or dumped[1] != 1


@given(FLOATS)
def test_own_floats_are_double_precision(peer: Peer, value: float) -> None:
    oid, form, content = pg._dump(value, own=True)
    assert (oid, form) == (701, 1)
    sent, merged = peer.bound(oid, form, content), peer.merged(f"'{value!r}'::float8".encode())
    assert (sent.type, sent.text) == (merged.type, merged.text)


@pytest.mark.parametrize(
    ("value", "oid", "form"),
    [
        (None, 0, 0),
        (2**31 - 1, 23, 1),
        (-(2**31), 23, 1),
        (2**31, 20, 1),
        (-(2**63), 20, 1),
        (2**63, 1700, 0),
        (True, 16, 1),
        ("text", 0, 0),
        (b"bytes", 17, 1),
        (dt.date.max, 1082, 1),
        (dt.datetime.min, 1114, 1),
        (dt.datetime.max.replace(tzinfo=dt.timezone.utc), 1184, 1),
        (dt.datetime(2000, 1, 1, tzinfo=NoOffset()), 1184, 0),
        (dt.datetime(2000, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=16))), 1184, 0),
        (dt.time.max, 1083, 1),
        (dt.time(1, tzinfo=dt.timezone.utc), 1266, 1),
        (dt.time(1, tzinfo=zoneinfo.ZoneInfo("Europe/Rome")), 1266, 0),
        (dt.timedelta.min, 1186, 1),
        ([], 0, 0),
        ([[None], [None]], 0, 0),
        ([1, None], 1007, 1),
        ([1, 2**31], 1016, 1),
        ([[1], [2**70]], 1231, 0),
        ([2**31, 1, math.nan], 1022, 1),
        ([math.inf, 0], 1022, 1),
        (["a", "b"], 1009, 1),
        ([dt.date.min], 1182, 1),
        ([[dt.datetime.min] * 2] * 2, 1115, 1),
        ([b"x"], 1001, 1),
        ([dt.timedelta(1)], 1187, 1),
        (extras.NumericRange(1, 5), 0, 0),
        (extras.DateRange(dt.date.min, None), 3912, 0),
        ([extras.DateTimeRange(None, dt.datetime.max), None], 3909, 0),
    ],
)
def test_types_and_formats(peer: Peer, value: Any, oid: int, form: int) -> None:
    for own in (False, True):
        dumped = check(peer, value, bound=True, own=own)
        assert dumped[:2] == (oid, form)
        assert (dumped[2] is None) == (value is None)


@pytest.mark.parametrize(
    ("value", "oid", "own_oid"),
    [
        (1.5, 1700, 701),
        (math.inf, 701, 701),
        (Decimal("5"), 23, 1700),
        (Decimal("-5.0"), 1700, 1700),
        (Decimal("NaN"), 1700, 1700),
        ([1, 1.5], 1231, 1022),
        ([Decimal(1), 2], 1007, 1231),
        ([Decimal("1.5"), None], 1231, 1231),
    ],
)
def test_numbers_have_the_types_of_their_literals_or_of_their_classes(
    value: Any, oid: int, own_oid: int
) -> None:
    assert pg._dump(value)[0] == oid
    assert pg._dump(value, own=True)[0] == own_oid


def test_literals_have_no_negative_zero(peer: Peer) -> None:
    check(peer, -0.0)
    check(peer, [-0.0, math.nan], bound=True)
    assert pg._dump(-0.0, own=True) == (701, 1, b"\x80" + bytes(7))


@pytest.mark.parametrize(
    "value", [[Decimal("0.1"), 0.5], [2**60 + 1, 0.5], [2**70, 0.5], [0.5, Decimal("NaN")]]
)
def test_no_digit_is_lost_to_a_float_beside_it(peer: Peer, value: list[Any]) -> None:
    assert check(peer, value, own=True, bound=False).startswith(b"ARRAY[")
    check(peer, value, bound=True)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        [(1, 2)],
        [[1], []],
        [[1], [2, 3]],
        [1, [2]],
        [None, [1]],
        [1, "a"],
        ["a", True],
        [[[[[[[1]]]]]]],
        [dt.datetime.min, dt.date.min],
        [dt.datetime.min, dt.datetime.min.replace(tzinfo=dt.timezone.utc)],
        extensions.AsIs("1"),
        [extensions.AsIs("1")],
        extensions.AsIs(None),
    ],
)
def test_what_is_no_constant_is_merged(peer: Peer, value: Any) -> None:
    check(peer, value, bound=False)
    check(peer, value, bound=False, own=True)


@pytest.mark.parametrize(
    ("value", "oid", "form"),
    [
        (uuid.UUID(int=2**128 - 2), 2950, 1),
        ([uuid.UUID(int=1), None], 2951, 1),
        (ipaddress.ip_address("::1"), 0, 0),
        ({"a": "it's"}, 0, 0),
        ([{"a": 1}, {}], 1009, 1),
        (Colour.RED, 23, 1),
        ([Colour.RED, 2**40], 1016, 1),
        (Colour.BLUE, 0, 0),
    ],
)
def test_what_only_the_own_conventions_adapt(peer: Peer, value: Any, oid: int, form: int) -> None:
    assert check(peer, value, own=True, bound=True)[:2] == (oid, form)
    if not isinstance(value, list):
        with pytest.raises(pg.ProgrammingError, match="can't adapt type"):
            pg._dump(value)


def test_numbers_of_numpy(peer: Peer) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy has no wheel for this Python")
    for value, plain in [
        (numpy.int8(-5), -5),
        (numpy.uint64(2**64 - 1), 2**64 - 1),
        (numpy.int64(2**40), 2**40),
        (numpy.float16(0.5), 0.5),
        (numpy.float32(0.1), float(numpy.float32(0.1))),
        (numpy.float64(0.1), 0.1),
        (numpy.bool_(True), True),
        (numpy.str_("it's"), "it's"),
    ]:
        dumped = check(peer, value, own=True) if type(plain) is not float else None
        assert pg._dump(value, own=True) == pg._dump(plain, own=True) == (dumped or mock.ANY)
    for value in (numpy.datetime64("2020-01-01"), numpy.longdouble(1), numpy.complex64(1)):
        with pytest.raises(pg.ProgrammingError, match="can't adapt type"):
            pg._dump(value, own=True)
    with pytest.raises(pg.ProgrammingError, match="can't adapt type"):
        pg._dump(numpy.int64(1))


def test_a_float_behind_an_adapter_is_one() -> None:
    class Ratio(enum.Enum):
        HALF = 0.5
        EXACT = Decimal(2)

    assert pg._dump(Ratio.HALF, own=True) == pg._dump(0.5, own=True)
    assert pg._dump(extensions.Float(0.5), own=True) == pg._dump(0.5, own=True)
    assert pg._dump(Ratio.EXACT, own=True) == (1700, 0, b"2")
    assert pg._dump(extensions.Boolean([0]), own=True) == (16, 1, b"\1")


ENCODINGS = ["UTF8", "LATIN1", "LATIN9", "WIN1251", "EUC_JP", "SJIS", "BIG5", "GBK", "GB18030"]
LETTERS = st.text("ab'\\\"{},\0\n NULé€Ж表能許功一", max_size=9)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_in_any_client_encoding(dsn: str, encoding: str) -> None:
    peer = Peer(dsn)
    peer.encoding = encoding
    assert not Answer(peer.run(b"SET client_encoding = " + encoding.encode())).message

    @given(LETTERS | TEXTS, st.booleans())
    def compare(text: str, standard: bool) -> None:
        setting = b"on" if standard else b"off"
        peer.run(b"SET standard_conforming_strings = " + setting)
        for value in (text, [text, None], [[text], ['\\"']]):
            check(peer, value, standard_conforming_strings=standard)

    compare()
    peer.conn.finish()


class Custom:
    """An object that a program adapts by itself, to this SQL."""

    def __init__(self, sql: bytes | str) -> None:
        self.sql = sql


class CustomAdapter:
    def __init__(self, custom: Custom) -> None:
        self.custom = custom

    def getquoted(self) -> bytes | str:
        return self.custom.sql


@pytest.mark.parametrize(
    ("sql", "oid"),
    [
        (b"NULL", 0),
        (b"'NULL'::numeric", 1700),
        (b"'1,2'::numeric", 1700),
        (b"''::numeric", 1700),
        (b"'it''s'", 0),
        ("'it''s'", 0),
        (b"E'a\\\\b'", 0),
        (b"'2020-01-01'::date", 1082),
        (b"'2020-01-01T00:00:00+01:00'::timestamptz", 1184),
        (b"'(1,2)'::point", None),
        (b"'{1,2}'::int[]", 1007),
        (b"'{\"a\": 1}'::jsonb", 3802),
        (b"'[1,5)'::int4range", 3904),
        (b"'127.0.0.1'::inet", 869),
        (b"'ab'::char", None),
        (b"'ab'::text", 25),
        (b"'1.5'::FLOAT", 701),
        (b" -5", 23),
        (b"007", 23),
        (b"-2147483649", 20),
        (b"1e5", 1700),
        (b"true", 16),
        (b"ARRAY[1]", None),
        (b"now() is null", None),
        (b"'a' || 'b'", None),
        (b"(1 + 1)", None),
        (b"1.5::int", None),
        (b"", None),
        (b"'", None),
    ],
)
def test_a_programs_own_adapter(peer: Peer, sql: bytes | str, oid: int | None) -> None:
    extensions.register_adapter(Custom, CustomAdapter)
    for own in (False, True):
        dumped = check(peer, Custom(sql), bound=oid is not None, own=own)
        if oid is None:
            assert dumped == sql
        else:
            assert dumped[0] == oid
        check(peer, [Custom(sql)])
        check(peer, [None, Custom(sql), Custom(sql)])
        check(peer, [Custom(sql), 5])


WORDS = """' '' E' \\ \\\\ :: int text date jsonb float char numeric bytea uuid [] NULL null true
    TRUE False 5 -5 0 . .5 e5 E-2 - , ( ) a é \\x00 ARRAY[ ] {1} {a} [1,2) 1,2 daterange( numrange(
    '[)' || -- /* */ $1 _ x' b' U&' + inf NaN now 2020-01-01 1_000 0x1f 2147483648
    9223372036854775808"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\n", "\t"])
QUOTED = st.builds(
    "{}'{}'{}".format,
    st.sampled_from(["", "E", "e", " ", "N", "U&"]),
    st.lists(PIECES, max_size=4).map("".join),
    st.sampled_from(
        ["", "::text", "::int", "::date", "::bytea", "::int[]", "::interval", "::TIME"]
    ),
)


CALLS = st.sampled_from(["numrange", "daterange"])
CALLS = st.builds("{}({}, {}, '[)')".format, CALLS, QUOTED, QUOTED)


@given(st.lists(PIECES, max_size=6).map("".join) | QUOTED | CALLS, st.booleans())
def test_any_sql_of_an_adapter(peer: Peer, sql: str, standard: bool) -> None:
    """Whatever is taken for a constant is one, to the server as well."""
    extensions.register_adapter(Custom, CustomAdapter)
    peer.run(b"SET standard_conforming_strings = " + (b"on" if standard else b"off"))
    for value in (Custom(sql.encode()), [Custom(sql.encode()), None]):
        # Of two faults the server names one.
        check(peer, value, same_error=False, standard_conforming_strings=standard)
    peer.run(b"SET standard_conforming_strings = on")


def test_an_adapter_that_returns_no_sql() -> None:
    extensions.register_adapter(Custom, CustomAdapter)
    with pytest.raises(ValueError, match="only bytes values expected, got int"):
        pg._dump(Custom(5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [1, 1.5, "a", True, b"x", dt.date.min, dt.datetime.min, dt.timedelta(1), Decimal(1), [1]],
)
def test_a_replaced_adapter_is_asked(peer: Peer, value: Any) -> None:
    extensions.register_adapter(type(value), lambda obj: CustomAdapter(Custom(b"'mine'")))
    for own in (False, True):
        assert check(peer, value, own=own) == (0, 0, b"mine")


def test_a_replaced_adapter_of_uuids_is_asked() -> None:
    value = uuid.UUID(int=1)
    extras.register_uuid()
    assert pg._dump(value) == pg._dump(value, own=True) == (2950, 1, value.bytes)
    extensions.register_adapter(uuid.UUID, lambda obj: CustomAdapter(Custom(b"'mine'")))
    assert pg._dump(value) == pg._dump(value, own=True) == (0, 0, b"mine")
    assert pg._dump([value, value]) == pg._dump(["mine", "mine"])


def test_adapters_may_change_the_adapters() -> None:
    class Fickle(CustomAdapter):
        def getquoted(self) -> bytes:
            extensions.register_adapter(int, lambda obj: CustomAdapter(Custom(b"'changed'")))
            return b"0"

    extensions.register_adapter(Custom, Fickle)
    assert pg._dump([Custom(b""), 1]) == b"ARRAY[0,'changed']"


def test_adapters_may_change_the_list() -> None:
    values: list[Any] = []

    class Eager(CustomAdapter):
        def getquoted(self) -> bytes:
            del values[1:]
            return b"1"

    extensions.register_adapter(Custom, Eager)
    values += [Custom(b""), 2, 3]
    assert pg._dump(values) == pg._dump([1])


@pytest.mark.parametrize(
    "value",
    [
        extras.Json({"a": "é"}),
        extensions.Binary(b"x"),
        extensions.Binary(None),  # type: ignore[arg-type]
        extensions.QuotedString("it's"),
        extensions.Float(1.5),
        extensions.Int(True),
        extensions.DateFromPy(dt.date.min),
        extensions.TimestampFromPy(dt.datetime.min),
        extras.NumericRange(1, 5),
        extras.DateRange(empty=True),
        enum.IntEnum("Level", "LOW").LOW,  # type: ignore[attr-defined]
        type("Real", (float,), {"__repr__": lambda self: "another"})(1.5),
        type("Word", (str,), {"__str__": lambda self: "another"})("a"),
    ],
)
def test_adapters_and_subclasses(peer: Peer, value: Any) -> None:
    if check(peer, value, bound=True)[2] is not None:
        check(peer, [value, None], bound=True)


def test_a_subclass_says_what_its_moment_is(peer: Peer) -> None:
    class Moment(dt.datetime):
        def isoformat(self, *args: Any, **options: Any) -> str:
            return "2001-02-03 04:05:06.123456789"

    value = Moment(2001, 2, 3)
    assert check(peer, value) == (1114, 0, b"2001-02-03 04:05:06.123456789")
    check(peer, [value, None], bound=True)
    check(peer, [value, dt.datetime(2001, 2, 3)], bound=False)


def test_a_list_that_contains_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(RecursionError, match="nested more than 500 levels deep"):
        pg._dump(value)
    value[:] = [extensions.adapt(value)]
    with pytest.raises(RecursionError, match="nested more than 500 levels deep"):
        pg._dump(value)


def test_time_zones_may_raise() -> None:
    class Broken(dt.tzinfo):
        def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
            raise LookupError("no offset")

    for value in (dt.datetime(2000, 1, 1, tzinfo=Broken()), dt.time(tzinfo=Broken())):
        with pytest.raises(LookupError, match="no offset"):
            pg._dump(value)
        with pytest.raises(LookupError, match="no offset"):
            pg._dump([value])
