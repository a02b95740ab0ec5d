"""Listeners whose connection is lost: they connect again, and say that there is a gap."""

from __future__ import annotations

import logging
import time
from functools import partial

import pytest
from fixtures import clusters
from fixtures.tasks import ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio

QUICK = {"retry_min": 0.01, "retry_max": 0.05}
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def relayed(server, relay):
    """A relay before the server, and what to connect with."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    return found, {**server.parameters, **found.options}


async def pids(conn, channel):
    """The processes of the server that listen to a channel."""
    found = await conn.fetch(
        "select pid from pg_stat_activity where query like %s", (f'LISTEN "{channel}"%',)
    )
    return [pid for (pid,) in found]


async def end_session(conn, channel):
    for pid in await pids(conn, channel):
        await conn.execute("select pg_terminate_backend(%s)", (pid,))


async def next_event(events):
    """The next event that is not about a loss."""
    while isinstance(event := await events.get(timeout=20), aio.Lost):
        pass
    return event


async def next_loss(events):
    event = await events.get(timeout=20)
    assert isinstance(event, aio.Lost)
    return event


async def test_a_session_that_an_administrator_ends(aconn, dsn, caplog):
    async with aio.AsyncListener(dsn, ["ended", "also"], **QUICK) as events:
        assert await next_event(events) == aio.Listening(gap=False)
        waiting = aspawn(partial(next_event, events))
        await asleep(0.05)
        await end_session(aconn, "ended")
        event = await ajoin(waiting)
        assert event.gap
        assert "terminating connection due to administrator command" in str(event.reason)
        assert "terminating connection due to administrator command" in caplog.text
        for channel in ("ended", "also"):
            await aconn.execute("select pg_notify(%s, 'x')", (channel,))
            assert (await next_event(events)).channel == channel


async def test_what_came_before_the_loss_is_reported_before_the_gap(aconn, dsn):
    async with aio.AsyncListener(dsn, ["before"], **QUICK) as events:
        await next_event(events)
        await aconn.execute("select pg_notify('before', g::text) from generate_series(1, 3) g")
        await asleep(0.1)
        await end_session(aconn, "before")
        await asleep(0.1)
        found = [await events.get(timeout=20) for _ in range(5)]
        assert [event.payload for event in found[:3]] == ["1", "2", "3"]
        assert isinstance(found[3], aio.Lost)
        assert found[4] == aio.Listening(gap=True, reason=found[3].reason)


async def test_a_loss_is_reported_at_once_and_each_attempt_that_fails(aconn, relayed):
    found, options = relayed
    async with aio.AsyncListener("", ["told"], **options, **QUICK) as events:
        await next_event(events)
        waiting = aspawn(partial(next_loss, events))
        await asleep(0.05)
        found.cut()
        assert (await ajoin(waiting)).attempts == 0
        for attempts in range(1, 4):
            loss = await next_loss(events)
            assert loss.attempts == attempts
            assert "refused" in str(loss.reason)
        found.restore()
        assert (await next_event(events)).gap
        await aconn.execute("notify told")
        assert (await next_event(events)).channel == "told"


async def test_again_and_again(aconn, dsn):
    async with aio.AsyncListener(dsn, ["often"], **QUICK) as events:
        assert not (await next_event(events)).gap
        for _ in range(10):
            await end_session(aconn, "often")
            assert (await next_event(events)).gap
            await aconn.execute("notify often")
            assert (await next_event(events)).channel == "often"


async def test_channels_that_change_while_there_is_no_connection(aconn, relayed):
    found, options = relayed
    async with aio.AsyncListener("", ["old"], **options, **QUICK) as events:
        await next_event(events)
        found.cut()
        assert (await next_loss(events)).attempts == 0
        assert not events.connected
        await events.listen("new")
        await events.unlisten("old")
        found.restore()
        assert (await next_event(events)).gap
        assert events.connected
        await aconn.execute("notify old")
        await aconn.execute("notify new")
        assert (await next_event(events)).channel == "new"


async def test_giving_up(relayed):
    found, options = relayed
    async with aio.AsyncListener("", "news", give_up_after=0.3, **options, **QUICK) as events:
        await next_event(events)
        found.cut()
        began = time.monotonic()
        with pytest.raises(psycoxide.OperationalError, match="refused"):
            await next_event(events)
        assert 0.2 < time.monotonic() - began < 3
        assert events.closed
        assert [event async for event in events] == []


async def test_short_waits_do_not_keep_it_from_connecting(relayed):
    """Each attempt takes longer than the program waits."""
    found, options = relayed
    async with aio.AsyncListener("", "news", **options, **QUICK) as events:
        await next_event(events)
        found.kill()
        for _ in range(2000):
            event = await events.get(timeout=0.001)
            if isinstance(event, aio.Listening):
                break
        assert event.gap


async def test_closing_while_it_tries(relayed):
    found, options = relayed
    async with aio.AsyncListener("", "news", retry_min=20, **options) as events:
        await next_event(events)
        found.cut()
        await next_loss(events)
        waiting = aspawn(anext, events, None)
        await asleep(0.2)
        began = time.monotonic()
        await events.aclose()
        assert await ajoin(waiting) is None
        assert time.monotonic() - began < 1


async def test_no_attempt_comes_at_once(relayed):
    """There is a pause before each, so that a server that is restarted is not stormed."""
    found, options = relayed
    async with aio.AsyncListener("", "news", **options, retry_min=0.2, retry_max=0.2) as events:
        await next_event(events)
        found.kill()
        await next_loss(events)
        assert await events.get(timeout=0.05) is None
        assert (await events.get(timeout=20)).gap


# ---- networks that say nothing ------------------------------------------------------------------


async def test_a_network_that_falls_silent(aconn, relayed, caplog):
    found, options = relayed
    quick = {"ping_every": 0.2, "ping_timeout": 0.3, **QUICK}
    async with aio.AsyncListener("", "silent", **options, **quick) as events:
        await next_event(events)
        found.stall()
        began = time.monotonic()
        waiting = aspawn(partial(next_event, events))
        while "is lost" not in caplog.text:
            await asleep(0.01)
            assert time.monotonic() - began < 5
        found.flow()
        event = await ajoin(waiting)
        assert event.gap
        assert "has not answered for 0.3 seconds" in str(event.reason)
        # On a busy machine it may be late with an answer again.
        while isinstance(event, aio.Listening):
            await aconn.execute("notify silent")
            event = await next_event(events)
        assert event.channel == "silent"


async def test_pings_leave_no_trace(aconn, dsn):
    async with aio.AsyncListener(dsn, "pinged", ping_every=0.05) as events:
        await next_event(events)
        (pid,) = await pids(aconn, "pinged")
        assert await events.get(timeout=0.5) is None
        query = "select query, state from pg_stat_activity where pid = %s"
        assert await aconn.fetchrow(query, (pid,)) == ('LISTEN "pinged"', "idle")
        assert await pids(aconn, "pinged") == [pid]


async def test_without_pings(aconn, dsn):
    async with aio.AsyncListener(dsn, "quiet", ping_every=None) as events:
        await next_event(events)
        waiting = aspawn(partial(next_event, events))
        await asleep(0.1)
        await aconn.execute("notify quiet")
        assert (await ajoin(waiting)).channel == "quiet"


# ---- servers of the test's own ------------------------------------------------------------------


@pytest.fixture(scope="module")
def primary():
    with clusters.fresh() as found:
        yield found


async def test_a_server_that_is_restarted(primary, caplog):
    dsn = primary.server.dsn
    async with aio.AsyncListener(dsn, "restarted", **QUICK) as events:
        await next_event(events)
        primary.restart()
        event = await next_event(events)
        assert event.gap
        assert "terminating connection" in str(event.reason)
        async with aio.connect(dsn) as conn:
            await conn.execute("notify restarted")
        assert (await next_event(events)).channel == "restarted"


async def test_a_server_that_is_away_for_a_while(primary, caplog):
    caplog.set_level(logging.INFO, "psycoxide.listener")
    async with aio.AsyncListener(primary.server.dsn, "away", **QUICK) as events:
        await next_event(events)
        primary.stop()
        try:
            while (await next_loss(events)).attempts < 2:
                pass
        finally:
            primary.resume()
        assert (await next_event(events)).gap
        texts = [record.getMessage().partition(":")[0] for record in caplog.records]
        assert texts[0] == "the connection is lost"
        assert "cannot connect" in texts
        assert texts[-1] == "connected again"


async def test_a_standby_refuses_at_once(primary):
    with clusters.standby_of(primary) as standby:
        began = time.monotonic()
        with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction, match="during recovery"):
            async with aio.AsyncListener(standby.server.dsn, "news"):
                pass
        assert time.monotonic() - began < 5
