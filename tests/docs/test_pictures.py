"""The pictures of the manual show the figures of the tables beside them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages

sys.path.insert(0, str(pages.ROOT / "benches"))

import pictures

PAGE = pages.ROOT / "docs" / "performance.md"
DRAWN = pages.ROOT / "docs" / "pictures"


def figures() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.name for path in DRAWN.iterdir()))
def test_a_picture_is_what_the_tables_of_its_page_give(name: str) -> None:
    drawn = pictures.draw(figures())
    assert name in drawn, "nothing draws it"
    assert (DRAWN / name).read_text(encoding="utf-8") == drawn[name], "make bench-page draws it"
    assert f"](pictures/{name})" in figures()


def test_all_that_is_drawn_is_there() -> None:
    assert sorted(pictures.draw(figures())) == sorted(path.name for path in DRAWN.iterdir())


def test_every_row_is_in_its_picture() -> None:
    """A picture that leaves a row out would be right whatever the table says of it."""
    found = pictures.sections(figures())
    drawn = pictures.draw(figures())
    for section, name, least in (("", "ratios.svg", 40), ("Growth", "growth.svg", 14)):
        table = [line for line in found[section].splitlines() if line.startswith("| ")][1:]
        rows = [re.findall(r"`(\w+)`", line)[-1] for line in table if "`" in line]
        assert len(rows) >= least
        assert rows == re.findall(r'text-anchor="end"[^>]*>([^<]+)<', drawn[name])


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("growth.svg", r"(`rows`\).*\| )[\d.]+ \|$", r"\g<1>1.99 |"),
        ("growth.svg", r"(`columns`\) \| 1 \| )1,600", r"\g<1>1,700"),
        ("ratios.svg", r"(`rt_commit`\) \| )[\d.]+", r"\g<1>9.99"),
        ("ratios.svg", r"(`f_wide`\).*\| )[\d.]+ \|$", r"\g<1>9.5 |"),
    ],
)
def test_a_table_that_is_newer_than_its_picture_is_found(
    name: str, before: str, after: str
) -> None:
    changed, count = re.subn(before, after, figures(), count=1, flags=re.MULTILINE)
    assert count == 1
    assert pictures.draw(changed)[name] != pictures.draw(figures())[name]
