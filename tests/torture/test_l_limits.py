"""L: bounds on time, and signals, in every call that blocks."""

import struct
import subprocess
import time

import pytest
import ways
from fixtures.messages import message, result
from fixtures.scripted_server import ScriptedServer
from support import (
    DRIVER,
    PORT,
    File,
    check,
    child,
    connect,
    db,
    dial,
    ext,
    extras,
    is_blocking,
    psql,
    relayed,
    usable,
    wait_for,
    within,
)

ours = pytest.mark.skipif(DRIVER != "psycoxide", reason="psycopg2 has no such thing")

OPERATIONS = {
    "execute": lambda c, named: c.cursor().execute("select 1"),
    "fetch": lambda c, named: named.fetchall(),
    "copy to": lambda c, named: c.cursor().copy_expert(
        "copy t to stdout", File(write=lambda i, data: None)
    ),
    "copy from": lambda c, named: c.cursor().copy_expert(
        "copy t from stdin", File(read=lambda i, n: "x" * 100_000 if i < 1000 else "")
    ),
    "commit": lambda c, named: c.commit(),
    "large object": lambda c, named: c.lobject(0, "w"),
}


@ours
@check(level="beyond", timeout=40)
def test_l01_operation_timeout_ends_every_operation():
    """operation_timeout ends execute, fetch, COPY both ways, commit and large objects on a network
    that went silent: OperationalError, closed
    """
    for name, operate in OPERATIONS.items():
        with relayed() as p:
            c = connect(port=p.port, operation_timeout=0.7)
            assert c.operation_timeout == 0.7
            named = c.cursor("n")
            named.execute("select generate_series(1, 100)")
            c.cursor().execute("create temp table t (x text)")
            p.stall()
            with within(3, at_least=0.5), pytest.raises(db.OperationalError) as ei:
                operate(c, named)
            assert "timeout expired" in str(ei.value), name
            assert c.closed == 2, name
            with within(1):
                c.close()


@ours
@check(level="beyond", timeout=30)
def test_l02_operation_timeout_bounds_connect_and_cancel():
    """operation_timeout bounds connecting and cancel() as well; a slow query is cancelled on the
    server; the bound can be changed and taken away
    """
    with ScriptedServer(handler=lambda c: c.take(1 << 30)) as srv:
        with within(3, at_least=0.5), pytest.raises(db.OperationalError) as ei:
            dial(**srv.options(connect_timeout=None, operation_timeout=0.7))
        assert "timeout expired" in str(ei.value)
    with ScriptedServer(on_cancel=lambda c: c.take(1 << 30)) as srv:
        c = dial(**srv.options(connect_timeout=None, operation_timeout=0.7))
        with within(3, at_least=0.5), pytest.raises(db.OperationalError):
            c.cancel()
    c = connect(application_name="t_l02")
    assert c.operation_timeout is None
    c.operation_timeout = 0.7
    with within(2, at_least=0.5), pytest.raises(db.OperationalError):
        c.cursor().execute("select pg_sleep(20)")
    running = "select count(*) from pg_stat_activity where application_name = 't_l02'"
    assert wait_for(lambda: psql(running) == "0", 5)
    c = connect(operation_timeout=0.3)
    c.operation_timeout = None
    c.cursor().execute("select pg_sleep(0.6)")
    assert usable(c)
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError):
            c.operation_timeout = wrong
    for wrong in ("x", "-1", "1s"):
        with pytest.raises(db.OperationalError):
            connect(operation_timeout=wrong)


SILENT_DNS = """
    import socket, subprocess
    subprocess.check_call(["ip", "link", "set", "lo", "up"])
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 53))
    conf = "/tmp/torture-resolv-%d.conf" % os.getpid()
    with open(conf, "w") as f: f.write("nameserver 127.0.0.1\\n")
    subprocess.check_call(["mount", "--bind", conf, os.path.realpath("/etc/resolv.conf")])
    os.unlink(conf)
    {arrange}
    t0 = time.monotonic()
    try:
        c = dial(host="db.torture.test", user="x", dbname="x", sslmode="disable", {options})
    except BaseException as e:
        print(type(e).__name__, time.monotonic() - t0, flush=True)
    os._exit(0)
"""


@check(level="beyond", timeout=60, loops="both")
def test_l03_a_silent_name_server_is_given_up():
    """a name server that never answers: Ctrl-C, connect_timeout and operation_timeout end the
    connecting
    """
    prefix = ("unshare", "-n", "-m")
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here")
    interrupt = "later(0.5, os.kill, os.getpid(), signal.SIGINT)"
    cases = [("KeyboardInterrupt", interrupt, ""), ("OperationalError", "", "connect_timeout=2")]
    if DRIVER == "psycoxide":
        cases.append(("OperationalError", "", "operation_timeout=0.5"))
    if DRIVER == "psycoxide" and is_blocking():
        cases.append(("KeyboardInterrupt", interrupt, "async_=1"))
    for expected, arrange, options in cases:
        source = SILENT_DNS.format(arrange=arrange, options=options)
        p = child(source, timeout=25, prefix=prefix)
        said = p.out.replace("OperationTimeout", "OperationalError")
        assert said.startswith(expected), (options, p.out, p.err)
        assert float(p.out.split()[1]) < 3.5, (options, p.out)


BLOCKED = {
    "execute": "c.cursor().execute('select pg_sleep(20)')",
    "copy to": "c.cursor().copy_expert('copy (select pg_sleep(20)) to stdout', File(write=len))",
    "commit": "c.commit()",
    "turn": (
        "threading.Thread(target=lambda: quiet(c.cursor().execute, 'select pg_sleep(6)'), "
        "daemon=True).start(); time.sleep(0.3); c.cursor().execute('select 1')"
    ),
}


@check(level="beyond", timeout=90, loops="both")
def test_l04_signals_end_every_wait():
    """Ctrl-C, and a handler of SIGTERM that raises, in execute, fetch of a named cursor, COPY,
    commit, and while another thread has the connection: within two seconds, usable or closed
    """
    ways_to_wait = dict(BLOCKED)
    if is_blocking():
        ways_to_wait["fetch"] = "named.fetchall()"
    for name, blocked in ways_to_wait.items():
        for number in ("SIGINT", "SIGTERM"):
            p = child(
                f"""
                class Told(Exception): pass
                def on_term(*a): raise Told
                def quiet(f, *a):
                    try: f(*a)
                    except BaseException: pass
                signal.signal(signal.SIGTERM, on_term)
                c = connect()
                if is_blocking():
                    named = c.cursor("n")
                    named.execute("select pg_sleep(20)")
                k = c.cursor()
                k.execute('''create temp table d (x int);
                    create function pg_temp.f() returns trigger
                    language plpgsql as 'begin perform pg_sleep(20); return null; end';
                    create constraint trigger t after insert on d deferrable initially deferred
                    for each row execute function pg_temp.f(); insert into d values (1)''')
                later(0.8, os.kill, os.getpid(), signal.{number})
                t0 = time.monotonic()
                try:
                    {blocked}
                except BaseException as e:
                    print(type(e).__name__, time.monotonic() - t0)
                print({name!r} == "turn" or usable_or_closed(c), flush=True)
                os._exit(0)
                """,
                timeout=25,
            )
            said = p.out.split()
            wanted = "KeyboardInterrupt" if number == "SIGINT" else "Told"
            assert said and said[0] == wanted, (name, number, p.out, p.err)
            waits = not is_blocking() and name == "commit"
            limit = 2.0 + (ways.CANCEL_TIMEOUT if waits else 0)
            assert float(said[1]) < limit and said[2] == "True", (name, number, p.out)


@check(level="beyond", timeout=60, loops="both")
def test_l05_ctrl_c_never_hits_the_next_statement():
    """Ctrl-C around short queries, 120 times: the statement after it is never the victim of a
    cancel that came late
    """
    p = child(
        """
        c = connect()
        c.autocommit = True
        k = c.cursor()
        interrupts = stray = 0
        for i in range(120):
            try:
                timer = later(0.001 * (i % 7), os.kill, os.getpid(), signal.SIGINT)
                k.execute("select pg_sleep(0.005)")
                timer.join()
                time.sleep(0.001)
            except KeyboardInterrupt:
                interrupts += 1
            try:
                k.execute("select %s", (i,))
                assert k.fetchone() == (i,)
            except errors.QueryCanceled:
                stray += 1
        print(interrupts, stray, c.closed)
        """,
        timeout=50,
    )
    interrupts, stray, closed = map(int, p.out.split())
    assert interrupts == 120 and stray == 0 and closed == 0, p.out


@check(level="beyond", timeout=30, loops="both")
def test_l06_ctrl_c_ends_cancel():
    """Ctrl-C while cancel() waits for a peer that stays silent: KeyboardInterrupt, soon"""
    slow = dict(answers=lambda sql, c: c.take(1 << 30), on_cancel=lambda c: c.take(1 << 30))
    with ScriptedServer(**slow) as srv:
        p = child(
            f"""
            c = dial(**{srv.options(connect_timeout=None)!r})
            threading.Thread(target=c.cursor().execute, args=("select 1",), daemon=True).start()
            time.sleep(0.3)
            later(0.7, os.kill, os.getpid(), signal.SIGINT)
            t0 = time.monotonic()
            try: c.cancel()
            except BaseException as e: print(type(e).__name__, time.monotonic() - t0, flush=True)
            os._exit(0)
            """,
            timeout=12,
        )
    assert p.out.startswith("KeyboardInterrupt") and float(p.out.split()[1]) < 2, p.out


@ours
@check(level="beyond", timeout=30, loops="both")
def test_l07_a_cancel_without_an_answer_closes():
    """after Ctrl-C a cancel that was not acknowledged cannot hit a later query: closed"""

    def slow(sql, conn):
        time.sleep(1.5)
        return result([("x", 23, 4)], [[b"1"]])

    with ScriptedServer(on_cancel=lambda c: c.take(1 << 30), answers=slow) as srv:
        p = child(
            f"""
            c = dial(**{srv.options()!r})
            c.autocommit = True
            later(0.5, os.kill, os.getpid(), signal.SIGINT)
            t0 = time.monotonic()
            try: c.cursor().execute("select 1")
            except KeyboardInterrupt:
                # On a loop it is the connection that waits for the cancel request, not the caller.
                if not is_blocking(): wait_for(lambda: c.closed, 7)
                print(c.closed, time.monotonic() - t0)
            """,
            timeout=20,
        )
    closed, seconds = p.out.split()
    assert closed == "2" and float(seconds) < 8, p.out


def waited(c, operate, polled):
    """The seconds after which an operation was given up."""
    t0 = time.monotonic()
    with pytest.raises(db.OperationalError) as ei:
        operate()
        if polled:
            extras.wait_select(c)
    assert "operation_timeout" in str(ei.value) and (c is None or c.closed == 2)
    return time.monotonic() - t0


@ours
@check(level="beyond", timeout=60)
def test_l08_operation_timeout_holds_for_wait_callbacks():
    """operation_timeout holds where a wait callback waits: on a network that went silent, for a
    slow query (which is cancelled on the server), for connecting
    """
    ext.set_wait_callback(extras.wait_select)
    bounded(polled=False)


@ours
@check(level="beyond", timeout=60)
def test_l10_operation_timeout_holds_for_asynchronous_connections():
    """the same where the program's own loop waits for an asynchronous connection"""
    bounded(polled=True)


def bounded(polled):
    how = {"async_": 1} if polled else {}
    for silent, statement in ((True, "select 1"), (False, "select pg_sleep(20) -- t_l08")):
        with relayed() as p:
            c = connect(port=p.port if silent else PORT, operation_timeout=0.7, **how)
            extras.wait_select(c)
            k = c.cursor()
            for pause in (0, 0, 1, 0):
                # Idle time does not count, and each operation has its own.
                time.sleep(pause)
                k.execute("select pg_sleep(0.3)")
                extras.wait_select(c)
            if silent:
                p.stall()
            seconds = waited(c, lambda k=k, statement=statement: k.execute(statement), polled)
            assert 0.5 < seconds < 3, (silent, seconds)
    running = "select count(*) from pg_stat_activity where query like '%-- t_l08' "
    running += "and state = 'active' and pid <> pg_backend_pid()"
    assert wait_for(lambda: psql(running) == "0", 5)
    with ScriptedServer(handler=lambda c: c.take(1 << 30)) as srv:
        options = srv.options(connect_timeout=None, operation_timeout=0.7)

        def attempt():
            c = dial(**options, **how)
            extras.wait_select(c)

        assert 0.5 < waited(None, attempt, False) < 3


@ours
@check(level="beyond", timeout=40)
def test_l09_operation_timeout_bounds_consume_stream():
    """operation_timeout bounds consume_stream(): a server that answers when asked is kept, however
    quiet the stream, one that does not is given up
    """
    asked = []

    def stream(answers):
        def on_query(statement, c):
            if "START_REPLICATION" not in statement.upper():
                return None
            c.send(message(b"W", b"\0\0\0"))
            while True:
                kind, payload = c.take_message()
                # A status update; its last byte asks for an answer.
                if kind == b"d" and payload[:1] == b"r" and payload[-1:] == b"\1":
                    asked.append(time.monotonic())
                    if len(asked) <= answers:
                        c.send(message(b"d", b"k" + struct.pack("!QqB", 200, 0, 0)))

        return on_query

    with ScriptedServer(answers=stream(answers=4)) as srv:
        options = srv.options(operation_timeout=0.8)
        c = dial(**options, connection_factory=extras.LogicalReplicationConnection)
        k = c.cursor()
        k.start_replication(slot_name="s", decode=False)
        # Four halves with an answer, and one without, and the rest of it.
        with within(6, at_least=2.2), pytest.raises(db.OperationalError) as ei:
            k.consume_stream(lambda message: None)
        assert "operation_timeout" in str(ei.value) and c.closed == 2
        assert len(asked) == 5
