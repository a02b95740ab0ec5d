"""A connection for libraries that want one of ADBC's: pandas, polars.

    import pandas as pd
    import psycoxide
    from psycoxide import adbc

    with psycoxide.connect("dbname=test user=postgres") as conn:
        con = adbc.wrap(conn)
        df = pd.read_sql("SELECT n, n * n AS square FROM generate_series(1, 1000) n", con)
        df.to_sql("squares", con, index=False)

The libraries look whether they are given an `adbc_driver_manager.dbapi.Connection`. What `wrap()`
returns is one, and runs everything on the connection that it was given, in its transaction. No
driver of ADBC's is loaded. `pip install 'psycoxide[adbc]'` installs what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

import psycoxide
from psycoxide import _psycopg
from psycoxide._arrow.ingest import quoted
from psycoxide._arrow.libraries import imported
from psycoxide._arrow.objects import COLUMNS, TABLE_TYPES, objects, schema_of_objects
from psycoxide._arrow.source import merged, source
from psycoxide._exceptions import NotSupportedError, ProgrammingError
from psycoxide.rows import tuple_row
from psycoxide.sync import Connection as SyncConnection, Cursor as SyncCursor

try:
    from adbc_driver_manager import dbapi

    from psycoxide._arrow.adbc_errors import closed, not_found, not_supported, translating
except ImportError as _missing:
    raise ImportError(
        "psycoxide.adbc needs adbc_driver_manager: pip install 'psycoxide[adbc]'"
    ) from _missing

if TYPE_CHECKING:
    from typing_extensions import Self

    from psycoxide._arrow.ingest import Mode, OnConflict
    from psycoxide._arrow.objects import Depth
    from psycoxide._arrow.progress import Progress
    from psycoxide._types import OwnQuery
    from psycoxide.arrow import ArrowOptions

__all__ = ["Connection", "Cursor", "wrap"]

# What is wrapped: a connection of psycopg2's API, or of `psycoxide.sync`.
_Wrapped: TypeAlias = "_psycopg.connection | SyncConnection[Any]"

# Polars asks for the first part of the name of a connection's module: those of ADBC's drivers
# begin like this.
MODULE = "adbc_psycoxide"

# ADBC's version 1.1.0, as AdbcConnectionGetInfo() has it.
ADBC_VERSION = 1_001_000

# How many rows become tuples at a time.
PORTION = 256


def wrap(
    conn: _Wrapped,
    *,
    options: ArrowOptions | Literal[True] = True,
    commit: bool = True,
    close: bool = False,
) -> Connection:
    """Return an ADBC connection that runs everything on a connection of this driver.

    `conn` is what `psycoxide.connect()` or `psycoxide.sync.connect()` returned. `options` says how
    values become Arrow's.

    `commit` is whether `commit()` and `rollback()` of the wrapper end the transaction. Libraries
    call them: pandas and polars commit whatever they have written. With `commit=False`, and within
    a block of `conn.transaction()`, both do nothing, and the program ends the transaction.

    `close` is whether `close()` of the wrapper, and leaving its `with` block, close the connection.

    Raises TypeError for anything else than such connections.
    """
    if isinstance(conn, _psycopg.connection):
        if conn.async_:
            raise TypeError("wrap() needs a connection that waits: this one is asynchronous")
    elif not isinstance(conn, SyncConnection):
        raise TypeError(
            "wrap() needs a connection of psycoxide.connect() or psycoxide.sync.connect(): "
            f"got {type(conn).__module__}.{type(conn).__qualname__}"
        )
    return Connection(conn, options, commits=commit, closes=close)


class Connection(dbapi.Connection):
    """What `wrap()` returns: an ADBC connection over one of this driver.

    Its exceptions are those of `adbc_driver_manager`, with `sqlstate`; the driver's own are their
    `__cause__`. Parameters are marked by `%s` and `%(name)s`, as on the connection itself.
    """

    __module__ = MODULE

    def __init__(
        self,
        conn: _Wrapped,
        options: ArrowOptions | Literal[True],
        *,
        commits: bool,
        closes: bool,
    ) -> None:
        # Nothing of the base class's: it would want handles of a driver.
        self._wrapped = conn
        self._options = options
        self._commits = commits
        self._closes = closes
        self._closed = False

    @property
    def wrapped(self) -> _Wrapped:
        """The connection that everything is run on."""
        return self._wrapped

    def __repr__(self) -> str:
        state = "closed" if self._closed else repr(self._wrapped)
        return f"<psycoxide.adbc.Connection [{state}] at {id(self):#x}>"

    def __del__(self) -> None:
        # The base class's warns of handles that were not closed. Here there are none.
        pass

    # ---- the DB-API -----------------------------------------------------------------------------

    def cursor(self, *, adbc_stmt_kwargs: Mapping[str, Any] | None = None) -> Cursor:
        """Return a new cursor. There are no options of a statement."""
        if adbc_stmt_kwargs:
            raise not_supported(f"there are no options of statements: got {adbc_stmt_kwargs!r}")
        with translating():
            native = self._native()
            native.arrow = self._options
        return Cursor(self, native)

    def execute(
        self,
        operation: Any,
        parameters: Any = None,
        *,
        adbc_stmt_kwargs: Mapping[str, Any] | None = None,
    ) -> Cursor:
        """Run a query on a new cursor, and return that."""
        return self.cursor(adbc_stmt_kwargs=adbc_stmt_kwargs).execute(operation, parameters)

    def commit(self) -> None:
        """Commit the transaction, if that is the wrapper's to do: see `wrap()`."""
        self._check()
        if self._ends_transactions():
            with translating():
                self._wrapped.commit()

    def rollback(self) -> None:
        """Roll the transaction back, if that is the wrapper's to do: see `wrap()`."""
        self._check()
        if self._ends_transactions():
            with translating():
                self._wrapped.rollback()

    def close(self) -> None:
        """Close the wrapper; and the connection, if `wrap()` was told so."""
        if self._closed:
            return
        self._closed = True
        if self._closes:
            with translating():
                self._wrapped.close()

    def _ends_transactions(self) -> bool:
        conn = self._wrapped
        in_block = isinstance(conn, SyncConnection) and conn._channel.in_block
        return self._commits and not in_block

    def _check(self) -> None:
        if self._closed:
            raise closed("connection")

    def _native(self) -> Any:
        """A cursor of the wrapped connection's, whose rows are tuples."""
        self._check()
        if isinstance(self._wrapped, SyncConnection):
            return self._wrapped.cursor(row_factory=tuple_row)
        # No class of the program's, whose methods may do something else.
        return _psycopg.cursor(self._wrapped)

    def _ask(self, query: str, params: Mapping[str, Any] | None = None) -> Any:
        """The first value of the first row of a query, as text; None if there is none."""
        with translating(), self._native() as native:
            scope = native._native if isinstance(native, SyncCursor) else native
            _psycopg.register_type(_psycopg.UNICODE, scope)
            native.execute(query, params)
            row = native.fetchone()
        return None if row is None else row[0]

    # ---- ADBC -----------------------------------------------------------------------------------

    def adbc_cancel(self) -> None:
        """Cancel what the connection runs at the moment."""
        self._check()
        with translating():
            self._wrapped.cancel()

    def adbc_get_info(self) -> dict[str | int, Any]:
        """Return names and versions of the server and the driver."""
        self._check()
        return {
            "vendor_name": "PostgreSQL",
            "vendor_version": str(self._wrapped.info.server_version),
            "driver_name": "psycoxide",
            "driver_version": psycoxide.__version__,
            "driver_adbc_version": ADBC_VERSION,
        }

    def adbc_get_objects(
        self,
        *,
        depth: Depth = "all",
        catalog_filter: str | None = None,
        db_schema_filter: str | None = None,
        table_name_filter: str | None = None,
        table_types_filter: list[str] | None = None,
        column_name_filter: str | None = None,
    ) -> Any:
        """Return a `pyarrow.RecordBatchReader` of databases, schemas, tables and so on.

        Filters are patterns as for LIKE. Only the database of the connection has schemas, and
        those of the system are only listed if `db_schema_filter` is given. Raises ValueError for an
        unknown depth.
        """
        found = objects(
            self._ask,
            depth,
            catalog=catalog_filter,
            schema=db_schema_filter,
            table=table_name_filter,
            types=table_types_filter,
            column=column_name_filter,
        )
        pa = pyarrow("adbc_get_objects()")
        return pa.Table.from_pylist(found, schema=schema_of_objects(pa)).to_reader()

    def adbc_get_table_schema(
        self,
        table_name: str,
        *,
        catalog_filter: str | None = None,
        db_schema_filter: str | None = None,
    ) -> Any:
        """Return the `pyarrow.Schema` of a table.

        Raises ProgrammingError with the status NOT_FOUND if there is no such table, which leaves
        the transaction as it is.
        """
        with translating():
            name = quoted(table_name)
            if db_schema_filter is not None:
                name = f"{quoted(db_schema_filter)}.{name}"
        other = catalog_filter is not None and catalog_filter != self.adbc_current_catalog
        query = None if other else self._ask(COLUMNS, {"name": name})
        if query is None:
            raise not_found(f"there is no table {name}" + (f" in {catalog_filter}" * other))
        with self.cursor() as cursor:
            cursor.execute(query)
            return cursor.schema()

    def adbc_get_table_types(self) -> list[str]:
        """Return what `adbc_get_objects()` calls the kinds of tables."""
        self._check()
        return list(TABLE_TYPES.values())

    @property
    def adbc_current_catalog(self) -> str:
        """The name of the database."""
        return str(self._ask("SELECT current_database()::text"))

    @adbc_current_catalog.setter
    def adbc_current_catalog(self, catalog: str) -> None:
        raise not_supported("a connection stays in its database: connect to the other one")

    @property
    def adbc_current_db_schema(self) -> str:
        """The first schema of the search path that there is; empty if there is none."""
        return self._ask("SELECT current_schema()::text") or ""

    @adbc_current_db_schema.setter
    def adbc_current_db_schema(self, db_schema: str) -> None:
        with translating():
            path = quoted(db_schema)
        self._ask("SELECT set_config('search_path', %(path)s::text, false)", {"path": path})

    def adbc_clone(self) -> NoReturn:
        """Not supported."""
        raise not_supported("the connection cannot be cloned: wrap() another one")

    def adbc_get_statistics(self, **filters: Any) -> NoReturn:
        """Not supported."""
        raise not_supported("there are no statistics: pg_stats and pg_class have them")

    def adbc_get_statistic_names(self) -> NoReturn:
        """Not supported."""
        raise not_supported("there are no statistics: pg_stats and pg_class have them")

    @property
    def adbc_connection(self) -> NoReturn:
        """Not supported."""
        raise not_supported("there is no handle of an ADBC driver: `wrapped` is the connection")

    @property
    def adbc_database(self) -> NoReturn:
        """Not supported."""
        raise not_supported("there is no handle of an ADBC driver: `wrapped` is the connection")


class Cursor(dbapi.Cursor):
    """A cursor of `Connection`. Rows of queries become Arrow's while they arrive."""

    __module__ = MODULE

    def __init__(self, conn: Connection, native: Any) -> None:
        # Nothing of the base class's: it would want handles of a driver.
        self._conn: Connection = conn
        self._native = native
        self._rows: Rows | None = None
        self._schema: Any = None
        self._arraysize = 1
        self._closed = False

    def __repr__(self) -> str:
        return f"<psycoxide.adbc.Cursor [{self._native!r}] at {id(self):#x}>"

    def __del__(self) -> None:
        # The base class's warns of handles that were not closed. Here there are none.
        pass

    # ---- queries --------------------------------------------------------------------------------

    def execute(self, operation: Any, parameters: Any = None) -> Self:
        """Run a query, and return the cursor itself.

        `parameters` are a sequence or a mapping; for Arrow data there is `executemany()`.
        """
        self._clear()
        self._refuse_plan(operation)
        if is_arrow(parameters):
            raise not_supported("a query is run for one set of parameters: use executemany()")
        with translating():
            self._native.execute(operation, parameters)
        return self

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:
        """Run a query for each of many parameters: sequences, mappings, or rows of Arrow data.

        None runs it once, without parameters.
        """
        if seq_of_parameters is None:
            self.execute(operation)
            return
        self._clear()
        self._refuse_plan(operation)
        items: Iterable[Any] = seq_of_parameters
        if is_arrow(items):
            table = pyarrow("executemany() with Arrow data").table(items)
            items = Rows(table).all()
        with translating():
            self._native.executemany(operation, items)

    def executescript(self, operation: str) -> None:
        """Commit, if that is the wrapper's to do, and run several statements."""
        self._clear()
        self._refuse_plan(operation)
        self._conn.commit()
        with translating(), self._conn._native() as native:
            native.execute(operation)

    def callproc(self, procname: Any, parameters: Any) -> NoReturn:
        """Not supported."""
        raise not_supported("run SELECT, or CALL, by execute()")

    def nextset(self) -> NoReturn:
        """Not supported."""
        raise not_supported("there is one result: that of the last statement")

    def _clear(self) -> None:
        if self._closed:
            raise closed("cursor")
        self._conn._check()
        self._rows = None
        self._schema = None

    @staticmethod
    def _refuse_plan(operation: Any) -> None:
        if isinstance(operation, (bytes, bytearray)):
            raise not_supported("bytes are a Substrait plan to ADBC: pass SQL as a str")

    # ---- the result -----------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The connection that the cursor was made by."""
        return self._conn

    @property
    def arraysize(self) -> int:
        """How many rows `fetchmany()` returns: 1 at first."""
        return self._arraysize

    @arraysize.setter
    def arraysize(self, size: int) -> None:
        self._arraysize = size

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """The columns of the result: name and Arrow type. None if the last query returned none."""
        if self._closed or self._native.description is None:
            return None
        return [(field.name, field.type, *[None] * 5) for field in self.schema()]

    @property
    def rowcount(self) -> int:
        """How many rows the last query returned or changed; -1 if that is not known."""
        return int(self._native.rowcount)

    @property
    def rownumber(self) -> int | None:
        """The number of the next row, counted from 0; None without a result."""
        if self._closed or self._native.description is None:
            return None
        return 0 if self._rows is None else self._rows.position

    def schema(self) -> Any:
        """The `pyarrow.Schema` of the result."""
        if self._schema is None:
            with translating():
                self._schema = pyarrow("the schema of a result").schema(self._native)
        return self._schema

    def fetch_arrow(self) -> Any:
        """Return all remaining rows, for whoever knows Arrow's PyCapsule interface."""
        self._check()
        with translating():
            if self._rows is None:
                return self._native.fetch_arrow()
            return self._rows.rest()

    def fetch_arrow_table(self) -> Any:
        """Return all remaining rows as a `pyarrow.Table`."""
        return pyarrow("fetch_arrow_table()").table(self.fetch_arrow())

    def fetchallarrow(self) -> Any:
        """Another name of `fetch_arrow_table()`."""
        return self.fetch_arrow_table()

    def fetch_record_batch(self) -> Any:
        """Return all remaining rows as a `pyarrow.RecordBatchReader`.

        The result is held by the client: it is read a batch at a time, it does not arrive so.
        """
        reader = pyarrow("fetch_record_batch()").RecordBatchReader
        return reader.from_stream(self.fetch_arrow())

    def fetch_df(self) -> Any:
        """Return all remaining rows as a `pandas.DataFrame`."""
        self._check()
        with translating():
            if self._rows is None:
                return self._native.fetch_df()
            return self._rows.rest().to_pandas()

    def fetch_polars(self) -> Any:
        """Return all remaining rows as a `polars.DataFrame`."""
        self._check()
        with translating():
            if self._rows is None:
                return self._native.fetch_polars()
            return imported("polars", "fetch_polars()", "polars").DataFrame(self._rows.rest())

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row of Arrow's values as Python has them; None at the end."""
        row = self._tuples().take(1)
        return row[0] if row else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """Return the next `size` rows, or as many as are left; `arraysize` if it is None."""
        return self._tuples().take(self._arraysize if size is None else size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows that are left."""
        return self._tuples().take(None)

    def next(self) -> tuple[Any, ...]:
        """Return the next row, or raise StopIteration."""
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def _tuples(self) -> Rows:
        if self._rows is None:
            table = self.fetch_arrow_table()
            self._rows = Rows(table)
        return self._rows

    def _check(self) -> None:
        if self._closed:
            raise closed("cursor")
        self._conn._check()
        if self._native.description is None:
            with translating():
                raise ProgrammingError("the last query returned no rows")

    # ---- ADBC -----------------------------------------------------------------------------------

    def adbc_cancel(self) -> None:
        """Cancel what the connection runs at the moment."""
        self._conn.adbc_cancel()

    def adbc_ingest(
        self,
        table_name: str,
        data: Any,
        mode: Mode = "create",
        *,
        catalog_name: str | None = None,
        db_schema_name: str | None = None,
        temporary: bool = False,
        on_conflict: OnConflict | None = None,
        key: Iterable[str] | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write Arrow data to a table, all rows or none, and return the number of rows.

        `on_conflict`, `key` and `progress` are not ADBC's: see `cursor.adbc_ingest()`.
        """
        self._clear()
        with translating():
            return int(
                self._native.adbc_ingest(
                    table_name,
                    data,
                    mode,
                    catalog_name=catalog_name,
                    db_schema_name=db_schema_name,
                    temporary=temporary,
                    on_conflict=on_conflict,
                    key=key,
                    progress=progress,
                )
            )

    def adbc_execute_schema(self, operation: Any, parameters: Any = None) -> Any:
        """Return the `pyarrow.Schema` of a query's result, without its rows.

        The query is one that can stand in the FROM of another.
        """
        self._clear()
        with translating():
            given = merged(source(operation, parameters, self._scope()), self._scope())
            if given.is_table:
                raise ProgrammingError(f"a query is needed: got {given.text}")
            # On a line of its own: the query may end with a comment.
            self._native.execute(f"SELECT * FROM ({given.text}\n) AS whole LIMIT 0")
        return self.schema()

    def adbc_execute_partitions(
        self, operation: OwnQuery, parameters: Any = None, **how: Any
    ) -> tuple[list[bytes], Any]:
        """Divide a query, or a table, for `adbc_read_partition()` of other connections.

        Returns descriptors and the `pyarrow.Schema`. The options `on` and `partitions` are those of
        the cursors of `psycoxide.sync`, which alone have partitions.
        """
        self._clear()
        with translating():
            descriptors, schema = self._partitioned().adbc_execute_partitions(
                operation, parameters, **how
            )
        return descriptors, pyarrow("adbc_execute_partitions()").schema(schema)

    def adbc_read_partition(self, partition: bytes) -> None:
        """Run the query of a partition, on the snapshot of whoever divided it."""
        self._clear()
        with translating():
            self._partitioned().adbc_read_partition(partition)

    def adbc_prepare(self, operation: Any) -> NoReturn:
        """Not supported."""
        raise not_supported(
            "statements are prepared by themselves, as prepare_threshold of the connection says"
        )

    @property
    def adbc_statement(self) -> NoReturn:
        """Not supported."""
        raise not_supported("there is no handle of an ADBC driver")

    def _scope(self) -> _psycopg.cursor:
        native = self._native
        return native._native if isinstance(native, SyncCursor) else native

    def _partitioned(self) -> SyncCursor[Any]:
        if isinstance(self._native, SyncCursor):
            return self._native
        raise NotSupportedError(
            "partitions are of connections that psycoxide.sync.connect() returns"
        )

    # ---- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the cursor, and forget its result."""
        self._closed = True
        self._rows = None
        self._native.close()


class Rows:
    """The rows of a table of pyarrow's, as tuples."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._portion: list[tuple[Any, ...]] = []
        self._begin = 0
        self.position: int = 0

    def take(self, count: int | None) -> list[tuple[Any, ...]]:
        """The next rows; all that are left if it is None."""
        left = self._table.num_rows - self.position
        count = left if count is None else max(0, min(count, left))
        begin = self.position
        self.position += count
        if count >= PORTION:
            return self._made(begin, count)
        if not self._begin <= begin <= self.position <= self._begin + len(self._portion):
            self._begin, self._portion = begin, self._made(begin, PORTION)
        return self._portion[begin - self._begin : self.position - self._begin]

    def all(self) -> Iterator[tuple[Any, ...]]:
        """Every row that is left."""
        while rows := self.take(PORTION):
            yield from rows

    def rest(self) -> Any:
        """What is left, as a table."""
        rest = self._table.slice(self.position)
        self.position = self._table.num_rows
        return rest

    def _made(self, begin: int, count: int) -> list[tuple[Any, ...]]:
        part = self._table.slice(begin, count)
        columns: Sequence[list[Any]] = [column.to_pylist() for column in part.columns]
        return list(zip(*columns)) if columns else [()] * part.num_rows


def is_arrow(value: object) -> bool:
    """Whether these are Arrow data."""
    return hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")


def pyarrow(what: str) -> Any:
    """The module. Raises ADBC's NotSupportedError if it is not installed."""
    with translating():
        return imported("pyarrow", what, "adbc")
