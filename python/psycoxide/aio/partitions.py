"""Queries that are divided into parts, which others read on the same snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from psycoxide._arrow.asking import Answer, Asking
from psycoxide._arrow.descriptors import unpacked
from psycoxide._arrow.partitions import divided
from psycoxide._arrow.snapshots import ISOLATION, adopted, explained, exported
from psycoxide._arrow.source import merged, source
from psycoxide._exceptions import DatabaseError, Error, NotSupportedError, ProgrammingError
from psycoxide.rows import tuple_row

if TYPE_CHECKING:
    from typing_extensions import Self

    from psycoxide._psycopg import ArrowTable, cursor
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.aio.connection import AsyncConnection
    from psycoxide.arrow import ArrowOptions

_T = TypeVar("_T")

# How many partitions there are if the program does not say.
PARTITIONS = 16


async def answered(
    connection: AsyncConnection[Any], asking: Asking[_T], timeout: float | None = None
) -> _T:
    """Ask the server all that is asked, and return what comes of it."""
    asker = connection.cursor(row_factory=tuple_row)
    step: Any = asking.send
    value: Any = None
    try:
        while True:
            question = step(value)
            try:
                await asker.execute(question.query, question.params, timeout=timeout)
                rows = await asker.fetchall() if asker.description else []
                step, value = asking.send, Answer(rows, asker.description or ())
            except Error as error:
                step, value = asking.throw, error
    except StopIteration as end:
        result: _T = end.value
        return result


class AsyncPartitioned:
    """Partitions: the methods of a cursor for them, with ADBC's names."""

    _connection: AsyncConnection[Any]
    _native: cursor

    @property
    def arrow(self) -> ArrowOptions | bool | None:
        raise NotImplementedError

    async def adbc_execute_partitions(
        self,
        query: Query,
        params: Vars = None,
        *,
        on: str | None = None,
        partitions: int = PARTITIONS,
        timeout: float | None = None,
    ) -> tuple[list[bytes], ArrowTable | None]:
        """Divide a query, or a table, and return the descriptors of its partitions and its schema.

        Each partition can be read by `adbc_read_partition()` of any cursor that is connected to
        the same database: in another thread, process or machine. A descriptor is bytes, and may
        be pickled and sent. It holds SQL, and no password: who can change it can run a query as
        the role that reads it.

        All partitions show the database as it was at one moment, and what this transaction has
        changed is in none of them. It has to stay open until they are read: call this within
        `async with conn.transaction():`, or outside autocommit mode.

        `query` is a query, or the name of a table as in SQL. `on` is the name of one of its
        columns: the partitions are ranges of that, of about equally many rows, and rows without a
        value. An index on it makes sure that nobody reads the whole table. `on="ctid"`, the
        default for a table, divides that by its pages. There are about `partitions` partitions;
        fewer if there are too few rows or values. `params` are merged into the text. `timeout` is
        how many seconds each statement may take.

        The second value is the schema of a reader with the `arrow` of this cursor, as an object
        with `__arrow_c_schema__()`; None if that is None.

        Raises ProgrammingError outside of a transaction, and if `query` cannot be divided like
        that; NotSupportedError for ranges of pages before PostgreSQL 14; the server's errors.
        """
        connection = self._connection
        if not connection._in_transaction():
            raise ProgrammingError(
                "partitions are read on the snapshot of a transaction, which has to stay open "
                "meanwhile: call adbc_execute_partitions() in a block of conn.transaction()"
            )
        if connection.info.parameter_status("standard_conforming_strings") == "off":
            raise NotSupportedError(
                "partitions are read with standard_conforming_strings on: set it for this "
                "connection, too, so that their statements mean the same"
            )
        if partitions < 1:
            raise ProgrammingError(f"there is at least one partition: got {partitions}")
        given = merged(source(query, params, self._native), self._native)
        # Before anything else, so that a table that is rewritten meanwhile is seen whole, or not.
        asking = divided(given, on, partitions, connection.info.server_version)
        parts = await answered(connection, asking, timeout)
        snapshot = await answered(connection, exported(), timeout)
        packed = [snapshot.partition(statement).packed() for statement in parts.statements]
        if self.arrow is None:
            return packed, None
        shape = connection.cursor()
        shape.arrow = self.arrow
        await shape.execute(f"{parts.statements[0]} limit 0", timeout=timeout)
        return packed, await shape.fetch_arrow()

    async def adbc_read_partition(self, partition: bytes, *, timeout: float | None = None) -> Self:
        """Run the query of a partition, for `fetchall()` and so on, and return the cursor itself.

        The query runs in a transaction of its own, read-only and on the snapshot of the
        partition, and is rolled back, so that no setting that the query makes stays. Only a single
        query is run. `timeout` is how many seconds each statement of it may take.

        Raises OperationalError if the snapshot is gone because the transaction it is of has ended;
        LockNotAvailable, which is an OperationalError, if somebody waits to change the table;
        ProgrammingError within a transaction, and for bytes that are not a partition;
        NotSupportedError for a partition of another version of psycoxide; the server's errors.
        """
        part = unpacked(partition)
        connection = self._connection
        if connection._is_in_transaction():
            raise ProgrammingError(
                "a partition is read in a transaction of its own, on the snapshot that it is of: "
                "end the transaction of this connection before adbc_read_partition()"
            )
        async with connection.transaction(force_rollback=True, isolation=ISOLATION, read_only=True):
            await answered(connection, adopted(part), timeout)
            try:
                await self.execute(part.statement, timeout=timeout)  # type: ignore[attr-defined]
            except DatabaseError as error:
                reason = explained(error)
                if reason is error:
                    raise
                raise reason from error
        return self
