"""A: the connection is lost, cut, reset, stalled, corrupted."""

import io
import os
import signal
import socket

import pytest
from fixtures.messages import complete, message, ready, result
from fixtures.relay import Fault, Plan
from fixtures.scripted_server import Ended, ScriptedServer
from support import (
    PORT,
    SOCK,
    File,
    check,
    child,
    connect,
    db,
    dial,
    errors,
    extras,
    gone,
    is_blocking,
    later,
    psql,
    relayed,
    sampled,
    settled,
    takes_connections,
    usable,
    usable_or_closed,
    wait_for,
    within,
)


def lost(conn):
    """What a lost connection must look like from then on."""
    assert conn.closed != 0
    with pytest.raises(gone()):
        conn.cursor().execute("select 1")
    conn.close()  # never raises
    conn.close()


@check(timeout=20, loops="both")
def test_a01_a_terminated_backend_is_told_soon():
    """backend terminated in mid-query: OperationalError, closed, quick (plain and TLS)"""
    for mode in ("disable", "require"):
        conn = connect(sslmode=mode)
        cur = conn.cursor()
        pid = conn.info.backend_pid
        later(0.5, psql, f"select pg_terminate_backend({pid})")
        with within(4), pytest.raises(db.OperationalError):
            cur.execute("select pg_sleep(10)")
        lost(conn)


@check(level="beyond", timeout=20, loops="both")
def test_a17_the_servers_own_reason_comes_out(conn):
    """the server's own reason (FATAL 57P01) comes out as AdminShutdown, mid-query and when idle"""
    import time as t

    for idle in (False, True):
        c = connect()
        if idle:
            psql(f"select pg_terminate_backend({c.info.backend_pid})")
            t.sleep(0.3)
        else:
            later(0.5, psql, f"select pg_terminate_backend({c.info.backend_pid})")
        with within(4), pytest.raises(errors.AdminShutdown) as ei:
            c.cursor().execute("select pg_sleep(10)")
        assert ei.value.pgcode == "57P01" and c.closed != 0


def _full_len(query):
    with relayed() as p:
        c = connect(port=p.port)
        c.autocommit = True
        head = settled(p.connections[0].received)
        c.cursor().execute(query)
        full = settled(p.connections[0].received)
        c.close()
    return head, full


@check(timeout=90, loops="both")
def test_a02_a_result_that_is_cut_anywhere_is_never_partial_rows():
    """server gone after N bytes of a result, every N class, FIN and RST: never partial rows"""
    q = "select g, repeat('x', 50) from generate_series(1, 20) g"
    head, full = _full_len(q)
    body = full - head
    spots = sorted(set(range(70)) | set(range(70, body, 37)) | set(range(body - 30, body)))
    for how in ("fin", "rst"):
        for n in sampled(spots):
            with relayed(Plan(to_client=Fault(cut_after=head + n, how=how))) as p:
                c = connect(port=p.port)
                c.autocommit = True
                cur = c.cursor()
                with pytest.raises(db.OperationalError):
                    cur.execute(q)
                    pytest.fail(
                        f"no error, cut after {n} of {body} bytes ({how}): "
                        f"rows={len(cur.fetchall())}"
                    )
                assert c.closed != 0, (how, n)
                with pytest.raises(db.Error):
                    cur.fetchall()


@check(timeout=90, loops="both")
def test_a03_one_byte_segments_change_no_answer():
    """everything in 1-byte segments, both ways, plain and TLS: same answers"""
    for mode in ("disable", "require"):
        with relayed(Plan(Fault(chunk=1), Fault(chunk=1))) as p:
            c = connect(
                port=p.port,
                sslmode=mode,
                user="u_ssl" if mode == "require" else "torture",
                password="pencil",
            )
            cur = c.cursor()
            cur.execute(
                "select g, repeat('é', 20), null, g::numeric / 3, now()::date "
                "from generate_series(1, 30) g"
            )
            rows = cur.fetchall()
            assert len(rows) == 30 and rows[7][1] == "é" * 20 and rows[7][2] is None
            cur.execute("create temp table t (a int, b text)")
            cur.copy_expert(
                "copy t from stdin", io.StringIO("".join(f"{i}\tb{i}\n" for i in range(200)))
            )
            out = io.StringIO()
            cur.copy_expert("copy t to stdout", out)
            assert out.getvalue().count("\n") == 200
            with pytest.raises(errors.DivisionByZero):
                cur.execute("select 1/0")
            assert usable(c)
            c.close()


def _cut_startup(kw, step):
    with relayed() as p:
        connect(port=p.port, **kw).close()
        full = settled(p.connections[0].received)
    spots = list(range(30)) + list(range(30, full - 25, step))
    for how in ("fin", "rst"):
        for n in sampled(spots):
            with relayed(Plan(to_client=Fault(cut_after=n, how=how))) as p:
                with within(6), pytest.raises(db.OperationalError):
                    c = connect(port=p.port, connect_timeout=5, **kw)
                    # a TLS 1.3 session ticket may come last: only then may connect itself succeed
                    c.cursor().execute("select 1")
                    pytest.fail(f"connected although cut after {n}/{full}")


@check(timeout=60, loops="both")
def test_a04_a_startup_that_is_cut_anywhere_is_an_error():
    """connection cut at every point of startup and authentication (SCRAM): OperationalError, no
    hang
    """
    _cut_startup(dict(user="u_scram", password="pencil"), 7)


@check(level="beyond", timeout=90, loops="both")
def test_a19_a_tls_handshake_that_is_cut_anywhere_is_an_error():
    """the same over TLS, also inside the handshake: no crash (psycopg2-binary 2.9.13: SIGSEGV in
    libpq)
    """
    _cut_startup(dict(user="u_ssl", password="pencil", sslmode="require"), 50)


@check()
def test_a05_keepalives_reach_the_socket():
    """keepalives* and tcp_user_timeout reach the socket; on by default"""

    def opts(**kw):
        c = connect(**kw)
        s = socket.socket(fileno=os.dup(c.fileno()))
        r = (
            s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            s.getsockopt(6, socket.TCP_KEEPIDLE),
            s.getsockopt(6, socket.TCP_KEEPINTVL),
            s.getsockopt(6, socket.TCP_KEEPCNT),
            s.getsockopt(6, socket.TCP_USER_TIMEOUT),
            s.getsockopt(6, socket.TCP_NODELAY),
        )
        s.close()
        c.close()
        return r

    r = opts()
    assert r[0] == 1 and r[5] == 1
    assert opts(keepalives=0)[0] == 0
    assert opts(
        keepalives_idle=11, keepalives_interval=3, keepalives_count=4, tcp_user_timeout=7000
    )[:5] == (1, 11, 3, 4, 7000)


@check(timeout=40, loops="both")
def test_a06_keepalives_end_the_wait_for_a_vanished_peer():
    """peer vanishes without FIN (interface down in a network namespace): keepalive ends the wait"""
    import subprocess

    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    p = child(
        """
        import subprocess
        from fixtures.scripted_server import ScriptedServer
        subprocess.check_call(["ip", "link", "set", "lo", "up"])
        srv = ScriptedServer(answers=lambda sql, session: time.sleep(60))
        c = dial(**srv.options(keepalives_idle=1, keepalives_interval=1, keepalives_count=2,
                                    tcp_user_timeout=3000))
        later(1.0, subprocess.check_call, ["ip", "link", "set", "lo", "down"])
        t0 = time.monotonic()
        try:
            c.cursor().execute("select 1")
        except db.OperationalError as e:
            print("OperationalError", c.closed, round(time.monotonic() - t0, 1), e)
            os._exit(0)
        os._exit(3)
    """,
        timeout=25,
        prefix=("unshare", "-n"),
    )
    assert p.out.startswith("OperationalError 2") or p.out.startswith("OperationalError 1"), p.out
    assert float(p.out.split()[2]) < 12


@check(loops="both")
def test_a07_a_session_that_ended_while_idle_is_told_next(conn):
    """session ended while idle (FIN, RST, FATAL): next statement raises, then closed"""
    psql(f"select pg_terminate_backend({conn.info.backend_pid})")
    import time as t

    t.sleep(0.3)
    # A loop hears of it at once.
    assert bool(conn.closed) != is_blocking()
    with within(3), pytest.raises(db.OperationalError) as ei:
        conn.cursor().execute("select 1")
    assert "terminat" in str(ei.value) or "closed" in str(ei.value)
    lost(conn)
    for how in ("fin", "rst"):
        with relayed() as p:
            c = connect(port=p.port)
            p.kill(how)
            t.sleep(0.1)
            with within(3), pytest.raises(db.OperationalError):
                c.cursor().execute("select 1")
            lost(c)


@check(timeout=40, loops="both")
def test_a09_a_reset_in_copy_from_stops_the_reading():
    """reset in the middle of COPY FROM: OperationalError, reading stops, nothing stored"""
    psql("drop table if exists a09; create table a09 (x text)")
    for mode in ("disable", "require"):
        with relayed(Plan(to_server=Fault(cut_after=300_000, how="rst"))) as p:
            c = connect(port=p.port, sslmode=mode)
            f = File(read=lambda i, n: ("y" * 999 + "\n") * 8 if i < 200_000 else "")
            with within(10), pytest.raises(db.OperationalError):
                c.cursor().copy_expert("copy a09 from stdin", f)
            assert f.reads < 20_000, f"{f.reads} reads after the loss"
            lost(c)
    assert psql("select count(*) from a09") == "0"


@check(timeout=60, loops="both")
def test_a10_a_cut_copy_to_is_never_a_short_file():
    """cut during COPY TO, also exactly between messages: always an error, never a short file"""
    rows = [b"%d\tabcdef\n" % i for i in range(20)]
    copy = (
        message(b"H", b"\0\0\2\0\0\0\0")
        + b"".join(message(b"d", r) for r in rows)
        + message(b"c")
        + complete("COPY 20")
        + ready()
    )
    cuts, off = [], 0
    while off < len(copy):
        cuts.append(off)
        off += 1 + int.from_bytes(copy[off + 1 : off + 5], "big")
    cuts = sorted(set(cuts) | set(range(1, len(copy), 29)))
    for n in sampled(cuts):

        def h(c, n=n):
            c.take_startup()
            c.let_in()
            while True:
                t, p = c.take_message()
                if t in b"QE" and (t == b"E" or b"copy" in p.lower()):
                    c.send(copy[:n])
                    return
                if t == b"Q":
                    c.transaction = b"T"
                    c.send(complete("BEGIN") + ready(b"T"))
                elif t in b"PBD":
                    c.send(message({b"P": b"1", b"B": b"2", b"D": b"n"}[t]))

        with ScriptedServer(handler=h) as srv:
            c = dial(**srv.options())
            out = io.BytesIO()
            with within(5), pytest.raises(db.Error):
                c.cursor().copy_expert("copy t to stdout", out)
                pytest.fail(
                    f"silently short copy: cut at {n}/{len(copy)}, {len(out.getvalue())} bytes"
                )
            assert usable_or_closed(c)


@check(timeout=60, alone=True, loops="both")
def test_a11_a_server_crash_is_told_to_every_session(conn):
    """server process crash: every session gets OperationalError; a new connection works after
    recovery
    """
    other = connect()
    cur = conn.cursor()
    pid = other.info.backend_pid
    later(0.5, os.kill, pid, signal.SIGKILL)
    try:
        with within(10), pytest.raises(db.OperationalError) as ei:
            cur.execute("select pg_sleep(20)")
        assert conn.closed != 0
        assert ei.value.pgcode in ("57P02", None)
        with pytest.raises(db.OperationalError):
            other.cursor().execute("select 1")
    finally:
        assert wait_for(takes_connections, 30, 0.2)


@check(timeout=20, loops="both")
def test_a12_a_commit_without_an_answer_is_not_sent_again():
    """answer to COMMIT lost: commit() raises, is not sent again, connection closed"""
    psql("drop table if exists a12; create table a12 (x int)")
    with relayed() as p:
        p.plan = Plan(
            to_server=Fault(
                on_match=(b"COMMIT", lambda c: (c.holds_answers.set(), later(0.3, c.kill, "rst")))
            )
        )
        c = connect(port=p.port)
        c.cursor().execute("insert into a12 values (1)")
        with within(5), pytest.raises(db.OperationalError):
            c.commit()
        (relay,) = p.connections
        assert bytes(relay.sent).upper().count(b"COMMIT") == 1
        assert psql("select count(*) from a12") == "1"
        lost(c)


@check(timeout=20, loops="both")
def test_a13_an_insert_without_an_answer_is_not_sent_again():
    """answer to an autocommit INSERT lost: error, statement never sent twice"""
    psql("drop table if exists a13; create table a13 (x int)")
    with relayed() as p:
        c = connect(port=p.port)
        c.autocommit = True
        p.connections[0].plan.to_client.cut_after = settled(p.connections[0].received)
        with within(5), pytest.raises(db.OperationalError):
            c.cursor().execute("insert into a13 values (1)")
        (relay,) = p.connections
        assert bytes(relay.sent).count(b"insert into a13") == 1
        assert wait_for(lambda: psql("select count(*) from a13") in "01", 2)
        lost(c)


@check(level="beyond", timeout=20)
def test_a14_a_loss_inside_with_is_not_masked():
    """loss inside `with conn`: the first error comes out unmasked, exit and close do not hang"""
    with relayed() as p:
        c = connect(port=p.port)
        with within(5), pytest.raises(db.OperationalError) as ei, c, c.cursor() as cur:
            cur.execute("select 1")
            p.kill("rst")
            cur.execute("select 2")
        assert not isinstance(ei.value, db.InterfaceError)
        assert c.closed != 0
        c.close()


@check(timeout=60, loops="both")
def test_a15_flipped_bits_in_tls_are_never_data():
    """flipped bits inside TLS records: OperationalError, never altered data, no hang"""
    with relayed() as p:
        c = connect(port=p.port, user="u_ssl", password="pencil", sslmode="require")
        head = settled(p.connections[0].received)
        c.close()
    for off in (6, 20, 60, 200, 1500):
        with relayed(Plan(to_client=Fault(corrupt={head + off: 0x40}))) as p:
            with within(6), pytest.raises(db.OperationalError):
                c = connect(
                    port=p.port,
                    user="u_ssl",
                    password="pencil",
                    sslmode="require",
                    connect_timeout=5,
                )
                c.autocommit = True
                cur = c.cursor()
                # a flipped length byte leaves the peer waiting for bytes that never come: the
                # server's next answer or its FIN must end it
                later(2, p.kill, "fin")
                cur.execute("select repeat('abc', 1000)")
                pytest.fail(f"accepted {cur.fetchone()[0][:20]!r}")


@check(timeout=30)
def test_a20_a_replication_stream_that_is_cut_raises():
    """replication stream: data in order, keepalives answered, the cut raises and does not spin"""
    import struct

    replies = []

    def q(s, c):
        if "START_REPLICATION" in s.upper():
            c.send(message(b"W", b"\0\0\0"))
            for i in range(5):
                data = struct.pack("!QQq", 100 + i, 200, 0) + b"payload%d" % i
                c.send(message(b"d", b"w" + data))
                c.send(message(b"d", b"k" + struct.pack("!QqB", 200, 0, 1)))
            c.connection.settimeout(3)
            try:
                while len(replies) < 5:
                    t, p = c.take_message()
                    if t == b"d" and p[:1] == b"r":
                        replies.append(p)
            except Ended:
                pass
            raise Ended("cut")
        return result(
            [("systemid", 25), ("timeline", 23), ("xlogpos", 25), ("dbname", 25)],
            [[b"1", b"1", b"0/0", b"x"]],
        )

    with ScriptedServer(answers=q) as srv:
        c = dial(**srv.options(), connection_factory=extras.LogicalReplicationConnection)
        assert srv.sessions[0].startup.get("replication") == "database"
        cur = c.cursor()
        cur.start_replication(slot_name="s", decode=False)
        got = []
        with within(8), pytest.raises(db.DatabaseError):
            cur.consume_stream(lambda msg: got.append(bytes(msg.payload)))
        assert got == [b"payload%d" % i for i in range(5)] and replies


@check(timeout=30, loops="both")
def test_a21_a_loss_over_unix_sockets_is_told():
    """loss seen over a Unix socket and an abstract socket: closed tells the truth (psycopg2 #196,
    #443)
    """
    import time as t

    for host in (SOCK, f"@/torture{PORT}"):
        for idle in (True, False):
            c = connect(host=host)
            cur = c.cursor()
            if idle:
                psql(f"select pg_terminate_backend({c.info.backend_pid})")
                t.sleep(0.2)
            else:
                later(0.3, psql, f"select pg_terminate_backend({c.info.backend_pid})")
            with within(4), pytest.raises(db.OperationalError):
                cur.execute("select pg_sleep(5)")
            lost(c)
