"""Cursors."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from psycoxide._exceptions import InterfaceError, ProgrammingError
from psycoxide.aio.arrow import AsyncArrowCursor
from psycoxide.aio.copy import AsyncCopy
from psycoxide.aio.partitions import AsyncPartitioned
from psycoxide.aio.stream import AsyncStream
from psycoxide.rows import tuple_row

if TYPE_CHECKING:
    from typing_extensions import Self

    from psycoxide._arrow.ingest import Mode, OnConflict
    from psycoxide._arrow.progress import Progress
    from psycoxide._types import OwnQuery as Query, Params, Vars
    from psycoxide.aio.connection import AsyncConnection
    from psycoxide.extensions import Column
    from psycoxide.rows import RowFactory, RowMaker

ASYNC = True

_Row = TypeVar("_Row")

# What `executemany()` runs a query for.
Items: TypeAlias = "Iterable[Params] | AsyncIterable[Params]"
# in sync:
# Items: TypeAlias = "Iterable[Params]"

# How many items are taken from an iterable at a time.
PORTION = 10_000


def iterator(items: Any) -> Any:
    """An iterator over items, asynchronous if they are."""
    if ASYNC:
        return aiter(items) if isinstance(items, AsyncIterable) else iter(items)
    return iter(items)


async def next_portion(items: Any) -> list[Params]:
    """The next items of an iterator; none at its end."""
    if ASYNC:
        return await next_of_either(items)
    return list(islice(items, PORTION))


async def next_of_either(items: Any) -> list[Params]:  # only in aio
    if not isinstance(items, AsyncIterator):
        return list(islice(items, PORTION))
    portion: list[Params] = []
    while len(portion) < PORTION:
        try:
            portion.append(await anext(items))
        except StopAsyncIteration:
            break
    return portion


def left(until: float | None) -> float | None:
    """How many seconds are left of a time limit."""
    return None if until is None else max(0.0, until - time.monotonic())


class AsyncCursor(AsyncArrowCursor, AsyncPartitioned, Generic[_Row]):
    """Runs queries and holds the result of the last one, as in PEP 249.

    Made by `connection.cursor()` and `connection.execute()`. It is for one task at a time.
    """

    def __init__(
        self,
        connection: AsyncConnection[Any],
        *,
        row_factory: RowFactory[_Row],
    ) -> None:
        self._connection = connection
        self._channel = connection._channel
        self._native = self._channel.cursor()
        self._maker: RowMaker[_Row] | None = None
        self._row_factory = row_factory

    # ---- queries --------------------------------------------------------------------------------

    async def execute(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """Run a query, and return the cursor itself. See `AsyncConnection.execute()`."""
        if self._native.closed and not self._channel.closed:
            raise InterfaceError("the cursor is closed")
        self._maker = None
        await self._channel.execute(self._native, query, params, timeout, prepare, binary)
        return self

    async def executemany(
        self,
        query: Query,
        params_seq: Items,
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> Self:
        """Run a query once for each of many parameters, and return the cursor itself.

        See `AsyncConnection.executemany()`.
        """
        self._maker = None
        if isinstance(params_seq, (list, tuple)):
            await self._run_many(query, params_seq, returning, timeout)
            return self
        until = None if timeout is None else time.monotonic() + timeout
        items = iterator(params_seq)
        portion = await next_portion(items)
        while returning and (more := await next_portion(items)):
            # The rows are all kept: so can be what they are made for.
            portion += more
        if returning or len(portion) < PORTION:
            await self._run_many(query, portion, returning, left(until))
        elif self._connection._in_transaction():
            await self._run_portions(query, portion, items, until)
        else:
            async with self._connection.transaction():
                await self._run_portions(query, portion, items, until)
        return self

    async def _run_portions(
        self, query: Query, portion: list[Params], items: Any, until: float | None
    ) -> None:
        """Run a query for items of which there may be more than fit into memory."""
        rowcount = 0
        while portion:
            await self._run_many(query, portion, False, left(until), rowcount)
            rowcount = self.rowcount
            portion = await next_portion(items)

    async def _run_many(
        self,
        query: Query,
        items: Sequence[Params],
        returning: bool,
        timeout: float | None,
        rowcount: int = 0,
    ) -> None:
        channel = self._channel
        await channel.executemany(self._native, query, items, returning, rowcount, timeout)

    def stream(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> AsyncStream[_Row]:
        """Iterate over the rows of a query while they arrive. See `AsyncConnection.stream()`."""
        self._maker = None
        self._connection._gave_out = True
        native, factory = self._native, self._row_factory
        rows = self._channel.stream(native, query, params, factory, timeout, prepare, binary)
        return AsyncStream(rows)

    def copy(
        self, statement: Query, params: Vars = None, *, timeout: float | None = None
    ) -> AsyncCopy:
        """Copy data to or from a table. See `AsyncConnection.copy()`."""
        self._maker = None
        place = self._channel.copy(self._native, statement, params, timeout)
        return AsyncCopy(self._connection, self._native, place)

    async def adbc_ingest(
        self,
        table: str,
        data: object,
        mode: Mode = "create",
        *,
        catalog_name: str | None = None,
        db_schema_name: str | None = None,
        temporary: bool = False,
        on_conflict: OnConflict | None = None,
        key: Iterable[str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write Arrow data to a table, and return the number of rows written.

        See `AsyncConnection.adbc_ingest()`. The cursor keeps the result that it has.
        """
        from psycoxide.aio.ingest import ingest

        return await ingest(
            self._connection,
            table,
            data,
            mode,
            progress,
            catalog_name=catalog_name,
            db_schema_name=db_schema_name,
            temporary=temporary,
            on_conflict=on_conflict,
            key=key,
        )

    # ---- the result -----------------------------------------------------------------------------

    async def fetchone(self) -> _Row | None:
        """Return the next row of the result, None at its end.

        Raises ProgrammingError if the last query returned no table.
        """
        self._check()
        row = self._native.fetchone()
        return None if row is None else self._make(row)

    async def fetchmany(self, size: int | None = None) -> list[_Row]:
        """Return the next `size` rows, or as many as are left; `arraysize` if it is None."""
        self._check()
        size = self.arraysize if size is None else size
        rows: list[_Row] = await self._channel.read(self._native, size, self._row_factory)
        return rows

    async def fetchall(self) -> list[_Row]:
        """Return all rows that are left."""
        self._check()
        rows: list[_Row] = await self._channel.read(self._native, -1, self._row_factory)
        return rows

    async def _rows(self) -> AsyncIterator[_Row]:
        if self._row_factory is tuple_row:
            for row in self._native:
                yield row  # type: ignore[misc]
        else:
            for row in self._native:
                yield self._make(row)

    def __aiter__(self) -> AsyncIterator[_Row]:
        self._check()
        return self._rows()

    async def scroll(self, value: int, mode: Literal["relative", "absolute"] = "relative") -> None:
        """Move within the result: by `value` rows, or to that row if `mode` is "absolute".

        Raises ProgrammingError or IndexError if there is no such row.
        """
        self._check()
        self._native.scroll(value, mode)

    def _check(self) -> None:
        if self._native.closed:
            raise InterfaceError("the cursor is closed")
        if self._native.description is None:
            raise ProgrammingError("the last query returned no rows")

    def _make(self, row: tuple[Any, ...]) -> _Row:
        maker = self._maker
        if maker is None:
            maker = self._maker = self._row_factory(self)
        return maker(row)

    @property
    def row_factory(self) -> RowFactory[_Row]:
        """Makes the rows."""
        return self._row_factory

    @row_factory.setter
    def row_factory(self, value: RowFactory[_Row]) -> None:
        self._row_factory = value
        self._maker = None

    @property
    def connection(self) -> AsyncConnection[Any]:
        """The connection that the cursor was made by."""
        return self._connection

    @property
    def description(self) -> tuple[Column, ...] | None:
        """The columns of the result, None if the last query returned no table."""
        return self._native.description

    @property
    def rowcount(self) -> int:
        """How many rows the last query returned or changed; -1 if that is not known."""
        return self._native.rowcount

    @property
    def rownumber(self) -> int | None:
        """The number of the next row, counted from 0; None without a result."""
        return None if self._native.description is None else self._native.rownumber

    @property
    def statusmessage(self) -> str | None:
        """What the server said at the end of the last query: `INSERT 0 1`."""
        return self._native.statusmessage

    @property
    def query(self) -> bytes | None:
        """The last query as it was sent."""
        return self._native.query

    @property
    def arraysize(self) -> int:
        """How many rows `fetchmany()` returns: 1 at first."""
        return self._native.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._native.arraysize = value

    # ---- the end --------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the cursor, or its connection, is closed."""
        return self._native.closed

    async def close(self) -> None:
        """Close the cursor, and forget its result."""
        self._native.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._native.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else self.statusmessage or "no result"
        return f"<{type(self).__module__}.{type(self).__qualname__} [{state}] at {id(self):#x}>"
