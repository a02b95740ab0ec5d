"""One source, any number of browsers: a bounded history, and a position in it for each."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
import secrets
from collections.abc import Iterator
from typing import Any

from colour import Colour
from gevent.event import Event

# A browser that went away is noticed when something is written to it; proxies cut silent streams.
HEARTBEAT = 15.0
# How long a browser waits before it reconnects, in milliseconds.
RETRY = 1000


@dataclasses.dataclass(frozen=True)
class Square:
    """The square of a notification. Numbers are consecutive, from 1."""

    number: int
    colour: Colour


class Hub:
    """Remembers the last `size` squares and streams them to the browsers.

    There is no queue for each browser. A browser is just the number of the last square sent to it,
    and its greenlet sleeps until there is a later square: a slow browser costs no memory, and one
    that was away is served in the same way as a slow one.
    """

    def __init__(self, size: int) -> None:
        self._squares: collections.deque[Square] = collections.deque(maxlen=size)
        self._last = 0
        self._latest: dict[str, dict[str, Any]] = {}
        self._changed = Event()
        self._open = True
        # Numbers begin anew with each process: a browser must not resume at another process's.
        self._name = secrets.token_hex(4)

    def show(self, colour: Colour) -> None:
        """Add a square; every browser gets it."""
        self._last += 1
        self._squares.append(Square(self._last, colour))
        self._wake()

    def announce(self, event: str, **data: Any) -> None:
        """Tell every browser something that only matters until the next message of its kind: it is
        not remembered, and moves no browser's position."""
        self._latest[event] = data
        self._wake()

    def close(self) -> None:
        """End all streams."""
        self._open = False
        self._wake()

    def follow(self, last_event_id: str = "") -> Iterator[bytes]:
        """The event stream of one browser; it goes on after the last event that it saw, if any.

        Events: `start` (the page resumes, or should clear itself), `square`, and announcements.
        Squares that are no longer remembered leave a gap in the numbers; a page that shows no more
        than are remembered does not need them.
        """
        position = self._number(last_event_id)
        resumed = position is not None
        if position is None:
            position = self._last - len(self._squares)
        yield b"retry: %d\n\n" % RETRY
        yield self._event("start", {"resumed": resumed, "keeps": self._squares.maxlen}, position)
        # The current state matters to a newcomer; earlier refusals do not.
        told = {name: data for name, data in self._latest.items() if name != "listener"}
        while self._open:
            # Taken before looking: it is set by whatever happens while we are sending.
            changed = self._changed
            out = []
            for name, data in self._latest.items():
                if told.get(name) is not data:
                    told[name] = data
                    out.append(self._event(name, data))
            forgotten = self._last - len(self._squares)
            for square in itertools.islice(self._squares, max(0, position - forgotten), None):
                position = square.number
                data = {"number": position, **dataclasses.asdict(square.colour)}
                out.append(self._event("square", data, position))
            if out:
                yield b"".join(out)
            if not changed.wait(HEARTBEAT):
                yield b": still here\n\n"

    def _wake(self) -> None:
        changed, self._changed = self._changed, Event()
        changed.set()

    def _number(self, event_id: str) -> int | None:
        """The position that an event id stands for; None if the id is not from us."""
        name, _dash, digits = event_id.partition("-")
        if name != self._name or not digits.isdecimal() or len(digits) > 18:
            return None
        number = int(digits)
        return number if number <= self._last else None

    def _event(self, name: str, data: dict[str, Any], position: int | None = None) -> bytes:
        """An event of the stream; json.dumps writes any data as one line of ASCII."""
        event_id = "" if position is None else f"id: {self._name}-{position}\n"
        return f"event: {name}\n{event_id}data: {json.dumps(data)}\n\n".encode("ascii")
