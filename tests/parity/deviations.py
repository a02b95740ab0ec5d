"""Where psycoxide may answer otherwise than psycopg2, for values: all of it, and nothing wider.

Each stands in docs/differences.md. What no function here knows has to be the same.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from two_drivers import Custom, Outcome, Recipe

# What PostgreSQL prints. A text of another form reaches a typecaster from the program only.
DATE = r"(?!0000)\d{4,6}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
CLOCK = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
OFFSET = r"[-+](0\d|1[0-5])(:[0-5]\d){0,2}"
SPECIAL = r"-?infinity"
INTERVAL = (
    r"(?=.)((^|(?<=.) ?)-?\d+ years?)?((^|(?<=.) )-?(\d|1[01]) mons?)?((^|(?<=.) )[-+]?\d+ days?)?"
    r"((^|(?<=.) )[-+]?\d{2,}:[0-5]\d:[0-5]\d(\.\d{1,6})?)?"
)
PRINTED = {
    "DATE": rf"{DATE}( BC)?|{SPECIAL}",
    "TIME": rf"({CLOCK}|24:00:00)({OFFSET})?",
    "DATETIME": rf"{DATE} {CLOCK}( BC)?|{SPECIAL}",
    "DATETIMETZ": rf"{DATE} {CLOCK}({OFFSET})?( BC)?|{SPECIAL}",
    "INTERVAL": INTERVAL,
    "NUMBER": r"-?(\d+|\d*\.\d+|\d\.?\d*e[-+]\d+)|NaN|-?Infinity",
    "BOOLEAN": r"[tf]",
    "BINARY": r"\\x([0-9a-f]{2})*",
}


def check_written(recipe: Any, theirs: Outcome, ours: Outcome) -> None:
    if ours == theirs:
        return
    if holds(recipe, is_infinite) and without_infinity(ours) == without_infinity(theirs):
        return
    # Ticks whose microseconds round up to a second: psycopg2 fails to carry it.
    if "microsecond must be" in theirs.words and not ours.error:
        return
    # Which of several unfit values is named: ours is the first one.
    if all(outcome.words.startswith("can't adapt type ") for outcome in (theirs, ours)):
        return
    # NUL cuts an identifier off; ours refuses it.
    if holds(recipe, lambda part: isinstance(part, str) and "\0" in part) and "NUL" in ours.words:
        return
    assert ours == theirs, recipe


def check_quoted(recipe: Any, theirs: Outcome, ours: Outcome) -> None:
    """Without a connection."""
    # Some adapters of psycopg2's need one without saying so.
    if theirs.error == "AttributeError" and re.search(r"attribute '_?conn'", theirs.words):
        return
    # psycopg2 writes Latin-1, as libpq reads it in UTF-8: garbage.
    if ours != theirs and holds(recipe, is_not_ascii):
        return
    check_written(recipe, theirs, ours)


def check_read(name: str, text: str | None, theirs: Outcome, ours: Outcome) -> None:
    if ours == theirs:
        return
    if text is None or printed(name, text):
        assert ours == theirs, (name, text)
    # Of what the server does not print, the exceptions are of the same class; where psycopg2
    # guesses, or refuses what can be read, ours is refused, or read.
    if name.startswith("oid 39") and ours.error == "InterfaceError":
        return  # a malformed range
    assert ours.error == theirs.error or not (ours.error and theirs.error), (name, text)
    if not ours.error and not theirs.error:
        # Intervals are read in all of the server's styles, of which psycopg2 misreads two.
        assert "INTERVAL" in name or ours == theirs, (name, text)


def check_returned(kind: str, theirs: Outcome, ours: Outcome) -> None:
    assert ours == theirs, kind


def printed(name: str, text: str) -> bool:
    """Whether the server would print this value of the typecaster's type."""
    kind = name.removeprefix("PY").removesuffix("ARRAY")
    kind = {"INTEGER": "NUMBER", "LONGINTEGER": "NUMBER", "FLOAT": "NUMBER"}.get(kind, kind)
    kind = {"DECIMAL": "NUMBER"}.get(kind, kind)
    if kind not in PRINTED:
        return not name.startswith("oid ")
    values = [text]
    if name.endswith("ARRAY"):
        values = [part.strip('{}"') for part in text.rpartition("=")[2].split(",")]
    return all(re.fullmatch(PRINTED[kind], value) for value in values)


def is_infinite(value: Any) -> bool:
    return isinstance(value, Decimal) and value.is_infinite()


def is_not_ascii(value: Any) -> bool:
    if isinstance(value, bytes):
        return not value.isascii()
    return isinstance(value, str) and not value.isascii()


def without_infinity(outcome: Outcome) -> str:
    return re.sub(r"-?Infinity|NaN", "<special>", repr(outcome))


def holds(recipe: Any, wanted: Any) -> bool:
    """Whether something in a recipe is `wanted`."""
    if isinstance(recipe, Recipe):
        return holds((recipe.arguments, dict(recipe.options)), wanted)
    if isinstance(recipe, Custom):
        return holds(recipe.inner, wanted)
    if isinstance(recipe, dict):
        return any(holds(part, wanted) for part in recipe.values())
    if isinstance(recipe, (list, tuple)):
        return any(holds(part, wanted) for part in recipe)
    return bool(wanted(recipe))
