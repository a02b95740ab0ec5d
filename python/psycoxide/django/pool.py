"""The pool of a database of Django's: `OPTIONS["pool"]`.

It is that of `psycoxide.sync`, and lends connections of psycopg2's API: Django's backend uses that.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import psycoxide
from psycoxide._psycopg import Channel
from psycoxide.extensions import connection
from psycoxide.sync import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from psycoxide._pooling.member import Member


class PooledConnection(connection):
    """A connection of psycopg2's API, with what a pool of `psycoxide.sync` asks of one."""

    # Set by the pool while it is lent. Django gives it back to `_pool`.
    _pool: Any = None
    _member: Member | None = None
    # A program that listens takes a connection of its own.
    _listens = False
    # The time limit of a call is `operation_timeout`, an option of the connection.
    timeout: float | None = None

    @classmethod
    def connect(cls, conninfo: str = "", *, timeout: float | None = None, **options: Any) -> Self:
        """Open a connection in autocommit mode; Django chooses the mode when it borrows it.

        `timeout` is how many seconds that may take, unless there is a `connect_timeout`.
        """
        if (
            timeout is not None
            and math.isfinite(timeout)
            and not os.environ.get("PGCONNECT_TIMEOUT")
        ):
            options.setdefault("connect_timeout", max(math.ceil(timeout), 1))
        opened = psycoxide.connect(conninfo, connection_factory=cls, **options)
        opened.autocommit = True
        return opened

    @property
    def _channel(self) -> Channel:
        return Channel.over(self)

    @property
    def isolation_level(self) -> int | None:
        """As of `psycoxide.extensions.connection`."""
        return super().isolation_level

    @isolation_level.setter
    def isolation_level(self, value: int | str | bytes | None) -> None:
        # Django sets it at each loan, and in autocommit mode it is a statement.
        if value != super().isolation_level:
            connection.isolation_level.__set__(self, value)  # type: ignore[attr-defined]

    @property
    def broken(self) -> bool:
        """Whether the connection was lost."""
        return self._channel.broken

    def terminate(self) -> None:
        """Close the connection. Does not wait for the server."""
        self.close()

    def execute(self, query: str, params: Any = None, *, timeout: float | None = None) -> Any:
        """Run a statement, for up to `timeout` seconds, and return its cursor."""
        cursor = self.cursor()
        self._channel.execute(cursor, query, params, timeout)
        return cursor

    def fetchval(self, query: str, params: Any = None, *, timeout: float | None = None) -> Any:
        """Run a query, for up to `timeout` seconds, and return the first value of its result."""
        return self._channel.fetchval(query, params, timeout)

    def _end_transaction(self, exc: BaseException | None) -> None:
        """The end of a block of `pool.connection()`, outside autocommit mode."""
        if exc is None:
            self.commit()
        elif not self.closed:
            self.rollback()

    def __del__(self) -> None:
        # The thread that has borrowed it has ended without giving it back.
        pool, member = self._pool, self._member
        if pool is not None and member is not None and not pool.closed:
            pool._lose(member)


class Pool(ConnectionPool[Any]):
    """The pool of one database. `database` is its name: that of a test's differs."""

    def __init__(
        self,
        database: str | None,
        kwargs: dict[str, Any],
        *,
        reset: Callable[[PooledConnection], object] | None = None,
        **options: Any,
    ) -> None:
        def reset_in_autocommit(lent: PooledConnection) -> None:
            # Who gives a connection back within `atomic()` leaves it in the other mode.
            lent.autocommit = True
            if reset is not None:
                reset(lent)

        super().__init__(
            reset=None if reset is None else reset_in_autocommit,
            connection_class=PooledConnection,
            kwargs=kwargs,
            # Not before the first request needs it: a process may fork before that.
            open=False,
            **options,
        )
        self.database: str | None = database

    def close(self, timeout: float = 0.0) -> None:
        """Close the pool. Connections that are lent are closed when Django gives them back."""
        super().close(timeout)
