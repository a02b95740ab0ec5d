"""The newest Pythons are tested side by side, and one that fails is told by its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
# The tool, with Pythons that do as their versions say.
PROGRAM = f"""
import importlib, sys, time
sys.path.insert(0, {str(TOOLS)!r})
tool = importlib.import_module("next")

class Python:
    def __init__(self, version, postgresql):
        self.version = version
    def set_up(self, groups):
        return True
    def build(self):
        return self.version != "unbuilt"
    def run(self, *arguments, server):
        return True
    def upstream(self):
        return {{"one": "passed", "two": "failed" if self.version == "lost" else "skipped"}}
    def test(self, arguments):
        for number in range(3):
            print(self.version, number, *arguments, flush=True)
            time.sleep(0.1)
        if self.version == "crash":
            raise OSError("no room")
        return {{"passed": 5, "failed": int(self.version == "failing"), "skipped": 0}}

tool.sid.ensure = tool.sdist.fetch = lambda *_: None
tool.suites.SidInterpreter = Python
sys.exit(tool.main())
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_is_built_then_tested_and_told_in_order():
    done = run("8.1", "8.2", "--", "tests/db")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(" (")[0] for line in done.stdout.splitlines()]
    steps = ("smoke", "psycopg2's suite", "our tests", *range(3), "end")
    assert lines[:-2] == [
        "== Python 8.1: set-up and build",
        "== Python 8.2: set-up and build",
        *(
            f"{version} {step} tests/db"
            if isinstance(step, int)
            else f"== Python {version}: {step}"
            for version in ("8.1", "8.2")
            for step in steps
        ),
    ]
    assert [line.split(":")[0] for line in lines[-2:]] == ["Python 8.1", "Python 8.2"]


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("unbuilt", "failed: set-up and build"),
        ("lost", "failed: psycopg2's suite"),
        ("failing", "failed: our tests"),
        ("crash", "failed: the tests did not come to their end"),
    ],
)
def test_one_that_fails(version, told):
    done = run(version, "8.2")
    *_, first, second = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith(f"Python {version}: ") and first.endswith(told)
    assert "5 passed" in second and "failed:" not in second
    assert version != "crash" or "OSError: no room" in done.stdout
