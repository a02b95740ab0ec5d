"""Pools: lending connections, waiting for them, and giving them back."""

from __future__ import annotations

import asyncio  # only in aio

import pytest
from fixtures.tasks import aeventually, agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio


@pytest.fixture
async def pool(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=2, timeout=10) as made:
        yield made


async def test_a_block_borrows_and_gives_back(pool):
    async with pool.connection() as conn:
        assert await conn.fetchval("select 1") == 1
        assert conn._pool is pool
        assert pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"] - 1
    assert conn._pool is None
    assert pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"]


async def test_the_last_one_used_is_lent_first(pool):
    one, other = await pool.getconn(), await pool.getconn()
    await pool.putconn(one)
    await pool.putconn(other)
    for _ in range(3):
        async with pool.connection() as conn:
            assert conn is other


async def test_no_more_than_the_maximum_are_open(pool):
    lent = 0
    most = 0

    async def borrow():
        nonlocal lent, most
        async with pool.connection() as conn:
            lent += 1
            most = max(most, lent)
            await conn.execute("select pg_sleep(0.001)")
            lent -= 1

    await agather(*[borrow] * 20)
    assert most == 2
    stats = pool.get_stats()
    assert stats["pool_size"] == stats["pool_available"] == 2
    assert stats["requests_num"] == 20
    assert stats["requests_waiting"] == 0


async def test_who_waits_first_is_served_first(pool):
    one, other = await pool.getconn(), await pool.getconn()
    order = []

    async def borrow(name):
        async with pool.connection() as conn:
            order.append(name)
            await conn.execute("select 1")

    waiting = []
    for name in "abc":
        waiting.append(aspawn(borrow, name))
        await aeventually(lambda: pool.get_stats()["requests_waiting"] == len(waiting))
    await pool.putconn(one)
    for each in waiting:
        await ajoin(each)
    await pool.putconn(other)
    assert order == ["a", "b", "c"]


async def test_a_wait_is_limited_and_says_who_holds(pool):
    one, other = await pool.getconn(), await pool.getconn()
    with pytest.raises(aio.PoolTimeout, match=r"2 are lent") as caught:
        await pool.getconn(timeout=0.05)
    assert str(caught.value).count("test_pool.py:") == 2
    assert pool.get_stats()["requests_waiting"] == 0
    assert pool.get_stats()["requests_errors"] == 1
    await pool.putconn(one)
    await pool.putconn(other)
    assert await pool.fetchval("select 1", timeout=5) == 1


async def test_waits_of_different_length(pool):
    one, other = await pool.getconn(), await pool.getconn()
    ended = []

    async def borrow(timeout):
        try:
            await pool.getconn(timeout)
        except aio.PoolTimeout:
            ended.append(timeout)

    waiting = [aspawn(borrow, timeout) for timeout in (0.3, 0.1, 0.2)]
    for each in waiting:
        await ajoin(each)
    assert ended == [0.1, 0.2, 0.3]
    await pool.putconn(one)
    await pool.putconn(other)


async def test_no_more_than_so_many_may_wait(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_waiting=1) as pool:
        conn = await pool.getconn()
        waiting = aspawn(pool.fetchval, "select 7")
        await aeventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        with pytest.raises(aio.TooManyRequests):
            await pool.getconn()
        await pool.putconn(conn)
        assert await ajoin(waiting) == 7


async def test_statements_in_one_step(pool):
    assert await pool.fetchval("select %s + 1", [41]) == 42
    assert await pool.fetchrow("select 1, 2") == (1, 2)
    assert await pool.fetchrow("select 1 as a", row_factory=aio.dict_row) == {"a": 1}
    assert await pool.fetch("select generate_series(1, 2)") == [(1,), (2,)]
    assert await pool.fetch("select 1", row_factory=aio.scalar_row) == [1]
    assert await (await pool.execute("select 5")).fetchone() == (5,)
    cursor = await pool.executemany("select %s", [(1,), (2,)], returning=True)
    assert await cursor.fetchall() == [(1,), (2,)]
    with pytest.raises(aio.OperationTimeout):
        await pool.fetchval("select pg_sleep(60)", timeout=0.05)
    assert await pool.fetchval("select 1") == 1


async def test_outside_autocommit_a_block_is_a_transaction(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1, kwargs={"autocommit": False})
    async with pool:
        async with pool.connection() as conn:
            await conn.execute("create temporary table kept (n integer)")
        with pytest.raises(ZeroDivisionError):
            async with pool.connection() as conn:
                await conn.execute("insert into kept values (1)")
                raise ZeroDivisionError
        async with pool.connection() as conn:
            assert await conn.fetchval("select count(*) from kept") == 0


async def test_a_pool_opens_itself(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1)
    assert not pool.closed
    assert await pool.fetchval("select 1") == 1
    await pool.close()
    assert pool.closed


async def test_several_are_the_first_to_use_it(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1)
    assert await agather(*[lambda: pool.fetchval("select 1")] * 8) == [1] * 8
    assert pool.get_stats()["connections_num"] == 1
    await pool.close()
    assert pool.get_stats()["pool_size"] == 0


async def test_a_pool_that_is_to_be_opened(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1, open=False)
    assert pool.closed
    with pytest.raises(aio.PoolClosed, match="not open yet"):
        await pool.getconn()
    await pool.open(wait=True)
    await pool.open()
    assert not pool.closed
    assert pool.get_stats()["pool_available"] == 1
    await pool.close()
    with pytest.raises(aio.PoolClosed, match="is closed"):
        await pool.getconn()
    with pytest.raises(aio.PoolClosed):
        await pool.wait()
    with pytest.raises(psycoxide.OperationalError, match="cannot be opened again"):
        await pool.open()
    await pool.close()


async def test_who_waits_learns_that_the_pool_is_closed(pool):
    one, other = await pool.getconn(), await pool.getconn()
    waiting = aspawn(pool.fetchval, "select 1")
    await aeventually(lambda: pool.get_stats()["requests_waiting"] == 1)
    closing = aspawn(pool.close)
    with pytest.raises(aio.PoolClosed):
        await ajoin(waiting)
    assert await one.fetchval("select 1") == 1
    await pool.putconn(one)
    await pool.putconn(other)
    await ajoin(closing)
    assert one.closed
    assert other.closed
    assert pool.get_stats()["pool_size"] == 0


async def test_closing_waits_only_so_long(pool):
    conn = await pool.getconn()
    await pool.close(timeout=0.05)
    assert await conn.fetchval("select 1") == 1
    await pool.putconn(conn)
    assert conn.closed


async def test_the_argument_of_a_coroutine_function(dsn):  # only in aio
    async def conninfo():
        await asyncio.sleep(0)
        return dsn

    async def kwargs():
        return {"row_factory": aio.dict_row}

    async with aio.AsyncConnectionPool(conninfo, kwargs=kwargs, min_size=1) as pool:
        assert await pool.fetchrow("select 1 as a") == {"a": 1}


async def test_arguments_that_are_functions(dsn):
    asked = []

    def kwargs():
        asked.append(1)
        return {"row_factory": aio.scalar_row}

    async with aio.AsyncConnectionPool(lambda: dsn, kwargs=kwargs, min_size=2) as pool:
        await pool.wait()
        assert await pool.fetch("select 1") == [1]
    assert len(asked) == 2


async def test_a_class_of_connections(dsn):
    class Mine(aio.AsyncConnection):
        pass

    async with (
        aio.AsyncConnectionPool(dsn, connection_class=Mine, min_size=1) as pool,
        pool.connection() as conn,
    ):
        assert type(conn) is Mine


@pytest.mark.parametrize(
    "sizes", [(-1, None), (2, 1), (0, 0), (0, None)], ids=["negative", "less", "none", "zero"]
)
async def test_impossible_sizes(dsn, sizes):
    with pytest.raises(ValueError, match="size"):
        aio.AsyncConnectionPool(dsn, min_size=sizes[0], max_size=sizes[1])


SECONDS = ["timeout", "max_lifetime", "max_idle", "ping_after", "reconnect_timeout", "warn_after"]


@pytest.mark.parametrize("name", [*SECONDS, "max_waiting", "num_workers"])
async def test_impossible_numbers(dsn, name):
    for value in (-1, float("-inf"), float("nan")) if name in SECONDS else (-1,):
        with pytest.raises(ValueError, match=name):
            aio.AsyncConnectionPool(dsn, **{name: value})
    for value in ("1", None):
        if (name, value) != ("warn_after", None):
            with pytest.raises(TypeError, match=name):
                aio.AsyncConnectionPool(dsn, **{name: value})


async def test_close_returns(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, close_returns=True) as pool:
        conn = await pool.getconn()
        await conn.close()
        assert not conn.closed
        async with pool.connection() as again:
            assert again is conn


async def test_a_null_pool_keeps_nothing(dsn):
    async with aio.AsyncNullConnectionPool(dsn) as pool:
        assert (pool.min_size, pool.max_size) == (0, 0)
        async with pool.connection() as conn:
            assert await conn.fetchval("select 1") == 1
            assert pool.get_stats()["pool_size"] == 1
        assert conn.closed
        assert pool.get_stats()["pool_size"] == 0


async def test_a_null_pool_hands_over_to_who_waits(dsn):
    async with aio.AsyncNullConnectionPool(dsn, max_size=1) as pool:
        conn = await pool.getconn()
        waiting = aspawn(pool.fetchval, "select pg_backend_pid()")
        await aeventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        pid = conn.info.backend_pid
        await pool.putconn(conn)
        assert await ajoin(waiting) == pid
        assert pool.get_stats()["pool_size"] == 0
        assert pool.get_stats()["connections_num"] == 1


async def test_a_null_pool_that_cannot_connect(dsn):
    async with aio.AsyncNullConnectionPool(f"{dsn} dbname=nowhere", max_size=1) as pool:
        for _ in range(2):
            with pytest.raises(Exception, match="nowhere"):
                await pool.getconn(timeout=5)
        assert pool.get_stats()["pool_size"] == 0


async def test_a_null_pool_has_no_time_to_connect(dsn, relay, server):
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    found.is_flowing.clear()
    options = {**server.parameters, **found.options}
    async with aio.AsyncNullConnectionPool(kwargs=options) as pool:
        with pytest.raises(aio.PoolTimeout) as caught:
            await pool.getconn(timeout=0.2)
        assert isinstance(caught.value.__cause__, psycoxide.OperationalError)
        assert pool.get_stats()["requests_errors"] == 1
        assert pool.get_stats()["pool_size"] == 0


@pytest.mark.parametrize("null", [False, True])
async def test_nothing_is_lent_after_the_pool_was_closed(dsn, null):
    """It was closed while a connection was checked, or opened."""

    async def wait(conn):
        begun.append(conn)
        await asleep(0.3)

    begun = []
    if null:
        pool = aio.AsyncNullConnectionPool(dsn, configure=wait)
    else:
        pool = aio.AsyncConnectionPool(dsn, min_size=1, check=wait)
    borrowing = aspawn(pool.getconn)
    await aeventually(lambda: begun)
    await pool.close()
    with pytest.raises(aio.PoolClosed):
        await ajoin(borrowing)
    assert begun[0].closed
    assert pool.get_stats()["pool_size"] == 0
