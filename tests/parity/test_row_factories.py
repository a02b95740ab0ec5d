"""Row factories beside psycopg 3's, and `Record` beside asyncpg's: what comes of the same."""

import asyncio
import collections.abc
import copy
import dataclasses
import pickle
import re

import pytest

from psycoxide import rows

MISSING = "it is not installed: the set-up leaves it out where pip has no wheel of it"


def outcome(function):
    """What a function returns, with its class; or the class of its exception."""
    try:
        found = function()
    except Exception as error:
        return type(error).__name__
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return type(found).__name__, found._fields, tuple(found)
    return type(found).__name__, found


# ---- psycopg 3 ----------------------------------------------------------------------------------


@dataclasses.dataclass
class Item:
    a: int
    b: int = 7


def keywords(**columns):
    return columns


def positions(*values):
    return values


FACTORIES = {
    "tuple_row": lambda module: module.tuple_row,
    "dict_row": lambda module: module.dict_row,
    "namedtuple_row": lambda module: module.namedtuple_row,
    "scalar_row": lambda module: module.scalar_row,
    "class_row": lambda module: module.class_row(Item),
    "kwargs_row": lambda module: module.kwargs_row(keywords),
    "args_row": lambda module: module.args_row(positions),
}
QUERIES = [
    "select 1 as a, 2 as b",
    "select 1 as a",
    "select 1 as a, 2 as a",
    "select 1 as c",
    "select 1, 2",
    "select 1",
    "select",
    *(
        f'select 1 as "{name}"'
        for name in ("1a", "_x", "__x", "a b", "x.y", " ", "-", "é", "²", "a²", "日本", "class")
    ),
    'select 1 as "a b", 2 as "a-b"',
    'select 1 as "count", 2 as "index", 3 as "_fields"',
]


@pytest.fixture(scope="module")
def psycopg_conn(dsn):
    psycopg = pytest.importorskip("psycopg", reason=f"psycopg: {MISSING}")
    with psycopg.connect(dsn) as conn:
        yield conn


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("factory", FACTORIES)
def test_a_row_is_the_same(cur, psycopg_conn, factory, query):
    from psycopg import rows as theirs

    cur.execute(query)
    other = psycopg_conn.execute(query)
    values = cur.fetchone()
    assert other.fetchone() == values
    ours = outcome(lambda: FACTORIES[factory](rows)(cur)(values))
    assert ours == outcome(lambda: FACTORIES[factory](theirs)(other)(values))


@pytest.mark.parametrize("factory", FACTORIES)
def test_without_a_result_the_same_is_refused(cur, psycopg_conn, factory):
    from psycopg import rows as theirs

    ours = outcome(lambda: FACTORIES[factory](rows)(cur)((1, 2)))
    other = psycopg_conn.cursor()
    assert ours == outcome(lambda: FACTORIES[factory](theirs)(other)((1, 2)))


# ---- asyncpg ------------------------------------------------------------------------------------

COLUMNS = ["1 as id, 'x' as name", "1 as id, 'x' as name, 3 as id", "1", "null as a", ""]
ALIKE = """
    r["id"]  r["name"]  r["nome"]  r[0]  r[-1]  r[True]  r[9]  r[0:2]  r[::-1]
    r.get("id")  r.get("nome")  r.get("nome", 5)  r.get(0)  r.get()
    "id" in r  "x" in r  1 in r  None in r
    list(r)  list(reversed(r))  tuple(r)  len(r)  bool(r)  next(iter(r))
    list(r.keys())  list(r.values())  list(r.items())  next(r.keys())  dict(r)  {**r}
    r == tuple(r)  tuple(r) == r  r != tuple(r)  r == list(r)  r < (1, "y")  (0,) < r
    hash(r) == hash(tuple(r))  repr(r)  str(r)  f"{r}"  type(r).__name__
    r.id  setattr(r, "id", 1)  type(r)()  type(r)((1, 2))
"""
# Ours is a tuple in earnest, and can be copied.
DIFFERENT = """
    isinstance(r, tuple)  isinstance(r, collections.abc.Sequence)  r + (1,)  r.count(1)
    r[None]  r[1.0]  copy.copy(r)  pickle.loads(pickle.dumps(r))
"""


def expressions(text):
    return re.split(r"\s{2,}", text.strip())


@pytest.fixture(scope="module")
def records(server):
    """asyncpg's, by their columns."""
    asyncpg = pytest.importorskip("asyncpg", reason=f"asyncpg: {MISSING}")
    parameters = server.parameters
    names = {"dbname": "database", "host": "host", "port": "port", "user": "user"}
    options = {theirs: parameters[name] for name, theirs in names.items() if name in parameters}

    async def fetch():
        password = parameters.get("password")
        conn = await asyncpg.connect(**options, password=password, ssl=False)
        try:
            return {columns: await conn.fetchrow(f"select {columns}") for columns in COLUMNS}
        finally:
            await conn.close()

    return asyncio.run(fetch())


def both(cur, records, columns, expression):
    """What comes of an expression with our record as `r`, and with asyncpg's."""
    cur.execute(f"select {columns}")
    ours = rows.record_row(cur)(cur.fetchone())
    modules = {"collections": collections, "copy": copy, "pickle": pickle}
    each = [{**modules, "r": record} for record in (ours, records[columns])]
    return [outcome(lambda names=names: eval(expression, names)) for names in each]


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("expression", expressions(ALIKE))
def test_a_record_is_used_alike(cur, records, columns, expression):
    ours, theirs = both(cur, records, columns, expression)
    assert ours == theirs


@pytest.mark.parametrize("expression", expressions(DIFFERENT))
def test_what_is_different_about_a_record(cur, records, expression):
    ours, theirs = both(cur, records, COLUMNS[0], expression)
    assert ours != theirs
