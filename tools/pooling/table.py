"""The table of docs/poolers.md: what works through which pooler, from the outcomes of a run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "poolers.md"
BEGIN = "<!-- written by make test-poolers UPDATE=1 -->\n"
END = "<!-- end -->\n"
HEAD = ("pooler", "from", "mode", "server")
COLUMNS = (
    "session",
    "many clients",
    "errors",
    "executemany",
    "COPY",
    "large objects",
    "named cursors",
    "binary cursors",
    "bound statements",
    "cancel",
    "restart",
    "pool is full",
    "console",
)
# From best to worst, as tests/poolers/verdicts.py has it.
ORDER = ("works", "fails", "hangs", "unsafe")
# A cell without a scenario.
NOTHING = "-"
UNSTEADY = "(unsteady)"
# If a pooler is unsteady, this share of psycopg2's working scenarios must work with psycoxide.
SHARE = 0.8
FAULTS = "These work neither with psycopg2 nor with psycoxide:"
GAINS = "These work with psycoxide, but not with psycopg2:"


class Seen(NamedTuple):
    """A scenario of a row, and its outcome with each driver that ran it."""

    column: str
    name: str
    outcomes: dict[str, str]
    same: bool


class Row(NamedTuple):
    """A row of the table, and its lines below the table."""

    key: str
    cells: tuple[str, ...]
    faults: str
    gains: str

    @property
    def unsteady(self) -> bool:
        return UNSTEADY in self.cells[2]


def rows(report: dict[str, Any]) -> list[Row]:
    """The rows for a run's outcomes."""
    poolers = report["poolers"].items()
    return [row(pooler, seen_of(report, name)) for name, pooler in poolers]


def seen_of(report: dict[str, Any], row: str) -> list[Seen]:
    """The scenarios of a row."""
    found: dict[str, Seen] = {}
    records: dict[str, Any] = {}
    for verdict in report["verdicts"]:
        if verdict["row"] != row:
            continue
        name, driver = verdict["scenario"], verdict["driver"]
        seen = found.setdefault(name, Seen(verdict["column"], name, {}, True))
        seen.outcomes[driver] = verdict["outcome"]
        if records.setdefault(name, verdict["records"]) != verdict["records"]:
            found[name] = seen._replace(same=False)
    return list(found.values())


def row(pooler: dict[str, Any], seen: list[Seen]) -> Row:
    mode = pooler["mode"]
    if pooler["unsteady"]:
        mode += f" {UNSTEADY}"
        cells = [count([each for each in seen if each.column == column]) for column in COLUMNS]
        faults = gains = ""
    else:
        cells = [cell([each for each in seen if each.column == column]) for column in COLUMNS]
        faults = told(seen, lambda each: own(each) != "works" and expected(each), own)
        gains = told(seen, lambda each: own(each) == "works" != reference(each), reference)
    head = (f"{pooler['title']} {pooler['version']}", pooler["place"], mode, pooler["server"])
    return Row(f"{pooler['title']} of {pooler['place']}, {mode}", (*head, *cells), faults, gains)


def told(seen: list[Seen], chosen: Callable[[Seen], bool], outcome: Callable[[Seen], str]) -> str:
    return "; ".join(f"{each.name}: {outcome(each)}" for each in seen if chosen(each))


def own(seen: Seen) -> str:
    """The outcome with psycoxide; or with psycopg2, if psycoxide was not tried after that."""
    return seen.outcomes.get("psycoxide") or seen.outcomes["psycopg2"]


def reference(seen: Seen) -> str:
    return seen.outcomes.get("psycopg2", "works")


def expected(seen: Seen) -> bool:
    """Whether psycopg2 did no better."""
    if own(seen) == reference(seen) == "works":
        return seen.same
    return ORDER.index(own(seen)) <= ORDER.index(reference(seen))


def cell(seen: list[Seen]) -> str:
    """The cell for the scenarios of a column."""
    if not seen:
        return NOTHING
    if not all(map(expected, seen)):
        return "**differs**"
    return "works" if all(own(each) == "works" for each in seen) else "as psycopg2"


def count(seen: list[Seen]) -> str:
    """The cell of an unsteady pooler: how many scenarios worked, and how many with psycopg2."""
    if not seen:
        return NOTHING
    ours, theirs = worked(seen)
    return f"{ours} of {len(seen)}, {theirs} with psycopg2"


def worked(seen: list[Seen]) -> tuple[int, int]:
    ours = sum(own(each) == "works" for each in seen)
    return ours, sum(reference(each) == "works" for each in seen)


def unsteady_and_worse(report: dict[str, Any]) -> list[str]:
    """Unsteady poolers through which much less works with psycoxide than with psycopg2."""
    found = []
    for name, pooler in report["poolers"].items():
        ours, theirs = worked(seen_of(report, name))
        if pooler["unsteady"] and ours < SHARE * theirs:
            found.append(f"{name}: {ours} scenarios work, and {theirs} with psycopg2")
    return found


# ---- the page -------------------------------------------------------------------------------


def section(found: Sequence[Row], before: str) -> str:
    """The text between the marks; rows that were not run stay as they are in `before`."""
    kept = {row.key: row for row in read(before)}
    for row in found:
        kept[row.key] = row
    every = sorted(kept.values(), key=lambda row: row.key.lower())
    lines = [line((*HEAD, *COLUMNS)), line(["---"] * (len(HEAD) + len(COLUMNS)))]
    lines += [line(row.cells) for row in every]
    for title, notes in (
        (FAULTS, [(row.key, row.faults) for row in every]),
        (GAINS, [(row.key, row.gains) for row in every]),
    ):
        items = [wrapped(f"* *{key}*: {text}") for key, text in notes if text]
        if items:
            lines += ["", title, "", *items]
    return "\n".join(lines) + "\n"


def wrapped(item: str) -> str:
    """An item of a list in lines of the page's width."""
    return textwrap.fill(item, 100, subsequent_indent="  ", break_on_hyphens=False)


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def read(text: str) -> list[Row]:
    """The rows that a section has."""
    notes: dict[str, dict[str, str]] = {FAULTS: {}, GAINS: {}}
    title = ""
    found = []
    for each in re.sub(r"\n  (?=\S)", " ", text).splitlines():
        if each in notes:
            title = each
        elif match := re.fullmatch(r"\* \*(.+?)\*: (.+)", each):
            notes[title][match[1]] = match[2]
        elif each.startswith("|"):
            cells = tuple(part.strip() for part in each.strip("|").split("|"))
            found.append(cells)
    return [
        Row(key, cells, notes[FAULTS].get(key, ""), notes[GAINS].get(key, ""))
        for cells in found[2:]
        for key in [f"{cells[0].rpartition(' ')[0]} of {cells[1]}, {cells[2]}"]
    ]


def split(page: str) -> tuple[str, str, str]:
    """A page before, in and after its section. Raises ValueError where the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    section, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN.strip()} ... {END.strip()}")
    return before + begin, section, end + after


def comparable(section: str) -> str:
    """The part of a section that must not change.

    It is without the versions, the outcomes of unsteady poolers, and psycopg2's failures.
    """
    lines = [each for each in section.partition(GAINS)[0].splitlines() if UNSTEADY not in each]
    return re.sub(r"\d+(\.\d+)+", "N", "\n".join(lines))
