# Generated from python/psycoxide/aio/stream.py by tools/generate_sync.py: do not edit.
"""Rows given out while they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

_Row = TypeVar("_Row", covariant=True)


class Stream(Generic[_Row]):
    """The rows of a query, one after another: see `Connection.stream()`."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[_Row]:
        rows: Iterator[_Row] = self._rows
        return rows

    def __next__(self) -> _Row:
        row: _Row = self._rows.__next__()
        return row

    def close(self) -> None:
        """End the stream. If the query still runs, the server cancels it."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._rows.close()
