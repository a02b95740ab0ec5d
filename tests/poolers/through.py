"""A driver that goes through a pooler, and a look past it at what is in the table."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from .peers.pooler import SIZE, Pooler
from .verdicts import Hangs, Unsafe

# In this order: what the first one comes to is what is expected of the second.
DRIVERS = ("psycopg2", "psycoxide")
TABLE = "through"
# Seconds for what is asked past the pooler: more than the lock_timeout there.
ASK = 8


class Through:
    """A driver's modules, its connections through the pooler, and what a scenario records."""

    def __init__(self, name: str, pooler: Pooler) -> None:
        self.name = name
        self.pooler = pooler
        self.driver: Any = importlib.import_module(name)
        self.extensions: Any = importlib.import_module(f"{name}.extensions")
        self.extras: Any = importlib.import_module(f"{name}.extras")
        self.errors: Any = importlib.import_module(f"{name}.errors")
        self.sql: Any = importlib.import_module(f"{name}.sql")
        self.records: dict[str, Any] = {}
        self.spoiled = False
        self.was_cut = False
        self._opened: list[Any] = []
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    # ---- connections ------------------------------------------------------------------------

    def connect(self, **more: Any) -> Any:
        """A connection through the pooler; it is closed after the scenario."""
        conn = self.driver.connect(**{**self.pooler.parameters, **more})
        copy = socket.socket(fileno=os.dup(conn.fileno()))
        with self._lock:
            self._opened.append(conn)
            self._sockets.append(copy)
            if self.was_cut:
                copy.shutdown(socket.SHUT_RDWR)
        return conn

    def cut(self) -> None:
        """Shut all connections down under the driver, from another thread."""
        with self._lock:
            self.was_cut = True
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for conn in self._opened:
            with contextlib.suppress(self.driver.Error):
                conn.close()
        for each in self._sockets:
            each.close()

    def in_threads(self, count: int, work: Callable[[int], None]) -> None:
        """Run this at once in threads. Raises the first error of theirs."""
        errors: list[BaseException] = []

        def run(number: int) -> None:
            try:
                work(number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        if errors:
            raise errors[0]

    @property
    def clients(self) -> int:
        """How many clients can be in the pool at once: more than servers where they share."""
        return SIZE + 3 if self.pooler.shares else SIZE

    # ---- past the pooler --------------------------------------------------------------------

    def ask(self, sql: str) -> list[Any]:
        """Run SQL on the server itself; its rows. Raises Hangs when it takes too long."""
        answers: list[Any] = []
        asked = threading.Thread(target=lambda: answers.append(self.pooler.ask(sql)), daemon=True)
        asked.start()
        asked.join(ASK)
        if asked.is_alive():
            raise Hangs(f"not answered after {ASK} s: {sql}")
        if not answers:
            raise AssertionError(f"past the pooler this failed: {sql}")
        return answers[0]

    def make_table(self) -> str:
        """A new, empty table of integers."""
        self.ask(f"drop table if exists {TABLE}; create table {TABLE} (a int)")
        return TABLE

    def check_rows(self, expected: Iterable[int]) -> None:
        """Raises Unsafe if something else is in the table than the program believes."""
        found = sorted(row[0] for row in self.ask(f"select a from {TABLE}"))
        expected = sorted(expected)
        if found != expected:
            shown = f"{found}" if len(found) < 20 else f"{len(found)} rows"
            raise Unsafe(f"in the table: {shown}, expected {expected[:20]}")

    # ---- comparison -------------------------------------------------------------------------

    def record(self, name: str, value: Any) -> None:
        """Note something that must be the same with each driver."""
        self.records[name] = value


@contextlib.contextmanager
def noted(through: Through, name: str) -> Any:
    """Record the class of the error that this raises, or "" if none."""
    through.record(name, "")
    try:
        yield
    except through.driver.Error as error:
        through.record(name, type(error).__name__)
