# Generated from tests/aio/test_pool_returns.py by tools/generate_sync.py: do not edit.
"""Connections that are given back to a pool in whatever state."""

from __future__ import annotations

import gc
import logging
import time
import warnings

import pytest
from fixtures.tasks import eventually, join, sleep, spawn

from psycoxide import sync

# What a function of the program may raise that is no error.
ERRORS = [GeneratorExit]
ERRORS += [SystemExit, KeyboardInterrupt]


@pytest.fixture
def pool(dsn):
    with sync.ConnectionPool(dsn, min_size=1, timeout=10) as made:
        made.wait()
        yield made


def check_replaced(pool, conn):
    """The connection is closed, and another one has its place."""
    eventually(lambda: conn.closed)
    eventually(lambda: pool.get_stats()["pool_available"] == 1)
    with pool.connection() as another:
        assert another is not conn
        assert another.fetchval("select 1") == 1


def check_kept(pool, conn):
    """The connection is lent again, and nothing of before is left on it."""
    with pool.connection() as again:
        assert again is conn
        assert again.info.transaction_status == 0
        assert again.fetchval("select 1") == 1


@pytest.mark.parametrize("begin", ["begin", "begin; select 1 / 0"], ids=["open", "failed"])
def test_a_transaction_is_rolled_back(pool, caplog, begin):
    conn = pool.getconn()
    conn.execute("create temporary table t (n integer)")
    try:
        conn.execute(begin)
        conn.execute("insert into t values (1)")
    except Exception:
        assert "failed" in str(begin) or "/" in begin
    pool.putconn(conn)
    check_kept(pool, conn)
    assert pool.fetchval("select count(*) from t") == 0
    assert "rolls back" in caplog.text


def test_a_transaction_outside_autocommit_is_rolled_back(dsn, caplog):
    with sync.ConnectionPool(dsn, min_size=1, kwargs={"autocommit": False}) as pool:
        conn = pool.getconn()
        conn.execute("create temporary table t (n integer)")
        pool.putconn(conn)
        check_kept(pool, conn)
        assert pool.fetchval("select to_regclass('t')") is None
    assert "rolls back" in caplog.text


def test_within_the_block_of_a_transaction(pool, caplog):
    conn = pool.getconn()
    block = conn.transaction()
    block.__enter__()
    pool.putconn(conn)
    check_replaced(pool, conn)
    assert "within a transaction" in caplog.text
    assert pool.get_stats()["returns_bad"] == 1
    block.__exit__(ValueError, ValueError(), None)


def test_a_closed_one(pool):
    conn = pool.getconn()
    conn.close()
    pool.putconn(conn)
    check_replaced(pool, conn)


def test_a_broken_one(pool, conn):
    with pool.connection() as lent:
        conn.execute("select pg_terminate_backend(%s)", [lent.info.backend_pid])
        with pytest.raises(Exception, match=r"terminating|closed"):
            for _ in range(100):
                lent.execute("select pg_sleep(0.01)")
    check_replaced(pool, lent)
    assert pool.get_stats()["returns_bad"] == 1


def test_while_a_statement_runs(pool, caplog):
    conn = pool.getconn()
    running = spawn(conn.fetchval, "select pg_sleep(60)")
    sleep(0.05)
    pool.putconn(conn)
    with pytest.raises(Exception, match="closed"):
        join(running)
    check_replaced(pool, conn)
    assert "while in use" in caplog.text


def test_a_stream_that_was_not_read_to_its_end(pool, caplog):
    conn = pool.getconn()
    rows = conn.stream("select generate_series(1, 100000)")
    assert rows.__next__() == (1,)
    pool.putconn(conn)
    check_replaced(pool, conn)
    assert "while in use" in caplog.text
    rows.close()


def test_in_the_middle_of_a_copy(pool, caplog):
    conn = pool.getconn()
    copy = conn.copy("copy (select generate_series(1, 100000)) to stdout")
    copy.__enter__()
    copy.read()
    pool.putconn(conn)
    check_replaced(pool, conn)
    assert "while in use" in caplog.text


def test_after_a_timeout(pool):
    conn = pool.getconn()
    with pytest.raises(sync.OperationTimeout):
        conn.execute("select pg_sleep(60)", timeout=0.02)
    pool.putconn(conn)
    check_kept(pool, conn)


def test_twice(pool):
    conn = pool.getconn()
    pool.putconn(conn)
    with pytest.raises(ValueError, match="is not lent"):
        pool.putconn(conn)
    check_kept(pool, conn)
    assert pool.get_stats()["pool_available"] == 1


def test_to_another_pool(dsn, pool, conn):
    with sync.ConnectionPool(dsn, min_size=1, name="other") as other:
        conn = other.getconn()
        with pytest.raises(ValueError, match="of pool 'other'"):
            pool.putconn(conn)
        other.putconn(conn)
        with pytest.raises(ValueError, match="is not lent"):
            pool.putconn(conn)


def test_one_that_listens(pool, conn):
    with pool.connection() as lent:
        lent.execute("listen returned")
        for _ in lent.notifies(timeout=0.01):
            raise AssertionError
    with pool.connection() as again:
        assert again is lent
        assert again.fetch("select pg_listening_channels()") == []
        conn.execute("notify returned")
        for _ in again.notifies(timeout=0.05):
            raise AssertionError


def test_one_that_is_forgotten(pool):
    conn = pool.getconn()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del conn
        gc.collect()
    assert [each.category for each in caught] == [ResourceWarning]
    assert "not given back" in str(caught[0].message)
    eventually(lambda: pool.get_stats()["pool_available"] == 1)
    assert pool.get_stats()["connections_lost"] == 1
    assert pool.fetchval("select 1") == 1


def test_a_block_that_is_left_by_an_exception(pool):
    with pytest.raises(ZeroDivisionError):
        with pool.connection() as conn:
            raise ZeroDivisionError
    check_kept(pool, conn)


def test_a_block_that_is_cut_off(dsn, relay, server, caplog):
    """Who is cancelled does not wait for a server that is silent; the pool rolls back."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    options = {**server.parameters, **found.options, "autocommit": False}
    with sync.ConnectionPool(kwargs=options, min_size=1) as pool:
        pool.wait()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            with pool.connection() as conn:
                conn.execute("create temporary table t (n integer)")
                for each in found.connections:
                    each.holds_answers.set()
                raise KeyboardInterrupt
        assert time.monotonic() - began < 4
        for each in found.connections:
            each.holds_answers.clear()
        with pool.connection() as again:
            assert again is conn
            assert again.fetchval("select to_regclass('t')") is None
    assert "rolls back" not in caplog.text


# ---- reset --------------------------------------------------------------------------------------


def test_reset(dsn):
    def reset(conn):
        conn.execute("set search_path = public")
        seen.append(conn)

    seen = []
    with sync.ConnectionPool(dsn, min_size=1, reset=reset) as pool:
        with pool.connection() as conn:
            conn.execute("set search_path = pg_catalog")
        assert pool.fetchval("show search_path") == "public"
        assert seen[0] is conn


@pytest.mark.parametrize("how", ["raises", "begins", "closes"])
def test_a_reset_that_fails(dsn, how):
    def reset(conn):
        if how == "raises":
            raise ZeroDivisionError
        if how == "begins":
            conn.execute("begin")
        else:
            conn.close()

    with sync.ConnectionPool(dsn, min_size=1, reset=reset) as pool:
        for _ in range(2):
            with pool.connection() as conn:
                pass
            check_replaced(pool, conn)


def test_a_reset_that_hangs(dsn):
    """It keeps nobody waiting who wants another connection."""

    def reset(conn):
        resets.append(conn)
        if len(resets) == 1:
            conn.execute("select pg_sleep(3)")

    resets = []
    with sync.ConnectionPool(dsn, min_size=1, max_size=2, reset=reset) as pool:
        pool.wait()
        with pool.connection():
            pass
        eventually(lambda: resets)
        for _ in range(3):
            with pool.connection(timeout=2.5) as conn:
                assert conn is not resets[0]


@pytest.mark.parametrize("error", ERRORS)
def test_a_reset_that_raises_what_is_no_error(dsn, error):
    def reset(conn):
        raise error

    with sync.ConnectionPool(dsn, min_size=1, reset=reset) as pool:
        for _ in range(2):
            with pool.connection() as conn:
                pass
            check_replaced(pool, conn)


@pytest.mark.parametrize("error", ERRORS)
def test_an_argument_that_raises_what_is_no_error(dsn, error):
    """As the second attempt, while the server is down, and as the first."""

    def conninfo():
        if raises:
            raise raises.pop()
        return dsn

    raises = [error(), OSError(), error()]
    with sync.ConnectionPool(conninfo, min_size=1) as pool:
        assert pool.fetchval("select 1", timeout=5) == 1
        assert not raises


# ---- leaks --------------------------------------------------------------------------------------


def test_who_has_a_connection_for_long_is_named(dsn, caplog):
    caplog.set_level(logging.WARNING, "psycoxide.pool")
    with sync.ConnectionPool(dsn, min_size=1, warn_after=0.05) as pool:
        with pool.connection() as conn:
            eventually(lambda: "was not given back" in caplog.text)
            sleep(0.2)
        assert caplog.text.count("was not given back") == 1
        assert "in test_who_has_a_connection_for_long_is_named()" in caplog.text
        check_kept(pool, conn)


def test_each_who_has_a_connection_for_long_is_named(dsn, caplog):
    caplog.set_level(logging.WARNING, "psycoxide.pool")
    with sync.ConnectionPool(dsn, min_size=1, warn_after=0.05) as pool:
        for number in (1, 2):
            with pool.connection():
                eventually(lambda n=number: caplog.text.count("was not given back") == n)


def test_a_pool_that_is_forgotten(dsn):
    pool = sync.ConnectionPool(dsn, min_size=1)
    pool.wait()
    conn = pool.getconn()
    pool.putconn(conn)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del pool
        gc.collect()
        sleep(0.05)
        gc.collect()
    assert [each.category for each in caught] == [ResourceWarning]
    assert "ConnectionPool" in str(caught[0].message)
    assert conn.closed
