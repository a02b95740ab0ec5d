# Generated from python/psycoxide/aio/arrow.py by tools/generate_sync.py: do not edit.
"""Results as Arrow."""

from __future__ import annotations

from collections.abc import Iterator
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
    from psycoxide.arrow import ArrowOptions
    from psycoxide.sync.connection import Connection


class ArrowStream:
    """The record batches of a query while they arrive: see `Connection.stream_arrow()`."""

    def __init__(self, native: BatchStream, report: Report | None) -> None:
        self._native = native
        self._report = report

    def __iter__(self) -> Iterator[ArrowTable]:
        return self

    def __next__(self) -> ArrowTable:
        while True:
            table = self._next()
            if table is None:
                raise StopIteration
            if table.num_rows:
                return table

    def _next(self) -> ArrowTable | None:
        """The next batches; perhaps without rows. None at the end."""
        table: ArrowTable | None = self._native.next()
        if self._report is not None:
            if table is None:
                self._report(0, 0, True)
            else:
                self._report(table.num_rows, table.nbytes, False)
        return table

    def _all(self) -> ArrowTable:
        """All that is left, in one table."""
        tables = []
        with self:
            while (table := self._next()) is not None:
                tables.append(table)
        return in_one(tables)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The batches that are left, for a library that reads them as they arrive."""
        return self._native.__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """End the stream. If the query still runs, the server cancels it."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._native.close()


class ArrowCursor:
    """The part of a cursor that gives its result as Arrow. The names are those of ADBC."""

    _channel: Channel
    _connection: Connection[Any]
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

    def fetch_arrow(self) -> ArrowTable:
        """Return all remaining rows as Arrow's record batches.

        Any library that knows Arrow's PyCapsule interface takes what is returned. Raises DataError
        for a value that its Arrow type cannot hold, with row and column and the option to choose;
        ProgrammingError if the last query returned no table.
        """
        self._check()
        table: ArrowTable = self._channel.fetch_arrow(self._native)
        return table

    def fetch_arrow_table(self) -> Any:
        """The same as a `pyarrow.Table`; pyarrow has to be installed."""
        return to_pyarrow(self.fetch_arrow())

    def fetchallarrow(self) -> Any:
        """Another name of `fetch_arrow_table()`."""
        return to_pyarrow(self.fetch_arrow())

    def fetch_record_batch(self) -> Any:
        """The same as a `pyarrow.RecordBatchReader`."""
        return to_reader(self.fetch_arrow())

    def fetch_df(self) -> Any:
        """The same as a `pandas.DataFrame`; pandas and pyarrow have to be installed."""
        return to_pandas(self.fetch_arrow())

    def fetch_polars(self) -> Any:
        """The same as a `polars.DataFrame`; polars has to be installed."""
        return to_polars(self.fetch_arrow())

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
    ) -> ArrowStream:
        """Iterate over the record batches of a query while they arrive.

        See `Connection.stream_arrow()`. The cursor's `arrow` has the options.
        """
        if self._native.arrow is None:
            self._native.arrow = True
        report = None if progress is None else Report(progress)
        self._connection._gave_out = True
        native = self._channel.stream_arrow(self._native, query, params, timeout, prepare, report)
        return ArrowStream(native, report)
