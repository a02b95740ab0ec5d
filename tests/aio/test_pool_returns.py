"""Connections that are given back to a pool in whatever state."""

from __future__ import annotations

import asyncio  # only in aio
import gc
import logging
import time
import warnings

import pytest
from fixtures.tasks import aeventually, ajoin, asleep, aspawn

from psycoxide import aio

# What a function of the program may raise that is no error.
ERRORS = [GeneratorExit]
ERRORS.append(asyncio.CancelledError)  # in sync: ERRORS += [SystemExit, KeyboardInterrupt]


@pytest.fixture
async def pool(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, timeout=10) as made:
        await made.wait()
        yield made


async def check_replaced(pool, conn):
    """The connection is closed, and another one has its place."""
    await aeventually(lambda: conn.closed)
    await aeventually(lambda: pool.get_stats()["pool_available"] == 1)
    async with pool.connection() as another:
        assert another is not conn
        assert await another.fetchval("select 1") == 1


async def check_kept(pool, conn):
    """The connection is lent again, and nothing of before is left on it."""
    async with pool.connection() as again:
        assert again is conn
        assert again.info.transaction_status == 0
        assert await again.fetchval("select 1") == 1


@pytest.mark.parametrize("begin", ["begin", "begin; select 1 / 0"], ids=["open", "failed"])
async def test_a_transaction_is_rolled_back(pool, caplog, begin):
    conn = await pool.getconn()
    await conn.execute("create temporary table t (n integer)")
    try:
        await conn.execute(begin)
        await conn.execute("insert into t values (1)")
    except Exception:
        assert "failed" in str(begin) or "/" in begin
    await pool.putconn(conn)
    await check_kept(pool, conn)
    assert await pool.fetchval("select count(*) from t") == 0
    assert "rolls back" in caplog.text


async def test_a_transaction_outside_autocommit_is_rolled_back(dsn, caplog):
    async with aio.AsyncConnectionPool(dsn, min_size=1, kwargs={"autocommit": False}) as pool:
        conn = await pool.getconn()
        await conn.execute("create temporary table t (n integer)")
        await pool.putconn(conn)
        await check_kept(pool, conn)
        assert await pool.fetchval("select to_regclass('t')") is None
    assert "rolls back" in caplog.text


async def test_within_the_block_of_a_transaction(pool, caplog):
    conn = await pool.getconn()
    block = conn.transaction()
    await block.__aenter__()
    await pool.putconn(conn)
    await check_replaced(pool, conn)
    assert "within a transaction" in caplog.text
    assert pool.get_stats()["returns_bad"] == 1
    await block.__aexit__(ValueError, ValueError(), None)


async def test_a_closed_one(pool):
    conn = await pool.getconn()
    await conn.close()
    await pool.putconn(conn)
    await check_replaced(pool, conn)


async def test_a_broken_one(pool, aconn):
    async with pool.connection() as lent:
        await aconn.execute("select pg_terminate_backend(%s)", [lent.info.backend_pid])
        with pytest.raises(Exception, match=r"terminating|closed"):
            for _ in range(100):
                await lent.execute("select pg_sleep(0.01)")
    await check_replaced(pool, lent)
    assert pool.get_stats()["returns_bad"] == 1


async def test_while_a_statement_runs(pool, caplog):
    conn = await pool.getconn()
    running = aspawn(conn.fetchval, "select pg_sleep(60)")
    await asleep(0.05)
    await pool.putconn(conn)
    with pytest.raises(Exception, match="closed"):
        await ajoin(running)
    await check_replaced(pool, conn)
    assert "while in use" in caplog.text


async def test_a_stream_that_was_not_read_to_its_end(pool, caplog):
    conn = await pool.getconn()
    rows = conn.stream("select generate_series(1, 100000)")
    assert await rows.__anext__() == (1,)
    await pool.putconn(conn)
    await check_replaced(pool, conn)
    assert "while in use" in caplog.text
    await rows.aclose()


async def test_in_the_middle_of_a_copy(pool, caplog):
    conn = await pool.getconn()
    copy = conn.copy("copy (select generate_series(1, 100000)) to stdout")
    await copy.__aenter__()
    await copy.read()
    await pool.putconn(conn)
    await check_replaced(pool, conn)
    assert "while in use" in caplog.text


async def test_after_a_timeout(pool):
    conn = await pool.getconn()
    with pytest.raises(aio.OperationTimeout):
        await conn.execute("select pg_sleep(60)", timeout=0.02)
    await pool.putconn(conn)
    await check_kept(pool, conn)


async def test_twice(pool):
    conn = await pool.getconn()
    await pool.putconn(conn)
    with pytest.raises(ValueError, match="is not lent"):
        await pool.putconn(conn)
    await check_kept(pool, conn)
    assert pool.get_stats()["pool_available"] == 1


async def test_to_another_pool(dsn, pool, aconn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, name="other") as other:
        conn = await other.getconn()
        with pytest.raises(ValueError, match="of pool 'other'"):
            await pool.putconn(conn)
        await other.putconn(conn)
        with pytest.raises(ValueError, match="is not lent"):
            await pool.putconn(aconn)


async def test_one_that_listens(pool, aconn):
    async with pool.connection() as lent:
        await lent.execute("listen returned")
        async for _ in lent.notifies(timeout=0.01):
            raise AssertionError
    async with pool.connection() as again:
        assert again is lent
        assert await again.fetch("select pg_listening_channels()") == []
        await aconn.execute("notify returned")
        async for _ in again.notifies(timeout=0.05):
            raise AssertionError


async def test_one_that_is_forgotten(pool):
    conn = await pool.getconn()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del conn
        gc.collect()
    assert [each.category for each in caught] == [ResourceWarning]
    assert "not given back" in str(caught[0].message)
    await aeventually(lambda: pool.get_stats()["pool_available"] == 1)
    assert pool.get_stats()["connections_lost"] == 1
    assert await pool.fetchval("select 1") == 1


async def test_a_block_that_is_left_by_an_exception(pool):
    with pytest.raises(ZeroDivisionError):
        async with pool.connection() as conn:
            raise ZeroDivisionError
    await check_kept(pool, conn)


async def test_a_block_that_is_cut_off(dsn, relay, server, caplog):
    """Who is cancelled does not wait for a server that is silent; the pool rolls back."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    options = {**server.parameters, **found.options, "autocommit": False}
    async with aio.AsyncConnectionPool(kwargs=options, min_size=1) as pool:
        await pool.wait()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            async with pool.connection() as conn:
                await conn.execute("create temporary table t (n integer)")
                for each in found.connections:
                    each.holds_answers.set()
                raise KeyboardInterrupt
        assert time.monotonic() - began < 4
        for each in found.connections:
            each.holds_answers.clear()
        async with pool.connection() as again:
            assert again is conn
            assert await again.fetchval("select to_regclass('t')") is None
    assert "rolls back" not in caplog.text


# ---- reset --------------------------------------------------------------------------------------


async def test_reset(dsn):
    async def reset(conn):
        await conn.execute("set search_path = public")
        seen.append(conn)

    seen = []
    async with aio.AsyncConnectionPool(dsn, min_size=1, reset=reset) as pool:
        async with pool.connection() as conn:
            await conn.execute("set search_path = pg_catalog")
        assert await pool.fetchval("show search_path") == "public"
        assert seen[0] is conn


@pytest.mark.parametrize("how", ["raises", "begins", "closes"])
async def test_a_reset_that_fails(dsn, how):
    async def reset(conn):
        if how == "raises":
            raise ZeroDivisionError
        if how == "begins":
            await conn.execute("begin")
        else:
            await conn.close()

    async with aio.AsyncConnectionPool(dsn, min_size=1, reset=reset) as pool:
        for _ in range(2):
            async with pool.connection() as conn:
                pass
            await check_replaced(pool, conn)


async def test_a_reset_that_hangs(dsn):
    """It keeps nobody waiting who wants another connection."""

    async def reset(conn):
        resets.append(conn)
        if len(resets) == 1:
            await conn.execute("select pg_sleep(3)")

    resets = []
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=2, reset=reset) as pool:
        await pool.wait()
        async with pool.connection():
            pass
        await aeventually(lambda: resets)
        for _ in range(3):
            async with pool.connection(timeout=2.5) as conn:
                assert conn is not resets[0]


@pytest.mark.parametrize("error", ERRORS)
async def test_a_reset_that_raises_what_is_no_error(dsn, error):
    async def reset(conn):
        raise error

    async with aio.AsyncConnectionPool(dsn, min_size=1, reset=reset) as pool:
        for _ in range(2):
            async with pool.connection() as conn:
                pass
            await check_replaced(pool, conn)


@pytest.mark.parametrize("error", ERRORS)
async def test_an_argument_that_raises_what_is_no_error(dsn, error):
    """As the second attempt, while the server is down, and as the first."""

    async def conninfo():
        if raises:
            raise raises.pop()
        return dsn

    raises = [error(), OSError(), error()]
    async with aio.AsyncConnectionPool(conninfo, min_size=1) as pool:
        assert await pool.fetchval("select 1", timeout=5) == 1
        assert not raises


# ---- leaks --------------------------------------------------------------------------------------


async def test_who_has_a_connection_for_long_is_named(dsn, caplog):
    caplog.set_level(logging.WARNING, "psycoxide.pool")
    async with aio.AsyncConnectionPool(dsn, min_size=1, warn_after=0.05) as pool:
        async with pool.connection() as conn:
            await aeventually(lambda: "was not given back" in caplog.text)
            await asleep(0.2)
        assert caplog.text.count("was not given back") == 1
        assert "in test_who_has_a_connection_for_long_is_named()" in caplog.text
        await check_kept(pool, conn)


async def test_each_who_has_a_connection_for_long_is_named(dsn, caplog):
    caplog.set_level(logging.WARNING, "psycoxide.pool")
    async with aio.AsyncConnectionPool(dsn, min_size=1, warn_after=0.05) as pool:
        for number in (1, 2):
            async with pool.connection():
                await aeventually(lambda n=number: caplog.text.count("was not given back") == n)


async def test_a_pool_that_is_forgotten(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1)
    await pool.wait()
    conn = await pool.getconn()
    await pool.putconn(conn)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del pool
        gc.collect()
        await asleep(0.05)
        gc.collect()
    assert [each.category for each in caught] == [ResourceWarning]
    assert "ConnectionPool" in str(caught[0].message)
    assert conn.closed
