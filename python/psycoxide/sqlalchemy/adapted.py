"""Connections and cursors of `psycoxide.aio`, as the blocking code of SQLAlchemy uses them.

SQLAlchemy runs that code in a greenlet; `await_only()` leaves it until the driver has an answer.
The rows of an answer lie in memory then, so they are read without leaving it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.util import await_only

from psycoxide import ProgrammingError, extensions
from psycoxide.sqlalchemy.session import ping_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycoxide.aio import AsyncConnection
    from psycoxide.extensions import Xid


class AdaptedAsyncConnection(AdaptedConnection):
    """A connection of `psycoxide.aio`, which is its `driver_connection`."""

    __slots__ = ("_channel", "_stream", "dbapi", "ended", "native")

    def __init__(self, dbapi: Any, connection: AsyncConnection[Any]) -> None:
        self._connection: Any = connection
        self._channel = connection._channel
        self.dbapi: Any = dbapi
        self.native: extensions.connection[Any] = connection._native
        # As in the DB-API: a statement begins a transaction.
        self.native.autocommit = False
        # How many transactions have ended.
        self.ended: int = 0
        # The stream that keeps the connection to itself, until its cursor is closed.
        self._stream: StreamingCursor | None = None

    def cursor(self, name: str | None = None) -> AdaptedCursor:
        """A cursor; with a name, one whose rows stay on the server until they are fetched."""
        return AdaptedCursor(self) if name is None else DeclaredCursor(self, name)

    def streaming_cursor(self) -> StreamingCursor:
        """A cursor whose rows stay in the socket until they are fetched."""
        self._stream = StreamingCursor(self)
        return self._stream

    def end_stream(self) -> None:
        """End the stream. SQLAlchemy ends the transaction in another task, which would wait for it
        otherwise, if its loop was left by an exception."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def commit(self) -> None:
        self._end_transaction(True)

    def rollback(self) -> None:
        self._end_transaction(False)

    def _end_transaction(self, commits: bool) -> None:
        self.end_stream()
        self.ended += 1
        # Most often there is none: nothing to wait for then.
        if self.native.status != extensions.STATUS_READY or self.native.closed:
            await_only(self._channel.end_transaction(commits, None))

    def ping(self) -> None:
        """Ask the server for an answer, without a statement."""
        await_only(self._channel.ping(ping_timeout(self._channel)))

    def close(self) -> None:
        self._channel.close()

    def terminate(self) -> None:
        """Close it from anywhere: the driver waits for nothing."""
        self._channel.close()

    @property
    def closed(self) -> bool:
        return self._channel.closed

    @property
    def autocommit(self) -> bool:
        return bool(self.native.autocommit)

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self.native.autocommit = value

    @property
    def info(self) -> Any:
        return self.native.info

    @property
    def notices(self) -> list[str]:
        return self.native.notices

    def xid(self, format_id: int, gtrid: str, bqual: str) -> Xid:
        return self.native.xid(format_id, gtrid, bqual)

    def tpc_begin(self, xid: Xid | str) -> None:
        self.end_stream()
        await_only(self._channel.tpc_begin(xid, None))

    def tpc_prepare(self) -> None:
        self.end_stream()
        self.ended += 1
        await_only(self._channel.tpc_prepare(None))

    def tpc_commit(self, xid: Xid | str | None = None) -> None:
        self.end_stream()
        self.ended += 1
        await_only(self._channel.tpc_commit(xid, None))

    def tpc_rollback(self, xid: Xid | str | None = None) -> None:
        self.end_stream()
        self.ended += 1
        await_only(self._channel.tpc_rollback(xid, None))

    def tpc_recover(self) -> list[Xid]:
        recovered: list[Xid] = await_only(self._connection.tpc_recover())
        return recovered


class AdaptedCursor:
    """Holds the result of a statement. Fetching is the native cursor's own."""

    __slots__ = ("_channel", "_native", "connection", "fetchall", "fetchmany", "fetchone")

    server_side = False

    def __init__(self, connection: AdaptedAsyncConnection) -> None:
        self.connection: AdaptedAsyncConnection = connection
        self._channel = connection._channel
        self._native: Any = connection._channel.cursor()
        self._fetch_here()

    def _fetch_here(self) -> None:
        native = self._native
        self.fetchone: Callable[[], Any] = native.fetchone
        self.fetchmany: Callable[..., list[Any]] = native.fetchmany
        self.fetchall: Callable[[], list[Any]] = native.fetchall

    def execute(self, operation: Any, parameters: Any = None) -> None:
        await_only(self._channel.execute(self._native, operation, parameters, None))

    def executemany(self, operation: Any, seq_of_parameters: Sequence[Any]) -> None:
        await_only(
            self._channel.executemany(self._native, operation, seq_of_parameters, False, 0, None)
        )

    @property
    def description(self) -> Any:
        return self._native.description

    @property
    def rowcount(self) -> int:
        count: int = self._native.rowcount
        return count

    @property
    def lastrowid(self) -> Any:
        return self._native.lastrowid

    @property
    def arraysize(self) -> int:
        size: int = self._native.arraysize
        return size

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._native.arraysize = value

    @property
    def query(self) -> bytes | None:
        """The last query as it was sent."""
        query: bytes | None = self._native.query
        return query

    @property
    def statusmessage(self) -> str | None:
        message: str | None = self._native.statusmessage
        return message

    def setinputsizes(self, *sizes: Any) -> None:
        """The driver needs no sizes."""

    def setoutputsize(self, *size: Any) -> None:
        """The driver needs no sizes."""

    def nextset(self) -> None:
        """There is one result: that of the last statement."""

    def close(self) -> None:
        self._native.close()

    async def _async_soft_close(self) -> None:
        """The rows are in memory: there is nothing to close before they are read."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    def __enter__(self) -> AdaptedCursor:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class ServerSideCursor(AdaptedCursor):
    """A cursor that waits for rows while they are fetched."""

    __slots__ = ()

    server_side = True

    def _fetch_here(self) -> None:
        self.fetchone: Callable[[], Any] = self._fetch_one
        self.fetchmany: Callable[..., list[Any]] = self._fetch_many
        self.fetchall: Callable[[], list[Any]] = self._fetch_all

    def _fetch_one(self) -> Any:
        rows = self._fetch_many(1)
        return rows[0] if rows else None

    def _fetch_many(self, size: int | None = None) -> list[Any]:
        raise NotImplementedError

    def _fetch_all(self) -> list[Any]:
        raise NotImplementedError


class DeclaredCursor(ServerSideCursor):
    """A cursor on the server (DECLARE). Other statements may run while it is open."""

    __slots__ = ("_complete", "_ended", "_quoted", "name")

    # These rows come with the answer to DECLARE.
    FIRST = 50

    def __init__(self, connection: AdaptedAsyncConnection, name: str) -> None:
        super().__init__(connection)
        self.name: str = name
        self._quoted = '"' + name.replace('"', '""') + '"'
        self._complete = True
        self._ended = connection.ended

    def execute(self, operation: Any, parameters: Any = None) -> None:
        native = self.connection.native
        if native.autocommit and native.status == extensions.STATUS_READY:
            raise ProgrammingError(
                "a cursor on the server needs a transaction, and the connection is in autocommit "
                "mode: use the execution option psycoxide_stream=True"
            )
        self._ended = self.connection.ended
        # A comment may end the statement.
        sql = (
            f"DECLARE {self._quoted} NO SCROLL CURSOR FOR {operation}\n; {self._fetch(self.FIRST)}"
        )
        await_only(self._channel.execute(self._native, sql, parameters, None))
        self._complete = self._native.rowcount < self.FIRST

    def _fetch(self, count: int | str) -> str:
        return f"FETCH FORWARD {count} FROM {self._quoted}"

    def _fetch_many(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        rows: list[Any] = self._native.fetchmany(wanted)
        missing = wanted - len(rows)
        if missing > 0 and not self._complete:
            await_only(self._channel.execute(self._native, self._fetch(missing), None, None))
            self._complete = self._native.rowcount < missing
            rows += self._native.fetchall()
        return rows

    def _fetch_all(self) -> list[Any]:
        rows: list[Any] = self._native.fetchall()
        if not self._complete:
            await_only(self._channel.execute(self._native, self._fetch("ALL"), None, None))
            self._complete = True
            rows += self._native.fetchall()
        return rows

    @property
    def rowcount(self) -> int:
        return -1

    def close(self) -> None:
        if self._native.closed:
            return
        in_transaction = extensions.TRANSACTION_STATUS_INTRANS
        # The end of its transaction has closed it.
        declared = self._native.description is not None and self._ended == self.connection.ended
        if declared and self.connection.native.get_transaction_status() == in_transaction:
            await_only(self._channel.execute(self._native, f"CLOSE {self._quoted}", None, None))
        self._native.close()


class StreamingCursor(ServerSideCursor):
    """Rows are taken from the socket while they are fetched: see `AsyncConnection.stream()`."""

    __slots__ = ("_first", "_rows")

    def __init__(self, connection: AdaptedAsyncConnection) -> None:
        super().__init__(connection)
        self._rows: Any = None
        self._first: list[Any] = []

    def execute(self, operation: Any, parameters: Any = None) -> None:
        self._rows = self._channel.stream(self._native, operation, parameters, None, None)
        # The columns are known with the first row.
        self._first = self._take(1)

    def _take(self, count: int | None) -> list[Any]:
        return [] if self._rows is None else await_only(_next_rows(self._rows, count))

    def _fetch_many(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        first, self._first = self._first[:wanted], self._first[wanted:]
        missing = wanted - len(first)
        return first + self._take(missing) if missing else first

    def _fetch_all(self) -> list[Any]:
        first, self._first = self._first, []
        return first + self._take(None)

    @property
    def rowcount(self) -> int:
        return -1

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None
            if self.connection._stream is self:
                self.connection._stream = None
        self._native.close()


async def _next_rows(rows: Any, count: int | None) -> list[Any]:
    """The next rows of a stream, all of them if `count` is None."""
    taken: list[Any] = []
    while count is None or len(taken) < count:
        try:
            taken.append(await rows.__anext__())
        except StopAsyncIteration:
            break
    return taken
