"""Statements that a pool runs in one step: borrow, run, give back."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from psycoxide._pooling.member import Place, caller
from psycoxide.aio.retrying import AsyncRetrying

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from psycoxide._retrying import RetryingOptions
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.aio.connection import AsyncConnection
    from psycoxide.aio.cursor import AsyncCursor, Items
    from psycoxide.rows import RowFactory

_Conn = TypeVar("_Conn", bound="AsyncConnection[Any]")
_R = TypeVar("_R")


class AsyncStatements(Generic[_Conn]):
    """What a pool runs on a connection of its choice. Each call borrows and gives back one.

    `timeout` is how many seconds the statement may take; the wait for a connection is limited by
    the `timeout` of the pool.
    """

    @abstractmethod
    def _borrow(
        self, timeout: float | None, place: Place
    ) -> AbstractAsyncContextManager[_Conn]: ...

    async def execute(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> AsyncCursor[Any]:
        """Run a query, and return a cursor with its result, as `AsyncConnection.execute()`."""
        async with self._borrow(None, caller()) as conn:
            return await conn.execute(query, params, timeout=timeout)

    async def executemany(
        self,
        query: Query,
        params_seq: Items,
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> AsyncCursor[Any]:
        """Run a query once for each of many parameters, as `AsyncConnection.executemany()`."""
        async with self._borrow(None, caller()) as conn:
            return await conn.executemany(query, params_seq, returning=returning, timeout=timeout)

    @overload
    async def fetch(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> list[Any]: ...
    @overload
    async def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
    ) -> list[_R]: ...
    async def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Run a query and return all of its rows, as `AsyncConnection.fetch()`."""
        async with self._borrow(None, caller()) as conn:
            factory = conn.row_factory if row_factory is None else row_factory
            return await conn.fetch(query, params, row_factory=factory, timeout=timeout)

    @overload
    async def fetchrow(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> Any: ...
    @overload
    async def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
    ) -> _R | None: ...
    async def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a query and return its first row, as `AsyncConnection.fetchrow()`."""
        async with self._borrow(None, caller()) as conn:
            factory = conn.row_factory if row_factory is None else row_factory
            return await conn.fetchrow(query, params, row_factory=factory, timeout=timeout)

    async def fetchval(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> Any:
        """Run a query and return its first value, as `AsyncConnection.fetchval()`."""
        async with self._borrow(None, caller()) as conn:
            return await conn.fetchval(query, params, timeout=timeout)

    def retrying(self, **options: Unpack[RetryingOptions]) -> AsyncRetrying[_Conn]:
        """Run a transaction again when another one was in its way: a loop, or a decorator.

            async for attempt, transaction in pool.retrying(isolation="serializable"):
                async with attempt, transaction as conn:
                    ...

        Each attempt borrows a connection. `options` are those of `AsyncRetrying`, which says more.
        """
        return AsyncRetrying(self, **options)
