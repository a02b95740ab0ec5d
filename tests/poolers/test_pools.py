"""Pools of `psycoxide.sync` and `psycoxide.aio` in front of a pooler."""

from __future__ import annotations

import asyncio
import threading

import pytest

from .peers.pooler import SIZE

TITLE = "session"
pytestmark = pytest.mark.only("pgbouncer", "odyssey")


@pytest.fixture
def psycoxide(through):
    if through.name != "psycoxide":
        pytest.skip("psycopg2 has no such pools")
    return through.driver


@pytest.mark.limit(30)
@pytest.mark.parametrize("name", ["ConnectionPool", "NullConnectionPool"])
def test_many_threads(psycoxide, through, name):
    """Each borrowing asks the server first whether it is there: a message without a statement."""
    from psycoxide import sync

    table = through.make_table()
    options = {"min_size": 0, "max_size": SIZE, "kwargs": through.pooler.parameters}
    with getattr(sync, name)("", ping_after=0, **options) as pool:

        def work(number):
            for each in range(5):
                with pool.connection() as conn, conn.transaction():
                    conn.execute(f"insert into {table} values (%s)", [10 * number + each])

        through.in_threads(SIZE * 2, work)
        assert pool.fetchval(f"select count(*) from {table}") == SIZE * 2 * 5
    through.check_rows(10 * n + e for n in range(SIZE * 2) for e in range(5))


@pytest.mark.limit(30)
def test_a_statement_that_is_cancelled(psycoxide, through):
    from psycoxide import aio

    async def use():
        async with aio.AsyncConnectionPool(
            "", min_size=1, max_size=1, kwargs=through.pooler.parameters
        ) as pool:
            with pytest.raises(aio.OperationTimeout):
                await pool.execute("select pg_sleep(20)", timeout=0.3)
            assert await pool.fetchval("select 1") == 1

    asyncio.run(use())


@pytest.mark.limit(30)
def test_a_null_pool_keeps_nothing(psycoxide, through):
    from psycoxide import sync

    with sync.NullConnectionPool("", max_size=2, kwargs=through.pooler.parameters) as pool:
        assert pool.fetchval("select 1") == 1
        assert pool.get_stats()["pool_size"] == 0
        inside = threading.Barrier(2)

        def work(_number):
            with pool.connection() as conn:
                inside.wait(10)
                assert conn.fetchval("select 1") == 1

        through.in_threads(2, work)
