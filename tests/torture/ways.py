"""Ways of calling: the checks say once what must hold, for blocking calls and for psycoxide.aio.

They are written for psycopg2's API. `Connection` and `Cursor` give a connection of psycoxide.aio
that shape: a thread runs an event loop, each call is a task there, and the caller waits for its
end. An exception of the wait, such as KeyboardInterrupt, cancels the task first, as
`asyncio.run()` does.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from psycoxide import aio

LOOPS = ("asyncio", "uvloop")

# Of what is tried in the blocking way, the loops try one in so many, each of them others.
ONE_IN = 6
# So many seconds a connection waits for the end of what was cancelled. COMMIT waits as well.
CANCEL_TIMEOUT = 2.0
# A task that was cancelled, and has not ended by then, hangs.
PATIENCE = 10.0
BLOCK = 65536


def current() -> str:
    """The way in which this process calls."""
    return os.environ.get("TORTURE_WAY", "blocking")


def choose(way: str) -> None:
    """Call in this way from now on, also in processes that are started."""
    os.environ["TORTURE_WAY"] = way


def is_blocking() -> bool:
    return current() == "blocking"


def sampled(items: Any, one_in: int = ONE_IN) -> list[Any]:
    """All items in the blocking way, a part of them on a loop."""
    items = list(items)
    return items if is_blocking() else items[LOOPS.index(current()) :: one_in]


class Runner:
    """An event loop in a thread of its own."""

    _found: Runner | None = None

    def __init__(self) -> None:
        self.process = os.getpid()
        self.loop = new_loop(current())
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    @classmethod
    def here(cls) -> Runner:
        """The one of this process: a forked child has none of its parent's threads."""
        if cls._found is None or cls._found.process != os.getpid():
            cls._found = cls()
        return cls._found

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine."""
        tasks: list[asyncio.Task[Any]] = []
        ended = threading.Event()

        if sys.is_finalizing():
            coroutine.close()
            raise RuntimeError("the thread of the loop is gone")

        def begin() -> None:
            tasks.append(self.loop.create_task(coroutine))
            tasks[0].add_done_callback(lambda _task: ended.set())

        self.loop.call_soon_threadsafe(begin)
        try:
            ended.wait()
        except BaseException:
            self.loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            assert ended.wait(PATIENCE), "a task that was cancelled does not end"
            raise
        try:
            return tasks.pop().result()
        except asyncio.CancelledError as error:
            raise AssertionError("nobody has cancelled this task") from error


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "asyncio":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return Runner.here().run(coroutine)


def connect(dsn: str = "", **options: Any) -> Connection:
    """A connection of psycoxide.aio; it begins transactions by itself, as psycopg2's do."""

    async def dial() -> Any:
        return await aio.connect(dsn, autocommit=False, cancel_timeout=CANCEL_TIMEOUT, **options)

    return Connection(run(dial()))


class Connection:
    """A connection of psycoxide.aio in psycopg2's shape."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self.notifies: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def cursor(self) -> Cursor:
        return Cursor(self)

    @property
    def closed(self) -> int:
        return 2 if self._own.broken else int(self._own.closed)

    @property
    def autocommit(self) -> bool:
        return self._own.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        run(self._own.set_autocommit(value))

    def get_transaction_status(self) -> int:
        return self._own.info.transaction_status

    def poll(self) -> None:
        """Takes what notifications have arrived."""

        async def take() -> None:
            async for each in self._own.notifies(timeout=0.001):
                self.notifies.append(each)

        run(take())

    def commit(self) -> None:
        run(self._own.commit())

    def rollback(self) -> None:
        run(self._own.rollback())

    def cancel(self) -> None:
        run(self._own.cancel())

    def close(self) -> None:
        run(self._own.close())

    def tpc_begin(self, xid: Any) -> None:
        run(self._own.tpc_begin(xid))

    def tpc_prepare(self) -> None:
        run(self._own.tpc_prepare())

    def tpc_commit(self, xid: Any = None) -> None:
        run(self._own.tpc_commit(xid))

    def tpc_recover(self) -> list[Any]:
        return run(self._own.tpc_recover())


class Cursor:
    """A cursor of psycoxide.aio in psycopg2's shape."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._own = connection._own.cursor()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def execute(self, query: Any, params: Any = None) -> None:
        run(self._own.execute(query, params))

    def executemany(self, query: Any, items: Any) -> None:
        run(self._own.executemany(query, items))

    def fetchone(self) -> Any:
        return run(self._own.fetchone())

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return run(self._own.fetchmany(size))

    def fetchall(self) -> list[Any]:
        return run(self._own.fetchall())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchone, None)

    def close(self) -> None:
        run(self._own.close())

    def copy_expert(self, statement: str, file: Any) -> None:
        run(self._copy(statement, file))

    async def _copy(self, statement: str, file: Any) -> None:
        async with self._own.copy(statement) as copy:
            if "from stdin" in statement:
                while data := file.read(BLOCK):
                    await copy.write(data)
            else:
                async for block in copy:
                    file.write(block.decode() if isinstance(file, io.TextIOBase) else block)
