"""What a scenario came to with a driver, and whether one driver does as well as another."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

# From best to worst.
ORDER = ("works", "fails", "hangs", "unsafe")


class Unsafe(AssertionError):
    """What is in the table is not what the program was told: rows of which it heard that they
    failed, or not those of which it heard that they were committed."""


class Hangs(AssertionError):
    """The scenario was not through in its time."""


@dataclasses.dataclass
class Verdict:
    """What came of a scenario, and what it recorded for comparison."""

    outcome: str
    why: str = ""
    records: dict[str, Any] = dataclasses.field(default_factory=dict)

    def no_worse_than(self, other: Verdict) -> bool:
        """Whether a program that got along with `other` gets along with this."""
        if self.outcome == "works" and other.outcome == "works":
            return self.records == other.records
        return ORDER.index(self.outcome) <= ORDER.index(other.outcome)


def judge(error: BaseException | None, records: dict[str, Any]) -> Verdict:
    """The verdict on a scenario that ended with this error, or none."""
    if error is None:
        return Verdict("works", "", records)
    outcome = {Hangs: "hangs", Unsafe: "unsafe"}.get(type(error), "fails")
    return Verdict(outcome, in_a_line(error), records)


def in_a_line(error: BaseException) -> str:
    """An error's class and the beginning of its text, without what is another at each run."""
    text = " ".join(str(error).split())
    text = re.sub(r"\bport \d+", "port N", text)
    name = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return f"{name}{text}"[:200]
