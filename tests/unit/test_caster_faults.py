"""Text that no server writes: every caster gives a value or an exception, and ends."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from psycoxide import _psycopg as native
from psycoxide._exceptions import DataError, InterfaceError

# What is wrong by the stubs is tried as well.
_psycopg: Any = native

SEEDS: dict[str, list[str]] = {
    "INTEGER": ["0", "-1", "12345678901"],
    "FLOAT": ["1.5", "-Infinity", "1e300"],
    "DECIMAL": ["1.50", "NaN"],
    "STRING": ["abc", "é"],
    "BOOLEAN": ["t", "f"],
    "DATE": ["2004-10-19", "0044-03-15 BC", "infinity"],
    "DATETIME": ["2004-10-19 10:23:54.25"],
    "DATETIMETZ": ["2004-10-19 10:23:54.25-08:30"],
    "TIME": ["04:05:06.789+02"],
    "INTERVAL": ["1 year 2 mons -3 days +04:05:06.789", "@ 1 day ago", "-3 4:05:06", "P1DT2H"],
    "BINARY": ["\\x00ff", "a\\\\\\377"],
    "INTEGERARRAY": ["{1,{2,NULL},3}", "[1:2]={1,2}"],
    "STRINGARRAY": ['{a,"b\\"c",{"",NULL}}'],
    "DATETIMETZARRAY": ['{"2004-10-19 10:23:54-08:30",infinity}'],
}
ALPHABET = '0123456789-+:. {},"\\tfTxXBCNULlPDe\té\x00=[]@'


def mutated(random_: random.Random, text: str) -> str:
    for _ in range(random_.randint(1, 4)):
        at = random_.randint(0, len(text))
        kind = random_.randrange(5)
        if kind == 0:
            text = text[:at] + random_.choice(ALPHABET) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + 1 :]
        elif kind == 2:
            text = text[:at] + random_.choice(ALPHABET) + text[at + 1 :]
        elif kind == 3:
            text = text[:at]
        else:
            text = text + text[at:]
    return text


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_text_gives_a_value_or_an_exception(name: str) -> None:
    random_ = random.Random(name)
    caster: Any = getattr(_psycopg, name)
    values = failures = 0
    for _ in range(3000):
        text = mutated(random_, random_.choice(SEEDS[name]))
        try:
            caster(text, None)
            values += 1
        except Exception:
            failures += 1
    assert values > 0
    assert failures > 0 or name == "STRING"


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("INTEGER", "abc", ValueError, "invalid literal"),
        ("INTEGER", "", ValueError, "invalid literal"),
        ("INTEGER", "9" * 24, DataError, "too long"),
        ("FLOAT", "abc", ValueError, "could not convert"),
        ("BOOLEAN", "x", InterfaceError, "can't parse boolean: 'x'"),
        ("BOOLEAN", "", InterfaceError, "can't parse boolean: ''"),
        ("DATE", "17.12.1997", DataError, "unable to parse date"),
        ("DATETIME", "12/17/1997 07:37:16", DataError, "unable to parse date"),
        ("DATETIMETZ", "2004-10-19 xx", DataError, "unable to parse time"),
        ("TIME", "x", DataError, "unable to parse time"),
        ("INTERVAL", "x", ValueError, "invalid literal"),
        ("BINARY", "\\xzz", DataError, "bytea"),
        ("BINARY", "\\x0", DataError, "bytea"),
        ("INTEGERARRAY", "", DataError, "array does not start with '{'"),
        ("INTEGERARRAY", "{", DataError, "malformed array: '{'"),
        ("INTEGERARRAY", "{}}", DataError, "unbalanced braces in array"),
        ("INTEGERARRAY", "{" * 20 + "}" * 20, DataError, "excessive array dimensions"),
        ("STRINGARRAY", "{a,", DataError, "array"),
        ("INTEGERARRAY", '{"a', DataError, "array"),
    ],
)
def test_faults_are_named(name: str, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(_psycopg, name)(text, None)


def test_invalid_utf8_is_an_error_with_its_bytes() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        _psycopg.STRING(b"ab\xff", None)
    assert caught.value.object == b"ab\xff"
    assert _psycopg.BYTES(b"ab\xff", None) == b"ab\xff"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("INTERVAL", "00:00:00." + "1" * 1_000_000),
        ("INTERVAL", "1 day " * 200_000),
        ("STRINGARRAY", "{" * 1_000_000),
        ("STRINGARRAY", '{"' + "\\" * 1_000_000),
        ("STRINGARRAY", "{" + "a," * 500_000),
        ("BINARY", "\\" * 1_000_001),
        ("DECIMAL", "1" * 100_000 + "x"),
        ("DATE", "1" * 1_000_000),
    ],
)
def test_long_rubbish_ends_soon(name: str, text: str) -> None:
    start = time.monotonic()
    try:
        getattr(_psycopg, name)(text, None)
    except Exception as error:
        assert not isinstance(error, MemoryError)
    assert time.monotonic() - start < 5
