"""Results: rows, columns, and how they are fetched."""

from __future__ import annotations

from typing import Any

from .registry import Run, fetching, line, powers

COLUMNS = [1, 3, 10, 30, 100, 300, 1600]


def wide(size: int, rows: int = 1000) -> str:
    columns = ", ".join(f"i as c{number}" for number in range(size))
    return f"select {columns} from generate_series(1, {rows}) i"


@line("rows", "rows of one int4, fetched whole", powers(3, 7), 130)
def rows(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select i from generate_series(1, {size}) i")


@line("row_by_row", "rows of a named cursor, itersize 2000", powers(3, 6.5), 20)
def row_by_row(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor("growth") as cur:
            cur.execute(f"select i from generate_series(1, {size}) i")
            for _row in cur:
                pass

    return run


@line("scrolled", "rows passed over by scroll(), a hundred at a time", powers(3, 6), 50)
def scrolled(driver: Any, conn: Any, size: int) -> Run:
    cur = conn.cursor()
    cur.execute(f"select i from generate_series(1, {size}) i")

    def run() -> None:
        for at in range(0, size, 100):
            cur.scroll(at, mode="absolute")
            cur.fetchone()

    return run


@line("columns", "columns of a row, a thousand rows", COLUMNS, 60_000)
def columns(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, wide(size))


@line("columns_dict", "the same as DictRow, by name", COLUMNS, 60_000)
def columns_dict(driver: Any, conn: Any, size: int) -> Run:
    names = [f"c{number}" for number in range(size)]

    def run() -> None:
        with conn.cursor(cursor_factory=driver.submodule("extras").DictCursor) as cur:
            cur.execute(wide(size, 100))
            for row in cur:
                for name in names:
                    row[name]

    return run


@line("columns_real_dict", "the same as RealDictRow", COLUMNS, 60_000)
def columns_real_dict(driver: Any, conn: Any, size: int) -> Run:
    factory = driver.submodule("extras").RealDictCursor
    return fetching(conn, wide(size), cursor_factory=factory)


@line("columns_named", "the same as named tuples", COLUMNS, 60_000)
def columns_named(driver: Any, conn: Any, size: int) -> Run:
    factory = driver.submodule("extras").NamedTupleCursor
    return fetching(conn, wide(size), cursor_factory=factory)


@line("description", "columns in cursor.description, of one row", COLUMNS, 2000)
def description(driver: Any, conn: Any, size: int) -> Run:
    query = wide(size, 1)

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute(query)
            for column in cur.description:
                str(column.name)

    return run


@line("queries", "queries that differ, a row each", powers(1, 4.5), 500)
def queries(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            for number in range(size):
                cur.execute(f"select %s, {number} as c{number}", (number,))
                cur.fetchone()

    return run
