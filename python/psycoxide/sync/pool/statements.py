# Generated from python/psycoxide/aio/pool/statements.py by tools/generate_sync.py: do not edit.
"""Statements that a pool runs in one step: borrow, run, give back."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from psycoxide._pooling.member import Place, caller
from psycoxide.sync.retrying import Retrying

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from psycoxide._retrying import RetryingOptions
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.rows import RowFactory
    from psycoxide.sync.connection import Connection
    from psycoxide.sync.cursor import Cursor, Items

_Conn = TypeVar("_Conn", bound="Connection[Any]")
_R = TypeVar("_R")


class Statements(Generic[_Conn]):
    """What a pool runs on a connection of its choice. Each call borrows and gives back one.

    `timeout` is how many seconds the statement may take; the wait for a connection is limited by
    the `timeout` of the pool.
    """

    @abstractmethod
    def _borrow(self, timeout: float | None, place: Place) -> AbstractContextManager[_Conn]: ...

    def execute(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> Cursor[Any]:
        """Run a query, and return a cursor with its result, as `Connection.execute()`."""
        with self._borrow(None, caller()) as conn:
            return conn.execute(query, params, timeout=timeout)

    def executemany(
        self,
        query: Query,
        params_seq: Items,
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> Cursor[Any]:
        """Run a query once for each of many parameters, as `Connection.executemany()`."""
        with self._borrow(None, caller()) as conn:
            return conn.executemany(query, params_seq, returning=returning, timeout=timeout)

    @overload
    def fetch(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> list[Any]: ...
    @overload
    def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
    ) -> list[_R]: ...
    def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Run a query and return all of its rows, as `Connection.fetch()`."""
        with self._borrow(None, caller()) as conn:
            factory = conn.row_factory if row_factory is None else row_factory
            return conn.fetch(query, params, row_factory=factory, timeout=timeout)

    @overload
    def fetchrow(
        self, query: Query, params: Vars = None, *, timeout: float | None = None
    ) -> Any: ...
    @overload
    def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
    ) -> _R | None: ...
    def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a query and return its first row, as `Connection.fetchrow()`."""
        with self._borrow(None, caller()) as conn:
            factory = conn.row_factory if row_factory is None else row_factory
            return conn.fetchrow(query, params, row_factory=factory, timeout=timeout)

    def fetchval(self, query: Query, params: Vars = None, *, timeout: float | None = None) -> Any:
        """Run a query and return its first value, as `Connection.fetchval()`."""
        with self._borrow(None, caller()) as conn:
            return conn.fetchval(query, params, timeout=timeout)

    def retrying(self, **options: Unpack[RetryingOptions]) -> Retrying[_Conn]:
        """Run a transaction again when another one was in its way: a loop, or a decorator.

            for attempt, transaction in pool.retrying(isolation="serializable"):
                with attempt, transaction as conn:
                    ...

        Each attempt borrows a connection. `options` are those of `Retrying`, which says more.
        """
        return Retrying(self, **options)
