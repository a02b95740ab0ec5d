"""Dividing a table or a query into parts that overlap nowhere and leave nothing out.

A part is the whole with one more condition. All parts are read on one snapshot, by whatever
sessions. Where a part begins is a guess at what makes them equal; that they overlap nowhere does
not depend on it: the first has no lower and the last no upper bound, and the bounds are put in
order by the very operators that the conditions use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycoxide import errors
from psycoxide._arrow import bounds, pages
from psycoxide._arrow.asking import Asking, Question
from psycoxide._arrow.literals import identifier
from psycoxide._arrow.ranges import ranges
from psycoxide._arrow.relations import Relation, relation
from psycoxide._exceptions import NotSupportedError, ProgrammingError

if TYPE_CHECKING:
    from psycoxide._arrow.source import Source
    from psycoxide.extensions import Column

# The name by which a part's conditions call what is read.
PART = '"part"'

# The first version that goes to the pages of a range of ctid, and reads no others.
TID_RANGES = 140000


@dataclass(frozen=True)
class Parts:
    """The statements that read the parts, and the columns of each."""

    statements: list[str]
    columns: tuple[Column, ...]


def divided(given: Source, on: str | None, count: int, server_version: int) -> Asking[Parts]:
    """Divide into about `count` parts, on a column, or on "ctid".

    The sessions' transaction holds a lock on all tables from here on, against whoever would
    rewrite them. Raises ProgrammingError if it cannot be divided like that.
    """
    table = None
    if given.is_table:
        table = yield from relation(given)
    if on is None:
        on = _by_default(table)
    if on == "ctid":
        _check_pages(table, server_version)
    whole = _whole(given, table)
    try:
        columns = (yield Question(f"select * from {whole} limit 0", given.params)).columns
    except errors.SyntaxError as error:
        raise ProgrammingError(
            "only what can stand in the FROM of a query can be read in parts: a table, or one "
            f"SELECT, VALUES or TABLE ({str(error).strip()})"
        ) from error
    if on == "ctid" and table:
        conditions = pages.conditions(table, count)
    else:
        conditions = yield from _on_column(given, table, whole, columns, on, count)
    statements = [
        f"select * from {whole}" + (f" where {condition}" if condition else "")
        for condition in conditions
    ]
    return Parts(statements, columns)


def _whole(given: Source, table: Relation | None) -> str:
    if table:
        return f"{table.name} as {PART}"
    # On a line of its own: the query may end with a comment.
    return f"({given.text}\n) as {PART}"


def _by_default(table: Relation | None) -> str:
    if table and table.has_pages:
        return "ctid"
    what = f"{table.name} is {table.kind}" if table else "this is a query"
    raise ProgrammingError(
        f'only a table can be read in parts by its pages, and {what}: say on="..." with a column, '
        "by which it is divided"
    )


def _check_pages(table: Relation | None, server_version: int) -> None:
    if not table or not table.has_pages:
        _by_default(table)
    if server_version < TID_RANGES:
        raise NotSupportedError(
            "a server before PostgreSQL 14 reads the whole table for each range of ctid: "
            'say on="..." with a column that has an index'
        )


def _on_column(
    given: Source,
    table: Relation | None,
    whole: str,
    columns: tuple[Column, ...],
    on: str,
    count: int,
) -> Asking[list[str]]:
    """The conditions of the parts, by ranges of a column."""
    named = [column for column in columns if column.name == on]
    if len(named) != 1:
        names = ", ".join(str(column.name) for column in columns)
        wrong = "there is no column" if not named else "there is more than one column"
        raise ProgrammingError(f'{wrong} "{on}" to divide by: the columns are {names}')
    column = f"{PART}.{identifier(on)}"
    # As a CTE, which stands once for all places that it is read in.
    before = "" if table else f"with whole as not materialized ({given.text}\n) "
    inside = whole if table else f"whole as {PART}"
    divider = bounds.Divider(inside, before, given.params, column, named[0], count)
    found = yield from bounds.bounds(divider, table)
    if not found.values:
        # One part: also those without a value.
        return [""]
    conditions = ranges(column, found.values)
    if found.few_nulls:
        conditions[0] = f"({conditions[0]} or {column} is null)"
    elif not found.not_null:
        conditions.append(f"{column} is null")
    return conditions
