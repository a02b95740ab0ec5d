"""The four ways of waiting over TLS, and how a conversation ends."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from fixtures.connections import wait_for, waiting
from fixtures.messages import CANCEL_REQUEST, SSL_REQUEST, int32
from fixtures.scripted_server import ScriptedServer, Session, encrypting

import psycoxide

pytestmark = pytest.mark.tls

TIMEOUT = 30.0


@pytest.fixture
def tls_dsn(dsn: str, tls_files: dict[str, str]) -> str:
    return f"{dsn} sslmode=verify-full sslrootcert={tls_files['root']}"


@pytest.fixture
def conn(connect: Any, tls_dsn: str) -> Any:
    made = connect(tls_dsn)
    assert made.info.ssl_in_use
    return made


@pytest.mark.parametrize("rows", [1, 10_000, 500_000])
def test_results_of_all_sizes_arrive_whole(conn: Any, rows: int) -> None:
    cur = conn.cursor()
    cur.execute("select i, md5(i::text) from generate_series(1, %s) i", (rows,))
    found = cur.fetchall()
    assert len(found) == rows
    assert found[-1][0] == rows
    cur.execute("select repeat('x', 5000000)")
    assert len(cur.fetchone()[0]) == 5_000_000


@pytest.mark.parametrize("rows", [1, 200_000])
def test_an_asynchronous_connection(connect: Any, tls_dsn: str, rows: int) -> None:
    conn = connect(tls_dsn, async_=1)
    wait_for(conn)
    assert conn.info.ssl_in_use
    cur = conn.cursor()
    for _ in range(3):
        cur.execute("select i, repeat('x', 50) from generate_series(1, %s) i", (rows,))
        wait_for(conn)
        assert len(cur.fetchall()) == rows
    # A long statement is sent in portions.
    cur.execute("select length(%s)", ("y" * 5_000_000,))
    wait_for(conn)
    assert cur.fetchone() == (5_000_000,)


def test_a_wait_callback(connect: Any, tls_dsn: str) -> None:
    with waiting(wait_for):
        conn = connect(tls_dsn)
        cur = conn.cursor()
        cur.execute("select i from generate_series(1, 100000) i")
        assert len(cur.fetchall()) == 100_000


def test_no_notification_stays_behind_in_a_buffer(connect: Any, conn: Any, tls_dsn: str) -> None:
    """Who waits for the socket would wait for ever for what was decrypted and not handed over."""
    conn.autocommit = True
    conn.cursor().execute("listen heap")
    other = connect(tls_dsn)
    count = 3000
    other.cursor().execute(
        "select pg_notify('heap', i || repeat('x', 1000)) from generate_series(1, %s) i", (count,)
    )
    other.commit()
    until = time.monotonic() + TIMEOUT
    while len(conn.notifies) < count:
        assert time.monotonic() < until, len(conn.notifies)
        assert select.select([conn], [], [], TIMEOUT)[0], len(conn.notifies)
        conn.poll()
    assert len(conn.notifies) == count


def test_notifications_come_with_the_answer_to_a_query(
    connect: Any, conn: Any, tls_dsn: str
) -> None:
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute("listen heap")
    other = connect(tls_dsn)
    other.autocommit = True
    cur.execute("begin")
    other.cursor().execute("select pg_notify('heap', repeat('x', 7000)) from generate_series(1, 1)")
    cur.execute("select repeat('y', 70000)")
    cur.execute("commit")
    until = time.monotonic() + TIMEOUT
    while not conn.notifies:
        assert time.monotonic() < until
        select.select([conn], [], [], 0.5)
        conn.poll()


def test_many_notices_do_not_stop_an_asynchronous_query(connect: Any, tls_dsn: str) -> None:
    conn = connect(tls_dsn, async_=1)
    wait_for(conn)
    cur = conn.cursor()
    cur.execute("do $$ begin for i in 1..5000 loop raise notice '%', repeat('x', 500); "
                "end loop; end $$")  # fmt: skip
    wait_for(conn)
    assert len(conn.notices) == 50


def test_copy_both_ways(conn: Any) -> None:
    import io

    cur = conn.cursor()
    cur.execute("create temp table cargo (i int, t text)")
    lines = "".join(f"{i}\t{'x' * 100}\n" for i in range(100_000))
    cur.copy_expert("copy cargo from stdin", io.StringIO(lines))
    sink = io.StringIO()
    cur.copy_expert("copy cargo to stdout", sink)
    assert sink.getvalue() == lines


def test_a_cancel_request_is_encrypted(connect: Any, tls_dsn: str, server: Any, relay: Any) -> None:
    tap = relay((server.parameters["host"], int(server.parameters["port"])))
    conn = connect(f"{tls_dsn} port={tap.port}")
    timer = threading.Timer(0.3, conn.cancel)
    timer.start()
    with pytest.raises(psycoxide.extensions.QueryCanceledError):
        conn.cursor().execute("select pg_sleep(20)")
    timer.join()
    _query, cancel = tap.connections
    assert cancel.sent.startswith(struct.pack("!II", 8, SSL_REQUEST) + b"\x16")
    assert int32(CANCEL_REQUEST) not in cancel.sent
    conn.rollback()


def test_ctrl_c_leaves_the_connection_usable(run_python: Any, tls_dsn: str) -> None:
    done = run_python(
        """
        import os, signal, sys, threading, psycoxide
        conn = psycoxide.connect(sys.argv[1])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        cur = conn.cursor()
        try:
            cur.execute("select pg_sleep(20)")
        except KeyboardInterrupt:
            conn.rollback()
            cur.execute("select 7")
            print(cur.fetchone()[0], conn.info.ssl_in_use)
        """,
        tls_dsn,
    )
    assert done.stdout.split() == ["7", "True"]


@pytest.mark.parametrize("way", ["close", "drop", "exit"])
def test_a_forked_child_leaves_its_parents_session_alone(conn: Any, way: str) -> None:
    cur = conn.cursor()
    cur.execute("create temp table mine (i int)")
    child = os.fork()
    if child == 0:
        # No byte of the child's may get into the parent's encrypted stream.
        with contextlib.suppress(BaseException):
            if way == "close":
                conn.close()
            elif way == "drop":
                del cur, conn
        os._exit(0)
    os.waitpid(child, 0)
    for i in range(10):
        cur.execute("insert into mine values (%s)", (i,))
    cur.execute("select count(*) from mine")
    assert cur.fetchone() == (10,)


@pytest.fixture
def secured(scripted: Any, tls_files: dict[str, str]) -> Callable[[Callable[[Session], None]], Any]:
    """A function that starts a server over TLS, which lets everybody in and ends in this way."""

    def start(ending: Callable[[Session], None]) -> Any:
        def handler(session: Session) -> None:
            session.take_startup()
            session.let_in()
            ending(session)

        tls = encrypting(tls_files["certificate"], tls_files["key"])
        return scripted(handler=handler, tls=tls)

    return start


def politely(session: Session) -> None:
    session.take_message()
    with contextlib.suppress(OSError):
        session.connection.unwrap()


def abruptly(session: Session) -> None:
    session.take_message()


def by_a_reset(session: Session) -> None:
    session.take_message()
    session.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def told(module: Any, server: ScriptedServer) -> str:
    conn = module.connect(**server.options(sslmode="require"))
    conn.autocommit = True
    with pytest.raises(module.OperationalError) as caught:
        conn.cursor().execute("select 1")
    assert conn.closed == 2
    return str(caught.value)


@pytest.mark.parametrize("ending", [politely, abruptly, by_a_reset])
def test_the_end_of_a_session_is_told_as_libpq_tells_it(secured: Any, ending: Any) -> None:
    server = secured(ending)
    # libpq tells of a reset once for the read and once for the connection.
    assert told(psycopg2, server).startswith(told(psycoxide, server))


def test_closing_says_that_nothing_follows(secured: Any) -> None:
    last: queue.Queue[bytes] = queue.Queue()

    def hear_out(session: Session) -> None:
        data = b"X"
        while data:
            data = session.connection.recv(4096)
            last.put(data)

    server = secured(hear_out)
    psycoxide.connect(**server.options(sslmode="require")).close()
    assert last.get(timeout=TIMEOUT) == b"X\0\0\0\x04", "Terminate"
    assert last.get(timeout=TIMEOUT) == b"", "and close_notify behind it"


def test_closing_does_not_wait(secured: Any) -> None:
    """Whoever listens no more does not keep the client."""
    stop = threading.Event()
    server = secured(lambda session: stop.wait(20))
    conn = psycoxide.connect(**server.options(sslmode="require"))
    before = time.monotonic()
    conn.close()
    assert time.monotonic() - before < 5
    stop.set()
