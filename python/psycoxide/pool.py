"""Connection pools that never wait: an exhausted pool raises.

See psycopg2's manual, "Connections pool". The classes differ only in who may share a pool.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakSet

import psycoxide
from psycoxide import extensions as _ext
from psycoxide._generic import Generic as _Generic, subscript as _subscript

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycoxide._types import ConnectionT, ConnectionT_co, CursorFactory, CursorT


# Looked up once: lending a connection and giving it back takes no more than a microsecond.
_IDLE = _ext.TRANSACTION_STATUS_IDLE
_UNKNOWN = _ext.TRANSACTION_STATUS_UNKNOWN


class PoolError(psycoxide.Error):
    """The pool is closed or exhausted, or the connection is not one of its own."""


class AbstractConnectionPool(_Generic["ConnectionT_co"]):
    """The base of the pools. Use one of the classes below.

    A pool opens `minconn` connections at once, up to `maxconn` on demand, and keeps up to
    `minconn` idle ones when they are given back. All other arguments go to `psycoxide.connect()`.
    """

    if TYPE_CHECKING:
        # psycopg2's manual has these methods here, and programs annotate pools with this class.
        def getconn(self, key: Hashable | None = None) -> ConnectionT_co: ...
        def putconn(
            self, conn: _ext.connection, key: Hashable | None = None, close: bool = False
        ) -> None: ...
        def closeall(self) -> None: ...
    else:
        __class_getitem__ = classmethod(_subscript)

    def __init__(self, minconn: int | str, maxconn: int | str, *args: Any, **kwargs: Any) -> None:
        self.minconn: int = int(minconn)
        self.maxconn: int = int(maxconn)
        self.closed: bool = False

        self._args = args
        self._kwargs = kwargs

        self._pool: list[Any] = []
        # Lent connections by key, and the key of each by the id of the connection.
        self._used: dict[Hashable, Any] = {}
        self._rused: dict[int, Hashable] = {}
        self._keys = 0

        for _ in range(self.minconn):
            self._connect()

    def _connect(self, key: Hashable | None = None) -> ConnectionT_co:
        """Open a connection: lent under `key`, or idle without one."""
        made: Any = psycoxide.connect(*self._args, **self._kwargs)
        conn: ConnectionT_co = made
        if key is None:
            self._pool.append(conn)
        else:
            self._lend(conn, key)
        return conn

    def _getkey(self) -> int:
        """A key that was never used."""
        self._keys += 1
        return self._keys

    def _getconn(self, key: Hashable | None = None) -> ConnectionT_co:
        """Lend a connection: the one lent under `key`, the idle one used last, or a new one."""
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is None:
            key = self._getkey()
        conn: ConnectionT_co
        if key in self._used:
            conn = self._used[key]
            return conn
        if self._pool:
            conn = self._pool.pop()
            self._lend(conn, key)
            return conn
        if len(self._used) == self.maxconn:
            raise PoolError("connection pool exhausted")
        return self._connect(key)

    def _putconn(
        self, conn: _ext.connection, key: Hashable | None = None, close: bool = False
    ) -> None:
        """Take a connection back, and end its transaction; or close it if it is not needed."""
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is None:
            key = self._rused.get(id(conn))
            if key is None:
                raise PoolError("trying to put unkeyed connection")

        # This comes first: a wrong key must not leave the connection both lent and idle.
        del self._used[key]
        del self._rused[id(conn)]
        if len(self._pool) < self.minconn and not close:
            self._clean_and_keep(conn)
        else:
            conn.close()

    def _closeall(self) -> None:
        """Close every connection, lent or idle. Raises PoolError if the pool is closed."""
        if self.closed:
            raise PoolError("connection pool is closed")
        for conn in [*self._pool, *self._used.values()]:
            # If one fails, the others must be closed all the same.
            with suppress(Exception):
                conn.close()
        self.closed = True

    def _lend(self, conn: _ext.connection, key: Hashable) -> None:
        self._used[key] = conn
        self._rused[id(conn)] = key

    def _clean_and_keep(self, conn: _ext.connection) -> None:
        if conn.closed:
            return
        status = conn.info.transaction_status
        if status == _UNKNOWN:
            conn.close()
            return
        if status != _IDLE:
            conn.rollback()
        self._pool.append(conn)


class SimpleConnectionPool(AbstractConnectionPool["ConnectionT_co"]):
    """A pool for one thread."""

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: SimpleConnectionPool[ConnectionT],
            minconn: int | str,
            maxconn: int | str,
            *args: Any,
            connection_factory: Callable[..., ConnectionT],
            **kwargs: Any,
        ) -> None: ...
        @overload
        def __init__(
            self: SimpleConnectionPool[_ext.connection[CursorT]],
            minconn: int | str,
            maxconn: int | str,
            *args: Any,
            cursor_factory: CursorFactory[CursorT],
            **kwargs: Any,
        ) -> None: ...
        @overload
        def __init__(
            self, minconn: int | str, maxconn: int | str, *args: Any, **kwargs: Any
        ) -> None: ...
        def __init__(
            self, minconn: int | str, maxconn: int | str, *args: Any, **kwargs: Any
        ) -> None: ...

    def getconn(self, key: Hashable | None = None) -> ConnectionT_co:
        """Lend a connection; the same `key` gets the same connection until it is put back.

        Raises PoolError if the pool is closed, or if `maxconn` connections are lent.
        """
        return self._getconn(key)

    def putconn(
        self, conn: _ext.connection, key: Hashable | None = None, close: bool = False
    ) -> None:
        """Give a connection back; it is rolled back, or closed if `close` or if it is not needed.

        Raises PoolError if the pool is closed, or if the connection is not one of its own.
        """
        self._putconn(conn, key, close)

    def closeall(self) -> None:
        """Close the pool and all its connections, lent ones too.

        Raises PoolError if the pool is closed.
        """
        self._closeall()


class ThreadedConnectionPool(AbstractConnectionPool["ConnectionT_co"]):
    """A pool that threads may share."""

    @overload
    def __init__(
        self: ThreadedConnectionPool[ConnectionT],
        minconn: int | str,
        maxconn: int | str,
        *args: Any,
        connection_factory: Callable[..., ConnectionT],
        **kwargs: Any,
    ) -> None: ...
    @overload
    def __init__(
        self: ThreadedConnectionPool[_ext.connection[CursorT]],
        minconn: int | str,
        maxconn: int | str,
        *args: Any,
        cursor_factory: CursorFactory[CursorT],
        **kwargs: Any,
    ) -> None: ...
    @overload
    def __init__(
        self, minconn: int | str, maxconn: int | str, *args: Any, **kwargs: Any
    ) -> None: ...
    def __init__(self, minconn: int | str, maxconn: int | str, *args: Any, **kwargs: Any) -> None:
        super().__init__(minconn, maxconn, *args, **kwargs)
        self._lock = threading.Lock()
        _threaded.add(self)

    def getconn(self, key: Hashable | None = None) -> ConnectionT_co:
        """As `SimpleConnectionPool.getconn()`."""
        # Here and below: `with` would double the cost of these methods.
        lock = self._lock
        lock.acquire()
        try:
            return self._getconn(key)
        finally:
            lock.release()

    def putconn(
        self, conn: _ext.connection | None = None, key: Hashable | None = None, close: bool = False
    ) -> None:
        """As `SimpleConnectionPool.putconn()`; without `conn` it is the one lent under `key`."""
        lock = self._lock
        lock.acquire()
        try:
            if conn is None:
                conn = self._used.get(key)
                if conn is None:
                    raise PoolError("trying to put unkeyed connection")
            self._putconn(conn, key, close)
        finally:
            lock.release()

    def closeall(self) -> None:
        """As `SimpleConnectionPool.closeall()`."""
        with self._lock:
            self._closeall()


_threaded: WeakSet[ThreadedConnectionPool[Any]] = WeakSet()


def _unlock_in_child() -> None:
    """Another thread may have held a pool's lock, to connect, say: a forked child lacks it."""
    for pool in _threaded:
        pool._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)
