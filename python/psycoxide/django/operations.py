"""What Django asks of a backend, where psycoxide answers in another way than psycopg2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycoxide

if TYPE_CHECKING:
    from psycoxide.extensions import cursor as Cursor


class Operations:
    """For a subclass of Django's `DatabaseOperations`."""

    def last_executed_query(self, cursor: Cursor, sql: str, params: Any) -> Any:
        """Return the text of a query with its values, for logs: also if these were bound."""
        if params and cursor.query is not None and cursor.connection.binding != "client":
            try:
                return cursor.mogrify(sql, params).decode()
            except (psycoxide.Error, UnicodeError):
                # The connection was closed, for one.
                pass
        return super().last_executed_query(cursor, sql, params)  # type: ignore[misc]  # Django's
