# only in aio: threads have `psycoxide._pooling.threads`
"""What a pool does beside its borrowers, on their event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import sys
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from psycoxide._exceptions import OperationTimeout

# Not every event loop has timers for any moment.
LONGEST_WAIT = 3600.0

logger: logging.Logger = logging.getLogger("psycoxide.pool")


class Jobs:
    """Tasks that end by themselves, and timers."""

    def __init__(self, name: str) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: weakref.WeakSet[asyncio.TimerHandle] = weakref.WeakSet()

    def start(self, function: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
        """Run a coroutine function. It does not see what its borrower's context has."""
        task = contextvars.Context().run(self.loop.create_task, function(*arguments))
        task.set_name(self._name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("the upkeep of a pool has failed", exc_info=task.exception())

    def after(self, seconds: float, method: Callable[..., Any]) -> asyncio.TimerHandle:
        """Call a method after so many seconds, up to an hour, unless its object is gone by then."""
        seconds = min(seconds, LONGEST_WAIT)
        timer = self.loop.call_later(seconds, call, weakref.WeakMethod(method))
        self._timers.add(timer)
        return timer

    def from_anywhere(self, method: Callable[[], Any]) -> bool:
        """Call a method soon; for destructors, which run in any thread.

        Returns false if the loop is closed.
        """
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(call, weakref.WeakMethod(method))
            return True
        return False

    async def close(self, timeout: float) -> None:
        """Cancel what there is, and wait for the end."""
        self.stop()
        tasks = self._tasks - {asyncio.current_task(self.loop)}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    def stop(self) -> None:
        """Cancel the timers."""
        for timer in list(self._timers):
            timer.cancel()


def new_waiter() -> asyncio.Future[Any]:
    """What a task waits for that has to be told."""
    return asyncio.get_running_loop().create_future()


async def limited(given: Awaitable[Any], seconds: float) -> Any:
    """The result of what is awaited. Raises OperationTimeout after so many seconds."""
    if math.isinf(seconds):
        return await given
    message = f"it took longer than {seconds:.3g} s"
    if sys.version_info < (3, 11):
        try:
            return await asyncio.wait_for(given, seconds)
        except asyncio.TimeoutError as error:
            raise OperationTimeout(message) from error
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await given
    except TimeoutError as error:
        if limit.expired():
            raise OperationTimeout(message) from error
        raise


def new_lock() -> contextlib.AbstractContextManager[Any]:
    """Nothing: an event loop is one thread."""
    return contextlib.nullcontext()


def is_cancelled() -> bool:
    """Whether the running task was cancelled from outside. Python 3.10 does not know."""
    task: Any = asyncio.current_task()
    return sys.version_info >= (3, 11) and task is not None and bool(task.cancelling())


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs, None if there is none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def call(method: weakref.WeakMethod[Callable[..., Any]]) -> None:
    """Call a method, if its object is still there."""
    bound = method()
    if bound is not None:
        bound()
