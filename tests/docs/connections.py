"""The databases and roles that a page's examples connect to, and those that it says how to make."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pages

sys.path.insert(0, str(pages.ROOT / "tools"))

import shell

# "dbname=shop user=me", then dbname="shop", then "postgresql://me@host:5433/shop?..."
_STRING = re.compile(r"""(["'])(.*?)\1""")
_INSIDE = re.compile(r"\b(?:dbname|user)=([\w-]+)")
_KEYWORD = re.compile(r"""\b(?:dbname|database|user)=(["'])([\w-]+)\1""")
_URI = re.compile(r"""\bpostgres(?:ql)?://(?:([\w-]+)[^@\s"'/]*@)?[^/\s"']*(?:/([\w-]+))?""")
# `createdb shop`, `createuser --superuser me`, `create database shop owner me`, `create role me`
_MADE = re.compile(
    r"^\s*(?:createdb|createuser)\s+(?:--?\w+\s+)*([\w-]+)|\bcreate\s+(?:database|role|user)\s+(\w+)",
    re.MULTILINE | re.IGNORECASE,
)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: [^>]*-->\s*\Z")
# Every server has these.
ALWAYS = {"postgres", "template1"}


def blocks(text: str, *languages: str) -> str:
    """The page's blocks in these languages, but those that are marked not to be run."""
    return "\n".join(
        fence[2]
        for fence in _FENCE.finditer(text)
        if fence[1] in languages and not _NOT_RUN.search(text, 0, fence.start())
    )


def used(text: str) -> set[str]:
    """The databases and roles that the page's examples of Python connect to."""
    code = blocks(text, "python", "pycon")
    names = {name for _quote, name in _KEYWORD.findall(code)}
    for _quote, string in _STRING.findall(code):
        names |= set(_INSIDE.findall(string))
        names |= {name for both in _URI.findall(string) for name in both if name}
    return names


def made(text: str) -> set[str]:
    """The databases and roles that the page makes, in its examples or with `make server`."""
    code = blocks(text, "sh", "sql", "python", "pycon")
    # In prose as well, where a command stands in backquotes.
    commands = "\n".join(re.findall(r"`([^`\n]+)`", pages.prose(text)))
    found = {name for both in _MADE.findall(f"{code}\n{commands}") for name in both if name}
    if re.search(r"^make server\b", blocks(text, "sh"), re.MULTILINE):
        found |= {shell.DATABASE, shell.ROLE}
    return found | ALWAYS


def nowhere_made(text: str, cover: str = "") -> set[str]:
    """What the page's examples connect to and neither it makes nor the cover of its folder."""
    return used(text) - made(text) - made(cover)


def cover_of(page: Path) -> str:
    """The text of the README of the page's folder, or of the one above it."""
    folder = next(
        parent for parent in (page.parent, *page.parents) if (parent / "README.md").exists()
    )
    return (folder / "README.md").read_text(encoding="utf-8")
