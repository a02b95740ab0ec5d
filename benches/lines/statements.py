"""Statements: their parameters, their length, many of them."""

from __future__ import annotations

from typing import Any

from .registry import Run, line, powers


@line("parameters", "parameters of one mogrify()", powers(1, 6), 100)
def parameters(driver: Any, conn: Any, size: int) -> Run:
    cur, values = conn.cursor(), tuple(range(size))
    query = ",".join(["%s"] * size)
    return lambda: cur.mogrify(query, values)


@line("names", "named parameters of one mogrify(), all distinct", powers(1, 6), 300)
def names(driver: Any, conn: Any, size: int) -> Run:
    cur = conn.cursor()
    query = ",".join(f"%(a_m{number})s" for number in range(size))
    values = {f"a_m{number}": number for number in range(size)}
    return lambda: cur.mogrify(query, values)


@line("names_repeated", "named parameters of one mogrify(), one name", powers(1, 6), 300)
def names_repeated(driver: Any, conn: Any, size: int) -> Run:
    cur = conn.cursor()
    query = ",".join(["%(a)s"] * size)
    return lambda: cur.mogrify(query, {"a": 1})


@line("names_unused", "items of a dict of which a statement names one", powers(1, 6), 200)
def names_unused(driver: Any, conn: Any, size: int) -> Run:
    cur = conn.cursor()
    values = {f"a_m{number}": number for number in range(size)}
    return lambda: [cur.mogrify("%(a_m1)s", values) for _ in range(100)]


@line("query", "bytes of a statement without parameters", powers(2, 8), 6)
def query(driver: Any, conn: Any, size: int) -> Run:
    text = f"select 1 -- {'x' * size}"

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute(text)

    return run


@line("percents", "%% in one mogrify()", powers(1, 7), 20)
def percents(driver: Any, conn: Any, size: int) -> Run:
    cur, query = conn.cursor(), "%%" * size + "%s"
    return lambda: cur.mogrify(query, (1,))


@line("statements", "statements in one execute()", powers(1, 4.5), 1000)
def statements(driver: Any, conn: Any, size: int) -> Run:
    text = "select 1;" * size

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute(text)

    return run


@line("transaction", "statements in one transaction", powers(1, 4.5), 100)
def transaction(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            for _ in range(size):
                cur.execute("select 1")
        conn.commit()

    return run


@line("savepoints", "savepoints inside each other in one transaction", powers(1, 3.5), 4000)
def savepoints(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            for number in range(size):
                cur.execute(f"savepoint s{number}")
        conn.rollback()

    return run


def inserting(conn: Any, insert: Any) -> Run:
    """Runs `insert(cursor)` with a new table, which is dropped afterwards."""

    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("create temp table growth (a int, b text, c float8, d text, e bool)")
            insert(cur)
        conn.rollback()

    return run


@line("execute_values", "rows of execute_values(), 5 columns", powers(2, 6), 600)
def execute_values(driver: Any, conn: Any, size: int) -> Run:
    rows = [(i, "name", 1.5, None, True) for i in range(size)]
    each = driver.submodule("extras").execute_values
    return inserting(conn, lambda cur: each(cur, "insert into growth values %s", rows))


@line("execute_values_page", "rows of execute_values() in one page", powers(2, 5.5), 1000)
def execute_values_page(driver: Any, conn: Any, size: int) -> Run:
    rows = [(i, "name", 1.5, None, True) for i in range(size)]
    each = driver.submodule("extras").execute_values
    text = "insert into growth values %s"
    return inserting(conn, lambda cur: each(cur, text, rows, page_size=size))


@line("execute_batch", "rows of execute_batch()", powers(2, 5.5), 600)
def execute_batch(driver: Any, conn: Any, size: int) -> Run:
    rows = [(i, "name") for i in range(size)]
    each = driver.submodule("extras").execute_batch
    text = "insert into growth values (%s, %s)"
    return inserting(conn, lambda cur: each(cur, text, rows))


@line("executemany", "items of executemany()", powers(2, 5.5), 400)
def executemany(driver: Any, conn: Any, size: int) -> Run:
    items = [(i, "name") for i in range(size)]
    text = "insert into growth values (%s, %s)"
    return inserting(conn, lambda cur: cur.executemany(text, items))


@line("executemany_names", "items of executemany(), named", powers(2, 5.5), 600)
def executemany_names(driver: Any, conn: Any, size: int) -> Run:
    items = [{"a": i, "b": "name"} for i in range(size)]
    text = "insert into growth values (%(a)s, %(b)s)"
    return inserting(conn, lambda cur: cur.executemany(text, items))
