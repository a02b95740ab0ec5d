"""Parts as Arrow, and all of them as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycoxide._psycopg import ArrowTable

if TYPE_CHECKING:
    from psycoxide._arrow.progress import Progress
    from psycoxide.arrow import ArrowOptions
    from psycoxide.sync import Connection


@dataclass(frozen=True)
class Taking:
    """Reads a query as Arrow, with these options."""

    options: ArrowOptions | bool

    def __call__(
        self, conn: Connection[Any], query: str, params: Any, came: Progress | None
    ) -> ArrowTable:
        """The table of a query. Calls `came` with what has come of it so far, now and then."""
        cursor = conn.cursor()
        cursor.arrow = self.options
        if came is not None:
            return cursor.stream_arrow(query, params, progress=came)._all()
        cursor.execute(query, params)
        return cursor.fetch_arrow()


def taking(options: ArrowOptions | None) -> Taking:
    """What reads with `options`; None is for the default."""
    return Taking(True if options is None else options)


def in_one(tables: list[ArrowTable]) -> ArrowTable:
    """One table of the rows of all."""
    return tables[0] if len(tables) == 1 else ArrowTable.concat(tables)
