"""B: cancellation, timeouts, signals, wait callbacks."""

import struct
import threading
import time

import pytest
from fixtures.messages import AUTHENTICATION_OK, message
from fixtures.scripted_server import ScriptedServer
from support import (
    check,
    child,
    connect,
    db,
    dial,
    errors,
    is_blocking,
    later,
    relayed,
    usable,
    within,
)


@check(timeout=30)
def test_b01_statement_timeout_leaves_the_connection_usable(conn):
    """statement_timeout in execute and in the middle of a server-side cursor: QueryCanceled,
    usable
    """
    cur = conn.cursor()
    cur.execute("set statement_timeout = 300")
    conn.commit()
    with within(3), pytest.raises(errors.QueryCanceled) as ei:
        cur.execute("select pg_sleep(5)")
    assert ei.value.pgcode == "57014" and isinstance(ei.value, db.extensions.QueryCanceledError)
    assert usable(conn)
    named = conn.cursor("slow")
    named.itersize = 10
    named.execute(
        "select g, case when g > 25 then pg_sleep(1)::text end from generate_series(1, 100) g"
    )
    got = []
    with pytest.raises(errors.QueryCanceled):
        for r in named:
            got.append(r[0])
    assert got == list(range(1, 21))
    assert usable(conn)


@check(timeout=30, loops="both")
def test_b02_cancel_from_another_thread():
    """cancel() from another thread: QueryCanceled within a second, usable; plain, TLS and fetch"""
    for kw in ({}, dict(sslmode="require", user="u_ssl", password="pencil")):
        conn = connect(**kw)
        cur = conn.cursor()
        later(0.4, conn.cancel)
        with within(3), pytest.raises(errors.QueryCanceled):
            cur.execute("select pg_sleep(20)")
        assert usable(conn)
        assert conn.closed == 0
        conn.close()
    with pytest.raises(db.InterfaceError):
        conn.cancel()


@check(timeout=60, loops="both")
def test_b04_a_cancel_never_hits_the_next_statement(conn):
    """300 cancels around short queries: after cancel() returned, the next statement is never the
    victim
    """
    cur = conn.cursor()
    conn.autocommit = True
    hits = stray = 0
    for i in range(300 if is_blocking() else 100):
        t = threading.Thread(target=conn.cancel)
        t.start()
        try:
            cur.execute("select pg_sleep(%s)", (0.002 if i % 2 else 0,))
        except errors.QueryCanceled:
            hits += 1
        t.join(10)
        assert not t.is_alive()
        # the signal has been sent by now; let the backend absorb one that came while idle
        try:
            cur.execute("select %s", (i,))
            assert cur.fetchone() == (i,)
        except errors.QueryCanceled:
            stray += 1
    assert stray <= 3, f"{stray} statements after a finished cancel() were cancelled"


@check(level="beyond", timeout=40, loops="both")
def test_b05_cancel_to_a_silent_peer_ends():
    """cancel() to a peer that accepts and stays silent ends within the connect timeout"""
    with ScriptedServer(
        answers=lambda sql, c: time.sleep(30), on_cancel=lambda c: time.sleep(30)
    ) as srv:
        p = child(
            f"""
            c = dial(**{srv.options(connect_timeout=2)!r})
            threading.Thread(target=c.cursor().execute, args=("select 1",), daemon=True).start()
            time.sleep(0.3)
            t0 = time.monotonic()
            try: c.cancel()
            except db.Error: pass
            print(round(time.monotonic() - t0, 2), flush=True)
            os._exit(0)
        """,
            timeout=12,
        )
        assert float(p.out) < 6, p.out


@check(level="beyond", timeout=30, loops="both")
def test_b06_the_cancel_key_is_not_sent_in_clear():
    """on a TLS connection the cancel key does not cross the wire in clear"""
    with relayed() as p:
        child(
            f"""
            c = connect(port={p.port}, user="u_ssl", password="pencil", sslmode="require")
            later(0.4, c.cancel)
            try: c.cursor().execute("select pg_sleep(10)")
            except errors.QueryCanceled: sys.exit(0)
            sys.exit(5)
        """,
            timeout=20,
        )
        assert len(p.connections) == 2
        first = bytes(p.connections[1].sent[:8])
        assert first == struct.pack("!ii", 8, 80877103), (
            f"cancel connection starts with {first.hex()}"
        )


@check(level="beyond", timeout=30)
def test_b15_cancel_gives_up_the_interpreter_lock():
    """cancel() gives up the interpreter lock while it waits for the network"""
    with ScriptedServer(on_cancel=lambda c: time.sleep(1.5)) as srv:
        p = child(
            f"""
            c = dial(**{srv.options()!r})
            n = [0]
            def tick():
                while True: n[0] += 1; time.sleep(0.01)
            threading.Thread(target=tick, daemon=True).start()
            before = n[0]
            c.cancel()
            print(n[0] - before)
        """,
            timeout=15,
        )
        assert int(p.out) > 50, f"other threads ran {p.out.strip()} times in 1.5 s"


@check(level="beyond", timeout=30, loops="both")
def test_b07_ctrl_c_in_a_blocked_query():
    """Ctrl-C in a blocked query: KeyboardInterrupt within 2 s, query cancelled, usable or closed"""
    p = child(
        """
        c = connect(application_name="t_b07")
        later(1.0, os.kill, os.getpid(), signal.SIGINT)
        t0 = time.monotonic()
        try:
            c.cursor().execute("select pg_sleep(8)")
            print("finished")
        except BaseException as e:
            print(type(e).__name__, round(time.monotonic() - t0, 1), usable_or_closed(c))
        print(psql("select count(*) from pg_stat_activity "
                   "where application_name='t_b07' and state='active'"))
    """,
        timeout=20,
    )
    a = p.out.split()
    assert a[0] == "KeyboardInterrupt" and float(a[1]) < 3.0 and a[2] == "True" and a[3] == "0", (
        p.out
    )


@check(timeout=30)
def test_b08_ctrl_c_with_a_wait_callback():
    """Ctrl-C with wait_select as wait callback: the query is cancelled, connection usable"""
    p = child(
        """
        ext.set_wait_callback(extras.wait_select)
        c = connect()
        later(1.0, os.kill, os.getpid(), signal.SIGINT)
        t0 = time.monotonic()
        try:
            c.cursor().execute("select pg_sleep(8)")
        except errors.QueryCanceled as e:
            print("QueryCanceled", round(time.monotonic() - t0, 1), usable(c))
    """,
        timeout=20,
    )
    a = p.out.split()
    assert a[0] == "QueryCanceled" and float(a[1]) < 3 and a[2] == "True", p.out


@check(timeout=40, loops="both")
def test_b09_a_storm_of_signals_is_no_error():
    """a signal every 5 ms (EINTR storm) during connect, TLS, query, big fetch, COPY: no spurious
    error
    """
    child(
        """
        import io
        n = [0]
        signal.signal(signal.SIGALRM, lambda *a: n.__setitem__(0, n[0] + 1))
        signal.siginterrupt(signal.SIGALRM, True)
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        for kw in ({}, dict(user="u_ssl", password="pencil", sslmode="require")):
            c = connect(**kw)
            cur = c.cursor()
            cur.execute("select pg_sleep(1)")
            cur.execute("select g, repeat('x', 100) from generate_series(1, 200000) g")
            assert len(cur.fetchall()) == 200000
            cur.execute("create temp table t (a int, b text)")
            rows = io.StringIO("".join(f"{i}\\tb\\n" for i in range(100000)))
            cur.copy_expert("copy t from stdin", rows)
            cur.execute("select count(*) from t")
            assert cur.fetchone() == (100000,)
            c.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert n[0] > 10, n
    """,
        timeout=35,
    )


@check(timeout=30)
def test_b10_what_a_wait_callback_raises_comes_out():
    """wait callback raises in mid-query: its exception comes out, connection is closed, no hang"""
    child(
        """
        class Boom(Exception): pass
        state = [False]
        def cb(conn):
            while True:
                st = conn.poll()
                if st == ext.POLL_OK: return
                if state[0]: raise Boom()
                import select
                fd = [conn.fileno()]
                reads, writes = (fd, []) if st == ext.POLL_READ else ([], fd)
                select.select(reads, writes, [], 1)
        ext.set_wait_callback(cb)
        c = connect()
        cur = c.cursor()
        cur.execute("select 1")
        state[0] = True
        try:
            cur.execute("select pg_sleep(1)")
            raise SystemExit("no exception")
        except Boom:
            pass
        state[0] = False
        assert c.closed, c.closed
        try:
            c.cursor()
            raise SystemExit("no InterfaceError")
        except db.InterfaceError: pass
        c.close()
    """,
        timeout=15,
    )


@check(timeout=30, loops="both")
def test_b11_server_side_timeouts_have_their_errors(conn):
    """idle_in_transaction_session_timeout: next statement raises, closed; lock_timeout:
    LockNotAvailable
    """
    cur = conn.cursor()
    cur.execute("set lock_timeout = 200")
    cur.execute("set idle_in_transaction_session_timeout = 300")
    conn.commit()
    other = connect()
    other.cursor().execute("create table if not exists b11 (x int)")
    other.commit()
    other.cursor().execute("lock table b11")
    with within(3), pytest.raises(errors.LockNotAvailable):
        cur.execute("select * from b11")
    assert usable(conn)
    cur.execute("select 1")
    time.sleep(0.7)
    with within(3), pytest.raises(db.Error):
        cur.execute("select 2")
    assert conn.closed != 0


@check(timeout=40, loops="both")
def test_b12_connect_timeout_bounds_every_way_to_be_slow(silent):
    """connect_timeout: listener that never answers, backlog that never accepts, slow drip: all
    bounded
    """
    for mode in ("disable", "require"):
        with within(6, at_least=1), pytest.raises(db.OperationalError):
            connect(port=silent, connect_timeout=2, sslmode=mode)

    def drip(c):
        c.take_startup()
        c.send(AUTHENTICATION_OK)
        while True:  # 1 byte each 0.3 s, for ever
            for b in message(b"S", b"k\0" + b"v" * 500 + b"\0"):
                c.send(bytes([b]))
                time.sleep(0.3)

    with (
        ScriptedServer(handler=drip) as srv,
        within(6, at_least=1),
        pytest.raises(db.OperationalError),
    ):
        dial(**srv.options(connect_timeout=2))


@check(level="beyond", timeout=30, loops="both")
def test_b13_ctrl_c_while_connecting(silent):
    """Ctrl-C while connecting to a silent server: KeyboardInterrupt within 2 s"""
    p = child(
        f"""
        later(1.0, os.kill, os.getpid(), signal.SIGINT)
        t0 = time.monotonic()
        try:
            connect(port={silent}, connect_timeout=10)
        except BaseException as e:
            print(type(e).__name__, round(time.monotonic() - t0, 1))
    """,
        timeout=20,
    )
    a = p.out.split()
    assert a and a[0] == "KeyboardInterrupt" and float(a[1]) < 3.0, p.out
