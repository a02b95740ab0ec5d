"""One listener, any number of browsers: each is told what has changed since it was told last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from seats import CHANNEL, Seats

import psycoxide
from psycoxide import aio

# A browser that went away is noticed when something is written to it; proxies cut silent streams.
HEARTBEAT = 15.0
# How long a browser waits before it connects again, in milliseconds.
RETRY = 1000


class Feed:
    """Knows all seats, and streams them to the browsers.

    There is no queue for a browser, only the set of seats that it has to be told of: a slow browser
    skips what has changed again meanwhile, and costs no memory.
    """

    def __init__(self, seats: Seats) -> None:
        self._table = seats
        self._seats: dict[str, str | None] = {}
        self._live = False
        self._open = True
        self._browsers: set[Browser] = set()

    async def follow(self, dsn: str) -> None:
        """Follow the table, for ever."""
        async with aio.AsyncListener(dsn, CHANNEL, ping_every=10, retry_max=2) as events:
            async for event in events:
                match event:
                    case aio.Listening():
                        # At the beginning, and whenever something may have been missed.
                        await self._load()
                        self._set_live(True)
                    case aio.Lost():
                        self._set_live(False)
                    case aio.Notify(_, payload):
                        change = json.loads(payload)
                        self._set({change["seat"]: change["guest"]})

    async def _load(self) -> None:
        while True:
            try:
                return self._set(await self._table.all())
            except psycoxide.OperationalError:
                self._set_live(False)
                await asyncio.sleep(0.5)

    def _set(self, changed: dict[str, str | None]) -> None:
        self._seats |= changed
        for browser in self._browsers:
            browser.tell(changed)

    def _set_live(self, live: bool) -> None:
        if live != self._live:
            self._live = live
            for browser in self._browsers:
                browser.tell(())

    def close(self) -> None:
        """End all streams."""
        self._open = False
        for browser in self._browsers:
            browser.tell(())

    async def stream(self) -> AsyncIterator[bytes]:
        """The event stream of one browser: `state` and `seats` events."""
        browser = Browser(self._seats)
        self._browsers.add(browser)
        told: bool | None = None
        try:
            yield b"retry: %d\n\n" % RETRY
            while self._open:
                if told != self._live:
                    told = self._live
                    yield event("state", {"live": told})
                if names := browser.take():
                    yield event("seats", {name: self._seats[name] for name in names})
                if not await browser.wait(HEARTBEAT):
                    yield b": still here\n\n"
        finally:
            self._browsers.discard(browser)


class Browser:
    """What one browser has to be told."""

    def __init__(self, names: Any) -> None:
        self._names: set[str] = set(names)
        self._news = asyncio.Event()

    def tell(self, names: Any) -> None:
        self._names.update(names)
        self._news.set()

    def take(self) -> list[str]:
        """The seats to tell of."""
        names, self._names = sorted(self._names), set()
        return names

    async def wait(self, seconds: float) -> bool:
        """Wait for news. Returns whether there are some."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        # Before anything is looked at: what comes meanwhile must not be slept through.
        self._news.clear()
        return True


def event(name: str, data: Any) -> bytes:
    """An event of the stream; json.dumps writes any data as one line of ASCII."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode("ascii")
