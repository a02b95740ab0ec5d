"""Rows given out while they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

_Row = TypeVar("_Row", covariant=True)


class AsyncStream(Generic[_Row]):
    """The rows of a query, one after another: see `AsyncConnection.stream()`."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __aiter__(self) -> AsyncIterator[_Row]:
        rows: AsyncIterator[_Row] = self._rows
        return rows

    async def __anext__(self) -> _Row:
        row: _Row = await self._rows.__anext__()
        return row

    async def aclose(self) -> None:
        """End the stream. If the query still runs, the server cancels it."""
        self._rows.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._rows.close()
