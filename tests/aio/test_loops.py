# only in aio: a call that waits itself needs no loop
"""Connections and event loops: which loop, which thread, which process."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import warnings

import pytest
from fixtures.forks import forked
from fixtures.loops import KINDS, asyncio_loop, uvloop_loop
from fixtures.messages import rows
from fixtures.steps import soon

import psycoxide
from psycoxide import aio

pytestmark = pytest.mark.timeout(60)


def run(loop, coroutine):
    return loop.run_until_complete(asyncio.wait_for(coroutine, 20))


@pytest.fixture
def loops():
    """Two loops of asyncio."""
    found = [asyncio.new_event_loop() for _ in range(2)]
    yield found
    for each in found:
        each.close()


async def connected(dsn, **options):
    return await aio.connect(dsn, **options)


# ---- from loop to loop ------------------------------------------------------------------------


def test_a_connection_at_rest_follows_its_user(dsn, loops):
    first, second = loops
    conn = run(first, connected(dsn))
    for loop in (first, second, first, second):
        assert run(loop, conn.fetchval("select 42")) == 42
    run(second, conn.close())


def test_a_connection_follows_from_a_loop_that_is_closed(dsn, loops):
    first, second = loops
    conn = run(first, connected(dsn))
    first.close()
    assert run(second, conn.fetchval("select 42")) == 42
    run(second, conn.close())


def test_asyncio_run_again_and_again(dsn):
    conn = asyncio.run(connected(dsn))
    for n in range(3):
        assert asyncio.run(asyncio.wait_for(conn.fetchval("select %s", (n,)), 20)) == n
    asyncio.run(conn.close())


def test_what_a_closed_loop_left_behind_is_cancelled(dsn, loops):
    first, second = loops
    conn = run(first, connected(dsn, cancel_timeout=10))
    coroutine = conn.fetchval("select pg_sleep(600)")

    async def begin():
        coroutine.send(None)

    run(first, begin())
    first.close()
    assert run(second, conn.fetchval("select 42")) == 42
    coroutine.close()
    assert run(second, conn.fetchval("select 43")) == 43
    run(second, conn.close())


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancel_request_that_is_pending_moves_along(scripted, kind):
    """The statement has ended, and the server has not taken note of the request to cancel it."""
    if kind == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed: pip has no wheel of it")
    make = uvloop_loop if kind == "uvloop" else asyncio_loop
    (first, watched), (second, _) = make(), make()
    asked, answered, requested, noted = (threading.Event() for _ in range(4))

    def answers(sql, session):
        if "slow" in sql:
            asked.set()
            assert answered.wait(10)
        return rows("42")

    def on_cancel(session):
        requested.set()
        assert noted.wait(10)

    async def until(event):
        while not event.is_set():
            await asyncio.sleep(0.01)

    async def leave():
        task = asyncio.ensure_future(conn.fetchval("select slow"))
        await until(asked)
        task.cancel()
        await asyncio.wait([task])
        await until(requested)
        answered.set()
        # Now the answer comes.
        await asyncio.sleep(0.1)

    async def use():
        task = asyncio.ensure_future(conn.fetchval("select 1"))
        await asyncio.sleep(0.1)
        assert not watched()
        assert not task.done()
        noted.set()
        return await task

    with scripted(answers=answers, on_cancel=on_cancel) as server:
        conn = run(first, connected(server.dsn))
        run(first, leave())
        assert len(watched()) >= 2  # the session and the request
        assert run(second, use()) == "42"
        assert run(first, conn.fetchval("select 1")) == "42"
        run(first, conn.close())
    first.close()
    second.close()


def test_a_connection_in_use_stays_where_it_is(dsn, loops):
    first, second = loops
    conn = run(first, connected(dsn))

    async def begin():
        task = asyncio.ensure_future(conn.fetchval("select 7 from pg_sleep(0.1)"))
        await asyncio.sleep(0.01)
        return task

    task = run(first, begin())
    with pytest.raises(psycoxide.InterfaceError, match="in use by another event loop"):
        run(second, conn.fetchval("select 1"))
    assert run(first, task) == 7
    assert run(second, conn.fetchval("select 42")) == 42
    run(second, conn.close())


def test_close_without_a_loop(dsn, loops):
    conn = run(loops[0], connected(dsn))
    loops[0].close()
    conn.terminate()
    assert conn.closed


async def test_without_a_loop(aconn):
    def call():
        coroutine = aconn.fetchval("select 1")
        try:
            coroutine.send(None)
        except RuntimeError as error:
            return error
        finally:
            coroutine.close()

    error = await asyncio.get_running_loop().run_in_executor(None, call)
    assert "no running event loop" in str(error)
    assert await soon(aconn.fetchval("select 42")) == 42


async def test_from_the_loop_of_another_thread(aconn):
    def call():
        with pytest.raises(psycoxide.InterfaceError, match="another event loop"):
            asyncio.run(aconn.fetchval("select 1"))
        return True

    assert await asyncio.get_running_loop().run_in_executor(None, call)
    assert await soon(aconn.fetchval("select 42")) == 42


async def test_terminate_from_another_thread(dsn):
    conn = await aio.connect(dsn)
    task = asyncio.ensure_future(conn.execute("select pg_sleep(600)"))
    await asyncio.sleep(0.02)
    thread = threading.Thread(target=conn.terminate)
    thread.start()
    with pytest.raises(psycoxide.InterfaceError, match="closed"):
        await soon(task)
    thread.join()
    assert conn.closed


# ---- loops that cannot watch sockets ----------------------------------------------------------


class Blind(asyncio.SelectorEventLoop):
    """A loop as that of Windows: it has no readers and no writers for others."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    remove_reader = asyncio.AbstractEventLoop.remove_reader
    add_writer = asyncio.AbstractEventLoop.add_writer
    remove_writer = asyncio.AbstractEventLoop.remove_writer


@pytest.fixture
def blind():
    loop = Blind()
    yield loop
    loop.close()


def test_a_loop_without_readers(dsn, blind):
    async def work():
        async with aio.connect(dsn) as conn:
            assert await conn.fetchval("select 42") == 42
            text = "x" * 5_000_000
            assert await conn.fetchval("select %s", (text,)) == text
            answers = await asyncio.gather(*(conn.fetchval("select %s", (n,)) for n in range(50)))
            assert answers == list(range(50))
            with pytest.raises(aio.OperationTimeout):
                await conn.execute("select pg_sleep(600)", timeout=0.05)
            task = asyncio.ensure_future(conn.execute("select pg_sleep(600)"))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await conn.execute("listen blind")
            await conn.execute("notify blind, 'x'")
            heard = [notify.payload async for notify in conn.notifies(timeout=10, stop_after=1)]
            assert heard == ["x"]
            assert await conn.fetchval("select 43") == 43

    run(blind, work())


def test_many_connections_of_loops_without_readers(dsn):
    def work():
        loop = Blind()

        async def one(n):
            async with aio.connect(dsn) as conn:
                for i in range(20):
                    assert await conn.fetchval("select %s + %s", (n, i)) == n + i
            return n

        async def all_of_them():
            return await asyncio.gather(*(one(n) for n in range(8)))

        try:
            results.append(run(loop, all_of_them()))
        finally:
            loop.close()

    results = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(50)
    assert results == [list(range(8))] * 3


# ---- what is forgotten ------------------------------------------------------------------------


async def test_a_connection_that_is_forgotten(dsn, loop):
    def sockets():
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the system does not list descriptors")
    conn = await aio.connect(dsn)
    await conn.fetchval("select 1")
    before = sockets()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del conn
        gc.collect()
    assert [each.category for each in caught] == [ResourceWarning]
    assert "was not closed" in str(caught[0].message)
    await asyncio.sleep(0)
    # uvloop has one more for each loop.
    assert sockets() in (before - 1, before - 2)


async def test_a_connection_that_is_forgotten_in_another_thread(dsn):
    holder = [await aio.connect(dsn)]
    reference = asyncio.ensure_future(holder[0].fetchval("select 1"))
    await reference
    del reference

    def forget():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            holder.clear()
            gc.collect()

    await asyncio.get_running_loop().run_in_executor(None, forget)
    # The loop has to forget its socket.
    await asyncio.sleep(0.01)


def test_an_interpreter_that_ends_with_an_open_connection(dsn):
    program = f"""
import asyncio
from psycoxide import aio
async def main():
    global conn, task
    conn = await aio.connect({dsn!r})
    await conn.fetchval("select 1")
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


# ---- other processes --------------------------------------------------------------------------


async def test_a_child_that_ends_leaves_the_loop_alone(dsn, aconn, loop):
    removed = []

    def child():
        for name in ("remove_reader", "remove_writer"):
            setattr(loop.loop, name, removed.append)
        aconn.terminate()
        os._exit(len(removed))

    pid = os.fork()
    if pid == 0:
        child()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert await soon(aconn.fetchval("select 42")) == 42


async def test_a_child_uses_a_connection_that_it_inherits(dsn):
    conn = await aio.connect(dsn)

    def child(parent):
        asyncio.events._set_running_loop(None)
        assert asyncio.run(asyncio.wait_for(conn.fetchval("select 42"), 10)) == 42

    with forked(child):
        pass
    with pytest.raises(psycoxide.InterfaceError):
        await soon(conn.fetchval("select 1"))
    conn.terminate()


# ---- many -------------------------------------------------------------------------------------

MANY = """
import asyncio, gc, os, resource, time
from psycoxide import aio

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def main():
    async def one():
        conn = await aio.connect({dsn!r})
        await conn.fetchval("select 1")
        return conn
    warm = [await one() for _ in range(20)]
    gc.collect()
    before = resident()
    conns = []
    for _ in range(20):
        conns += await asyncio.gather(*(one() for _ in range(50)))
    gc.collect()
    print((resident() - before) // 1000)
    began = time.process_time()
    await asyncio.sleep(1)
    print(int((time.process_time() - began) * 1000))
    for conn in conns + warm:
        await conn.close()
asyncio.run(main())
"""


def test_a_thousand_connections(scripted):
    """Each takes less than 60 kB, and nothing of the processor while it rests."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("the system does not tell how much memory is in use")
    with scripted(answers=lambda sql, session: rows("1")) as server:
        done = subprocess.run(
            [sys.executable, "-c", MANY.format(dsn=server.dsn)],
            capture_output=True,
            text=True,
            timeout=50,
        )
    assert done.returncode == 0, done.stderr
    size, busy = map(int, done.stdout.split())
    print(f"{size} B a connection, {busy} ms of the processor in a second")
    assert size < 60_000
    assert busy < 50
