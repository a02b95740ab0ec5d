# Generated from tests/aio/test_listener.py by tools/generate_sync.py: do not edit.
"""Listeners: their events, channels, limits and ends."""

from __future__ import annotations

import time
from functools import partial

import pytest
from fixtures.tasks import join, sleep, spawn

import psycoxide
from psycoxide import sync

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
def events(dsn):
    """A listener to the channel `news`, which has told that it listens."""
    with sync.Listener(dsn, ["news"]) as listener:
        assert listener.get(timeout=20) == sync.Listening(gap=False)
        yield listener


def notify(conn, channel, *payloads):
    for payload in payloads:
        conn.execute("select pg_notify(%s, %s)", (channel, payload))


def payload(events):
    return events.get(timeout=20).payload


def test_the_first_event_says_that_it_listens(conn, dsn):
    with sync.Listener(dsn, ["news"]) as events:
        notify(conn, "news", "a", "b")
        seen = []
        for event in events:
            match event:
                case sync.Listening(gap=gap, reason=reason):
                    seen.append((gap, reason))
                case sync.Notify("news", text):
                    seen.append(text)
            if text_of(event) == "b":
                break
        assert seen == [(False, None), "a", "b"]


def text_of(event):
    return getattr(event, "payload", "")


def test_what_is_in_a_notification(conn, events):
    notify(conn, "news", "extra")
    match events.get(timeout=20):
        case sync.Notify(channel, payload, pid):
            assert (channel, payload, pid) == ("news", "extra", conn.info.backend_pid)


def test_many_come_in_order(conn, events):
    conn.execute("select pg_notify('news', g::text) from generate_series(1, 9000) g")
    assert [payload(events) for _ in range(9000)] == [str(n) for n in range(1, 9001)]


def test_they_wake_the_one_who_waits(conn, events):
    waiting = spawn(partial(payload, events))
    sleep(0.05)
    began = time.monotonic()
    notify(conn, "news", "a")
    assert join(waiting) == "a"
    assert time.monotonic() - began < 1


def test_time_limit(events):
    began = time.monotonic()
    assert events.get(timeout=0.05) is None
    assert events.get(timeout=0) is None
    assert 0.04 < time.monotonic() - began < 2


def test_one_after_another_may_iterate(conn, events):
    notify(conn, "news", "a", "b")
    for event in events:
        assert event.payload == "a"
        break
    assert payload(events) == "b"


def test_two_at_a_time_may_not(conn, events):
    waiting = spawn(partial(payload, events))
    sleep(0.05)
    with pytest.raises(psycoxide.ProgrammingError, match="somebody else waits"):
        events.get(timeout=0)
    notify(conn, "news", "a")
    assert join(waiting) == "a"


# ---- channels -----------------------------------------------------------------------------------


def test_any_name(conn, dsn):
    with sync.Listener(dsn, NAMES) as events:
        assert events.channels == NAMES
        events.get(timeout=20)
        for name in NAMES:
            notify(conn, name, name)
            event = events.get(timeout=20)
            assert (event.channel, event.payload) == (name, name)


def test_one_channel_need_not_be_a_list(dsn):
    with sync.Listener(dsn, "news") as events:
        assert events.channels == ["news"]


@pytest.mark.parametrize("name", ["x" * 64, "é" * 32])
def test_a_name_that_the_server_would_cut(dsn, events, name):
    with pytest.raises(psycoxide.ProgrammingError, match="has 64 bytes; 63 are allowed"):
        events.listen(name)
    assert events.channels == ["news"]
    with pytest.raises(psycoxide.ProgrammingError, match="64 bytes"):
        with sync.Listener(dsn, [name]):
            pass


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_is_no_name(dsn, name):
    with pytest.raises(psycoxide.ProgrammingError, match="no channel"):
        sync.Listener(dsn, [name])


def test_a_name_is_a_text(dsn, events):
    with pytest.raises(TypeError):
        events.listen(3)


def test_channels_come_and_go(conn, events):
    events.listen("more")
    notify(conn, "more", "a")
    assert payload(events) == "a"
    notify(conn, "more", "unread")
    events.unlisten("more")
    notify(conn, "more", "unheard")
    notify(conn, "news", "b")
    assert payload(events) == "b"
    assert events.channels == ["news"]


def test_channels_change_while_somebody_waits(conn, events):
    waiting = spawn(partial(payload, events))
    sleep(0.05)
    began = time.monotonic()
    events.listen("more")
    assert time.monotonic() - began < 2
    notify(conn, "more", "a")
    assert join(waiting) == "a"


# ---- a program that is slow ---------------------------------------------------------------------


def flood(conn, count):
    conn.execute(
        "select pg_notify('news', repeat('x', 100) || g) from generate_series(1, %s) g", (count,)
    )


def test_more_than_may_wait_leave_a_gap(conn, dsn):
    with sync.Listener(dsn, ["news"], max_waiting=100) as events:
        events.get(timeout=20)
        flood(conn, 5000)
        events.listen("news")  # What came before has been read then.
        event = events.get(timeout=20)
        assert event.gap
        assert "more than 100 notifications waited" in str(event.reason)
        while events.get(timeout=0.2) is not None:
            pass
        notify(conn, "news", "after")
        assert payload(events) == "after"


def test_as_many_as_may_wait_leave_none(conn, dsn):
    with sync.Listener(dsn, ["news"], max_waiting=100) as events:
        events.get(timeout=20)
        flood(conn, 100)
        events.listen("news")
        for number in range(1, 101):
            assert payload(events) == "x" * 100 + str(number)


def test_a_flood_takes_no_more_memory_than_may_wait(conn, dsn):
    with sync.Listener(dsn, ["news"], max_waiting=50) as events:
        events.get(timeout=20)
        for _ in range(5):
            flood(conn, 4000)
            events.listen("news")
            assert len(events._arrived) <= 51


# ---- the end ------------------------------------------------------------------------------------


def test_the_loop_ends_when_the_listener_is_closed(events):
    def iterate():
        return [event for event in events]

    waiting = spawn(iterate)
    sleep(0.1)
    began = time.monotonic()
    events.close()
    assert join(waiting) == []
    assert time.monotonic() - began < 1
    assert events.closed
    events.close()


def test_after_the_end(events):
    events.close()
    assert [event for event in events] == []
    with pytest.raises(psycoxide.InterfaceError, match="closed"):
        events.get(timeout=1)
    events.listen("more")


def test_before_the_beginning(dsn):
    events = sync.Listener(dsn, ["news"])
    with pytest.raises(psycoxide.InterfaceError, match="not open"):
        events.get(timeout=1)
    events.open()
    assert events.get(timeout=20) == sync.Listening(gap=False)
    with pytest.raises(psycoxide.ProgrammingError, match="opened once"):
        events.open()
    events.close()


def test_while_it_begins(dsn, relay, server):
    """Nobody else makes a connection then."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    network = relay((server.host, server.port))
    network.stall()
    listener = sync.Listener("", "news", **{**server.parameters, **network.options})
    opening = spawn(listener.open)
    sleep(0.1)
    with pytest.raises(psycoxide.InterfaceError, match="not open"):
        listener.get(timeout=0.1)
    network.flow()
    join(opening)
    assert listener.get(timeout=10) == sync.Listening(gap=False)
    assert listener.get(timeout=0.1) is None
    listener.close()


def test_outside_autocommit_mode_nothing_would_be_heard(conn, dsn):
    with sync.Listener(dsn, "news", autocommit=False) as events:
        events.get(timeout=10)
        conn.execute("notify news")
        assert events.get(timeout=10).channel == "news"


def test_over_a_unix_socket(conn, unix_dsn):
    with sync.Listener(unix_dsn, "news", ping_every=0.05) as events:
        events.get(timeout=20)
        assert events.get(timeout=0.2) is None
        notify(conn, "news", "a")
        assert payload(events) == "a"


def test_the_first_attempt_is_the_only_one(dsn):
    for wrong in ({"dbname": "nowhere"}, {"host": "127.0.0.1", "port": 1}):
        began = time.monotonic()
        with pytest.raises(psycoxide.OperationalError):
            with sync.Listener(dsn, ["news"], **wrong):
                pass
        assert time.monotonic() - began < 5


def test_wrong_arguments(dsn):
    with pytest.raises(ValueError, match="max_waiting"):
        sync.Listener(dsn, max_waiting=0)
    with pytest.raises(ValueError, match="retry_min"):
        sync.Listener(dsn, retry_min=3, retry_max=2)
