"""Running one statement for many rows, with fewer round trips than `executemany()` needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, overload

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._psycopg import cursor

if TYPE_CHECKING:
    from psycoxide._types import Query, Vars


def execute_batch(cur: cursor, sql: Query, argslist: Iterable[Vars], page_size: int = 100) -> None:
    """Run `sql` for each item of `argslist`, up to `page_size` statements in one round trip.

    At the end `cur.rowcount` and the rows are those of the last statement. Raises the exceptions of
    `cur.execute()`, ValueError if `page_size` is below 1.
    """
    for page in _extras._paginate(argslist, page_size):
        cur.execute(_merge(cur, sql, page, b";"))


@overload
def execute_values(
    cur: cursor,
    sql: Query,
    argslist: Iterable[Vars],
    template: str | bytes | None = None,
    page_size: int = 100,
    fetch: Literal[False] = False,
) -> None: ...
@overload
def execute_values(
    cur: cursor,
    sql: Query,
    argslist: Iterable[Vars],
    template: str | bytes | None = None,
    page_size: int = 100,
    *,
    fetch: Literal[True],
) -> list[Any]: ...
@overload
def execute_values(
    cur: cursor,
    sql: Query,
    argslist: Iterable[Vars],
    template: str | bytes | None,
    page_size: int,
    fetch: Literal[True],
) -> list[Any]: ...
@overload
def execute_values(
    cur: cursor,
    sql: Query,
    argslist: Iterable[Vars],
    template: str | bytes | None = None,
    page_size: int = 100,
    fetch: bool = False,
) -> list[Any] | None: ...
def execute_values(
    cur: cursor,
    sql: Query,
    argslist: Iterable[Any],
    template: str | bytes | None = None,
    page_size: int = 100,
    fetch: bool = False,
) -> list[Any] | None:
    """Run `sql` with a list of rows in the place of its one `%s`, up to `page_size` at a time.

    `sql` is like `INSERT INTO t (a, b) VALUES %s`: str, bytes or a `sql.Composable`. Each item
    of `argslist` is written as `template` says, by default `(%s, ...)` with one `%s` for each value
    of the first item. Returns a list of all the rows if `fetch`, None otherwise. Raises ValueError
    unless `sql` has exactly one `%s` and `page_size` is at least 1, and the exceptions of
    `cur.execute()`.
    """
    from psycoxide.sql import Composable

    if isinstance(sql, Composable):
        sql = sql.as_string(cur)
    if not isinstance(sql, bytes):
        sql = sql.encode(_ext.encodings[cur.connection.encoding])
    before, after = _extras._split_sql(sql)

    result: list[Any] = []
    for page in _extras._paginate(argslist, page_size):
        if template is None:
            template = b"(" + b",".join([b"%s"] * len(page[0])) + b")"
        rows = _merge(cur, template, page, b",")
        cur.execute(b"".join([*before, rows, *after]))
        if fetch:
            result.extend(cur.fetchall())
    return result if fetch else None


def _merge(cur: Any, sql: Any, page: list[Any], separator: bytes) -> bytes:
    """The results of `cur.mogrify()` for each item, joined."""
    # A program's own mogrify() has to be called, be it a class's or an object's.
    ours = getattr(type(cur), "mogrify", None) is cursor.mogrify
    if ours and "mogrify" not in getattr(cur, "__dict__", ()):
        merged: bytes = cur._mogrify_many(sql, page, separator)
        return merged
    return separator.join([cur.mogrify(sql, arguments) for arguments in page])


def _paginate(seq: Iterable[Any], page_size: int) -> Iterator[list[Any]]:
    """Lists of `page_size` items, the last of them shorter."""
    if page_size < 1:
        raise ValueError("page_size must be at least 1")
    iterator = iter(seq)
    while page := list(islice(iterator, page_size)):
        yield page


def _split_sql(sql: bytes) -> tuple[list[bytes], list[bytes]]:
    """The pieces before and after the one `%s` of `sql`, with `%%` unescaped."""
    before: list[bytes] = []
    after: list[bytes] = []
    current = before
    for token in re.split(rb"(%.)", sql):
        if len(token) != 2 or token[:1] != b"%":
            current.append(token)
        elif token == b"%%":
            current.append(b"%")
        elif token != b"%s":
            raise ValueError(
                f"unsupported format character: '{token[1:].decode('ascii', 'replace')}'"
            )
        elif current is after:
            raise ValueError("the query contains more than one '%s' placeholder")
        else:
            current = after
    if current is before:
        raise ValueError("the query doesn't contain any '%s' placeholder")
    return before, after
