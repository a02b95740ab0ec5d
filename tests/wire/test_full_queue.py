"""A server on a Unix socket that has no room for another connection, for the moment."""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
import threading
from collections.abc import Iterator

import pytest

import psycoxide
from psycoxide import extensions

PORT = 5432


class FullServer:
    """It listens in a folder of its own, with a queue that others fill."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        path = f"{folder}/.s.PGSQL.{PORT}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.waiting: list[socket.socket] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                client.connect(path)
                self.waiting.append(client)

    def make_room(self) -> None:
        for client in self.waiting:
            self.listener.accept()[0].close()
            client.close()
        self.waiting.clear()

    def startup_message(self) -> bytes:
        """The beginning of what the next client sends."""
        with self.listener.accept()[0] as client:
            client.settimeout(20)
            return client.recv(8)


@pytest.fixture
def full() -> Iterator[FullServer]:
    # Not pytest's folder: the path of a Unix socket has to be short.
    with tempfile.TemporaryDirectory() as folder:
        server = FullServer(folder)
        yield server
        server.make_room()
        server.listener.close()


def options(full: FullServer) -> dict[str, str | int]:
    return {"host": full.folder, "port": PORT, "user": "me", "dbname": "db"}


def test_an_event_loop_is_not_held_up(full):
    """There is something to wait for, and it is not ready before there is room."""
    conn = psycoxide.connect(**options(full), async_=1)
    assert conn.poll() == extensions.POLL_WRITE
    for _ in range(3):
        assert conn.poll() == extensions.POLL_READ
        assert not any(select.select([conn], [], [], 0))
    full.make_room()
    assert any(select.select([conn], [], [], 20))
    assert conn.poll() == extensions.POLL_READ
    assert full.startup_message()[4:] == (3 << 16).to_bytes(4, "big")
    with pytest.raises(psycoxide.OperationalError):
        while conn.poll() == extensions.POLL_READ:
            assert any(select.select([conn], [], [], 20))


def test_whoever_closes_meanwhile_has_no_connection(full):
    conn = psycoxide.connect(**options(full), async_=1)
    conn.poll()
    conn.poll()
    conn.close()
    with pytest.raises(psycoxide.InterfaceError):
        conn.poll()


def test_connect_waits_until_there_is_room(full):
    def serve():
        full.make_room()
        assert full.startup_message()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(psycoxide.OperationalError, match="server closed the connection"):
        psycoxide.connect(**options(full))
    thread.join()
