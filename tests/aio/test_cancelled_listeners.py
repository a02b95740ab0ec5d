# only in aio: a call that waits itself cannot be cancelled
"""Listeners whose program is cancelled at each of its steps, and whose tasks wait a short time."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from fixtures.steps import AT_ONCE, WAYS, at_each_step, soon

from psycoxide import aio

QUICK = {"retry_min": 0.001, "retry_max": 0.005}
NUMBERS = itertools.count(1)
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=sorted(WAYS))
def way(request):
    return request.param


@pytest.fixture
async def events(dsn):
    async with aio.AsyncListener(dsn, ["steps"], ping_timeout=3, **QUICK) as listener:
        assert await soon(listener.get()) == aio.Listening(gap=False)
        yield listener


def check_cancelled(run):
    """The task ended at once, and as a cancelled one does."""
    if run.was_hit:
        assert run.seconds < AT_ONCE, f"step {run.step}: {run.seconds:.2f} s"
        assert run.was_cancelled or run.error is None, f"step {run.step}: {run.error!r}"
    else:
        assert run.error is None, repr(run.error)


async def notify(aconn):
    """Sends a notification that no other one is like; its payload."""
    payload = str(next(NUMBERS))
    await aconn.execute("select pg_notify('steps', %s)", (payload,))
    return payload


async def test_an_event_is_reported_once(aconn, events, way):
    async def receive():
        sending.append(asyncio.ensure_future(notify(aconn)))
        return await events.get()

    hits = 0
    sending = []
    async for run in at_each_step(way, receive):
        hits += run.was_cancelled
        # A task that was cancelled before its first step has sent nothing.
        expected = [await each for each in sending]
        sending.clear()
        if not expected:
            continue
        if run.result is None:
            run.result = await soon(events.get())
        assert [run.result.payload] == expected
        assert await events.get(timeout=0) is None
    assert hits


async def test_connecting_again(aconn, events, way):
    """Whoever waits for it, the listener goes on to connect."""
    hits = 0

    async def lose():
        events._conn.terminate()
        return await begun()

    async def begun():
        while isinstance(event := await events.get(), aio.Lost):
            pass
        return event

    async for run in at_each_step(way, lose):
        check_cancelled(run)
        hits += run.was_cancelled
        event = run.result or await soon(begun())
        assert event.gap
        payload = await notify(aconn)
        assert (await soon(events.get())).payload == payload
    assert hits


async def test_a_ping(aconn, events, way):
    hits = 0

    async def ping():
        events._heard -= 1000
        return await events.get(timeout=0.01)

    async for run in at_each_step(way, ping):
        check_cancelled(run)
        hits += run.was_cancelled
        payload = await notify(aconn)
        assert (await soon(events.get())).payload == payload
        assert events.connected
    assert hits


async def test_listening_to_another_channel(aconn, events, way):
    hits = 0

    async def switch():
        await events.listen("other")

    async for run in at_each_step(way, switch):
        check_cancelled(run)
        hits += run.was_cancelled
        # Whether it was sent is not known; so it is said again.
        await soon(events.listen("other"))
        await aconn.execute("notify other")
        assert (await soon(events.get())).channel == "other"
        await soon(events.unlisten("other"))
    assert hits


async def test_channels_whose_tasks_were_cancelled(aconn, events):
    """What is in `channels` is listened to."""
    for number in range(20):
        tasks = [asyncio.ensure_future(events.listen(f"c{number}_{each}")) for each in range(3)]
        await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.wait(tasks)
    heard = await events._conn.fetch("select pg_listening_channels()", row_factory=aio.scalar_row)
    assert set(events.channels) <= set(heard)


async def test_opening(aconn, dsn, way):
    hits = 0
    name = "psycoxide opening"

    async def use():
        async with aio.AsyncListener(dsn, "steps", application_name=name) as listener:
            return await listener.get()

    async for run in at_each_step(way, use):
        check_cancelled(run)
        hits += run.was_cancelled
    assert hits
    query = "select count(*) from pg_stat_activity where application_name = %s"
    for _ in range(200):
        if await aconn.fetchval(query, (name,)) == 0:
            return
        await asyncio.sleep(0.02)
    pytest.fail("sessions are left")


async def test_closing_is_not_held_up(aconn, dsn, way):
    async def use():
        listener = aio.AsyncListener(dsn, "steps", **QUICK)
        await listener.open()
        try:
            await listener.get()
            listener._conn.terminate()
            await listener.get()
        finally:
            await listener.aclose()
            assert listener.closed

    async for run in at_each_step(way, use):
        check_cancelled(run)


async def test_wait_for(aconn, events):
    """Tasks that wait for a short time each lose nothing."""
    found = []
    sending = asyncio.ensure_future(
        aconn.execute("select pg_notify('steps', g::text) from generate_series(1, 300) g")
    )
    events._conn.terminate()
    while not found or isinstance(found[-1], aio.Lost):
        try:
            event = await asyncio.wait_for(events.get(), 0.001)
        except asyncio.TimeoutError:
            continue
        found.append(event)
    assert isinstance(found[0], aio.Lost)
    assert found[-1].gap
    await sending
    await aconn.execute("select pg_notify('steps', g::text) from generate_series(1001, 1300) g")
    while not found or getattr(found[-1], "payload", "") != "1300":
        try:
            found.append(await asyncio.wait_for(events.get(), 0.001))
        except asyncio.TimeoutError:
            continue
    payloads = [event.payload for event in found if isinstance(event, aio.Notify)]
    assert payloads[-300:] == [str(number) for number in range(1001, 1301)]
