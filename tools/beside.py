"""Runs functions side by side, each in a process of its own, and prints what they said in order.

It is for tests, which mostly wait. The output of each, and of the programs that it starts, is kept
apart: that of the first one is printed as it comes, that of the next one when the first has ended,
and so on, so that nothing is mixed and nothing is lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
# Seconds that a process has to end when it is told to: it may have to stop a server.
GRACE = 15.0
# Seconds between two looks at the output.
PERIOD = 0.1


class _Task(Generic[T]):
    """A function that runs, or is to run, in a process."""

    def __init__(self, function: Callable[[], T], folder: Path) -> None:
        self.function = function
        self.output = folder / "output"
        self.result = folder / "result"
        folder.mkdir()
        self.output.touch()
        self.process: BaseProcess = multiprocessing.get_context("fork").Process(target=self.inside)

    def inside(self) -> None:
        with self.output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        value = self.function()
        self.result.write_bytes(pickle.dumps(value))

    def value(self) -> T | None:
        """What the function returned; None if it did not."""
        if self.process.exitcode != 0 or not self.result.exists():
            return None
        value: T = pickle.loads(self.result.read_bytes())
        return value


def run(functions: Sequence[Callable[[], T]], *, jobs: int = 2) -> list[T | None]:
    """Run the functions, at most `jobs` at a time. Returns what each returned, in order.

    It is None for a function that raised an exception or ended its process: its traceback is part
    of the output, or a line with its exit status. Whatever happens here, no process is left.
    """
    with tempfile.TemporaryDirectory(prefix="psycoxide-beside-") as folder, _told_to_stop():
        tasks = [_Task(one, Path(folder) / str(number)) for number, one in enumerate(functions)]
        started: list[_Task[T]] = []
        try:
            for task in tasks:
                with task.output.open("rb") as output:
                    while True:
                        _start_more(tasks, started, jobs)
                        # Asked before the output is read, so that its end is not missed.
                        ended = task in started and not task.process.is_alive()
                        shutil.copyfileobj(output, sys.stdout.buffer)
                        sys.stdout.flush()
                        if ended:
                            break
                        time.sleep(PERIOD)
                if task.process.exitcode:
                    print(f"ended with exit status {task.process.exitcode}", flush=True)
            return [task.value() for task in tasks]
        finally:
            _end([task.process for task in started])


def _start_more(tasks: list[_Task[T]], started: list[_Task[T]], jobs: int) -> None:
    running = sum(task.process.is_alive() for task in started)
    for task in tasks[len(started) : len(started) + max(jobs, 1) - running]:
        # What is in the buffer would be printed twice.
        sys.stdout.flush()
        # It gets no SIGTERM until it runs code of ours: what a handler raises while a process is
        # forked is ignored.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            task.process.start()
            started.append(task)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Make SIGTERM an exception, in this process and in those that it starts."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in processes:
        process.join(max(deadline - time.monotonic(), 0))
        process.kill()
        process.join()
