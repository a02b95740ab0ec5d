"""Telling a program how far a reading or an ingest has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

# Called with the number of rows, and of bytes, so far.
Progress: TypeAlias = Callable[[int, int], object]

# How many seconds there are between two calls of a program's function.
INTERVAL = 0.1


class Report:
    """Calls a program's function now and then, and at the end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._reported = time.monotonic()
        # Whether there is something that the function was not told.
        self.is_waiting: bool = False
        self._rows = 0
        self._bytes = 0

    def __call__(self, rows: int, size: int, is_last: bool) -> None:
        """So many more rows, and bytes, have come."""
        self.reached(self._rows + rows, self._bytes + size, is_last)

    def reached(self, rows: int, size: int, is_last: bool) -> None:
        """There are so many rows, and bytes, now."""
        self._rows, self._bytes = rows, size
        self.is_waiting = True
        if is_last or time.monotonic() - self._reported >= INTERVAL:
            self.tell()

    def tell(self) -> None:
        """Call the function now."""
        self.is_waiting = False
        self._reported = time.monotonic()
        self._progress(self._rows, self._bytes)
