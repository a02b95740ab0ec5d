"""Flask under gunicorn, whose workers are forked after the application was imported."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from .programs import Server, database_sockets, wait_until

Start = Callable[..., Server]

# What the tests want to know of a worker, beside the page's application.
MORE = """
    import os

    from shop import app, pool


    @app.get("/who")
    def who():
        with pool.connection() as conn:
            session = conn.fetchval("select pg_backend_pid() from pg_sleep(0.02)")
        return {"worker": os.getpid(), "session": session}


    @app.get("/sleep")
    def sleep():
        with pool.connection() as conn, conn.transaction():
            conn.execute("insert into item (name) values ('late')")
            conn.execute("select pg_sleep(1)")
        return "slept"
"""
USED_BEFORE = "\n    pool.wait()\n    assert pool.fetchval('select 1') == 1\n"
SIZE, WORKERS = 4, 2


def seen_by_all(server: Server) -> dict[int, set[int]]:
    """The sessions of each worker, asked until both have answered."""
    found: dict[int, set[int]] = {}

    def ask() -> bool:
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda: answers.append(server.get("/who").json()))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for answer in answers:
            found.setdefault(answer["worker"], set()).add(answer["session"])
        return len(found) == WORKERS

    wait_until(ask, lambda: found)
    return found


def test_the_page(start: Start, conn: Any) -> None:
    server = start("gunicorn", "--bind", "127.0.0.1:PORT", "shop:app")
    assert server.get("/items").json() == [{"id": 1, "name": "tea"}]
    assert server.post("/items?name=ice").json() == {"id": 2}
    assert server.get("/items").json()[1] == {"id": 2, "name": "ice"}
    server.terminate()
    assert server.wait() == 0
    assert "Traceback" not in server.output


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(("kind", "used"), [("gthread", True), ("sync", False)])
def test_each_worker_has_connections_of_its_own(
    start: Start,
    add_file: Callable[[str, str], None],
    sessions: Callable[[str], set[int]],
    shop: dict[str, str],
    kind: str,
    used: bool,
) -> None:
    """Also when the pool had connections before the fork: these stay the parent's."""
    if shop["PGHOST"].startswith("/"):
        pytest.skip("the given server is reached over a Unix socket")
    add_file("more.py", MORE + USED_BEFORE * used)
    site = start("gunicorn", "--bind", "127.0.0.1:PORT", "-k", kind, "more:app")
    found = seen_by_all(site)
    first, second = found.values()
    assert not first & second
    port = int(shop["PGPORT"])
    one, two = (database_sockets(worker, port) for worker in found)
    assert one and two and not one & two
    parents = database_sockets(site.process.pid, port)
    assert len(parents) == used and not parents & (one | two)
    assert len(first | second) + used <= len(sessions("shop")) <= WORKERS * SIZE + used
    site.terminate()
    assert site.wait() == 0
    wait_until(lambda: not sessions("shop"))


def test_a_worker_that_dies_is_replaced_by_one_with_connections_of_its_own(
    start: Start, add_file: Callable[[str, str], None]
) -> None:
    add_file("more.py", MORE + USED_BEFORE)
    site = start("gunicorn", "--bind", "127.0.0.1:PORT", "more:app")
    before = seen_by_all(site)
    victim = next(iter(before))
    os.kill(victim, signal.SIGKILL)
    after: dict[int, set[int]] = {}

    def is_replaced() -> bool:
        after.update(seen_by_all(site))
        return bool(set(after) - set(before))

    wait_until(is_replaced)
    (new,) = set(after) - set(before)
    assert not after[new] & set().union(*before.values())


def test_sigterm_lets_requests_finish_and_closes_the_sessions(
    start: Start,
    add_file: Callable[[str, str], None],
    conn: Any,
    sessions: Callable[[str], set[int]],
    sleeping: Callable[[], int],
) -> None:
    add_file("more.py", MORE)
    site = start("gunicorn", "--bind", "127.0.0.1:PORT", "more:app")
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(site.get("/sleep")))
    asking.start()
    wait_until(sleeping)
    site.terminate()
    assert site.wait() == 0
    asking.join()
    assert [(answer.status, answer.text) for answer in answers] == [(200, "slept")]
    assert conn.fetchval("select count(*) from item where name = 'late'") == 1
    wait_until(lambda: not sessions("shop"))


def test_greenlets(
    start: Start,
    add_file: Callable[[str, str], None],
    conn: Any,
    sleeping: Callable[[], int],
) -> None:
    """Requests of one worker wait for the server at the same time."""
    add_file("more.py", "    import green\n" + MORE)
    site = start("gunicorn", "--bind", "127.0.0.1:PORT", "-k", "gevent", "-w", "1", "more:app")
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(site.get("/sleep").status))
        for _ in range(SIZE)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: sleeping() == SIZE, lambda: site.output)
    for thread in threads:
        thread.join()
    assert answers == [200] * SIZE
