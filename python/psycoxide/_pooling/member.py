"""A connection of a pool, who has it, and who wants one."""

from __future__ import annotations

import sys
import time
from types import CodeType
from typing import Any, NamedTuple

# How a connection stands: what `Channel.standing()` returns.
READY, TRANSACTION, DRAINING, BUSY, CLOSED = range(5)


class Place(NamedTuple):
    """Where in the program a connection was borrowed."""

    code: CodeType
    instruction: int

    @classmethod
    def of_caller(cls) -> Place:
        """Where the function that asks was called."""
        frame = sys._getframe(2)
        return cls(frame.f_code, frame.f_lasti)

    def __str__(self) -> str:
        line = self.code.co_firstlineno
        for start, end, found in self.code.co_lines():
            if start <= self.instruction < end and found is not None:
                line = found
        return f"{self.code.co_filename}:{line}, in {self.code.co_name}()"


class Member:
    """A connection of a pool, for as long as it is open."""

    __slots__ = (
        "borrower",
        "connection",
        "doubtful",
        "expires_at",
        "generation",
        "good_until",
        "idle_since",
        "lent_at",
        "warned",
    )

    def __init__(self, connection: Any, expires_at: float, generation: int) -> None:
        # None while it is lent: then only the borrower keeps it alive.
        self.connection = connection
        self.expires_at = expires_at
        # Members of an earlier generation are closed when they come back.
        self.generation = generation
        # Up to then it may be lent without asking the server whether it is still there.
        self.good_until = 0.0
        self.idle_since = 0.0
        self.lent_at = 0.0
        self.borrower: Place | None = None
        # Its holder was named in the log.
        self.warned = False
        # It may lead to a server that is no longer the primary.
        self.doubtful = False

    def report(self) -> str:
        """Who holds it, and since when."""
        seconds = time.monotonic() - self.lent_at
        return f"{self.borrower or 'unknown'}, {seconds:.1f} s ago"


class Request:
    """When somebody began to wait for a connection, until when, and who."""

    __slots__ = ("borrower", "since", "until")

    def __init__(self, since: float, until: float, borrower: Place) -> None:
        self.since = since
        self.until = until
        self.borrower = borrower
