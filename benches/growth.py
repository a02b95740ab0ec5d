"""`make bench-growth`: how the time grows with the size, for what may be large.

    python benches/growth.py [--out .cache/growth.json] [--only NAME,...]

Each line is timed at sizes that are a factor apart, in one process, the least of a few tries; the
slope is that of a line through the upper half of the points, both axes logarithmic. 1 is linear
growth (caches that are outgrown make it 1.1 or 1.2), 2 a quadratic step somewhere: more than 1.4 is
said, and is the exit status. Sizes that would need more than a third of the memory that is free are
left out, and that is said too.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import psycoxide
from psycoxide import extras

MOST_SLOPE = 1.4
TRIES = 3
# A try that takes so long is not repeated.
LONG = 1.0

Line = Callable[[Any, int], Callable[[], object]]
LINES: dict[str, tuple[str, list[int], int, Line]] = {}


def line(name: str, about: str, sizes: Iterator[int], each: int) -> Callable[[Line], Line]:
    """Decorates what prepares a size and returns what is timed; `each` is the bytes that one unit
    of size needs, all in all."""

    def add(body: Line) -> Line:
        LINES[name] = (about, list(sizes), each, body)
        return body

    return add


def powers(first: float, last: float, steps: int = 2) -> Iterator[int]:
    """10**first to 10**last, so many to a power of ten."""
    count = round((last - first) * steps)
    return (round(10 ** (first + step / steps)) for step in range(count + 1))


@line("rows", "rows of one int4, fetched whole", powers(3, 7), 130)
def _rows(conn: Any, size: int) -> Callable[[], object]:
    return fetching(conn, f"select i from generate_series(1, {size}) i")


@line("row_by_row", "rows of a named cursor, itersize 2000", powers(3, 6.5), 20)
def _row_by_row(conn: Any, size: int) -> Callable[[], object]:
    def run() -> None:
        with conn.cursor("growth") as cur:
            cur.execute(f"select i from generate_series(1, {size}) i")
            for _row in cur:
                pass

    return run


@line("columns", "columns of a row, a thousand rows", iter([1, 3, 10, 30, 100, 300, 1600]), 60_000)
def _columns(conn: Any, size: int) -> Callable[[], object]:
    columns = ", ".join(f"i as c{number}" for number in range(size))
    return fetching(conn, f"select {columns} from generate_series(1, 1000) i")


@line("field", "bytes in one text", chain(powers(0, 8.5), [512 << 20]), 6)
def _field(conn: Any, size: int) -> Callable[[], object]:
    return fetching(conn, f"select repeat('x', {size})")


@line("bytea", "bytes in one bytea", powers(0, 8), 10)
def _bytea(conn: Any, size: int) -> Callable[[], object]:
    return fetching(conn, f"select decode(repeat('ab', {size}), 'hex')")


@line("parameter", "bytes of a text in mogrify()", powers(2, 8), 5)
def _parameter(conn: Any, size: int) -> Callable[[], object]:
    cur, value = conn.cursor(), ("it's \\ " * (size // 7 + 1),)
    return lambda: cur.mogrify("select %s", value)


@line("parameters", "parameters of one mogrify()", powers(1, 6), 100)
def _parameters(conn: Any, size: int) -> Callable[[], object]:
    cur, values = conn.cursor(), tuple(range(size))
    query = ",".join(["%s"] * size)
    return lambda: cur.mogrify(query, values)


@line("list", "elements of one list in mogrify()", powers(1, 6.5), 100)
def _list(conn: Any, size: int) -> Callable[[], object]:
    cur, values = conn.cursor(), (list(range(size)),)
    return lambda: cur.mogrify("%s", values)


@line("array", "elements of one int4[]", powers(1, 6.5), 100)
def _array(conn: Any, size: int) -> Callable[[], object]:
    return fetching(conn, f"select array(select generate_series(1, {size}))")


@line("execute_values", "rows of execute_values(), 5 columns", powers(2, 6), 600)
def _execute_values(conn: Any, size: int) -> Callable[[], object]:
    rows = [(i, "name", 1.5, None, True) for i in range(size)]

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("create temp table growth (a int, b text, c float8, d text, e bool)")
            extras.execute_values(cur, "insert into growth values %s", rows)
        conn.rollback()

    return run


@line("executemany", "items of executemany()", powers(2, 5.5), 400)
def _executemany(conn: Any, size: int) -> Callable[[], object]:
    items = [(i, "name") for i in range(size)]

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("create temp table growth (a int, b text)")
            cur.executemany("insert into growth values (%s, %s)", items)
        conn.rollback()

    return run


@line("copy_in", "lines of COPY FROM", powers(3, 6.5), 30)
def _copy_in(conn: Any, size: int) -> Callable[[], object]:
    data = "".join(f"{i}\tname\n" for i in range(size))

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("create temp table growth (a int, b text)")
            cur.copy_expert("copy growth from stdin", io.StringIO(data))
        conn.rollback()

    return run


@line("copy_out", "lines of COPY TO", powers(3, 6.5), 30)
def _copy_out(conn: Any, size: int) -> Callable[[], object]:
    def run() -> None:
        with conn.cursor() as cur:
            statement = f"copy (select i, 'name' from generate_series(1, {size}) i) to stdout"
            cur.copy_expert(statement, io.BytesIO())

    return run


@line("notifications", "notifications received", powers(2, 5), 1000)
def _notifications(conn: Any, size: int) -> Callable[[], object]:
    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("listen growth")
            conn.commit()
            cur.execute(f"select pg_notify('growth', i::text) from generate_series(1, {size}) i")
            conn.commit()
        while len(conn.notifies) < size:
            conn.poll()
        conn.notifies.clear()

    return run


def fetching(conn: Any, query: str) -> Callable[[], object]:
    def run() -> None:
        with conn.cursor() as cur:
            cur.execute(query)
            cur.fetchall()

    return run


def timed(run: Callable[[], object]) -> float:
    """The least client CPU of a few tries, in seconds; of many, where it is very little."""
    least, spent = math.inf, 0.0
    for attempt in range(1000):
        began = time.process_time()
        run()
        took = time.process_time() - began
        least, spent = min(least, took), spent + took
        if took >= LONG or (attempt + 1 >= TRIES and spent > 0.02):
            break
    return max(least, 1e-7)


def slope(points: list[tuple[int, float]]) -> float:
    """Of the upper half, where what does not grow no longer counts."""
    upper = points[len(points) // 2 :]
    xs = [math.log(size) for size, _ in upper]
    ys = [math.log(seconds) for _, seconds in upper]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    across = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / across


def available() -> int:
    """The memory that is free, in bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(prog="growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path(".cache/growth.json"))
    parser.add_argument("--only", default=",".join(LINES))
    options = parser.parse_args()
    found: dict[str, Any] = {}
    steep = []
    print(f"{'line':16}{'sizes':>22}{'least':>12}{'most':>12}{'slope':>8}")
    for name in options.only.split(","):
        about, sizes, each, body = LINES[name]
        points, left_out = [], []
        conn = psycoxide.connect(os.environ["PSYCOXIDE_TEST_DSN"])
        for size in sizes:
            if size * each > available() / 3:
                left_out.append(size)
                continue
            points.append((size, timed(body(conn, size))))
            conn.rollback()
        conn.close()
        steepness = slope(points)
        found[name] = {"about": about, "points": points, "slope": steepness, "left_out": left_out}
        span = f"{points[0][0]:,} - {points[-1][0]:,}"
        print(
            f"{name:16}{span:>22}{points[0][1]:>12.2g}{points[-1][1]:>12.2g}{steepness:>8.2f}",
            *([f"  left out for want of memory: {left_out}"] if left_out else []),
            flush=True,
        )
        if steepness > MOST_SLOPE:
            steep.append(name)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    if steep:
        print(f"grows faster than its size: {', '.join(steep)}")
    return 1 if steep else 0


if __name__ == "__main__":
    sys.exit(main())
