"""The four ways of waiting over TLS, and how a conversation ends."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

import psycoxide
from psycoxide import extensions

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


def wait(conn: Any) -> None:
    """What psycopg2's manual has one do: wait for what poll() says, for nothing else."""
    until = time.monotonic() + TIMEOUT
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return
        reading = [conn] if state == extensions.POLL_READ else []
        writing = [conn] if state == extensions.POLL_WRITE else []
        assert time.monotonic() < until
        ready = select.select(reading, writing, [], TIMEOUT)
        assert any(ready), "the socket does not become ready for what poll() waits for"


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
    wait(conn)
    assert conn.info.ssl_in_use
    cur = conn.cursor()
    for _ in range(3):
        cur.execute("select i, repeat('x', 50) from generate_series(1, %s) i", (rows,))
        wait(conn)
        assert len(cur.fetchall()) == rows
    # A long statement is sent in portions.
    cur.execute("select length(%s)", ("y" * 5_000_000,))
    wait(conn)
    assert cur.fetchone() == (5_000_000,)


def test_a_wait_callback(connect: Any, tls_dsn: str) -> None:
    extensions.set_wait_callback(wait)
    try:
        conn = connect(tls_dsn)
        cur = conn.cursor()
        cur.execute("select i from generate_series(1, 100000) i")
        assert len(cur.fetchall()) == 100_000
    finally:
        extensions.set_wait_callback(None)


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
    wait(conn)
    cur = conn.cursor()
    cur.execute("do $$ begin for i in 1..5000 loop raise notice '%', repeat('x', 500); "
                "end loop; end $$")  # fmt: skip
    wait(conn)
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


class Tap:
    """A relay that keeps what clients sent, by connection."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sent: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                far = socket.create_connection(self._target)
                self.sent.append(b"")
                number = len(self.sent) - 1
                for ends in ((near, far, number), (far, near, None)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, number: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if number is not None:
                    self.sent[number] += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def tap(server: Any) -> Iterator[Tap]:
    made = Tap(server.parameters["host"], int(server.parameters["port"]))
    yield made
    made.close()


CANCEL_CODE = struct.pack("!HH", 1234, 5678)
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def test_a_cancel_request_is_encrypted(connect: Any, tls_dsn: str, tap: Tap) -> None:
    conn = connect(f"{tls_dsn} port={tap.port}")
    timer = threading.Timer(0.3, conn.cancel)
    timer.start()
    with pytest.raises(psycoxide.extensions.QueryCanceledError):
        conn.cursor().execute("select pg_sleep(20)")
    timer.join()
    assert len(tap.sent) == 2
    assert tap.sent[1].startswith(SSL_REQUEST + b"\x16")
    assert CANCEL_CODE not in tap.sent[1]
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


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


WELCOME = b"".join(
    [
        message(b"R", bytes(4)),
        *(
            message(b"S", f"{name}\0{value}\0".encode())
            for name, value in {
                "server_version": "15.0",
                "server_encoding": "UTF8",
                "client_encoding": "UTF8",
                "standard_conforming_strings": "on",
                "DateStyle": "ISO, MDY",
                "integer_datetimes": "on",
            }.items()
        ),
        message(b"K", struct.pack("!ii", 1, 2)),
        message(b"Z", b"I"),
    ]
)


class Actor:
    """A server over TLS that lets everybody in and then ends the session in its own way."""

    def __init__(self, files: dict[str, str], ending: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files["certificate"], files["key"])
        self._ending = ending
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.last: list[object] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _address = self._listener.accept()
                with contextlib.suppress(OSError), peer:
                    self._converse(peer)

    def _converse(self, peer: socket.socket) -> None:
        peer.recv(8)
        peer.sendall(b"S")
        # An end without close_notify is to be told from one with it.
        encrypted = self._context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False)
        encrypted.recv(4096)
        encrypted.sendall(WELCOME)
        try:
            while True:
                data = encrypted.recv(4096)
                self.last.append(data)
                if not data or self._ending != "wait":
                    break
        except ssl.SSLError as error:
            self.last.append(error)
        if self._ending == "politely":
            with contextlib.suppress(OSError):
                encrypted.unwrap()
        elif self._ending == "reset":
            encrypted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        encrypted.close()

    def close(self) -> None:
        self._listener.close()


def dsn_of(actor: Actor) -> str:
    return f"host=127.0.0.1 port={actor.port} user=me dbname=d sslmode=require connect_timeout=9"


def told(module: Any, actor: Actor) -> str:
    conn = module.connect(dsn_of(actor))
    conn.autocommit = True
    with pytest.raises(module.OperationalError) as caught:
        conn.cursor().execute("select 1")
    assert conn.closed == 2
    return str(caught.value)


@pytest.mark.parametrize("ending", ["politely", "abruptly", "reset"])
def test_the_end_of_a_session_is_told_as_libpq_tells_it(
    tls_files: dict[str, str], ending: str
) -> None:
    actor = Actor(tls_files, ending)
    # libpq tells of a reset once for the read and once for the connection.
    assert told(psycopg2, actor).startswith(told(psycoxide, actor))
    actor.close()


def test_closing_says_that_nothing_follows(tls_files: dict[str, str]) -> None:
    actor = Actor(tls_files, "wait")
    psycoxide.connect(dsn_of(actor)).close()
    until = time.monotonic() + TIMEOUT
    while len(actor.last) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert actor.last == [b"X\0\0\0\x04", b""], "Terminate, and close_notify behind it"
    actor.close()


def test_closing_does_not_wait(tls_files: dict[str, str]) -> None:
    """Whoever listens no more does not keep the client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls_files["certificate"], tls_files["key"])
        stop = threading.Event()

        def serve() -> None:
            peer, _address = listener.accept()
            peer.recv(8)
            peer.sendall(b"S")
            with context.wrap_socket(peer, server_side=True) as encrypted:
                encrypted.recv(4096)
                encrypted.sendall(WELCOME)
                stop.wait(20)

        threading.Thread(target=serve, daemon=True).start()
        conn = psycoxide.connect(
            host="127.0.0.1", port=listener.getsockname()[1], user="me", sslmode="require"
        )
        before = time.monotonic()
        conn.close()
        assert time.monotonic() - before < 5
        stop.set()
