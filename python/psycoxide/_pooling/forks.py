"""Pools in a forked child."""

from __future__ import annotations

import os
import weakref
from typing import Any

# Weak: a pool that nobody uses any more is none of a child's business.
pools: weakref.WeakSet[Any] = weakref.WeakSet()


def begin_anew() -> None:
    """The connections are the parent's: the child's pools open their own."""
    for pool in list(pools):
        pool._forked()


os.register_at_fork(after_in_child=begin_anew)
