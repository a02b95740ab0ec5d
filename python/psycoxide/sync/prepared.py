# Generated from python/psycoxide/aio/prepared.py by tools/generate_sync.py: do not edit.
"""Prepared statements that a program holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from psycoxide.sync.stream import Stream

if TYPE_CHECKING:
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.extensions import Column
    from psycoxide.rows import RowFactory
    from psycoxide.sync.connection import Connection
    from psycoxide.sync.cursor import Cursor, Items

_Row = TypeVar("_Row")
_R = TypeVar("_R")


class PreparedStatement(Generic[_Row]):
    """A query that the server has parsed, made by `Connection.prepare()`.

    Its methods are those of the connection, without the query.
    """

    def __init__(
        self,
        connection: Connection[_Row],
        query: Query,
        parameters: tuple[int, ...],
        columns: tuple[Column, ...] | None,
    ) -> None:
        self._connection = connection
        self._query = query
        self._parameters = parameters
        self._columns = columns

    def execute(self, params: Vars = None, *, timeout: float | None = None) -> Cursor[_Row]:
        """Run the query, and return a cursor with its result."""
        conn, query = self._connection, self._query
        return conn.execute(query, params, timeout=timeout, prepare=True)

    def executemany(
        self, params_seq: Items, *, returning: bool = False, timeout: float | None = None
    ) -> Cursor[_Row]:
        """Run the query once for each of many parameters, all of them or none."""
        conn, query = self._connection, self._query
        return conn.executemany(query, params_seq, returning=returning, timeout=timeout)

    @overload
    def fetch(self, params: Vars = None, *, timeout: float | None = None) -> list[_Row]: ...
    @overload
    def fetch(
        self, params: Vars = None, *, row_factory: RowFactory[_R], timeout: float | None = None
    ) -> list[_R]: ...
    def fetch(
        self,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
    ) -> list[Any]:
        """Run the query and return all of its rows; none if it returns no table."""
        conn = self._connection
        factory = conn.row_factory if row_factory is None else row_factory
        rows: list[Any] = conn._channel.fetch(self._query, params, factory, timeout, True)
        return rows

    @overload
    def fetchrow(self, params: Vars = None, *, timeout: float | None = None) -> _Row | None: ...
    @overload
    def fetchrow(
        self, params: Vars = None, *, row_factory: RowFactory[_R], timeout: float | None = None
    ) -> _R | None: ...
    def fetchrow(
        self,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run the query and return its first row, None if there is none."""
        conn = self._connection
        factory = conn.row_factory if row_factory is None else row_factory
        return conn._channel.fetchrow(self._query, params, factory, timeout, True)

    def fetchval(self, params: Vars = None, *, timeout: float | None = None) -> Any:
        """Run the query and return the first value of its first row, None if there is none."""
        return self._connection._channel.fetchval(self._query, params, timeout, True)

    def stream(self, params: Vars = None, *, timeout: float | None = None) -> Stream[_Row]:
        """Iterate over the rows of the query while they arrive."""
        return self._connection.stream(self._query, params, timeout=timeout, prepare=True)

    @property
    def connection(self) -> Connection[_Row]:
        """The connection that the query was prepared on."""
        return self._connection

    @property
    def query(self) -> Query:
        """The query as it was given."""
        return self._query

    @property
    def parameters(self) -> tuple[int, ...]:
        """The OIDs of the types that the server has chosen for `$1` and so on."""
        return self._parameters

    @property
    def columns(self) -> tuple[Column, ...] | None:
        """The columns of the result, as in `cursor.description`; None if there is none."""
        return self._columns

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} at {id(self):#x}>"
