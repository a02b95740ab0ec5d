# Generated from python/psycoxide/aio/pool/block.py by tools/generate_sync.py: do not edit.
"""The block in which a connection is borrowed."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from psycoxide._pooling.member import Place
    from psycoxide.sync.connection import Connection
    from psycoxide.sync.pool.pool import ConnectionPool

_Conn = TypeVar("_Conn", bound="Connection[Any]")


class Borrowing(Generic[_Conn]):
    """The block in which a connection is borrowed: see `ConnectionPool.connection()`."""

    __slots__ = ("_connection", "_lent_at", "_place", "_pool", "_timeout")

    def __init__(self, pool: ConnectionPool[_Conn], timeout: float | None, place: Place) -> None:
        self._pool = pool
        self._timeout = timeout
        self._place = place
        self._connection: _Conn | None = None
        self._lent_at = 0.0

    def __enter__(self) -> _Conn:
        pool = self._pool
        connection = pool._lend_at_once(self._place)
        if connection is None:
            connection = pool._lend(self._timeout, self._place)
        self._connection = connection
        if (member := connection._member) is not None:
            self._lent_at = member.lent_at
        return connection

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None or (member := connection._member) is None:
            return
        # Its close() may have given it back, and another block has it now.
        if member.lent_at != self._lent_at:
            return
        if exc is not None or not self._pool._take_back_at_once(connection, member):
            self._end(connection, exc)

    def _end(self, connection: _Conn, exc: BaseException | None) -> None:
        pool = self._pool
        try:
            if exc is not None:
                pool._note(connection, exc)
            if not connection.autocommit:
                if exc is None or isinstance(exc, Exception):
                    connection._end_transaction(exc)
                elif connection._member is not None:
                    # Who is cancelled does not wait for the server: the pool rolls back.
                    connection._member.cut_off = True
        finally:
            pool._take_back(connection)
