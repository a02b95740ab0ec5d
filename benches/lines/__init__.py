"""The lines of `make bench-growth`: one file for each theme; found by name or by theme."""

from __future__ import annotations

from . import composing, copying, messages, registering, results, sessions, statements, values
from .registry import ALL, Line

__all__ = ["ALL", "THEMES", "Line", "choose"]

THEMES: dict[str, list[str]] = {}
for theme in (results, values, statements, copying, messages, sessions, registering, composing):
    name = theme.__name__.rsplit(".", 1)[1]
    THEMES[name] = [name for name, line in ALL.items() if line.body.__module__ == theme.__name__]


def choose(text: str) -> list[str]:
    """The lines of a comma-separated list of names and themes, all if it is empty. Raises KeyError
    for an unknown word."""
    found: list[str] = []
    for word in text.replace(",", " ").split() or THEMES:
        if word not in THEMES and word not in ALL:
            raise KeyError(word)
        found += THEMES.get(word, [word])
    return found
