"""Statements composed in Python, and connection strings."""

from __future__ import annotations

from typing import Any

from .registry import Run, line, powers


@line("join", "parts of a sql.SQL().join()", powers(1, 5.5), 1500)
def join(driver: Any, conn: Any, size: int) -> Run:
    sql = driver.submodule("sql")
    names = [f"column {number}" for number in range(size)]
    return lambda: sql.SQL(", ").join(map(sql.Identifier, names)).as_string(conn)


@line("format", "placeholders of a sql.SQL().format()", powers(1, 5), 1500)
def format_(driver: Any, conn: Any, size: int) -> Run:
    sql = driver.submodule("sql")
    text, values = "{}, " * size, [sql.Literal(number) for number in range(size)]
    return lambda: sql.SQL(text).format(*values).as_string(conn)


@line("composed", "parts added to one sql.Composed", powers(1, 3.5), 1500)
def composed(driver: Any, conn: Any, size: int) -> Run:
    sql = driver.submodule("sql")

    def run() -> None:
        made = sql.Composed([])
        for number in range(size):
            made += sql.Literal(number)
        made.as_string(conn)

    return run


@line("composed_nested", "sql.Composed inside each other", powers(0, 2), 1500)
def composed_nested(driver: Any, conn: Any, size: int) -> Run:
    sql = driver.submodule("sql")
    made = sql.Composed([sql.SQL("1")])
    for _ in range(size):
        made = sql.SQL("({})").format(made)
    return lambda: made.as_string(conn)


@line("composed_length", "bytes of one sql.Literal", powers(2, 7.5), 20)
def composed_length(driver: Any, conn: Any, size: int) -> Run:
    sql = driver.submodule("sql")
    value = sql.Literal("it's " * (size // 5 + 1))
    return lambda: value.as_string(conn)


@line("dsn", "bytes of a value in a connection string", powers(1, 6.5), 30)
def dsn(driver: Any, conn: Any, size: int) -> Run:
    extensions = driver.submodule("extensions")
    text = f"dbname=a application_name='{'it ' * (size // 3)}'"
    return lambda: extensions.make_dsn(text, host="b")


@line("dsn_hosts", "hosts of a connection string", powers(0, 5), 500)
def dsn_hosts(driver: Any, conn: Any, size: int) -> Run:
    extensions = driver.submodule("extensions")
    text = f"host={','.join(['/nowhere'] * size)} port={','.join(['5432'] * size)}"
    return lambda: extensions.parse_dsn(text)


@line("hosts", "hosts that are tried and refuse", powers(0, 4), 2000)
def hosts(driver: Any, conn: Any, size: int) -> Run:
    text = f"host={','.join(['/nowhere'] * size)} port={','.join(['5432'] * size)}"

    def run() -> None:
        try:
            driver.module.connect(text)
        except driver.module.OperationalError as refused:
            str(refused)

    return run


@line("quote_ident", "bytes of an identifier", powers(1, 7), 20)
def quote_ident(driver: Any, conn: Any, size: int) -> Run:
    extensions = driver.submodule("extensions")
    name = 'a"b c' * (size // 5 + 1)
    return lambda: extensions.quote_ident(name, conn)
