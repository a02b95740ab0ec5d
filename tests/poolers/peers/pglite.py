"""PGlite, a PostgreSQL without processes, and its socket server, which lets clients take turns."""

from __future__ import annotations

import json
import signal
from typing import Any

import npm  # fixtures.clusters has put tools/ on the path

from .places import Missing, Place
from .pooler import Pooler
from .servers import Server, asked

# Where `make test-poolers` has npm put it.
SOCKET = npm.package("@electric-sql/pglite-socket")
CLIENTS = 12


class Pglite(Pooler):
    title = "PGlite"
    crowd = CLIENTS - 2
    modes = ("multiplexed",)
    program = "node"
    ending = signal.SIGTERM
    serves = True
    # What it does not answer at once, it never answers; and it takes seconds to start again.
    limit = 5
    spares = True
    # It is one thread. (And psycopg2 holds the interpreter's lock until it is heard.)
    cancels = False

    def __init__(self, place: Place, server: Server | None, mode: str) -> None:
        if not SOCKET.exists():
            raise Missing("no @electric-sql/pglite-socket of npm here")
        super().__init__(place, server, mode)

    @property
    def shares(self) -> bool:
        return True

    @property
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters, "dbname": "postgres", "user": "postgres"}

    def configure(self) -> list[str]:
        script = SOCKET / "dist" / "scripts" / "server.js"
        return [self.path, str(script), f"--port={self.port}", "--host=127.0.0.1",
                f"--max-connections={CLIENTS}"]  # fmt: skip

    def ask(self, sql: str) -> list[Any]:
        """There is no way past it: it is the server."""
        return asked(sql, **self.parameters)

    def _version(self) -> str:
        return str(json.loads((SOCKET.parent / "pglite" / "package.json").read_text())["version"])
