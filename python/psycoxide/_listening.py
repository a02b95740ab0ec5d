"""What the listeners of `psycoxide.aio` and `psycoxide.sync` have in common."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from psycoxide._exceptions import NotSupportedError, ProgrammingError
from psycoxide._psycopg import encodings, parse_dsn

if TYPE_CHECKING:
    from collections.abc import Iterable

# NAMEDATALEN of the server, less the byte that ends the name.
MAX_BYTES = 63
# Errors that come again, however often one tries.
PERMANENT = (NotSupportedError, ProgrammingError)


class Listening(NamedTuple):
    """A listener has begun to listen: whatever is sent from now on is reported.

    It is the first event of a listener, and comes again after each loss. If `gap` is true,
    notifications may have been sent that were not received: look at the tables. `reason` is why:
    the error that ended the last connection, in the server's own words if it gave a reason, or one
    that says that too many notifications waited; None if there is no gap.
    """

    gap: bool
    reason: Exception | None = None


class Lost(NamedTuple):
    """A listener has lost its connection, or could not make another one: it goes on trying.

    `reason` is the error, in the server's own words if it gave a reason. `attempts` is how many
    attempts to connect have failed since the loss. A program that is slow is told of the last one.
    """

    reason: Exception
    attempts: int = 0


def channel_names(channels: str | Iterable[str]) -> dict[str, None]:
    """The names of channels, each once, in order. Raises ProgrammingError."""
    names = dict.fromkeys([channels] if isinstance(channels, str) else channels)
    for name in names:
        quoted(name, None)
    return names


def quoted(channel: str, encoding: str | None) -> str:
    """A channel's name as an identifier. Raises ProgrammingError if it cannot be one.

    The server would cut a long name without a word. How long it is depends on the encoding of the
    database, which is known when there is a connection.
    """
    if not isinstance(channel, str):
        raise TypeError(f"a channel's name is a str, not {type(channel).__name__}")
    if not channel or "\0" in channel:
        raise ProgrammingError(f"no channel can have the name {channel!r}")
    codec = encodings.get(encoding or "", None)
    if codec is not None:
        size = len(channel.encode(codec, "replace"))
        if size > MAX_BYTES:
            raise ProgrammingError(
                f"the name of the channel {channel!r} has {size} bytes; {MAX_BYTES} are allowed"
            )
    name = channel.replace('"', '""')
    return f'"{name}"'


def commands(channels: Iterable[str], encoding: str | None, verb: str = "LISTEN") -> str:
    """The statements that begin to listen to channels, or end that."""
    return "; ".join(f"{verb} {quoted(channel, encoding)}" for channel in channels)


def with_keepalives(
    conninfo: str, options: dict[str, Any], ping_every: float | None, ping_timeout: float
) -> dict[str, Any]:
    """The options, and those that make the system find out that the server's host is gone.

    They count while the program is busy, and nobody pings.
    """
    given = {**parse_dsn(conninfo), **options}
    idle, last = ping_every or 30.0, max(1, round(ping_timeout))
    usual = {
        "keepalives_idle": max(1, round(idle)),
        "keepalives_interval": max(1, last // 3),
        "keepalives_count": 3,
        "tcp_user_timeout": last * 1000,
    }
    return {**{name: value for name, value in usual.items() if name not in given}, **options}


class Gate:
    """Lets threads with a statement pass before the one that waits for notifications."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0

    def __enter__(self) -> None:
        with self._changed:
            self._inside += 1

    def __exit__(self, *_exc: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until nobody is inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside)
