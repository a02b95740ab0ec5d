"""Compares the results of two drivers, and prints the outcome."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
from pathlib import Path

from upstream.report import gist

from .watch import PASSED, Result

ENDED = ("hang", "crash")
BAD = ("failed", "error", *ENDED)


@dataclasses.dataclass
class Outcome:
    """One client with one driver."""

    driver: dict[str, str]
    results: dict[str, Result]
    seconds: float
    finished: bool

    def count(self, *outcomes: str) -> int:
        return sum(result.outcome in outcomes for result in self.results.values())

    def to_json(self) -> dict[str, object]:
        return {
            "driver": self.driver,
            "seconds": round(self.seconds, 1),
            "finished": self.finished,
            "count": dict(collections.Counter(r.outcome for r in self.results.values())),
            "tests": [dataclasses.asdict(result) for result in self.results.values()],
        }

    @classmethod
    def from_json(cls, content: dict[str, object]) -> Outcome:
        tests: list[dict[str, str]] = content["tests"]  # type: ignore[assignment]
        return cls(
            driver=content["driver"],  # type: ignore[arg-type]
            results={test["id"]: Result(**test) for test in tests},
            seconds=float(content["seconds"]),  # type: ignore[arg-type]
            finished=bool(content["finished"]),
        )


@dataclasses.dataclass
class Comparison:
    """A client with both drivers. `behind` are the tests that pass with the other driver alone, and
    the hangs and crashes of psycoxide alone."""

    title: str
    theirs: Outcome
    ours: Outcome
    allowed: list[str]  # globs of "client test"
    name: str
    peer: str = "psycopg2"

    @property
    def behind(self) -> list[str]:
        behind = [
            test
            for test, result in self.theirs.results.items()
            if result.outcome == PASSED and self.outcome(test) != PASSED
        ]
        # A hang or a crash counts anywhere, even between two tests.
        return behind + [
            test
            for test, result in self.ours.results.items()
            if result.outcome in ENDED and test not in behind and not self.same(test)
        ]

    def same(self, test: str) -> bool:
        theirs = self.theirs.results.get(test)
        return theirs is not None and theirs.outcome == self.outcome(test)

    @property
    def ahead(self) -> list[str]:
        return [
            test
            for test, result in self.ours.results.items()
            if result.outcome == PASSED
            and test in self.theirs.results
            and self.theirs.results[test].outcome in BAD
        ]

    @property
    def unexpected(self) -> list[str]:
        return [test for test in self.behind if not self.allows(test)]

    def allows(self, test: str) -> bool:
        return any(fnmatch.fnmatchcase(f"{self.name} {test}", glob) for glob in self.allowed)

    def outcome(self, test: str) -> str:
        result = self.ours.results.get(test)
        return result.outcome if result else "not run"

    @property
    def good(self) -> bool:
        """Whether psycoxide passes all that its peer passes, and there were results to compare."""
        both = (self.theirs, self.ours)
        return not self.unexpected and all(one.finished and one.count(PASSED) for one in both)


def read_allowed(path: Path) -> list[str]:
    """The globs of the allow-list. A line without a reason ends the program."""
    globs = []
    for line in path.read_text().splitlines():
        glob, _, reason = (part.strip() for part in line.partition("#"))
        if glob and not reason:
            raise SystemExit(f"{path}: no reason is given for {glob}")
        if glob:
            # Brackets are common in the names of tests.
            globs.append(glob.replace("[", "[[]"))
    return globs


def table(comparisons: list[Comparison]) -> str:
    row = "{:<28} {:<10} {:>7} {:>7} {:>8} {:>8}"
    lines = [row.format("client", "driver", "passed", "failed", "skipped", "seconds")]
    for one in comparisons:
        for name, outcome in ((one.peer, one.theirs), ("psycoxide", one.ours)):
            lines.append(
                row.format(
                    one.title if name == one.peer else "",
                    name,
                    outcome.count(PASSED),
                    outcome.count(*BAD),
                    outcome.count("skipped", "xfailed"),
                    f"{outcome.seconds:.0f}",
                )
                + ("" if outcome.finished else "  did not come to its end")
            )
    return "\n".join(lines)


def differences(one: Comparison) -> str:
    lines = []
    for test in one.behind:
        result = one.ours.results.get(test)
        mark = "allowed" if one.allows(test) else "BEHIND"
        lines.append(f"{mark} {one.name} {test}: {one.outcome(test)}")
        if result and mark == "BEHIND":
            lines.append(f"        {gist(result.text)}")
    lines += [f"ahead {one.name} {test}" for test in one.ahead]
    return "\n".join(lines)
