"""The pools, over connections that are not connected."""

import threading

import pytest

import psycoxide
from psycoxide import extensions
from psycoxide.pool import (
    AbstractConnectionPool,
    PoolError,
    SimpleConnectionPool,
    ThreadedConnectionPool,
)


class Fake:
    """As much of a connection as a pool uses."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs
        self.closed = 0
        self.rollbacks = 0
        self.transaction_status = extensions.TRANSACTION_STATUS_IDLE

    @property
    def info(self):
        return self

    def rollback(self):
        self.rollbacks += 1

    def close(self):
        self.closed = 1


@pytest.fixture(autouse=True)
def fake_connect(monkeypatch):
    monkeypatch.setattr(psycoxide, "connect", Fake)


@pytest.fixture(params=[SimpleConnectionPool, ThreadedConnectionPool])
def pool_class(request):
    return request.param


@pytest.fixture
def pool(pool_class):
    return pool_class(1, 3, "dsn", user="me")


def test_it_opens_the_minimum_at_once(pool_class):
    assert len(pool_class(2, 3)._pool) == 2
    assert pool_class(0, 1)._pool == []


def test_the_arguments_go_to_connect(pool):
    conn = pool.getconn()
    assert (conn.args, conn.kwargs) == (("dsn",), {"user": "me"})


def test_it_lends_up_to_the_maximum(pool):
    lent = {id(pool.getconn()) for _ in range(3)}
    assert len(lent) == 3
    with pytest.raises(PoolError, match="connection pool exhausted"):
        pool.getconn()


def test_the_last_one_back_is_the_first_one_lent(pool_class):
    pool = pool_class(2, 2)
    a, b = pool.getconn(), pool.getconn()
    pool.putconn(a)
    pool.putconn(b)
    assert pool.getconn() is b
    assert pool.getconn() is a


def test_a_key_gives_the_same_connection(pool):
    conn = pool.getconn("key")
    assert pool.getconn("key") is conn
    assert pool.getconn("other") is not conn
    pool.putconn(conn, key="key")
    assert pool.getconn("new") is conn


def test_more_than_the_minimum_are_not_kept(pool):
    a, b = pool.getconn(), pool.getconn()
    pool.putconn(a)
    pool.putconn(b)
    assert (a.closed, b.closed) == (0, 1)


def test_a_transaction_is_rolled_back(pool):
    conn = pool.getconn()
    conn.transaction_status = extensions.TRANSACTION_STATUS_INTRANS
    pool.putconn(conn)
    assert conn.rollbacks == 1
    assert pool.getconn() is conn


def test_a_lost_connection_is_not_kept(pool):
    conn = pool.getconn()
    conn.transaction_status = extensions.TRANSACTION_STATUS_UNKNOWN
    pool.putconn(conn)
    assert conn.closed
    assert pool.getconn() is not conn


def test_a_closed_connection_is_not_kept(pool):
    conn = pool.getconn()
    conn.close()
    pool.putconn(conn)
    assert pool.getconn() is not conn


def test_close_on_return(pool):
    conn = pool.getconn()
    pool.putconn(conn, close=True)
    assert conn.closed
    assert pool._pool == []


def test_a_foreign_connection_is_refused(pool):
    with pytest.raises(PoolError, match="trying to put unkeyed connection"):
        pool.putconn(Fake())


def test_a_wrong_key_changes_nothing(pool):
    conn = pool.getconn()
    with pytest.raises(KeyError):
        pool.putconn(conn, key="wrong")
    assert conn not in pool._pool
    pool.putconn(conn)
    assert pool.getconn() is conn


def test_a_connection_cannot_be_put_twice(pool):
    conn = pool.getconn()
    pool.putconn(conn)
    with pytest.raises(PoolError):
        pool.putconn(conn)


def test_closing(pool):
    pool.putconn(pool.getconn())
    lent, idle = pool.getconn(), pool.getconn()
    pool.putconn(idle)
    pool.closeall()
    assert pool.closed
    assert lent.closed
    assert idle.closed
    for use in (pool.getconn, lambda: pool.putconn(lent), pool.closeall):
        with pytest.raises(PoolError, match="connection pool is closed"):
            use()


def test_one_that_fails_to_close_does_not_keep_the_others_open(pool):
    bad, good = pool.getconn(), pool.getconn()

    def fail():
        raise OSError("no")

    bad.close = fail
    pool.closeall()
    assert good.closed


def test_the_error_is_one_of_the_driver():
    assert issubclass(PoolError, psycoxide.Error)
    assert not hasattr(AbstractConnectionPool, "getconn")


def test_putconn_by_key():
    pool = ThreadedConnectionPool(1, 1)
    conn = pool.getconn("key")
    pool.putconn(key="key")
    assert pool.getconn() is conn


def test_threads_share_a_pool():
    pool = ThreadedConnectionPool(0, 8)
    lent = []
    barrier = threading.Barrier(8)

    def borrow():
        barrier.wait()
        lent.append(pool.getconn())

    threads = [threading.Thread(target=borrow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, lent))) == 8


def test_annotations_may_name_the_connections():
    assert ThreadedConnectionPool["connection"].__origin__ is ThreadedConnectionPool
