"""A server that is restarted, as by `pg_ctl restart`, under connections of every kind.

Each call that is under way raises OperationalError at once, and no result is cut short in silence.
The connection says that it is closed, and a new one works.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fixtures import clusters
from fixtures.loops import ASYNC
from fixtures.tasks import agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio

SLOW = "select pg_sleep(600)"
FILLER = "(select repeat('x', 1000) from generate_series(1, 10000000))"
# So soon everybody has to be told, on a busy machine, too.
AT_ONCE = 5.0
# Without asyncio a thread that waits for its turn finds the connection closed, as with psycopg2.
FAILED_TOGETHER = (
    psycoxide.OperationalError if ASYNC else (psycoxide.OperationalError, psycoxide.InterfaceError)
)
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def thread():
    """Where a restart is waited for. A server ends with the thread that has started it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster(thread):
    with clusters.fresh() as made:
        made.sql("create table restarted (line text)")
        yield made


@pytest.fixture
def options(cluster):
    server = cluster.server
    return {"host": server.sockets, "port": server.port, "user": "postgres", "dbname": "postgres"}


# ---- what is under way ------------------------------------------------------------------------


async def statement(conn, restarted):
    await conn.execute(SLOW)


async def transaction(conn, restarted):
    async with conn.transaction():
        await conn.execute("insert into restarted values ('transaction')")
        await conn.execute(SLOW)


async def idle(conn, restarted):
    await wait(restarted)
    await conn.execute("select 1")


async def idle_transaction(conn, restarted):
    async with conn.transaction():
        await conn.execute("insert into restarted values ('idle')")
        await wait(restarted)
        await conn.execute("select 1")


async def commit(conn, restarted):
    async with conn.transaction():
        await conn.execute("insert into restarted values ('commit')")
        await wait(restarted)


async def stream(conn, restarted):
    async for _ in conn.stream(f"select * from {FILLER} as filler"):
        # The server is stopped while it waits for a reader.
        await wait(restarted)


async def copy_from(conn, restarted):
    async with conn.copy("copy restarted from stdin") as copy:
        while True:
            await copy.write("copy\n" * 10_000)
            await asleep(0.001)


async def copy_to(conn, restarted):
    async with conn.copy(f"copy {FILLER} to stdout") as copy:
        async for _ in copy:
            await wait(restarted)


async def pipeline(conn, restarted):
    async with conn.pipeline() as pipeline:
        pipeline.execute("insert into restarted values ('pipeline')")
        pipeline.execute(SLOW)


async def many(conn, restarted):
    await conn.executemany("insert into restarted values (%s)", (("many",) for _ in iter(int, 1)))


async def gathered(conn, restarted):
    """50 statements at a time, each of which has to fail."""

    async def one():
        with pytest.raises(FAILED_TOGETHER) as caught:
            await conn.execute(SLOW)
        return caught.value

    errors = await agather(*[one] * 50)
    raise next(error for error in errors if isinstance(error, psycoxide.OperationalError))


async def listener(conn, restarted):
    await conn.execute("listen restarted")
    async for _ in conn.notifies():
        pass


WORK = (
    *(statement, transaction, idle, idle_transaction, commit, stream, copy_from, copy_to),
    *(pipeline, many, gathered, listener),
)
# What must raise the words with which the server ends a session. If much was on its way to the
# server, the system may drop what comes back.
TOLD = (statement, transaction, idle, idle_transaction, pipeline, gathered, listener)


async def wait(event):
    while not event.is_set():
        await asleep(0.01)


async def run(options, work, restarted, connected):
    """Runs it on a connection of its own: when and how it failed, and what the connection says."""
    async with aio.connect(**options) as conn:
        connected.append(work)
        try:
            await work(conn, restarted)
        except Exception as error:
            failed = time.monotonic(), error
            return *failed, conn.closed and conn.broken, "".join(conn.notices)
    raise AssertionError(f"{work.__name__} has ended well")


async def connect_again_and_again(options, restarted):
    """How many attempts failed; each has to end soon."""
    failed = 0
    while not restarted.is_set():
        began = time.monotonic()
        try:
            async with aio.connect(**options) as conn:
                await conn.fetchval("select 1")
        except psycoxide.OperationalError:
            failed += 1
        assert time.monotonic() - began < AT_ONCE
        await asleep(0.005)
    return failed


async def restart(thread, cluster, immediate):
    """Restarts the server while others go on."""
    restarting = thread.submit(cluster.restart, immediate=immediate)
    while not restarting.done():
        await asleep(0.01)
    restarting.result()


@pytest.mark.parametrize("immediate", [False, True], ids=["fast", "immediate"])
async def test_restart(thread, cluster, options, immediate):
    restarted = threading.Event()
    connected = []
    running = [aspawn(run, options, work, restarted, connected) for work in WORK]
    while len(connected) < len(WORK):
        await asleep(0.01)
    connecting = aspawn(connect_again_and_again, options, restarted)
    await asleep(0.3)
    began = time.monotonic()
    await restart(thread, cluster, immediate)
    done = time.monotonic()
    restarted.set()
    words = "immediate shutdown" if immediate else "administrator command"
    for work, task in zip(WORK, running):
        moment, error, is_closed, notices = await ajoin(task)
        assert isinstance(error, psycoxide.OperationalError), (work.__name__, error)
        assert moment < max(began + AT_ONCE, done + AT_ONCE), work.__name__
        assert is_closed, work.__name__
        if work in TOLD:
            assert words in f"{error}{notices}", (work.__name__, error, notices)
    assert await ajoin(connecting) > 0
    async with aio.connect(**options) as conn:
        assert await conn.fetchval("select count(*) from restarted") == 0


async def test_restart_while_a_connection_is_being_made(thread, cluster, options, relay):
    """The client has sent its first message, and has no answer yet."""
    found = relay(f"{cluster.server.sockets}/.s.PGSQL.{cluster.server.port}")
    found.stall()
    task = aspawn(run, {**options, **found.options}, statement, None, [])
    await asleep(0.3)
    await restart(thread, cluster, False)
    found.flow()
    began = time.monotonic()
    with pytest.raises(psycoxide.OperationalError):
        await ajoin(task)
    assert time.monotonic() - began < AT_ONCE
