"""Results as Arrow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycoxide._arrow.libraries import to_pandas, to_polars, to_pyarrow, to_reader
from psycoxide._arrow.progress import Report
from psycoxide._arrow.tables import in_one

if TYPE_CHECKING:
    from typing_extensions import Self

    from psycoxide._arrow.progress import Progress
    from psycoxide._psycopg import ArrowTable, BatchStream, Channel, cursor
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.aio.connection import AsyncConnection
    from psycoxide.arrow import ArrowOptions

ASYNC = True


class AsyncArrowStream:
    """The record batches of a query while they arrive: see `AsyncConnection.stream_arrow()`."""

    def __init__(self, native: BatchStream, report: Report | None) -> None:
        self._native = native
        self._report = report

    def __aiter__(self) -> AsyncIterator[ArrowTable]:
        return self

    async def __anext__(self) -> ArrowTable:
        while True:
            table = await self._next()
            if table is None:
                raise StopAsyncIteration
            if table.num_rows:
                return table

    async def _next(self) -> ArrowTable | None:
        """The next batches; perhaps without rows. None at the end."""
        table: ArrowTable | None = await self._native.next()
        if self._report is not None:
            if table is None:
                self._report(0, 0, True)
            else:
                self._report(table.num_rows, table.nbytes, False)
        return table

    async def _all(self) -> ArrowTable:
        """All that is left, in one table."""
        tables = []
        async with self:
            while (table := await self._next()) is not None:
                tables.append(table)
        return in_one(tables)

    if not ASYNC:

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            """The batches that are left, for a library that reads them as they arrive."""
            return self._native.__arrow_c_stream__(requested_schema)

    async def aclose(self) -> None:
        """End the stream. If the query still runs, the server cancels it."""
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


class AsyncArrowCursor:
    """The part of a cursor that gives its result as Arrow. The names are those of ADBC."""

    _channel: Channel
    _connection: AsyncConnection[Any]
    _native: cursor

    def _check(self) -> None:
        raise NotImplementedError

    @property
    def arrow(self) -> ArrowOptions | bool | None:
        """Whether, and how, the rows of queries become Arrow's while they arrive.

        None, True, or `psycoxide.arrow.ArrowOptions`. If it is set before `execute()`, columns come
        in PostgreSQL's binary formats, and rows are read by `fetch_arrow_table()` and the like, no
        longer by `fetchone()`. Other results are converted when they are asked for.
        """
        return self._native.arrow

    @arrow.setter
    def arrow(self, value: ArrowOptions | bool | None) -> None:
        self._native.arrow = value

    async def fetch_arrow(self) -> ArrowTable:
        """Return all remaining rows as Arrow's record batches.

        Any library that knows Arrow's PyCapsule interface takes what is returned. Raises DataError
        for a value that its Arrow type cannot hold, with row and column and the option to choose;
        ProgrammingError if the last query returned no table.
        """
        self._check()
        table: ArrowTable = await self._channel.fetch_arrow(self._native)
        return table

    async def fetch_arrow_table(self) -> Any:
        """The same as a `pyarrow.Table`; pyarrow has to be installed."""
        return to_pyarrow(await self.fetch_arrow())

    async def fetchallarrow(self) -> Any:
        """Another name of `fetch_arrow_table()`."""
        return to_pyarrow(await self.fetch_arrow())

    async def fetch_record_batch(self) -> Any:
        """The same as a `pyarrow.RecordBatchReader`."""
        return to_reader(await self.fetch_arrow())

    async def fetch_df(self) -> Any:
        """The same as a `pandas.DataFrame`; pandas and pyarrow have to be installed."""
        return to_pandas(await self.fetch_arrow())

    async def fetch_polars(self) -> Any:
        """The same as a `polars.DataFrame`; polars has to be installed."""
        return to_polars(await self.fetch_arrow())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows that are left; they stay where they are, and can be taken again."""
        self._check()
        return self._native.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The Arrow schema of the result."""
        self._check()
        return self._native.__arrow_c_schema__()

    def stream_arrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        progress: Progress | None = None,
    ) -> AsyncArrowStream:
        """Iterate over the record batches of a query while they arrive.

        See `AsyncConnection.stream_arrow()`. The cursor's `arrow` has the options.
        """
        if self._native.arrow is None:
            self._native.arrow = True
        report = None if progress is None else Report(progress)
        self._connection._gave_out = True
        native = self._channel.stream_arrow(self._native, query, params, timeout, prepare, report)
        return AsyncArrowStream(native, report)
