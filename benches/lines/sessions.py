"""Many things open at the same time: cursors, connections, pools, large objects."""

from __future__ import annotations

from typing import Any

from .registry import Run, line, powers

OPEN = [1, 3, 10, 30, 90]


@line("cursors", "cursors open, each with a result", powers(1, 4.5), 4000)
def cursors(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        opened = [conn.cursor() for _ in range(size)]
        for cur in opened:
            cur.execute("select 1")
        for cur in opened:
            cur.fetchone()
            cur.close()

    return run


@line("cursors_dropped", "cursors made and dropped", powers(1, 5.5), 10)
def cursors_dropped(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        for _ in range(size):
            conn.cursor()

    return run


@line("cursors_named", "named cursors open", powers(1, 3.5), 20_000)
def cursors_named(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        opened = [conn.cursor(f"c{number}") for number in range(size)]
        for cur in opened:
            cur.execute("select 1")
        for cur in opened:
            cur.fetchone()
            cur.close()

    return run


@line("connections", "connections open, a statement each", OPEN, 100_000)
def connections(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        opened = [driver.connect_bare() for _ in range(size)]
        for own in opened:
            own.cursor().execute("select 1")
        for own in opened:
            own.close()

    return run


@line("pool", "connections of a pool, lent and given back", OPEN, 100_000)
def pool(driver: Any, conn: Any, size: int) -> Run:
    made = driver.submodule("pool").ThreadedConnectionPool(size, size, **driver.unix)

    def run() -> None:
        for _ in range(100):
            for own in [made.getconn() for _ in range(size)]:
                made.putconn(own)

    return run


@line("lobject", "bytes of a large object, 8 kB a call", powers(4, 7.5), 30)
def lobject(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        part = b"x" * 8192
        made = conn.lobject(0, "wb")
        for _ in range(0, size, len(part)):
            made.write(part)
        made.seek(0)
        while made.read(len(part)):
            pass
        conn.rollback()

    return run


@line("lobject_whole", "bytes of a large object, in one call", powers(4, 8), 30)
def lobject_whole(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        made = conn.lobject(0, "wb")
        made.write(b"x" * size)
        made.seek(0)
        made.read()
        conn.rollback()

    return run
