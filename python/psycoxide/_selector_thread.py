"""Waiting for sockets on behalf of event loops that cannot: those without `add_reader()`.

asyncio's proactor loop, the default on Windows, is one. A single thread waits for all sockets of
all such loops. It reports a socket once and then leaves it alone until the loop has called back.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from psycoxide._socket_errors import ErrorWatcher, hides_errors

Callback: TypeAlias = Callable[[], object]

_watchers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Watcher | ErrorWatcher] = (
    weakref.WeakKeyDictionary()
)


def watcher(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop | Watcher | ErrorWatcher:
    """What has `add_reader()` and its kin for a loop: the loop itself, if it can."""
    waits = type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader
    if waits and not hides_errors(loop):
        return loop
    found = _watchers.get(loop)
    if found is None:
        found = _watchers[loop] = ErrorWatcher(loop) if waits else Watcher(loop)
    return found


class Watcher:
    """`add_reader()`, `remove_reader()`, `add_writer()` and `remove_writer()` for one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._callbacks: dict[tuple[int, int], Callback] = {}

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call `callback` in the loop whenever `fd` is readable."""
        self._add(fd, selectors.EVENT_READ, callback)

    def add_writer(self, fd: int, callback: Callback) -> None:
        """Call `callback` in the loop whenever `fd` is writable."""
        self._add(fd, selectors.EVENT_WRITE, callback)

    def remove_reader(self, fd: int) -> None:
        """Stop that."""
        self._remove(fd, selectors.EVENT_READ)

    def remove_writer(self, fd: int) -> None:
        """Stop that."""
        self._remove(fd, selectors.EVENT_WRITE)

    def _add(self, fd: int, event: int, callback: Callback) -> None:
        self._callbacks[fd, event] = callback
        _Thread.running().watch(fd, event, self)

    def _remove(self, fd: int, event: int) -> None:
        if self._callbacks.pop((fd, event), None) is not None:
            # The descriptor may be closed as soon as this returns.
            _Thread.running().forget(fd, event)

    def report(self, fd: int, event: int) -> None:
        """Make the loop call back. Called by the thread."""
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):  # The loop was closed.
                loop.call_soon_threadsafe(self._call_back, fd, event)

    def _call_back(self, fd: int, event: int) -> None:
        callback = self._callbacks.get((fd, event))
        if callback is None:
            return
        callback()
        if self._callbacks.get((fd, event)) is callback:
            _Thread.running().watch(fd, event, self)


class _Thread:
    """The thread that selects, and what it waits for."""

    _instance: _Thread | None = None
    _starting = threading.Lock()

    @classmethod
    def running(cls) -> _Thread:
        """The thread of this process; a forked child starts its own."""
        found = cls._instance
        if found is None or found._pid != os.getpid():
            with cls._starting:
                found = cls._instance
                if found is None or found._pid != os.getpid():
                    found = cls._instance = cls()
        return found

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wanted: dict[int, dict[int, Watcher]] = {}
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._selector.register(self._theirs, selectors.EVENT_READ)
        threading.Thread(target=self._run, name="psycoxide-select", daemon=True).start()

    def watch(self, fd: int, event: int, watcher: Watcher) -> None:
        with self._lock:
            self._wanted.setdefault(fd, {})[event] = watcher
            self._update(fd)
        self._wake()

    def forget(self, fd: int, event: int) -> None:
        with self._lock:
            self._wanted.get(fd, {}).pop(event, None)
            self._update(fd)
        self._wake()

    def _update(self, fd: int) -> None:
        events = 0
        for event in self._wanted.get(fd, {}):
            events |= event
        registered = fd in self._selector.get_map()
        if not events:
            self._wanted.pop(fd, None)
            if registered:
                self._selector.unregister(fd)
        elif registered:
            self._selector.modify(fd, events)
        else:
            self._selector.register(fd, events)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # It has been woken often enough.
            self._ours.send(b"\0")

    def _run(self) -> None:
        while True:
            for key, events in self._selector.select():
                if key.fileobj is self._theirs:
                    self._theirs.recv(4096)
                    continue
                self._report(key.fd, events)

    def _report(self, fd: int, events: int) -> None:
        ready: list[tuple[int, Any]] = []
        with self._lock:
            for event in (selectors.EVENT_READ, selectors.EVENT_WRITE):
                if events & event:
                    found = self._wanted.get(fd, {}).pop(event, None)
                    if found is not None:
                        ready.append((event, found))
            self._update(fd)
        for event, found in ready:
            found.report(fd, event)
