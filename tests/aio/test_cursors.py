"""Cursors, and the factories of rows."""

from __future__ import annotations

import dataclasses

import pytest

import psycoxide
from psycoxide import aio, errors

TEN = "select g as n, chr(96 + g) as c from generate_series(1, 10) g"


@pytest.fixture
async def ten(aconn):
    """A cursor that has run the query for ten rows."""
    async with aconn.cursor() as cursor:
        yield await cursor.execute(TEN)


# ---- reading ----------------------------------------------------------------------------------


async def test_fetchone(ten):
    assert ten.rownumber == 0
    assert await ten.fetchone() == (1, "a")
    assert ten.rownumber == 1
    for _ in range(9):
        assert await ten.fetchone() is not None
    assert await ten.fetchone() is None
    assert await ten.fetchone() is None


async def test_fetchmany(ten):
    assert await ten.fetchmany() == [(1, "a")]
    assert await ten.fetchmany(3) == [(2, "b"), (3, "c"), (4, "d")]
    ten.arraysize = 2
    assert await ten.fetchmany() == [(5, "e"), (6, "f")]
    assert await ten.fetchmany(0) == []
    assert len(await ten.fetchmany(100)) == 4
    assert await ten.fetchmany(5) == []


async def test_fetchall(ten):
    assert await ten.fetchone() == (1, "a")
    assert [n for n, _ in await ten.fetchall()] == list(range(2, 11))
    assert await ten.fetchall() == []


async def test_iteration(ten):
    found = []
    async for n, _ in ten:
        found.append(n)
        if n == 3:
            break
    assert [n async for n, _ in ten] == list(range(4, 11))
    assert found == [1, 2, 3]


async def test_scroll(ten):
    await ten.scroll(4)
    assert await ten.fetchone() == (5, "e")
    await ten.scroll(-3)
    assert await ten.fetchone() == (3, "c")
    await ten.scroll(0, mode="absolute")
    assert await ten.fetchone() == (1, "a")
    for value, mode in ((100, "relative"), (-1, "absolute")):
        with pytest.raises((psycoxide.ProgrammingError, IndexError)):
            await ten.scroll(value, mode)
    with pytest.raises(psycoxide.ProgrammingError):
        await ten.scroll(1, "sideways")
    assert await ten.fetchone() == (2, "b")


# ---- what is known ----------------------------------------------------------------------------


async def test_description(ten):
    assert [column.name for column in ten.description] == ["n", "c"]
    assert [column.type_code for column in ten.description] == [23, 25]
    assert ten.rowcount == 10
    assert ten.statusmessage == "SELECT 10"
    assert ten.query == TEN.encode()


async def test_a_statement_without_rows(aconn):
    cursor = await aconn.execute("create temporary table t (n integer)")
    assert cursor.description is None
    assert cursor.rownumber is None
    assert cursor.statusmessage == "CREATE TABLE"
    for call in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, cursor.__aiter__):
        with pytest.raises(psycoxide.ProgrammingError, match="no rows"):
            await call()
    cursor = await aconn.execute("insert into t values (1), (2), (3)")
    assert cursor.rowcount == 3
    assert (await aconn.execute("update t set n = 0 where n > 1")).rowcount == 2
    assert (await aconn.execute("delete from t")).rowcount == 3


async def test_a_cursor_runs_one_query_after_the_other(aconn):
    async with aconn.cursor() as cursor:
        assert cursor.connection is aconn
        for n in range(3):
            assert await (await cursor.execute("select %s", (n,))).fetchone() == (n,)
        with pytest.raises(errors.DivisionByZero):
            await cursor.execute("select 1 / 0")
        with pytest.raises(psycoxide.ProgrammingError):
            await cursor.fetchone()
        assert await (await cursor.execute("select 7")).fetchone() == (7,)


async def test_a_closed_cursor(aconn):
    async with aconn.cursor() as cursor:
        await cursor.execute(TEN)
        assert not cursor.closed
        assert "SELECT 10" in repr(cursor)
    assert cursor.closed
    assert "closed" in repr(cursor)
    await cursor.close()
    calls = (lambda: cursor.execute("select 1"), cursor.fetchone, cursor.fetchmany, cursor.fetchall)
    for call in calls:
        with pytest.raises(psycoxide.InterfaceError, match="closed"):
            await call()
    assert await aconn.fetchval("select 42") == 42


async def test_rows_of_a_closed_connection(aconn, ten):
    await aconn.close()
    with pytest.raises(psycoxide.InterfaceError):
        await ten.fetchone()


# ---- row factories ----------------------------------------------------------------------------


@dataclasses.dataclass
class Letter:
    n: int
    c: str


def joined(n, c):
    return f"{n}{c}"


FACTORIES = [
    (aio.tuple_row, (1, "a")),
    (aio.dict_row, {"n": 1, "c": "a"}),
    (aio.scalar_row, 1),
    (aio.class_row(Letter), Letter(1, "a")),
    (aio.kwargs_row(joined), "1a"),
    (aio.args_row(joined), "1a"),
    (lambda cursor: list, [1, "a"]),
]
NAMES = ["tuple", "dict", "scalar", "class", "kwargs", "args", "own"]


@pytest.mark.parametrize("factory, first", FACTORIES, ids=NAMES)
async def test_row_factories(dsn, aconn, factory, first):
    assert await aconn.fetchrow(TEN, row_factory=factory) == first
    rows = await aconn.fetch(TEN, row_factory=factory)
    assert rows[0] == first
    assert len(rows) == 10
    cursor = aconn.cursor(row_factory=factory)
    await cursor.execute(TEN)
    assert await cursor.fetchone() == first
    assert len(await cursor.fetchmany(2)) == 2
    assert len([row async for row in cursor]) == 7
    async with aio.connect(dsn, row_factory=factory) as conn:
        assert await conn.fetchrow(TEN) == first
        assert await (await conn.execute(TEN)).fetchone() == first
        assert await conn.fetchrow(TEN, row_factory=aio.tuple_row) == (1, "a")
        # One value has no row.
        assert await conn.fetchval(TEN) == 1


async def test_rows_with_names(aconn):
    row = await aconn.fetchrow(TEN, row_factory=aio.namedtuple_row)
    assert row == (1, "a")
    assert row.n == 1
    assert row.c == "a"


async def test_records(aconn):
    row = await aconn.fetchrow(TEN, row_factory=aio.record_row)
    assert isinstance(row, aio.Record)
    assert row["c"] == row[1] == "a"
    with pytest.raises(KeyError):
        row["nothing"]


async def test_factories_are_asked_for_each_query(aconn):
    seen = []

    def factory(cursor):
        seen.append([column.name for column in cursor.description])
        return dict.fromkeys

    async with aconn.cursor(row_factory=factory) as cursor:
        await cursor.execute("select 1 as a")
        await cursor.fetchall()
        await cursor.execute("select 1 as b, 2 as c")
        await cursor.fetchone()
        await cursor.fetchone()
    assert seen == [["a"], ["b", "c"]]


async def test_factories_within_factories(aconn):
    def upper(factory):
        def outer(cursor):
            make = factory(cursor)
            return lambda values: {k.upper(): v for k, v in make(values).items()}

        return outer

    rows = await aconn.fetch(TEN, row_factory=upper(aio.dict_row))
    assert rows[1] == {"N": 2, "C": "b"}


async def test_a_factory_that_raises(aconn):
    def at_once(cursor):
        raise KeyError

    def later(cursor):
        def make(values):
            if values[0] == 7:
                raise KeyError
            return values

        return make

    for factory in (at_once, later):
        with pytest.raises(KeyError):
            await aconn.fetch(TEN, row_factory=factory)
        cursor = aconn.cursor(row_factory=factory)
        await cursor.execute(TEN)
        with pytest.raises(KeyError):
            await cursor.fetchall()
        assert await aconn.fetchval("select 42") == 42


async def test_scalar_rows_need_a_column(aconn):
    with pytest.raises(psycoxide.ProgrammingError, match="at least one column"):
        await aconn.fetch("select from generate_series(1, 3)", row_factory=aio.scalar_row)
    assert await aconn.fetchval("select 42") == 42


async def test_columns_of_one_name(aconn):
    query = "select 1 as a, 2 as a"
    assert await aconn.fetchrow(query, row_factory=aio.dict_row) == {"a": 2}
    assert await aconn.fetchrow(query) == (1, 2)
