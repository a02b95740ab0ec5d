"""Links and pictures of the pages lead somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages

# [words](target), ![words](target), [words]: target, <img src="target">; a title may follow.
_LINK = re.compile(
    r"""\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)|<(?:img|a)\b[^>]*?(?:src|href)="([^"]+)\"""",
    re.MULTILINE,
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in _HEADING.findall(pages.prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while (unique := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(unique)
    return found


def broken(text: str, folder: Path) -> list[str]:
    """The links of a page in this folder that lead nowhere; those to other hosts are not tried."""
    wrong = []
    for match in _LINK.finditer(re.sub(r"`[^`\n]*`", "", pages.prose(text))):
        link = next(filter(None, match.groups()))
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve()
        # A checkout may lie anywhere: what is beside it is nobody else's.
        if path and not (target.exists() and target.is_relative_to(pages.ROOT)):
            wrong.append(link)
        elif anchor:
            there = target.read_text(encoding="utf-8") if path else text
            if anchor not in anchors(there):
                wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert broken(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize(
    "link",
    [
        "[words](no-such-page.md)",
        "[words](README.md#no-such-heading)",
        "[words](#no-such-heading)",
        "[the words\nof two lines](no-such-page.md)",
        "![a picture](pictures/none.svg)",
        '<img src="pictures/none.svg" width="3">',
        "[`code`](no-such-page.md)",
        "[words]: no-such-page.md",
        '[words](no-such-page.md "a title")',
        "[words](../../outside.md)",
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert len(broken(f"# Page\n\n{link}\n", pages.ROOT / "docs")) == 1


@pytest.mark.parametrize(
    "link",
    [
        "[words](README.md)",
        "[words](README.md#reference)",
        "[words](#page-1)",
        "[words](https://example.org/none)",
        "`[words](none.md)`",
        "```text\n[words](none.md)\n```",
        "![a picture](pictures/growth.svg)",
    ],
)
def test_a_link_that_leads_somewhere_is_not(link: str) -> None:
    assert broken(f"# Page\n\n# Page\n\n{link}\n", pages.ROOT / "docs") == []
