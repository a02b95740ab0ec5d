"""The settings of a pool."""

from __future__ import annotations

import dataclasses
import itertools
import numbers
from collections.abc import Callable
from typing import Any

_numbers = itertools.count(1)


# Without a repr of its own: there may be a password among the options.
@dataclasses.dataclass(repr=False)
class Settings:
    """What the arguments of a pool say, but for its size."""

    conninfo: Any
    connection_class: Any
    kwargs: Any
    configure: Callable[[Any], Any] | None
    check: Callable[[Any], Any] | None
    reset: Callable[[Any], Any] | None
    timeout: float
    max_lifetime: float
    max_idle: float
    ping_after: float
    reconnect_timeout: float
    reconnect_failed: Callable[[Any], Any] | None
    warn_after: float | None
    num_workers: int

    def __post_init__(self) -> None:
        for name in ("timeout", "max_lifetime", "max_idle", "ping_after", "reconnect_timeout"):
            check_seconds(name, getattr(self, name))
        if self.warn_after is not None:
            check_seconds("warn_after", self.warn_after)
        check_count("num_workers", self.num_workers, 1)

    def good_until(self, now: float, expires_at: float) -> float:
        """Up to when a connection that comes back now may be lent without a check."""
        return 0.0 if self.check is not None else min(now + self.ping_after, expires_at)


def check_seconds(name: str, value: Any) -> None:
    """Raises TypeError or ValueError if an argument is no number of seconds."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    # That is true of what is not a number, too.
    if not float(value) >= 0:
        raise ValueError(f"{name} cannot be {value!r}")


def check_count(name: str, value: Any, least: int) -> None:
    """Raises TypeError or ValueError if an argument is no whole number of this size."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} cannot be {value}: it is at least {least}")


def sizes(min_size: int, max_size: int | None) -> tuple[int, int]:
    """The sizes of a pool. Raises ValueError."""
    most = min_size if max_size is None else max_size
    if min_size < 0:
        raise ValueError("min_size cannot be negative")
    if most < min_size:
        raise ValueError("max_size must be at least min_size")
    if most == 0:
        raise ValueError("max_size must be at least 1: for no idle ones take a null pool")
    return min_size, most


def default_name() -> str:
    """A name for a pool that has none."""
    return f"pool-{next(_numbers)}"
