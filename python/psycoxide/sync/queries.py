# Generated from python/psycoxide/aio/queries.py by tools/generate_sync.py: do not edit.
"""What runs queries on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from psycoxide._psycopg import Channel
from psycoxide.sync.arrow import ArrowStream
from psycoxide.sync.copy import Copy
from psycoxide.sync.cursor import Cursor
from psycoxide.sync.prepared import PreparedStatement
from psycoxide.sync.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycoxide._arrow.ingest import Mode, OnConflict
    from psycoxide._arrow.progress import Progress
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.arrow import ArrowOptions
    from psycoxide.rows import RowFactory
    from psycoxide.sync.connection import Connection
    from psycoxide.sync.cursor import Items

_Row = TypeVar("_Row")
_R = TypeVar("_R")


class Queries(Generic[_Row]):
    """The part of a connection that runs queries."""

    row_factory: RowFactory[_Row]
    _channel: Channel
    # Whether rows were given to the program while they arrived.
    _gave_out: bool

    def _own_connection(self) -> Connection[_Row]:
        raise NotImplementedError

    def execute(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Cursor[_Row]:
        """Run a query, and return a cursor with its result.

        `%s` or `%(name)s` in the query, or `$1` and so on, stand for the values of `params`, a
        sequence or a mapping. Without `params` the text is sent as it is, and may hold several
        statements.

        `prepare`: true prepares the statement on the server at once, false never; None when it has
        run `prepare_threshold` times. `binary`: true asks for columns in binary at once, false
        never; None as soon as the statement is prepared. The values are the same in both formats.

        Raises the server's errors as exceptions of `psycoxide.errors`; OperationTimeout after
        `timeout` seconds; InterfaceError if the connection is closed.
        """
        cursor: Cursor[_Row] = Cursor(self._own_connection(), row_factory=self.row_factory)
        return cursor.execute(query, params, timeout=timeout, prepare=prepare, binary=binary)

    def executemany(
        self,
        query: Query,
        params_seq: Items,
        *,
        returning: bool = False,
        timeout: float | None = None,
    ) -> Cursor[_Row]:
        """Run a query once for each of many parameters, all of them or none.

        `params_seq` is an iterable, or an asynchronous one, of what `execute()` takes as `params`.
        They are sent many at a time. The server parses the query once for all rows of a batch whose
        values have the same types, and each row means what it means to `execute()`. With
        `binding="client"` only a plain `INSERT ... VALUES (%s, ...)` is parsed once. Outside a
        transaction, in autocommit mode, all is one transaction.

        Returns a cursor. Its `rowcount` is the sum of all row counts. The rows that the statements
        return, by RETURNING for example, are dropped, unless `returning` is true: then the cursor
        has them, in order.

        Raises what `execute()` raises.
        """
        cursor: Cursor[_Row] = Cursor(self._own_connection(), row_factory=self.row_factory)
        return cursor.executemany(query, params_seq, returning=returning, timeout=timeout)

    @overload
    def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> list[_Row]: ...
    @overload
    def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> list[_R]: ...
    def fetch(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> list[Any]:
        """Run a query and return all of its rows; none if it returns no table.

        `row_factory` makes the rows of this call. Raises what `execute()` raises.
        """
        factory = self.row_factory if row_factory is None else row_factory
        rows: list[Any] = self._channel.fetch(query, params, factory, timeout, prepare, binary)
        return rows

    @overload
    def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> _Row | None: ...
    @overload
    def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> _R | None: ...
    def fetchrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Any:
        """Run a query and return its first row, None if there is none.

        Raises what `execute()` raises.
        """
        factory = self.row_factory if row_factory is None else row_factory
        return self._channel.fetchrow(query, params, factory, timeout, prepare, binary)

    def fetchval(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Any:
        """Run a query and return the first value of its first row, None if there is none.

        Raises what `execute()` raises.
        """
        return self._channel.fetchval(query, params, timeout, prepare, binary)

    @overload
    def stream(
        self,
        query: Query,
        params: Vars = None,
        *,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Stream[_Row]: ...
    @overload
    def stream(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[_R],
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Stream[_R]: ...
    def stream(
        self,
        query: Query,
        params: Vars = None,
        *,
        row_factory: RowFactory[Any] | None = None,
        timeout: float | None = None,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Stream[Any]:
        """Iterate over the rows of a query while they arrive: `for row in conn.stream(...)`.

        Memory stays constant: no more is read from the server while the loop is busy with the rows
        that have arrived. There is neither a cursor on the server nor a transaction. The query runs
        when the first row is asked for, and is one statement.

        Other calls on the connection wait until the stream has ended; the thread that reads it gets
        ProgrammingError from them. Leaving the loop early cancels the query on the server; within a
        transaction that makes the transaction fail, unless all rows had been sent by then. If an
        exception may leave the loop, `with conn.stream(...) as rows:` ends the stream at
        once; otherwise it ends when its last reference goes.

        `row_factory` makes the rows. `timeout` is how many seconds each wait for more rows may
        take. Raises what `execute()` raises, perhaps after some rows.
        """
        factory = self.row_factory if row_factory is None else row_factory
        cursor = self._channel.cursor()
        self._gave_out = True
        rows = self._channel.stream(cursor, query, params, factory, timeout, prepare, binary)
        return Stream(rows)

    def stream_arrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        options: ArrowOptions | None = None,
        timeout: float | None = None,
        prepare: bool | None = None,
        progress: Progress | None = None,
    ) -> ArrowStream:
        """Iterate over a query's result as Arrow: `for table in conn.stream_arrow(...)`.

        Each table is one record batch, of up to 65,536 rows or about 16 MiB. Memory stays constant:
        no more is read from the server while the loop is busy. Otherwise it is as `stream()`, but
        for its values, which come in PostgreSQL's binary formats and become Arrow's as `options`
        say.

        `progress` is called with the number of rows and of bytes that have come so far, at most ten
        times a second, and at the end; in whatever thread reads the stream.

        Raises what `execute()` raises; DataError for a value that its Arrow type cannot hold, with
        row and column and the option to choose.
        """
        cursor: Cursor[_Row] = Cursor(self._own_connection(), row_factory=self.row_factory)
        cursor.arrow = True if options is None else options
        return cursor.stream_arrow(
            query, params, timeout=timeout, prepare=prepare, progress=progress
        )

    def prepare(self, query: Query, *, timeout: float | None = None) -> PreparedStatement[_Row]:
        """Have the server parse a query, and return an object that runs it again and again.

        The query has `%s`, `%(name)s` or `$1` in the place of its parameters. Nothing has to be
        closed: statements that are not used any more make room for others. Behind a pooler on which
        prepared statements do not last, each run parses it anew.

        Raises the server's errors as exceptions of `psycoxide.errors`.
        """
        connection = self._own_connection()
        description = self._channel.describe(self._channel.cursor(), query, timeout)
        return PreparedStatement(connection, query, *description)

    def copy(self, statement: Query, params: Vars = None, *, timeout: float | None = None) -> Copy:
        """Copy data to or from a table: `with conn.copy("COPY item FROM STDIN") as copy:`.

        `copy.write_row((1, "tea"))`, `write_rows()` and `write()` send data,
        `for row in copy.rows()` and `for block in copy` receive them. The server has
        the rows once the block has ended; an exception that leaves the block makes the COPY fail.

        Other calls on the connection wait until the block has ended; the thread in the block gets
        ProgrammingError from them. `timeout` is how many seconds each wait for the server may
        take. The server's errors are raised by the block's beginning or end, or by a call in it;
        ProgrammingError if the statement is not a COPY FROM STDIN or a COPY TO STDOUT.
        """
        cursor = self._channel.cursor()
        return Copy(
            self._own_connection(), cursor, self._channel.copy(cursor, statement, params, timeout)
        )

    def adbc_ingest(
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

        `data` is a DataFrame of Polars or pandas 3, a table of pyarrow, a relation of DuckDB, or
        any other object with `__arrow_c_stream__()` or `__arrow_c_array__()`. Its columns go to the
        columns of the same names, in their types. `mode` is "create", "append", "replace" (drops
        the table first) or "create_append" (creates the table if there is none).

        All rows are written, or none: within a transaction that is open this is a savepoint, in
        autocommit mode a transaction of its own; otherwise `commit()` follows. The connection stays
        usable after an error.

        `db_schema_name` is the table's schema, and `catalog_name` its database, which can only be
        the current one. A `temporary` table is made for the session. `on_conflict` "update" changes
        rows whose `key` (the names of columns with a unique index) exists already, "nothing" leaves
        them; a table that is made gets `key` as its primary key. `progress(rows, bytes)` is called
        every 0.1 s or less often, and at the end; what it raises ends the ingest.

        Raises TypeError if `data` are no Arrow data, ProgrammingError if they do not suit the
        table, DataError for a value that does not fit into its column or if their producer fails,
        and the server's errors.
        """
        from psycoxide.sync.ingest import ingest

        return ingest(
            self._own_connection(),
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

    @overload
    def cursor(self) -> Cursor[_Row]: ...
    @overload
    def cursor(self, *, row_factory: RowFactory[_R]) -> Cursor[_R]: ...
    def cursor(self, *, row_factory: RowFactory[Any] | None = None) -> Cursor[Any]:
        """Return a new cursor. `row_factory` makes its rows."""
        factory = self.row_factory if row_factory is None else row_factory
        return Cursor(self._own_connection(), row_factory=factory)
