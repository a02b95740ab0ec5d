"""Which block of a transaction the running code is in."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Block(Protocol):
    """The block of a transaction."""

    @property
    def outer(self) -> Block | None:
        """The block around it, of whatever connection."""


# The innermost block. A task that is started within a block inherits it.
current: ContextVar[Block | None] = ContextVar("psycoxide transaction", default=None)
