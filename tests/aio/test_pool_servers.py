"""Pools before servers that go away, come back or stop answering; and what changes with time."""

from __future__ import annotations

import asyncio  # only in aio
import math
import sys
import time

import pytest
from fixtures import clusters
from fixtures.tasks import aeventually, agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def relayed(server, relay):
    """A relay before the server, and what to connect with."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    return found, {**server.parameters, **found.options}


def available(pool):
    return pool.get_stats()["pool_available"]


async def end_all(aconn, pool):
    """An administrator ends the sessions of a pool that is at rest."""
    pids = [member.connection.info.backend_pid for member in pool._stock.idle]
    for pid in pids:
        await aconn.execute("select pg_terminate_backend(%s, 5000)", [pid])
    return pids


# ---- connections that are lost ------------------------------------------------------------------


async def test_what_the_server_has_ended_is_not_lent(dsn, aconn):
    async with aio.AsyncConnectionPool(dsn, min_size=3) as pool:
        await pool.wait()
        gone = await end_all(aconn, pool)
        assert len(gone) == 3
        pids = await agather(*[lambda: pool.fetchval("select pg_backend_pid()")] * 3)
        assert not set(pids) & set(gone)
        await aeventually(lambda: available(pool) == 3)
        assert pool.get_stats()["connections_lost"] >= 1


async def test_a_lost_connection_makes_the_others_suspect(dsn, aconn):
    async with aio.AsyncConnectionPool(dsn, min_size=2, ping_after=3600) as pool:
        await pool.wait()
        with pytest.raises(psycoxide.errors.AdminShutdown):
            async with pool.connection() as lent:
                others = list(pool._stock.idle)
                assert all(member.good_until > 0 for member in others)
                pid = lent.info.backend_pid
                await lent.execute("select pg_terminate_backend(%s), pg_sleep(5)", [pid])
        assert all(member.good_until == 0 for member in others)
        assert await pool.fetchval("select 1") == 1


async def test_a_network_that_is_silent(relayed):
    """The ping before lending finds out, and leaves time for another connection."""
    found, options = relayed
    async with aio.AsyncConnectionPool(kwargs=options, min_size=1, ping_after=0.01) as pool:
        await pool.wait()
        await asleep(0.05)
        for each in found.connections:
            each.holds_answers.set()
        began = time.monotonic()
        assert await pool.fetchval("select 1") == 1
        assert time.monotonic() - began < 15
        assert pool.get_stats()["connections_lost"] == 1


@pytest.mark.parametrize("timeout", [0, 0.000001])
async def test_no_time_for_a_ping(dsn, timeout):
    """That the time is over says nothing about the connection."""
    async with aio.AsyncConnectionPool(dsn, min_size=3, ping_after=0.01) as pool:
        await pool.wait()
        before = {member.connection for member in pool._stock.idle}
        await asleep(0.05)
        with pytest.raises(aio.PoolTimeout):
            await pool.getconn(timeout)
        await aeventually(lambda: available(pool) == 3)
        assert {member.connection for member in pool._stock.idle} == before
        stats = pool.get_stats()
        assert "connections_lost" not in stats
        assert (stats["requests_num"], stats["requests_errors"]) == (1, 1)


async def test_a_ping_without_an_answer_in_time(relayed):  # only in aio
    """Another connection is opened; the first one is lent again when it has answered."""
    found, options = relayed
    pool = aio.AsyncConnectionPool(kwargs=options, min_size=1, max_size=2, ping_after=0.01)
    async with pool:
        await pool.wait()
        (first,) = (member.connection for member in pool._stock.idle)
        await asleep(0.05)
        for each in found.connections:
            each.holds_answers.set()
        async with pool.connection(timeout=2) as other:
            assert other is not first
            assert available(pool) == 0
            for each in found.connections:
                each.holds_answers.clear()
            async with pool.connection(timeout=5) as again:
                assert again is first


@pytest.mark.parametrize("how", ["pool", "program"])
async def test_a_check_without_an_answer(relayed, how):
    async def check(conn):
        await conn.execute("select 1")

    found, options = relayed
    chosen = check if how == "program" else aio.AsyncConnectionPool.check_connection
    async with aio.AsyncConnectionPool(kwargs=options, min_size=1, check=chosen) as pool:
        await pool.wait()
        for each in found.connections:
            each.holds_answers.set()
        began = time.monotonic()
        with pytest.raises(aio.PoolTimeout):
            await pool.getconn(timeout=0.3)
        # A thread waits for up to `cancel_timeout`, 5 seconds, for the end of its statement.
        assert time.monotonic() - began < 8
        assert await pool.fetchval("select 1") == 1


async def test_a_check_that_waits_for_something_else(dsn):  # only in aio
    async def check(conn):
        await asleep(3600)

    async with aio.AsyncConnectionPool(dsn, min_size=1, check=check) as pool:
        await pool.wait()
        with pytest.raises(aio.PoolTimeout):
            await pool.getconn(timeout=0.2)


async def test_check_looks_at_all(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=5, ping_after=3600) as pool:
        await pool.wait()
        began = time.monotonic()
        before = set(pool._stock.idle)
        await pool.check()
        await aeventually(lambda: available(pool) == 5)
        assert set(pool._stock.idle) == before
        assert all(member.good_until > began for member in before)
        assert "requests_num" not in pool.get_stats()


async def test_a_request_counts_once(dsn, aconn):
    async with aio.AsyncConnectionPool(dsn, min_size=3) as pool:
        await pool.wait()
        await end_all(aconn, pool)
        assert await pool.fetchval("select 1") == 1
        assert pool.get_stats()["requests_num"] == 1


async def test_no_ping_before_its_time(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, ping_after=60) as pool:
        await pool.wait()
        member = pool._stock.idle[0]
        before = member.good_until
        async with pool.connection():
            pass
        assert member.good_until > before > time.monotonic()


async def test_check(dsn, aconn):
    async with aio.AsyncConnectionPool(dsn, min_size=3) as pool:
        await pool.wait()
        await pool.check()
        await aeventually(lambda: available(pool) == 3)
        assert pool.get_stats()["connections_num"] == 3
        gone = await end_all(aconn, pool)
        await pool.check()
        await aeventually(lambda: available(pool) == 3)
        assert not {member.connection.info.backend_pid for member in pool._stock.idle} & set(gone)


async def test_a_check_of_the_program(dsn):
    async def check(conn):
        checked.append(conn)
        if len(checked) == 1:
            raise ZeroDivisionError

    checked = []
    async with aio.AsyncConnectionPool(dsn, min_size=1, check=check) as pool:
        assert await pool.fetchval("select 1") == 1
        assert len(checked) == 2
        assert checked[0] is not checked[1]


@pytest.mark.parametrize("how", ["raises", "begins"])
async def test_a_check_that_always_fails(dsn, how, caplog):
    """The program learns why, and the server is not asked for connections all the time."""

    async def check(conn):
        if how == "raises":
            raise ZeroDivisionError("no")
        await conn.execute("begin")

    async with aio.AsyncConnectionPool(dsn, min_size=1, check=check) as pool:
        with pytest.raises(aio.PoolTimeout) as caught:
            await pool.getconn(timeout=0.5)
        stats = pool.get_stats()
        assert 1 < stats["connections_num"] < 6
        assert stats["connections_errors"] >= stats["connections_num"] - 1
        assert (stats["requests_num"], stats["requests_queued"]) == (1, 1)
        reason = "no" if how == "raises" else "check() left the connection in a transaction"
        assert reason in str(caught.value.__cause__)
        assert reason in caplog.text
        await aeventually(lambda: pool.get_stats()["pool_size"] == 1)


async def test_a_check_that_fails_at_first(dsn):
    async def check(conn):
        checked.append(conn)
        if len(checked) < 3:
            raise ZeroDivisionError

    checked = []
    async with aio.AsyncConnectionPool(dsn, min_size=2, check=check) as pool:
        assert await pool.fetchval("select 1") == 1
        await aeventually(lambda: available(pool) == 2)
    assert pool.get_stats()["pool_size"] == 0


async def test_check_connection(dsn):
    pool = aio.AsyncConnectionPool(dsn, min_size=1, check=aio.AsyncConnectionPool.check_connection)
    async with pool:
        assert await pool.fetchval("select 1") == 1
        conn = await pool.getconn()
        await conn.close()
        with pytest.raises(psycoxide.Error):
            await pool.check_connection(conn)
        await pool.putconn(conn)


# ---- servers that are down ----------------------------------------------------------------------


async def test_a_server_that_is_down_at_the_start(relayed):
    found, options = relayed
    found.refuse()
    async with aio.AsyncConnectionPool(kwargs=options, min_size=3) as pool:
        with pytest.raises(aio.PoolTimeout) as caught:
            await pool.wait(timeout=0.5)
        assert isinstance(caught.value.__cause__, psycoxide.OperationalError)
        with pytest.raises(aio.PoolTimeout) as caught:
            await pool.getconn(timeout=0.05)
        assert "refused" in str(caught.value.__cause__)
        # One goes on trying for all of them.
        assert pool.get_stats()["pool_size"] == 1
        found.restore()
        assert await pool.fetchval("select 1") == 1
        await aeventually(lambda: available(pool) == 3)


async def test_a_server_that_restarts(relayed):
    found, options = relayed
    async with aio.AsyncConnectionPool(kwargs=options, min_size=2) as pool:
        await pool.wait()
        found.cut()
        with pytest.raises(aio.PoolTimeout):
            await pool.getconn(timeout=0.2)
        found.restore()
        assert await pool.fetchval("select 1") == 1
        await aeventually(lambda: available(pool) == 2)


async def test_giving_up(relayed):
    async def failed(which):
        told.append(which)

    told = []
    found, options = relayed
    found.refuse()
    pool = aio.AsyncConnectionPool(
        kwargs=options, min_size=2, reconnect_timeout=0.3, reconnect_failed=failed
    )
    async with pool:
        with pytest.raises(aio.PoolTimeout):
            await pool.wait(timeout=1)
        assert told
        assert told[0] is pool
        found.restore()
        # A request makes it try again.
        assert await pool.fetchval("select 1") == 1


async def test_an_error_that_stays(dsn):
    async with aio.AsyncConnectionPool(f"{dsn} dbname=nowhere", min_size=1) as pool:
        with pytest.raises(aio.PoolTimeout) as caught:
            await pool.getconn(timeout=0.2)
        assert "nowhere" in str(caught.value.__cause__)


async def test_a_configuration_that_fails(dsn):
    async def begin(conn):
        await conn.execute("begin")

    async with aio.AsyncConnectionPool(dsn, min_size=1, configure=begin) as pool:
        with pytest.raises(aio.PoolTimeout) as caught:
            await pool.wait(timeout=0.2)
        assert "configure()" in str(caught.value.__cause__)


async def test_configure(dsn):
    async def configure(conn):
        await conn.execute("set application_name = 'configured'")

    async with aio.AsyncConnectionPool(dsn, min_size=1, configure=configure) as pool:
        assert await pool.fetchval("show application_name") == "configured"


async def test_a_function_that_hangs_once(dsn):  # only in aio: a thread cannot be interrupted
    async def conninfo():
        asked.append(1)
        if len(asked) == 1:
            await asleep(3600)
        return dsn

    asked = []
    async with aio.AsyncConnectionPool(conninfo, min_size=1, timeout=0.2) as pool:
        async with pool.connection(timeout=5) as conn:
            assert await conn.fetchval("select 1") == 1
        assert len(asked) == 2


# ---- primaries and standbys ---------------------------------------------------------------------


async def test_an_error_about_read_only(dsn):
    """A primary that says so is believed: only the transaction is read-only."""
    async with aio.AsyncConnectionPool(dsn, min_size=2) as pool:
        await pool.wait()
        with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction):
            async with pool.connection() as lent, lent.transaction(read_only=True):
                await lent.execute("create table never (n integer)")
        await aeventually(lambda: available(pool) == 2)
        assert pool.get_stats()["connections_num"] == 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup came with Python 3.11")
async def test_an_error_about_read_only_in_a_group(dsn):  # only in aio: threads have no groups
    async def create(conn):
        async with conn.transaction(read_only=True):
            await conn.execute("create table never (n integer)")

    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool:
        with pytest.raises(BaseException) as caught:
            async with pool.connection() as lent, asyncio.TaskGroup() as group:
                member = lent._member
                group.create_task(create(lent))
        assert caught.type.__name__ == "ExceptionGroup"
        assert member.doubtful


@pytest.fixture(scope="module")
def primary():
    with clusters.fresh() as found:
        yield found


async def test_a_restarted_server(primary):
    async with aio.AsyncConnectionPool(primary.server.dsn, min_size=2) as pool:
        await pool.wait()
        primary.restart()
        assert await pool.fetchval("select 1") == 1
        await aeventually(lambda: available(pool) == 2)


async def test_a_primary_that_became_another_one(primary):
    """Connections lead to what is a standby now; new ones, by the same name, to the primary."""
    with clusters.standby_of(primary) as standby:
        where = standby.server.dsn
        async with aio.AsyncConnectionPool(lambda: where, min_size=3) as pool:
            await pool.wait()
            where = primary.server.dsn
            with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction):
                await pool.execute("create table moved (n integer)")
            await aeventually(lambda: pool.get_stats()["connections_num"] == 6)
            await pool.execute("create table moved (n integer)")
            await aeventually(lambda: available(pool) == 3)
        async with aio.connect(where) as conn:
            await conn.execute("drop table moved")


# ---- with time ----------------------------------------------------------------------------------


async def test_a_lifetime(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=2, max_lifetime=0.2) as pool:
        await pool.wait()
        first = set(pool._stock.idle)
        # By the clock, without a request.
        await aeventually(lambda: pool.get_stats()["connections_num"] >= 4)
        await aeventually(lambda: available(pool) == 2)
        assert not first & set(pool._stock.idle)


async def test_a_lifetime_that_ends_while_it_is_lent(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_lifetime=0.1) as pool:
        async with pool.connection() as lent:
            await asleep(0.2)
            assert await lent.fetchval("select 1") == 1
        assert lent.closed
        assert await pool.fetchval("select 1") == 1


async def test_idle_connections_beyond_the_minimum_are_closed(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=3, max_idle=0.2) as pool:
        conns = [await pool.getconn() for _ in range(3)]
        for each in conns:
            await pool.putconn(each)
        assert available(pool) == 3
        await aeventually(lambda: pool.get_stats()["pool_size"] == 1)
        # The one that was used last stays; the others are closed behind the count.
        await aeventually(lambda: [each.closed for each in conns] == [True, True, False])


async def test_resize(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool:
        await pool.resize(2, 4)
        assert (pool.min_size, pool.max_size) == (2, 4)
        await aeventually(lambda: available(pool) == 2)
        conns = [await pool.getconn() for _ in range(4)]
        await pool.putconn(conns[0])
        await pool.resize(1, 2)
        assert conns[0].closed
        for each in conns[1:]:
            await pool.putconn(each)
        assert pool.get_stats()["pool_size"] == available(pool) == 2
        with pytest.raises(ValueError, match="max_size"):
            await pool.resize(3, 2)


async def test_a_smaller_size_ends_a_wait(relayed):
    found, options = relayed
    async with aio.AsyncConnectionPool(kwargs=options, min_size=1) as pool:
        await pool.wait()
        found.refuse()
        await pool.resize(2)
        waiting = aspawn(pool.wait, 10)
        await asleep(0.1)
        began = time.monotonic()
        await pool.resize(1, 2)
        await ajoin(waiting)
        assert time.monotonic() - began < 5


async def test_a_larger_size_serves_who_waits(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool, pool.connection():
        waiting = aspawn(pool.fetchval, "select 1")
        await aeventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        await pool.resize(1, 2)
        assert await ajoin(waiting) == 1


async def test_nothing_ends_by_the_clock(dsn):
    for_ever = {"max_idle": math.inf, "max_lifetime": math.inf, "reconnect_timeout": math.inf}
    pool = aio.AsyncConnectionPool(dsn, min_size=1, timeout=math.inf, **for_ever)
    async with pool:
        async with pool.connection():
            waiting = aspawn(pool.fetchval, "select 1")
            await aeventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        assert await ajoin(waiting) == 1
        # What is to be done is done still.
        conn = await pool.getconn()
        await conn.close()
        await pool.putconn(conn)
        assert await pool.fetchval("select 1") == 1


@pytest.mark.parametrize("argument", ["max_idle", "warn_after"])
async def test_it_does_not_look_all_the_time(dsn, argument):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=2, **{argument: 0}) as pool:
        await pool.wait()
        began = time.process_time()
        await asleep(0.5)
        assert time.process_time() - began < 0.25


async def test_drain(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=2) as pool:
        await pool.wait()
        lent = await pool.getconn()
        (idle,) = (member.connection for member in pool._stock.idle)
        await pool.drain()
        assert idle.closed
        assert not lent.closed
        await pool.putconn(lent)
        assert lent.closed
        await aeventually(lambda: available(pool) == 2)


async def test_statistics(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool:
        await pool.wait()
        async with pool.connection():
            waiting = aspawn(pool.fetchval, "select 1")
            await aeventually(lambda: pool.get_stats()["requests_waiting"] == 1)
            await asleep(0.05)
        await ajoin(waiting)
        stats = pool.pop_stats()
        assert stats["requests_num"] == 2
        assert stats["requests_queued"] == 1
        assert stats["connections_num"] == 1
        assert stats["usage_ms"] >= 50
        assert stats["requests_wait_ms"] >= 50
        assert pool.get_stats() == {
            "pool_min": 1,
            "pool_max": 1,
            "pool_size": 1,
            "pool_available": 1,
            "requests_waiting": 0,
        }
