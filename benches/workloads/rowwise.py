"""Results fetched bit by bit, as rows of each kind: from the client, and from a named cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .registry import workload

# kind: (psycopg2's cursor class, psycopg's row factory)
KINDS: dict[str, tuple[str, str]] = {
    "tuple": ("", "tuple_row"),
    "dict": ("DictCursor", "dict_row"),
    "real": ("RealDictCursor", "dict_row"),
    "named": ("NamedTupleCursor", "namedtuple_row"),
}
ROWS = 50_000
QUERY = f"select * from t_mixed limit {ROWS}"


def row_cursor(driver: Any, conn: Any, kind: str, *name: str) -> Any:
    """A cursor with rows of this kind; with a name it is on the server."""
    class_name, row_factory = KINDS[kind]
    if driver.module_name == "psycopg":
        factory = getattr(driver.submodule("rows"), row_factory)
        return conn.cursor(*name, row_factory=factory, binary=driver.binary)
    factory = getattr(driver.submodule("extras"), class_name) if class_name else None
    return conn.cursor(*name, cursor_factory=factory)


def iterate(cursor: Any) -> int:
    return sum(1 for _row in cursor)


def fetch_one(cursor: Any) -> int:
    got = 0
    while cursor.fetchone() is not None:
        got += 1
    return got


def fetch_many(cursor: Any) -> int:
    got = 0
    while rows := cursor.fetchmany(5):
        got += len(rows)
    return got


def declare(name: str, about: str, kind: str, take: Callable[[Any], int]) -> None:
    def body(driver: Any) -> None:
        cursor = row_cursor(driver, driver.connect(), kind)
        with driver.meter():
            cursor.execute(QUERY)
            got = take(cursor)
        assert got == ROWS, got

    workload(name, about, "t_mixed")(body)


def declare_server(kind: str) -> None:
    def body(driver: Any) -> None:
        conn = driver.connect(autocommit=False)
        cursor = row_cursor(driver, conn, kind, "bench")
        cursor.itersize = 2000
        with driver.meter():
            cursor.execute(QUERY)
            got = iterate(cursor)
            cursor.close()
        assert got == ROWS, got

    about = f"t_mixed from a named cursor, 2,000 at a time, iterated over as {kind} rows"
    workload(f"server_{kind}", about, "t_mixed")(body)


for kind in KINDS:
    if kind != "tuple":  # iter_client
        declare(f"iter_{kind}", f"t_mixed iterated over as {kind} rows", kind, iterate)
    declare(f"one_{kind}", f"t_mixed by fetchone() as {kind} rows", kind, fetch_one)
    declare(f"many_{kind}", f"t_mixed by fetchmany(5) as {kind} rows", kind, fetch_many)
    declare_server(kind)


@workload("iter_factory", "t_mixed iterated over with a row factory that makes lists", "t_mixed")
def iter_factory(driver: Any) -> None:
    cursor = driver.cursor(driver.connect())
    if driver.module_name == "psycopg":
        cursor.row_factory = lambda _cursor: list
    else:
        cursor.row_factory = lambda cursor: [None] * len(cursor.description)
    with driver.meter():
        cursor.execute(QUERY)
        got = iterate(cursor)
    assert got == ROWS, got


@workload("server_one", "5,000 rows from a named cursor by fetchone()", "t_mixed")
def server_one(driver: Any) -> None:
    cursor = row_cursor(driver, driver.connect(autocommit=False), "tuple", "bench")
    with driver.meter():
        cursor.execute("select * from t_mixed limit 5000")
        got = fetch_one(cursor)
        cursor.close()
    assert got == 5000, got


@workload("server_cursor", "1,000,000 rows from a named cursor, 2,000 at a time", "t_int1m")
def server_cursor(driver: Any) -> None:
    cursor = driver.connect(autocommit=False).cursor("bench")
    cursor.itersize = 2000
    with driver.meter():
        cursor.execute("select a, a from t_int1m")
        got = sum(1 for _row in cursor)
        cursor.close()
    assert got == 1_000_000, got


@server_cursor.on("asyncpg")
async def server_cursor_asyncpg(driver: Any) -> None:
    conn = await driver.connect()
    async with conn.transaction():
        with driver.meter():
            got = 0
            async for _row in conn.cursor("select a, a from t_int1m", prefetch=2000):
                got += 1
    assert got == 1_000_000, got


@workload("iter_client", "t_mixed, row by row, from a client-side result", "t_mixed")
def iter_client(driver: Any) -> None:
    cursor = driver.cursor(driver.connect())
    with driver.meter():
        cursor.execute("select * from t_mixed")
        got = sum(1 for _row in cursor)
    assert got == 200_000, got
