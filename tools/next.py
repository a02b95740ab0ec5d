#!/usr/bin/env python3
"""Builds and tests on Pythons that are newer than this machine's, in a chroot of Debian sid.

    tools/next.py [--brief] [VERSION...] [-- PYTEST...]      3.14 and 3.15, unless others are named

For each: a wheel in release mode, `tools/smoke_program.py`, psycopg2's own suite, and our tests, on
the chroot's PostgreSQL. With --brief, only those of our tests that are in `BRIEF`. The wheels are
built one after the other, the tests of the Pythons are run side by side. Files are kept between
runs in `.cache/next`. At the end it prints a line for each Python; the exit code is 1 if anything
failed. If there can be no chroot (see `tools/sid.py`), it says so and exits with 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import beside
import pgserver
import sid
import suites
from upstream import report, sdist

VERSIONS = ("3.14", "3.15")
POSTGRESQL = "18"
# With --brief: the tests, and the groups of pyproject.toml that they need.
BRIEF = ("tests/aio", "tests/sync", "tests/db", "tests/unit")
BRIEF_GROUPS = ("test",)
BEGAN = time.monotonic()


@dataclasses.dataclass
class Outcome:
    """The results for one Python."""

    version: str
    counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    broken: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        parts = [
            f"{title} " + ", ".join(f"{count} {name}" for name, count in counts.items())
            for title, counts in self.counts.items()
        ]
        failed = [f"failed: {', '.join(self.broken)}"] if self.broken else []
        return f"Python {self.version}: " + "; ".join([*parts, *failed])


def build(version: str, groups: Sequence[str]) -> Outcome:
    """Build for this Python, and install what its tests need."""
    outcome = Outcome(version)
    title = step(version, "set-up and build")
    python = suites.SidInterpreter(version, POSTGRESQL)
    if not (python.set_up(groups) and python.build()):
        outcome.broken.append(title)
    return outcome


def check(outcome: Outcome, arguments: Sequence[str]) -> Outcome:
    """Test on this Python, if it could be built for."""
    version = outcome.version
    if outcome.broken:
        return outcome
    python = suites.SidInterpreter(version, POSTGRESQL)
    title = step(version, "smoke")
    if not python.run("-I", "tools/smoke_program.py", server=True):
        outcome.broken.append(title)
    title = step(version, "psycopg2's suite")
    results = python.upstream()
    unexpected = suites.lost(results, {}, report.read_globs(suites.ALLOWED))
    counts = suites.count_upstream(results)
    counts["failed" if unexpected else "failed as expected"] = counts.pop("failed")
    outcome.counts[title] = counts
    if unexpected or not results:
        outcome.broken.append(title)
    title = step(version, "our tests")
    counts = outcome.counts[title] = python.test(arguments)
    if not counts.get("passed") or counts["failed"]:
        outcome.broken.append(title)
    step(version, "end")
    return outcome


def step(version: str, title: str) -> str:
    print(f"== Python {version}: {title} ({time.monotonic() - BEGAN:.0f} s)", flush=True)
    return title


def main() -> int:
    ours, given = pgserver.split(sys.argv[1:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--brief", action="store_true", help="only a part of our tests")
    parser.add_argument("versions", nargs="*", metavar="VERSION", default=VERSIONS)
    options = parser.parse_args(ours)
    try:
        sid.ensure([f"postgresql-{POSTGRESQL}", *suites.sid_packages(*options.versions)])
    except sid.Unavailable as reason:
        print(f"Python {', '.join(options.versions)}: skipped: {reason}")
        return 0
    except sid.Failed as error:
        print(f"Python {', '.join(options.versions)}: not tested: {error}")
        return 1
    groups = BRIEF_GROUPS if options.brief else suites.GROUPS
    arguments = given or (BRIEF if options.brief else ("tests",))
    # Once, before the first of them looks for it.
    sdist.fetch(suites.ROOT / ".cache" / "upstream", sys.executable)
    built = [build(version, groups) for version in options.versions]
    checked = beside.run(
        [functools.partial(check, outcome, arguments) for outcome in built], jobs=len(built)
    )
    outcomes = [
        outcome or dataclasses.replace(first, broken=["the tests did not come to their end"])
        for first, outcome in zip(built, checked, strict=True)
    ]
    for outcome in outcomes:
        print(outcome)
    return int(any(outcome.broken for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
