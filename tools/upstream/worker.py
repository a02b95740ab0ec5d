"""The process that imports the driver and runs the tests; started by `processes`.

`worker.py CONFIG` reads its settings from a JSON file and reports on the pipe that it was given.
"""

from __future__ import annotations

import collections
import faulthandler
import importlib
import json
import os
import signal
import sys
import time
import traceback
import types
import unittest
import warnings
from collections.abc import Callable, Iterator
from typing import Any

RANKS = ["passed", "skipped", "failed", "error"]
Emit = Callable[..., None]


class Reporter(unittest.TestResult):
    """Reports each test as it starts and as it stops; the worst thing that happened counts."""

    def __init__(self, emit: Emit) -> None:
        super().__init__()
        self.emit = emit
        self.current: dict[str, Any] | None = None
        self.began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.current = {"event": "stop", "id": test.id(), "outcome": "passed", "text": ""}
        self.began = time.monotonic()
        self.emit(event="start", id=test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if self.current is None:  # Python 3.12.1 skips without a startTest
            return
        self.current["seconds"] = round(time.monotonic() - self.began, 4)
        self.emit(**self.current)
        self.current = None

    def record(self, test: unittest.TestCase, outcome: str, text: str) -> None:
        if self.current is None:  # a fixture of a class or a module, or as above
            self.emit(event="stop", id=test.id(), outcome=outcome, text=text, seconds=0)
            return
        if RANKS.index(outcome) > RANKS.index(self.current["outcome"]):
            self.current["outcome"] = outcome
        self.current["text"] = (self.current["text"] + "\n" + text).strip()

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self.record(test, "error", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.record(test, "failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.record(test, "skipped", str(reason))

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            kind = "failed" if issubclass(err[0], test.failureException) else "error"
            self.record(test, kind, self._exc_info_to_string(err, test))  # type: ignore[attr-defined]


def flatten(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def load(config: dict[str, Any], emit: Emit) -> dict[str, unittest.TestCase]:
    """Import the test modules one by one: if one cannot be imported, the others still run."""
    package = types.ModuleType("tests")
    package.__path__ = [os.path.join(config["suite"], "tests")]
    sys.modules["tests"] = package
    loader = unittest.TestLoader()
    tests: dict[str, unittest.TestCase] = collections.OrderedDict()
    for name in config["modules"]:
        try:
            module = importlib.import_module("tests." + name)
            for test in flatten(loader.loadTestsFromModule(module)):
                tests[test.id()] = test
        except BaseException:
            emit(event="noimport", module=name, text=traceback.format_exc())
    return tests


def main(config: dict[str, Any]) -> int:
    os.set_inheritable(config["pipe"], False)
    out = os.fdopen(config["pipe"], "w", buffering=1)

    def emit(**event: Any) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True, chain=False)
    if config["green"] == "eventlet":
        warnings.simplefilter("ignore")  # its own deprecation warning is no error of ours
        importlib.import_module("eventlet")
    warnings.simplefilter("error")  # as upstream's tests/__init__.py does
    try:
        driver = importlib.import_module("psycopg2")
    except BaseException:
        emit(event="fatal", text=traceback.format_exc())
        return 3
    emit(
        event="driver",
        name=driver.__name__,
        version=str(getattr(driver, "__version__", None)),
        libpq=getattr(driver, "__libpq_version__", None),
    )
    tests = load(config, emit)
    emit(event="collected", ids=list(tests))
    if config["ids"] is None:
        return 0
    # Keep no reference to a test that has run, as unittest keeps none: it may hold connections
    # that its tearDown did not close.
    suite = unittest.TestSuite(tests[name] for name in config["ids"] if name in tests)
    tests.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # what unittest.main() sets
        suite.run(Reporter(emit))
    emit(event="done")
    out.close()
    return 0


if __name__ == "__main__":
    with open(sys.argv[1]) as orders:
        settings = json.load(orders)
    # Nothing may be imported from here: `tests` and the driver come from elsewhere.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    sys.exit(main(settings))
