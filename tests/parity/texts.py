"""Strategies for what is read: texts, valid and not, each with the typecaster that gets it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

DIGITS = st.integers(0, 99).map("{:02}".format)
FRACTIONS = st.sampled_from(["", ".5", ".123456", ".000001", ".999999", ".1234567", "."])
YEARS = st.sampled_from(["2024", "0001", "9999", "10000", "294276", "4713", "0000", "24", "-44"])
MONTHS = st.integers(0, 13).map("{:02}".format)
DAYS = st.integers(0, 32).map("{:02}".format)
OFFSETS = st.sampled_from(
    ["", "+00", "-00", "+01", "-03:30", "+05:30:15", "-00:00:01", "+23:59", "+15:59:59", "+99",
     "+1", "+", "-1:1", "Z"]
)  # fmt: skip
ERAS = st.sampled_from(["", "", "", " BC"])


def joined(*parts: Any) -> Any:
    return st.tuples(*(st.just(p) if isinstance(p, str) else p for p in parts)).map("".join)


DATES = joined(YEARS, "-", MONTHS, "-", DAYS)
CLOCKS = joined(DIGITS, ":", DIGITS, ":", DIGITS, FRACTIONS) | st.sampled_from(
    ["24:00:00", "23:59:60", "00:00:00", "12:00", "1:2:3", "12"]
)
SPECIAL = st.sampled_from(["infinity", "-infinity", "epoch", "", " ", "x"])
SIGNED = st.integers(-400, 400).map(str)
UNITS = st.sampled_from(["year", "years", "mon", "mons", "day", "days", "hour", "mins", "secs"])
HMS = joined(st.sampled_from(["", "-", "+"]), CLOCKS)
POSTGRES = st.lists(joined(SIGNED, " ", UNITS), max_size=3).map(" ".join)
INTERVALS = st.one_of(
    joined(POSTGRES, " ", HMS), POSTGRES, HMS, st.integers(0, 10**12).map("{} days".format),
    joined(st.integers(0, 10**7).map(str), ":00:00"),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers().map(str), st.floats().map(repr), st.decimals().map(str),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "inf", "nan", "", " ", "1e400", "-0", "+5",
                     "0x10", "1_000", " 7", "7 ", "1.", ".5",
                     "1e5", "x", "\u0664", "--1", "9" * 400]),
)  # fmt: skip
BYTEA = st.one_of(
    st.binary(max_size=9).map(lambda data: "\\x" + data.hex()),
    st.binary(max_size=9).map(lambda data: "".join(f"\\{byte:03o}" for byte in data)),
    st.text("ab\\\\'x0127 ", max_size=9),
)
JUNK = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
ELEMENTS = st.one_of(
    st.just("NULL"), st.just('""'), st.text("ab1 .", min_size=1, max_size=3),
    st.text('ab{},"\\ ', max_size=4).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
)  # fmt: skip


def arrays(element: Any) -> Any:
    items = st.lists(element, max_size=3).map(lambda parts: "{" + ",".join(parts) + "}")
    deep = st.lists(items, min_size=1, max_size=2).map(lambda parts: "{" + ",".join(parts) + "}")
    bounded = items.map(lambda text: "[0:2]=" + text)
    return items | deep | bounded


# By the names of `extensions`, or by OID where the typecaster has no name there.
CASTS = {
    "INTEGER": NUMBERS,
    "LONGINTEGER": NUMBERS,
    "FLOAT": NUMBERS,
    "DECIMAL": NUMBERS,
    "BOOLEAN": st.sampled_from(["t", "f", "true", "false", "T", "F", "", "x", "1", "tx"]),
    "DATE": st.one_of(joined(DATES, ERAS), SPECIAL),
    "PYDATE": st.one_of(joined(DATES, ERAS), SPECIAL),
    "TIME": st.one_of(joined(CLOCKS, OFFSETS), SPECIAL),
    "PYTIME": st.one_of(joined(CLOCKS, OFFSETS), SPECIAL),
    "PYDATETIME": st.one_of(joined(DATES, " ", CLOCKS, ERAS), SPECIAL),
    "PYDATETIMETZ": st.one_of(joined(DATES, " ", CLOCKS, OFFSETS, ERAS), SPECIAL),
    "INTERVAL": st.one_of(INTERVALS, SPECIAL, joined("P", JUNK)),
    "PYINTERVAL": INTERVALS,
    "BINARY": BYTEA,
    "UNICODE": JUNK,
    "BYTES": JUNK,
    "INTEGERARRAY": arrays(NUMBERS.filter(lambda text: text.strip() == text != "")),
    "FLOATARRAY": arrays(st.floats().map(repr)),
    "DECIMALARRAY": arrays(st.decimals().map(str)),
    "BOOLEANARRAY": arrays(st.sampled_from(["t", "f", "NULL"])),
    "STRINGARRAY": arrays(ELEMENTS),
    "UNICODEARRAY": arrays(ELEMENTS),
    "BYTESARRAY": arrays(ELEMENTS),
    "DATEARRAY": arrays(DATES),
    "PYDATETIMETZARRAY": arrays(joined('"', DATES, " ", CLOCKS, OFFSETS, '"')),
    "INTERVALARRAY": arrays(joined('"', INTERVALS, '"')),
    "BINARYARRAY": arrays(st.binary(max_size=4).map(lambda data: '"\\\\x' + data.hex() + '"')),
    "oid 114": st.one_of(
        JUNK, st.sampled_from(["1", "[1, 2.5]", '{"a": null}', "NaN", "1e400", ""])
    ),
    "oid 3904": st.sampled_from(
        ["empty", "[1,5)", "(,)", "[,3]", "(1,", "[1 ,2)", "x", "", '["1","2")', "[1,2,3)"]
    ),
    "oid 3908": joined("[", '"', DATES, " ", CLOCKS, '"', ",", ")"),
}


def casts() -> Any:
    return st.sampled_from(sorted(CASTS)).flatmap(
        lambda name: st.tuples(st.just(name), st.none() | CASTS[name])
    )
