"""Parts as Arrow, and all of them as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycoxide.sync import Connection


@dataclass(frozen=True)
class Taking:
    """Reads a query as Arrow, with these options."""

    options: Any

    def __call__(self, conn: Connection[Any], query: str, params: Any) -> Any:
        """The table of a query."""
        cursor: Any = conn.cursor()
        cursor.arrow = self.options
        cursor.execute(query, params)
        return cursor.fetch_arrow()


def taking(options: Any) -> Taking:
    """What reads with `options`; None is for the default."""
    return Taking(True if options is None else options)


def in_one(tables: list[Any]) -> Any:
    """One table of the rows of all."""
    from psycoxide import _psycopg

    if len(tables) == 1:
        return tables[0]
    native: Any = _psycopg
    return native.ArrowTable.concat(tables)
