"""Starts workers, watches them, and survives their hangs and crashes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .database import Scratch

Event = dict[str, Any]
EXIT_GRACE = 20.0
IDLE_LIMIT = 60.0


class CannotCollect(SystemExit):
    """The driver or the suite cannot be imported at all."""


@dataclasses.dataclass
class Run:
    """The settings of all workers of a run."""

    python: str
    suite: Path
    modules: list[str]
    env: dict[str, str]
    folder: Path
    log: Path
    timeout: float
    green: str | None


@dataclasses.dataclass
class Collected:
    """The tests found, the driver they run on, and the modules that could not be imported."""

    driver: Event
    tests: list[str]
    not_imported: dict[str, str]


@dataclasses.dataclass
class Result:
    id: str
    outcome: str
    seconds: float
    text: str

    @property
    def module(self) -> str:
        return self.id.split(".")[1]


@dataclasses.dataclass
class Ended:
    """How a worker ended: `ok`, `timeout`, `crash`, or `late`, a failure after its last test."""

    how: str
    current: str | None
    text: str


def collect(run: Run) -> Collected:
    """List the tests, in a worker of its own, since an import may crash."""
    found = Collected({}, [], {})
    fatal: list[str] = []

    def on_event(event: Event) -> None:
        kind = event["event"]
        if kind == "driver":
            found.driver = event
        elif kind == "collected":
            found.tests = event["ids"]
        elif kind == "noimport":
            found.not_imported[event["module"]] = event["text"]
        elif kind == "fatal":
            fatal.append(event["text"])

    ended = work(run, run.modules, None, on_event)
    if not found.tests:
        raise CannotCollect(f"the driver or the suite cannot be imported:\n{fatal or ended.text}")
    return found


def run_all(run: Run, tests: list[str], database: Scratch, *, verbose: bool) -> list[Result]:
    """Run every test, with as many workers as it takes."""
    results: dict[str, Result] = {}

    def record(result: Result) -> None:
        results[result.id] = result
        if verbose:
            print(f"{result.outcome:8} {result.seconds:6.2f}s {result.id}", flush=True)

    def on_event(event: Event) -> None:
        if event["event"] == "stop":
            record(Result(event["id"], event["outcome"], event["seconds"], event["text"]))

    left = tests
    while left:
        named = {test.split(".")[1] for test in left}
        modules = [name for name in run.modules if name in named]
        ended = work(run, modules, left, on_event)
        left = [test for test in left if test not in results]
        if ended.how == "ok":
            for test in left:
                record(Result(test, "error", 0, "the worker did not run it"))
            break
        database.clean()
        if not left:
            break
        # The running test is to blame; between two tests, the next one.
        culprit = ended.current or left[0]
        seconds = run.timeout if ended.how == "timeout" else 0
        outcome = "timeout" if ended.how == "timeout" else "crash"
        record(Result(culprit, outcome, seconds, ended.text))
        left = [test for test in left if test not in results]
    return [results[test] for test in tests if test in results]


def work(
    run: Run, modules: list[str], tests: list[str] | None, on_event: Callable[[Event], None]
) -> Ended:
    """Run one worker to its end."""
    reader, writer = os.pipe()
    orders = run.folder / "worker.json"
    orders.write_text(
        json.dumps(
            {"suite": str(run.suite), "modules": modules, "ids": tests, "green": run.green,
             "pipe": writer}
        )
    )  # fmt: skip
    cwd = run.folder / "cwd"
    cwd.mkdir(exist_ok=True)
    with run.log.open("a+") as log:
        start = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            [os.path.abspath(run.python), "-X", "faulthandler",
             str(Path(__file__).with_name("worker.py")), str(orders)],
            cwd=cwd,
            env=run.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
            start_new_session=True,
        )  # fmt: skip
        os.close(writer)
        watch = Watch(run.timeout, on_event)
        try:
            hung = watch.follow(reader, process)
        finally:
            os.close(reader)
            end_group(process)
        log.seek(start)
        tail = log.read()[-6000:]
    return judge(watch, process, hung, tail, run.timeout)


class Watch:
    """Follows a worker's events and keeps the time."""

    def __init__(self, timeout: float, on_event: Callable[[Event], None]) -> None:
        self.timeout = timeout
        self.on_event = on_event
        self.current: str | None = None
        self.finished = False
        self.deadline = time.monotonic() + max(IDLE_LIMIT, timeout)

    def follow(self, reader: int, process: subprocess.Popen[bytes]) -> bool:
        """Read events until the worker ends. Returns True if it hung."""
        pending = b""
        while True:
            if select.select([reader], [], [], 0.25)[0]:
                data = os.read(reader, 65536)
                if not data:
                    return self.lingers(process)
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.see(json.loads(line))
            elif process.poll() is not None:
                return False
            elif time.monotonic() > self.deadline:
                process.send_signal(signal.SIGUSR1)  # a faulthandler dump into the log
                time.sleep(1)
                return True

    def see(self, event: Event) -> None:
        now = time.monotonic()
        if event["event"] == "start":
            self.current = event["id"]
            self.deadline = now + self.timeout
        elif event["event"] == "stop":
            self.current = None
            self.deadline = now + max(IDLE_LIMIT, self.timeout)
        elif event["event"] in ("done", "collected"):
            self.finished = event["event"] == "done"
            self.deadline = now + (EXIT_GRACE if self.finished else IDLE_LIMIT)
        self.on_event(event)

    @staticmethod
    def lingers(process: subprocess.Popen[bytes]) -> bool:
        """Whether a worker that has closed its pipe goes on running."""
        try:
            process.wait(EXIT_GRACE)
        except subprocess.TimeoutExpired:
            return True
        return False


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a worker and its children: tests fork and spawn."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def judge(
    watch: Watch, process: subprocess.Popen[bytes], hung: bool, tail: str, timeout: float
) -> Ended:
    if hung:
        how = "late" if watch.finished else "timeout"
        return Ended(how, watch.current, f"timed out after {timeout:g}s\n{tail}")
    code = process.returncode
    if watch.current is not None or not watch.finished:
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return Ended("crash", watch.current, f"worker ended by {why}\n{tail}")
    if code:
        return Ended("late", None, f"worker ended with {code} after its last test\n{tail}")
    return Ended("ok", None, "")
