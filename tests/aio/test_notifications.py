"""NOTIFY, LISTEN and `notifies()`."""

from __future__ import annotations

import time
from functools import partial

import pytest
from fixtures.tasks import agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio


@pytest.fixture
async def listener(dsn):
    """A connection that listens to the channel `news`."""
    async with aio.connect(dsn) as conn:
        await conn.execute("listen news")
        yield conn


async def notify(conn, *payloads):
    for payload in payloads:
        await conn.execute("select pg_notify('news', %s)", (payload,))


async def payloads(conn, **options):
    return [notify.payload async for notify in conn.notifies(**options)]


async def test_what_is_in_one(aconn, listener):
    await notify(aconn, "extra")
    async for found in listener.notifies(timeout=20, stop_after=1):
        assert (found.channel, found.payload) == ("news", "extra")
        assert found.pid == aconn.info.backend_pid


async def test_they_wake_the_one_who_waits(aconn, listener):
    waiting = aspawn(partial(payloads, listener, timeout=20, stop_after=2))
    await asleep(0.05)
    await notify(aconn, "a", "b")
    assert await ajoin(waiting) == ["a", "b"]


async def test_those_that_came_before(aconn, listener):
    await notify(aconn, "a", "b", "c")
    await listener.execute("select 1")
    assert await payloads(listener, timeout=0) == ["a", "b", "c"]
    assert await payloads(listener, timeout=0) == []


async def test_timeout(listener):
    began = time.monotonic()
    assert await payloads(listener, timeout=0.05) == []
    assert 0.04 < time.monotonic() - began < 2


async def test_own_notifications(listener):
    await notify(listener, "mine")
    assert await payloads(listener, timeout=20, stop_after=1) == ["mine"]


async def test_many(aconn, listener):
    await aconn.execute("select pg_notify('news', g::text) from generate_series(1, 5000) g")
    assert await payloads(listener, timeout=20, stop_after=5000) == [str(n) for n in range(1, 5001)]


async def test_others_use_the_connection_meanwhile(aconn, listener):  # only in aio
    waiting = aspawn(partial(payloads, listener, timeout=20, stop_after=1))
    answers = await agather(*(partial(listener.fetchval, "select %s", (n,)) for n in range(20)))
    assert answers == list(range(20))
    await notify(aconn, "end")
    assert await ajoin(waiting) == ["end"]


async def test_the_end_of_the_session_is_heard(aconn, listener):
    waiting = aspawn(partial(payloads, listener))
    await asleep(0.05)
    await aconn.execute("select pg_terminate_backend(%s)", (listener.info.backend_pid,))
    with pytest.raises(psycoxide.OperationalError, match="terminating connection"):
        await ajoin(waiting)
    assert listener.broken


async def test_close_is_heard(listener):  # only in aio
    waiting = aspawn(partial(payloads, listener))
    await asleep(0.02)
    await listener.close()
    with pytest.raises(psycoxide.InterfaceError):
        await ajoin(waiting)


async def test_on_a_closed_connection(listener):
    await listener.close()
    with pytest.raises(psycoxide.InterfaceError):
        await payloads(listener, timeout=1)


async def test_a_listener_leaves_a_large_statement_its_room(aconn):  # only in aio
    """The statement is still being sent when the wait for notifications begins."""
    import asyncio

    await aconn.execute("listen beside")
    sending = asyncio.ensure_future(aconn.fetchval("select length(%s)", ("x" * 60_000_000,)))
    await asyncio.sleep(0)
    arrived = [notify async for notify in aconn.notifies(timeout=0.05)]
    assert await asyncio.wait_for(sending, 30) == 60_000_000
    assert not arrived
