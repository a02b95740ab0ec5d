"""Values: one long or deep one of each kind, in a result or as a parameter."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from .registry import Run, fetching, line, powers


@line("field", "bytes in one text", chain(powers(0, 8.5), [512 << 20]), 6)
def field(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select repeat('x', {size})")


@line("bytea", "bytes in one bytea", powers(0, 8), 10)
def bytea(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select decode(repeat('ab', {size}), 'hex')")


@line("array", "elements of one int4[]", powers(1, 6.5), 100)
def array(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select array(select generate_series(1, {size}))")


@line("array_text", "elements of one text[], quoted", powers(1, 6), 200)
def array_text(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"""select array(select 'a "b" ' || generate_series(1, {size}))""")


@line("array_rows", "lists in one int4[][]", powers(1, 6), 300)
def array_rows(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select array_agg(array[i, i + 1]) from generate_series(1, {size}) i")


@line("numeric", "digits of one numeric", powers(0, 5), 100)
def numeric(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select repeat('7', {size})::numeric")


@line("json", "members of one jsonb", powers(1, 6), 400)
def json_members(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select jsonb_object_agg('k' || i, i) from generate_series(1, {size}) i")


@line("json_nested", "lists inside each other in one json", powers(0, 2.5), 1000)
def json_nested(driver: Any, conn: Any, size: int) -> Run:
    return fetching(conn, f"select (repeat('[', {size}) || repeat(']', {size}))::json")


@line("hstore", "pairs of one hstore", powers(1, 6), 500)
def hstore(driver: Any, conn: Any, size: int) -> Run:
    with conn.cursor() as cur:
        cur.execute("create extension if not exists hstore")
    conn.commit()
    driver.submodule("extras").register_hstore(conn)
    pairs = f"array_agg('k' || i), array_agg('v' || i) from generate_series(1, {size}) i"
    return fetching(conn, f"select hstore(k, v) from (select {pairs}) as lists (k, v)")


@line("composite", "fields of one composite", [1, 3, 10, 30, 100, 300, 1600], 5000)
def composite(driver: Any, conn: Any, size: int) -> Run:
    fields = ", ".join(f"f{number} int" for number in range(size))
    with conn.cursor() as cur:
        cur.execute("drop type if exists grown")
        cur.execute(f"create type grown as ({fields})")
        conn.commit()
        driver.submodule("extras").register_composite("grown", conn)
    row = ", ".join(str(number) for number in range(size))
    return fetching(conn, f"select row({row})::grown from generate_series(1, 100)")


@line("range", "bytes of a bound of a range of text", powers(1, 6.5), 20)
def bound(driver: Any, conn: Any, size: int) -> Run:
    with conn.cursor() as cur:
        cur.execute("drop type if exists grownrange")
        cur.execute("create type grownrange as range (subtype = text)")
        conn.commit()
        driver.submodule("extras").register_range("grownrange", "GrownRange", conn)
    return fetching(conn, f"""select grownrange('a', repeat('x"y', {size} / 3))""")


@line("parameter", "bytes of a text in mogrify()", powers(2, 8), 5)
def parameter(driver: Any, conn: Any, size: int) -> Run:
    cur, value = conn.cursor(), ("it's \\ " * (size // 7 + 1),)
    return lambda: cur.mogrify("select %s", value)


@line("binary", "bytes of a Binary in mogrify()", powers(2, 8), 10)
def binary(driver: Any, conn: Any, size: int) -> Run:
    cur, value, wrap = conn.cursor(), bytes(range(256)) * (size // 256 + 1), driver.module.Binary
    # A new one each time: psycopg2's remembers its quoted text.
    return lambda: cur.mogrify("select %s", (wrap(value),))


@line("list", "elements of one list in mogrify()", powers(1, 6.5), 100)
def elements(driver: Any, conn: Any, size: int) -> Run:
    cur, values = conn.cursor(), (list(range(size)),)
    return lambda: cur.mogrify("%s", values)


@line("list_nested", "lists inside each other in mogrify()", powers(0, 2.5), 1000)
def list_nested(driver: Any, conn: Any, size: int) -> Run:
    value: list[Any] = [1]
    for _ in range(size - 1):
        value = [value]
    cur = conn.cursor()
    return lambda: cur.mogrify("%s", (value,))


@line("in", "elements of one tuple in mogrify()", powers(1, 6), 100)
def in_tuple(driver: Any, conn: Any, size: int) -> Run:
    cur, values = conn.cursor(), (tuple(f"n{number}" for number in range(size)),)
    return lambda: cur.mogrify("select 1 where 'a' in %s", values)


@line("json_parameter", "members of a Json in mogrify()", powers(1, 6), 400)
def json_parameter(driver: Any, conn: Any, size: int) -> Run:
    value = {f"k{number}": number for number in range(size)}
    made = driver.submodule("extras").Json(value, dumps=json.dumps)
    cur = conn.cursor()
    return lambda: cur.mogrify("%s", (made,))


@line("dict_parameter", "pairs of a dict, as hstore, in mogrify()", powers(1, 6), 400)
def dict_parameter(driver: Any, conn: Any, size: int) -> Run:
    adapter = driver.submodule("extras").HstoreAdapter
    value = adapter({f"k{number}": str(number) for number in range(size)})
    value.prepare(conn)
    return lambda: value.getquoted()
