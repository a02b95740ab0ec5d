"""Celery: children that are forked after the tasks were imported, and greenlets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery

from .programs import Server, wait_until

Start = Callable[..., Server]

# Tasks that say who ran them.
MORE = """
    import os

    import settings_of_the_broker
    from tasks import add, app, pool

    app.config_from_object(settings_of_the_broker)


    @app.task
    def who(seconds):
        with pool.connection() as conn, conn.transaction():
            conn.execute(
                "insert into item (name) select %s || ' ' || pg_backend_pid() from pg_sleep(%s)",
                [str(os.getpid()), seconds],
            )
"""
# Without looking for other workers, which takes a second.
COMMAND = "celery -A more worker --loglevel info --without-mingle --without-gossip".split()


@pytest.fixture
def send(
    add_file: Callable[[str, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., None]:
    """Sends a task, by a broker without a server: files in a folder."""
    queue, written, processed, control = (
        tmp_path_factory.mktemp(name) for name in ("queue", "written", "processed", "control")
    )
    broker = "filesystem://localhost"
    folders = {"processed_folder": str(processed), "control_folder": str(control)}
    options = {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "polling_interval": 0.05,
        **folders,
    }
    add_file(
        "settings_of_the_broker.py",
        f"broker_url = {broker!r}\nbroker_transport_options = {options!r}\n",
    )
    client = Celery("client", broker=broker)
    client.conf.broker_transport_options = {
        "data_folder_in": str(written),
        "data_folder_out": str(written),
        **folders,
    }

    def send(task: str, *arguments: object) -> None:
        client.send_task(task, arguments)
        # The transport reads what is not written to its end, but not what is not there yet.
        for message in written.iterdir():
            message.rename(queue / message.name)

    return send


def workers(conn: Any) -> dict[int, set[int]]:
    """The sessions of each child, by its process number, as the tasks have written them."""
    found: dict[int, set[int]] = {}
    for (name,) in conn.fetch("select name from item where name like '% %'"):
        child, session = map(int, name.split())
        found.setdefault(child, set()).add(session)
    return found


def test_each_child_has_a_connection_of_its_own(
    start: Start,
    add_file: Callable[[str, str], None],
    send: Callable[..., None],
    conn: Any,
    sessions: Callable[[str], set[int]],
    sleeping: Callable[[], int],
) -> None:
    """Also when the pool had a connection before the fork: that stays the parent's."""
    add_file("more.py", f"{MORE}\n    pool.wait()\n")
    worker = start(*COMMAND, "--concurrency", "2", port=False)
    worker.wait_for_output(" ready.")
    parents = sessions("tasks")
    assert len(parents) == 1
    send("tasks.add", "ice")
    for _ in range(6):
        send("more.who", 0.2)
    wait_until(lambda: conn.fetchval("select count(*) from item") == 8, lambda: worker.output)
    found = workers(conn)
    first, second = found.values()
    assert len(first) == len(second) == 1 and not (first | second) & parents
    assert sessions("tasks") == first | second | parents
    # The end: the task that runs is finished, and nothing is left.
    send("more.who", 1)
    wait_until(sleeping, lambda: worker.output)
    worker.terminate()
    assert worker.wait() == 0, worker.output
    assert conn.fetchval("select count(*) from item") == 9
    wait_until(lambda: not sessions("tasks"))


def test_greenlets(
    start: Start,
    add_file: Callable[[str, str], None],
    send: Callable[..., None],
    conn: Any,
    sessions: Callable[[str], set[int]],
    sleeping: Callable[[], int],
) -> None:
    """Statements of several tasks run at the same time, up to the size of the pool."""
    add_file("more.py", MORE + "\n    import green\n    pool.resize(1, 3)\n")
    worker = start(*COMMAND, "--pool", "gevent", "--concurrency", "10", port=False)
    worker.wait_for_output(" ready.")
    for _ in range(6):
        send("more.who", 0.3)
    seen = 0

    def are_through() -> bool:
        nonlocal seen
        seen = max(seen, sleeping())
        return conn.fetchval("select count(*) from item") == 7

    wait_until(are_through, lambda: worker.output)
    ((child, used),) = workers(conn).items()
    assert child == worker.process.pid
    assert len(used) == seen == 3 and used == sessions("tasks")
    worker.terminate()
    assert worker.wait() == 0, worker.output
    wait_until(lambda: not sessions("tasks"))
