"""Queries that are templates: `t"SELECT * FROM item WHERE id = {number}"`, from Python 3.14 on.

See <https://docs.python.org/3/library/string.templatelib.html>. The native module calls this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycoxide import sql

# What a format specification says of a value: a parameter, by default or by psycopg 3's letters.
_PARAMETERS = ("", "s", "t", "b", "l")

_CONVERSIONS: dict[str, Callable[[Any], str]] = {"a": ascii, "r": repr, "s": str}


def parts(template: Any, cursor: Any) -> tuple[str, list[Any]]:
    """The text of a template, with a `%s` for each parameter, and their values.

    `{value}` is a parameter, `{name:i}` an identifier, `{part:q}` a part of the query: a template
    or a `sql.Composable`, which may also stand without the letter. Raises TypeError or ValueError
    for anything else.
    """
    text: list[str] = []
    values: list[Any] = []
    _append(template, cursor, text, values)
    return "".join(text), values


def _append(template: Any, cursor: Any, text: list[str], values: list[Any]) -> None:
    for item in template:
        if isinstance(item, str):
            text.append(item.replace("%", "%%"))
            continue
        value, spec = item.value, item.format_spec
        if item.conversion is not None:
            value = _CONVERSIONS[item.conversion](value)
        if type(value) is type(template) and spec in ("", "q"):
            _append(value, cursor, text, values)
        elif isinstance(value, sql.Composable) and spec in ("", "q"):
            text.append(value.as_string(cursor).replace("%", "%%"))
        elif spec == "q":
            raise TypeError(
                f"{{{item.expression}:q}} needs a template or a sql.Composable: "
                f"got {type(value).__name__}"
            )
        elif spec == "i":
            if not isinstance(value, str):
                raise TypeError(
                    f"{{{item.expression}:i}} needs the name as a str: got {type(value).__name__}"
                )
            text.append(sql.Identifier(value).as_string(cursor).replace("%", "%%"))
        elif spec in _PARAMETERS:
            text.append("%s")
            values.append(value)
        else:
            raise ValueError(
                f"{{{item.expression}:{spec}}}: a query's template knows no format but i and q"
            )
