"""The pool: lending connections, and taking them back."""

from __future__ import annotations

import time
import warnings
from asyncio import get_running_loop  # only in aio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from psycoxide._exceptions import Error, InterfaceError, OperationalError, PoolClosed, PoolTimeout
from psycoxide._pooling import stock  # in sync: from psycoxide._pooling import threads as stock
from psycoxide._pooling.forks import pools
from psycoxide._pooling.member import READY, Member, Place, Request, caller
from psycoxide._pooling.settings import Settings, check_count, default_name, sizes
from psycoxide._retrying import leaves
from psycoxide.aio.connection import AsyncConnection
from psycoxide.aio.pool import jobs  # in sync: from psycoxide._pooling import threads as jobs
from psycoxide.aio.pool.block import AsyncBorrowing
from psycoxide.aio.pool.statements import AsyncStatements
from psycoxide.aio.pool.upkeep import PING_TIMEOUT, AsyncUpkeep

if TYPE_CHECKING:
    from typing_extensions import Self, TypeVar

    from psycoxide.rows import TupleRow

    _Conn = TypeVar("_Conn", bound=AsyncConnection[Any], default=AsyncConnection[TupleRow])
else:
    from typing import TypeVar

    _Conn = TypeVar("_Conn", bound=AsyncConnection)

ASYNC = True

# What the program's functions are: they may be coroutine functions, or not.
Nothing: TypeAlias = Awaitable[None] | None  # in sync: Nothing: TypeAlias = None
Callback: TypeAlias = Callable[[_Conn], Nothing]
# An option, or a function that is asked for it before each attempt to connect.
_T = TypeVar("_T")
OrCallable: TypeAlias = _T | Callable[[], _T | Awaitable[_T]]

TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0

# The server is no primary; it shuts down, has crashed, or starts.
DOUBTS = ("25006", "57P01", "57P02", "57P03")
READ_ONLY = "25006"


class AsyncConnectionPool(AsyncStatements[_Conn]):
    """A pool of connections. Who wants one waits until one is free.

    `conninfo` and `kwargs` are the arguments of `connection_class.connect()`, or functions that
    return them, called before each attempt; the class is `AsyncConnection` by default. `min_size`
    connections are kept open, and up to `max_size` are opened when they are asked for; by default
    that is `min_size`.

    The pool is opened by `async with pool:`, by `open()`, or at its first use; with `open` false,
    not at its first use, and with `open` true at once.

    `configure(conn)` is called for each new connection, `reset(conn)` for each that was given back,
    `check(conn)` for each before it is lent; an exception of theirs makes the pool replace the
    connection. Without `check`, the server has to answer, without a statement, on a connection that
    was idle for `ping_after` seconds.

    `timeout` is how many seconds a request waits; up to `max_waiting` may wait, any number if it is
    0. A connection is replaced after `max_lifetime` seconds, and closed after `max_idle` seconds
    that it was not used, down to `min_size`. While the server cannot be reached, the pool goes on
    trying for `reconnect_timeout` seconds, and then calls `reconnect_failed(pool)`. With
    `close_returns`, a connection's `close()` gives it back. Whoever has a connection for longer
    than `warn_after` seconds is named in the log, by the logger `psycoxide.pool`. A
    pool of `psycoxide.sync` opens connections, and makes them ready after their return, in up to
    `num_workers` threads.

    `execute()`, `fetch()` and the other methods for a statement borrow a connection, run it, and
    give the connection back. Their `timeout` is for the statement.

    Raises ValueError if the sizes are impossible, ValueError or TypeError if another number is.
    """

    def __init__(
        self,
        conninfo: OrCallable[str] = "",
        *,
        connection_class: type[_Conn] | None = None,
        kwargs: OrCallable[dict[str, Any]] | None = None,
        min_size: int = 4,
        max_size: int | None = None,
        open: bool | None = None,
        configure: Callback[_Conn] | None = None,
        check: Callback[_Conn] | None = None,
        reset: Callback[_Conn] | None = None,
        name: str | None = None,
        close_returns: bool = False,
        timeout: float = TIMEOUT,
        max_waiting: int = 0,
        max_lifetime: float = 3600.0,
        max_idle: float = 600.0,
        reconnect_timeout: float = 300.0,
        reconnect_failed: Callable[[Any], Nothing] | None = None,
        num_workers: int = 3,
        ping_after: float = 1.0,
        warn_after: float | None = None,
    ) -> None:
        self.name: str = name or default_name()
        self.close_returns: bool = close_returns
        self._settings = Settings(
            conninfo=conninfo,
            connection_class=connection_class or AsyncConnection,
            kwargs=kwargs,
            configure=configure,
            check=check,
            reset=reset,
            timeout=timeout,
            max_lifetime=max_lifetime,
            max_idle=max_idle,
            ping_after=ping_after,
            reconnect_timeout=reconnect_timeout,
            reconnect_failed=reconnect_failed,
            warn_after=warn_after,
            num_workers=num_workers,
        )
        check_count("max_waiting", max_waiting, 0)
        self._stock = self._new_stock(*self._sizes(min_size, max_size), max_waiting, 0)
        # Opens itself at its first use.
        self._opens = open is not False
        self._was_closed = False
        self._upkeep: AsyncUpkeep | None = None
        # Several threads may be the first to use it.
        self._starting = jobs.new_lock()
        # When the wait of the first request is over, and what wakes the pool then.
        self._deadline = 0.0
        self._deadline_timer: Any = None
        pools.add(self)
        if open:
            self._start()

    def _sizes(self, min_size: int, max_size: int | None) -> tuple[int, float]:
        return sizes(min_size, max_size)

    def _new_stock(
        self, min_size: int, max_size: float, max_waiting: int, generation: int
    ) -> stock.Stock:
        return stock.Stock(min_size, max_size, max_waiting, keeps=True, generation=generation)

    # ---- opening and closing --------------------------------------------------------------------

    async def open(self, wait: bool = False, timeout: float = TIMEOUT) -> None:
        """Open the pool: it begins to connect. Does nothing if it is open.

        With `wait`, this is `wait(timeout)` as well. Raises OperationalError if the pool was
        closed: it cannot be opened again.
        """
        if self._was_closed:
            raise OperationalError(f"the pool {self.name!r} was closed, and cannot be opened again")
        self._start()
        if wait:
            await self.wait(timeout)

    def _start(self) -> AsyncUpkeep:
        with self._starting:
            upkeep = self._upkeep
            if upkeep is None:
                self._upkeep = upkeep = AsyncUpkeep(self, self._stock, self._settings)
                upkeep.fill()
                upkeep.sweep_at(0)
            return upkeep

    async def wait(self, timeout: float = TIMEOUT) -> None:
        """Wait until `min_size` connections are open. Raises PoolTimeout after `timeout` seconds.

        Its `__cause__` is why they could not be opened, if that is known.
        """
        self._checked()
        waiter = jobs.new_waiter()
        self._stock.wait_filled(waiter)
        if not await self._done(waiter, timeout):
            raise self._timed_out(f"the pool is not filled after {timeout:g} s")

    async def _done(self, waiter: Any, timeout: float) -> bool:
        """Waits for what is no connection. Returns false after `timeout` seconds."""
        if ASYNC:
            timer = get_running_loop().call_later(timeout, expire, waiter)
            try:
                found: bool = await waiter
            finally:
                timer.cancel()
            return found is not False
        waiter.wait(time.monotonic() + timeout)
        done: bool = waiter.done()
        return done

    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Close the pool: it lends no connections any more, and who waits for one gets PoolClosed.

        Idle connections are closed at once; those that are lent when they are given back, for which
        this waits for up to `timeout` seconds. Closing twice is allowed.
        """
        self._follow()  # only in aio
        self._was_closed = True
        members = self._stock.close(lambda: PoolClosed(f"the pool {self.name!r} was closed"))
        for member in members:
            member.connection.terminate()
        waiter = jobs.new_waiter()
        self._stock.wait_returned(waiter)
        until = time.monotonic() + timeout
        await self._done(waiter, timeout)
        if self._upkeep is not None:
            await self._upkeep.jobs.close(max(until - time.monotonic(), 0))
            self._upkeep.end()
        self._stock.forget_openings()

    @property
    def closed(self) -> bool:
        """Whether the pool is closed, or not open yet."""
        return self._was_closed or (self._upkeep is None and not self._opens)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # ---- lending --------------------------------------------------------------------------------

    def connection(self, timeout: float | None = None) -> AsyncBorrowing[_Conn]:
        """Borrow a connection: `async with pool.connection() as conn:`.

        It is given back at the end of the block. Outside autocommit mode, its transaction is
        committed before that, or rolled back if the block raised.

        Raises PoolTimeout after `timeout` seconds, those of the pool by default; PoolClosed;
        TooManyRequests.
        """
        return AsyncBorrowing(self, timeout, caller())

    def _borrow(self, timeout: float | None, place: Place) -> AsyncBorrowing[_Conn]:
        return AsyncBorrowing(self, timeout, place)

    async def getconn(self, timeout: float | None = None) -> _Conn:
        """Borrow a connection, which `putconn()` gives back. Raises what `connection()` raises."""
        place = caller()
        return self._lend_at_once(place) or await self._lend(timeout, place)

    def _lend_at_once(self, place: Place) -> _Conn | None:
        """A connection that can be lent without a wait, if there is one."""
        idle = self._stock.idle
        if not idle:
            return None
        if self._upkeep is None or self._upkeep.jobs.loop is not get_running_loop():  # only in aio
            return None
        member = self._stock.take_ready(time.monotonic(), place)
        return None if member is None else self._lent(member)

    def _lent(self, member: Member) -> _Conn:
        connection: _Conn = member.connection
        # If the borrower forgets the connection, it goes, and says so.
        member.connection = None
        member.attempt = None
        connection._pool = self
        connection._member = member
        return connection

    async def _lend(self, timeout: float | None, place: Place) -> _Conn:
        """A connection that can be lent, for which the caller waits."""
        upkeep = self._checked()
        stock = self._stock
        seconds = self._settings.timeout if timeout is None else timeout
        now = time.monotonic()
        until = now + seconds
        request = Request(now, until, place)
        while True:
            waiter: Any = jobs.new_waiter()
            member = stock.take_or_wait(waiter, request)
            if member is None:
                if stock.size < stock.max_size:
                    upkeep.fill()
                try:
                    if ASYNC:
                        self._wake_at(until)
                        member = await waiter
                    else:
                        member = waiter.wait(until)
                except BaseException:
                    self._leave(waiter, upkeep)
                    raise
                member = self._came(member, waiter, seconds)
                if self._settings.check is None:
                    # Its last borrower has just used it.
                    return self._lent(member)
            if await upkeep.is_good(member, until):
                if not stock.closed:
                    return self._lent(member)
                upkeep.discard(member)
            self._checked()
            request.since = time.monotonic()
            if request.since >= until:
                stock.count("requests_errors")
                raise self._timed_out(f"no connection within {seconds:g} s")

    def _checked(self) -> AsyncUpkeep:
        """The upkeep of an open pool, which follows its user to another event loop."""
        if self._was_closed:
            raise PoolClosed(f"the pool {self.name!r} is closed")
        if self._upkeep is None and not self._opens:
            raise PoolClosed(f"the pool {self.name!r} is not open yet")
        self._follow()  # only in aio
        return self._upkeep or self._start()

    def _follow(self) -> None:  # only in aio
        """Makes the running event loop the pool's."""
        upkeep = self._upkeep
        if upkeep is None or upkeep.jobs.loop is get_running_loop():
            return
        old = upkeep.jobs.loop
        if old.is_running():
            raise InterfaceError(
                f"the pool {self.name!r} is in use by another event loop: {old!r} (this is "
                f"{get_running_loop()!r})"
            )
        upkeep.count_lost()
        upkeep.end()
        self._upkeep = None
        self._deadline_timer = None
        self._stock.forget_requests()

    def _came(self, member: Member | None, waiter: Any, seconds: float) -> Member:
        """What came for a waiter. Raises PoolTimeout if it was nothing."""
        if member is None and not self._stock.withdraw(waiter, time.monotonic()):
            # It may have come in the last moment.
            member = waiter.result()
        if member is None:
            raise self._timed_out(f"no connection within {seconds:g} s")
        return member

    def _leave(self, waiter: Any, upkeep: AsyncUpkeep) -> None:
        """Who waited is gone: what came all the same goes to the next one."""
        now = time.monotonic()
        if self._stock.withdraw(waiter, now) or not waiter.done() or waiter.cancelled():
            return
        member = None if waiter.exception() else waiter.result()
        if member is not None and not self._stock.give(member, now):
            member.connection.terminate()
            upkeep.fill()

    def _wake_at(self, until: float) -> None:  # only in aio: a thread wakes up by itself
        """Ends the waits that are over at this moment, or earlier."""
        if self._upkeep is None or (self._deadline_timer is not None and self._deadline <= until):
            return
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self._deadline = until
        delay = max(until - time.monotonic(), 0)
        self._deadline_timer = self._upkeep.jobs.after(delay, self._end_waits)

    def _end_waits(self) -> None:  # only in aio
        self._deadline_timer = None
        for waiter in self._stock.overdue(time.monotonic()):
            if not waiter.done():
                waiter.set_result(None)
        until = self._stock.next_overdue()
        if until is not None:
            self._wake_at(until)

    def _timed_out(self, text: str) -> PoolTimeout:
        stock = self._stock
        error = PoolTimeout(
            f"{text}: pool {self.name!r} has {stock.size} connections of {stock.max_size:g}, "
            f"{stock.opening} of them are being opened, {len(stock.lent)} are lent"
            f"{stock.holders()}"
        )
        if self._upkeep is not None:
            error.__cause__ = self._upkeep.last_error
        return error

    # ---- taking back ----------------------------------------------------------------------------

    async def putconn(self, conn: _Conn) -> None:
        """Give a connection back that `getconn()` has lent.

        An open transaction is rolled back, with a warning in the log. A closed connection, and one
        that is in use still, is replaced. Raises ValueError if the connection is not lent by this
        pool.
        """
        if conn._pool is not self:
            whose = "that is not lent" if conn._pool is None else f"of pool {conn._pool.name!r}"
            raise ValueError(f"pool {self.name!r} cannot take a connection {whose}: {conn!r}")
        self._take_back(conn)

    def _take_back_at_once(self, connection: _Conn, member: Member) -> bool:
        """Takes a connection back on which nothing is left to do. Returns whether it was one."""
        stock, settings = self._stock, self._settings
        now = time.monotonic()
        if (
            connection._channel.standing() != READY
            or member.expires_at <= now
            or member.doubtful
            or connection._listens
            or settings.reset is not None
            or member not in stock.lent
        ):
            return False
        if self._upkeep is None or self._upkeep.jobs.loop is not jobs.running_loop():  # only in aio
            return False
        connection._pool = connection._member = None
        member.connection = connection
        member.good_until = settings.good_until(now, member.expires_at)
        if not stock.give(member, now):
            connection.terminate()
            if self._upkeep is not None:
                self._upkeep.fill()
        return True

    def _take_back(self, connection: _Conn) -> None:
        """Takes a connection back, whatever is left to do on it."""
        member = connection._member
        if member is None or self._take_back_at_once(connection, member):
            return
        connection._pool = connection._member = None
        member.connection = connection
        upkeep = self._upkeep
        if upkeep is None:
            # The process was forked meanwhile, or the pool closed in another event loop.
            connection.terminate()
            now = time.monotonic()
            if self._stock.come_back(member, now):
                self._stock.retire(None, now)
            return
        if upkeep.jobs.loop is not jobs.running_loop():  # only in aio
            upkeep.take_back_elsewhere(member)
            return
        upkeep.take_back(member)

    def _note(self, connection: _Conn, exc: BaseException) -> None:
        """An exception leaves the block: it may be about the server, not only this connection."""
        codes = {error.pgcode for error in leaves(exc) if isinstance(error, Error)}
        if codes.isdisjoint(DOUBTS):
            return
        self._stock.suspect()
        if READ_ONLY in codes and connection._member is not None:
            connection._member.doubtful = True

    def _lose(self, member: Member) -> None:
        """A connection that is lent is destroyed."""
        if self._upkeep is not None:
            self._upkeep.lose(member)

    # ---- looking after it -----------------------------------------------------------------------

    async def check(self) -> None:
        """Look whether the idle connections work, and replace those that do not."""
        upkeep = self._checked()
        place = caller()
        self._stock.suspect()
        for member in list(self._stock.idle):
            now = time.monotonic()
            # It may be lent by now, or closed.
            if self._stock.take_this(member, now, place) and await upkeep.is_good(
                member, now + TIMEOUT
            ):
                upkeep.take_back(member)

    @staticmethod
    async def check_connection(conn: AsyncConnection[Any]) -> None:
        """Raise an exception if the server does not answer. For the pool's `check`."""
        limit = PING_TIMEOUT if conn.timeout is None else min(conn.timeout, PING_TIMEOUT)
        await conn._channel.ping(limit)

    async def drain(self) -> None:
        """Replace all connections: the idle ones now, those that are lent when they come back."""
        self._checked().expire()

    async def resize(self, min_size: int, max_size: int | None = None) -> None:
        """Change the size. What is too much is closed, or when it comes back. Raises ValueError."""
        self._follow()  # only in aio
        members = self._stock.resize(*self._sizes(min_size, max_size))
        if self._upkeep is not None:
            self._upkeep.close_idle(members)

    @property
    def min_size(self) -> int:
        """How many connections are kept open."""
        return self._stock.min_size

    @property
    def max_size(self) -> int:
        """How many connections may be open."""
        return int(self._stock.max_size)

    def get_stats(self) -> dict[str, int]:
        """Return the state of the pool, and what it has counted since it was made.

        The keys are those of psycopg_pool; counters that are 0 are left out.
        """
        return self._stock.stats()

    def pop_stats(self) -> dict[str, int]:
        """The same; counting begins again."""
        return self._stock.pop_stats()

    def _forked(self) -> None:
        """This is a child: it opens its own connections, and what is lent stays the parent's."""
        old, upkeep = self._stock, self._upkeep
        self._stock = self._new_stock(
            old.min_size, old.max_size, old.max_waiting, old.generation + 1
        )
        self._stock.closed = old.closed
        self._starting = jobs.new_lock()
        self._upkeep = None
        self._deadline_timer = None
        if upkeep is not None:
            upkeep.over = True
            self._opens = True
        for member in old.idle:
            member.connection.terminate()

    def __del__(self) -> None:
        upkeep = getattr(self, "_upkeep", None)
        if upkeep is None or self._was_closed:
            return
        warnings.warn(
            f"{self!r} was not closed: use a context manager, or close()",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        upkeep.jobs.stop()
        for member in self._stock.idle:
            member.connection.terminate()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self._stock.size} connections"
        return (
            f"<{type(self).__module__}.{type(self).__qualname__} {self.name!r} [{state}] at "
            f"{id(self):#x}>"
        )


def expire(waiter: Any) -> None:  # only in aio
    """Its time is over."""
    if not waiter.done():
        waiter.set_result(False)
