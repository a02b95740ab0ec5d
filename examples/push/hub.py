"""One source, any number of browsers: a bounded history, and a position in it for each.

Nothing in here waits: `with_gevent/` and `with_asyncio/` do.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import secrets
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from colour import Colour

# A browser that went away is noticed when something is written to it; proxies cut silent streams.
HEARTBEAT = 15.0
STILL_HERE = b": still here\n\n"
# How long a browser waits before it reconnects, in milliseconds.
RETRY = 1000


class Event(Protocol):
    """What gevent's events and asyncio's have in common for whoever does not wait."""

    def set(self) -> None: ...


E = TypeVar("E", bound=Event)


@dataclasses.dataclass(frozen=True)
class Square:
    """The square of a notification. Numbers are consecutive, from 1."""

    number: int
    colour: Colour


class Hub(Generic[E]):
    """Remembers the last `size` squares for the browsers, and wakes whoever serves them.

    There is no queue for each browser, only its position: a slow browser costs no memory, and one
    that was away is served in the same way as a slow one.
    """

    def __init__(self, size: int, event: Callable[[], E]) -> None:
        self.squares: collections.deque[Square] = collections.deque(maxlen=size)
        self.last = 0
        # The last announcement of each kind.
        self.latest: dict[str, dict[str, Any]] = {}
        # Set by the next change, which puts a new one in its place: take it, look, then wait.
        self.changed = event()
        self.open = True
        # Numbers begin anew with each process: a browser must not resume at another process's.
        self.name = secrets.token_hex(4)
        self._event = event

    def show(self, colour: Colour) -> None:
        """Add a square; every browser gets it."""
        self.last += 1
        self.squares.append(Square(self.last, colour))
        self._wake()

    def announce(self, event: str, **data: Any) -> None:
        """Tell every browser something that only matters until the next message of its kind: it is
        not remembered, and moves no browser's position."""
        self.latest[event] = data
        self._wake()

    def close(self) -> None:
        """End all streams."""
        self.open = False
        self._wake()

    def _wake(self) -> None:
        changed, self.changed = self.changed, self._event()
        changed.set()


class Browser:
    """A browser that follows: the number of the last square sent to it, and what it was told.

    It goes on after the last event that it saw, if any. Squares that are no longer remembered leave
    a gap in the numbers; a page that shows no more than are remembered does not need them.
    """

    def __init__(self, hub: Hub[Any], last_event_id: str = "") -> None:
        self._hub = hub
        position = self._number(last_event_id)
        self._resumes = position is not None
        self._position = hub.last - len(hub.squares) if position is None else position
        # The current state matters to a newcomer; earlier refusals do not.
        self._told = {name: data for name, data in hub.latest.items() if name != "listener"}

    def greeting(self) -> bytes:
        """How the stream begins: does the page resume, or should it clear itself?"""
        data = {"resumed": self._resumes, "keeps": self._hub.squares.maxlen}
        return b"retry: %d\n\n" % RETRY + self._event("start", data, self._position)

    def news(self) -> bytes:
        """The events that it has not been sent: announcements, and squares."""
        out = []
        for name, data in self._hub.latest.items():
            if self._told.get(name) is not data:
                self._told[name] = data
                out.append(self._event(name, data))
        forgotten = self._hub.last - len(self._hub.squares)
        known = max(0, self._position - forgotten)
        for square in itertools.islice(self._hub.squares, known, None):
            self._position = square.number
            data = {"number": square.number, **dataclasses.asdict(square.colour)}
            out.append(self._event("square", data, square.number))
        return b"".join(out)

    def _number(self, event_id: str) -> int | None:
        """The position that an event id stands for; None if the id is not from us."""
        name, _dash, digits = event_id.partition("-")
        if name != self._hub.name or not digits.isdecimal() or len(digits) > 18:
            return None
        number = int(digits)
        return number if number <= self._hub.last else None

    def _event(self, name: str, data: dict[str, Any], position: int | None = None) -> bytes:
        """An event of the stream; json.dumps writes any data as one line of ASCII."""
        event_id = "" if position is None else f"id: {self._hub.name}-{position}\n"
        return f"event: {name}\n{event_id}data: {json.dumps(data)}\n\n".encode("ascii")
