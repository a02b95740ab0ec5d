# Generated from tests/aio/test_pool_servers.py by tools/generate_sync.py: do not edit.
"""Pools before servers that go away, come back or stop answering; and what changes with time."""

from __future__ import annotations

import math
import time

import pytest
from fixtures import clusters
from fixtures.tasks import eventually, gather, join, sleep, spawn

import psycoxide
from psycoxide import sync

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


def end_all(conn, pool):
    """An administrator ends the sessions of a pool that is at rest."""
    pids = [member.connection.info.backend_pid for member in pool._stock.idle]
    for pid in pids:
        conn.execute("select pg_terminate_backend(%s, 5000)", [pid])
    return pids


# ---- connections that are lost ------------------------------------------------------------------


def test_what_the_server_has_ended_is_not_lent(dsn, conn):
    with sync.ConnectionPool(dsn, min_size=3) as pool:
        pool.wait()
        gone = end_all(conn, pool)
        assert len(gone) == 3
        pids = gather(*[lambda: pool.fetchval("select pg_backend_pid()")] * 3)
        assert not set(pids) & set(gone)
        eventually(lambda: available(pool) == 3)
        assert pool.get_stats()["connections_lost"] >= 1


def test_a_lost_connection_makes_the_others_suspect(dsn, conn):
    with sync.ConnectionPool(dsn, min_size=2, ping_after=3600) as pool:
        pool.wait()
        with pytest.raises(psycoxide.errors.AdminShutdown):
            with pool.connection() as lent:
                others = list(pool._stock.idle)
                assert all(member.good_until > 0 for member in others)
                pid = lent.info.backend_pid
                lent.execute("select pg_terminate_backend(%s), pg_sleep(5)", [pid])
        assert all(member.good_until == 0 for member in others)
        assert pool.fetchval("select 1") == 1


def test_a_network_that_is_silent(relayed):
    """The ping before lending finds out, and leaves time for another connection."""
    found, options = relayed
    with sync.ConnectionPool(kwargs=options, min_size=1, ping_after=0.01) as pool:
        pool.wait()
        sleep(0.05)
        for each in found.connections:
            each.holds_answers.set()
        began = time.monotonic()
        assert pool.fetchval("select 1") == 1
        assert time.monotonic() - began < 15
        assert pool.get_stats()["connections_lost"] == 1


@pytest.mark.parametrize("timeout", [0, 0.000001])
def test_no_time_for_a_ping(dsn, timeout):
    """That the time is over says nothing about the connection."""
    with sync.ConnectionPool(dsn, min_size=3, ping_after=0.01) as pool:
        pool.wait()
        before = {member.connection for member in pool._stock.idle}
        sleep(0.05)
        with pytest.raises(sync.PoolTimeout):
            pool.getconn(timeout)
        eventually(lambda: available(pool) == 3)
        assert {member.connection for member in pool._stock.idle} == before
        stats = pool.get_stats()
        assert "connections_lost" not in stats
        assert (stats["requests_num"], stats["requests_errors"]) == (1, 1)


@pytest.mark.parametrize("how", ["pool", "program"])
def test_a_check_without_an_answer(relayed, how):
    def check(conn):
        conn.execute("select 1")

    found, options = relayed
    chosen = check if how == "program" else sync.ConnectionPool.check_connection
    with sync.ConnectionPool(kwargs=options, min_size=1, check=chosen) as pool:
        pool.wait()
        for each in found.connections:
            each.holds_answers.set()
        began = time.monotonic()
        with pytest.raises(sync.PoolTimeout):
            pool.getconn(timeout=0.3)
        # A thread waits for up to `cancel_timeout`, 5 seconds, for the end of its statement.
        assert time.monotonic() - began < 8
        assert pool.fetchval("select 1") == 1


def test_check_looks_at_all(dsn):
    with sync.ConnectionPool(dsn, min_size=5, ping_after=3600) as pool:
        pool.wait()
        began = time.monotonic()
        before = set(pool._stock.idle)
        pool.check()
        eventually(lambda: available(pool) == 5)
        assert set(pool._stock.idle) == before
        assert all(member.good_until > began for member in before)
        assert "requests_num" not in pool.get_stats()


def test_a_request_counts_once(dsn, conn):
    with sync.ConnectionPool(dsn, min_size=3) as pool:
        pool.wait()
        end_all(conn, pool)
        assert pool.fetchval("select 1") == 1
        assert pool.get_stats()["requests_num"] == 1


def test_no_ping_before_its_time(dsn):
    with sync.ConnectionPool(dsn, min_size=1, ping_after=60) as pool:
        pool.wait()
        member = pool._stock.idle[0]
        before = member.good_until
        with pool.connection():
            pass
        assert member.good_until > before > time.monotonic()


def test_check(dsn, conn):
    with sync.ConnectionPool(dsn, min_size=3) as pool:
        pool.wait()
        pool.check()
        eventually(lambda: available(pool) == 3)
        assert pool.get_stats()["connections_num"] == 3
        gone = end_all(conn, pool)
        pool.check()
        eventually(lambda: available(pool) == 3)
        assert not {member.connection.info.backend_pid for member in pool._stock.idle} & set(gone)


def test_a_check_of_the_program(dsn):
    def check(conn):
        checked.append(conn)
        if len(checked) == 1:
            raise ZeroDivisionError

    checked = []
    with sync.ConnectionPool(dsn, min_size=1, check=check) as pool:
        assert pool.fetchval("select 1") == 1
        assert len(checked) == 2
        assert checked[0] is not checked[1]


@pytest.mark.parametrize("how", ["raises", "begins"])
def test_a_check_that_always_fails(dsn, how, caplog):
    """The program learns why, and the server is not asked for connections all the time."""

    def check(conn):
        if how == "raises":
            raise ZeroDivisionError("no")
        conn.execute("begin")

    with sync.ConnectionPool(dsn, min_size=1, check=check) as pool:
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.getconn(timeout=0.5)
        stats = pool.get_stats()
        assert 1 < stats["connections_num"] < 6
        assert stats["connections_errors"] >= stats["connections_num"] - 1
        assert (stats["requests_num"], stats["requests_queued"]) == (1, 1)
        reason = "no" if how == "raises" else "check() left the connection in a transaction"
        assert reason in str(caught.value.__cause__)
        assert reason in caplog.text
        eventually(lambda: pool.get_stats()["pool_size"] == 1)


def test_a_check_that_fails_at_first(dsn):
    def check(conn):
        checked.append(conn)
        if len(checked) < 3:
            raise ZeroDivisionError

    checked = []
    with sync.ConnectionPool(dsn, min_size=2, check=check) as pool:
        assert pool.fetchval("select 1") == 1
        eventually(lambda: available(pool) == 2)
    assert pool.get_stats()["pool_size"] == 0


def test_check_connection(dsn):
    pool = sync.ConnectionPool(dsn, min_size=1, check=sync.ConnectionPool.check_connection)
    with pool:
        assert pool.fetchval("select 1") == 1
        conn = pool.getconn()
        conn.close()
        with pytest.raises(psycoxide.Error):
            pool.check_connection(conn)
        pool.putconn(conn)


# ---- servers that are down ----------------------------------------------------------------------


def test_a_server_that_is_down_at_the_start(relayed):
    found, options = relayed
    found.refuse()
    with sync.ConnectionPool(kwargs=options, min_size=3) as pool:
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.wait(timeout=0.5)
        assert isinstance(caught.value.__cause__, psycoxide.OperationalError)
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.getconn(timeout=0.05)
        assert "refused" in str(caught.value.__cause__)
        # One goes on trying for all of them.
        assert pool.get_stats()["pool_size"] == 1
        found.restore()
        assert pool.fetchval("select 1") == 1
        eventually(lambda: available(pool) == 3)


def test_a_server_that_restarts(relayed):
    found, options = relayed
    with sync.ConnectionPool(kwargs=options, min_size=2) as pool:
        pool.wait()
        found.cut()
        with pytest.raises(sync.PoolTimeout):
            pool.getconn(timeout=0.2)
        found.restore()
        assert pool.fetchval("select 1") == 1
        eventually(lambda: available(pool) == 2)


def test_giving_up(relayed):
    def failed(which):
        told.append(which)

    told = []
    found, options = relayed
    found.refuse()
    pool = sync.ConnectionPool(
        kwargs=options, min_size=2, reconnect_timeout=0.3, reconnect_failed=failed
    )
    with pool:
        with pytest.raises(sync.PoolTimeout):
            pool.wait(timeout=1)
        assert told
        assert told[0] is pool
        found.restore()
        # A request makes it try again.
        assert pool.fetchval("select 1") == 1


def test_an_error_that_stays(dsn):
    with sync.ConnectionPool(f"{dsn} dbname=nowhere", min_size=1) as pool:
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.getconn(timeout=0.2)
        assert "nowhere" in str(caught.value.__cause__)


def test_a_configuration_that_fails(dsn):
    def begin(conn):
        conn.execute("begin")

    with sync.ConnectionPool(dsn, min_size=1, configure=begin) as pool:
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.wait(timeout=0.2)
        assert "configure()" in str(caught.value.__cause__)


def test_configure(dsn):
    def configure(conn):
        conn.execute("set application_name = 'configured'")

    with sync.ConnectionPool(dsn, min_size=1, configure=configure) as pool:
        assert pool.fetchval("show application_name") == "configured"


# ---- primaries and standbys ---------------------------------------------------------------------


def test_an_error_about_read_only(dsn):
    """A primary that says so is believed: only the transaction is read-only."""
    with sync.ConnectionPool(dsn, min_size=2) as pool:
        pool.wait()
        with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction):
            with pool.connection() as lent, lent.transaction(read_only=True):
                lent.execute("create table never (n integer)")
        eventually(lambda: available(pool) == 2)
        assert pool.get_stats()["connections_num"] == 2


@pytest.fixture(scope="module")
def primary():
    with clusters.fresh() as found:
        yield found


def test_a_restarted_server(primary):
    with sync.ConnectionPool(primary.server.dsn, min_size=2) as pool:
        pool.wait()
        primary.restart()
        assert pool.fetchval("select 1") == 1
        eventually(lambda: available(pool) == 2)


def test_a_primary_that_became_another_one(primary):
    """Connections lead to what is a standby now; new ones, by the same name, to the primary."""
    with clusters.standby_of(primary) as standby:
        where = standby.server.dsn
        with sync.ConnectionPool(lambda: where, min_size=3) as pool:
            pool.wait()
            where = primary.server.dsn
            with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction):
                pool.execute("create table moved (n integer)")
            eventually(lambda: pool.get_stats()["connections_num"] == 6)
            pool.execute("create table moved (n integer)")
            eventually(lambda: available(pool) == 3)
        with sync.connect(where) as conn:
            conn.execute("drop table moved")


# ---- with time ----------------------------------------------------------------------------------


def test_a_lifetime(dsn):
    with sync.ConnectionPool(dsn, min_size=2, max_lifetime=0.2) as pool:
        pool.wait()
        first = set(pool._stock.idle)
        # By the clock, without a request.
        eventually(lambda: pool.get_stats()["connections_num"] >= 4)
        eventually(lambda: available(pool) == 2)
        assert not first & set(pool._stock.idle)


def test_a_lifetime_that_ends_while_it_is_lent(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_lifetime=0.1) as pool:
        with pool.connection() as lent:
            sleep(0.2)
            assert lent.fetchval("select 1") == 1
        assert lent.closed
        assert pool.fetchval("select 1") == 1


def test_idle_connections_beyond_the_minimum_are_closed(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_size=3, max_idle=0.2) as pool:
        conns = [pool.getconn() for _ in range(3)]
        for each in conns:
            pool.putconn(each)
        assert available(pool) == 3
        eventually(lambda: pool.get_stats()["pool_size"] == 1)
        # The one that was used last stays; the others are closed behind the count.
        eventually(lambda: [each.closed for each in conns] == [True, True, False])


def test_resize(dsn):
    with sync.ConnectionPool(dsn, min_size=1) as pool:
        pool.resize(2, 4)
        assert (pool.min_size, pool.max_size) == (2, 4)
        eventually(lambda: available(pool) == 2)
        conns = [pool.getconn() for _ in range(4)]
        pool.putconn(conns[0])
        pool.resize(1, 2)
        assert conns[0].closed
        for each in conns[1:]:
            pool.putconn(each)
        assert pool.get_stats()["pool_size"] == available(pool) == 2
        with pytest.raises(ValueError, match="max_size"):
            pool.resize(3, 2)


def test_a_smaller_size_ends_a_wait(relayed):
    found, options = relayed
    with sync.ConnectionPool(kwargs=options, min_size=1) as pool:
        pool.wait()
        found.refuse()
        pool.resize(2)
        waiting = spawn(pool.wait, 10)
        sleep(0.1)
        began = time.monotonic()
        pool.resize(1, 2)
        join(waiting)
        assert time.monotonic() - began < 5


def test_a_larger_size_serves_who_waits(dsn):
    with sync.ConnectionPool(dsn, min_size=1) as pool, pool.connection():
        waiting = spawn(pool.fetchval, "select 1")
        eventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        pool.resize(1, 2)
        assert join(waiting) == 1


def test_nothing_ends_by_the_clock(dsn):
    for_ever = {"max_idle": math.inf, "max_lifetime": math.inf, "reconnect_timeout": math.inf}
    pool = sync.ConnectionPool(dsn, min_size=1, timeout=math.inf, **for_ever)
    with pool:
        with pool.connection():
            waiting = spawn(pool.fetchval, "select 1")
            eventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        assert join(waiting) == 1
        # What is to be done is done still.
        conn = pool.getconn()
        conn.close()
        pool.putconn(conn)
        assert pool.fetchval("select 1") == 1


@pytest.mark.parametrize("argument", ["max_idle", "warn_after"])
def test_it_does_not_look_all_the_time(dsn, argument):
    with sync.ConnectionPool(dsn, min_size=1, max_size=2, **{argument: 0}) as pool:
        pool.wait()
        began = time.process_time()
        sleep(0.5)
        assert time.process_time() - began < 0.25


def test_drain(dsn):
    with sync.ConnectionPool(dsn, min_size=2) as pool:
        pool.wait()
        lent = pool.getconn()
        (idle,) = (member.connection for member in pool._stock.idle)
        pool.drain()
        assert idle.closed
        assert not lent.closed
        pool.putconn(lent)
        assert lent.closed
        eventually(lambda: available(pool) == 2)


def test_statistics(dsn):
    with sync.ConnectionPool(dsn, min_size=1) as pool:
        pool.wait()
        with pool.connection():
            waiting = spawn(pool.fetchval, "select 1")
            eventually(lambda: pool.get_stats()["requests_waiting"] == 1)
            sleep(0.05)
        join(waiting)
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
