"""PostgreSQL behind the poolers: it can be restarted, and asked past the pooler."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import psycopg2

from .places import Place, cluster, wait_until

DATABASE = "pooled"
USER = "tester"
PASSWORD = "testerpw"

# Durability is off: the data live for minutes.
CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
max_connections = 100
fsync = off
synchronous_commit = off
full_page_writes = off
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
"""
HBA = """
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


def asked(sql: str, **parameters: Any) -> list[Any]:
    """Run SQL at this address; its rows, if it has any."""
    conn = psycopg2.connect(**parameters)
    try:
        conn.autocommit = True
        with conn.cursor() as cur:
            cur.execute(sql)
            return cur.fetchall() if cur.description else []
    finally:
        conn.close()


class Server:
    """A running PostgreSQL, of the programs in a folder of this place."""

    def __init__(self, place: Place, programs: Path) -> None:
        self.place = place
        self.programs = programs
        self.folder = place.folder("pg")
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.port = cluster.free_port()
        initdb = [str(self.programs / "initdb"), "-D", str(self.data), "-U", "postgres", "-E",
                  "UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync"]  # fmt: skip
        try:
            place.run(initdb)
            with (self.data / "postgresql.conf").open("a") as file:
                file.write(CONF.format(port=self.port, sockets=self.folder))
            (self.data / "pg_hba.conf").write_text(HBA)
            self.start()
            self._furnish()
        except BaseException:
            self.close()
            raise
        self.version = str(self.ask("show server_version")[0][0]).split()[0]

    def start(self) -> None:
        postgres = [str(self.programs / "postgres"), "-D", str(self.data)]
        self.running = self.place.start(postgres, self.folder / "server.log")
        wait_until(self._accepts, "PostgreSQL takes connections")

    def stop(self) -> None:
        """Stop it, clients or not."""
        self.running.end(signal.SIGINT, 20)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        if hasattr(self, "running"):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """Where it is, for a driver to connect to past the pooler."""
        return {"host": "127.0.0.1", "port": self.port, "dbname": DATABASE, "user": USER,
                "password": PASSWORD}  # fmt: skip

    def ask(self, sql: str) -> list[Any]:
        """Run SQL past the pooler; its rows, if it has any."""
        bounds = {"connect_timeout": 10, "options": "-c lock_timeout=5s"}
        return asked(sql, **self.parameters, **bounds)

    def end_sessions(self) -> None:
        """End what poolers have left behind, and with that its locks."""
        self.ask(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )

    def _accepts(self) -> bool:
        if not self.running.alive:
            raise RuntimeError((self.folder / "server.log").read_text())
        try:
            psycopg2.connect(host=str(self.folder), port=self.port, dbname="postgres",
                             user="postgres").close()  # fmt: skip
        except psycopg2.OperationalError:
            return False
        return True

    def _furnish(self) -> None:
        conn = psycopg2.connect(
            host=str(self.folder), port=self.port, dbname="postgres", user="postgres"
        )
        conn.autocommit = True
        with conn.cursor() as cur:
            cur.execute(f"create role {USER} superuser login password '{PASSWORD}'")
            cur.execute(f"create database {DATABASE} owner {USER}")
        conn.close()
