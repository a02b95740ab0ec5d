"""Pauses between attempts."""

from __future__ import annotations

import random


class Backoff:
    """How long to wait before the next attempt."""

    def __init__(self, shortest: float, longest: float) -> None:
        if not 0 <= shortest <= longest:
            raise ValueError("retry_min must be 0 or more, and not more than retry_max")
        self._shortest = shortest
        self.longest = longest
        self._failures = 0

    def next(self) -> float:
        """Seconds: twice as many each time, and any number from half of that on.

        So those that were stopped by the same thing do not all come back at once.
        """
        seconds = min(self.longest, self._shortest * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return random.uniform(seconds / 2, seconds)

    def reset(self) -> None:
        """Begin with the shortest wait again."""
        self._failures = 0
