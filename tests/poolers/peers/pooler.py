"""What all poolers have in common."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any, ClassVar

from .places import Place, cluster
from .servers import DATABASE, PASSWORD, USER, Server

# So many sessions of the server a pool has.
SIZE = 5

# So many seconds a client waits for one of them before it is refused.
PATIENCE = 2

# So many seconds a pooler may take to start.
START = 20


class Pooler:
    """A pooler in front of a server, in one of its modes."""

    # How it is called, and by the row of the table.
    title: ClassVar[str]
    modes: ClassVar[tuple[str, ...]] = ("session", "transaction")
    program: ClassVar[str]
    # What ends it without waiting for its clients.
    ending: ClassVar[signal.Signals] = signal.SIGINT
    # Whether it is the server as well.
    serves: ClassVar[bool] = False
    # Seconds for a scenario whose marker `limit` says no other.
    limit: ClassVar[float] = 12
    # Whether to leave out with psycoxide what does not work with psycopg2.
    spares: ClassVar[bool] = False
    # The modes in which a scenario comes to something else at each run, whatever the driver.
    unsteady: ClassVar[tuple[str, ...]] = ()
    # Seconds until it has noticed that clients left.
    settling: ClassVar[float] = 0
    # Whether it can heed a cancel request while a query runs.
    cancels: ClassVar[bool] = True
    # How many clients may be there at once where they share the servers.
    crowd: ClassVar[int] = 200
    # Whether statements get names through it.
    names: ClassVar[bool] = False
    # What its own console is called as a database, or None if it has none.
    console: ClassVar[str | None] = None

    def __init__(self, place: Place, server: Server | None, mode: str) -> None:
        self.place = place
        self.server = server
        self.mode = mode
        self.path = place.find(self.program)
        self.version = self._version()
        self.folder = place.folder(self.program)
        self.port = 0

    @property
    def shares(self) -> bool:
        """Whether a client gives its server back after each transaction."""
        return self.mode == "transaction"

    @property
    def parameters(self) -> dict[str, Any]:
        """Where it is, for a driver to connect to."""
        return {"host": "127.0.0.1", "port": self.port, "dbname": DATABASE, "user": USER,
                "password": PASSWORD, "sslmode": "disable", "connect_timeout": 10}  # fmt: skip

    def configure(self) -> list[str]:
        """Write the configuration, for `self.port`; the command that starts the pooler."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it on a free port, and wait until that takes connections."""
        for _attempt in range(3):
            self.port = cluster.free_port()
            command = self.configure()
            self.running = self.place.start(command, self.log, home=self.folder)
            if self._comes_up():
                return
            self.running.end(signal.SIGKILL)
        raise RuntimeError(f"{self.title} did not start:\n{self.said()}")

    def stop(self) -> None:
        self.running.end(self.ending, 1)

    def restart(self) -> None:
        """Start it again, on another port, without what clients have left in it."""
        self.stop()
        if self.server:
            self.server.end_sessions()
        self.start()

    def close(self) -> None:
        if hasattr(self, "running"):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, sql: str) -> list[Any]:
        """Run SQL on the server, past the pooler; its rows, if it has any."""
        assert self.server
        return self.server.ask(sql)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def listens(self) -> bool:
        """Whether it runs, and takes connections."""
        with socket.socket() as probe:
            return self.running.alive and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _comes_up(self) -> bool:
        end = time.monotonic() + START
        while time.monotonic() < end and self.running.alive:
            if self.listens():
                return True
            time.sleep(0.02)
        return False

    def _version(self) -> str:
        # Some end with an error after they have told it.
        said = self.place.run([self.path, "--version"], check=False)
        found = re.search(r"\d+(\.\d+)+", said)
        return found.group() if found else "?"
