"""The report as text, for people."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from typing import IO

from psycoxide._doctor.report import EXIT_CODES, Report, Step

_COLOURS = {"ok": "32", "warning": "33", "failed": "31", "skipped": "2"}
_MARKS = {"ok": "ok", "warning": "note", "failed": "FAIL", "skipped": "-"}
# Columns: the mark, the step's name, its time; what follows is the text.
_MARK, _NAME, _TIME = 4, 14, 9
_INDENT = " " * (2 + _MARK + 2 + _NAME + 2 + _TIME + 2)
_NARROWEST, _WIDEST = 72, 110


class Printer:
    """Writes steps as they come. Colours only on a terminal, and without NO_COLOR."""

    def __init__(self, out: IO[str], environment: Mapping[str, str]) -> None:
        self._out = out
        is_terminal = out.isatty()
        # https://no-color.org: "when present and not an empty string".
        self._colours = (
            is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        )
        columns = shutil.get_terminal_size().columns if is_terminal else 100
        self._skipped: list[str] = []
        self._told: set[str] = set()
        self._width = max(_NARROWEST, min(columns, _WIDEST))

    def begin(self, version: str) -> None:
        self._write(self._paint(f"psycoxide {version}: the way to the server", "1"))
        self._write()

    def step(self, step: Step) -> None:
        """A step's line, and below it what is wrong."""
        name, seconds, finding = step
        self._told.add(name)
        if finding.status == "skipped" and seconds is None:
            # One line for all of them, at the end.
            self._skipped.append(name)
            return
        colour = _COLOURS[finding.status]
        mark = self._paint(_MARKS[finding.status].ljust(_MARK), colour)
        took = "" if seconds is None else f"{seconds * 1000:.1f} ms"
        begin = f"  {mark}  {name.ljust(_NAME)}  {took.rjust(_TIME)}  "
        lines = self._wrapped(finding.summary)
        self._write(begin + lines[0])
        for line in lines[1:]:
            self._write(_INDENT + line)
        if finding.cause:
            for line in self._wrapped(finding.cause):
                self._write(_INDENT + self._paint(line, colour))
        if name == "settings":
            self._options(finding.facts.get("options", {}))

    def end(self, report: Report) -> None:
        """The steps that were not taken, advice, and the verdict."""
        for step in report.steps:
            # Ctrl-C may have come before it could be told.
            if step.name not in self._told:
                self.step(step)
        if self._skipped:
            text = f"not reached: {', '.join(self._skipped)}"
            for line in textwrap.wrap(text, self._width - 2):
                self._write(f"  {self._paint(line, _COLOURS['skipped'])}")
        advice = [(step.name, text) for step in report.steps for text in step.finding.advice]
        if advice:
            self._write()
            self._write(self._paint("What to change", "1"))
            for name, text in advice:
                lines = textwrap.wrap(f"{name}: {text}", self._width - 4) or [""]
                self._write(f"  * {lines[0]}")
                for line in lines[1:]:
                    self._write(f"    {line}")
        self._write()
        self._write(self._verdict(report))

    def _verdict(self, report: Report) -> str:
        if report.interrupted:
            return self._paint("Interrupted: this is what is known.", _COLOURS["warning"])
        failed = report.failed
        if failed is None:
            return self._paint("All steps have passed.", _COLOURS["ok"])
        text = f"The step {failed} has failed: exit code {EXIT_CODES[failed]}."
        return self._paint(text, _COLOURS["failed"])

    def _options(self, options: Mapping[str, Mapping[str, str | None]]) -> None:
        """The options that somebody gave, and those that say where to."""
        always = ("host", "port", "user", "dbname", "sslmode")
        for name, option in options.items():
            if option["source"] in ("default", "account") and name not in always:
                continue
            source = {
                "argument": "the argument",
                "uri": "the URI",
                "service": "service",
                "environment": "environment",
                "passfile": "password file",
                "default": "default",
                "account": "the account's name",
            }[str(option["source"])]
            place = f", {option['place']}" if option["place"] else ""
            value = option["value"] or "''"
            self._write(f"{_INDENT}{name} = {value}  {self._paint(f'({source}{place})', '2')}")

    def _wrapped(self, text: str) -> list[str]:
        width = max(30, self._width - len(_INDENT))
        return textwrap.wrap(text, width, break_on_hyphens=False) or [""]

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text

    def _write(self, line: str = "") -> None:
        self._out.write(printable(line.rstrip(), keep="\x1b" if self._colours else "") + "\n")
        self._out.flush()


def printable(text: str, keep: str = "") -> str:
    """The text without control characters: it may have a server's words in it."""
    return "".join(char if char.isprintable() or char in keep else "?" for char in text)
