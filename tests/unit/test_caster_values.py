"""What the built-in casters make of the text that a server writes."""

from __future__ import annotations

import ctypes
import datetime as dt
import math
import random
import struct
from decimal import Decimal
from typing import Any

import pytest

from psycoxide import _psycopg as native

# What is wrong by the stubs is tried as well.
_psycopg: Any = native


class FakeCursor:
    """As much of a cursor as a caster asks for."""

    def __init__(self, tzinfo_factory: object) -> None:
        self.tzinfo_factory = tzinfo_factory


def tz(**offset: int) -> dt.timezone:
    return dt.timezone(dt.timedelta(**offset))


@pytest.mark.parametrize("name", ["INTEGER", "LONGINTEGER", "ROWID"])
def test_integers(name: str) -> None:
    caster = getattr(_psycopg, name)
    numbers = [0, 1, -1, 7, 10, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 2**64 - 1, -(10**18)]
    for number in numbers + [10**n for n in range(20)] + [-(10**n) + 1 for n in range(19)]:
        result = caster(str(number), None)
        assert (result, type(result)) == (number, int)


@pytest.mark.parametrize(
    ("text", "value"), [(" 7 ", 7), ("+7", 7), ("1_000", 1000), ("0x1f", 31), ("00", 0)]
)
def test_integers_that_python_reads(text: str, value: int) -> None:
    assert _psycopg.INTEGER(text, None) == value


def test_floats_are_exact() -> None:
    random_ = random.Random(1)
    for _ in range(2000):
        (value,) = struct.unpack("d", random_.randbytes(8))
        result = _psycopg.FLOAT(repr(value), None)
        assert struct.pack("d", result) == struct.pack("d", value) or math.isnan(value)
    assert math.isnan(_psycopg.FLOAT("NaN", None))
    assert _psycopg.FLOAT("-Infinity", None) == -math.inf
    assert math.copysign(1, _psycopg.FLOAT("-0", None)) == -1
    assert _psycopg.FLOAT("1e+300", None) == 1e300


@pytest.mark.parametrize(
    "text", ["0", "-0", "1.50", "-12345678901234567890.123456789", "1E+400", "Infinity", "0E-20"]
)
def test_decimals_keep_every_digit(text: str) -> None:
    result = _psycopg.DECIMAL(text, None)
    assert type(result) is Decimal
    assert str(result) == str(Decimal(text))


def test_long_decimals() -> None:
    text = "1" * 60_000 + "." + "2" * 40_000
    assert str(_psycopg.DECIMAL(text, None)) == text
    assert _psycopg.DECIMAL("NaN", None).is_nan()


@pytest.mark.parametrize(
    ("text", "value"), [("t", True), ("f", False), ("true", True), ("F", False)]
)
def test_booleans(text: str, value: bool) -> None:
    assert _psycopg.BOOLEAN(text, None) is value


@pytest.mark.parametrize("text", ["", "a", "é", "hello", "世界", "😀" * 50, "a" * 100_000, "\n'\\"])
def test_text(text: str) -> None:
    for name in ("STRING", "UNICODE", "UNKNOWN"):
        assert getattr(_psycopg, name)(text, None) == text
        assert getattr(_psycopg, name)(text.encode(), None) == text
    assert _psycopg.BYTES(text, None) == text.encode()


def test_the_shortest_texts_are_shared_objects() -> None:
    for text in ("", "a", "é"):
        assert _psycopg.STRING(text, None) is _psycopg.STRING(text.encode(), None)


def test_dates() -> None:
    assert _psycopg.DATE("2004-10-19", None) == dt.date(2004, 10, 19)
    assert type(_psycopg.DATE("2004-10-19", None)) is dt.date
    assert _psycopg.DATE("infinity", None) == dt.date.max
    assert _psycopg.DATE("-infinity", None) == dt.date.min
    day = dt.date(1, 1, 1)
    while day < dt.date(9990, 1, 1):
        assert _psycopg.DATE(day.isoformat(), None) == day
        day += dt.timedelta(days=2345)


@pytest.mark.parametrize("text", ["0044-03-15 BC", "10000-01-01", "5874897-12-31", "2004-13-01"])
def test_dates_that_python_lacks(text: str) -> None:
    with pytest.raises(ValueError, match=r"year|month"):
        _psycopg.DATE(text, None)


def test_timestamps() -> None:
    moment = dt.datetime(2004, 10, 19, 10, 23, 54)
    assert _psycopg.DATETIME("2004-10-19 10:23:54", None) == moment
    for digits in range(1, 7):
        text = f"2004-10-19 10:23:54.{'123456'[:digits]}"
        micros = int("123456"[:digits].ljust(6, "0"))
        assert _psycopg.DATETIME(text, None) == moment.replace(microsecond=micros)
    assert _psycopg.DATETIME("infinity", None) == dt.datetime.max
    assert _psycopg.DATETIME("-infinity", None) == dt.datetime.min
    assert _psycopg.DATETIME("2004-10-19", None) == dt.datetime(2004, 10, 19)
    assert _psycopg.DATETIME("2004-10-19 10:23:60", None) == dt.datetime(2004, 10, 19, 10, 24)


@pytest.mark.parametrize(
    "text",
    ["0044-03-15 12:00:00 BC", "294276-12-31 23:59:59.999999", "2004-10-19 24:00:00"],
)
def test_timestamps_that_python_lacks(text: str) -> None:
    with pytest.raises(ValueError, match=r"year|hour"):
        _psycopg.DATETIME(text, None)


@pytest.mark.parametrize(
    ("offset", "zone"),
    [
        ("+00", dt.timezone.utc),
        ("+02", tz(hours=2)),
        ("-08", tz(hours=-8)),
        ("+05:30", tz(hours=5, minutes=30)),
        ("-00:44:30", tz(minutes=-44, seconds=-30)),
        ("+15:59:59", tz(hours=15, minutes=59, seconds=59)),
    ],
)
def test_timestamps_with_time_zone(offset: str, zone: dt.timezone) -> None:
    for _ in range(2):
        result = _psycopg.DATETIMETZ("2004-10-19 10:23:54.25" + offset, None)
        assert result == dt.datetime(2004, 10, 19, 10, 23, 54, 250_000, zone)
        assert result.tzinfo == zone
        assert type(result.tzinfo) is dt.timezone
        assert result.utcoffset() == zone.utcoffset(None)


def test_many_offsets_stay_apart() -> None:
    for seconds in range(-50_000, 50_000, 17):
        sign, rest = ("-", -seconds) if seconds < 0 else ("+", seconds)
        text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
        result = _psycopg.DATETIMETZ(f"2004-10-19 10:23:54{sign}{text}", None)
        assert result.utcoffset() == dt.timedelta(seconds=seconds)


def test_infinite_timestamps_with_time_zone_are_utc() -> None:
    assert _psycopg.DATETIMETZ("infinity", None) == dt.datetime.max.replace(tzinfo=dt.timezone.utc)
    assert _psycopg.DATETIMETZ("-infinity", None) == dt.datetime.min.replace(tzinfo=dt.timezone.utc)
    assert _psycopg.DATETIMETZ("infinity", FakeCursor(None)) == dt.datetime.max


def test_tzinfo_factory() -> None:
    class Zone(dt.tzinfo):
        def __init__(self, offset: dt.timedelta) -> None:
            self.offset = offset

        def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
            return self.offset

    text = "2004-10-19 10:23:54+02"
    naive = dt.datetime(2004, 10, 19, 10, 23, 54)
    result = _psycopg.DATETIMETZ(text, FakeCursor(Zone))
    assert type(result.tzinfo) is Zone
    assert result.utcoffset() == dt.timedelta(hours=2)
    assert _psycopg.DATETIMETZ(text, FakeCursor(None)) == naive
    assert _psycopg.DATETIMETZ(text, FakeCursor(lambda offset: None)) == naive
    assert _psycopg.TIME("10:23:54+02", FakeCursor(None)) == naive.time()
    assert type(_psycopg.TIME("10:23:54+02", FakeCursor(Zone)).tzinfo) is Zone
    with pytest.raises(TypeError, match="callable"):
        _psycopg.DATETIMETZ(text, FakeCursor(3))
    with pytest.raises(TypeError, match="tzinfo"):
        _psycopg.DATETIMETZ(text, FakeCursor(lambda offset: "UTC"))

    def fail(offset: dt.timedelta) -> dt.tzinfo:
        raise KeyError(offset)

    with pytest.raises(KeyError):
        _psycopg.DATETIMETZ(text, FakeCursor(fail))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("04:05:06", dt.time(4, 5, 6)),
        ("04:05:06.789", dt.time(4, 5, 6, 789_000)),
        ("24:00:00", dt.time(0)),
        ("12:34:60", dt.time(12, 35)),
        ("12:59:60", dt.time(13)),
        ("04:05:06-08:30", dt.time(4, 5, 6, tzinfo=tz(hours=-8, minutes=-30))),
        ("24:00:00+05", dt.time(0, tzinfo=tz(hours=5))),
    ],
)
def test_times(text: str, value: dt.time) -> None:
    result = _psycopg.TIME(text, None)
    assert (result, result.tzinfo) == (value, value.tzinfo)


DELTA = dt.timedelta(days=3, hours=4, minutes=5, seconds=6, milliseconds=789)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00:00:00", dt.timedelta()),
        ("3 days 04:05:06.789", DELTA),
        ("-3 days -04:05:06.789", -DELTA),
        ("-3 days +04:05:06.789", DELTA - dt.timedelta(days=6)),
        ("1 year 2 mons 3 days 04:05:06.789", DELTA + dt.timedelta(days=365 + 60)),
        ("-1 years -2 mons", -dt.timedelta(days=365 + 60)),
        ("@ 3 days 4 hours 5 mins 6.789 secs", DELTA),
        ("@ 3 days 4 hours 5 mins 6.789 secs ago", -DELTA),
        ("@ 0", dt.timedelta()),
        ("3 4:05:06.789", DELTA),
        ("-3 4:05:06.789", -DELTA),
        ("+1-2 +3 +4:05:06.789", DELTA + dt.timedelta(days=365 + 60)),
        ("0", dt.timedelta()),
        ("86400000001", dt.timedelta(days=1, microseconds=1)),
        ("2562047788:00:54.775807", dt.timedelta(microseconds=2**63 - 1)),
    ],
)
def test_intervals(text: str, value: dt.timedelta) -> None:
    assert _psycopg.INTERVAL(text, None) == value


@pytest.mark.parametrize(
    "text",
    ["178000000 years", "1000000000 days", "9999999999999:00:00", "infinity", "-infinity"],
)
def test_intervals_that_python_lacks(text: str) -> None:
    with pytest.raises(OverflowError):
        _psycopg.INTERVAL(text, None)


def test_iso_8601_intervals_are_refused_as_by_psycopg2() -> None:
    from psycoxide._exceptions import NotSupportedError

    with pytest.raises(NotSupportedError, match="iso_8601"):
        _psycopg.INTERVAL("P1DT2H", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\\x", b""),
        ("\\x00ff7F", b"\x00\xff\x7f"),
        ("", b""),
        ("a\\\\b\\000\\377", b"a\\b\x00\xff"),
        ("\\x" + bytes(range(256)).hex(), bytes(range(256))),
    ],
)
def test_binary(text: str, value: bytes) -> None:
    view = _psycopg.BINARY(text, None)
    assert type(view) is memoryview
    assert view.tobytes() == value
    assert (view.format, view.itemsize, view.readonly, view.ndim) == ("c", 1, True, 1)
    assert repr(view.obj).startswith("<memory chunk at 0x")
    assert _psycopg.BINARY(text, None) is not view
    assert bytes(view) == value


def test_binary_through_psycopg2s_c_symbol() -> None:
    cast: Any = ctypes.PyDLL(_psycopg.__file__).typecast_BINARY_cast
    cast.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.py_object]
    cast.restype = ctypes.py_object
    assert cast(b"\\x0aff", 6, None).tobytes() == b"\x0a\xff"
    assert cast(None, 0, None) is None
    with pytest.raises(Exception, match="bytea"):
        cast(b"\\x0", 3, None)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("INTEGERARRAY", "{}", []),
        ("INTEGERARRAY", "{1,NULL,-3}", [1, None, -3]),
        ("INTEGERARRAY", "[0:1][5:5]={{1},{2}}", [[1], [2]]),
        ("INTEGERARRAY", "{{{{{{1}}}}}}", [[[[[[1]]]]]]),
        ("FLOATARRAY", "{1.5,-Infinity}", [1.5, -math.inf]),
        ("DECIMALARRAY", "{1.50}", [Decimal("1.50")]),
        ("STRINGARRAY", '{a,"b,c","{}","","NULL",null}', ["a", "b,c", "{}", "", "NULL", None]),
        ("STRINGARRAY", r'{"a\"b","\\","é"}', ['a"b', "\\", "é"]),
        ("BYTESARRAY", "{é}", ["é".encode()]),
        ("BOOLEANARRAY", "{t,f,NULL}", [True, False, None]),
        ("DATEARRAY", "{2004-10-19,infinity}", [dt.date(2004, 10, 19), dt.date.max]),
        ("DATETIMEARRAY", '{"2004-10-19 10:23:54"}', [dt.datetime(2004, 10, 19, 10, 23, 54)]),
        ("INTERVALARRAY", '{"1 day",02:00:00}', [dt.timedelta(1), dt.timedelta(hours=2)]),
        ("INETARRAY", "{::1,10.0.0.0/8}", ["::1", "10.0.0.0/8"]),
    ],
)
def test_arrays(name: str, text: str, value: list[Any]) -> None:
    result = getattr(_psycopg, name)(text, None)
    assert (result, repr(result)) == (value, repr(value))


def test_arrays_of_bytea() -> None:
    (view, none) = _psycopg.BINARYARRAY(r'{"\\x00ff",NULL}', None)
    assert (view.tobytes(), none) == (b"\x00\xff", None)


def test_a_long_array() -> None:
    text = "{" + ",".join(map(str, range(100_000))) + "}"
    assert _psycopg.INTEGERARRAY(text, None) == list(range(100_000))
