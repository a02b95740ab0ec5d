"""Threads that share a connection, cursors of it, or the registries."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import psycoxide
from psycoxide import extensions
from psycoxide.pool import ThreadedConnectionPool


def together(count, work):
    """The results of `work(n)` for n below `count`, run at once in as many threads."""
    barrier = threading.Barrier(count)

    def start(n):
        barrier.wait(20)
        return work(n)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(start, range(count), timeout=60))


def test_a_shared_connection_serialises(conn):
    def work(n):
        cur = conn.cursor()
        for turn in range(50):
            cur.execute("select %s, %s", (n, turn))
            assert cur.fetchone() == (n, turn)
        return n

    assert together(8, work) == list(range(8))


def test_statements_wait_for_their_turn(conn):
    started = time.monotonic()
    together(3, lambda n: conn.cursor().execute("select pg_sleep(0.2)"))
    assert time.monotonic() - started >= 0.6


def test_other_threads_run_while_one_waits(conn):
    counted = 0
    over = threading.Event()

    def count():
        nonlocal counted
        while not over.is_set():
            counted += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    conn.cursor().execute("select pg_sleep(0.3)")
    over.set()
    counter.join()
    assert counted > 50


def test_one_transaction_for_all_threads(conn, dsn):
    cur = conn.cursor()
    cur.execute("create temporary table shared (n int)")
    together(6, lambda n: conn.cursor().execute("insert into shared values (%s)", (n,)))
    cur.execute("select count(*), sum(n) from shared")
    assert cur.fetchone() == (6, 15)
    conn.rollback()
    with pytest.raises(psycoxide.errors.UndefinedTable):
        cur.execute("select * from shared")


def test_commit_and_rollback_in_the_middle(conn):
    """Nobody reads another's answer, whatever the interleaving; errors are those of one's own."""

    def work(n):
        cur = conn.cursor()
        seen = 0
        for turn in range(40):
            try:
                if n == 0:
                    conn.commit()
                elif n == 1:
                    conn.rollback()
                elif n == 2:
                    cur.execute("select 1 / 0")
                else:
                    cur.execute("select %s, %s", (n, turn))
                    assert cur.fetchone() == (n, turn)
                    seen += 1
            except psycoxide.errors.DivisionByZero:
                assert n == 2
            except psycoxide.errors.InFailedSqlTransaction:
                assert n >= 2
        return seen

    together(6, work)
    conn.rollback()
    cur = conn.cursor()
    cur.execute("select 42")
    assert cur.fetchone() == (42,)


def test_fetching_from_one_cursor(conn):
    cur = conn.cursor()
    cur.execute("select generate_series(1, 20000)")

    def work(n):
        rows = []
        while row := (cur.fetchone() if n % 2 else cur.fetchmany(7)):
            rows += [row] if n % 2 else row
        return rows

    rows = [row[0] for part in together(4, work) for row in part]
    assert sorted(rows) == list(range(1, 20001))


def test_fetching_from_one_named_cursor(conn):
    cur = conn.cursor("shared")
    cur.itersize = 100
    cur.execute("select generate_series(1, 3000)")
    rows = [
        row[0] for part in together(4, lambda n: list(iter(cur.fetchone, None))) for row in part
    ]
    assert sorted(rows) == list(range(1, 3001))


def test_cancel_from_another_thread(conn):
    cur = conn.cursor()
    timer = threading.Timer(0.2, conn.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(psycoxide.errors.QueryCanceled):
        cur.execute("select pg_sleep(10)")
    assert time.monotonic() - started < 5
    timer.join()
    conn.rollback()
    cur.execute("select 1")


def test_closing_while_another_thread_waits(connect):
    """It may end as an error of the statement or after it: but it ends, and soon."""
    conn = connect()
    ended = threading.Event()

    def work():
        try:
            conn.cursor().execute("select pg_sleep(1)")
        except psycoxide.Error:
            pass
        finally:
            ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    conn.close()
    assert conn.closed == 1
    assert ended.wait(10)
    thread.join()


def test_registries(connect):
    """Registering types while others read values: each value is read by one typecaster or other."""

    def work(n):
        conn = connect()
        cur = conn.cursor()
        for turn in range(200):
            if n == 0:
                extensions.register_type(extensions.new_type((869,), "OWN", lambda v, c: v), conn)
                extensions.register_adapter(Own, lambda own: extensions.AsIs(own.n))
            cur.execute("select %s, '127.0.0.1'::inet", (Own(turn),))
            assert cur.fetchone() == (turn, "127.0.0.1")

    class Own:
        def __init__(self, n):
            self.n = n

    extensions.register_adapter(Own, lambda own: extensions.AsIs(own.n))
    try:
        together(6, work)
    finally:
        del extensions.adapters[(Own, extensions.ISQLQuote)]


def test_a_pool(dsn):
    shared = ThreadedConnectionPool(1, 4, dsn)

    def work(n):
        done = 0
        while done < 30:
            try:
                conn = shared.getconn()
            except psycoxide.pool.PoolError:
                time.sleep(0.001)
                continue
            try:
                cur = conn.cursor()
                cur.execute("select %s", (n,))
                assert cur.fetchone() == (n,)
            finally:
                shared.putconn(conn)
            done += 1

    together(8, work)
    shared.closeall()


def test_notices_and_notifications_reach_the_lists(conn):
    conn.autocommit = True
    conn.cursor().execute("listen threads")

    def work(n):
        for _ in range(20):
            conn.cursor().execute("select pg_notify('threads', %s)", (str(n),))

    together(5, work)
    conn.poll()
    assert sorted({notify.payload for notify in conn.notifies}) == list("01234")
    assert len(conn.notifies) == 100
