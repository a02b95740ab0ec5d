"""A COMMIT that waits for a standby, and what ends the wait: each time it is committed."""

import os
import signal
import threading

import pytest
from fixtures import clusters

import psycoxide

WARNING = "The transaction has already committed locally"


@pytest.fixture(scope="module")
def dsn():
    """A server whose only standby never comes."""
    with clusters.fresh() as cluster:
        cluster.configure(synchronous_standby_names="nobody", synchronous_commit="local")
        cluster.reload()
        cluster.sql("create table committed (how text)", database=cluster.server.dbname)
        yield cluster.server.dsn


@pytest.fixture
def waiting(dsn):
    """A connection with something to commit, whose commit waits."""
    conn = psycoxide.connect(dsn, options="-c synchronous_commit=on")
    with conn.cursor() as cur:
        cur.execute("insert into committed values (%s)", (conn.info.backend_pid,))
    yield conn
    conn.close()


def is_committed(dsn, pid):
    """Whether others see it, once the server's process has let go of it."""
    conn = psycoxide.connect(dsn)
    with conn.cursor() as cur:
        # The table's lock is the last thing that a transaction gives back.
        cur.execute("lock table committed in access exclusive mode")
        cur.execute("select count(*) from committed where how = %s", (str(pid),))
        (count,) = cur.fetchone()
    conn.close()
    return count == 1


def test_a_cancel_lets_commit_return_with_a_warning(dsn, waiting):
    timer = threading.Timer(1, waiting.cancel)
    timer.start()
    waiting.commit()
    timer.join()
    assert WARNING in waiting.notices[-1]
    assert waiting.status == psycoxide.extensions.STATUS_READY
    assert is_committed(dsn, waiting.info.backend_pid)


def test_ctrl_c_raises_and_the_transaction_is_committed(dsn, waiting):
    timer = threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        waiting.commit()
    timer.join()
    assert WARNING in waiting.notices[-1]
    assert not waiting.closed
    assert is_committed(dsn, waiting.info.backend_pid)


def test_operation_timeout_closes_and_the_transaction_is_committed(dsn, waiting):
    pid = waiting.info.backend_pid
    waiting.operation_timeout = 1
    with pytest.raises(psycoxide.OperationalError, match="operation_timeout"):
        waiting.commit()
    assert waiting.closed == 2
    # The server was told to stop waiting.
    assert is_committed(dsn, pid)


def test_a_process_that_is_ended_leaves_its_warning(dsn, waiting):
    pid = waiting.info.backend_pid

    def terminate():
        with psycoxide.connect(dsn) as conn, conn.cursor() as cur:
            cur.execute("select pg_terminate_backend(%s)", (pid,))

    timer = threading.Timer(1, terminate)
    timer.start()
    with pytest.raises(psycoxide.OperationalError):
        waiting.commit()
    timer.join()
    assert WARNING in waiting.notices[-1]
    assert waiting.closed == 2
    assert is_committed(dsn, pid)


def test_statement_timeout_does_not_end_the_wait(dsn, waiting):
    """The statement is over when the wait begins."""
    with waiting.cursor() as cur:
        cur.execute("set statement_timeout to 500")
    cancelled = threading.Event()

    def cancel():
        cancelled.set()
        waiting.cancel()

    timer = threading.Timer(2, cancel)
    timer.start()
    waiting.commit()
    assert cancelled.is_set()
    timer.join()
    assert is_committed(dsn, waiting.info.backend_pid)
