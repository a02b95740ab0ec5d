"""The list of the lines, filled by the modules beside it.

A line is a function of a driver, one of its connections and a size. It prepares that size and
returns the function to time, which may be run again and so leaves everything as it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Run = Callable[[], object]
Body = Callable[[Any, Any, int], Run]


@dataclasses.dataclass
class Line:
    """What grows, its sizes, and the bytes of memory that each unit of size needs."""

    about: str
    sizes: list[int]
    each: int
    body: Body


ALL: dict[str, Line] = {}


def line(name: str, about: str, sizes: Iterable[int], each: int) -> Callable[[Body], Body]:
    """Decorates the body of a line."""

    def add(body: Body) -> Body:
        ALL[name] = Line(about, list(sizes), each, body)
        return body

    return add


def powers(first: float, last: float, steps: int = 2) -> Iterator[int]:
    """10**first to 10**last, with `steps` sizes for each power of ten."""
    count = round((last - first) * steps)
    return (round(10 ** (first + step / steps)) for step in range(count + 1))


def fetching(conn: Any, query: str, **options: Any) -> Run:
    """Runs a query and fetches all of it."""

    def run() -> None:
        with conn.cursor(**options) as cur:
            cur.execute(query)
            cur.fetchall()

    return run
