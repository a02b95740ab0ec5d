# Generated from tests/aio/test_notifications.py by tools/generate_sync.py: do not edit.
"""NOTIFY, LISTEN and `notifies()`."""

from __future__ import annotations

import time
from functools import partial

import pytest
from fixtures.tasks import join, sleep, spawn

import psycoxide
from psycoxide import sync


@pytest.fixture
def listener(dsn):
    """A connection that listens to the channel `news`."""
    with sync.connect(dsn) as conn:
        conn.execute("listen news")
        yield conn


def notify(conn, *payloads):
    for payload in payloads:
        conn.execute("select pg_notify('news', %s)", (payload,))


def payloads(conn, **options):
    return [notify.payload for notify in conn.notifies(**options)]


def test_what_is_in_one(conn, listener):
    notify(conn, "extra")
    for found in listener.notifies(timeout=20, stop_after=1):
        assert (found.channel, found.payload) == ("news", "extra")
        assert found.pid == conn.info.backend_pid


def test_they_wake_the_one_who_waits(conn, listener):
    waiting = spawn(partial(payloads, listener, timeout=20, stop_after=2))
    sleep(0.05)
    notify(conn, "a", "b")
    assert join(waiting) == ["a", "b"]


def test_those_that_came_before(conn, listener):
    notify(conn, "a", "b", "c")
    listener.execute("select 1")
    assert payloads(listener, timeout=0) == ["a", "b", "c"]
    assert payloads(listener, timeout=0) == []


def test_timeout(listener):
    began = time.monotonic()
    assert payloads(listener, timeout=0.05) == []
    assert 0.04 < time.monotonic() - began < 2


def test_own_notifications(listener):
    notify(listener, "mine")
    assert payloads(listener, timeout=20, stop_after=1) == ["mine"]


def test_many(conn, listener):
    conn.execute("select pg_notify('news', g::text) from generate_series(1, 5000) g")
    assert payloads(listener, timeout=20, stop_after=5000) == [str(n) for n in range(1, 5001)]


def test_the_end_of_the_session_is_heard(conn, listener):
    waiting = spawn(partial(payloads, listener))
    sleep(0.05)
    conn.execute("select pg_terminate_backend(%s)", (listener.info.backend_pid,))
    with pytest.raises(psycoxide.OperationalError, match="terminating connection"):
        join(waiting)
    assert listener.broken


def test_on_a_closed_connection(listener):
    listener.close()
    with pytest.raises(psycoxide.InterfaceError):
        payloads(listener, timeout=1)
