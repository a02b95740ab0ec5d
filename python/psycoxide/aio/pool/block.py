"""The block in which a connection is borrowed."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from psycoxide._pooling.member import Place
    from psycoxide.aio.connection import AsyncConnection
    from psycoxide.aio.pool.pool import AsyncConnectionPool

_Conn = TypeVar("_Conn", bound="AsyncConnection[Any]")


class AsyncBorrowing(Generic[_Conn]):
    """The block in which a connection is borrowed: see `AsyncConnectionPool.connection()`."""

    __slots__ = ("_connection", "_place", "_pool", "_timeout")

    def __init__(
        self, pool: AsyncConnectionPool[_Conn], timeout: float | None, place: Place
    ) -> None:
        self._pool = pool
        self._timeout = timeout
        self._place = place
        self._connection: _Conn | None = None

    async def __aenter__(self) -> _Conn:
        pool = self._pool
        connection = pool._lend_at_once(self._place)
        if connection is None:
            connection = await pool._lend(self._timeout, self._place)
        self._connection = connection
        return connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if exc is not None:
                self._pool._note(connection, exc)
            if not connection.autocommit and exc_type is not GeneratorExit:
                await connection._end_transaction(exc)
        finally:
            if connection._pool is self._pool:
                self._pool._take_back(connection)
