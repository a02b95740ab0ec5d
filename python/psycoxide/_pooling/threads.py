"""What the pools of `psycoxide.sync` do by threads: waiting, locking, and a thread for upkeep."""

from __future__ import annotations

import functools
import heapq
import itertools
import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from psycoxide._pooling import stock

logger: logging.Logger = logging.getLogger("psycoxide.pool")


class Future:
    """What a thread waits for: set by another one, once."""

    __slots__ = ("_done", "_error", "_lock", "_result")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        """Whether it was set."""
        return self._done

    def cancelled(self) -> bool:
        """Threads cannot be cancelled."""
        return False

    def exception(self) -> BaseException | None:
        """The exception, if it was set."""
        return self._error

    def set_result(self, result: Any) -> None:
        """Wake the thread."""
        self._result = result
        self._done = True
        self._lock.release()

    def set_exception(self, error: BaseException) -> None:
        """Wake the thread with an exception."""
        self._error = error
        self._done = True
        self._lock.release()

    def result(self) -> Any:
        """The result, once it is there."""
        if self._error is not None:
            raise self._error
        return self._result

    def wait(self, until: float) -> Any:
        """Wait for the result, up to a moment of `time.monotonic()`; None if it does not come."""
        seconds = min(max(until - time.monotonic(), 0), threading.TIMEOUT_MAX)
        return self.result() if self._lock.acquire(timeout=seconds) else None


def new_waiter() -> Future:
    """What a thread waits for that has to be told."""
    return Future()


def is_cancelled() -> bool:
    """Threads cannot be cancelled."""
    return False


def locked(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same method under the lock of its object."""

    @functools.wraps(method)
    def call(self: Stock, *arguments: Any) -> Any:
        with self.lock:
            return method(self, *arguments)

    return call


class Stock(stock.Stock):
    """A stock that threads share: each step is under a lock."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.lock = threading.RLock()
        super().__init__(*arguments, **options)


for name, method in vars(stock.Stock).items():
    if callable(method) and not name.startswith("_"):
        setattr(Stock, name, locked(method))


class Timer:
    """A method that is called later, unless its object is gone by then."""

    def __init__(self, at: float, method: Callable[..., Any]) -> None:
        self.at = at
        self._method: Any = weakref.WeakMethod(method)
        self._cancelled = False

    def cancel(self) -> None:
        """Do not call it."""
        self._cancelled = True

    def __call__(self) -> None:
        method = self._method()
        if method is not None and not self._cancelled:
            method()


class Jobs:
    """A thread that does one job after another, some of them later. It is started for the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        # Filled from destructors, too, which may run while another method of this class does.
        self._queue: queue.SimpleQueue[tuple[float, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do this as soon as possible."""
        self._put(0.0, functools.partial(function, *arguments))

    def after(self, seconds: float, method: Callable[..., Any]) -> Timer:
        """Call a method later."""
        timer = Timer(time.monotonic() + seconds, method)
        self._put(timer.at, timer)
        return timer

    def from_anywhere(self, method: Callable[[], Any]) -> bool:
        """The same as `start()` for destructors: takes no lock. Returns true."""
        self._queue.put((0.0, method))
        return True

    def _put(self, at: float, function: Callable[[], Any]) -> None:
        self._queue.put((at, function))
        if self._thread is None and not self._closed:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=run, args=(self._queue,), name=self._name, daemon=True
                    )
                    self._thread.start()

    def close(self, timeout: float) -> None:
        """End the thread, and wait for that. What was not begun is dropped."""
        self.stop()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def stop(self) -> None:
        """The same without a wait."""
        self._closed = True
        self._queue.put(None)


def run(jobs: queue.SimpleQueue[tuple[float, Callable[[], Any]] | None]) -> None:
    """Do jobs until there is a None among them."""
    order = itertools.count()
    later: list[tuple[float, int, Callable[[], Any]]] = []
    while True:
        wait = max(later[0][0] - time.monotonic(), 0) if later else None
        try:
            job = jobs.get(timeout=wait)
        except queue.Empty:
            pass
        else:
            if job is None:
                return
            heapq.heappush(later, (job[0], next(order), job[1]))
            del job
        while later and later[0][0] <= time.monotonic() and jobs.empty():
            _, _, function = heapq.heappop(later)
            try:
                function()
            except BaseException:
                # Also sys.exit() in a function of the program's: the pool needs its thread.
                logger.exception("the upkeep of a pool has failed")
            del function
