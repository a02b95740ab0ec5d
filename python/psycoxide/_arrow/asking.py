"""Questions to a server, asked by a generator that does not know who waits for the answers."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from psycoxide.extensions import Column

_T = TypeVar("_T")


@dataclass(frozen=True)
class Question:
    """A query, and the values of its placeholders."""

    query: str
    params: Any = None


@dataclass(frozen=True)
class Answer:
    """The rows of a query, and its columns."""

    rows: list[tuple[Any, ...]]
    columns: tuple[Column, ...]


# What yields questions, is sent their answers, and returns a value.
Asking: TypeAlias = Generator[Question, Answer, _T]
