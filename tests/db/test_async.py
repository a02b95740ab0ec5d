"""Asynchronous connections and the wait callback."""

from __future__ import annotations

import select
import time

import pytest

import psycoxide
from psycoxide import extensions
from psycoxide.extras import wait_select


@pytest.fixture
def aconn(dsn):
    conn = psycoxide.connect(dsn, async_=1)
    wait_select(conn)
    yield conn
    conn.close()


def test_connects_by_polling(dsn):
    conn = psycoxide.connect(dsn, async_=True)
    assert conn.async_ == 1
    with pytest.raises(psycoxide.OperationalError, match="underway"):
        conn.cursor()
    states = set()
    while True:
        state = conn.poll()
        states.add(state)
        if state == extensions.POLL_OK:
            break
        lists = ([conn], []) if state == extensions.POLL_READ else ([], [conn])
        select.select(*lists, [], 10)
    assert extensions.POLL_READ in states
    assert conn.status == extensions.STATUS_READY
    assert conn.autocommit is True
    conn.close()


def test_failure_comes_from_poll(dsn):
    conn = psycoxide.connect(dsn, dbname="no_such_database", async_=1)
    with pytest.raises(psycoxide.OperationalError, match="no_such_database"):
        wait_select(conn)


def test_query(aconn):
    cur = aconn.cursor()
    cur.execute("select pg_sleep(0.1), 42")
    assert aconn.isexecuting()
    with pytest.raises(psycoxide.ProgrammingError, match="underway"):
        cur.execute("select 1")
    with pytest.raises(psycoxide.ProgrammingError, match="no results to fetch"):
        cur.fetchone()
    wait_select(aconn)
    assert not aconn.isexecuting()
    assert cur.fetchone() == ("", 42)
    cur.execute("selecte")
    with pytest.raises(psycoxide.errors.SyntaxError):
        wait_select(aconn)
    cur.execute("select generate_series(1, 100000)")
    wait_select(aconn)
    assert len(cur.fetchall()) == 100000


# Rows of long fields, which arrive over a second or so.
SLOW_ROWS = "select repeat('x', 4000), pg_sleep(0.002) from generate_series(1, 300)"


def test_poll_does_not_wait_for_long_rows(aconn):
    cur = aconn.cursor()
    cur.execute(SLOW_ROWS)
    polls = 0
    while aconn.poll() != extensions.POLL_OK:
        polls += 1
        select.select([aconn], [], [], 10)
    assert polls > 20
    assert len(cur.fetchall()) == 300


def test_many_at_once(dsn):
    conns = [psycoxide.connect(dsn, async_=1) for _ in range(5)]
    for conn in conns:
        wait_select(conn)
    started = time.monotonic()
    cursors = [conn.cursor() for conn in conns]
    for cur in cursors:
        cur.execute("select pg_sleep(0.5), 1")
    for conn in conns:
        wait_select(conn)
    assert [cur.fetchone()[1] for cur in cursors] == [1] * 5
    assert time.monotonic() - started < 2.2
    for conn in conns:
        conn.close()


def test_refusals(aconn):
    cur = aconn.cursor()
    for call in (
        aconn.commit,
        aconn.rollback,
        aconn.reset,
        aconn.set_session,
        lambda: aconn.set_isolation_level(1),
        lambda: aconn.set_client_encoding("latin1"),
        lambda: aconn.cursor("named"),
        lambda: cur.executemany("select 1", []),
        lambda: setattr(aconn, "autocommit", True),
    ):
        with pytest.raises(psycoxide.ProgrammingError, match="asynchronous"):
            call()
    cur.execute("copy (select 1) to stdout")
    with pytest.raises(psycoxide.ProgrammingError, match="COPY TO"):
        wait_select(aconn)
    assert cur.statusmessage == ""
    cur.execute("select 2")
    wait_select(aconn)
    assert cur.fetchone() == (2,)


def test_dropped_cursor(aconn):
    aconn.cursor().execute("select 1")
    with pytest.raises(psycoxide.InterfaceError, match="disappeared"):
        wait_select(aconn)


def test_notifications_by_select(dsn, aconn):
    cur = aconn.cursor()
    cur.execute("listen bell")
    wait_select(aconn)
    other = psycoxide.connect(dsn)
    other.autocommit = True
    other.cursor().execute("notify bell, 'ding'")
    assert select.select([aconn], [], [], 5)[0]
    aconn.poll()
    notify = aconn.notifies.pop()
    assert (notify.channel, notify.payload) == ("bell", "ding")
    assert notify.pid == other.get_backend_pid()
    assert notify == (notify.pid, "bell") and len(notify) == 2
    other.close()


def test_notifications_on_any_command(conn, dsn):
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute("listen bell")
    other = psycoxide.connect(dsn)
    with other:
        for i in range(3):
            other.cursor().execute("select pg_notify('bell', %s)", (str(i),))
    cur.execute("select 1")
    assert [notify.payload for notify in conn.notifies] == ["0", "1", "2"]
    other.close()


@pytest.fixture
def green():
    calls = []

    def callback(conn):
        calls.append(conn)
        wait_select(conn)

    extensions.set_wait_callback(callback)
    yield calls
    extensions.set_wait_callback(None)


def test_wait_callback(green, dsn):
    assert extensions.get_wait_callback() is not None
    conn = psycoxide.connect(dsn)
    cur = conn.cursor()
    cur.execute("select generate_series(1, 50000)")
    assert len(cur.fetchall()) == 50000
    named = conn.cursor("green")
    named.execute("select generate_series(1, 5)")
    assert len(list(named)) == 5
    with pytest.raises(psycoxide.errors.SyntaxError):
        cur.execute("selecte")
    conn.rollback()
    assert len(green) > 4
    conn.close()


def test_the_callback_waits_for_long_rows(green, dsn):
    waits = 0

    def counting(conn):
        nonlocal waits
        while (state := conn.poll()) != extensions.POLL_OK:
            waits += 1
            lists = ([conn], []) if state == extensions.POLL_READ else ([], [conn])
            select.select(*lists, [], 10)

    extensions.set_wait_callback(counting)
    with psycoxide.connect(dsn) as conn, conn.cursor() as cur:
        waits = 0
        cur.execute(SLOW_ROWS)
        assert waits > 20
        assert len(cur.fetchall()) == 300
    conn.close()


def test_exception_in_the_callback_closes(green, dsn):
    conn = psycoxide.connect(dsn)

    def fail(conn):
        raise ZeroDivisionError("out of patience")

    extensions.set_wait_callback(fail)
    with pytest.raises(ZeroDivisionError):
        conn.cursor().execute("select 1")
    assert conn.closed == 2


def test_what_executemany_does_together(connect):
    """A callback counts: it is called once for statements that go together."""
    calls = []

    def counting(conn):
        calls.append(conn)
        wait_select(conn)

    conn = connect()
    cur = conn.cursor()
    cur.execute("create temporary table t (n int, t text)")

    def calls_for(items):
        calls.clear()
        extensions.set_wait_callback(counting)
        try:
            cur.executemany("insert into t values (%s, %s)", items)
        finally:
            extensions.set_wait_callback(None)
        return len(calls)

    together = 1 if conn.info.server_version >= 140000 else 100
    assert calls_for([(n, "plain") for n in range(100)]) == together
    # In a constant nothing has a meaning; what an adapter wrote may be anything.
    assert calls_for([(n, "a;b $1 'c' \\") for n in range(100)]) == together
    assert calls_for([(n, extensions.AsIs("'plain'")) for n in range(100)]) == together
    assert calls_for([(n, extensions.AsIs("'a;b'")) for n in range(100)]) == 100
    assert calls_for([(n, extensions.AsIs("'$1'")) for n in range(100)]) == 100
    cur.execute('select t, count(*) from t group by 1 order by t collate "C"')
    texts = ["$1", "a;b", "a;b $1 'c' \\", "plain"]
    assert cur.fetchall() == [(text, 200 if text == "plain" else 100) for text in texts]
