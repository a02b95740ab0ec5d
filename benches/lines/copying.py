"""COPY: much data, and data in small pieces."""

from __future__ import annotations

import io
from itertools import repeat
from typing import Any

from .registry import Run, line, powers
from .statements import inserting

FROM = "copy growth (a, b) from stdin"


class Lines:
    """A file that returns one line at a time, like a file made of a generator."""

    def __init__(self, lines: int) -> None:
        self.lines = repeat("1\tname\n", lines)

    def read(self, _size: int) -> str:
        return next(self.lines, "")


class Sink:
    """A file that only counts the bytes written to it."""

    size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)


@line("copy_in", "lines of COPY FROM", powers(3, 6.5), 30)
def copy_in(driver: Any, conn: Any, size: int) -> Run:
    data = "".join(f"{i}\tname\n" for i in range(size))
    return inserting(conn, lambda cur: cur.copy_expert(FROM, io.StringIO(data)))


@line("copy_in_lines", "lines of COPY FROM, one a read()", powers(3, 6), 30)
def copy_in_lines(driver: Any, conn: Any, size: int) -> Run:
    return inserting(conn, lambda cur: cur.copy_expert(FROM, Lines(size)))


@line("copy_in_bytes", "bytes of COPY FROM, three a read()", powers(3, 6.5), 30)
def copy_in_bytes(driver: Any, conn: Any, size: int) -> Run:
    data = b"1\tname\n" * (size // 7)
    return inserting(conn, lambda cur: cur.copy_expert(FROM, io.BytesIO(data), 3))


@line("copy_in_line", "bytes of one line of COPY FROM", powers(3, 8), 30)
def copy_in_line(driver: Any, conn: Any, size: int) -> Run:
    data = b"1\t" + b"x" * size
    return inserting(conn, lambda cur: cur.copy_expert(FROM, io.BytesIO(data)))


@line("copy_out", "lines of COPY TO", powers(3, 6.5), 30)
def copy_out(driver: Any, conn: Any, size: int) -> Run:
    return copying(conn, f"select i, 'name' from generate_series(1, {size}) i", io.BytesIO)


@line("copy_out_text", "lines of COPY TO a file of text", powers(3, 6.5), 30)
def copy_out_text(driver: Any, conn: Any, size: int) -> Run:
    return copying(conn, f"select i, 'name' from generate_series(1, {size}) i", io.StringIO)


@line("copy_out_sink", "lines of COPY TO an object in Python", powers(3, 6.5), 30)
def copy_out_sink(driver: Any, conn: Any, size: int) -> Run:
    return copying(conn, f"select i, 'name' from generate_series(1, {size}) i", Sink)


@line("copy_out_line", "bytes of one line of COPY TO", powers(3, 8), 30)
def copy_out_line(driver: Any, conn: Any, size: int) -> Run:
    return copying(conn, f"select repeat('x', {size})", io.BytesIO)


def copying(conn: Any, query: str, file: Any) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            cur.copy_expert(f"copy ({query}) to stdout", file())

    return run
