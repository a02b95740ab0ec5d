"""The settings of a pool."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

_numbers = itertools.count(1)


@dataclasses.dataclass
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

    def good_until(self, now: float, expires_at: float) -> float:
        """Up to when a connection that comes back now may be lent without a check."""
        return 0.0 if self.check is not None else min(now + self.ping_after, expires_at)


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
