"""Listeners: notifications over a connection that is made again when it is lost."""

from __future__ import annotations

import asyncio  # only in aio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycoxide._backoff import Backoff
from psycoxide._exceptions import (
    Error,
    InterfaceError,
    OperationalError,
    OperationTimeout,
    ProgrammingError,
)
from psycoxide._listening import (
    PERMANENT,
    Gate,
    Listening,
    Lost,
    channel_names,
    commands,
    with_keepalives,
)
from psycoxide.aio.connection import AsyncConnection
from psycoxide.aio.delivery import check_delivery

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Self

    from psycoxide.extensions import Notify

    Event: TypeAlias = Notify | Listening | Lost

ASYNC = True

# A wait for notifications keeps the connection from other threads for so many seconds at most.
SLICE = 0.2

logger: logging.Logger = logging.getLogger("psycoxide.listener")


class AsyncListener:
    """Iterate over notifications: `async with AsyncListener(dsn, ["orders"]) as events:`.

    `async for event in events:` gives an object of `Notify` for each notification, in order, and
    one of `Listening` whenever the listener has begun to listen: at the beginning, and after each
    loss of the connection. Its `gap` says whether notifications may be missing. An object of `Lost`
    says that the connection is lost, and again for each attempt that fails.

    It has a connection of its own, made by `connect()` of `conninfo` and `options`, and makes that
    again when it is lost. It waits before each attempt: for about `retry_min` seconds at first, up
    to `retry_max` later. It tries for ever, or until `give_up_after` seconds have passed since the
    loss. An attempt may take `timeout` seconds. The errors of the first attempt are raised, not
    retried.

    After `ping_every` seconds without a word from the server it is asked for an answer, and the
    connection is lost if there is none within `ping_timeout` seconds; None does without.

    Up to `max_waiting` notifications wait for a program that is slow; when there are more, all are
    dropped, and an event says that there is a gap. `check_pooler` says whether to find out, if
    there is a pooler in front of the server, whether notifications come through.

    The program does the work whenever it asks for the next event. One task at a time may do that.
    """

    def __init__(
        self,
        conninfo: str = "",
        channels: str | Iterable[str] = (),
        *,
        ping_every: float | None = 30.0,
        ping_timeout: float = 10.0,
        retry_min: float = 0.1,
        retry_max: float = 30.0,
        give_up_after: float | None = None,
        timeout: float | None = 10.0,
        max_waiting: int = 10_000,
        check_pooler: bool = True,
        **options: Any,
    ) -> None:
        if max_waiting < 1:
            raise ValueError("max_waiting must be 1 or more")
        self._channels = channel_names(channels)
        self._conninfo = conninfo
        self._options = {
            "timeout": timeout,
            "command_timeout": timeout,
            "cancel_timeout": ping_timeout,
            **with_keepalives(conninfo, options, ping_every, ping_timeout),
            # LISTEN in an open transaction has no effect.
            "autocommit": True,
        }
        self._ping_every = ping_every
        self._ping_timeout = ping_timeout
        self._give_up_after = give_up_after
        self._max_waiting = max_waiting
        self._checks_pooler = check_pooler
        self._backoff = Backoff(retry_min, retry_max)

        self._conn: AsyncConnection[Any] | None = None
        self._arrived: deque[Notify] = deque()
        # What became of the connection, and was not reported yet.
        self._changes: deque[Listening | Lost] = deque()
        self._opened = False
        # The first connection was made.
        self._has_begun = False
        self._closed = False
        # Held while `_channels` and `_conn` are looked at and changed together.
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        if ASYNC:
            self._step: asyncio.Task[None] | None = None
        else:
            self._closing = threading.Event()
            # Held by the thread that changes the channels, here and on the server.
            self._switching = threading.Lock()
            self._gate = Gate()
        # When the server was heard last, when the connection was made and when it was lost, and
        # when the next attempt is due.
        self._heard = 0.0
        self._made = 0.0
        self._lost = 0.0
        self._due = 0.0
        self._reason: Exception | None = None
        self._attempts = 0
        # Why there will be no other attempt, until the program knows it.
        self._failure: Exception | None = None

    # ---- opening and closing --------------------------------------------------------------------

    async def open(self) -> None:
        """Connect and begin to listen. The block of `async with` does that at its beginning.

        Raises what `connect()` raises; NotSupportedError if a pooler is in between that does not
        deliver notifications; the server's error if it refuses LISTEN, as a standby does.
        """
        if self._opened:
            raise ProgrammingError("a listener is opened once")
        self._opened = True
        try:
            await self._connect(Listening(gap=False))
            self._has_begun = True
        except BaseException:
            self._shut()
            raise

    async def aclose(self) -> None:
        """Close the connection. Does not wait for the server; closing twice is allowed.

        A task that waits for an event learns of it: its loop ends.
        """
        self._shut()
        self._failure = None
        if ASYNC:
            step, self._step = self._step, None
            if step is not None:
                step.cancel()
                await asyncio.wait({step})

    def _shut(self) -> None:
        with self._lock:
            self._closed = True
            conn, self._conn = self._conn, None
        if not ASYNC:
            self._closing.set()
        if conn is not None:
            conn.terminate()

    async def __aenter__(self) -> Self:
        if not self._opened:
            await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def closed(self) -> bool:
        """Whether the listener was closed, or has given up."""
        return self._closed

    @property
    def connected(self) -> bool:
        """Whether there is a connection. It may be lost all the same, and nobody knows it yet."""
        return self._conn is not None

    @property
    def channels(self) -> list[str]:
        """The channels that are listened to."""
        return list(self._channels)

    # ---- events ---------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._ask(None)
        if event is None:
            raise StopAsyncIteration
        return event

    async def get(self, *, timeout: float | None = None) -> Event | None:
        """Return the next event; None if there is none within `timeout` seconds.

        Raises InterfaceError if the listener is closed.
        """
        event = await self._ask(timeout)
        if event is None and self._closed:
            raise InterfaceError("the listener is closed")
        return event

    async def _ask(self, timeout: float | None) -> Event | None:
        if not self._has_begun:
            raise InterfaceError("the listener is not open: enter its block, or await open()")
        if not self._asking.acquire(blocking=False):
            raise ProgrammingError("somebody else waits for the events of this listener")
        try:
            return await self._next(timeout)
        finally:
            self._asking.release()

    async def _next(self, timeout: float | None) -> Event | None:
        until = None if timeout is None else time.monotonic() + timeout
        left = timeout
        has_looked = False
        while not self._closed:
            event = self._take()
            if event is not None:
                return event
            if until is not None:
                left = until - time.monotonic()
                if left <= 0 and has_looked:
                    return None
                left = max(0.0, left)
            has_looked = True
            if self._conn is None:
                await self._do(lambda left=left: self._attempt(left), left)
            elif self._ping_every is not None and self._ping_is_due(self._ping_every) <= 0:
                await self._do(self._ping, left)
            else:
                await self._hear(self._conn, left)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return None

    def _take(self) -> Event | None:
        """The next event that has happened already."""
        changes, arrived = self._changes, self._arrived
        # What has arrived came before the last loss, and after the last beginning.
        if any(isinstance(change, Listening) for change in changes):
            return changes.popleft()
        if len(arrived) > self._max_waiting:
            arrived.clear()
            reason = OperationalError(f"more than {self._max_waiting} notifications waited")
            logger.warning("the program is too slow: %s", reason)
            return Listening(gap=True, reason=reason)
        while arrived:
            notify = arrived.popleft()
            if notify.channel in self._channels:
                return notify
        return changes.popleft() if changes else None

    async def _do(self, step: Callable[..., Awaitable[None]], left: float | None) -> None:
        """Connect, or ping. The end of a wait, whatever ends it, does not end that."""
        if ASYNC:
            if self._step is None:
                self._step = asyncio.ensure_future(step())
            await asyncio.wait({self._step}, timeout=left)
            if self._step is not None and self._step.done():
                done, self._step = self._step, None
                if not done.cancelled():
                    done.result()
        else:
            await step()

    # ---- the connection -------------------------------------------------------------------------

    async def _hear(self, conn: AsyncConnection[Any], left: float | None) -> None:
        """Wait for notifications, up to the next ping."""
        if self._ping_every is not None:
            due = self._ping_is_due(self._ping_every)
            left = due if left is None else min(left, due)
        if not ASYNC:
            self._gate.wait()
            left = SLICE if left is None else min(left, SLICE)
        try:
            await conn._channel.wait_for_messages(max(0.0, left) if left is not None else None)
        except Error as error:
            self._lose(conn, error)
        if self._arrived:
            self._heard = time.monotonic()

    def _ping_is_due(self, ping_every: float) -> float:
        """In how many seconds the server is asked for an answer."""
        return self._heard + ping_every - time.monotonic()

    async def _ping(self) -> None:
        conn = self._conn
        if conn is None:
            return
        try:
            await conn._channel.ping(self._ping_timeout)
            self._heard = time.monotonic()
        except OperationTimeout:
            text = f"the server has not answered for {self._ping_timeout:g} seconds"
            self._lose(conn, OperationalError(text))
        except Error as error:
            self._lose(conn, error)

    def _lose(self, conn: AsyncConnection[Any], error: Exception) -> None:
        conn.terminate()
        with self._lock:
            if self._conn is not conn:
                return
            self._conn = None
        self._reason = error
        self._attempts = 0
        self._changes.append(Lost(error))
        self._lost = time.monotonic()
        if self._lost - self._made > self._backoff.longest:
            self._backoff.reset()
        self._due = self._lost + self._backoff.next()
        logger.warning("the connection is lost: %s", _in_a_line(error))

    async def _attempt(self, left: float | None = None) -> None:
        """Connect again, when that is due."""
        pause = self._due - time.monotonic()
        if ASYNC:
            await asyncio.sleep(pause)
        else:
            if self._closing.wait(max(0.0, pause if left is None else min(pause, left))):
                return
            if self._due > time.monotonic():
                return
        try:
            await self._connect(Listening(gap=True, reason=self._reason))
        except Exception as error:
            if not self._closed:
                logger.warning("cannot connect: %s", _in_a_line(error))
                self._attempts += 1
                if self._changes and isinstance(self._changes[-1], Lost):
                    self._changes.pop()
                self._changes.append(Lost(error, self._attempts))
                self._postpone(error)
        else:
            logger.info("connected again")

    def _postpone(self, error: Exception) -> None:
        """An attempt has failed: try again later, or give up."""
        now = time.monotonic()
        self._due = now + self._backoff.next()
        end = now + 1 if self._give_up_after is None else self._lost + self._give_up_after
        if isinstance(error, PERMANENT) or now >= end:
            self._failure = error
            self._shut()
        elif self._give_up_after is not None:
            self._due = min(self._due, end)

    async def _connect(self, begun: Listening) -> None:
        conn = await self._fresh()
        try:
            if self._checks_pooler:
                await check_delivery(conn, self._fresh)
            arrived: deque[Notify] = deque(maxlen=self._max_waiting + 1)
            conn._native.notifies = arrived
            heard: dict[str, None] = {}
            while not self._adopt(conn, heard, arrived, begun):
                wanted = dict(self._channels)
                await self._change(conn, "LISTEN", [name for name in wanted if name not in heard])
                await self._change(conn, "UNLISTEN", [name for name in heard if name not in wanted])
                heard = wanted
        except BaseException:
            conn.terminate()
            raise

    async def _fresh(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self._conninfo, **self._options)

    def _adopt(
        self,
        conn: AsyncConnection[Any],
        heard: dict[str, None],
        arrived: deque[Notify],
        begun: Listening,
    ) -> bool:
        """Make it the listener's connection, if it listens to all of the channels."""
        with self._lock:
            if self._closed:
                raise InterfaceError("the listener is closed")
            if heard != self._channels:
                return False
            self._conn, self._arrived = conn, arrived
            self._changes.append(begun)
            self._heard = self._made = time.monotonic()
        return True

    # ---- channels -------------------------------------------------------------------------------

    async def listen(self, channel: str) -> None:
        """Listen to another channel. Returns when the server does.

        While the connection is lost it returns at once; the next `Listening` is for the channel as
        well. Raises ProgrammingError if no channel can have the name.
        """
        await self._switch("LISTEN", channel)

    async def unlisten(self, channel: str) -> None:
        """Listen to a channel no more: none of its notifications is reported from now on."""
        await self._switch("UNLISTEN", channel)

    async def _switch(self, verb: str, channel: str) -> None:
        channel_names(channel)
        if ASYNC:
            await self._switch_in_turn(verb, channel)
        else:
            with self._switching:
                await self._switch_in_turn(verb, channel)

    async def _switch_in_turn(self, verb: str, channel: str) -> None:
        with self._lock:
            conn = self._conn
            if conn is not None:
                commands([channel], _encoding(conn))
            is_new = channel not in self._channels
            if verb == "LISTEN":
                self._channels[channel] = None
            else:
                self._channels.pop(channel, None)
        if conn is None:
            return
        try:
            if ASYNC:
                await self._change(conn, verb, [channel])
            else:
                with self._gate:
                    await self._change(conn, verb, [channel])
        except BaseException as raised:
            if conn.closed and isinstance(raised, Error):
                # The next connection will do it.
                return
            if verb == "LISTEN" and is_new:
                # Whether the server listens is not known: nothing of the channel is reported.
                with self._lock:
                    self._channels.pop(channel, None)
            raise

    async def _change(self, conn: AsyncConnection[Any], verb: str, channels: list[str]) -> None:
        if channels:
            await conn.execute(commands(channels, _encoding(conn), verb))

    def __repr__(self) -> str:
        state = "closed" if self._closed else ", ".join(self._channels)
        return f"<{type(self).__module__}.{type(self).__qualname__} [{state}] at {id(self):#x}>"


def _encoding(conn: AsyncConnection[Any]) -> str | None:
    """That of the database, in which the length of names counts."""
    of_database = conn.info.parameter_status("server_encoding")
    # A database without an encoding stores what it is sent.
    return conn._native.encoding if of_database == "SQL_ASCII" else of_database


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
