"""`executemany()`: all rows or none, in batches."""

from __future__ import annotations

import asyncio  # only in aio
import decimal
from functools import partial

import pytest
from fixtures.loops import ASYNC
from fixtures.tasks import agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio, errors, extensions

MANY = 25_000


@pytest.fixture(params=["server", "client"])
async def aconn(dsn, request):
    """A connection that binds parameters in each way."""
    async with aio.connect(dsn, binding=request.param) as conn:
        yield conn


@pytest.fixture
async def table(aconn):
    await aconn.execute("create temp table many (a int primary key, b text)")
    return "many"


async def contents(aconn):
    return await aconn.fetch("select a, b from many order by a")


async def idle(aconn):
    return aconn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 250, 1_000, 1_001, 5_000])
@pytest.mark.parametrize(
    "query", ["insert into many values (%s, %s)", "/**/ {} ", "with x as (select 1) {}"]
)
async def test_rows_of_any_number_are_inserted(aconn, table, count, query):
    query = query.format("insert into many values (%s, %s)")
    rows = [(n, f"it's {n}") for n in range(count)]
    if count > 1_001 and query.startswith("/"):
        rows = rows[:50]
    cursor = await aconn.executemany(query, rows)
    assert cursor.rowcount == len(rows)
    assert cursor.description is None
    assert await contents(aconn) == rows
    assert await idle(aconn)


@pytest.mark.parametrize(
    "query",
    ["update many set b = %(b)s where a = %(a)s", "/**/ update many set b = %(b)s where a = %(a)s"],
)
async def test_mappings_are_taken(aconn, table, query):
    await aconn.execute("insert into many select n, '' from generate_series(1, 20) n")
    cursor = await aconn.executemany(query, [{"a": n, "b": str(n)} for n in range(30)])
    assert cursor.rowcount == 20
    assert await contents(aconn) == [(n, str(n)) for n in range(1, 21)]


async def test_iterators_are_taken_in_portions(aconn, table):
    cursor = await aconn.executemany(
        "insert into many values (%s, %s)", ((n, None) for n in range(MANY))
    )
    assert cursor.rowcount == MANY
    assert await aconn.fetchval("select count(*) from many") == MANY
    assert await idle(aconn)


async def test_an_iterator_that_fails_late_leaves_nothing(aconn, table):
    def rows():
        for n in range(MANY):
            yield n, None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await aconn.executemany("insert into many values (%s, %s)", rows())
    assert await contents(aconn) == []
    assert await idle(aconn)


@pytest.mark.parametrize("count", [3, MANY])
async def test_asynchronous_iterables_are_taken(aconn, table, count):  # only in aio
    async def rows():
        for n in range(count):
            if n % 5000 == 0:
                await asleep(0)
            yield n, None

    cursor = await aconn.executemany("insert into many values (%s, %s)", rows())
    assert cursor.rowcount == count
    assert await aconn.fetchval("select count(*) from many") == count


@pytest.mark.parametrize("bad", [0, 1, 249, 250, 251, 1_000, 4_000, 4_999])
@pytest.mark.parametrize("begin", ["", "with x as (select 1) "])
async def test_an_error_anywhere_leaves_nothing(aconn, table, bad, begin):
    query = f"{begin}insert into many values (%s, %s)"
    rows = [(n, "x") for n in range(5_000)]
    for value, raised in (
        (10**12, errors.NumericValueOutOfRange),
        ((bad + 1) % 5_000, errors.UniqueViolation),
    ):
        rows[bad] = (value, "x")
        with pytest.raises(raised):
            await aconn.executemany(query, rows)
        assert await contents(aconn) == []
        assert await idle(aconn)
    assert (await aconn.executemany(query, [(1, "x")])).rowcount == 1
    assert await contents(aconn) == [(1, "x")]


async def test_the_error_shows_the_row(aconn, table):
    cursor = aconn.cursor()
    with pytest.raises(errors.UniqueViolation):
        await cursor.executemany(
            "insert into many values (%s, %s)", [(n if n != 300 else 7, "x") for n in range(500)]
        )
    assert cursor.query == b"insert into many values (7, E'x')"


async def test_an_error_at_the_end_of_the_transaction_is_raised(aconn):
    await aconn.execute("create temp table late (a int unique deferrable initially deferred)")
    with pytest.raises(errors.UniqueViolation):
        await aconn.executemany("insert into late values (%s)", [(n % 50,) for n in range(100)])
    assert await aconn.fetchval("select count(*) from late") == 0
    assert await idle(aconn)


async def test_an_adapter_that_fails_leaves_nothing(aconn, table):
    rows = [(n, "x") for n in range(3_000)] + [(5_000, object())]
    with pytest.raises(psycoxide.ProgrammingError, match="can't adapt"):
        await aconn.executemany("insert into many values (%s, %s)", rows)
    assert await contents(aconn) == []
    assert await idle(aconn)


async def test_values_that_cannot_be_bound_are_merged(aconn, table):
    rows = [(n, "x") for n in range(400)] + [
        (extensions.AsIs("1000 + 1"), extensions.AsIs("repeat('y', 3)")),
        (decimal.Decimal("2000.2"), "z"),
    ]
    cursor = await aconn.executemany("insert into many values (%s, %s)", rows)
    assert cursor.rowcount == 402
    assert (await contents(aconn))[-2:] == [(1001, "yyy"), (2000, "z")]


@pytest.mark.parametrize(
    "rows", [[(1, "a\0b")], [(n, "a\0b" if n == 50 else "") for n in range(99)]]
)
async def test_a_null_character_is_refused(aconn, table, rows):
    with pytest.raises(ValueError, match="NUL"):
        await aconn.executemany("insert into many values (%s, %s)", rows)
    assert await contents(aconn) == []


async def test_several_statements_in_one_text_are_run(aconn, table):
    query = "insert into many values (%(a)s, 'x'); update many set b = b || 'y' where a = %(a)s"
    cursor = await aconn.executemany(query, [{"a": n} for n in range(30)])
    assert cursor.rowcount == 30
    assert await contents(aconn) == [(n, "xy") for n in range(30)]
    with pytest.raises(errors.DivisionByZero):
        await aconn.executemany("delete from many; select 1 / %s", [(1,), (0,), (1,)])
    assert len(await contents(aconn)) == 30


async def test_a_copy_is_refused(aconn, table):
    for query in ("copy many from stdin", "copy many to stdout"):
        with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
            await aconn.executemany(query, [(), (), ()])
        assert await idle(aconn)
    assert await aconn.fetchval("select 1") == 1


@pytest.mark.parametrize("count", [0, 1, 2, 30, 2_500])
async def test_rows_are_kept(aconn, table, count):
    cursor = await aconn.executemany(
        "insert into many values (%s, %s) returning a, b",
        [(n, "x" * (n % 70)) for n in range(count)],
        returning=True,
    )
    assert cursor.rowcount == count
    if count:
        assert [column.name for column in cursor.description] == ["a", "b"]
        assert await cursor.fetchall() == await contents(aconn)
    assert len(await contents(aconn)) == count


async def test_rows_of_iterators_are_kept(aconn, table):
    cursor = await aconn.executemany(
        "insert into many values (%s, null) returning a",
        ((n,) for n in range(12_000)),
        returning=True,
    )
    assert await cursor.fetchall() == [(n,) for n in range(12_000)]
    assert cursor.rowcount == 12_000


async def test_row_factories_make_the_kept_rows(aconn, table):
    async with aconn.cursor(row_factory=aio.dict_row) as cursor:
        await cursor.executemany(
            "insert into many values (%s, %s) returning b", [(1, "x"), (2, "y")], returning=True
        )
        assert await cursor.fetchall() == [{"b": "x"}, {"b": "y"}]


async def test_rows_are_kept_of_statements_that_return_several_or_none(aconn):
    cursor = await aconn.executemany(
        "select * from generate_series(1, %s)", [(n,) for n in (2, 0, 3)], returning=True
    )
    assert await cursor.fetchall() == [(1,), (2,), (1,), (2,), (3,)]


async def test_an_error_among_kept_rows_leaves_nothing(aconn, table):
    with pytest.raises(errors.UniqueViolation):
        await aconn.executemany(
            "insert into many values (%s, null) returning a",
            [(n % 2_000,) for n in range(3_000)],
            returning=True,
        )
    assert await contents(aconn) == []
    assert await idle(aconn)


async def test_within_a_transaction_it_belongs_to_it(aconn, table):
    async def fail():
        async with aconn.transaction():
            await aconn.executemany("insert into many values (%s, '')", [(n,) for n in range(50)])
            assert aconn.info.transaction_status == extensions.TRANSACTION_STATUS_INTRANS
            await aconn.executemany("insert into many values (%s, '')", [(9,)] * 50)

    with pytest.raises(errors.UniqueViolation):
        await fail()
    assert await contents(aconn) == []
    async with aconn.transaction():
        await aconn.executemany("insert into many values (%s, '')", ((n,) for n in range(MANY)))
    assert await aconn.fetchval("select count(*) from many") == MANY


async def test_within_a_transaction_of_the_programs_own(aconn, table):
    await aconn.execute("begin")
    for rows in ([(n,) for n in range(50)], ((n,) for n in range(50, MANY))):
        await aconn.executemany("insert into many values (%s, '')", rows)
    assert await aconn.fetchval("select count(*) from many") == MANY
    await aconn.execute("rollback")
    assert await contents(aconn) == []


async def test_outside_autocommit_mode_the_program_commits(dsn):
    async with aio.connect(dsn, autocommit=False) as conn:
        await conn.execute("create temp table many (a int, b text)")
        await conn.commit()
        await conn.executemany("insert into many values (%s, '')", [(n,) for n in range(50)])
        await conn.rollback()
        assert await conn.fetch("select * from many") == []
        await conn.executemany("insert into many values (%s, '')", ((n,) for n in range(MANY)))
        await conn.commit()
        assert await conn.fetchval("select count(*) from many") == MANY


async def test_a_time_limit_leaves_nothing(aconn, table):
    for timeout, rows in ((0.3, [(n, 0.01) for n in range(10_000)]), (0.3, [(1, 30), (2, 0)])):
        with pytest.raises(aio.OperationTimeout):
            await aconn.executemany(
                "insert into many select %s, pg_sleep(%s)", rows, timeout=timeout
            )
        assert await contents(aconn) == []
        assert await idle(aconn)


async def test_a_cancelled_caller_leaves_nothing(aconn, table):  # only in aio
    for rows in ([(n, 0.01) for n in range(10_000)], ((n, 0.01) for n in range(MANY))):
        task = aspawn(aconn.executemany, "insert into many select %s, pg_sleep(%s)", rows)
        await asleep(0.2)
        # Others wait meanwhile: they are not part of it.
        other = aspawn(contents, aconn)
        await asleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ajoin(task)
        if isinstance(rows, list):
            assert await ajoin(other) == []
        else:
            with pytest.raises(psycoxide.ProgrammingError, match="of another task"):
                await ajoin(other)
        assert await contents(aconn) == []
        assert await idle(aconn)


async def test_others_wait(aconn, table):
    async def one(n):
        await aconn.executemany(
            "insert into many values (%s, '')", [(n * 100 + k,) for k in range(100)]
        )
        return await aconn.fetchval("select count(*) from many") % 100

    assert await agather(*(partial(one, n) for n in range(10))) == [0] * 10


async def test_a_lost_connection_is_an_error(dsn):
    conn = await aio.connect(dsn)
    with pytest.raises(psycoxide.OperationalError):
        await conn.executemany(
            "select case when %s = 500 then pg_terminate_backend(pg_backend_pid()) end",
            [(n,) for n in range(5_000)],
        )
    assert conn.closed
    with pytest.raises(psycoxide.Error):
        await conn.executemany("select %s", [(1,)])


async def test_large_values(aconn, table):
    rows = [(n, "x" * 500_000) for n in range(40)]
    for query, returning in (
        ("insert into many values (%s, %s)", False),
        ("insert into many values (%s, %s) returning a, b", True),
    ):
        cursor = await aconn.executemany(query, rows, returning=returning)
        assert cursor.rowcount == 40
        assert await aconn.fetchval("select sum(length(b)) from many") == 20_000_000
        if returning:
            assert await cursor.fetchall() == rows
        await aconn.execute("truncate many")


async def test_what_does_not_fit_is_refused(aconn, table):
    for rows in ([(1,)], [(1, 2, 3)], [(1, 2), (1,)]):
        with pytest.raises((IndexError, TypeError)):
            await aconn.executemany("insert into many values (%s, %s)", rows)
    for rows in (5, None):
        with pytest.raises(TypeError):
            await aconn.executemany("insert into many values (%s, %s)", rows)
    with pytest.raises(psycoxide.ProgrammingError, match="empty"):
        await aconn.executemany("", [(1, 2)])
    assert await contents(aconn) == []
    assert await idle(aconn)


async def test_a_closed_connection_is_refused(dsn):
    conn = await aio.connect(dsn)
    await conn.close()
    with pytest.raises(psycoxide.InterfaceError):
        await conn.executemany("select %s", [(1,)])
    assert ASYNC or conn.closed
