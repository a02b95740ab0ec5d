"""Listeners: their events, channels, limits and ends."""

from __future__ import annotations

import time
from functools import partial

import pytest
from fixtures.tasks import ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio

NAMES = [
    "Orders",
    "two words",
    'a "quoted" one',
    "it's",
    "50% off",
    "über",
    "select",
    "x" * 63,
    "é" * 31,
]
pytestmark = pytest.mark.timeout(30)


@pytest.fixture
async def events(dsn):
    """A listener to the channel `news`, which has told that it listens."""
    async with aio.AsyncListener(dsn, ["news"]) as listener:
        assert await listener.get(timeout=20) == aio.Listening(gap=False)
        yield listener


async def notify(conn, channel, *payloads):
    for payload in payloads:
        await conn.execute("select pg_notify(%s, %s)", (channel, payload))


async def payload(events):
    return (await events.get(timeout=20)).payload


async def test_the_first_event_says_that_it_listens(aconn, dsn):
    async with aio.AsyncListener(dsn, ["news"]) as events:
        await notify(aconn, "news", "a", "b")
        seen = []
        async for event in events:
            match event:
                case aio.Listening(gap=gap, reason=reason):
                    seen.append((gap, reason))
                case aio.Notify("news", text):
                    seen.append(text)
            if text_of(event) == "b":
                break
        assert seen == [(False, None), "a", "b"]


def text_of(event):
    return getattr(event, "payload", "")


async def test_what_is_in_a_notification(aconn, events):
    await notify(aconn, "news", "extra")
    match await events.get(timeout=20):
        case aio.Notify(channel, payload, pid):
            assert (channel, payload, pid) == ("news", "extra", aconn.info.backend_pid)


async def test_many_come_in_order(aconn, events):
    await aconn.execute("select pg_notify('news', g::text) from generate_series(1, 9000) g")
    assert [await payload(events) for _ in range(9000)] == [str(n) for n in range(1, 9001)]


async def test_they_wake_the_one_who_waits(aconn, events):
    waiting = aspawn(partial(payload, events))
    await asleep(0.05)
    began = time.monotonic()
    await notify(aconn, "news", "a")
    assert await ajoin(waiting) == "a"
    assert time.monotonic() - began < 1


async def test_time_limit(events):
    began = time.monotonic()
    assert await events.get(timeout=0.05) is None
    assert await events.get(timeout=0) is None
    assert 0.04 < time.monotonic() - began < 2


async def test_one_after_another_may_iterate(aconn, events):
    await notify(aconn, "news", "a", "b")
    async for event in events:
        assert event.payload == "a"
        break
    assert await payload(events) == "b"


async def test_two_at_a_time_may_not(aconn, events):
    waiting = aspawn(partial(payload, events))
    await asleep(0.05)
    with pytest.raises(psycoxide.ProgrammingError, match="somebody else waits"):
        await events.get(timeout=0)
    await notify(aconn, "news", "a")
    assert await ajoin(waiting) == "a"


# ---- channels -----------------------------------------------------------------------------------


async def test_any_name(aconn, dsn):
    async with aio.AsyncListener(dsn, NAMES) as events:
        assert events.channels == NAMES
        await events.get(timeout=20)
        for name in NAMES:
            await notify(aconn, name, name)
            event = await events.get(timeout=20)
            assert (event.channel, event.payload) == (name, name)


async def test_one_channel_need_not_be_a_list(dsn):
    async with aio.AsyncListener(dsn, "news") as events:
        assert events.channels == ["news"]


@pytest.mark.parametrize("name", ["x" * 64, "é" * 32])
async def test_a_name_that_the_server_would_cut(dsn, events, name):
    with pytest.raises(psycoxide.ProgrammingError, match="has 64 bytes; 63 are allowed"):
        await events.listen(name)
    assert events.channels == ["news"]
    with pytest.raises(psycoxide.ProgrammingError, match="64 bytes"):
        async with aio.AsyncListener(dsn, [name]):
            pass


@pytest.mark.parametrize("name", ["", "a\0b"])
async def test_what_is_no_name(dsn, name):
    with pytest.raises(psycoxide.ProgrammingError, match="no channel"):
        aio.AsyncListener(dsn, [name])


async def test_a_name_is_a_text(dsn, events):
    with pytest.raises(TypeError):
        await events.listen(3)


async def test_channels_come_and_go(aconn, events):
    await events.listen("more")
    await notify(aconn, "more", "a")
    assert await payload(events) == "a"
    await notify(aconn, "more", "unread")
    await events.unlisten("more")
    await notify(aconn, "more", "unheard")
    await notify(aconn, "news", "b")
    assert await payload(events) == "b"
    assert events.channels == ["news"]


async def test_channels_change_while_somebody_waits(aconn, events):
    waiting = aspawn(partial(payload, events))
    await asleep(0.05)
    began = time.monotonic()
    await events.listen("more")
    assert time.monotonic() - began < 2
    await notify(aconn, "more", "a")
    assert await ajoin(waiting) == "a"


# ---- a program that is slow ---------------------------------------------------------------------


async def flood(conn, count):
    await conn.execute(
        "select pg_notify('news', repeat('x', 100) || g) from generate_series(1, %s) g", (count,)
    )


async def test_more_than_may_wait_leave_a_gap(aconn, dsn):
    async with aio.AsyncListener(dsn, ["news"], max_waiting=100) as events:
        await events.get(timeout=20)
        await flood(aconn, 5000)
        await events.listen("news")  # What came before has been read then.
        event = await events.get(timeout=20)
        assert event.gap
        assert "more than 100 notifications waited" in str(event.reason)
        while await events.get(timeout=0.2) is not None:
            pass
        await notify(aconn, "news", "after")
        assert await payload(events) == "after"


async def test_as_many_as_may_wait_leave_none(aconn, dsn):
    async with aio.AsyncListener(dsn, ["news"], max_waiting=100) as events:
        await events.get(timeout=20)
        await flood(aconn, 100)
        await events.listen("news")
        for number in range(1, 101):
            assert await payload(events) == "x" * 100 + str(number)


async def test_a_flood_takes_no_more_memory_than_may_wait(aconn, dsn):
    async with aio.AsyncListener(dsn, ["news"], max_waiting=50) as events:
        await events.get(timeout=20)
        for _ in range(5):
            await flood(aconn, 4000)
            await events.listen("news")
            assert len(events._arrived) <= 51


# ---- the end ------------------------------------------------------------------------------------


async def test_the_loop_ends_when_the_listener_is_closed(events):
    async def iterate():
        return [event async for event in events]

    waiting = aspawn(iterate)
    await asleep(0.1)
    began = time.monotonic()
    await events.aclose()
    assert await ajoin(waiting) == []
    assert time.monotonic() - began < 1
    assert events.closed
    await events.aclose()


async def test_after_the_end(events):
    await events.aclose()
    assert [event async for event in events] == []
    with pytest.raises(psycoxide.InterfaceError, match="closed"):
        await events.get(timeout=1)
    await events.listen("more")


async def test_before_the_beginning(dsn):
    events = aio.AsyncListener(dsn, ["news"])
    with pytest.raises(psycoxide.InterfaceError, match="not open"):
        await events.get(timeout=1)
    await events.open()
    assert await events.get(timeout=20) == aio.Listening(gap=False)
    with pytest.raises(psycoxide.ProgrammingError, match="opened once"):
        await events.open()
    await events.aclose()


async def test_while_it_begins(dsn, relay, server):
    """Nobody else makes a connection then."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    network = relay((server.host, server.port))
    network.stall()
    listener = aio.AsyncListener("", "news", **{**server.parameters, **network.options})
    opening = aspawn(listener.open)
    await asleep(0.1)
    with pytest.raises(psycoxide.InterfaceError, match="not open"):
        await listener.get(timeout=0.1)
    network.flow()
    await ajoin(opening)
    assert await listener.get(timeout=10) == aio.Listening(gap=False)
    assert await listener.get(timeout=0.1) is None
    await listener.aclose()


async def test_outside_autocommit_mode_nothing_would_be_heard(aconn, dsn):
    async with aio.AsyncListener(dsn, "news", autocommit=False) as events:
        await events.get(timeout=10)
        await aconn.execute("notify news")
        assert (await events.get(timeout=10)).channel == "news"


async def test_over_a_unix_socket(aconn, unix_dsn):
    async with aio.AsyncListener(unix_dsn, "news", ping_every=0.05) as events:
        await events.get(timeout=20)
        assert await events.get(timeout=0.2) is None
        await notify(aconn, "news", "a")
        assert await payload(events) == "a"


async def test_the_first_attempt_is_the_only_one(dsn):
    for wrong in ({"dbname": "nowhere"}, {"host": "127.0.0.1", "port": 1}):
        began = time.monotonic()
        with pytest.raises(psycoxide.OperationalError):
            async with aio.AsyncListener(dsn, ["news"], **wrong):
                pass
        assert time.monotonic() - began < 5


def test_wrong_arguments(dsn):
    with pytest.raises(ValueError, match="max_waiting"):
        aio.AsyncListener(dsn, max_waiting=0)
    with pytest.raises(ValueError, match="retry_min"):
        aio.AsyncListener(dsn, retry_min=3, retry_max=2)
