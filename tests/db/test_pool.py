"""The pools over real connections."""

import threading

import pytest

from psycoxide import extensions
from psycoxide.pool import PoolError, SimpleConnectionPool, ThreadedConnectionPool


@pytest.fixture(params=[SimpleConnectionPool, ThreadedConnectionPool])
def pool(request, dsn):
    pool = request.param(1, 2, dsn)
    yield pool
    if not pool.closed:
        pool.closeall()


def test_what_comes_back_is_idle(pool):
    conn = pool.getconn()
    conn.cursor().execute("create temporary table gone ()")
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert conn.status == extensions.STATUS_READY
    assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE
    cur = conn.cursor()
    cur.execute("select to_regclass('pg_temp.gone')")
    assert cur.fetchone() == (None,)


def test_a_failed_transaction_is_rolled_back(pool):
    conn = pool.getconn()
    with pytest.raises(Exception, match="division by zero"):
        conn.cursor().execute("select 1 / 0")
    pool.putconn(conn)
    conn = pool.getconn()
    conn.cursor().execute("select 1")


def test_the_maximum(pool):
    pool.getconn()
    pool.getconn()
    with pytest.raises(PoolError):
        pool.getconn()


def test_closing_closes_all(pool):
    lent = pool.getconn()
    pool.closeall()
    assert lent.closed


def test_threads_work_side_by_side(dsn):
    pool = ThreadedConnectionPool(1, 4, dsn)
    answers = []

    def work(number):
        for _ in range(5):
            conn = pool.getconn()
            cur = conn.cursor()
            cur.execute("select %s", (number,))
            answers.append(cur.fetchone()[0] == number)
            pool.putconn(conn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.closeall()
    assert answers == [True] * 20
