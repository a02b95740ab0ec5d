"""Registrations of a program: typecasters and adapters."""

from __future__ import annotations

from typing import Any

from .registry import Run, line, powers

# No type has an oid as large as this.
FREE = 2_000_000_000


@line("casters", "typecasters registered, a query after each", powers(1, 4), 2000)
def casters(driver: Any, conn: Any, size: int) -> Run:
    return registering(driver, conn, size, None)


@line("casters_connection", "typecasters of one connection, a query after each", powers(1, 4), 2000)
def casters_connection(driver: Any, conn: Any, size: int) -> Run:
    return registering(driver, conn, size, conn)


def registering(driver: Any, conn: Any, size: int, scope: Any) -> Run:
    extensions = driver.submodule("extensions")

    def run() -> None:
        with conn.cursor() as cur:
            for number in range(size):
                made = extensions.new_type((FREE + number,), f"T{number}", lambda text, _cur: text)
                extensions.register_type(made, *([scope] if scope else []))
                cur.execute("select 1, 'a'")
                cur.fetchone()

    return run


@line("caster_oids", "types of one typecaster", powers(1, 6), 300)
def caster_oids(driver: Any, conn: Any, size: int) -> Run:
    extensions = driver.submodule("extensions")
    oids = tuple(range(FREE, FREE + size))

    def run() -> None:
        made = extensions.new_type(oids, "T", lambda text, _cur: text)
        extensions.register_type(made, conn)
        with conn.cursor() as cur:
            cur.execute("select 1")
            cur.fetchone()

    return run


@line("adapters", "adapters registered, a parameter after each", powers(1, 4), 5000)
def adapters(driver: Any, conn: Any, size: int) -> Run:
    extensions = driver.submodule("extensions")
    classes = [type(f"Own{number}", (), {}) for number in range(size)]
    cur = conn.cursor()

    def run() -> None:
        for own in classes:
            extensions.register_adapter(own, lambda _value: extensions.AsIs("1"))
            cur.mogrify("%s %s", (own(), 1))

    return run


@line("ancestors", "classes above that of a parameter", powers(0, 3), 5000)
def ancestors(driver: Any, conn: Any, size: int) -> Run:
    extensions = driver.submodule("extensions")
    own = type("Own0", (), {})
    extensions.register_adapter(own, lambda _value: extensions.AsIs("1"))
    for number in range(size):
        own = type(f"Own{number + 1}", (own,), {})
    cur, values = conn.cursor(), [own()] * 100
    return lambda: cur.mogrify("%s", (values,))
