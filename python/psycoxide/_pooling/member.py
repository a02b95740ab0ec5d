"""A connection of a pool, who has it, and who wants one."""

from __future__ import annotations

import sys
import time
from types import CodeType
from typing import Any, TypeAlias

# How a connection stands: what `Channel.standing()` returns.
READY, TRANSACTION, DRAINING, BUSY, CLOSED = range(5)


# Where in the program a connection was borrowed: the code, and how far that had run.
Place: TypeAlias = tuple[CodeType, int]


def caller() -> Place:
    """Where the function that asks was called."""
    frame = sys._getframe(2)
    return frame.f_code, frame.f_lasti


def described(place: Place) -> str:
    """The file, the line and the function."""
    code, instruction = place
    lines = (n for start, end, n in code.co_lines() if start <= instruction < end and n is not None)
    return f"{code.co_filename}:{next(lines, code.co_firstlineno)}, in {code.co_name}()"


class Member:
    """A connection of a pool, for as long as it is open."""

    __slots__ = (
        "attempt",
        "borrower",
        "connection",
        "cut_off",
        "doubtful",
        "expires_at",
        "generation",
        "good_until",
        "idle_since",
        "lent_at",
        "unanswered",
        "warned",
    )

    def __init__(self, connection: Any, expires_at: float, generation: int) -> None:
        # None while it is lent: then only the borrower keeps it alive.
        self.connection: Any = connection
        self.expires_at: float = expires_at
        # Members of an earlier generation are closed when they come back.
        self.generation: int = generation
        # Up to then it may be lent without asking the server whether it is still there.
        self.good_until: float = 0.0
        self.idle_since: float = 0.0
        self.lent_at: float = 0.0
        self.borrower: Place | None = None
        # Its holder was named in the log.
        self.warned: bool = False
        # What has opened it for somebody who waits; None once it was idle or lent.
        self.attempt: Any = None
        # A ping may not have been answered when the time of a request was up.
        self.unanswered: bool = False
        # Its borrower was cancelled, and has left a transaction to be rolled back.
        self.cut_off: bool = False
        # It may lead to a server that is no longer the primary.
        self.doubtful: bool = False

    def report(self) -> str:
        """Who holds it, and since when."""
        place = "an unknown place" if self.borrower is None else described(self.borrower)
        return f"{place}, {time.monotonic() - self.lent_at:.1f} s ago"


class Request:
    """When somebody began to wait for a connection, until when, and who."""

    __slots__ = ("borrower", "counted", "queued", "since", "until")

    def __init__(self, since: float, until: float, borrower: Place) -> None:
        self.since: float = since
        self.until: float = until
        # It counts once, also if it asks again, as the connection that it got was lost.
        self.counted: bool = False
        self.queued: bool = False
        self.borrower: Place = borrower
