# Generated from python/psycoxide/aio/retrying.py by tools/generate_sync.py: do not edit.
"""Transactions that are run again when another one was in their way."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from psycoxide._backoff import Backoff
from psycoxide._exceptions import (
    CommitUnknown,
    Error,
    InterfaceError,
    OperationalError,
    PoolClosed,
    PoolTimeout,
    ProgrammingError,
    TooManyRequests,
)
from psycoxide._retrying import is_in_the_way, is_loss
from psycoxide.sync.outcome import Identity, identity, was_committed
from psycoxide.sync.transaction import Transaction

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Concatenate, ParamSpec

    from psycoxide.sync.connection import Connection

    _P = ParamSpec("_P")


# A pool's errors that are no loss: it has waited already.
REFUSALS = (PoolTimeout, PoolClosed, TooManyRequests)

_Conn = TypeVar("_Conn", bound="Connection[Any]")
_R = TypeVar("_R")

TRANSACTION_STATUS_IDLE = 0


class Retrying(Generic[_Conn]):
    """Run a transaction again when another one was in its way.

        for attempt, transaction in Retrying(pool, isolation="serializable"):
            with attempt, transaction as conn:
                ...

    As a decorator, `@Retrying(pool)`, it runs a function in such a transaction, whose first
    argument is the connection; it returns what the function returns, None if that raises Rollback.

    `source` is a connection, or hands out connections: a pool, or a function that returns a context
    manager, as `lambda: connect(dsn)` does.

    The block is run up to `attempts` times, if it fails, or its COMMIT, with a serialization
    failure or a deadlock, or because somebody has changed a table under a prepared statement. With
    `lost`, it is run again also if the connection was lost before the COMMIT was sent; `source` has
    to hand out another one. No attempt begins `deadline` seconds after the first one. Before each
    there is a pause, of `retry_min` seconds at first, up to `retry_max` later, or a random part of
    that. Otherwise the last error is raised.

    A block is not run again if it has read from `stream()` or COPY: the program has the rows.

    If the connection is lost in COMMIT, CommitUnknown is raised. With `commit="verify"` the server
    is asked what became of the transaction: a round trip before each COMMIT, and after a loss
    another connection, for up to `verify_within` seconds. A transaction that was committed ends
    well; one that was not is run again.

    `isolation`, `read_only` and `deferrable` are those of `transaction()`.
    """

    def __init__(
        self,
        source: _Conn | Any,
        *,
        attempts: int = 5,
        deadline: float | None = None,
        retry_min: float = 0.01,
        retry_max: float = 1.0,
        lost: bool = False,
        commit: Literal["plain", "verify"] = "plain",
        verify_within: float = 30.0,
        isolation: str | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> None:
        if attempts < 1:
            raise ValueError("attempts must be 1 or more")
        if commit not in ("plain", "verify"):
            raise ValueError('commit must be "plain" or "verify"')
        if commit == "verify" and (verify_within is None or not verify_within >= 0):
            raise ValueError("verify_within must be a number of seconds")
        Backoff(retry_min, retry_max)
        self._source = source
        self._attempts = attempts
        self._deadline = deadline
        self._pauses = (retry_min, retry_max)
        self._lost = lost
        self._verify_within = verify_within if commit == "verify" else None
        self._characteristics: dict[str, Any] = {
            "isolation": isolation,
            "read_only": read_only,
            "deferrable": deferrable,
        }

    def __iter__(self) -> Iterator[tuple[Attempt, AttemptTransaction[_Conn]]]:
        return _Attempts(self)

    def __call__(self, function: Callable[Concatenate[_Conn, _P], _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            for attempt, transaction in self:
                with attempt, transaction as conn:
                    return function(conn, *args, **kwargs)
            # The function has raised Rollback.
            return None  # type: ignore[return-value]

        return wrapper


class _Attempts:
    """One run of the loop."""

    def __init__(self, rules: Retrying[Any]) -> None:
        self.rules = rules
        self.number: int = 0
        self.error: BaseException | None = None
        self._began = time.monotonic()
        self._backoff = Backoff(*rules._pauses)
        self._next = 0.0
        self._last: Attempt | None = None

    def __iter__(self) -> Iterator[tuple[Attempt, AttemptTransaction[Any]]]:
        return self

    def __next__(self) -> tuple[Attempt, AttemptTransaction[Any]]:
        if self._last is None:
            self.number = 1
        elif not self._last.entered:
            raise ProgrammingError(
                "the attempt was not entered: `with attempt, transaction as conn:`"
            )
        elif self.error is None:
            raise StopIteration
        else:
            self.pause()
        self._last = Attempt(self)
        self.error = None
        return self._last, self._last.transaction

    def may_go_on(self) -> bool:
        """Whether another attempt is allowed."""
        if self.number >= self.rules._attempts:
            return False
        deadline = self.rules._deadline
        self._next = self._backoff.next()
        return deadline is None or time.monotonic() + self._next - self._began < deadline

    def is_over(self) -> bool:
        """Whether no attempt may begin any more."""
        deadline = self.rules._deadline
        return deadline is not None and time.monotonic() - self._began >= deadline

    def pause(self) -> None:
        """Wait for the next attempt."""
        self.number += 1
        time.sleep(self._next)


class Attempt:
    """An attempt to run the block: see `Retrying`."""

    def __init__(self, attempts: _Attempts) -> None:
        self._attempts = attempts
        self._rules = attempts.rules
        self._error = attempts.error
        self._borrowed: AbstractContextManager[Connection[Any]] | None = None
        self.entered: bool = False
        self.connection: Connection[Any] | None = None
        self.transaction: AttemptTransaction[Any] = AttemptTransaction(self)

    @property
    def number(self) -> int:
        """Which one it is, counted from 1."""
        return self._attempts.number

    @property
    def error(self) -> BaseException | None:
        """What the attempt before it has failed with; None at the first one."""
        return self._error

    def __enter__(self) -> Attempt:
        if self.entered:
            raise ProgrammingError("an attempt is entered once")
        self.entered = True
        while True:
            try:
                conn = self._borrow()
                break
            except (OperationalError, InterfaceError) as error:
                if (
                    not self._rules._lost
                    or isinstance(error, REFUSALS)
                    or not self._attempts.may_go_on()
                ):
                    raise
                self._error = error
            self._attempts.pause()
        if self._error is not None and self._attempts.is_over():
            self._give_back(None)
            raise self._error
        if conn._channel.in_block or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
            self._give_back(None)
            raise ProgrammingError(
                "a transaction within another one cannot be run again, and the connection is in "
                "one: run that one again, or use another connection"
            )
        conn._gave_out = False
        self.connection = conn
        return self

    def _borrow(self) -> Connection[Any]:
        source = self._rules._source
        if hasattr(source, "_channel"):
            conn: Connection[Any] = source
            conn._channel.check_open()
            return conn
        # A pool, or a function.
        lent = source.connection() if hasattr(source, "connection") else source()
        conn = lent.__enter__()
        self._borrowed = lent
        return conn

    def _give_back(self, raised: BaseException | None) -> None:
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None:
            of = raised.__traceback__ if raised is not None else None
            borrowed.__exit__(None if raised is None else type(raised), raised, of)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        goes_on = exc is not None and self._is_worth_another(exc) and self._attempts.may_go_on()
        self._give_back(exc)
        if exc is None and not self.transaction.entered:
            raise ProgrammingError(
                "the transaction was not entered: `with attempt, transaction as conn:`"
            )
        if goes_on:
            self._attempts.error = exc
        return goes_on

    def _is_worth_another(self, raised: BaseException) -> bool:
        conn = self.connection
        if conn is None or not self.transaction.entered or conn._gave_out:
            return False
        if self.transaction.committed:
            # It was raised behind the transaction.
            return False
        if is_in_the_way(raised):
            return not conn.closed or self._borrowed is not None
        if not conn.closed or self._borrowed is None or not is_loss(raised):
            return False
        if self.transaction.commits:
            return self.transaction.was_aborted
        return self._rules._lost


class AttemptTransaction(Generic[_Conn]):
    """The transaction of an attempt: see `Retrying`. Entering it returns the connection."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._rules = attempt._rules
        self._block: Transaction | None = None
        self.commits: bool = False
        self.committed: bool = False
        self.was_aborted: bool = False

    @property
    def entered(self) -> bool:
        """Whether its block was entered."""
        return self._block is not None

    def __enter__(self) -> _Conn:
        conn: Any = self._attempt.connection
        if conn is None:
            raise ProgrammingError("the attempt comes first: `with attempt, transaction as conn:`")
        self._block = Transaction(conn, **self._rules._characteristics)
        self._block.__enter__()
        entered: _Conn = conn
        return entered

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        block, conn = self._block, self._attempt.connection
        assert block is not None
        assert conn is not None
        if exc_type is not None or conn.closed:
            return block.__exit__(exc_type, exc, traceback)
        found = self._identity(conn, block)
        self.commits = True
        try:
            block.__exit__(None, None, None)
            self.committed = True
        except Error as error:
            # Otherwise the server has said that it was rolled back.
            if conn.closed:
                self._find_out(conn, found, error)
            else:
                raise
        return False

    def _identity(self, conn: Connection[Any], block: Transaction) -> Identity | None:
        """How the server knows the transaction, if that is asked."""
        is_idle = conn.info.transaction_status == TRANSACTION_STATUS_IDLE
        if self._rules._verify_within is None or is_idle:
            return None
        try:
            return identity(conn)
        except BaseException as raised:
            block.__exit__(type(raised), raised, raised.__traceback__)
            raise

    def _find_out(self, conn: Connection[Any], found: Identity | None, error: Error) -> None:
        """The connection was lost in COMMIT. Returns if the transaction was committed."""
        within = self._rules._verify_within
        committed = None
        if within is not None and found is not None and found.xid is not None:
            committed = was_committed(conn, found, within)
        if committed:
            self.committed = True
            return
        if committed is False:
            self.was_aborted = True
            raise error
        text = "the connection was lost in COMMIT, and it is not known what became of it: "
        unknown = CommitUnknown(text + str(error))
        unknown.xid = found.xid if found is not None else None
        raise unknown from error
