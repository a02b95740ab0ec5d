# Generated from python/psycoxide/aio/transaction.py by tools/generate_sync.py: do not edit.
"""The blocks of transactions."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import ProgrammingError
from psycoxide._rollback import Rollback
from psycoxide._transactions import Block, current
from psycoxide.sync.pipeline import refuse_in_pipeline

if TYPE_CHECKING:
    from contextvars import Token

    from typing_extensions import Self

    from psycoxide.sync.connection import Connection


class Transaction:
    """The block of a transaction or of a savepoint: see `Connection.transaction()`."""

    def __init__(
        self,
        connection: Connection[Any],
        savepoint_name: str | None = None,
        force_rollback: bool = False,
        *,
        isolation: str | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        shared: bool = False,
    ) -> None:
        self._connection = connection
        self._channel = connection._channel
        self._savepoint = savepoint_name
        self._characteristics = (isolation, read_only, deferrable)
        self._shared = shared
        self._outermost = False
        self._entered = False
        self._token: Token[Block | None] | None = None
        self._outer: Block | None = None
        self.force_rollback = force_rollback

    @property
    def connection(self) -> Connection[Any]:
        """The connection that the transaction is on."""
        return self._connection

    @property
    def savepoint_name(self) -> str | None:
        """The name of the savepoint, None if the block is a transaction."""
        return self._savepoint

    @property
    def outer(self) -> Block | None:
        """The block that this one was entered in, of whatever connection."""
        return self._outer

    def __enter__(self) -> Self:
        if self._entered:
            raise ProgrammingError("the block of a transaction is entered once")
        refuse_in_pipeline(self._connection)
        self._entered = True
        owns = False
        try:
            self._outermost = self._channel.enter_transaction(self, owns, *self._characteristics)
            self._outer = current.get()
            self._token = current.set(self)
            if not self._outermost or self._savepoint is not None:
                if self._savepoint is None:
                    self._connection._savepoints += 1
                    self._savepoint = f"_psycoxide_{self._connection._savepoints}"
                self._channel.command(f"SAVEPOINT {self._quoted()}", False, False)
        except BaseException:
            self._reset()
            if self._channel.stop_entering(self):
                self._channel.leave_transaction(False, True)
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        commits = exc_type is None and not self.force_rollback
        try:
            if exc_type is GeneratorExit:
                # A coroutine that is being closed cannot wait any more.
                self._channel.close()
            elif not self._channel.closed:
                # After a cancellation or an interrupt an event loop does that behind our back.
                detached = exc is not None and not isinstance(exc, Exception)
                self._end(commits, detached)
            elif commits:
                self._channel.check_open()
        except Exception:
            # The exception of the block says more.
            if exc is None or isinstance(exc, Rollback):
                raise
        finally:
            self._reset()
        return isinstance(exc, Rollback) and exc.transaction in (None, self)

    def _end(self, commits: bool, detached: bool) -> None:
        if not self._outermost:
            self._end_savepoint(commits, detached)
            return
        try:
            if commits and self._savepoint is not None:
                self._channel.command(f"RELEASE {self._quoted()}", True, detached)
        except BaseException:
            with suppress(Exception):
                self._channel.leave_transaction(False, True)
            raise
        self._channel.leave_transaction(commits, detached)

    def _end_savepoint(self, commits: bool, detached: bool) -> None:
        name = self._quoted()
        undo = f"ROLLBACK TO {name}; RELEASE {name}"
        if not commits:
            self._channel.command(undo, True, detached)
            return
        try:
            self._channel.command(f"RELEASE {name}", True, detached)
        except Exception:
            # A statement has failed, and the error was caught: the outer block is not to blame.
            with suppress(Exception):
                self._channel.command(undo, True, detached)
            raise

    def _quoted(self) -> str:
        name = (self._savepoint or "").replace('"', '""')
        return f'"{name}"'

    def _reset(self) -> None:
        if self._token is None:
            return
        # A block that is left in another context is not the innermost one there.
        with suppress(ValueError):
            current.reset(self._token)
        self._token = None

    def __repr__(self) -> str:
        what = f"savepoint {self._savepoint}" if self._savepoint else "transaction"
        return f"<{type(self).__module__}.{type(self).__qualname__} [{what}] at {id(self):#x}>"
