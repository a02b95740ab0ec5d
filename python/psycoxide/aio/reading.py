"""Reading a whole table or query as Arrow, by one connection or by several at a time."""

from __future__ import annotations

import asyncio  # only in aio
import inspect  # only in aio
from typing import TYPE_CHECKING, Any

from psycoxide._arrow.reading import Origin, Reading, checked
from psycoxide._arrow.snapshots import session_settings
from psycoxide._arrow.source import source
from psycoxide._arrow.tables import in_one, taking
from psycoxide.aio.partitions import answered

if TYPE_CHECKING:
    from psycoxide._arrow.progress import Progress
    from psycoxide._psycopg import ArrowTable, Channel
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.aio.connection import AsyncConnection
    from psycoxide.arrow import ArrowOptions

ASYNC = True


class AsyncArrowReading:
    """A connection's method that reads as Arrow."""

    _channel: Channel
    _origin: tuple[str, dict[str, Any]]

    async def read_arrow(
        self,
        query: Query,
        params: Vars = None,
        *,
        readers: int = 1,
        on: str | None = None,
        options: ArrowOptions | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> ArrowTable:
        """Read a query, or a table, as Arrow, and return a table with `__arrow_c_stream__()`.

        `query` is a query, or the name of a table as in SQL. With one of the `readers`, this
        connection reads it, within its transaction. With more of them, so many other connections
        are opened to the same place, in threads, and set as this one is. Each reads part after
        part, four for each reader, all on one snapshot of the database: what the transaction of
        this connection has not committed is not in it. The rows are in the order of the parts.

        `on` is the name of a column that the parts are ranges of, which should have an index;
        `on="ctid"`, the default for a table, divides that by its pages. `options` say how values
        become Arrow. `progress` is called with the number of rows and of bytes that have come so
        far, at most ten times a second, and at the end. `timeout` is how many seconds each
        statement may take; with `progress`, each wait for more rows.

        If a part fails, the others are cancelled. Raises its error; ProgrammingError if `query`
        cannot be divided like that; ValueError for less than one reader.
        """
        connection: AsyncConnection[Any] = self  # type: ignore[assignment]
        cursor = connection.cursor()
        given = source(query, params, cursor._native)
        take = taking(options)
        if checked(readers) == 1:
            text = f"select * from {given.text}" if given.is_table else given.text
            cursor.arrow = take.options
            if progress is not None:
                stream = cursor.stream_arrow(text, given.params, timeout=timeout, progress=progress)
                return await stream._all()
            await cursor.execute(text, given.params, timeout=timeout)
            return await cursor.fetch_arrow()
        origin = await self._like_this_one(connection, timeout)
        if ASYNC:
            told = in_this_loop(progress)
            return in_one(await run_in_thread(Reading(origin, given, on, readers, take, told)))
        return in_one(Reading(origin, given, on, readers, take, progress).run())

    async def _like_this_one(
        self, connection: AsyncConnection[Any], timeout: float | None
    ) -> Origin:
        """How to open connections like this one."""
        begins = not connection._is_in_transaction()
        settings = await answered(connection, session_settings(), timeout)
        if begins and not connection.autocommit:
            await self._channel.end_transaction(False, timeout)
        conninfo, options = self._origin
        options = dict(options)
        if ASYNC:
            password = options.get("password")
            if inspect.iscoroutinefunction(password):
                options["password"] = await password()
        limit = connection.timeout if timeout is None else timeout
        return Origin(conninfo, options, settings, {"command_timeout": limit})


async def run_in_thread(reading: Reading[Any]) -> list[Any]:  # only in aio
    """Run a reading beside the event loop, and stop it if the task is cancelled."""
    try:
        return await asyncio.to_thread(reading.run)
    except asyncio.CancelledError:
        reading.stop()
        raise


def in_this_loop(progress: Progress | None) -> Progress | None:  # only in aio
    """A function that other threads may call, which has the event loop call `progress`."""
    if progress is None:
        return None
    loop = asyncio.get_running_loop()
    return lambda rows, size: loop.call_soon_threadsafe(progress, rows, size)
