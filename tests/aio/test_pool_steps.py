# only in aio: a call that waits itself cannot be cancelled
"""Borrowing from a pool is cancelled at each of its steps.

Whatever the task was doing: no connection is lost, nobody waits in vain, the statistics add up, and
the pool is usable.
"""

from __future__ import annotations

import asyncio

import pytest
from fixtures.steps import AT_ONCE, WAYS, at_each_step, soon

import psycoxide
from psycoxide import aio

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=sorted(WAYS))
def way(request):
    return request.param


@pytest.fixture
async def pool(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=2, max_size=2, timeout=20) as made:
        await made.wait()
        yield made


def check_cancelled(run):
    """The task ended at once, and as a cancelled one does."""
    if run.was_hit:
        assert run.seconds < AT_ONCE, f"step {run.step}: {run.seconds:.2f} s"
        assert run.was_cancelled or run.error is None, f"step {run.step}: {run.error!r}"
    else:
        assert run.error is None, repr(run.error)


async def check_complete(pool, size=2):
    """All connections are there, nobody waits, and each of them works."""
    for _ in range(500):
        stats = pool.get_stats()
        if stats["pool_available"] == stats["pool_size"] == size:
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError(f"connections are missing: {stats}")
    assert stats["requests_waiting"] == 0
    assert not pool._stock.lent
    assert pool._stock.opening == 0
    conns = [await soon(pool.getconn()) for _ in range(size)]
    assert len({id(conn) for conn in conns}) == size
    for number, conn in enumerate(conns):
        assert await soon(conn.fetchval("select %s", [number])) == number
        await pool.putconn(conn)


async def test_a_block(pool, way):
    async def block():
        async with pool.connection() as conn:
            await conn.execute("select 1")
            async with conn.transaction():
                await conn.execute("select 2")

    async for run in at_each_step(way, block):
        check_cancelled(run)
        await check_complete(pool)
    assert pool.get_stats()["connections_num"] == 2


async def test_a_statement_in_one_step(pool, way):
    async for run in at_each_step(way, lambda: pool.fetchval("select 1")):
        check_cancelled(run)
        await check_complete(pool)


async def test_a_wait(pool, way):
    """Others have the connections, and give them back in any of the turns."""

    async def hold(seconds):
        async with pool.connection():
            await asyncio.sleep(seconds)

    async def wait():
        holders = [asyncio.ensure_future(hold(seconds)) for seconds in (0.001, 0.002)]
        await asyncio.sleep(0)
        try:
            async with pool.connection() as conn:
                return await conn.fetchval("select 1")
        finally:
            for holder in holders:
                holder.cancel()

    hits = 0
    async for run in at_each_step(way, wait):
        check_cancelled(run)
        hits += run.was_cancelled
        await check_complete(pool)
    assert hits


async def test_a_hand_over_in_the_turn_of_the_cancellation(pool):
    """The connection that came goes straight to the next who waits."""
    one, other = await pool.getconn(), await pool.getconn()
    first = asyncio.ensure_future(pool.getconn())
    second = asyncio.ensure_future(pool.getconn())
    await asyncio.sleep(0)
    await pool.putconn(one)
    # It has its connection, but does not run before it is cancelled.
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await soon(second) is one
    await pool.putconn(one)
    await pool.putconn(other)
    await check_complete(pool)


async def test_a_hand_over_to_a_coroutine_that_is_dropped(pool):
    one, other = await pool.getconn(), await pool.getconn()
    waiting = pool.getconn().__await__()
    next(waiting)
    await pool.putconn(one)
    waiting.close()
    await pool.putconn(other)
    await check_complete(pool)


async def test_ten_thousand_waits_at_once(pool):
    one, other = await pool.getconn(), await pool.getconn()
    waiting = [asyncio.ensure_future(pool.getconn()) for _ in range(10_000)]
    await asyncio.sleep(0)
    assert pool.get_stats()["requests_waiting"] == 10_000
    last = asyncio.ensure_future(pool.fetchval("select 1"))
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await pool.putconn(one)
    await pool.putconn(other)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert await soon(last) == 1
    await check_complete(pool)


async def test_a_ping_before_lending(dsn, way):
    async with aio.AsyncConnectionPool(dsn, min_size=2, ping_after=0) as pool:
        await pool.wait()
        async for run in at_each_step(way, lambda: pool.fetchval("select 1")):
            check_cancelled(run)
            await check_complete(pool)
        assert pool.get_stats()["connections_num"] == 2


async def test_callbacks_of_the_program(dsn, way):
    async def call(conn):
        await conn.execute("select 1")
        await asyncio.sleep(0)

    pool = aio.AsyncConnectionPool(dsn, min_size=2, configure=call, check=call, reset=call)
    async with pool:
        await pool.wait()
        async for run in at_each_step(way, lambda: pool.fetchval("select 1")):
            check_cancelled(run)
            await check_complete(pool)


async def test_a_statement_that_goes_on(pool):
    """Its connection is lent again when the server has ended it; who waits gets another one."""

    async def long():
        await pool.fetchval("select pg_sleep(60)")

    for turns in range(1, 25):
        task = asyncio.ensure_future(long())
        for _ in range(turns):
            await asyncio.sleep(0 if turns < 15 else 0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await soon(pool.fetchval("select 1"), 1) == 1
        await check_complete(pool)
    assert pool.get_stats()["connections_num"] == 2


async def test_growing(dsn, way):
    """The connection that is being opened for a task stays, for the next one."""
    async with aio.AsyncConnectionPool(dsn, min_size=0, max_size=1) as pool:
        async for run in at_each_step(way, lambda: pool.fetchval("select 1")):
            check_cancelled(run)
            assert await soon(pool.fetchval("select 2")) == 2
            await check_complete(pool, 1)
            await pool.drain()
        assert not pool._stock.opening


async def test_a_null_pool(dsn, way):
    async with aio.AsyncNullConnectionPool(dsn, max_size=1) as pool:
        async for run in at_each_step(way, lambda: pool.fetchval("select 1")):
            check_cancelled(run)
            assert await soon(pool.fetchval("select 2")) == 2
            for _ in range(500):
                if not pool.get_stats()["pool_size"]:
                    break
                await asyncio.sleep(0.01)
            assert pool.get_stats()["pool_size"] == 0


async def test_opening_and_closing(dsn, way):
    async def use():
        async with aio.AsyncConnectionPool(dsn, min_size=2) as pool:
            await pool.wait()
            await pool.fetchval("select 1")

    async for run in at_each_step(way, use):
        check_cancelled(run)


async def test_closing_while_tasks_borrow(dsn):
    for turns in range(1, 30, 2):
        pool = aio.AsyncConnectionPool(dsn, min_size=1, max_size=3)
        tasks = [asyncio.ensure_future(pool.fetchval("select 1")) for _ in range(10)]
        for _ in range(turns):
            await asyncio.sleep(0 if turns < 15 else 0.001)
        await soon(pool.close())
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result == 1 or isinstance(result, psycoxide.Error) for result in results)
        assert pool.get_stats()["pool_size"] == 0
