"""The workloads: one file for each theme; found by name or by group."""

from __future__ import annotations

from . import (
    alchemy,
    arrow,
    awaited,
    binding,
    connecting,
    copying,
    encrypted,
    fetching,
    other,
    pools,
    roundtrips,
    rowwise,
    web,
    writing,
)
from .registry import ALL, Workload

__all__ = ["ALL", "GROUPS", "Workload", "choose"]

# One line for each theme, short enough to be run often.
QUICK = ["f_int1m", "f_mixed", "rt_simple", "memory"]

GROUPS: dict[str, list[str]] = {"default": QUICK}
themes = (
    connecting,
    roundtrips,
    fetching,
    rowwise,
    writing,
    copying,
    encrypted,
    other,
    awaited,
    alchemy,
    web,
    pools,
    binding,
    arrow,
)
for theme in themes:
    name = theme.__name__.rsplit(".", 1)[1]
    GROUPS[name] = [w.name for w in ALL.values() if w.module == theme.__name__]
GROUPS["all"] = list(ALL)


def choose(text: str) -> list[str]:
    """The workloads of a list of names and groups, with commas. KeyError for another word."""
    found: list[str] = []
    for word in text.replace(",", " ").split():
        names = GROUPS.get(word) or [ALL[word].name]
        found += [name for name in names if name not in found]
    return found
