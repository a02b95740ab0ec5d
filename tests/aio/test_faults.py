"""Networks that break, hang or dawdle, and servers that flood or lie."""

from __future__ import annotations

import contextlib
import time

import pytest
from fixtures.messages import ready, rows
from fixtures.relay import Fault, Plan, Relay
from fixtures.scripted_server import Raw
from fixtures.tasks import ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio

SLOW = "select pg_sleep(600)"
pytestmark = pytest.mark.timeout(25)


@pytest.fixture
def relayed(server, relay):
    """A function that starts a relay before the server, and gives it with what to connect with."""
    if not server.port:
        pytest.skip("the given server's port is not known")

    def start(plan=None):
        found = relay((server.host, server.port), plan)
        options = {**server.parameters, **found.options}
        return found, options

    return start


async def work(options):
    """A bit of everything, with right answers or an error."""
    async with aio.connect(**options) as conn:
        assert await conn.fetch("select generate_series(1, 3)") == [(1,), (2,), (3,)]
        async with conn.transaction():
            await conn.execute("create temporary table t (n integer)")
            async with conn.transaction():
                await conn.execute("insert into t values (1)")
            assert await conn.fetchval("select count(*) from t") == 1
        assert await conn.fetchval("select length(%s)", ("x" * 5000,)) == 5000
    return True


# ---- loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("direction", ["to_client", "to_server"])
async def test_the_connection_is_lost_after_any_byte(relayed, direction, how):
    whole, options = relayed()
    assert await work(options)
    total = len(getattr(whole.connections[0], {"to_client": "received"}.get(direction, "sent")))
    cuts = [*range(40), *range(40, total, 97)]
    found, options = relayed()
    for cut in cuts:
        found.plan = Plan(**{direction: Fault(cut_after=cut, how=how)})
        began = time.monotonic()
        # What is lost at the very end does no harm.
        with contextlib.suppress(psycoxide.OperationalError, psycoxide.InterfaceError):
            await work(options)
            assert cut > total - 200
        assert time.monotonic() - began < 5


async def test_everyone_learns_of_a_loss(relayed):
    found, options = relayed()
    async with aio.connect(**options) as conn:
        waiting = [aspawn(conn.fetchval, "select pg_sleep(5)") for _ in range(3)]
        await asleep(0.05)
        found.kill("rst")
        for each in waiting:
            with pytest.raises((psycoxide.OperationalError, psycoxide.InterfaceError)):
                await ajoin(each)
        assert conn.closed
        assert conn.broken


async def test_loss_inside_a_transaction(relayed):
    found, options = relayed()
    async with aio.connect(**options) as conn:
        with pytest.raises(psycoxide.OperationalError):
            async with conn.transaction():
                await conn.execute("select 1")
                found.kill()
                await conn.execute("select 2")
        with pytest.raises(psycoxide.Error):
            await conn.fetchval("select 1")


async def test_the_servers_last_words_while_nobody_listens(dsn, aconn):
    async with aio.connect(dsn) as idle:
        await aconn.execute("select pg_terminate_backend(%s)", [idle.info.backend_pid])
        await asleep(0.2)
        with pytest.raises(psycoxide.errors.AdminShutdown) as caught:
            await idle.fetchval("select 1")
        assert caught.value.pgcode == "57P01"
        assert idle.broken


# ---- networks that say nothing ----------------------------------------------------------------


async def test_timeout_on_a_network_that_is_silent(relayed):
    found, options = relayed()
    async with aio.connect(**options, cancel_timeout=0.2) as conn:
        found.stall()
        began = time.monotonic()
        with pytest.raises(aio.OperationTimeout):
            await conn.fetchval("select 1", timeout=0.1)
        with pytest.raises(psycoxide.Error):
            await conn.fetchval("select 2", timeout=10)
        assert 0.1 < time.monotonic() - began < 3
        assert conn.closed
        found.flow()


async def test_timeout_of_commit_on_a_network_that_is_silent(relayed):
    found, options = relayed()
    async with aio.connect(**options, command_timeout=0.2) as conn:
        began = time.monotonic()
        with pytest.raises(aio.OperationTimeout):
            async with conn.transaction():
                await conn.execute("select 1")
                found.stall()
        assert time.monotonic() - began < 3
        assert conn.closed
        found.flow()


async def test_close_on_a_network_that_is_silent(relayed):
    found, options = relayed()
    async with aio.connect(**options) as conn:
        await conn.execute("select 1")
        found.stall()
        began = time.monotonic()
        await conn.close()
        assert time.monotonic() - began < 1
    found.flow()


async def test_operation_timeout_on_a_network_that_is_silent(relayed, silent):
    found, options = relayed()
    async with aio.connect(**options, operation_timeout=0.3, cancel_timeout=0.2) as conn:
        found.stall()
        began = time.monotonic()
        with pytest.raises(psycoxide.OperationalError, match="timeout expired"):
            await conn.fetchval("select 1")
        found.flow()
    with pytest.raises(psycoxide.OperationalError, match="timeout expired"):
        await aio.connect(host="127.0.0.1", port=silent, operation_timeout=0.3)
    assert 0.6 < time.monotonic() - began < 5


async def test_the_next_caller_learns_why_it_is_closed(relayed):  # only in aio
    import asyncio

    found, options = relayed()
    async with aio.connect(**options, cancel_timeout=0.1) as conn:
        found.stall()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(conn.execute("select 1"), 0.05)
        while not conn.closed:
            await asyncio.sleep(0.01)
        for _ in range(2):
            with pytest.raises(psycoxide.OperationalError, match="could not be ended in time"):
                await conn.fetchval("select 2")
        found.flow()


async def test_cancellation_on_a_network_that_is_silent(relayed):  # only in aio
    """Whatever was under way: the task ends at once, and the next one is not kept waiting."""
    import asyncio

    async def statement(conn):
        await conn.execute("select 1")

    async def commit(conn):
        async with conn.transaction():
            await conn.execute(stall_after)

    async def block(conn):
        async with conn.transaction(), conn.transaction():
            await conn.execute(stall_after)
            await asyncio.sleep(600)

    async def listen(conn):
        async for _ in conn.notifies():
            pass

    stall_after = "select 'stall'"
    for function in (statement, commit, block, listen):
        found, options = relayed()
        async with aio.connect(**options, cancel_timeout=0.3) as conn:
            if function in (commit, block):
                task = asyncio.ensure_future(function(conn))
                connection = found.connections[0]
                while b"stall" not in connection.received:
                    await asyncio.sleep(0)
                found.stall()
                await asyncio.sleep(0.05)
            else:
                found.stall()
                task = asyncio.ensure_future(function(conn))
                await asyncio.sleep(0.05)
            began = time.monotonic()
            task.cancel()
            await asyncio.wait([task], timeout=5)
            assert task.cancelled(), function.__name__
            limit = 2 if function is commit else 0.2
            assert time.monotonic() - began < limit, function.__name__
            if function is not listen:
                with pytest.raises(psycoxide.Error):
                    await conn.fetchval("select 2")
                assert time.monotonic() - began < 3, function.__name__
                assert conn.closed
            found.flow()


async def test_cancellation_of_a_copy_on_a_network_that_is_silent(relayed):  # only in aio
    """Wherever its block is cancelled: the next one is not kept waiting longer than allowed."""
    import asyncio

    async def write(copy, begins, goes_on):
        async with copy:
            begins.set()
            await copy.write("1\n" * 100)
            # The next call lets other tasks have their turn before it begins.
            time.sleep(0.01)
            if goes_on:
                await copy.write("2\n" * 100_000)
                await asyncio.sleep(600)

    for goes_on in (False, True):
        for turns in (0, 1, 2, 5):
            found, options = relayed()
            async with aio.connect(**options, cancel_timeout=0.3) as conn:
                await conn.execute("create temporary table t (n integer)")
                begins = asyncio.Event()
                copy = conn.copy("copy t from stdin")
                task = asyncio.ensure_future(write(copy, begins, goes_on))
                await begins.wait()
                found.stall()
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                began = time.monotonic()
                # The exception, which is kept, keeps the COPY alive.
                await asyncio.wait([task], timeout=5)
                assert task.cancelled()
                with pytest.raises(psycoxide.OperationalError):
                    await conn.fetchval("select 2", timeout=5)
                assert time.monotonic() - began < 3
                assert conn.closed
                found.flow()


# ---- cancel requests that do not arrive -------------------------------------------------------


class OneWay(Relay):
    """Takes the first connection, and leaves the others alone."""

    def _connection(self, client):
        found = super()._connection(client)
        if self.connections:
            found.run = lambda: None
        return found


async def test_a_cancel_request_that_hangs(server):
    with OneWay((server.host, server.port)) as found:
        options = {**server.parameters, **found.options, "cancel_timeout": 0.2}
        async with aio.connect(**options) as conn:
            began = time.monotonic()
            with pytest.raises(aio.OperationTimeout):
                await conn.execute(SLOW, timeout=0.05)
            with pytest.raises(psycoxide.Error):
                await conn.fetchval("select 1")
            assert time.monotonic() - began < 3
            assert conn.closed


async def test_a_cancel_request_that_is_refused(server):
    with Relay((server.host, server.port)) as found:
        options = {**server.parameters, **found.options}
        async with aio.connect(**options) as conn:
            found.refuse()
            began = time.monotonic()
            with pytest.raises(aio.OperationTimeout):
                await conn.execute(SLOW, timeout=0.05)
            with pytest.raises(psycoxide.Error):
                await conn.fetchval("select 1", timeout=10)
            assert time.monotonic() - began < 7
            assert conn.closed


# ---- servers that are slow, flood or lie ------------------------------------------------------


async def test_more_answers_than_questions(scripted):
    answer = rows("7") + ready()
    with scripted(answers=lambda sql, session: Raw(answer * 2)) as liar:
        async with aio.connect(liar.dsn, command_timeout=5) as conn:
            with pytest.raises((psycoxide.Error, AssertionError)):
                for _ in range(3):
                    assert await conn.fetchval("select 1") == "7"
                    await asleep(0.05)
                raise AssertionError("nobody noticed")


NOTICES = "do $$ begin for i in 1..{} loop raise notice '%', i; end loop; end $$"


async def test_a_flood_leaves_the_loop_its_turns(dsn, aconn):  # only in aio
    import asyncio

    async def beat():
        last = time.monotonic()
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    async with aio.connect(dsn) as other:
        await other.execute("listen flood")
        floods = (
            aconn.execute(NOTICES.format(200_000)),
            aconn.fetch("select g, repeat('x', 50) from generate_series(1, 300000) g"),
            aconn.fetch("select repeat('x', 100000) from generate_series(1, 1000) g"),
            aconn.execute("select pg_notify('flood', g::text) from generate_series(1, 100000) g"),
        )
        for flood in floods:
            gaps = []
            task = asyncio.ensure_future(flood)
            await beat()
            await task
            assert max(gaps) < 0.5
        assert len([None async for _ in other.notifies(timeout=20, stop_after=100_000)]) == 100_000
