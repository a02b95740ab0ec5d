# Generated from python/psycoxide/aio/pipeline.py by tools/generate_sync.py: do not edit.
"""Pipelines: statements that are sent together."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from psycoxide._exceptions import Error, InterfaceError, ProgrammingError
from psycoxide._psycopg import PipelineGroup
from psycoxide._transactions import Block, current
from psycoxide.sync.cursor import Cursor, left

if TYPE_CHECKING:
    from contextvars import Token

    from typing_extensions import Self

    from psycoxide._psycopg import PipelineStatement
    from psycoxide._types import OwnQuery as Query, Vars
    from psycoxide.rows import RowFactory
    from psycoxide.sync.connection import Connection


_Row = TypeVar("_Row")
_R = TypeVar("_R")
_T = TypeVar("_T")

# Statements are sent as soon as there are this many, or this many bytes of them.
MAX_STATEMENTS = 256
MAX_BYTES = 128 << 10

UNMADE: Any = object()


def refuse_in_pipeline(connection: Connection[Any]) -> None:
    """Raises ProgrammingError within the block of a pipeline of this connection."""
    block = current.get()
    while block is not None:
        if isinstance(block, Pipeline) and block.connection is connection:
            raise ProgrammingError(
                "the connection is in the block of a pipeline: begin transactions around it, and "
                "other pipelines behind it"
            )
        block = block.outer


class PipelineResult(Generic[_T]):
    """What a statement of a pipeline will return: `await` it, or its `result()`."""

    __slots__ = ("_native", "_pipeline", "_reading", "_value")

    def __init__(
        self, pipeline: Pipeline[Any], native: PipelineStatement, value: Any = UNMADE
    ) -> None:
        self._pipeline = pipeline
        self._native = native
        self._value = value
        self._reading = False

    @property
    def done(self) -> bool:
        """Whether the server has answered, or it is known that the statement was not run."""
        return self._native.done

    def result(self) -> _T:
        """Return the result. If the statement was not sent yet, that is done first.

        Raises the server's error; PipelineAborted if the statement was not run because another one
        has failed.
        """
        native, channel = self._native, self._pipeline._channel
        if not native.done:
            self._pipeline._send()
            channel.statement_done(native)
        if self._value is UNMADE:
            if self._reading:
                raise ProgrammingError("the result is being read, or could not be")
            value = channel.statement_result(native)
            self._reading = True
            self._value = value
        else:
            channel.statement_result(native)
        made: _T = self._value
        return made

    def __repr__(self) -> str:
        state = "done" if self.done else "waiting"
        return f"<{type(self).__module__}.{type(self).__qualname__} [{state}] at {id(self):#x}>"


class Pipeline(Generic[_Row]):
    """The block of a pipeline: see `Connection.pipeline()`."""

    def __init__(
        self, connection: Connection[_Row], *, atomic: bool, timeout: float | None
    ) -> None:
        self._connection = connection
        self._channel = connection._channel
        self._atomic = atomic
        self._timeout = timeout
        self._until: float | None = None
        self._entered = False
        self._open = False
        self._token: Token[Block | None] | None = None
        self._outer: Block | None = None
        # ---- of the group ----
        self._group = PipelineGroup()
        self._waiting: list[PipelineStatement] = []
        self._bytes = 0
        # What awaits the ends of the parts that were sent.
        self._parts: list[Any] = []
        # Whether the group is a transaction of its own; None if nothing was sent of it.
        self._own: bool | None = None

    @property
    def connection(self) -> Connection[_Row]:
        """The connection that the pipeline is on."""
        return self._connection

    @property
    def outer(self) -> Block | None:
        """The block that this one was entered in, of whatever connection."""
        return self._outer

    # ---- statements -----------------------------------------------------------------------------

    def execute(self, query: Query, params: Vars = None) -> PipelineResult[Cursor[_Row]]:
        """Queue a statement whose result will be a cursor, as of `Connection.execute()`.

        Raises ProgrammingError for a COPY, and for several statements in one text.
        """
        cursor = Cursor(self._connection, row_factory=self._connection.row_factory)
        return self._queue(query, params, None, None, cursor._native, cursor)

    @overload
    def fetch(self, query: Query, params: Vars = None) -> PipelineResult[list[_Row]]: ...
    @overload
    def fetch(
        self, query: Query, params: Vars = None, *, row_factory: RowFactory[_R]
    ) -> PipelineResult[list[_R]]: ...
    def fetch(
        self, query: Query, params: Vars = None, *, row_factory: RowFactory[Any] | None = None
    ) -> PipelineResult[Any]:
        """Queue a statement whose result will be the list of its rows.

        Raises what `execute()` raises.
        """
        return self._queue(query, params, "rows", row_factory)

    @overload
    def fetchrow(self, query: Query, params: Vars = None) -> PipelineResult[_Row | None]: ...
    @overload
    def fetchrow(
        self, query: Query, params: Vars = None, *, row_factory: RowFactory[_R]
    ) -> PipelineResult[_R | None]: ...
    def fetchrow(
        self, query: Query, params: Vars = None, *, row_factory: RowFactory[Any] | None = None
    ) -> PipelineResult[Any]:
        """Queue a statement whose result will be its first row, None if there is none.

        Raises what `execute()` raises.
        """
        return self._queue(query, params, "row", row_factory)

    def fetchval(self, query: Query, params: Vars = None) -> PipelineResult[Any]:
        """Queue a statement whose result will be the first value of its first row, or None.

        Raises what `execute()` raises.
        """
        return self._queue(query, params, "value", None)

    def _queue(
        self,
        query: Query,
        params: Vars,
        want: str | None,
        row_factory: RowFactory[Any] | None,
        cursor: Any = None,
        value: Any = UNMADE,
    ) -> PipelineResult[Any]:
        self._check()
        factory = self._connection.row_factory if row_factory is None else row_factory
        cursor = self._channel.cursor() if cursor is None else cursor
        native = self._channel.pipeline_statement(cursor, query, params, want, factory)
        self._waiting.append(native)
        self._bytes += native.size
        if len(self._waiting) >= MAX_STATEMENTS or self._bytes >= MAX_BYTES:
            self._send()
        return PipelineResult(self, native, value)

    def _check(self) -> None:
        if not self._open:
            raise InterfaceError("the pipeline is used outside of its block")

    def _send(self, last: bool = False) -> None:
        """Send what waits. With the last of them ends the group."""
        statements, self._waiting, self._bytes = self._waiting, [], 0
        if self._group.failed and self._atomic:
            self._group.abort(statements, None)
            statements = []
        first = self._own is None
        if first:
            self._own = self._atomic and not self._connection._in_transaction()
        own = bool(self._own)
        if not statements and not (own and last and not first):
            return
        try:
            part = self._channel.start_part(
                self._group,
                statements,
                self._atomic,
                not first,
                own and first,
                own and last,
                left(self._until),
            )
        except BaseException as error:
            self._group.abort(statements, error)
            raise
        if part is not None:
            self._parts.append(part)

    # ---- the end --------------------------------------------------------------------------------

    def sync(self) -> None:
        """Send what was not sent yet, and end the group: its statements are committed.

        The statements behind this are another group. Raises the first error of the group's
        statements that the program has not seen yet; then none of them has had an effect.
        """
        self._check()
        self._sync()

    def _sync(self) -> None:
        try:
            self._send(last=True)
            self._join()
        except BaseException as error:
            self._give_up(error)
            raise
        group = self._end_group()
        unread = group.take_unread()
        if unread is not None:
            raise unread

    def _join(self) -> None:
        """Wait for the parts that were sent."""

    def _end_group(self) -> PipelineGroup:
        group, self._group = self._group, PipelineGroup()
        self._own = None
        return group

    def _give_up(self, error: BaseException) -> None:
        """The block has raised: nothing more is sent, and the transaction is rolled back."""
        self._group.abort(self._waiting, error)
        self._waiting, self._bytes = [], 0
        # After a cancellation or an interrupt an event loop goes on behind our back.
        detached = not isinstance(error, Exception)
        own, _ = self._own, self._end_group()
        if own and not self._channel.closed:
            with suppress(Error):
                self._channel.close_group(self, detached)

    def __enter__(self) -> Self:
        if self._entered:
            raise ProgrammingError("the block of a pipeline is entered once")
        self._channel.check_open()
        refuse_in_pipeline(self._connection)
        self._entered = self._open = True
        if self._timeout is not None:
            self._until = time.monotonic() + self._timeout
        self._outer = current.get()
        self._token = current.set(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        try:
            if exc is None:
                self._sync()
            else:
                self._give_up(exc)
        finally:
            self._reset()

    def _reset(self) -> None:
        if self._token is None:
            return
        # A block that is left in another context is not the innermost one there.
        with suppress(ValueError):
            current.reset(self._token)
        self._token = None

    def __repr__(self) -> str:
        state = "open" if self._open else "closed"
        return f"<{type(self).__module__}.{type(self).__qualname__} [{state}] at {id(self):#x}>"
