"""PgBouncer in front of the server under test: in session, transaction and statement mode."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.clusters import PATH, cluster, require

import psycoxide

CONFIGURATION = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = md5
auth_file = {folder}/users.txt
pool_mode = {mode}
default_pool_size = {size}
min_pool_size = 0
max_client_conn = 50
ignore_startup_parameters = {ignored}
logfile = {folder}/pgbouncer.log
pidfile =
admin_users = tester
"""


class Bouncer:
    """A running PgBouncer."""

    def __init__(self, server: Any, mode: str, *, size: int = 5, ignored: str = "") -> None:
        self.account = cluster.unprivileged() if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="psycoxide-pgbouncer-"))
        self.port = cluster.free_port()
        self.parameters = server.parameters
        own = self.parameters
        (self.folder / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                host=own["host"],
                port=own["port"],
                own_port=self.port,
                folder=self.folder,
                mode=mode,
                size=size,
                ignored=ignored,
            )
        )
        users = f'"{own["user"]}" "{own["password"]}"\n'
        (self.folder / "users.txt").write_text(users)
        for path in (self.folder, *self.folder.iterdir()):
            cluster.own(path, self.account)
        program = shutil.which("pgbouncer", path=PATH)
        assert program
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        self.version = tuple(map(int, said.stdout.split()[1].split(".")))
        self.process = subprocess.Popen(
            [program, "-q", str(self.folder / "pgbouncer.ini")],
            **cluster.as_user(self.account),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None and time.monotonic() < until, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        return (self.folder / "pgbouncer.log").read_text()

    def options(self, **more: Any) -> dict[str, Any]:
        given = {**self.parameters, "host": "127.0.0.1", "port": self.port, "connect_timeout": 10}
        return {**given, **more}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def start(server: Any) -> Iterator[Callable[..., Bouncer]]:
    """A function that starts a PgBouncer with this mode, once for the same arguments."""
    require("pgbouncer")
    started: dict[Any, Bouncer] = {}

    def begin(mode: str, **more: Any) -> Bouncer:
        key = (mode, *sorted(more.items()))
        if key not in started:
            started[key] = Bouncer(server, mode, **more)
        return started[key]

    yield begin
    for bouncer in started.values():
        bouncer.close()


@pytest.fixture(params=["session", "transaction"])
def bouncer(request: pytest.FixtureRequest, start: Callable[..., Bouncer]) -> Bouncer:
    return start(request.param)


@pytest.fixture
def conn(bouncer: Bouncer) -> Iterator[Any]:
    """A connection through PgBouncer."""
    made = psycoxide.connect(**bouncer.options())
    yield made
    made.close()
