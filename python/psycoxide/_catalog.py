"""Looking up a type in the server's catalogue for the `register_*()` functions."""

from __future__ import annotations

import sys

import psycoxide
from psycoxide._exceptions import ProgrammingError

# Not imported when the program runs: every process pays for the imports of `import psycoxide`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from psycoxide._psycopg import connection, cursor
    from psycoxide._types import Scope

# What `Channel.standing()` returns while a call is under way, or its end.
IN_USE = (2, 3)


def _solve_conn_curs(conn_or_curs: Scope | None) -> tuple[connection, cursor]:
    """The connection of `conn_or_curs` and a new plain cursor on it.

    Raises ProgrammingError if it is None, or of a connection of `psycoxide.aio` that is in use: the
    query that follows could not wait for its turn.
    """
    if conn_or_curs is None:
        raise ProgrammingError("no connection or cursor provided")
    aio: Any = sys.modules.get("psycoxide.aio")
    own: Any = conn_or_curs
    is_aio = aio and isinstance(own, (aio.AsyncConnection, aio.AsyncCursor))
    if is_aio and own._channel.standing() in IN_USE:
        raise ProgrammingError(
            "looking a type up asks the server, and waits for the answer: do it while no other "
            "call of this connection is under way, or name the oids of the type"
        )
    # By attribute, not by class: people pass wrappers of connections and cursors.
    given: Any = getattr(own, "_native", own)
    conn: connection = given.connection if hasattr(given, "execute") else given
    return conn, conn.cursor(cursor_factory=psycoxide.extras._cursor)  # type: ignore[attr-defined]


class lookup:
    """A context manager that returns a connection and a cursor to query the catalogue with.

    A transaction that the queries open is rolled back at the end, so that a look-up
    leaves the connection as it was; a transaction that was open before is left alone.
    """

    def __init__(self, conn_or_curs: Scope | None) -> None:
        # Looked up in `extras`, since programs replace it there.
        self._conn, self._curs = psycoxide.extras._solve_conn_curs(conn_or_curs)
        self._status = self._conn.status

    def __enter__(self) -> tuple[connection, cursor]:
        return self._conn, self._curs

    def __exit__(self, kind: object, *_: object) -> None:
        was_open = self._status == psycoxide.extensions.STATUS_IN_TRANSACTION
        if kind is None and not was_open and not self._conn.autocommit:
            self._conn.rollback()


def fetch_by_name(
    conn: connection, curs: cursor, name: str, columns: str, tables: str, order: str = ""
) -> list[Any]:
    """The rows about the type `name`: its `columns` of `tables`, then typname and nspname.

    `tables` joins pg_type as `t`. A name without a schema is looked up in `public` first, as
    psycopg2 does, then along the search path; the second query runs in a savepoint, because
    `::regtype` fails for a name that does not exist.
    """
    query = (
        f"SELECT {columns}, t.typname, ns.nspname FROM {tables}"
        " JOIN pg_namespace ns ON ns.oid = t.typnamespace WHERE "
    )
    schema, _, unqualified = name.partition(".") if "." in name else ("public", "", name)
    curs.execute(f"{query} t.typname = %s AND ns.nspname = %s {order}", (unqualified, schema))
    rows = curs.fetchall()
    if rows:
        return rows

    in_transaction = conn.status == psycoxide.extensions.STATUS_IN_TRANSACTION
    if in_transaction:
        curs.execute("SAVEPOINT register_type")
    try:
        curs.execute(f"{query} t.oid = %s::regtype {order}", (name,))
        return curs.fetchall()
    except ProgrammingError:
        return []
    finally:
        if in_transaction:
            curs.execute("ROLLBACK TO SAVEPOINT register_type")
