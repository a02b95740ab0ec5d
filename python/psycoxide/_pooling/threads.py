"""What the pools of `psycoxide.sync` do by threads: waiting, locking, and threads for upkeep."""

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

# A queue cannot wait for ever, nor until any moment.
LONGEST_WAIT = 3600.0


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


def new_lock() -> threading.RLock:
    """What lets one thread at a time pass."""
    return threading.RLock()


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


class Workers:
    """Threads that do one job after another; each is started when the others are busy."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Those that were not begun, and those that are under way.
        self._open = 0
        self._closed = False
        self.threads: list[threading.Thread] = []

    def start(self, job: Callable[[], Any]) -> None:
        """Do this as soon as a thread is free."""
        with self._lock:
            if self._closed:
                return
            self._open += 1
            self._jobs.put(job)
            if self._open > len(self.threads) < self._most:
                name = f"{self._name}-worker-{len(self.threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self.threads.append(thread)
                thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closed:
            do(job)
            del job
            with self._lock:
                self._open -= 1
        # For the next thread.
        self._jobs.put(None)

    def stop(self) -> None:
        """Begin no job any more. For destructors, too: takes no lock."""
        self._closed = True
        self._jobs.put(None)


class Jobs:
    """A thread that keeps the time, and others for what may take long. They start when needed."""

    def __init__(self, name: str, num_workers: int) -> None:
        self._name = name
        # Filled from destructors, too, which may run while another method of this class does.
        self._queue: queue.SimpleQueue[tuple[float, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._workers = Workers(name, num_workers)
        self._closed = False

    def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do this as soon as a worker is free."""
        self._workers.start(functools.partial(function, *arguments))

    def after(self, seconds: float, method: Callable[..., Any]) -> Timer:
        """Call a method later, which does not take long."""
        timer = Timer(time.monotonic() + seconds, method)
        self._queue.put((timer.at, timer))
        if self._thread is None and not self._closed:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=run, args=(self._queue,), name=self._name, daemon=True
                    )
                    self._thread.start()
        return timer

    def from_anywhere(self, method: Callable[[], Any]) -> bool:
        """Call a method soon; for destructors: takes no lock. Returns true."""
        self._queue.put((0.0, method))
        return True

    def close(self, timeout: float) -> None:
        """End the threads, and wait for that. What was not begun is dropped."""
        self.stop()
        until = time.monotonic() + timeout
        for thread in [self._thread, *self._workers.threads]:
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(until - time.monotonic(), 0))

    def stop(self) -> None:
        """The same without a wait."""
        self._closed = True
        self._queue.put(None)
        self._workers.stop()


def do(job: Callable[[], Any]) -> None:
    """Do a job. The thread goes on, whatever it raises."""
    try:
        job()
    except BaseException:
        # Also sys.exit() in a function of the program's: the pool needs its threads.
        logger.exception("the upkeep of a pool has failed")


def run(jobs: queue.SimpleQueue[tuple[float, Callable[[], Any]] | None]) -> None:
    """Do jobs until there is a None among them."""
    order = itertools.count()
    later: list[tuple[float, int, Callable[[], Any]]] = []
    while True:
        wait = min(max(later[0][0] - time.monotonic(), 0), LONGEST_WAIT) if later else None
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
            do(function)
            del function
