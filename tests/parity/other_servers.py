"""Texts that typecasters are given which PostgreSQL does not print: by other servers that speak its
protocol, by programs that call a typecaster, or register one for another type."""

from __future__ import annotations

CLOCKS = """
10:20:30 | 10:20:30.5 | 10:20:30.1234567 | 10:20:30.123456789 | 10:20:30.9999999 | 10:20 | 10
1:2:3 | 24:00:00 | 25:00:00 | 23:60:00 | 10:59:60 | 10:20:61 | -01:00:00 | +01:00:00
10:20:30+01 | 10:20:30-01:30 | 10:20:30+0130 | 10:20:30+01:30:15 | 10:20:30-00:00:01
10:20:30+00 | 10:20:30Z | 10:20:30z | 10:20:30 Z | 10:20:30 +01 | 10:20:30+1 | 10:20:30+
10:20:30-1:1 | 10:20:30+99 | 10:20:30+23:59 | 10:20:30+24 | 10:20:30+100 | 10:20:30 UTC
10:20:30 AM | 10:20:30. | 10:20:30,5 | 10:20: | 10::30 | :: | : | 10h20 | 10.20.30 | 102030
10:20:30.5.5 | 10:20:30:40 | allballs | now | infinity | -infinity | 100:00:00 | 0010:0020:0030
10:20:30+ 01 | 10:20:30+-1 | 10:20:30.-5 | 10:20:30e5 | 10:2x:30 | \uff11\uff10:20:30
10:20:30.12345 6 | 10:20:30+1:2:3:4 | 10:20:30+01:60 | 24:00:01 | 10:20:30.0000001 | 10:20:30 BC
99999999999:00:00
"""
DAYS = """
2024-01-02 | 2024-1-2 | 24-01-02 | 0001-01-01 | 0000-01-01 | 10000-01-01 | 9999-12-31
2024-13-01 | 2024-01-00 | 2024-02-30 | 2024-02-29 | 0044-03-15 BC | 0044-03-15 bc
0044-03-15 AD | 2024-01-02 BC | -44-03-15 | +2024-01-02 | infinity | -infinity | Infinity
infinityx | epoch | now | 2024 | 2024-01 | 2024-01- | 2024-01-02Z | 20240102 | 2024/01/02
01/02/2024 | 02.01.2024 | 01-02-2024 | 02-Jan-2024 | Jan 2, 2024 | Tue Jan 02 10:20:30 2024
2024-001-02 | 002024-01-02 | 294276-12-31 | 5874897-12-31 | \uff12\uff10\uff12\uff14-01-02
2024-0x-02 | 20 24-01-02 | 2024--01-02 | -- | 1-1-1 | 2024-01-02- | 2024-01-02-03
4294967297-01-02 | 99999999999-01-01 | 2024-257-01 | 2024 01 02 | 2024-W01-2 | 2024-01-02x
"""
INTERVALS = """
1 month | 3 months | 1 year 2 months 3 days 04:05:06 | 1 mons | 1 week
1 year 2 mons 3 days 04:05:06.789 | -1 years -2 mons +3 days -04:05:06 | 1 year 13 mons
14 mons | 00:00 | 04:05 | 04:05:06.1234567 | 04:05:06.9999999 | 04:05:06. | 100:00:00
99999999999:00:00 | P1Y2M3DT4H5M6S | PT0S | -P1D | P | 0 | 1 | -1 | +1 | 1000000
9223372036854775807 | -9223372036854775808 | 9223372036854775808 | 99999999999999999999
999999999999999999999999999 | 1.5 | 0.000001 | x | 1 day 1:2 | 1 day -1:2:3 | 1d | 1 d | 1 y
1day | 1days | 1 day, 4:05:06 | -1 day, 23:59:59 | 1  day | 86400 | 86400.5 | 365 days
999999999 days | 1000000000 days | 2147483648 days | 178000000 years | 83333333 mons | 1 1 | 1_0
0x10 | 2024-01-02 | 1 hour | 1 decade | 1 fortnight | -00:00:00.000001
1 day 04:05:06.000000789
"""
NUMBERS = """
0 | -0 | +1 | 007 | -007 | 0x10 | 0X1f | 0o17 | 0b11 | 1_000 | 1__0 | _1 | 1_
9223372036854775808 | 99999999999999999999999 | 999999999999999999999999 | 1e5 | 1E5 | 1.0 | 1.
.5 | +.5 | 1e | 1e400 | 1e-400 | nan | NaN | -nan | inf | -inf | Infinity | -Infinity
+Infinity | INFINITY | 1f | 1L | 1,000 | $1.00 | 1% | 12- | -- | . | x | true | 0x1p3 | NULL
None | sNaN | NaN123 | 1e1_0 | 1_0.5 | - 1 | 1 0 | \u0664 | \u0663.\u0665 | \uff11 | \u22121
\u00bd | 1e\u0663
"""
TRUTHS = (
    "t | f | true | false | T | F | TRUE | True | tx | 1 | 0 | y | n | yes | on | null | \uff54"
)
BYTES = r"""
\x | \x00 | \xAB | \xaB | \X00 | abc | \000 | \377 | a\\b
a\101b | x00 | 0x1234 | \12 | \1234 | é
"""

SPACES = ["", " ", "\t1", " 1", "1 ", "1\n", "\u00a01", "1\u3000", " true", "\\x00 "]


def split(table: str) -> list[str]:
    return [text.strip() for line in table.strip().splitlines() for text in line.split(" | ")]


STAMPS = [
    *(f"{day} {clock}" for day in ("2024-01-02", "24-1-2") for clock in split(CLOCKS)),
    *(f"{day}{gap}10:20:30" for day in split(DAYS) for gap in (" ", "T", "  ", "")),
    *split(DAYS),
    *split(CLOCKS),
    "2024-01-02 10:20:30 BC", "2024-01-02 10:20:30+01 BC", "2024-01-02T10:20:30.123Z",
    "2024-01-02 10:20:30 +0000 UTC", "2024-01-02 10:20:30.123456 +01:00", "2024-01-02 ",
    "2024-01-02 10:20:30 America/New_York", "Tue 02 Jan 10:20:30 2024 CET",
]  # fmt: skip

TEXTS = {
    "INTEGER": [*split(NUMBERS), *SPACES],
    "LONGINTEGER": [*split(NUMBERS), *SPACES],
    "FLOAT": [*split(NUMBERS), *SPACES],
    "DECIMAL": [*split(NUMBERS), *SPACES],
    "BOOLEAN": [*split(TRUTHS), *SPACES],
    "DATE": [*STAMPS, *SPACES],
    "TIME": [*split(CLOCKS), *split(DAYS), *SPACES],
    "PYDATETIME": [*STAMPS, *SPACES],
    "PYDATETIMETZ": [*STAMPS, *SPACES],
    "INTERVAL": [*split(INTERVALS), *SPACES, "1\tday", "1 day\n"],
    "BINARY": [*split(BYTES), *SPACES],
}
# Arrays of them, as a server writes them.
ARRAYS = {
    "INTEGERARRAY": "INTEGER", "FLOATARRAY": "FLOAT", "DECIMALARRAY": "DECIMAL",
    "BOOLEANARRAY": "BOOLEAN", "DATEARRAY": "DATE", "TIMEARRAY": "TIME",
    "PYDATETIMETZARRAY": "PYDATETIMETZ", "INTERVALARRAY": "INTERVAL", "BINARYARRAY": "BINARY",
}  # fmt: skip
# What psycopg2 refuses, and psycoxide reads rightly.
REFUSED = r".*:59:60|1 hour"

for array, element in ARRAYS.items():
    TEXTS[array] = ['{"' + text.replace("\\", "\\\\") + '",NULL}' for text in TEXTS[element]]

# Where psycopg2 gives a value that is not what stands there (docs/differences.md).
WRONG = {
    "DATE": r".* (BC|bc).*|4294967297.*",
    "TIME": r"24:00:01|10:20:30:40|10:20:30\.(12345 6|0000001)|10:20:30 BC|10:20:61",
    "INTERVAL": r"1 decade|-?infinity",
    "BINARY": r"\\x00 ",
}
WRONG["PYDATETIME"] = WRONG["PYDATETIMETZ"] = (
    rf".*({WRONG['TIME']}|24:00:00)|{WRONG['DATE']}|.*\.123Z"
)
