"""The Markdown pages of the repository, and faults that one sees only when they are shown.

Each finder takes a page's text and returns what is wrong with it, as lines like `12: the fault`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def _pages() -> Iterator[Path]:
    for page in sorted(ROOT.rglob("*.md")):
        folders = page.relative_to(ROOT).parts[:-1]
        # What tools made: .venv, .cache, cargo's target.
        if not any(name.startswith(".") or name == "target" for name in folders):
            yield page


PAGES = list(_pages())
# Written by a tool of docstrings, of which some say the same in several classes.
GENERATED = ROOT / "docs" / "api"

_CODE = re.compile(r"^( *)(```+|~~~+).*?^\1\2`*$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"(#+) +(.+)")
_DELIMITER = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")


def name(page: Path) -> str:
    """How a page is called in the results of tests."""
    return str(page.relative_to(ROOT))


def prose(text: str) -> str:
    """The page without its code and its comments, each line where it was."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    return _COMMENT.sub(blank, _CODE.sub(blank, text))


def cells(row: str) -> int:
    """The number of cells of a table's row. A bar in code parts cells too, unless it is escaped."""
    bare = row.strip().replace("\\|", "").removeprefix("|").removesuffix("|")
    return bare.count("|") + 1


def broken_tables(text: str) -> list[str]:
    """Rows that show as text full of bars, and rows with too many cells or too few.

    A table is a header, a row of dashes with as many cells, and rows up to the next empty line; a
    row anywhere else belongs to a table that was cut.
    """
    wrong = []
    width = 0  # of the table that this line is in; none outside
    before = ""
    for number, line in enumerate(prose(text).split("\n"), 1):
        dashes = "|" in line and bool(_DELIMITER.fullmatch(line.strip()))
        if not line.strip():
            width = 0
        elif width:
            if cells(line) != width:
                wrong.append(f"{number}: {cells(line)} cells in a table of {width}")
        elif dashes:
            if "|" in before and cells(before) == cells(line):
                width = cells(line)
                wrong = [fault for fault in wrong if not fault.startswith(f"{number - 1}:")]
            else:
                wrong.append(f"{number}: no header above the dashes")
        elif line.startswith("|"):
            wrong.append(f"{number}: a row without a table")
        before = line
    return wrong


def repeated_headings(text: str) -> list[str]:
    """Headings that stand twice under the same heading."""
    wrong = []
    first: dict[tuple[str, ...], int] = {}
    path: list[str] = []
    for number, line in enumerate(prose(text).split("\n"), 1):
        heading = _HEADING.fullmatch(line)
        if not heading:
            continue
        level = len(heading[1])
        path = [*path[: level - 1], *[""] * (level - 1 - len(path)), heading[2].strip()]
        if tuple(path) in first:
            wrong.append(f"{number}: the heading of line {first[tuple(path)]} again: {heading[2]}")
        first.setdefault(tuple(path), number)
    return wrong


def repeated_blocks(text: str, least: int = 40) -> list[str]:
    """Paragraphs, lists and tables that stand twice, and rows that a table has twice.

    What is shorter than `least` characters may well be said again.
    """
    wrong = []
    blocks: dict[str, int] = {}
    number = 1
    for block in re.split(r"(\n\s*\n)", prose(text)):
        words = " ".join(block.split())
        if len(words) >= least:
            if words in blocks:
                wrong.append(f"{number}: the block of line {blocks[words]} again: {words[:40]}")
            blocks.setdefault(words, number)
            rows: dict[str, int] = {}
            for offset, line in enumerate(block.strip("\n").split("\n")):
                if line.startswith("|") and line in rows:
                    wrong.append(f"{number + offset}: the row of line {rows[line]} again")
                rows.setdefault(line, number + offset)
        number += block.count("\n")
    return wrong
