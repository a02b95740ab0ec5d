"""What a child of fork() does with a connection without using it leaves the parent alone.

Who may use it stands in test_fork_ownership.py.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fixtures.forks import in_child

import psycoxide
from psycoxide import extensions, extras, pool

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork()")


def usable(conn) -> bool:
    with conn.cursor() as cur:
        cur.execute("select 42")
        return cur.fetchone() == (42,)


@pytest.mark.parametrize("state", ["idle", "transaction", "error", "named", "autocommit"])
def test_closing_in_the_child_leaves_the_parent_alone(connect, state):
    conn = connect()
    conn.autocommit = state == "autocommit"
    named = None
    if state == "transaction":
        conn.cursor().execute("create temporary table keep (a int)")
    elif state == "error":
        with contextlib.suppress(psycoxide.Error):
            conn.cursor().execute("select 1 / 0")
    elif state == "named":
        named = conn.cursor("named")
        named.itersize = 10
        named.execute("select generate_series(1, 100)")
        assert named.fetchone() == (1,)

    def child():
        if named is not None:
            with contextlib.suppress(psycoxide.InterfaceError):
                named.close()
        conn.close()
        assert conn.closed

    in_child(child)
    assert conn.closed == 0
    if state == "named":
        assert len(named.fetchall()) == 99
    if state == "transaction":
        conn.cursor().execute("select * from keep")
    if state == "error":
        conn.rollback()
    assert usable(conn)


def test_collecting_in_the_child_leaves_the_parent_alone(connect):
    holder = {"conn": connect()}
    holder["cur"] = holder["conn"].cursor("named")
    holder["cur"].execute("select generate_series(1, 100)")
    large = holder["conn"].lobject()
    holder["lobject"] = large
    kept = dict(holder)

    def child():
        nonlocal large
        kept.clear()
        holder.clear()
        del large
        gc.collect()

    in_child(child)
    assert len(kept["cur"].fetchall()) == 100
    kept["lobject"].write("still here")
    assert usable(kept["conn"])


@pytest.mark.parametrize("leave", ["sys.exit", "os._exit", "return"])
def test_the_childs_end_leaves_the_parent_alone(run_python, leave):
    done = run_python(
        """
        import os, sys
        import psycoxide

        conn = psycoxide.connect(os.environ["DSN"])
        cur = conn.cursor("named")
        cur.execute("select generate_series(1, 5000)")
        cur.fetchone()
        pid = os.fork()
        if pid == 0:
            if sys.argv[1] == "sys.exit":
                sys.exit(0)
            if sys.argv[1] == "os._exit":
                os._exit(0)
        else:
            assert os.waitpid(pid, 0)[1] == 0
            assert len(cur.fetchall()) == 4999
            conn.commit()
            print("parent", conn.closed)
        """,
        leave,
    )
    assert "parent 0" in done.stdout
    assert done.stderr == ""


def test_the_child_connects_for_itself(conn, connect, dsn):
    def child():
        own = psycoxide.connect(dsn)
        assert usable(own)
        own.close()

    in_child(child)
    assert usable(conn)


def test_many_children(conn, dsn):
    for _ in range(20):
        in_child(conn.close)
    assert usable(conn)


def test_an_asynchronous_connection(async_conn, wait_for):
    cur = async_conn.cursor()
    cur.execute("select pg_sleep(0.3), 42")

    def child():
        with pytest.raises(psycoxide.InterfaceError, match="fork"):
            async_conn.poll()
        async_conn.close()

    in_child(child)
    wait_for(async_conn)
    assert cur.fetchone()[1] == 42


def test_while_another_thread_waits_for_an_answer(conn):
    """The child inherits a connection in the middle of an operation, whose thread it has not."""
    cur = conn.cursor()
    thread = threading.Thread(target=cur.execute, args=("select pg_sleep(0.5), 42",))
    thread.start()
    time.sleep(0.1)

    def child():
        with pytest.raises(psycoxide.InterfaceError, match="fork"):
            conn.cursor().execute("select 1")
        conn.close()
        gc.collect()

    in_child(child)
    thread.join()
    assert cur.fetchone()[1] == 42
    assert usable(conn)


@pytest.fixture
def busy(connect: Callable[[], extensions.connection]) -> Iterator[extensions.connection]:
    """A connection on which another thread reads results without a pause, and so holds its locks
    at nearly any moment."""
    conn = connect()
    over = threading.Event()

    def read():
        cur = conn.cursor()
        while not over.is_set():
            cur.execute("select repeat('x', 100), i from generate_series(1, 100000) i")

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.05)
    yield conn
    over.set()
    thread.join()
    assert usable(conn)


def refused(use: Callable[[], object]) -> None:
    with pytest.raises(psycoxide.InterfaceError, match="fork"):
        use()


def all_attributes(thing: object) -> None:
    for name in dir(thing):
        with contextlib.suppress(psycoxide.InterfaceError):
            getattr(thing, name)


# What a child may do with a connection that a thread of its parent is reading from.
ON_BUSY: dict[str, Callable[[psycoxide.extensions.connection], object]] = {
    "close": lambda conn: (conn.close(), conn.close(), repr(conn)),
    "commit": lambda conn: refused(conn.commit),
    "rollback": lambda conn: refused(conn.rollback),
    "cancel": lambda conn: refused(conn.cancel),
    "cursor": lambda conn: refused(conn.cursor),
    "poll": lambda conn: refused(conn.poll),
    "fileno": lambda conn: refused(conn.fileno),
    "reset": lambda conn: refused(conn.reset),
    "isexecuting": lambda conn: conn.isexecuting(),
    "repr": lambda conn: repr(conn),
    "attributes": lambda conn: all_attributes(conn),
    "info": lambda conn: all_attributes(conn.info),
    "info after close": lambda conn: (conn.close(), all_attributes(conn.info)),
    "a cursor": lambda conn: (all_attributes(extensions.cursor(conn)), gc.collect()),
}


@pytest.mark.parametrize("use", ON_BUSY)
def test_while_another_thread_reads(busy, use):
    for _ in range(15):
        in_child(lambda: ON_BUSY[use](busy))
        time.sleep(0.002)


def test_what_is_told_while_another_thread_reads(busy, dsn):
    names = ["server_version", "TimeZone", "client_encoding", "DateStyle", "no such"]

    def told():
        info = busy.info
        facts = [info.backend_pid, info.server_version, info.protocol_version, info.host, info.port]
        facts += [info.socket, info.ssl_in_use, info.used_password, info.dsn_parameters]
        facts += [info.user, info.dbname, busy.server_version, busy.encoding]
        facts += [info.ssl_attribute(name) for name in info.ssl_attribute_names]
        return [*facts, *map(busy.get_parameter_status, names)]

    expected = told()

    def child():
        assert told() == expected
        assert busy.info.transaction_status in (
            extensions.TRANSACTION_STATUS_ACTIVE,
            extensions.TRANSACTION_STATUS_INTRANS,
        )

    for _ in range(15):
        in_child(child)
        time.sleep(0.002)


def test_rows_are_read_while_another_thread_reads(busy):
    """Whether the time zone is UTC is asked of the session for rows with timestamps."""
    cur = busy.cursor()
    cur.execute("select now() from generate_series(1, 3)")

    def child():
        assert len(cur.fetchall()) == 3

    in_child(child)


def test_connections_are_made_while_threads_make_theirs(dsn):
    """What the process keeps for the next connection is locked by one of them at any moment."""
    over = threading.Event()

    def connect():
        while not over.is_set():
            psycoxide.connect(dsn).close()

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()

    def child():
        for _ in range(3):
            psycoxide.connect(dsn).close()

    try:
        for _ in range(15):
            in_child(child)
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("state", ["idle", "in a transaction", "at work"])
def test_the_server_learns_of_the_end_while_a_child_has_the_descriptor(connect, state, dsn):
    """At work it sends more than the socket holds, and nobody reads it."""
    watching = connect()
    watching.autocommit = True
    observer = watching.cursor()
    conn = psycoxide.connect(dsn, async_=1)
    extras.wait_select(conn)
    pid = conn.info.backend_pid
    inherited = os.dup(conn.fileno())
    try:
        cur = conn.cursor()
        if state == "in a transaction":
            cur.execute("begin")
            extras.wait_select(conn)
        elif state == "at work":
            cur.execute("select repeat('x', 1000) from generate_series(1, 200000)")
            select.select([conn], [], [], 10)
        conn.close()
        until = time.monotonic() + 10
        while True:
            observer.execute("select count(*) from pg_stat_activity where pid = %s", (pid,))
            if observer.fetchone() == (0,):
                break
            assert time.monotonic() < until, "the server does not know"
            time.sleep(0.01)
    finally:
        os.close(inherited)


def test_a_pool_in_the_child(dsn):
    shared = pool.ThreadedConnectionPool(1, 3, dsn)
    conn = shared.getconn()
    in_child(shared.closeall)
    assert usable(conn)
    shared.putconn(conn)
    shared.closeall()


def test_a_pool_that_another_thread_connects_for(dsn):
    connecting, go_on = threading.Event(), threading.Event()

    class Slow(extensions.connection):
        def __init__(self, *args):
            connecting.set()
            go_on.wait()
            super().__init__(*args)

    shared = pool.ThreadedConnectionPool(1, 3, dsn)
    first = shared.getconn()
    shared._kwargs["connection_factory"] = Slow
    thread = threading.Thread(target=shared.getconn)
    thread.start()
    connecting.wait()
    in_child(shared.closeall)
    go_on.set()
    thread.join()
    assert usable(first)
    shared.closeall()


def test_info_needs_no_session(conn):
    def child():
        assert conn.info.backend_pid
        assert conn.status == extensions.STATUS_READY
        assert "closed: 0" in repr(conn)

    in_child(child)
