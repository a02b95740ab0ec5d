"""What is read in parts: the name of a table, or a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycoxide import sql
from psycoxide._exceptions import ProgrammingError

if TYPE_CHECKING:
    from psycoxide._psycopg import cursor
    from psycoxide._types import OwnQuery, Vars

# `item`, `"Item"`, `shop.item`: no query is a single word.
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_TABLE = re.compile(rf"\s*{_NAME}(?:\s*\.\s*{_NAME}){{0,2}}\s*")


@dataclass(frozen=True)
class Source:
    """A query with its parameters, or the name of a table as it is written in SQL."""

    text: str
    params: Any = None
    is_table: bool = False


def source(query: OwnQuery, params: Vars, native: cursor) -> Source:
    """What a program has named. Raises ProgrammingError for a table with parameters."""
    given: Any = query
    if isinstance(given, sql.Composable):
        text = given.as_string(native)
    elif isinstance(given, (bytes, bytearray)):
        text = bytes(given).decode()
    elif isinstance(given, str):
        text = given
    else:
        text, params = _of_template(given, params, native)
    if _TABLE.fullmatch(text):
        if params:
            raise ProgrammingError(f"a table has no parameters: {text.strip()} was given some")
        return Source(text.strip(), None, True)
    return Source(_without_end(text), params)


def _of_template(given: Any, params: Vars, native: cursor) -> tuple[str, Any]:
    if type(given).__name__ != "Template":
        raise TypeError(f"a query, or the name of a table, is needed: got {type(given).__name__}")
    if params is not None:
        raise ProgrammingError("a template has its parameters in it: params is for other queries")
    from psycoxide import _templates

    return _templates.parts(given, native)


def merged(given: Source, native: cursor) -> Source:
    """The same query with its parameters in its text. Raises ProgrammingError where it cannot."""
    if given.params is None:
        return given
    try:
        if given.params and "%" not in given.text:
            raise TypeError("there is none")
        text = native.mogrify(given.text, given.params).decode()
    except (TypeError, ValueError, IndexError) as error:
        raise ProgrammingError(
            "the parameters of a query that others read in parts are merged into its text: "
            f"mark them by %s or %(name)s ({error})"
        ) from error
    return Source(text)


def _without_end(text: str) -> str:
    """A query without the semicolon at its end, for a place in another query."""
    text = text.rstrip()
    while text.endswith(";"):
        text = text[:-1].rstrip()
    return text
