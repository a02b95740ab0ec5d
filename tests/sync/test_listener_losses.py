# Generated from tests/aio/test_listener_losses.py by tools/generate_sync.py: do not edit.
"""Listeners whose connection is lost: they connect again, and say that there is a gap."""

from __future__ import annotations

import logging
import time
from functools import partial

import pytest
from fixtures import clusters
from fixtures.tasks import join, sleep, spawn

import psycoxide
from psycoxide import sync

QUICK = {"retry_min": 0.01, "retry_max": 0.05}
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def relayed(server, relay):
    """A relay before the server, and what to connect with."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    return found, {**server.parameters, **found.options}


def pids(conn, channel):
    """The processes of the server that listen to a channel."""
    found = conn.fetch(
        "select pid from pg_stat_activity where query like %s", (f'LISTEN "{channel}"%',)
    )
    return [pid for (pid,) in found]


def end_session(conn, channel):
    for pid in pids(conn, channel):
        conn.execute("select pg_terminate_backend(%s)", (pid,))


def next_event(events):
    """The next event that is not about a loss."""
    while isinstance(event := events.get(timeout=20), sync.Lost):
        pass
    return event


def next_loss(events):
    event = events.get(timeout=20)
    assert isinstance(event, sync.Lost)
    return event


def test_a_session_that_an_administrator_ends(conn, dsn, caplog):
    with sync.Listener(dsn, ["ended", "also"], **QUICK) as events:
        assert next_event(events) == sync.Listening(gap=False)
        waiting = spawn(partial(next_event, events))
        sleep(0.05)
        end_session(conn, "ended")
        event = join(waiting)
        assert event.gap
        assert "terminating connection due to administrator command" in str(event.reason)
        assert "terminating connection due to administrator command" in caplog.text
        for channel in ("ended", "also"):
            conn.execute("select pg_notify(%s, 'x')", (channel,))
            assert next_event(events).channel == channel


def test_what_came_before_the_loss_is_reported_before_the_gap(conn, dsn):
    with sync.Listener(dsn, ["before"], **QUICK) as events:
        next_event(events)
        conn.execute("select pg_notify('before', g::text) from generate_series(1, 3) g")
        sleep(0.1)
        end_session(conn, "before")
        sleep(0.1)
        found = [events.get(timeout=20) for _ in range(5)]
        assert [event.payload for event in found[:3]] == ["1", "2", "3"]
        assert isinstance(found[3], sync.Lost)
        assert found[4] == sync.Listening(gap=True, reason=found[3].reason)


def test_a_loss_is_reported_at_once_and_each_attempt_that_fails(conn, relayed):
    found, options = relayed
    with sync.Listener("", ["told"], **options, **QUICK) as events:
        next_event(events)
        waiting = spawn(partial(next_loss, events))
        sleep(0.05)
        found.cut()
        assert join(waiting).attempts == 0
        for attempts in range(1, 4):
            loss = next_loss(events)
            assert loss.attempts == attempts
            assert "refused" in str(loss.reason)
        found.restore()
        assert next_event(events).gap
        conn.execute("notify told")
        assert next_event(events).channel == "told"


def test_again_and_again(conn, dsn):
    with sync.Listener(dsn, ["often"], **QUICK) as events:
        assert not next_event(events).gap
        for _ in range(10):
            end_session(conn, "often")
            assert next_event(events).gap
            conn.execute("notify often")
            assert next_event(events).channel == "often"


def test_channels_that_change_while_there_is_no_connection(conn, relayed):
    found, options = relayed
    with sync.Listener("", ["old"], **options, **QUICK) as events:
        next_event(events)
        found.cut()
        assert next_loss(events).attempts == 0
        assert not events.connected
        events.listen("new")
        events.unlisten("old")
        found.restore()
        assert next_event(events).gap
        assert events.connected
        conn.execute("notify old")
        conn.execute("notify new")
        assert next_event(events).channel == "new"


def test_giving_up(relayed):
    found, options = relayed
    with sync.Listener("", "news", give_up_after=0.3, **options, **QUICK) as events:
        next_event(events)
        found.cut()
        began = time.monotonic()
        with pytest.raises(psycoxide.OperationalError, match="refused"):
            next_event(events)
        assert 0.2 < time.monotonic() - began < 3
        assert events.closed
        assert [event for event in events] == []


def test_short_waits_do_not_keep_it_from_connecting(relayed):
    """Each attempt takes longer than the program waits."""
    found, options = relayed
    with sync.Listener("", "news", **options, **QUICK) as events:
        next_event(events)
        found.kill()
        for _ in range(2000):
            event = events.get(timeout=0.001)
            if isinstance(event, sync.Listening):
                break
        assert event.gap


def test_closing_while_it_tries(relayed):
    found, options = relayed
    with sync.Listener("", "news", retry_min=20, **options) as events:
        next_event(events)
        found.cut()
        next_loss(events)
        waiting = spawn(next, events, None)
        sleep(0.2)
        began = time.monotonic()
        events.close()
        assert join(waiting) is None
        assert time.monotonic() - began < 1


def test_no_attempt_comes_at_once(relayed):
    """There is a pause before each, so that a server that is restarted is not stormed."""
    found, options = relayed
    with sync.Listener("", "news", **options, retry_min=0.2, retry_max=0.2) as events:
        next_event(events)
        found.kill()
        next_loss(events)
        assert events.get(timeout=0.05) is None
        assert events.get(timeout=20).gap


# ---- networks that say nothing ------------------------------------------------------------------


def test_a_network_that_falls_silent(conn, relayed, caplog):
    found, options = relayed
    quick = {"ping_every": 0.2, "ping_timeout": 0.3, **QUICK}
    with sync.Listener("", "silent", **options, **quick) as events:
        next_event(events)
        found.stall()
        began = time.monotonic()
        waiting = spawn(partial(next_event, events))
        while "is lost" not in caplog.text:
            sleep(0.01)
            assert time.monotonic() - began < 5
        found.flow()
        event = join(waiting)
        assert event.gap
        assert "has not answered for 0.3 seconds" in str(event.reason)
        # On a busy machine it may be late with an answer again.
        while isinstance(event, sync.Listening):
            conn.execute("notify silent")
            event = next_event(events)
        assert event.channel == "silent"


def test_pings_leave_no_trace(conn, dsn):
    with sync.Listener(dsn, "pinged", ping_every=0.05) as events:
        next_event(events)
        (pid,) = pids(conn, "pinged")
        assert events.get(timeout=0.5) is None
        query = "select query, state from pg_stat_activity where pid = %s"
        assert conn.fetchrow(query, (pid,)) == ('LISTEN "pinged"', "idle")
        assert pids(conn, "pinged") == [pid]


def test_without_pings(conn, dsn):
    with sync.Listener(dsn, "quiet", ping_every=None) as events:
        next_event(events)
        waiting = spawn(partial(next_event, events))
        sleep(0.1)
        conn.execute("notify quiet")
        assert join(waiting).channel == "quiet"


# ---- servers of the test's own ------------------------------------------------------------------


@pytest.fixture(scope="module")
def primary():
    with clusters.fresh() as found:
        yield found


def test_a_server_that_is_restarted(primary, caplog):
    dsn = primary.server.dsn
    with sync.Listener(dsn, "restarted", **QUICK) as events:
        next_event(events)
        primary.restart()
        event = next_event(events)
        assert event.gap
        assert "terminating connection" in str(event.reason)
        with sync.connect(dsn) as conn:
            conn.execute("notify restarted")
        assert next_event(events).channel == "restarted"


def test_a_server_that_is_away_for_a_while(primary, caplog):
    caplog.set_level(logging.INFO, "psycoxide.listener")
    with sync.Listener(primary.server.dsn, "away", **QUICK) as events:
        next_event(events)
        primary.stop()
        try:
            while next_loss(events).attempts < 2:
                pass
        finally:
            primary.resume()
        assert next_event(events).gap
        texts = [record.getMessage().partition(":")[0] for record in caplog.records]
        assert texts[0] == "the connection is lost"
        assert "cannot connect" in texts
        assert texts[-1] == "connected again"


def test_a_standby_refuses_at_once(primary):
    with clusters.standby_of(primary) as standby:
        began = time.monotonic()
        with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction, match="during recovery"):
            with sync.Listener(standby.server.dsn, "news"):
                pass
        assert time.monotonic() - began < 5
