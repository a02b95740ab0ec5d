"""The exception that leaves the block of a transaction without an error."""

from __future__ import annotations


class Rollback(Exception):
    """Raised within the block of a transaction: rolls it back, and the program goes on behind it.

    With a transaction as its argument, it leaves all blocks up to that one.
    """

    __module__ = "psycoxide.aio"

    def __init__(self, transaction: object = None) -> None:
        super().__init__()
        self.transaction = transaction

    def __repr__(self) -> str:
        return f"Rollback({self.transaction!r})"
