"""COPY, in blocks and in rows."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

    from psycoxide._psycopg import CopyPlace, cursor
    from psycoxide.aio.connection import AsyncConnection

Row: TypeAlias = Sequence[Any]
Rows: TypeAlias = Iterable[Row] | AsyncIterable[Row]  # in sync: Rows: TypeAlias = Iterable[Row]


class AsyncCopy:
    """A COPY between the client and a table: see `AsyncConnection.copy()`.

    It runs within its block. An exception that leaves the block makes a COPY FROM fail, so that
    nothing of it stays; a COPY TO that is left before its end is cancelled.
    """

    def __init__(self, connection: AsyncConnection[Any], native: cursor, place: CopyPlace) -> None:
        self._connection = connection
        self._native = native
        self._place = place
        self._rows: list[tuple[Any, ...]] = []

    # ---- to the server --------------------------------------------------------------------------

    async def write(self, data: Buffer | str) -> None:
        """Send data as they are: bytes, or text in the client encoding.

        They may be cut anywhere. Waits if the server is behind; raises the server's errors.
        """
        if self._place.add(data):
            await self._place.flush()

    async def write_row(self, row: Row) -> None:
        """Send a row, a sequence of values, in the text or binary format of the statement.

        Text has no options then, such as another delimiter. Binary needs `set_types()`. Raises
        NotSupportedError for a value that cannot be written.
        """
        if self._place.add_row(row):
            await self._place.flush()

    async def write_rows(self, rows: Rows) -> None:
        """Send many rows, of any iterable. See `write_row()`."""
        if isinstance(rows, AsyncIterable):  # only in aio
            async for row in rows:
                await self.write_row(row)
            return
        each = iter(rows)
        while self._place.add_rows(each):
            await self._place.flush()

    # ---- from the server ------------------------------------------------------------------------

    async def read(self) -> bytes:
        """Return the next block of data, which holds whole rows; empty at the end."""
        if self._place.complete:
            return b""
        self._connection._gave_out = True
        block: bytes = await self._place.read()
        return block

    async def _blocks(self) -> AsyncIterator[bytes]:
        while block := await self.read():
            yield block

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blocks()

    async def read_row(self) -> tuple[Any, ...] | None:
        """Return the next row, None at the end.

        Its values are str, or bytes in binary format, unless `set_types()` was called: then they
        are what a query returns. The text format has no options then.
        """
        while not self._rows:
            block = await self.read()
            if not block:
                return None
            self._rows = self._place.parse(block)
            self._rows.reverse()
        return self._rows.pop()

    async def rows(self) -> AsyncIterator[tuple[Any, ...]]:
        """Iterate over the rows: `async for row in copy.rows()`. See `read_row()`."""
        while (row := await self.read_row()) is not None:
            yield row

    # ---- about it -------------------------------------------------------------------------------

    def set_types(self, types: Iterable[int | str]) -> None:
        """Say which types the columns have, by their OIDs or their names: `["int4", "text[]"]`."""
        self._place.set_types(types)

    @property
    def connection(self) -> AsyncConnection[Any]:
        """The connection that it runs on."""
        return self._connection

    @property
    def rowcount(self) -> int:
        """How many rows were copied, once it has ended; -1 before that."""
        return self._native.rowcount

    async def __aenter__(self) -> Self:
        await self._place.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        place = self._place
        if place.complete:
            return
        try:
            if place.writes and exc is None:
                await place.finish()
            elif place.writes and isinstance(exc, Exception):
                # The exception of the block says more.
                with suppress(Exception):
                    name = type(exc).__qualname__
                    await place.fail(f"the block of the COPY raised {name}: {exc}")
        finally:
            # Whatever has happened, and wherever a task was cancelled, which does not wait: the
            # connection is for others from here on. A COPY that is not over is given up.
            place.close()
