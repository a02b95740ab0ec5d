"""No page has a table that was cut, or says a thing twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"
PARAGRAPH = "A paragraph that is long enough to be more than a phrase.\n"


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_the_tables_of_a_page_are_whole(page: Path) -> None:
    assert pages.broken_tables(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_no_heading_stands_twice(page: Path) -> None:
    assert pages.repeated_headings(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "page", [p for p in pages.PAGES if pages.GENERATED not in p.parents], ids=pages.name
)
def test_nothing_is_said_twice(page: Path) -> None:
    assert pages.repeated_blocks(page.read_text(encoding="utf-8")) == []


def test_all_pages_are_looked_at() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "docs/api/extras.md"} <= {
        pages.name(page) for page in pages.PAGES
    }


# ---- the finders find -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TABLE.replace("| 3", "\n| 3"), "5: a row without a table"),
        (TABLE + "\n---|---|\n| 1 | 2 |\n", "6: no header above the dashes"),
        (TABLE.replace("| 4 |", "| 4 | 5 |"), "4: 3 cells in a table of 2"),
        (TABLE.replace("| 4 |", "|"), "4: 1 cells in a table of 2"),
        (TABLE.replace("| 3 |", "| `3|3` |"), "4: 3 cells in a table of 2"),
        (TABLE.replace("| a | b |", "| a |"), "1: a row without a table"),
        ("words\n" + "|---|---|\n", "2: no header above the dashes"),
    ],
)
def test_a_table_that_was_cut_is_found(text: str, line: str) -> None:
    assert line in pages.broken_tables(text)


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "words\n\n" + TABLE + "\nwords\n\n" + TABLE,
        "a | b\n--- | ---\n1 | 2\n",
        TABLE.replace("| 3 |", r"| `3\|3` |"),
        "```text\n| no table |\n```\n",
        "<!--\n| no table |\n-->\n",
        "a title\n---\n",
    ],
)
def test_a_table_that_is_whole_is_not(text: str) -> None:
    assert pages.broken_tables(text) == []


def test_a_heading_that_stands_twice_is_found() -> None:
    text = "# Page\n\n## One\n\n### Notes\n\n## Two\n\n### Notes\n\n"
    assert pages.repeated_headings(text) == []
    assert pages.repeated_headings(text + "## One\n") == ["11: the heading of line 3 again: One"]
    assert pages.repeated_headings(text + "```sh\n## One\n```\n") == []


def test_a_block_that_stands_twice_is_found() -> None:
    assert pages.repeated_blocks(PARAGRAPH + "\n" + TABLE + "\nOther words.\n") == []
    (found,) = pages.repeated_blocks(
        PARAGRAPH + "\nwords\n\n" + PARAGRAPH.replace(" that", "\nthat")
    )
    assert found.startswith("5: the block of line 1 again")
    assert pages.repeated_blocks(TABLE.replace("| 3 | 4 |", "| 1 | 2 |"), least=5) == [
        "4: the row of line 3 again"
    ]
    code = f"```text\n{PARAGRAPH}```\n"
    assert pages.repeated_blocks(code + "\n" + code) == []
