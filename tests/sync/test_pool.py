# Generated from tests/aio/test_pool.py by tools/generate_sync.py: do not edit.
"""Pools: lending connections, waiting for them, and giving them back."""

from __future__ import annotations

import pytest
from fixtures.tasks import eventually, gather, join, sleep, spawn

import psycoxide
from psycoxide import sync


@pytest.fixture
def pool(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_size=2, timeout=10) as made:
        yield made


def test_a_block_borrows_and_gives_back(pool):
    with pool.connection() as conn:
        assert conn.fetchval("select 1") == 1
        assert conn._pool is pool
        assert pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"] - 1
    assert conn._pool is None
    assert pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"]


def test_the_last_one_used_is_lent_first(pool):
    one, other = pool.getconn(), pool.getconn()
    pool.putconn(one)
    pool.putconn(other)
    for _ in range(3):
        with pool.connection() as conn:
            assert conn is other


def test_no_more_than_the_maximum_are_open(pool):
    lent = 0
    most = 0

    def borrow():
        nonlocal lent, most
        with pool.connection() as conn:
            lent += 1
            most = max(most, lent)
            conn.execute("select pg_sleep(0.001)")
            lent -= 1

    gather(*[borrow] * 20)
    assert most == 2
    stats = pool.get_stats()
    assert stats["pool_size"] == stats["pool_available"] == 2
    assert stats["requests_num"] == 20
    assert stats["requests_waiting"] == 0


def test_who_waits_first_is_served_first(pool):
    one, other = pool.getconn(), pool.getconn()
    order = []

    def borrow(name):
        with pool.connection() as conn:
            order.append(name)
            conn.execute("select 1")

    waiting = []
    for name in "abc":
        waiting.append(spawn(borrow, name))
        eventually(lambda: pool.get_stats()["requests_waiting"] == len(waiting))
    pool.putconn(one)
    for each in waiting:
        join(each)
    pool.putconn(other)
    assert order == ["a", "b", "c"]


def test_a_wait_is_limited_and_says_who_holds(pool):
    one, other = pool.getconn(), pool.getconn()
    with pytest.raises(sync.PoolTimeout, match=r"2 are lent") as caught:
        pool.getconn(timeout=0.05)
    assert str(caught.value).count("test_pool.py:") == 2
    assert pool.get_stats()["requests_waiting"] == 0
    assert pool.get_stats()["requests_errors"] == 1
    pool.putconn(one)
    pool.putconn(other)
    assert pool.fetchval("select 1", timeout=5) == 1


def test_waits_of_different_length(pool):
    one, other = pool.getconn(), pool.getconn()
    ended = []

    def borrow(timeout):
        try:
            pool.getconn(timeout)
        except sync.PoolTimeout:
            ended.append(timeout)

    waiting = [spawn(borrow, timeout) for timeout in (0.3, 0.1, 0.2)]
    for each in waiting:
        join(each)
    assert ended == [0.1, 0.2, 0.3]
    pool.putconn(one)
    pool.putconn(other)


def test_no_more_than_so_many_may_wait(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_waiting=1) as pool:
        conn = pool.getconn()
        waiting = spawn(pool.fetchval, "select 7")
        eventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        with pytest.raises(sync.TooManyRequests):
            pool.getconn()
        pool.putconn(conn)
        assert join(waiting) == 7


def test_statements_in_one_step(pool):
    assert pool.fetchval("select %s + 1", [41]) == 42
    assert pool.fetchrow("select 1, 2") == (1, 2)
    assert pool.fetchrow("select 1 as a", row_factory=sync.dict_row) == {"a": 1}
    assert pool.fetch("select generate_series(1, 2)") == [(1,), (2,)]
    assert pool.fetch("select 1", row_factory=sync.scalar_row) == [1]
    assert pool.execute("select 5").fetchone() == (5,)
    cursor = pool.executemany("select %s", [(1,), (2,)], returning=True)
    assert cursor.fetchall() == [(1,), (2,)]
    with pytest.raises(sync.OperationTimeout):
        pool.fetchval("select pg_sleep(60)", timeout=0.05)
    assert pool.fetchval("select 1") == 1


def test_outside_autocommit_a_block_is_a_transaction(dsn):
    pool = sync.ConnectionPool(dsn, min_size=1, kwargs={"autocommit": False})
    with pool:
        with pool.connection() as conn:
            conn.execute("create temporary table kept (n integer)")
        with pytest.raises(ZeroDivisionError):
            with pool.connection() as conn:
                conn.execute("insert into kept values (1)")
                raise ZeroDivisionError
        with pool.connection() as conn:
            assert conn.fetchval("select count(*) from kept") == 0


def test_a_pool_opens_itself(dsn):
    pool = sync.ConnectionPool(dsn, min_size=1)
    assert not pool.closed
    assert pool.fetchval("select 1") == 1
    pool.close()
    assert pool.closed


def test_several_are_the_first_to_use_it(dsn):
    pool = sync.ConnectionPool(dsn, min_size=1)
    assert gather(*[lambda: pool.fetchval("select 1")] * 8) == [1] * 8
    assert pool.get_stats()["connections_num"] == 1
    pool.close()
    assert pool.get_stats()["pool_size"] == 0


def test_a_pool_that_is_to_be_opened(dsn):
    pool = sync.ConnectionPool(dsn, min_size=1, open=False)
    assert pool.closed
    with pytest.raises(sync.PoolClosed, match="not open yet"):
        pool.getconn()
    pool.open(wait=True)
    pool.open()
    assert not pool.closed
    assert pool.get_stats()["pool_available"] == 1
    pool.close()
    with pytest.raises(sync.PoolClosed, match="is closed"):
        pool.getconn()
    with pytest.raises(sync.PoolClosed):
        pool.wait()
    with pytest.raises(psycoxide.OperationalError, match="cannot be opened again"):
        pool.open()
    pool.close()


def test_who_waits_learns_that_the_pool_is_closed(pool):
    one, other = pool.getconn(), pool.getconn()
    waiting = spawn(pool.fetchval, "select 1")
    eventually(lambda: pool.get_stats()["requests_waiting"] == 1)
    closing = spawn(pool.close)
    with pytest.raises(sync.PoolClosed):
        join(waiting)
    assert one.fetchval("select 1") == 1
    pool.putconn(one)
    pool.putconn(other)
    join(closing)
    assert one.closed
    assert other.closed
    assert pool.get_stats()["pool_size"] == 0


def test_closing_waits_only_so_long(pool):
    conn = pool.getconn()
    pool.close(timeout=0.05)
    assert conn.fetchval("select 1") == 1
    pool.putconn(conn)
    assert conn.closed


def test_arguments_that_are_functions(dsn):
    asked = []

    def kwargs():
        asked.append(1)
        return {"row_factory": sync.scalar_row}

    with sync.ConnectionPool(lambda: dsn, kwargs=kwargs, min_size=2) as pool:
        pool.wait()
        assert pool.fetch("select 1") == [1]
    assert len(asked) == 2


def test_a_class_of_connections(dsn):
    class Mine(sync.Connection):
        pass

    with (
        sync.ConnectionPool(dsn, connection_class=Mine, min_size=1) as pool,
        pool.connection() as conn,
    ):
        assert type(conn) is Mine


@pytest.mark.parametrize(
    "sizes", [(-1, None), (2, 1), (0, 0), (0, None)], ids=["negative", "less", "none", "zero"]
)
def test_impossible_sizes(dsn, sizes):
    with pytest.raises(ValueError, match="size"):
        sync.ConnectionPool(dsn, min_size=sizes[0], max_size=sizes[1])


SECONDS = ["timeout", "max_lifetime", "max_idle", "ping_after", "reconnect_timeout", "warn_after"]


@pytest.mark.parametrize("name", [*SECONDS, "max_waiting", "num_workers"])
def test_impossible_numbers(dsn, name):
    for value in (-1, float("-inf"), float("nan")) if name in SECONDS else (-1,):
        with pytest.raises(ValueError, match=name):
            sync.ConnectionPool(dsn, **{name: value})
    for value in ("1", None):
        if (name, value) != ("warn_after", None):
            with pytest.raises(TypeError, match=name):
                sync.ConnectionPool(dsn, **{name: value})


def test_close_returns(dsn):
    with sync.ConnectionPool(dsn, min_size=1, close_returns=True) as pool:
        conn = pool.getconn()
        conn.close()
        assert not conn.closed
        with pool.connection() as again:
            assert again is conn


def test_a_null_pool_keeps_nothing(dsn):
    with sync.NullConnectionPool(dsn) as pool:
        assert (pool.min_size, pool.max_size) == (0, 0)
        with pool.connection() as conn:
            assert conn.fetchval("select 1") == 1
            assert pool.get_stats()["pool_size"] == 1
        assert conn.closed
        assert pool.get_stats()["pool_size"] == 0


def test_a_null_pool_hands_over_to_who_waits(dsn):
    with sync.NullConnectionPool(dsn, max_size=1) as pool:
        conn = pool.getconn()
        waiting = spawn(pool.fetchval, "select pg_backend_pid()")
        eventually(lambda: pool.get_stats()["requests_waiting"] == 1)
        pid = conn.info.backend_pid
        pool.putconn(conn)
        assert join(waiting) == pid
        assert pool.get_stats()["pool_size"] == 0
        assert pool.get_stats()["connections_num"] == 1


def test_a_null_pool_that_cannot_connect(dsn):
    with sync.NullConnectionPool(f"{dsn} dbname=nowhere", max_size=1) as pool:
        for _ in range(2):
            with pytest.raises(Exception, match="nowhere"):
                pool.getconn(timeout=5)
        assert pool.get_stats()["pool_size"] == 0


def test_a_null_pool_has_no_time_to_connect(dsn, relay, server):
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    found.is_flowing.clear()
    options = {**server.parameters, **found.options}
    with sync.NullConnectionPool(kwargs=options) as pool:
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.getconn(timeout=0.2)
        assert isinstance(caught.value.__cause__, psycoxide.OperationalError)
        assert pool.get_stats()["requests_errors"] == 1
        assert pool.get_stats()["pool_size"] == 0


@pytest.mark.parametrize("null", [False, True])
def test_nothing_is_lent_after_the_pool_was_closed(dsn, null):
    """It was closed while a connection was checked, or opened."""

    def wait(conn):
        begun.append(conn)
        sleep(0.3)

    begun = []
    if null:
        pool = sync.NullConnectionPool(dsn, configure=wait)
    else:
        pool = sync.ConnectionPool(dsn, min_size=1, check=wait)
    borrowing = spawn(pool.getconn)
    eventually(lambda: begun)
    pool.close()
    with pytest.raises(sync.PoolClosed):
        join(borrowing)
    assert begun[0].closed
    assert pool.get_stats()["pool_size"] == 0
