"""Reading the parts of a query by several connections at a time, in threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from psycoxide._arrow.partitions import divided
from psycoxide._arrow.progress import INTERVAL, Report
from psycoxide._arrow.snapshots import (
    ISOLATION,
    adopted,
    explained,
    exported,
    restored,
)
from psycoxide._exceptions import DatabaseError, Error

if TYPE_CHECKING:
    from psycoxide._arrow.progress import Progress
    from psycoxide._arrow.snapshots import Snapshot
    from psycoxide._arrow.source import Source
    from psycoxide.sync import Connection

_T = TypeVar("_T")

# How many parts there are for each reader: those that are quick take more of them.
PARTS_PER_READER = 4

# Readers that are stopped are cancelled again and again, since a statement may just have begun;
# after some seconds their connections are closed.
CANCEL_EVERY = 0.2
CLOSE_AFTER = 5.0
# A reader that cannot even be closed is connecting: it ends by itself then.
LEAVE_AFTER = 10.0


@dataclass(frozen=True)
class Origin:
    """How the connection was opened that others are to be like."""

    conninfo: str
    options: dict[str, Any]
    # What it has SET since.
    settings: list[tuple[str, str]] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)

    def open(self) -> Connection[Any]:
        """Open another one like it."""
        from psycoxide.sync import Connection
        from psycoxide.sync.partitions import answered

        conn: Connection[Any] = Connection.connect(self.conninfo, **self.options, **self.own)
        try:
            answered(conn, restored(self.settings))
        except BaseException:
            conn.close()
            raise
        return conn


class Stopped(Exception):
    """The caller is gone."""


@dataclass(frozen=True)
class _Done:
    """A part that was read."""

    number: int
    result: Any


@dataclass(frozen=True)
class _Came:
    """How much of a part has come so far."""

    number: int
    rows: int
    size: int


@dataclass(frozen=True)
class _Failed:
    """What ended a reader, or a request to stop all of them."""

    error: BaseException


class Reading(Generic[_T]):
    """One reading: `run()` returns what `take` makes of each part, in the order of the parts.

    `take` is called with a connection, a query, its parameters, and what it tells of its progress,
    in the thread of a reader; `progress` with the numbers of all readers, in the thread of `run()`.
    """

    def __init__(
        self,
        origin: Origin,
        given: Source,
        on: str | None,
        readers: int,
        take: Callable[[Connection[Any], str, Any, Progress | None], _T],
        progress: Progress | None = None,
    ) -> None:
        self._origin = origin
        self._given = given
        self._on = on
        self._readers = readers
        self._take = take
        self._report = None if progress is None else Report(progress)
        self._news: SimpleQueue[_Done | _Came | _Failed] = SimpleQueue()
        self._stopping = threading.Event()
        # Guards the two below.
        self._lock = threading.Lock()
        self._connections: set[Connection[Any]] = set()
        self._next = 0
        self._statements: list[str] = []

    def stop(self) -> None:
        """Make `run()`, in another thread, end soon by raising Stopped. Does not wait."""
        self._stopping.set()
        self._news.put(_Failed(Stopped()))

    def run(self) -> list[_T]:
        """Read all parts. Raises the first error of any of them, when all readers have ended."""
        from psycoxide.sync.partitions import answered

        results: list[_T] = []
        with self._origin.open() as coordinator:
            version = coordinator.info.server_version
            with coordinator.transaction(isolation=ISOLATION, read_only=True):
                # It waits for the readers, however long that takes.
                coordinator.execute("set local idle_in_transaction_session_timeout = 0")
                count = self._readers * PARTS_PER_READER
                parts = answered(coordinator, divided(self._given, self._on, count, version))
                self._statements = parts.statements
                results = self._read_by_all(answered(coordinator, exported()))
        return results

    def _read_by_all(self, snapshot: Snapshot) -> list[_T]:
        count = len(self._statements)
        threads = [
            threading.Thread(
                target=self._read, args=(snapshot,), name=f"psycoxide-reader-{number}", daemon=True
            )
            for number in range(1, min(self._readers, count) + 1)
        ]
        results: dict[int, _T] = {}
        came: dict[int, _Came] = {}
        try:
            for thread in threads:
                thread.start()
            while len(results) < count:
                news = self._next_news()
                if isinstance(news, _Failed):
                    raise news.error
                if isinstance(news, _Done):
                    results[news.number] = news.result
                else:
                    came[news.number] = news
                self._tell(came, is_last=len(results) == count)
        except BaseException:
            self._stopping.set()
            self._end(threads)
            raise
        self._end(threads)
        return [results[number] for number in range(count)]

    def _next_news(self) -> _Done | _Came | _Failed:
        report = self._report
        if report is not None and report.is_waiting:
            try:
                return self._news.get(timeout=INTERVAL)
            except Empty:
                report.tell()
        return self._news.get()

    def _tell(self, came: dict[int, _Came], *, is_last: bool) -> None:
        if self._report is not None:
            rows = sum(part.rows for part in came.values())
            self._report.reached(rows, sum(part.size for part in came.values()), is_last)

    def _telling(self, number: int) -> Progress | None:
        """What a reader of a part tells of its progress."""
        if self._report is None:
            return None
        return lambda rows, size: self._news.put(_Came(number, rows, size))

    def _read(self, snapshot: Snapshot) -> None:
        """What each reader does, in a thread of its own."""
        from psycoxide.sync.partitions import answered

        try:
            with self._origin.open() as conn:
                with self._lock:
                    self._connections.add(conn)
                try:
                    with conn.transaction(isolation=ISOLATION, read_only=True):
                        answered(conn, adopted(snapshot.partition("")))
                        while (number := self._claim()) is not None:
                            statement, params = self._statements[number], self._given.params
                            result = self._take(conn, statement, params, self._telling(number))
                            self._news.put(_Done(number, result))
                finally:
                    with self._lock:
                        self._connections.discard(conn)
        except DatabaseError as error:
            self._news.put(_Failed(explained(error)))
        except BaseException as error:
            self._news.put(_Failed(error))

    def _claim(self) -> int | None:
        """The number of the next part that nobody reads; None if there is none."""
        with self._lock:
            number = self._next
            self._next += 1
        if self._stopping.is_set() or number >= len(self._statements):
            return None
        return number

    def _end(self, threads: list[threading.Thread]) -> None:
        """Wait for the readers, and cancel what they still do if they are to stop."""
        began = time.monotonic()
        for thread in threads:
            while thread.is_alive():
                waited = time.monotonic() - began
                if waited > LEAVE_AFTER:
                    return
                if self._stopping.is_set():
                    self._cancel(closes=waited > CLOSE_AFTER)
                thread.join(CANCEL_EVERY)

    def _cancel(self, *, closes: bool) -> None:
        with self._lock:
            connections = list(self._connections)
        for conn in connections:
            try:
                if not closes:
                    conn.cancel()
                    continue
            except (Error, OSError):
                pass
            conn.terminate()


def checked(readers: Any) -> int:
    """The number of readers. Raises ValueError for less than one."""
    if not isinstance(readers, int) or isinstance(readers, bool) or readers < 1:
        raise ValueError(f"readers is how many connections read, 1 or more: got {readers!r}")
    return readers
