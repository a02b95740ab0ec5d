"""Calls that may block for ever, such as looking a name up, and a limit on waiting for them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

_R = TypeVar("_R")


def all_of(calls: Sequence[Callable[[], _R]], seconds: float) -> list[_R | None]:
    """Make all calls at the same time. Returns their results, None for those that took longer.

    Each call has a thread of its own, which is left alone when the time is over. A call that raises
    an exception is a fault of ours: the exception is raised here.
    """
    done: queue.SimpleQueue[tuple[int, _R | BaseException]] = queue.SimpleQueue()

    def run(index: int, call: Callable[[], _R]) -> None:
        try:
            done.put((index, call()))
        except BaseException as error:
            done.put((index, error))

    for index, call in enumerate(calls):
        threading.Thread(target=run, args=(index, call), daemon=True).start()
    results: list[_R | None] = [None] * len(calls)
    until = time.monotonic() + seconds
    for _ in calls:
        try:
            index, result = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(result, BaseException):
            raise result
        results[index] = result
    return results
