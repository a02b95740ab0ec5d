"""Errors of sockets on uvloop, which tells of them once.

When a socket has an error, because the peer has reset the connection, libuv stops watching it: the
reader is called once, and never again, though it may have received only what came before. See
`findings/reset_is_told_once.sh`. So the sockets are in an epoll of our own as well, which is ready
for nothing but errors, and which the loop watches like a socket. That costs no call of the system
for what is read and written.
"""

from __future__ import annotations

import asyncio
import select
import weakref
from collections.abc import Callable
from typing import Literal, TypeAlias

Callback: TypeAlias = Callable[[], object]
_Kind: TypeAlias = Literal["reader", "writer"]


def hides_errors(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop is one that tells of errors once, and can be helped."""
    names = (base.__module__.partition(".")[0] for base in type(loop).__mro__)
    return hasattr(select, "epoll") and "uvloop" in names


class ErrorWatcher:
    """`add_reader()` and its kin for one loop, which call back for errors, too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._callbacks: dict[int, dict[_Kind, Callback]] = {}
        # There while there are callbacks.
        self._epoll: select.epoll | None = None

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call `callback` in the loop whenever `fd` is readable, and when it has an error."""
        self._running().add_reader(fd, callback)
        self._add(fd, "reader", callback)

    def add_writer(self, fd: int, callback: Callback) -> None:
        """Call `callback` in the loop whenever `fd` is writable, and when it has an error."""
        self._running().add_writer(fd, callback)
        self._add(fd, "writer", callback)

    def remove_reader(self, fd: int) -> None:
        """Stop that."""
        self._remove(fd, "reader")
        self._running().remove_reader(fd)

    def remove_writer(self, fd: int) -> None:
        """Stop that."""
        self._remove(fd, "writer")
        self._running().remove_writer(fd)

    def _running(self) -> asyncio.AbstractEventLoop:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop is gone")
        return loop

    def _add(self, fd: int, kind: _Kind, callback: Callback) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._running().add_reader(self._epoll.fileno(), self._failed)
        if fd not in self._callbacks:
            self._callbacks[fd] = {}
            # Errors need not be asked for. Each is told once.
            self._epoll.register(fd, select.EPOLLONESHOT)
        self._callbacks[fd][kind] = callback

    def _remove(self, fd: int, kind: _Kind) -> None:
        callbacks = self._callbacks.get(fd, {})
        callbacks.pop(kind, None)
        if callbacks or self._callbacks.pop(fd, None) is None or self._epoll is None:
            return
        self._epoll.unregister(fd)
        if self._callbacks:
            return
        epoll, self._epoll = self._epoll, None
        try:
            self._running().remove_reader(epoll.fileno())
        finally:
            epoll.close()

    def _failed(self) -> None:
        """Some of the sockets have an error."""
        for fd, _ in self._epoll.poll(0) if self._epoll else ():
            for callback in list(self._callbacks.get(fd, {}).values()):
                callback()
