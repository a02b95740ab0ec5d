"""FastAPI under uvicorn, alone and as gunicorn's worker."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from .programs import Server, wait_until

Start = Callable[..., Server]

# What the tests want to know, beside the page's application.
MORE = """
    import os

    from fastapi import BackgroundTasks

    from {base} import app
    from api import Conn, Pool


    @app.get("/who")
    async def who(conn: Conn):
        session = await conn.fetchval("select pg_backend_pid() from pg_sleep(0.02)")
        return {{"worker": os.getpid(), "session": session}}


    @app.get("/sleep/{{seconds}}")
    async def sleep(seconds: float, conn: Conn):
        async with conn.transaction():
            await conn.execute("insert into item (name) values ('late')")
            await conn.execute("select pg_sleep(%s)", [seconds])
        return "slept"


    @app.get("/background")
    async def background(pool: Pool, conn: Conn, tasks: BackgroundTasks):
        await conn.execute("select 1")
        tasks.add_task(lambda: found.append(pool.get_stats()["pool_available"]))
        return pool.get_stats()["pool_available"]


    @app.get("/found")
    async def get_found():
        return found


    found = []
"""


@pytest.fixture
def serve(start: Start, add_file: Callable[[str, str], None]) -> Callable[[str], Server]:
    """Starts uvicorn with the application of this module, and with more routes."""

    def serve(base: str) -> Server:
        add_file("more.py", MORE.format(base=base))
        return start("uvicorn", "--port", "PORT", "--timeout-graceful-shutdown", "10", "more:app")

    return serve


def leave_while_sleeping(site: Server, sleeping: Callable[[], int], seconds: int) -> None:
    """Begin a request that takes so long, and close its connection."""
    with contextlib.closing(site.connection()) as connection:
        connection.request("GET", f"/sleep/{seconds}")
        wait_until(sleeping)


def test_the_page(start: Start, conn: Any, sessions: Callable[[str], set[int]]) -> None:
    site = start("uvicorn", "--port", "PORT", "api:app")
    assert site.get("/items").json() == [{"id": 1, "name": "tea"}]
    assert site.post("/items?name=ice").json() == 2
    assert site.get("/items").json()[1] == {"id": 2, "name": "ice"}
    assert site.get("/alive").json() == "ok"
    assert (site.get("/ready").status, site.get("/ready").json()) == (200, "ok")
    metrics = dict(line.split() for line in site.get("/metrics").text.splitlines())
    assert metrics["psycoxide_pool_max"] == "4"
    assert len(sessions("api")) == int(metrics["psycoxide_pool_size"]) == 1


def test_without_the_database(start: Start, dsn: str, conn: Any, connect: Any) -> None:
    """The application starts, says that it is not ready, and is ready when the database is back."""
    admin = connect()
    admin.autocommit = True
    admin.cursor().execute("alter database shop allow_connections false")
    site = start("uvicorn", "--port", "PORT", "api:app")
    assert site.get("/alive").status == 200
    answer = site.get("/ready")
    assert (answer.status, answer.json()) == (503, "PoolTimeout")
    admin.cursor().execute("alter database shop allow_connections true")
    wait_until(lambda: site.get("/ready").status == 200)


def test_a_dependency_gives_back_before_the_response(serve: Any, conn: Any) -> None:
    site = serve("api")
    assert site.get("/background").json() == 0
    assert site.get("/found").json() == [1]


def test_a_request_goes_on_without_its_client(
    serve: Any, conn: Any, sleeping: Callable[[], int]
) -> None:
    site = serve("api")
    leave_while_sleeping(site, sleeping, 1)
    wait_until(lambda: not sleeping())
    wait_until(lambda: conn.fetchval("select count(*) from item where name = 'late'") == 1)


def test_a_request_is_cancelled_with_its_client(
    serve: Any, conn: Any, sleeping: Callable[[], int], sessions: Callable[[str], set[int]]
) -> None:
    site = serve("careful")
    before = {site.get("/who").json()["session"]}
    began = time.monotonic()
    leave_while_sleeping(site, sleeping, 20)
    wait_until(lambda: not sleeping())
    assert time.monotonic() - began < 10
    assert conn.fetchval("select count(*) from item where name = 'late'") == 0
    # The connection has outlived that. Others may have been opened while it was cleaned up.
    assert before <= sessions("api")
    assert site.get("/sleep/0").json() == "slept"
    site.terminate()
    site.wait()
    assert "Traceback" not in site.output


def test_sigterm_lets_requests_finish_and_closes_the_sessions(
    serve: Any, conn: Any, sessions: Callable[[str], set[int]], sleeping: Callable[[], int]
) -> None:
    site = serve("careful")
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(site.get("/sleep/1")))
    asking.start()
    wait_until(sleeping)
    site.terminate()
    site.wait()
    asking.join()
    assert [(answer.status, answer.json()) for answer in answers] == [(200, "slept")]
    assert "Application shutdown complete" in site.output
    wait_until(lambda: not sessions("api"))


@pytest.mark.parametrize(
    "command",
    [
        "gunicorn --preload -w 2 -k uvicorn_worker.UvicornWorker -b 127.0.0.1:PORT",
        "uvicorn --workers 2 --port PORT",
    ],
    ids=["gunicorn", "uvicorn"],
)
def test_each_worker_has_a_pool(
    start: Start,
    add_file: Callable[[str, str], None],
    conn: Any,
    sessions: Callable[[str], set[int]],
    command: str,
) -> None:
    add_file("more.py", MORE.format(base="api"))
    site = start(*command.split(), "more:app")
    found: dict[int, set[int]] = {}

    def ask() -> bool:
        answer = site.get("/who").json()
        found.setdefault(answer["worker"], set()).add(answer["session"])
        return len(found) == 2

    wait_until(ask, lambda: found)
    first, second = found.values()
    assert not first & second
    assert first | second <= sessions("api") and len(sessions("api")) <= 2 * 4
    site.terminate()
    site.wait()
    wait_until(lambda: not sessions("api"))
