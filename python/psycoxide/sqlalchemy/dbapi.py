"""The driver as SQLAlchemy takes it for a DB-API module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycoxide
from psycoxide._psycopg import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycoxide.extensions import connection

# What is left of a cancelled statement may take this many seconds.
CANCEL_TIMEOUT = 5.0


def connect(conninfo: str = "", **options: Any) -> connection:
    """Open a connection as the blocking dialect has them.

    It has the methods of connections of `psycoxide.connect()`, and reads and adapts the types that
    `psycoxide.sync` does. For `create_engine(..., creator=...)`.

    `timeout` is how many seconds connecting may take; `cursor_factory` and all other options are
    those of `psycoxide.connect()`.
    """
    cursor_factory = options.pop("cursor_factory", None)
    timeout = options.pop("timeout", None)
    channel = Channel(False, CANCEL_TIMEOUT)
    channel.connect(conninfo, options, timeout)
    opened = channel.connection
    if cursor_factory is not None:
        opened.cursor_factory = cursor_factory
    return opened


class Module:
    """`psycoxide` with another `connect()`: its exceptions are those that programs see."""

    def __getattr__(self, name: str) -> Any:
        return getattr(psycoxide, name)


class BlockingModule(Module):
    """What the blocking dialect connects with."""

    connect: Callable[..., connection] = staticmethod(connect)
