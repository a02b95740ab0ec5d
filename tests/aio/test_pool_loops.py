# only in aio: threads have no event loops
"""Pools and event loops: one after another, two at a time, and forked processes."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from fixtures.forks import forked

import psycoxide
from psycoxide import aio


def test_a_pool_follows_its_user_to_another_loop(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1, max_size=2)

    async def use():
        conns = [await pool.getconn(), await pool.getconn()]
        assert [await conn.fetchval("select 1") for conn in conns] == [1, 1]
        for conn in conns:
            await pool.putconn(conn)
        return conns

    first = asyncio.run(use())
    assert set(asyncio.run(use())) == set(first)
    asyncio.run(pool.close())


def test_a_loop_that_ended_in_the_middle(dsn):
    """Who waited, and what was being opened or mended, is gone with it."""
    pool = aio.AsyncConnectionPool(dsn, min_size=1)
    waiting = []

    async def leave():
        conn = await pool.getconn()
        waiting.append(asyncio.ensure_future(pool.getconn()))
        await asyncio.sleep(0)
        await conn.execute("begin")
        await pool.putconn(conn)

    async def use():
        assert await pool.fetchval("select 1") == 1
        await pool.close()
        assert pool.get_stats()["pool_size"] == 0

    asyncio.run(leave())
    asyncio.run(use())


def test_a_connection_that_comes_back_in_another_loop(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1)

    async def borrow():
        return await pool.getconn()

    async def give_back(conn):
        await pool.putconn(conn)
        assert conn.closed
        assert await pool.fetchval("select 1") == 1
        await pool.close()

    asyncio.run(give_back(asyncio.run(borrow())))


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "not_closed"])
def test_a_connection_that_is_forgotten_between_loops(dsn, closes):
    pool = aio.AsyncConnectionPool(dsn, min_size=1)
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    conn = loops[0].run_until_complete(pool.getconn())
    if closes:
        loops[0].close()
    with pytest.warns(ResourceWarning):
        del conn
        gc.collect()

    async def use():
        assert await pool.fetchval("select 1") == 1
        assert pool.get_stats()["connections_lost"] == 1
        await pool.close()

    loops[1].run_until_complete(use())
    for loop in loops:
        loop.close()


async def test_two_loops_at_a_time(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool:
        errors = []

        def elsewhere():
            try:
                asyncio.run(pool.fetchval("select 1"))
            except psycoxide.InterfaceError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.01)
        assert "in use by another event loop" in str(errors[0])
        assert await pool.fetchval("select 1") == 1


def test_closing_in_another_loop(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=2, max_size=3)

    async def begin():
        conn = await pool.getconn()
        # Others are being opened.
        await pool.resize(3)
        return conn

    async def close(conn):
        closing = asyncio.ensure_future(pool.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        await pool.putconn(conn)
        await asyncio.wait_for(closing, 2)
        assert conn.closed
        assert pool.get_stats()["pool_size"] == 0

    asyncio.run(close(asyncio.run(begin())))


async def test_closing_while_its_loop_runs_elsewhere(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool:

        def elsewhere():
            for call in (pool.close, pool.drain, lambda: pool.resize(2)):
                with pytest.raises(psycoxide.InterfaceError, match="another event loop"):
                    asyncio.run(call())

        await asyncio.get_running_loop().run_in_executor(None, elsewhere)
        assert await pool.fetchval("select 1") == 1
        assert pool.min_size == 1


def test_a_child_opens_its_own(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=2)

    async def pids():
        await pool.wait()
        conns = [await pool.getconn(), await pool.getconn()]
        found = {conn.info.backend_pid for conn in conns}
        for conn in conns:
            await pool.putconn(conn)
        return found

    first = asyncio.run(pids())

    def child(_parent):
        others = asyncio.run(pids())
        assert len(others) == 2
        assert not others & first
        asyncio.run(pool.close())

    with forked(child):
        pass
    assert asyncio.run(pids()) == first
    asyncio.run(pool.close())
