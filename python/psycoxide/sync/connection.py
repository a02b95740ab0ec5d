# Generated from python/psycoxide/aio/connection.py by tools/generate_sync.py: do not edit.
"""Connections."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from psycoxide._exceptions import InterfaceError
from psycoxide._psycopg import Channel
from psycoxide.rows import TupleRow, tuple_row
from psycoxide.sync.pipeline import Pipeline
from psycoxide.sync.queries import Queries
from psycoxide.sync.reading import ArrowReading
from psycoxide.sync.retrying import Retrying
from psycoxide.sync.transaction import Transaction

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from psycoxide._pooling.member import Member
    from psycoxide._retrying import RetryingOptions
    from psycoxide.extensions import ConnectionInfo, Notify, Xid
    from psycoxide.rows import RowFactory
    from psycoxide.sync.pool.pool import ConnectionPool


_Row = TypeVar("_Row")
_R = TypeVar("_R")

# What `get_transaction_status()` returns outside and within a transaction.
TRANSACTION_STATUS_IDLE = 0
TRANSACTION_STATUS_INTRANS = 2
TRANSACTION_STATUS_INERROR = 3

# Where parameters are bound: on the server, or merged into the text of the query.
Binding: TypeAlias = Literal["server", "client"]

# How often a statement runs before it is prepared, and how many statements are prepared at most.
PREPARE_THRESHOLD = 5
PREPARED_MAX = 100

# The options of a connection that are not those of its server.
OWN_OPTIONS = (
    "row_factory",
    "autocommit",
    "binding",
    "prepare_threshold",
    "prepared_max",
    "command_timeout",
    "cancel_timeout",
)

# What is left of a statement whose caller is gone may take this many seconds.
CANCEL_TIMEOUT = 5.0


def binds(binding: str) -> bool:
    """Whether parameters are bound on the server. Raises ValueError for an unknown place."""
    if binding not in ("server", "client"):
        raise ValueError(f'binding is "server" or "client": got {binding!r}')
    return binding == "server"


class Connection(ArrowReading, Queries[_Row]):
    """A session with a PostgreSQL server, made by `connect()`.

    It may be used by several threads at once: statements are sent without waiting for each other,
    and answered in order. Within the block of a transaction only the thread that opened it, and
    threads started within the block, may use the connection.

    As a context manager, it is closed at the end of the block; outside autocommit mode, the
    transaction is committed before that, or rolled back if the block raised; a thread that is
    cancelled leaves the rollback to the server.
    """

    # The pool that has lent the connection, and what that knows about it.
    _pool: ConnectionPool[Any] | None = None
    _member: Member | None = None
    # Whether the program has listened to notifications.
    _listens = False

    def __init__(
        self,
        *,
        row_factory: RowFactory[_Row] = tuple_row,  # type: ignore[assignment]
        autocommit: bool = True,
        binding: Binding = "server",
        prepare_threshold: int | None = PREPARE_THRESHOLD,
        prepared_max: int = PREPARED_MAX,
        command_timeout: float | None = None,
        cancel_timeout: float = CANCEL_TIMEOUT,
    ) -> None:
        self._channel = Channel(False, cancel_timeout)
        self._channel.timeout = command_timeout
        self._channel.binds = binds(binding)
        self._prepared = (prepare_threshold, prepared_max)
        self._native = self._channel.connection
        self._autocommit = autocommit
        self._savepoints = 0
        self._opened = False
        # How it was opened, so that another one like it can be.
        self._origin: tuple[str, dict[str, Any]] = ("", {})
        self._gave_out = False
        self.row_factory: RowFactory[_Row] = row_factory

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Opens a connection: takes what `connect()` of the module takes."""
        own = {name: options.pop(name) for name in OWN_OPTIONS if name in options}
        timeout = options.pop("timeout", None)
        return cls(**own)._open(conninfo, options, timeout)

    def _open(self, conninfo: str, options: dict[str, Any], timeout: float | None) -> Self:
        self._origin = (conninfo, dict(options))
        self._channel.connect(conninfo, options, timeout)
        self._native.autocommit = self._autocommit
        self._channel.set_statement_settings(*self._prepared)
        self._native.notifies = deque()
        self._opened = True
        return self

    def _own_connection(self) -> Self:
        return self

    def _another(self, timeout: float | None) -> Connection[Any]:
        """Open another connection to where this one leads."""
        conninfo, options = self._origin
        return Connection.connect(conninfo, timeout=timeout, **options)

    # ---- transactions ---------------------------------------------------------------------------

    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,
        *,
        isolation: str | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
        shared: bool = False,
    ) -> Transaction:
        """Return the block of a transaction: `with conn.transaction():`.

        The block commits at its end, and rolls back if it raises, or if `force_rollback` is true.
        BEGIN is sent with the first statement. Within another block it is a savepoint, called
        `savepoint_name` if that is given.

        `isolation` is "serializable", "repeatable read", "read committed" or "read uncommitted";
        that, `read_only` and `deferrable` are for the outermost block, and None leaves what the
        connection has.

        Other threads cannot use the connection meanwhile, unless they are started within the block,
        or `shared` is true: then their statements belong to the transaction.
        """
        return Transaction(
            self,
            savepoint_name,
            force_rollback,
            isolation=isolation,
            read_only=read_only,
            deferrable=deferrable,
            shared=shared,
        )

    def retrying(self, **options: Unpack[RetryingOptions]) -> Retrying[Self]:
        """Run a transaction again when another one was in its way: a loop, or a decorator.

            for attempt, transaction in conn.retrying(isolation="serializable"):
                with attempt, transaction as conn:
                    ...

        `options` are those of `Retrying`, which says more.
        """
        return Retrying(self, **options)

    def pipeline(self, *, atomic: bool = True, timeout: float | None = None) -> Pipeline[_Row]:
        """Return the block of a pipeline: `with conn.pipeline() as p:`.

        `p.execute()`, `p.fetch()`, `p.fetchrow()` and `p.fetchval()` queue a statement and return
        a handle at once; the statements are sent together. `await` a handle for its result. The end
        of the block, or `p.sync()`, sends what was not sent yet, waits for all answers, and
        raises the first error if the program has not seen it at its handle.

        The statements up to there are a group: if one fails, those behind it are not run, and their
        handles raise PipelineAborted. In autocommit mode the group is a transaction: all of its
        statements have an effect, or none, also if the block raises. Within a transaction they
        belong to that. With `atomic` false each statement stands alone.

        `timeout` is how many seconds the block may take from its beginning on.
        """
        return Pipeline(self, atomic=atomic, timeout=timeout)

    def commit(self, *, timeout: float | None = None) -> None:
        """Commit the transaction that a statement began outside autocommit mode, if there is one.

        Raises ProgrammingError within the block of a transaction.
        """
        self._refuse_in_block("commit()")
        self._channel.end_transaction(True, timeout)

    def rollback(self, *, timeout: float | None = None) -> None:
        """Roll back the transaction that a statement began outside autocommit mode, if any.

        Raises ProgrammingError within the block of a transaction.
        """
        self._refuse_in_block("rollback()")
        self._channel.end_transaction(False, timeout)

    def _in_transaction(self) -> bool:
        """Whether statements are in a transaction that goes on behind them."""
        return self._is_in_transaction() or not self.autocommit

    def _is_in_transaction(self) -> bool:
        """Whether a transaction is open now."""
        status = self._native.get_transaction_status()
        open_ = status in (TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR)
        return open_ or self._channel.in_block

    def _refuse_in_block(self, what: str) -> None:
        if self._channel.in_block:
            from psycoxide import ProgrammingError

            raise ProgrammingError(
                f"{what} is not for the block of a transaction, which ends by itself: "
                "raise Rollback to roll it back"
            )

    def xid(self, format_id: int, gtrid: str, bqual: str) -> Xid:
        """Return a transaction identifier for the `tpc_` methods, as of the XA standard.

        Raises ValueError if the format is not from 0 to 2147483647, or one of the two strings is
        longer than 64 characters or not printable ASCII.
        """
        return self._native.xid(format_id, gtrid, bqual)

    def tpc_begin(self, xid: Xid | str, *, timeout: float | None = None) -> None:
        """Begin a two-phase transaction, which only `tpc_commit()` and `tpc_rollback()` end.

        Raises ProgrammingError inside a transaction.
        """
        self._channel.tpc_begin(xid, timeout)

    def tpc_prepare(self, *, timeout: float | None = None) -> None:
        """Perform the first phase: PREPARE TRANSACTION.

        Raises ProgrammingError outside a two-phase transaction, and the server's errors:
        ObjectNotInPrerequisiteState if its `max_prepared_transactions` is 0.
        """
        self._channel.tpc_prepare(timeout)

    def tpc_commit(self, xid: Xid | str | None = None, *, timeout: float | None = None) -> None:
        """Commit a two-phase transaction: this connection's, or one that was prepared as `xid`.

        Raises ProgrammingError if the state does not allow it, UndefinedObject if there is no such
        transaction.
        """
        self._channel.tpc_commit(xid, timeout)

    def tpc_rollback(self, xid: Xid | str | None = None, *, timeout: float | None = None) -> None:
        """Roll a two-phase transaction back, as `tpc_commit()` commits it."""
        self._channel.tpc_rollback(xid, timeout)

    def tpc_recover(self, *, timeout: float | None = None) -> list[Xid]:
        """Return the prepared transactions of all databases.

        Their `prepared`, `owner` and `database` are set.
        """
        status = self._native.get_transaction_status()
        begins = status == TRANSACTION_STATUS_IDLE and not self._channel.in_block
        query = Channel.recover_query()
        rows = self._channel.fetch(query, None, tuple_row, timeout)
        if begins and not self.autocommit:
            # `tpc_commit(xid)`, which follows, is for outside of a transaction.
            self._channel.end_transaction(False, timeout)
        return [Channel.recovered(*row) for row in rows]

    @property
    def autocommit(self) -> bool:
        """Whether statements outside the block of a transaction are transactions of their own."""
        return bool(self._native.autocommit)

    def set_autocommit(self, value: bool) -> None:
        """Change `autocommit`. Raises ProgrammingError within a transaction."""
        self._native.autocommit = value

    # ---- notifications --------------------------------------------------------------------------

    def notifies(
        self, *, timeout: float | None = None, stop_after: int | None = None
    ) -> Iterator[Notify]:
        """Iterate over the notifications that arrive: `for notify in conn.notifies():`.

        LISTEN first. The iteration ends after `timeout` seconds, or after `stop_after`
        notifications; those that came with the last one are given out as well. Other calls may run
        meanwhile. Raises OperationalError when the connection is lost.
        """
        until = None if timeout is None else time.monotonic() + timeout
        count = 0
        self._listens = True
        arrived: Any = self._native.notifies
        while True:
            while arrived:
                count += 1
                yield arrived.popleft()
            if stop_after is not None and count >= stop_after:
                return
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            self._channel.wait_for_messages(left)

    # ---- prepared statements --------------------------------------------------------------------

    @property
    def prepare_threshold(self) -> int | None:
        """How often a query runs before it is prepared; None if none is by itself."""
        return self._channel.statement_settings()[0]

    @prepare_threshold.setter
    def prepare_threshold(self, value: int | None) -> None:
        self._channel.set_statement_settings(value, self.prepared_max)

    @property
    def prepared_max(self) -> int:
        """How many queries are prepared at a time; 0 for none."""
        return self._channel.statement_settings()[1]

    @prepared_max.setter
    def prepared_max(self, value: int) -> None:
        self._channel.set_statement_settings(self.prepare_threshold, value)

    @property
    def prepared(self) -> int:
        """How many queries are prepared on the server now."""
        return self._channel.prepared_statements()[0]

    @property
    def prepares(self) -> bool | None:
        """Whether queries can be prepared; None as long as that is not known.

        False behind a pooler that may give each transaction another server.
        """
        return self._channel.prepared_statements()[1]

    # ---- the session ----------------------------------------------------------------------------

    @property
    def info(self) -> ConnectionInfo:
        """What is known about the connection, its server and its state."""
        return self._native.info

    @property
    def notices(self) -> list[str]:
        """The last notices of the server, up to 50."""
        return self._native.notices

    @property
    def timeout(self) -> float | None:
        """How many seconds a call may take that has no `timeout` of its own; None for no limit."""
        return self._channel.timeout

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        self._channel.timeout = value

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by whatever side."""
        return self._channel.closed

    @property
    def broken(self) -> bool:
        """Whether the connection was lost, or closed because it could not be trusted any more."""
        return self._channel.broken

    def cancel(self) -> None:
        """Cancel the statement that is under way on the server: its call raises QueryCanceled.

        Returns when the server has taken note; does nothing if no statement is under way. Raises
        OperationalError if the request cannot be delivered.
        """
        self._channel.cancel()

    def close(self) -> None:
        """Close the connection. Does not wait for the server; closing twice is allowed.

        Calls that are under way raise InterfaceError. A connection of a pool with `close_returns`
        is given back instead.
        """
        if self._pool is not None and self._pool.close_returns:
            self._pool.putconn(self)
        else:
            self._channel.close()

    def terminate(self) -> None:
        """The same from anywhere: another thread, a destructor, where no loop runs."""
        self._channel.close()

    def __enter__(self) -> Self:
        if self.closed:
            raise InterfaceError("connection already closed")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # Who is cancelled does not wait for the server, which rolls back by itself.
            if not self.autocommit and (exc is None or isinstance(exc, Exception)):
                self._end_transaction(exc)
        finally:
            self._channel.close()

    def _end_transaction(self, exc: BaseException | None) -> None:
        """Ends the transaction of a block that was left, by this exception if there is one."""
        try:
            if not self.closed:
                self._channel.end_transaction(exc is None, None)
        except Exception:
            # The exception of the block says more.
            if exc is None:
                raise

    def __del__(self) -> None:
        pool, member = self._pool, self._member
        if pool is not None and member is not None:
            pool._lose(member)
        if getattr(self, "_opened", False) and not self._channel.closed:
            what = "not closed" if pool is None else "not given back to its pool"
            warnings.warn(
                f"{self!r} was {what}: use a context manager",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
        channel = getattr(self, "_channel", None)
        if channel is not None:
            channel.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else self._native.dsn
        return f"<{type(self).__module__}.{type(self).__qualname__} [{state}] at {id(self):#x}>"


Opening: TypeAlias = Connection[_R]


@overload
def connect(
    conninfo: str = "",
    *,
    row_factory: RowFactory[_R],
    autocommit: bool = True,
    binding: Binding = "server",
    prepare_threshold: int | None = PREPARE_THRESHOLD,
    prepared_max: int = PREPARED_MAX,
    timeout: float | None = None,
    command_timeout: float | None = None,
    cancel_timeout: float = CANCEL_TIMEOUT,
    **options: Any,
) -> Opening[_R]: ...
@overload
def connect(
    conninfo: str = "",
    *,
    autocommit: bool = True,
    binding: Binding = "server",
    prepare_threshold: int | None = PREPARE_THRESHOLD,
    prepared_max: int = PREPARED_MAX,
    timeout: float | None = None,
    command_timeout: float | None = None,
    cancel_timeout: float = CANCEL_TIMEOUT,
    **options: Any,
) -> Opening[TupleRow]: ...
def connect(
    conninfo: str = "",
    *,
    row_factory: RowFactory[Any] = tuple_row,
    autocommit: bool = True,
    binding: Binding = "server",
    prepare_threshold: int | None = PREPARE_THRESHOLD,
    prepared_max: int = PREPARED_MAX,
    timeout: float | None = None,
    command_timeout: float | None = None,
    cancel_timeout: float = CANCEL_TIMEOUT,
    **options: Any,
) -> Any:
    """Open a connection: `conn = connect(...)`, or `with connect(...) as conn:`.

    `conninfo` is a connection string of either form in
    <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>; `options` are
    keywords as in there, `host="..."` and so on, which count more. `password` and `oauth_token` may
    be callables, as for `psycoxide.connect()`.

    `row_factory` makes the rows of all cursors. With `autocommit` false, a statement begins a
    transaction, to be ended by `commit()` or `rollback()`. `timeout` is how many seconds connecting
    may take, all of it; `command_timeout` is the `timeout` of calls that have none of their own;
    `cancel_timeout` is how many seconds the server may take to end a statement whose caller is
    gone, before the connection is closed.

    `binding` "server" sends the parameters of a query apart from its text; "client" merges them
    into it, as psycopg2 does. A query is prepared when it has run `prepare_threshold` times, never
    if that is None; up to `prepared_max` queries are prepared at a time.

    Raises OperationalError if it cannot connect, ProgrammingError if an option is not valid.
    """
    conn: Connection[Any] = Connection(
        row_factory=row_factory,
        autocommit=autocommit,
        binding=binding,
        prepare_threshold=prepare_threshold,
        prepared_max=prepared_max,
        command_timeout=command_timeout,
        cancel_timeout=cancel_timeout,
    )
    opening = conn._open(conninfo, options, timeout)
    return opening
