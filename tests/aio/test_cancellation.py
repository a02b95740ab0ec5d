# only in aio: a call that waits itself cannot be cancelled
"""The ways in which tasks are cancelled, and what becomes of the statement and the connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from fixtures.steps import AT_ONCE, soon

import psycoxide
from psycoxide import aio

SLOW = "select pg_sleep(600)"

needs_timeout = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio.timeout and TaskGroup came with Python 3.11"
)


@contextlib.asynccontextmanager
async def at_once(conn):
    """The block ends at once, and the connection is usable after it."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < AT_ONCE
    assert await soon(conn.fetchval("select 42")) == 42
    assert conn.info.transaction_status == 0


# ---- the ways ---------------------------------------------------------------------------------


async def test_wait_for(aconn):
    async with at_once(aconn):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(aconn.execute(SLOW), 0.02)


@needs_timeout
async def test_asyncio_timeout(aconn):
    async with at_once(aconn):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                async with aconn.transaction():
                    await aconn.execute("select 1")
                    await aconn.execute(SLOW)


@needs_timeout
async def test_a_task_group_whose_member_fails(aconn):
    async def fail():
        await asyncio.sleep(0.02)
        raise KeyError

    async with at_once(aconn):
        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
            async with asyncio.TaskGroup() as group:
                group.create_task(aconn.execute(SLOW))
                group.create_task(aconn.execute(SLOW))
                group.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [KeyError]


@needs_timeout
async def test_a_task_group_in_a_transaction(aconn):
    await aconn.execute("create temporary table t (n integer)")
    with pytest.raises(ExceptionGroup):  # noqa: F821
        async with aconn.transaction(), asyncio.TaskGroup() as group:
            group.create_task(aconn.execute("insert into t values (1)"))
            group.create_task(aconn.execute(SLOW))
            group.create_task(aconn.execute("insert into nowhere values (1)"))
            await asyncio.sleep(0.02)
            raise KeyError
    assert await soon(aconn.fetchval("select count(*) from t")) == 0


async def test_shield(aconn):
    inner = asyncio.ensure_future(aconn.fetchval("select 7 from pg_sleep(0.05)"))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(inner), 0.01)
    assert await inner == 7


async def test_a_coroutine_that_is_closed(aconn):
    coroutine = aconn.execute(SLOW)
    coroutine.send(None)
    async with at_once(aconn):
        coroutine.close()


async def test_a_block_whose_coroutine_is_closed(aconn):
    async def block():
        async with aconn.transaction():
            await aconn.execute(SLOW)

    coroutine = block()
    coroutine.send(None)
    coroutine.close()
    # It could not wait for the ROLLBACK.
    assert aconn.closed


async def test_cancelled_before_it_began(aconn):
    task = asyncio.ensure_future(aconn.execute(SLOW))
    task.cancel()
    async with at_once(aconn):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_cancelled_again_and_again(aconn):
    async def block():
        async with aconn.transaction():
            await aconn.execute(SLOW)

    task = asyncio.ensure_future(block())
    await asyncio.sleep(0.01)
    async with at_once(aconn):
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)


@pytest.fixture
def anyio(loop):
    if loop.kind == "uvloop" and sys.version_info >= (3, 15):
        pytest.skip("anyio does not know this loop yet")
    return pytest.importorskip("anyio")


async def test_an_anyio_scope_that_is_left_late(aconn, anyio):
    async with at_once(aconn):
        with pytest.raises(TimeoutError), anyio.fail_after(0.02):
            async with aconn.transaction():
                await aconn.execute("select 1")
                await aconn.execute(SLOW)


async def test_an_anyio_scope_around_everything(aconn, anyio):
    """It cancels each await again, that of ROLLBACK, too."""
    async with at_once(aconn):
        with anyio.move_on_after(0.02) as scope:
            async with aconn.transaction(), aconn.transaction():
                await aconn.execute("select 1")
                await aconn.execute(SLOW)
        assert scope.cancel_called


async def test_an_anyio_task_group(aconn, anyio):
    async with at_once(aconn), anyio.create_task_group() as group:
        group.start_soon(aconn.execute, SLOW)
        group.start_soon(aconn.execute, SLOW)
        await anyio.sleep(0.02)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("where", ["execute(SLOW)", "notifies().__anext__()"])
async def test_keyboard_interrupt(dsn, where):
    program = f"""
import asyncio
from psycoxide import aio
SLOW = {SLOW!r}
async def main():
    async with aio.connect({dsn!r}) as conn:
        async with conn.transaction():
            await conn.execute("select 1")
            print("ready", flush=True)
            try:
                await conn.{where}
            finally:
                print("left", flush=True)
asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    output, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert output == "left\n"
    assert "KeyboardInterrupt" in errors
    assert "ResourceWarning" not in errors
    assert process.returncode != 0


# ---- what becomes of statements ---------------------------------------------------------------


async def test_the_statement_ends_on_the_server(dsn, aconn):
    async with aio.connect(dsn) as other:
        with pytest.raises(aio.OperationTimeout):
            await other.execute(SLOW, timeout=0.02)
        query = "select count(*) from pg_stat_activity where pid = %s and state = 'active'"
        for _ in range(100):
            if not await aconn.fetchval(query, (other.info.backend_pid,)):
                return
            await asyncio.sleep(0.02)
        pytest.fail("it still runs")


async def test_a_statement_that_was_not_sent_is_not_run(aconn):
    await aconn.execute("create temporary table t (n integer)")
    # No other statement is sent while this one runs: it may change how text is read.
    slow = asyncio.ensure_future(aconn.execute("select pg_sleep(0.05); select 1"))
    await asyncio.sleep(0.01)
    waiting = asyncio.ensure_future(aconn.execute("insert into t values (1)"))
    await asyncio.sleep(0)
    waiting.cancel()
    await slow
    assert await aconn.fetchval("select count(*) from t") == 0
    assert waiting.cancelled()


async def test_no_statement_behind_a_cancelled_one_is_hit(aconn):
    """The cancel request may come when the next statement runs: that one is run again."""
    await aconn.execute("create temporary table t (n integer)")
    rounds = 60
    for n in range(rounds):
        first = asyncio.ensure_future(aconn.execute("select pg_sleep(0.002)"))
        second = asyncio.ensure_future(
            aconn.fetchval(f"insert into t select {n} from pg_sleep(0.01) returning n")
        )
        third = asyncio.ensure_future(aconn.fetchval(f"select {n} from pg_sleep(0)"))
        await asyncio.sleep(0.0005 + n * 0.00005)
        first.cancel()
        assert await soon(second) == n
        assert await soon(third) == n
        await asyncio.wait([first])
    assert await aconn.fetchval("select count(*) from t") == rounds


async def test_cancel_of_a_statement(aconn):
    task = asyncio.ensure_future(aconn.execute(SLOW))
    await asyncio.sleep(0.02)
    await soon(aconn.cancel())
    with pytest.raises(psycoxide.errors.QueryCanceled):
        await soon(task)
    await aconn.cancel()
    assert await soon(aconn.fetchval("select 42")) == 42


async def test_a_statement_that_cannot_be_cancelled(dsn):
    """The server does not end it in time: the connection is closed, and the task is long gone."""
    stubborn = """
        do $$ begin
            loop
                begin perform pg_sleep(0.2); exception when query_canceled then null; end;
            end loop;
        end $$
    """
    async with aio.connect(dsn, cancel_timeout=0.2) as conn:
        pid = conn.info.backend_pid
        began = time.monotonic()
        with pytest.raises(aio.OperationTimeout):
            await conn.execute(stubborn, timeout=0.05)
        assert time.monotonic() - began < 0.2 + AT_ONCE
        with pytest.raises(psycoxide.OperationalError, match="could not be ended in time"):
            await soon(conn.fetchval("select 1"))
        assert conn.broken
    async with aio.connect(dsn) as other:
        await other.execute("select pg_terminate_backend(%s)", (pid,))


async def test_the_time_limit_of_commit(dsn, aconn):
    """What became of it is not known: the connection is closed."""
    table = f"slow_commit_{os.getpid()}"
    await aconn.execute(
        f"""
        create table {table} (n integer);
        create function {table}() returns trigger language plpgsql as
            $$ begin perform pg_sleep(5); return null; end $$;
        create constraint trigger slow after insert on {table} deferrable initially deferred
            for each row execute function {table}()
        """
    )
    try:
        for limits in ({"command_timeout": 0.1}, {"cancel_timeout": 0.1}):
            async with aio.connect(dsn, **limits) as conn:

                async def block(conn=conn):
                    async with conn.transaction():
                        await conn.execute(f"insert into {table} values (1)")

                task = asyncio.ensure_future(block())
                await asyncio.sleep(0.05)
                if "cancel_timeout" in limits:
                    task.cancel()
                began = time.monotonic()
                await asyncio.wait([task])
                assert time.monotonic() - began < 0.1 + AT_ONCE
                assert task.cancelled() or isinstance(task.exception(), aio.OperationTimeout)
                assert conn.broken
            assert await aconn.fetchval(f"select count(*) from {table}") == 0
    finally:
        await aconn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where query = 'COMMIT'"
        )
        await aconn.execute(f"drop table {table}; drop function {table}")
