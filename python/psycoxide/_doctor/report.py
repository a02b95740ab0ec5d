"""What an examination has found: steps, their outcomes, and the exit code that follows."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple, TypeAlias

Status: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

# The format of `--json`. It grows when a name in there gets another meaning or goes away; names
# may come without that.
FORMAT = 1

# Ends by itself, at a fault of this program, and at Ctrl-C. argparse ends with 2.
ALL_PASSED, BROKEN, INTERRUPTED = 0, 1, 130

# The steps in their order, and with what exit code each ends the command if it is the first that
# fails. docs/doctor.md promises these numbers.
EXIT_CODES: dict[str, int] = {
    "interpreter": 10,
    "settings": 11,
    "lookup": 12,
    "socket": 13,
    "protocol": 14,
    "tls": 15,
    "authentication": 16,
    "session": 17,
    "server": 18,
    "pooler": 19,
    "statements": 20,
    "listen": 21,
    "latency": 22,
    "encoding": 23,
    "timeouts": 24,
    "connections": 25,
    "extensions": 26,
    "clock": 27,
}


@dataclasses.dataclass
class Finding:
    """What a step has found.

    `summary` is one line. `cause` says in plain words why, if something is wrong. `facts` are for
    machines. `advice` is what to change. `seconds` is how long the step took, if that is not the
    time that finding it out took.
    """

    status: Status
    summary: str
    cause: str | None = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    advice: list[str] = dataclasses.field(default_factory=list)
    seconds: float | None = None


class Step(NamedTuple):
    """A step that was taken, or skipped: its name, seconds and finding."""

    name: str
    seconds: float | None
    finding: Finding


@dataclasses.dataclass
class Report:
    """The steps up to now."""

    steps: list[Step] = dataclasses.field(default_factory=list)
    interrupted: bool = False

    @property
    def names(self) -> list[str]:
        """The names of these steps."""
        return [step.name for step in self.steps]

    @property
    def failed(self) -> str | None:
        """The name of the first step that failed."""
        return next((step.name for step in self.steps if step.finding.status == "failed"), None)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        return ALL_PASSED if self.failed is None else EXIT_CODES[self.failed]

    @property
    def verdict(self) -> str:
        if self.interrupted:
            return "interrupted"
        return "ok" if self.failed is None else "failed"

    def as_json(self, version: str) -> dict[str, Any]:
        """The report as `--json` prints it; `version` is psycoxide's."""
        return {
            "format": FORMAT,
            "psycoxide": version,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "failed_step": self.failed,
            "steps": [
                {
                    "name": name,
                    "status": finding.status,
                    "milliseconds": None if seconds is None else round(seconds * 1000, 3),
                    "summary": finding.summary,
                    "cause": finding.cause,
                    "facts": finding.facts,
                }
                for name, seconds, finding in self.steps
            ],
            "advice": [
                {"step": name, "text": text}
                for name, _, finding in self.steps
                for text in finding.advice
            ],
        }
