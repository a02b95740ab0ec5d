"""Merging parameters, notifications, several connections at once, importing."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import os
import select
import subprocess
import sys
from typing import Any

from drivers import Absent

from .registry import workload

VALUES = (
    42,
    3.25,
    "plain text value",
    "it's quoted\\ text",
    None,
    True,
    datetime.datetime(2024, 5, 17, 12, 34, 56, 123456),
    datetime.date(2024, 5, 17),
    decimal.Decimal("12345.6789"),
    [1, 2, 3],
)
TEMPLATE = "insert into t values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
NOTES = 50_000
STATEMENTS = 20_000
CONNECTIONS = 10


@workload("mogrify", "200,000 times ten mixed values merged into a statement")
def mogrify(driver: Any) -> None:
    cursor = driver.connect().cursor()
    with driver.meter():
        for _ in range(200_000):
            cursor.mogrify(TEMPLATE, VALUES)


@mogrify.on("psycopg", "psycopg-binary")
def mogrify_psycopg(driver: Any) -> None:
    cursor = driver.module.ClientCursor(driver.connect())
    with driver.meter():
        for _ in range(200_000):
            cursor.mogrify(TEMPLATE, VALUES)


def notifier() -> subprocess.Popen[bytes]:
    """Another session, which sends after a moment."""
    query = (
        "select pg_sleep(0.3); select count(pg_notify('bench', 'payload number ' || i)) "
        f"from generate_series(1, {NOTES}) i"
    )
    program = os.environ.get("PSYCOXIDE_TEST_PSQL", "psql")
    return subprocess.Popen(
        [program, "-X", "-q", "-d", os.environ["PSYCOXIDE_TEST_DSN"], "-c", query],
        stdout=subprocess.DEVNULL,
    )


@workload("notify", "50,000 notifications received through select and poll()")
def notify(driver: Any) -> None:
    conn = driver.connect()
    conn.cursor().execute("listen bench")
    sender = notifier()
    got = 0
    with driver.meter():
        while got < NOTES:
            if not any(select.select([conn], [], [], 30)):
                raise RuntimeError("no notification within 30 s")
            conn.poll()
            got += len(conn.notifies)
            conn.notifies.clear()
    sender.wait()


@notify.on("psycopg", "psycopg-binary")
def notify_psycopg(driver: Any) -> None:
    conn = driver.connect()
    conn.execute("listen bench")
    sender = notifier()
    with driver.meter():
        for got, _note in enumerate(conn.notifies(timeout=30), 1):
            if got == NOTES:
                break
    sender.wait()


@workload("async10", "20,000 statements over ten asynchronous connections")
def async10(driver: Any) -> None:
    ready = driver.submodule("extensions").POLL_OK
    conns = [driver.module.connect(**driver.unix, async_=1) for _ in range(CONNECTIONS)]
    cursors = {}
    for conn in conns:
        driver.submodule("extras").wait_select(conn)
        driver.pids.append(conn.info.backend_pid)
        cursors[conn.fileno()] = conn, conn.cursor()
    with driver.meter():
        poller = select.epoll()
        started = done = 0
        for fd, (_conn, cursor) in cursors.items():
            poller.register(fd, select.EPOLLIN)
            cursor.execute("select %s::int", (started,))
            started += 1
        todo = list(cursors)
        while done < STATEMENTS:
            while todo:
                conn, cursor = cursors[todo.pop()]
                if conn.poll() == ready:
                    cursor.fetchone()
                    done += 1
                    if started < STATEMENTS:
                        cursor.execute("select %s::int", (started,))
                        started += 1
                        todo.append(conn.fileno())
            if done < STATEMENTS:
                todo += [fd for fd, _event in poller.poll(30)]


@async10.on("psycopg", "psycopg-binary")
async def async10_psycopg(driver: Any) -> None:
    connect = driver.module.AsyncConnection.connect
    conns = [await connect(**driver.unix, autocommit=True) for _ in range(CONNECTIONS)]
    driver.pids += [conn.info.backend_pid for conn in conns]

    async def work(conn: Any) -> None:
        cursor = conn.cursor()
        for number in range(STATEMENTS // CONNECTIONS):
            await cursor.execute("select %s::int", (number,))
            await cursor.fetchone()

    with driver.meter():
        await asyncio.gather(*map(work, conns))


@async10.on("asyncpg")
async def async10_asyncpg(driver: Any) -> None:
    conns = [await driver.connect() for _ in range(CONNECTIONS)]

    async def work(conn: Any) -> None:
        for number in range(STATEMENTS // CONNECTIONS):
            await conn.fetch("select $1::int", number)

    with driver.meter():
        await asyncio.gather(*map(work, conns))


def importing(driver: Any, *modules: str) -> None:
    # This process has imported it already, so a child is measured.
    source = (
        "import json, sys\n"
        f"sys.path.insert(0, {sys.path[0]!r})\n"
        "from meter import Meter\n"
        "figures = {}\n"
        "with Meter(figures, []):\n"
        f"    import {', '.join(modules)}\n"
        "print(json.dumps(figures))\n"
    )
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, check=True)
    import json

    driver.figures.update(json.loads(done.stdout))


@workload("import", "importing the package, in a fresh interpreter")
def import_package(driver: Any) -> None:
    importing(driver, driver.module_name)


@workload("import_extras", "importing the package and its extras")
def import_extras(driver: Any) -> None:
    importing(driver, driver.module_name, f"{driver.module_name}.extras")


@import_extras.on("psycopg", "psycopg-binary")
def import_extras_psycopg(driver: Any) -> None:
    raise Absent("no counterpart")


import_package.on("asyncpg")(import_package.default)
