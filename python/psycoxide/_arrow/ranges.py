"""Conditions that divide all values between them."""

from __future__ import annotations

from itertools import pairwise


def ranges(column: str, bounds: list[str]) -> list[str]:
    """One condition more than there are bounds, which are in order: at least one."""
    between = [f"{column} >= {low} and {column} < {high}" for low, high in pairwise(bounds)]
    return [f"{column} < {bounds[0]}", *between, f"{column} >= {bounds[-1]}"]
