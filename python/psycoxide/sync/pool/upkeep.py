# Generated from python/psycoxide/aio/pool/upkeep.py by tools/generate_sync.py: do not edit.
"""What a pool does beside its borrowers: it opens, mends, checks and closes connections."""

from __future__ import annotations

import contextlib
import logging
import random
import time
import weakref
from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import OperationalError, OperationTimeout, ProgrammingError
from psycoxide._pooling import threads as jobs
from psycoxide._pooling.member import BUSY, CLOSED, DRAINING, READY, TRANSACTION, Member
from psycoxide.sync.pool.opening import called, opened, value

if TYPE_CHECKING:
    from psycoxide._pooling.settings import Settings
    from psycoxide._pooling.stock import Stock

logger: logging.Logger = logging.getLogger("psycoxide.pool")

# The pause after the first attempt to connect that fails; each further one is longer, by this
# factor, up to the last.
FIRST_DELAY = 0.1
DELAY_FACTOR = 2.0
LAST_DELAY = 15.0
# By how much of it a pause or a lifetime may differ, so that not all end at the same time.
JITTER = 0.25
LIFETIME_JITTER = 0.05
# How many seconds a server may take to answer a ping, and each step of making a connection ready.
PING_TIMEOUT = 5.0
MEND_TIMEOUT = 30.0
# Not more often than this are all connections looked after.
SWEEP_INTERVAL = 0.1
# Not more often than this are all connections replaced because one led to a standby.
FAILOVER_INTERVAL = 10.0


class Attempt:
    """Attempts to open one connection."""

    def __init__(self, until: float) -> None:
        self.until: float = until
        self._delay = FIRST_DELAY

    def pause(self) -> float:
        """How long to wait before the next one."""
        delay = self._delay
        self._delay = min(delay * DELAY_FACTOR, LAST_DELAY)
        return delay * random.uniform(1 - JITTER, 1 + JITTER)


class Upkeep:
    """Opens, mends, checks and closes the connections of a pool."""

    def __init__(self, pool: Any, stock: Stock, settings: Settings) -> None:
        # Weak, so that a pool that is forgotten can say so.
        self._pool = weakref.ref(pool)
        self._name: str = pool.name
        self._stock = stock
        self._settings = settings
        made = jobs.Jobs(self._name, settings.num_workers)
        self.jobs: jobs.Jobs = made
        # The members that are being made ready after their return.
        self._mending: set[Member] = set()
        # Those whose connection was lost without a return.
        self._lost: list[Member] = []
        # The attempts that have failed, and go on after a pause.
        self._paused: list[Attempt] = []
        self._timer: Any = None
        self._sweeps_at = 0.0
        self._clock = jobs.new_lock()
        self._last_failover = 0.0
        # Why the last attempt to connect has failed.
        self.last_error: Exception | None = None
        # The pool has another one now, or none any more.
        self.over: bool = False

    # ---- opening --------------------------------------------------------------------------------

    def fill(self) -> None:
        """Open as many connections as are wanted."""
        for _ in range(self._stock.claim()):
            until = time.monotonic() + self._settings.reconnect_timeout
            self.jobs.start(self._open, Attempt(until))

    def _open(self, attempt: Attempt) -> None:
        generation = self._stock.generation
        try:
            connection = self.connect(max(attempt.until - time.monotonic(), 1))
        except Exception as error:
            self._failed(attempt, error)
            return
        except BaseException:
            # The event loop ends, or a function of the program has raised what is no error.
            if not self.over:
                self._stock.drop(attempt)
                self._fill_later()
            raise
        if self.over:
            connection.terminate()
            return
        self._stock.probe = None
        self._try_again()
        member = self.admit(connection, generation)
        member.attempt = attempt
        if not self._stock.opened(member, time.monotonic()):
            connection.terminate()
        self.fill()

    def _fill_later(self) -> None:
        # When the event loop ends, nothing new is begun.
        if not jobs.is_cancelled():
            self.jobs.after(FIRST_DELAY, self.fill)

    def connect(self, timeout: float) -> Any:
        """Open a connection, and count that."""
        begun = time.monotonic()
        self._stock.count("connections_num")
        try:
            connection = opened(self._settings, min(timeout, self._settings.timeout))
        except Exception as error:
            self._stock.count("connections_errors")
            self.last_error = error
            raise
        self._stock.count("connections_ms", (time.monotonic() - begun) * 1000)
        self.last_error = None
        return connection

    def admit(self, connection: Any, generation: int) -> Member:
        """Make a member of a new connection."""
        lifetime = self._settings.max_lifetime * random.uniform(1 - LIFETIME_JITTER, 1)
        now = time.monotonic()
        member = Member(connection, now + lifetime, generation)
        member.good_until = self._settings.good_until(now, member.expires_at)
        self.sweep_at(member.expires_at)
        return member

    def _failed(self, attempt: Attempt, error: Exception) -> None:
        if self.over:
            return
        logger.warning("pool %r cannot connect: %s", self._name, str(error).strip())
        if not self._stock.fails(attempt):
            return
        delay = attempt.pause()
        if time.monotonic() + delay < attempt.until:
            self._paused.append(attempt)
            self.jobs.after(delay, self._try_again)
            return
        self._stock.probe = None
        self._stock.not_opened()
        logger.error("pool %r gives up connecting", self._name)
        # Whoever waits still may have more luck.
        self.jobs.after(delay, self.fill)
        pool = self._pool()
        if self._settings.reconnect_failed is not None and pool is not None:
            value(self._settings.reconnect_failed(pool))

    def _try_again(self) -> None:
        if self._stock.closed:
            return
        with contextlib.suppress(IndexError):
            while True:
                self.jobs.start(self._open, self._paused.pop())

    # ---- before lending -------------------------------------------------------------------------

    def is_good(self, member: Member, until: float) -> bool:
        """Whether a connection that was idle can be lent.

        Otherwise it is closed, and replaced; or the pool waits for its answer, which has not come
        in the time that is left.
        """
        now = time.monotonic()
        if now < member.good_until and member.connection._channel.check_standing() == READY:
            return True
        lost = False
        good = now < member.expires_at
        if good:
            try:
                answers = self._answers(member, until)
            except BaseException:
                self.take_back(member)
                raise
            if answers is None:
                member.unanswered = True
                self.take_back(member)
                return False
            lost = not answers
        if lost and member.attempt is not None and not self._stock.closed:
            # As if it could not have been opened: the next attempt follows after a pause.
            self._stock.count("connections_errors")
            self._stock.reopen(member, time.monotonic())
            member.connection.terminate()
            error = self.last_error or OperationalError("the server has closed the connection")
            self.jobs.start(self._failed, member.attempt, error)
            return False
        if lost:
            self._stock.count("connections_lost")
            self._stock.suspect()
        if lost or not good:
            self.discard(member)
            return False
        return True

    def _answers(self, member: Member, until: float) -> bool | None:
        """Whether the server answers; None if that is not known when the time is over."""
        channel = member.connection._channel
        if channel.check_standing() != READY:
            return False
        left = until - time.monotonic()
        if left <= 0:
            return None
        check = self._settings.check
        # A ping that is not answered leaves time to try another connection.
        limit = left if check is not None else min(left / 2, PING_TIMEOUT)
        began = time.monotonic()
        try:
            if check is not None:
                called(check, member.connection, limit)
            else:
                channel.ping(limit)
        except Exception as error:
            is_over = time.monotonic() >= began + limit
            if is_over and limit != PING_TIMEOUT and isinstance(error, OperationTimeout):
                return None
            return self._is_unusable(error)
        if channel.standing() == READY:
            return True
        return self._is_unusable(
            ProgrammingError("check() left the connection in a transaction, or closed it")
        )

    def _is_unusable(self, error: Exception) -> bool:
        """A connection that was idle cannot be lent. Returns false."""
        self.last_error = error
        logger.warning("pool %r replaces a connection: %s", self._name, str(error).strip())
        return False

    # ---- after the return -----------------------------------------------------------------------

    def take_back(self, member: Member) -> None:
        """Make a connection that was returned ready to be lent again, or replace it."""
        now = time.monotonic()
        member.attempt = None
        if not self._stock.come_back(member, now):
            # It was lent before the process was forked.
            member.connection.terminate()
            return
        member.warned = False
        stale = member.generation != self._stock.generation or now >= member.expires_at
        if self._stock.closed or stale:
            self.discard(member)
        elif (standing := member.connection._channel.standing()) == CLOSED:
            if member.connection.broken:
                self._stock.suspect()
            self._stock.count("returns_bad")
            self.discard(member)
        elif standing == BUSY:
            self._warn_about(member, "closes a connection that was given back while in use")
            self._stock.count("returns_bad")
            self.discard(member)
        else:
            self._mending.add(member)
            self.jobs.start(self._mend, member)

    def _mend(self, member: Member) -> None:
        try:
            usable = self._made_ready(member)
        except Exception as error:
            logger.warning("pool %r closes a connection: %s", self._name, str(error).strip())
            usable = False
        except BaseException:
            # The event loop ends, or a function of the program has raised what is no error.
            if self._ends_mending(member):
                member.connection.terminate()
                self._stock.retire(member, time.monotonic())
                self._fill_later()
            raise
        if not self._ends_mending(member):
            # The event loop is another one by now, or the pool is closed.
            member.connection.terminate()
            return
        now = time.monotonic()
        if usable and now < member.expires_at:
            member.good_until = self._settings.good_until(now, member.expires_at)
            self.sweep_at(member.expires_at)
            if self._stock.give(member, now):
                return
            member.connection.terminate()
            self.fill()
            return
        if not usable:
            self._stock.count("returns_bad")
        self.discard(member)

    def _ends_mending(self, member: Member) -> bool:
        """Whether the connection is still the pool's."""
        try:
            self._mending.remove(member)
        except KeyError:
            return False
        return True

    def _made_ready(self, member: Member) -> bool:
        """Ends what the borrower has left behind. Returns whether the connection is usable."""
        connection = member.connection
        channel = connection._channel
        was_cut_off, member.cut_off = member.cut_off, False
        if member.unanswered:
            member.unanswered = False
            channel.ping(PING_TIMEOUT)
        elif channel.standing() == DRAINING:
            # The answer to a ping comes behind what is left.
            channel.ping(MEND_TIMEOUT)
        if channel.in_block:
            self._warn_about(member, "closes a connection that was given back within a transaction")
            return False
        if channel.standing() == TRANSACTION:
            if not was_cut_off:
                self._warn_about(member, "rolls back a connection that was given back")
            channel.end_transaction(False, MEND_TIMEOUT)
            if channel.standing() == TRANSACTION:
                connection.execute("ROLLBACK", timeout=MEND_TIMEOUT)
        if connection._listens:
            connection.execute("UNLISTEN *", timeout=MEND_TIMEOUT)
            channel.end_transaction(True, MEND_TIMEOUT)
            connection._native.notifies.clear()
            connection._listens = False
        if member.doubtful:
            member.doubtful = False
            standby = connection.fetchval("SELECT pg_is_in_recovery()", timeout=MEND_TIMEOUT)
            channel.end_transaction(True, MEND_TIMEOUT)
            if standby:
                self._fail_over()
        if self._settings.reset is not None and channel.standing() == READY:
            called(self._settings.reset, connection, MEND_TIMEOUT)
        return bool(channel.standing() == READY)

    def _warn_about(self, member: Member, text: str) -> None:
        logger.warning("pool %r %s: %r", self._name, text, member.connection)

    def _fail_over(self) -> None:
        """One connection leads to a standby: perhaps all do, and new ones would not."""
        now = time.monotonic()
        if now < self._last_failover + FAILOVER_INTERVAL:
            return
        self._last_failover = now
        logger.warning("pool %r replaces all connections: the server is a standby", self._name)
        self.expire()

    def lose(self, member: Member) -> None:
        """The last reference to a lent connection is gone. For destructors."""
        self._lost.append(member)
        if not self.jobs.from_anywhere(self._replace_lost):
            self.count_lost()

    def _replace_lost(self) -> None:
        self.count_lost()
        self.fill()

    def count_lost(self) -> None:
        """Those that were forgotten are no members any more."""
        while self._lost:
            member = self._lost.pop()
            if self._stock.come_back(member, time.monotonic()):
                self._stock.count("connections_lost")
                self._stock.retire(None, 0)

    # ---- closing --------------------------------------------------------------------------------

    def discard(self, member: Member) -> None:
        """Close a connection that is not idle, and replace it if it is wanted."""
        member.connection.terminate()
        self._stock.retire(member, time.monotonic())
        self.fill()

    def close_idle(self, members: list[Member]) -> None:
        """Close connections that are out of the stock, and replace them if they are wanted."""
        for member in members:
            member.connection.terminate()
        self.fill()

    def expire(self) -> None:
        """Replace all connections, those that are lent when they come back."""
        self.close_idle(self._stock.expire())

    def end(self) -> None:
        """The pool is closed, or its event loop is: what is under way is lost."""
        self.over = True
        for member in list(self._mending):
            if self._ends_mending(member):
                member.connection.terminate()
                self._stock.retire(member, 0)

    # ---- by the clock ---------------------------------------------------------------------------

    def sweep_at(self, moment: float) -> None:
        """Look after all connections at this moment, or earlier."""
        with self._clock:
            if self._timer is not None and self._sweeps_at <= moment:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._sweeps_at = moment
            self._timer = self.jobs.after(max(moment - time.monotonic(), 0), self._sweep)

    def _sweep(self) -> None:
        """Closes what is too old or idle for too long, and reports who holds one for long."""
        now = time.monotonic()
        with self._clock:
            self._timer = None
        stock = self._stock
        surplus = stock.size - stock.min_size

        def is_over(member: Member) -> bool:
            nonlocal surplus
            idle = surplus > 0 and member.idle_since + self._settings.max_idle <= now
            if not idle and member.expires_at > now:
                return False
            surplus -= 1
            return True

        self.close_idle(stock.take_idle(is_over))
        lent = list(stock.lent)
        moments = [now + self._settings.max_idle]
        moments += [m.expires_at for m in [*stock.idle, *lent] if m.expires_at > now]
        if stock.size > stock.min_size:
            moments += [member.idle_since + self._settings.max_idle for member in stock.idle]
        if self._settings.warn_after is not None:
            moments.append(self._warn(lent, now, self._settings.warn_after))
        self.sweep_at(max(min(moments), now + SWEEP_INTERVAL))

    def _warn(self, lent: list[Member], now: float, after: float) -> float:
        """Reports who holds a connection for long. Returns when to look again."""
        for member in lent:
            if not member.warned and member.lent_at + after <= now:
                member.warned = True
                logger.warning(
                    "pool %r: a connection was not given back: borrowed at %s",
                    self._name,
                    member.report(),
                )
        waits = [member.lent_at + after for member in lent if not member.warned]
        return min(waits, default=now + after)
