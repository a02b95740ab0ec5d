"""What a pool has: connections, who waits for them, and the statistics.

Nothing here waits, connects or looks at the clock. Each method is one step from one consistent
state to the next.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from psycoxide._exceptions import TooManyRequests
from psycoxide._pooling.member import READY, Member, Place, Request

# How many holders an error names.
MOST_NAMED = 5

COUNTS = (
    "requests_queued",
    "requests_errors",
    "returns_bad",
    "connections_num",
    "connections_ms",
    "connections_errors",
    "connections_lost",
)


class Waiter(Protocol):
    """Somebody who waits: a future of asyncio, or one for threads."""

    def done(self) -> bool:
        """Whether it has a result or an exception, or was cancelled."""

    def set_result(self, result: Member | None, /) -> None:
        """End the wait."""

    def set_exception(self, exception: BaseException, /) -> None:
        """End the wait by an exception."""


class Stock:
    """The connections of a pool, in use and idle, and the requests for them."""

    def __init__(
        self, min_size: int, max_size: float, max_waiting: int, *, keeps: bool, generation: int = 0
    ) -> None:
        self.min_size: int = min_size
        self.max_size: float = max_size
        self.max_waiting: int = max_waiting
        # Whether connections that nobody uses are kept.
        self.keeps: bool = keeps
        self.closed: bool = False
        # Members of another generation are not lent any more.
        self.generation: int = generation
        # The last one was used last, and is lent first.
        self.idle: list[Member] = []
        self.lent: set[Member] = set()
        # Those that are being opened, as long as they are nobody's.
        self.opening: int = 0
        # All there are: idle, lent, being opened, and being made ready after their return.
        self.size: int = 0
        # The first one is served first.
        self.waiting: OrderedDict[Waiter, Request] = OrderedDict()
        # The only attempt to connect that goes on while the server is down.
        self.probe: object = None
        # Wait until as many as `min_size` are open, and until none is lent.
        self.until_filled: list[Waiter] = []
        self.until_returned: list[Waiter] = []
        self.clear_counts()

    # ---- lending --------------------------------------------------------------------------------

    def take_ready(self, now: float, borrower: Place) -> Member | None:
        """The connection that came back last, if it can be lent without asking the server."""
        if not self.idle:
            return None
        member = self.idle[-1]
        if member.good_until <= now or member.connection._channel.check_standing() != READY:
            # It will be looked at more closely.
            member.good_until = 0.0
            return None
        self.requests += 1
        return self._take(-1, now, borrower)

    def take_or_wait(self, waiter: Waiter, request: Request) -> Member | None:
        """The connection that came back last; if none is idle, `waiter` waits.

        Raises TooManyRequests.
        """
        if not request.counted:
            self.requests += 1
            request.counted = True
        if self.idle:
            return self._take(-1, request.since, request.borrower)
        if self.max_waiting and len(self.waiting) >= self.max_waiting:
            self.counts["requests_errors"] += 1
            raise TooManyRequests(
                f"{len(self.waiting)} requests, as many as max_waiting, wait for a connection"
            )
        if not request.queued:
            self.counts["requests_queued"] += 1
            request.queued = True
        self.waiting[waiter] = request
        return None

    def take_this(self, member: Member, now: float, borrower: Place) -> bool:
        """Takes a certain connection, if it is idle, to look after it. Returns whether it was."""
        if member not in self.idle:
            return False
        self._take(self.idle.index(member), now, borrower)
        return True

    def _take(self, index: int, now: float, borrower: Place) -> Member:
        member = self.idle.pop(index)
        self.lent.add(member)
        member.lent_at = now
        member.borrower = borrower
        member.warned = False
        member.attempt = None
        return member

    def give(self, member: Member, now: float) -> bool:
        """Takes a connection that can be lent, and gives it to who waits first.

        Returns whether it stays in the pool; otherwise it is no member any more.
        """
        if self.size > self.max_size or self.closed or member.generation != self.generation:
            self.retire(member, now)
            return False
        lent = member in self.lent
        if lent:
            self.usage += now - member.lent_at
        while self.waiting:
            waiter, request = self.waiting.popitem(last=False)
            if not waiter.done():
                self.waited += now - request.since
                member.lent_at = now
                member.borrower = request.borrower
                member.warned = False
                self.lent.add(member)
                waiter.set_result(member)
                return True
        if lent:
            self.lent.remove(member)
        if not self.keeps:
            self.size -= 1
            return False
        member.idle_since = now
        self.idle.append(member)
        return True

    def withdraw(self, waiter: Waiter, now: float) -> bool:
        """Somebody waits no longer. Returns false if the wait was over already."""
        request = self.waiting.pop(waiter, None)
        if request is None:
            return False
        self.counts["requests_errors"] += 1
        self.waited += now - request.since
        return True

    def overdue(self, now: float) -> list[Waiter]:
        """Those who have waited too long; they are out of the queue now."""
        found = [waiter for waiter, request in self.waiting.items() if request.until <= now]
        for waiter in found:
            self.withdraw(waiter, now)
        return found

    def next_overdue(self) -> float | None:
        """When the next one will have waited too long."""
        return min((request.until for request in self.waiting.values()), default=None)

    def come_back(self, member: Member, now: float) -> bool:
        """A connection was returned, and is neither lent nor idle before it is given or retired.

        Returns false if it is not one of these.
        """
        if member not in self.lent:
            return False
        self.lent.remove(member)
        self.usage += now - member.lent_at
        return True

    # ---- opening and closing --------------------------------------------------------------------

    def claim(self) -> int:
        """How many connections to open now. They count as being opened from here on."""
        if self.closed or self.probe is not None:
            return 0
        room = self.max_size - self.size
        wanted = max(self.min_size - self.size, min(len(self.waiting) - self.opening, room), 0)
        self.opening += int(wanted)
        self.size += int(wanted)
        return int(wanted)

    def claim_one(self) -> bool:
        """Whether who asks may open one; it is counted from here on."""
        if self.closed or self.size >= self.max_size:
            return False
        self.size += 1
        self.requests += 1
        return True

    def opened(self, member: Member, now: float) -> bool:
        """A connection that was claimed is open. Returns whether it stays in the pool."""
        self.opening -= 1
        kept = self.give(member, now)
        self.check_filled()
        return kept

    def opened_for(self, member: Member, now: float, borrower: Place) -> None:
        """A connection that was claimed is open, and lent to who has opened it."""
        self.lent.add(member)
        member.lent_at = now
        member.borrower = borrower

    def not_opened(self) -> None:
        """A connection that was claimed will not be opened."""
        self.opening -= 1
        self.size -= 1

    def drop(self, attempt: object) -> None:
        """An attempt to open one was interrupted, and does not go on."""
        if self.probe is attempt:
            self.probe = None
        self.not_opened()

    def fails(self, attempt: object) -> bool:
        """An attempt to open one has failed. Returns whether it goes on: then all others wait."""
        if self.closed or self.probe not in (None, attempt):
            self.not_opened()
            return False
        self.probe = attempt
        return True

    def reopen(self, member: Member, now: float) -> None:
        """A new connection that was taken is of no use: its place is for another attempt."""
        self.come_back(member, now)
        self.opening += 1
        self.check_returned()

    def retire(self, member: Member | None, now: float) -> None:
        """A connection is no member any more; or one that was claimed for somebody never was."""
        if member is not None and member in self.lent:
            self.come_back(member, now)
        self.size -= 1
        self.check_returned()

    def take_idle(self, wanted: Callable[[Member], bool]) -> list[Member]:
        """Takes idle connections out for good. The one that is idle for longest is asked first."""
        found: list[Member] = []
        kept: list[Member] = []
        for member in self.idle:
            (found if wanted(member) else kept).append(member)
        self.idle = kept
        self.size -= len(found)
        return found

    def expire(self) -> list[Member]:
        """None that is open now will be lent again. Returns the idle ones, which are out."""
        self.generation += 1
        return self.take_idle(lambda _: True)

    def resize(self, min_size: int, max_size: float) -> list[Member]:
        """Changes the size. Returns the idle connections that are too many, which are out."""
        self.min_size = min_size
        self.max_size = max_size
        found: list[Member] = []

        def is_surplus(member: Member) -> bool:
            if self.size - len(found) <= max_size:
                return False
            found.append(member)
            return True

        surplus = self.take_idle(is_surplus)
        self.check_filled()
        return surplus

    def suspect(self) -> None:
        """Idle connections are not lent before the server has answered on them."""
        for member in self.idle:
            member.good_until = 0.0

    def forget_requests(self) -> None:
        """Those who wait and what is being opened are gone with their event loop."""
        self.waiting.clear()
        self.until_filled.clear()
        self.until_returned.clear()
        self.forget_openings()

    def forget_openings(self) -> None:
        """Nothing that is being opened will come."""
        self.size -= self.opening
        self.opening = 0
        self.probe = None

    def close(self, error: Callable[[], BaseException]) -> list[Member]:
        """Lends none any more; who waits gets an error. Returns the idle connections."""
        self.closed = True
        for waiter in [*self.waiting, *self.until_filled]:
            if not waiter.done():
                waiter.set_exception(error())
        self.waiting.clear()
        self.until_filled.clear()
        return self.expire()

    def wait_filled(self, waiter: Waiter) -> None:
        """Wakes `waiter` when as many as `min_size` are open."""
        self.until_filled.append(waiter)
        self.check_filled()

    def check_filled(self) -> None:
        """Wakes those who wait until the pool is filled, if it is."""
        if self.size - self.opening >= self.min_size:
            end(self.until_filled)

    def wait_returned(self, waiter: Waiter) -> None:
        """Wakes `waiter` when no connection is lent."""
        self.until_returned.append(waiter)
        self.check_returned()

    def check_returned(self) -> None:
        """Wakes those who wait until all connections are back, if they are."""
        if not self.lent:
            end(self.until_returned)

    # ---- what it says ---------------------------------------------------------------------------

    def holders(self) -> str:
        """Who holds the connections that are lent, a line for each."""
        lent = sorted(self.lent, key=lambda member: member.lent_at)
        lines = [f"\n  {member.report()}" for member in lent[:MOST_NAMED]]
        if len(lent) > MOST_NAMED:
            lines.append(f"\n  and {len(lent) - MOST_NAMED} more")
        return "".join(lines)

    def count(self, name: str, amount: float = 1) -> None:
        """Counts something."""
        self.counts[name] += amount

    def clear_counts(self) -> None:
        """Begins to count again."""
        self.counts: dict[str, float] = dict.fromkeys(COUNTS, 0)
        # Those that each borrowing changes; in seconds.
        self.requests: int = 0
        self.usage: float = 0.0
        self.waited: float = 0.0

    def stats(self) -> dict[str, int]:
        """The state, and what was counted."""
        counts = {
            **self.counts,
            "requests_num": self.requests,
            "usage_ms": self.usage * 1000,
            "requests_wait_ms": self.waited * 1000,
        }
        return {
            "pool_min": self.min_size,
            "pool_max": 0 if math.isinf(self.max_size) else int(self.max_size),
            "pool_size": self.size,
            "pool_available": len(self.idle),
            "requests_waiting": len(self.waiting),
            **{name: int(value) for name, value in counts.items() if value},
        }

    def pop_stats(self) -> dict[str, int]:
        """The same; counting begins again."""
        found = self.stats()
        self.clear_counts()
        return found


def end(waiters: list[Waiter]) -> None:
    """Wakes all of them."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()
