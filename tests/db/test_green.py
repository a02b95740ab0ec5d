"""Coroutine libraries: gevent and eventlet, each in a process of its own that it has patched."""

from __future__ import annotations

import textwrap

import pytest

GEVENT = """
import gevent.monkey

gevent.monkey.patch_all()
import gevent
from gevent.socket import wait_read, wait_write

spawn, sleep = gevent.spawn, gevent.sleep


def wait(task):
    return task.get()


def kill(task):
    task.kill()


def callback(conn):
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return
        (wait_read if state == extensions.POLL_READ else wait_write)(conn.fileno())
"""

EVENTLET = """
import eventlet

eventlet.monkey_patch()
import eventlet.hubs
from eventlet import sleep, spawn


def wait(task):
    return task.wait()


def kill(task):
    task.kill()


def callback(conn):
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return
        reads = state == extensions.POLL_READ
        eventlet.hubs.trampoline(conn.fileno(), read=reads, write=not reads)
"""

COMMON = """
import io
import os
import time

import psycoxide
from psycoxide import extensions

DSN = os.environ["DSN"]
extensions.set_wait_callback(callback)


def connect():
    return psycoxide.connect(DSN)


def usable(conn):
    cur = conn.cursor()
    cur.execute("select 42")
    return cur.fetchone() == (42,)
"""

LIBRARIES = {"gevent": GEVENT, "eventlet": EVENTLET}


@pytest.fixture(params=LIBRARIES)
def green(request, run_python):
    """A function that runs a program under the coroutine library."""
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")

    def run(program: str) -> None:
        source = (
            LIBRARIES[request.param] + COMMON + textwrap.dedent(program) + "\nprint('through')\n"
        )
        assert run_python(source).stdout == "through\n"

    return run


def test_many_connections_at_once(green):
    green("""
        def work(n):
            conn = connect()
            cur = conn.cursor()
            seen = []
            for turn in range(3):
                cur.execute("select pg_sleep(0.1), %s, %s", (n, turn))
                seen.append(cur.fetchone()[1:])
                conn.commit()
            named = conn.cursor("named")
            named.execute("select generate_series(1, 5000)")
            assert sum(row[0] for row in named) == 12502500
            conn.close()
            return seen

        started = time.monotonic()
        tasks = [spawn(work, n) for n in range(40)]
        for n, task in enumerate(tasks):
            assert wait(task) == [(n, 0), (n, 1), (n, 2)]
        took = time.monotonic() - started
        assert took < 6, f"one after the other: {took} s for what sleeps 12 s in all"
    """)


def test_others_go_on_while_one_waits(green):
    green("""
        ticks = 0

        def tick():
            global ticks
            while True:
                sleep(0.01)
                ticks += 1

        ticker = spawn(tick)
        conn = connect()
        conn.cursor().execute("select pg_sleep(0.5)")
        assert ticks > 10, ticks
        kill(ticker)
    """)


def test_two_on_one_connection_are_refused(green):
    green("""
        conn = connect()
        cur = conn.cursor()
        task = spawn(cur.execute, "select pg_sleep(0.3), 7")
        sleep(0.1)
        single = "a single async query can be executed on the same connection"
        underway = "{} cannot be used while an asynchronous query is underway"
        for use, refusal in (
            (lambda: conn.cursor().execute("select 1"), underway.format("execute")),
            (lambda: conn.cursor("named").execute("select 1"), underway.format("execute")),
            (lambda: conn.cursor().callproc("now"), underway.format("callproc")),
            (lambda: conn.cursor().callproc("abs", [1]), underway.format("callproc")),
            (
                lambda: conn.cursor().executemany("select %s", [(1,)]),
                underway.format("executemany"),
            ),
            (conn.commit, single),
            (conn.rollback, single),
            (conn.lobject, single),
            (
                lambda: conn.cursor().copy_expert("copy (select 1) to stdout", io.StringIO()),
                single,
            ),
        ):
            try:
                use()
            except psycoxide.ProgrammingError as error:
                assert str(error) == refusal, error
            else:
                raise AssertionError("two greenlets on one connection")
        wait(task)
        assert cur.fetchone()[1] == 7
        conn.rollback()
        assert usable(conn)
    """)


def test_copy(green):
    green("""
        conn = connect()
        cur = conn.cursor()
        cur.execute("create temporary table cargo (n int, t text)")
        text = "".join(f"{n}\\t{'x' * 100}\\n" for n in range(50000))
        ticks = 0

        def tick():
            global ticks
            while True:
                sleep(0)
                ticks += 1

        ticker = spawn(tick)
        cur.copy_from(io.StringIO(text), "cargo")
        assert cur.rowcount == 50000
        out = io.StringIO()
        cur.copy_expert("copy (select * from cargo order by n) to stdout", out)
        assert out.getvalue() == text
        kill(ticker)
        assert ticks > 1, "nothing else ran during the COPY"

        class Broken:
            def read(self, size):
                sleep(0.01)
                raise ZeroDivisionError("read")

            def write(self, data):
                sleep(0.01)
                raise ZeroDivisionError("write")

        for statement in ("copy cargo from stdin", "copy cargo to stdout"):
            conn.commit()
            try:
                cur.copy_expert(statement, Broken())
            except ZeroDivisionError:
                conn.rollback()
            else:
                raise AssertionError("nothing was raised")
            assert usable(conn)
    """)


def test_a_copy_whose_file_waits(green):
    green("""
        class Slow:
            def __init__(self, rows):
                self.rows = rows

            def read(self, size):
                sleep(0.02)
                self.rows -= 1
                return f"{self.rows}\\n" if self.rows >= 0 else ""

        def load():
            conn = connect()
            cur = conn.cursor()
            cur.execute("create temporary table slow (n int)")
            cur.copy_from(Slow(20), "slow")
            return cur.rowcount

        started = time.monotonic()
        assert [wait(task) for task in [spawn(load) for _ in range(10)]] == [20] * 10
        assert time.monotonic() - started < 3
    """)


def test_large_objects(green):
    green("""
        conn = connect()
        large = conn.lobject(0, "wb")
        data = os.urandom(1 << 20)
        assert large.write(data) == len(data)
        large.seek(1000)
        large.close()
        again = conn.lobject(large.oid, "rb")
        assert again.read() == data
        again.unlink()
        conn.rollback()
        assert usable(conn)
    """)


def test_notifications(green):
    green("""
        listener, sender = connect(), connect()
        listener.autocommit = sender.autocommit = True
        listener.cursor().execute("listen green")

        def receive():
            while len(listener.notifies) < 3:
                callback_for_reading(listener)
            return [notify.payload for notify in listener.notifies]

        def callback_for_reading(conn):
            conn.poll()
            sleep(0.01)

        task = spawn(receive)
        for payload in ("a", "b", "c"):
            sleep(0.02)
            sender.cursor().execute("select pg_notify('green', %s)", (payload,))
        assert wait(task) == ["a", "b", "c"]
    """)


def test_poll_again_after_the_end(green):
    green("""
        def careful(conn):
            callback(conn)
            assert conn.poll() == extensions.POLL_OK

        extensions.set_wait_callback(careful)
        conn = connect()
        cur = conn.cursor()
        cur.execute("select 1")
        assert cur.fetchall() == [(1,)]
        conn.commit()
        assert usable(conn)
    """)


def test_errors_and_transactions(green):
    green("""
        conn = connect()
        try:
            with conn, conn.cursor() as cur:
                cur.execute("select 1 / 0")
        except psycoxide.errors.DivisionByZero:
            pass
        assert usable(conn)
        with conn, conn.cursor() as cur:
            cur.execute("create temporary table kept (n int)")
            cur.executemany("insert into kept values (%s)", [(n,) for n in range(100)])
        with conn, conn.cursor() as cur:
            cur.execute("select count(*) from kept")
            assert cur.fetchone() == (100,)
        conn.tpc_begin("green")
        conn.tpc_rollback()
        conn.set_client_encoding("LATIN1")
        conn.reset()
        assert usable(conn)
    """)


def test_a_timeout_raised_while_waiting_closes(green):
    green("""
        class Expired(Exception):
            pass

        conn = connect()

        def impatient(conn):
            state = conn.poll()
            if state != extensions.POLL_OK:
                raise Expired

        extensions.set_wait_callback(impatient)
        try:
            conn.cursor().execute("select pg_sleep(10)")
        except Expired:
            pass
        else:
            raise AssertionError("nothing was raised")
        assert conn.closed == 2
        extensions.set_wait_callback(callback)
        other = connect()
        assert usable(other)
    """)


def test_a_killed_greenlet_closes_its_connection_only(green):
    green("""
        conn, other = connect(), connect()
        task = spawn(conn.cursor().execute, "select pg_sleep(10)")
        sleep(0.1)
        kill(task)
        sleep(0.05)
        assert conn.closed == 2
        assert usable(other)
    """)


WAITS = {
    "a query": """cur.execute("select pg_sleep(10)")""",
    "a large result": """cur.execute("select pg_sleep(0.001) from generate_series(1, 20000)")""",
    "copy to": """cur.copy_expert("copy (select pg_sleep(10)) to stdout", io.StringIO())""",
}


@pytest.mark.parametrize("waits", WAITS)
@pytest.mark.parametrize("tls", ["disable", "prefer"])
def test_closing_wakes_who_waits(green, waits, tls):
    """Also the descriptor is closed then, and not before: another file could get its number."""
    green(f"""
        conn = psycoxide.connect(DSN + " sslmode={tls}")
        descriptor, server = conn.fileno(), conn.info.backend_pid
        cur = conn.cursor()

        def work():
            try:
                {WAITS[waits]}
            except psycoxide.InterfaceError as error:
                return str(error)

        task = spawn(work)
        sleep(0.2)
        begun = time.monotonic()
        conn.close()
        assert conn.closed == 1
        os.fstat(descriptor)
        assert wait(task) == "connection already closed"
        assert time.monotonic() - begun < 5
        assert conn.closed == 1
        try:
            os.fstat(descriptor)
        except OSError:
            pass
        else:
            raise AssertionError("the descriptor is open")
        conn.close()
        other = connect()
        assert usable(other)
    """)


def test_the_wait_callback_closes(green):
    green("""
        conn = connect()

        def closing(conn):
            conn.poll()
            conn.close()

        extensions.set_wait_callback(closing)
        try:
            conn.cursor().execute("select pg_sleep(10)")
        except psycoxide.Error:
            pass
        else:
            raise AssertionError("nothing was raised")
        assert conn.closed == 1
        extensions.set_wait_callback(callback)
        assert usable(connect())
    """)


def test_connection_failures(green):
    green("""
        for wrong in ("host=127.0.0.1 port=1", DSN + " dbname=no_such_database"):
            try:
                psycoxide.connect(wrong)
            except psycoxide.OperationalError:
                pass
            else:
                raise AssertionError("connected")
        assert usable(connect())
    """)


def test_the_servers_end_is_told(green):
    green("""
        conn, other = connect(), connect()
        other.autocommit = True
        cur = conn.cursor()
        task = spawn(cur.execute, "select pg_sleep(10)")
        sleep(0.2)
        other.cursor().execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))
        try:
            wait(task)
        except psycoxide.errors.AdminShutdown:
            pass
        else:
            raise AssertionError("nothing was raised")
        assert conn.closed == 2
    """)
