"""A scratch database for one run of the suite, made with psql so as not to need any driver."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import time

NAME = "psycopg2_test"
SLOT = "psycopg2_test_slot"


class Scratch:
    """A database of its own, because the suite creates and drops at will."""

    def __init__(self, dsn: str, psql: str) -> None:
        # Keyword/value pairs, as the throwaway server's tool writes them; enough for DSN=.
        self.parameters = dict(part.split("=", 1) for part in shlex.split(dsn))
        self.psql = psql
        self.name = f"{NAME}_{os.getpid()}"
        self.slot = f"{SLOT}_{os.getpid()}"
        self.created = False

    def variables(self) -> dict[str, str]:
        """The variables that the suite reads, for the worker's environment."""
        wanted = {"host": "_HOST", "port": "_PORT", "user": "_USER", "password": "_PASSWORD"}
        found = {
            f"PSYCOPG2_TESTDB{suffix}": self.parameters[key]
            for key, suffix in wanted.items()
            if key in self.parameters
        }
        return {
            **found,
            "PSYCOPG2_TESTDB": self.name,
            "PSYCOPG2_TEST_REPL_DSN": "",  # empty: the same server as the other tests
            "PSYCOPG2_TEST_REPL_SLOT": self.slot,
            "PGAPPNAME": self.name,
        }

    def sql(self, *statements: str, database: str = "postgres", check: bool = True) -> str:
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        env = dict(os.environ)
        env.update({names[k]: v for k, v in self.parameters.items() if k in names})
        commands = [part for statement in statements for part in ("-c", statement)]
        return subprocess.run(
            [self.psql, "-X", "-q", "-A", "-t", "-d", database, *commands],
            env=env,
            check=check,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def create(self) -> None:
        self.sql(f'create database "{self.name}"')
        self.created = True
        self.sql("create extension if not exists hstore", database=self.name)

    def clean(self) -> None:
        """After a worker was killed: end its sessions, and what they left prepared."""
        self.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            f"where (datname = '{self.name}' or application_name = '{self.name}') "
            "and pid <> pg_backend_pid()",
            check=False,
        )
        time.sleep(0.2)
        prepared = self.sql(
            f"select quote_literal(gid) from pg_prepared_xacts where database = '{self.name}'",
            database=self.name,
            check=False,
        )
        for gid in prepared.split("\n"):
            if gid:
                self.sql(f"rollback prepared {gid}", database=self.name, check=False)
        self.sql(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            f"where not active and (slot_name = '{self.slot}' or database = '{self.name}')",
            database=self.name,
            check=False,
        )

    def drop(self) -> None:
        if not self.created:
            return
        with contextlib.suppress(subprocess.SubprocessError):
            self.clean()
            self.sql(f'drop database if exists "{self.name}"', check=False)
