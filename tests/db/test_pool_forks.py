"""Pools of psycoxide.sync in forked processes."""

from __future__ import annotations

import pytest
from fixtures.forks import forked

import psycoxide
from psycoxide import sync


@pytest.fixture
def pool(dsn):
    with sync.ConnectionPool(dsn, min_size=2, timeout=10) as made:
        made.wait()
        yield made


def pids(pool):
    """The sessions of a pool that nobody uses."""
    conns = [pool.getconn() for _ in range(pool.max_size)]
    found = {conn.info.backend_pid for conn in conns}
    for conn in conns:
        pool.putconn(conn)
    return found


def test_a_child_opens_its_own(pool):
    first = pids(pool)

    def child(_parent):
        others = pids(pool)
        assert len(others) == 2
        assert not others & first
        assert pool.get_stats()["pool_size"] == 2
        pool.close()

    with forked(child):
        pass
    assert pids(pool) == first
    assert pool.get_stats()["pool_size"] == 2


def test_what_is_lent_at_the_fork_stays_the_parents(pool):
    conn = pool.getconn()
    conn.execute("begin")
    conn.execute("create temporary table t (n integer)")

    def child(_parent):
        pool.putconn(conn)
        assert pool.fetchval("select 1") == 1
        assert pool.get_stats()["pool_size"] == 2

    with forked(child):
        pass
    assert conn.fetchval("select count(*) from t") == 0
    pool.putconn(conn)


def test_a_closed_pool_stays_closed_in_a_child(pool):
    pool.close()

    def child(_parent):
        with pytest.raises(psycoxide.OperationalError, match="closed"):
            pool.getconn()

    with forked(child):
        pass
