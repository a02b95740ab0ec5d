"""Runs a client's tests to their end, even if processes hang or crash."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PASSED = "passed"
GRACE = 30.0
# The number of processes that may hang or crash before the rest is given up.
MAX_PROCESSES = 12


@dataclasses.dataclass
class Result:
    """How a test ended: passed, failed, error, skipped, xfailed, hang or crash."""

    id: str
    outcome: str
    text: str = ""


@dataclasses.dataclass
class Limits:
    """Seconds: for one test, for silence between tests, for everything."""

    test: float
    idle: float
    all: float


class Events:
    """The lines that a process of tests has written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0
        self.results: dict[str, Result] = {}
        self.current: str | None = None
        self.driver: dict[str, str] = {}
        self.finished = False

    def poll(self) -> bool:
        """Read new lines. Returns whether there were any."""
        with self.path.open("rb") as file:
            file.seek(self.read)
            # The last line may be incomplete.
            lines = file.read().rpartition(b"\n")[0]
        if not lines:
            return False
        self.read += len(lines) + 1
        for line in lines.splitlines():
            self.take(json.loads(line))
        return True

    def take(self, event: dict[str, str]) -> None:
        kind = event.pop("event")
        if kind == "start":
            self.current = event["id"]
        elif kind == "stop":
            # A failure stays one, whatever comes after it: a teardown, another sub-test.
            known = self.results.get(event["id"])
            if known is None or known.outcome in (PASSED, "skipped"):
                self.results[event["id"]] = Result(**event)
            self.current = None
        elif kind == "driver":
            self.driver = event
        elif kind == "finished":
            self.finished = True


def run_all(
    command: list[str],
    folder: Path,
    env: dict[str, str],
    scratch: Path,
    limits: Limits,
    before_each: Callable[[], None],
) -> Events:
    """Run `command` until every test has a result, or there is no more progress."""
    events_path, done_path = scratch / "events", scratch / "done"
    events_path.touch()
    events = Events(events_path)
    env = {**env, "CLIENTS_EVENTS": str(events_path), "CLIENTS_DONE": str(done_path)}
    deadline = time.monotonic() + limits.all
    blamed: collections.Counter[str] = collections.Counter()
    for _ in range(MAX_PROCESSES):
        before_each()
        done_path.write_text("\n".join(events.results))
        events.current, events.finished = None, False
        log = scratch / "log"
        how = one(command, folder, env, log, events, limits, deadline)
        if events.finished:
            break
        culprit = events.current or "(between two tests)"
        events.results[culprit] = Result(culprit, how, tail(log))
        blamed[culprit] += 1
        # For the second time no test was running: the process fails before its first test.
        if time.monotonic() > deadline or (events.current is None and blamed[culprit] > 1):
            break
    return events


def one(
    command: list[str],
    folder: Path,
    env: dict[str, str],
    log: Path,
    events: Events,
    limits: Limits,
    deadline: float,
) -> str:
    """Run one process of tests. Returns `hang` or `crash` if it did not end normally."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        seen = time.monotonic()
        while True:
            ended = process.poll() is not None
            if events.poll():
                seen = time.monotonic()
            now = time.monotonic()
            if ended:
                return "crash"
            limit = limits.test if events.current else limits.idle
            if now > seen + (GRACE if events.finished else limit) or now > deadline:
                return "hang"
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tail(log: Path, size: int = 3000) -> str:
    return log.read_text(errors="replace")[-size:]
