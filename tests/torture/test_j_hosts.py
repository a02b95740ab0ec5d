"""J: several hosts, addresses, sockets, failover, pgbouncer, two-phase commit."""

import os
import signal
import subprocess
import threading
import time

import pytest
from fixtures.messages import failure, reporting, result
from fixtures.scripted_server import Ended, ScriptedServer
from support import (
    BPORT,
    LAB,
    PORT,
    SOCK,
    base,
    check,
    child,
    connect,
    db,
    dial,
    errors,
    is_blocking,
    psql,
    takes_connections,
    usable,
    wait_for,
    within,
)


@check(timeout=40, loops="either")
def test_j01_lists_of_hosts_are_tried_in_order(refusing, silent):
    """host lists: refused, then silent (connect_timeout per host), then good; ports by position;
    all bad: one error naming each
    """
    dead, q = refusing, silent
    with within(2):
        c = dial(**base(host="127.0.0.1,127.0.0.1", port=f"{dead},{PORT}"))
    assert str(c.info.port) == str(PORT) and usable(c)
    with within(8, at_least=1.5):
        c = dial(**base(host="127.0.0.1,127.0.0.1", port=f"{q},{PORT}", connect_timeout=2))
    assert usable(c)
    with within(9), pytest.raises(db.OperationalError) as ei:
        dial(**base(host="127.0.0.1,127.0.0.1", port=f"{dead},{q}", connect_timeout=2))
    assert str(dead) in str(ei.value) and str(q) in str(ei.value)
    with pytest.raises(db.OperationalError):
        dial(**base(host="127.0.0.1,127.0.0.1", port="1,2,3"))
    # authentication failure on the first host does not go on to the second (libpq)
    with pytest.raises(db.OperationalError):
        dial(**base(host="127.0.0.1,127.0.0.1", user="u_scram", password="x"))


@check(timeout=30, loops="either")
def test_j02_every_kind_of_address():
    """name with several addresses, IPv6, Unix socket directory, abstract socket, hostaddr; a dead
    socket says so
    """
    with ScriptedServer() as srv:  # localhost is ::1 and 127.0.0.1: only the second listens
        with within(3):
            dial(**srv.options(host="localhost")).close()
    for kw in (
        dict(host="::1"),
        dict(host=SOCK),
        dict(host=f"@/torture{PORT}"),
        dict(host="whatever.invalid", hostaddr="127.0.0.1"),
        dict(host=None, hostaddr="127.0.0.1"),
    ):
        c = dial(**base(**kw))
        assert usable(c), kw
        c.close()
    dial(f"postgresql://torture@[::1]:{PORT}/torture?sslmode=disable").close()
    from urllib.parse import quote

    dial(f"postgresql://torture@{quote(SOCK, safe='')}:{PORT}/torture").close()
    for kw in (
        dict(host="/nonexistent"),
        dict(host="@nothing"),
        dict(host="no.such.host.invalid"),
        dict(host=SOCK, port=1),
        dict(host="/" + "x" * 300),
        dict(hostaddr="999.1.1.1"),
        dict(hostaddr="not-an-address"),
    ):
        with within(10), pytest.raises(db.OperationalError) as ei:
            dial(**base(connect_timeout=4, **kw))
        assert len(str(ei.value)) > 20


@check(timeout=30, loops="either")
def test_j03_target_session_attrs_finds_its_server():
    """target_session_attrs over a standby and a primary: read-write, read-only, primary, standby,
    prefer-standby, any
    """

    def node(standby, ro=False):
        v = {
            "in_hot_standby": "on" if standby else "off",
            "default_transaction_read_only": "on" if ro else "off",
        }

        def q(s, c):
            u = s.lower()
            if "pg_is_in_recovery" in u:
                return result([("x", 16)], [[b"t" if standby else b"f"]])
            if "transaction_read_only" in u:
                return result([("x", 25)], [[b"on" if standby or ro else b"off"]])

        return ScriptedServer(reporting(**v), answers=q)

    with node(True) as sb, node(False) as pr, node(False, ro=True) as ro:
        for attrs, hosts, want in (
            ("any", (sb, pr), sb),
            ("read-write", (sb, ro, pr), pr),
            ("read-only", (pr, sb), sb),
            ("read-only", (pr, ro), ro),
            ("primary", (sb, pr), pr),
            ("primary", (sb, ro), ro),
            ("standby", (pr, sb), sb),
            ("prefer-standby", (pr, sb), sb),
            ("prefer-standby", (pr, ro), pr),
            ("read-write", (sb, ro), None),
            ("standby", (pr, ro), None),
        ):
            kw = dict(
                host=",".join("127.0.0.1" for _ in hosts),
                port=",".join(str(h.port) for h in hosts),
                user="torture",
                dbname="torture",
                sslmode="disable",
                target_session_attrs=attrs,
                connect_timeout=5,
            )
            if want is None:
                with pytest.raises(db.OperationalError):
                    dial(**kw)
            else:
                c = dial(**kw)
                assert str(c.info.port) == str(want.port), attrs
                c.close()
    c = connect(target_session_attrs="read-write")
    assert usable(c)


@check(timeout=60)
def test_j04_pgbouncer_leaves_nothing_of_others():
    """pgbouncer, transaction pooling, 24 clients on 3 servers: statements, named cursors, COPY,
    errors - no leftovers of others
    """
    import io

    if LAB["lacks_bouncer"]:
        pytest.skip(LAB["lacks_bouncer"])
    bad = []

    def work(k):
        try:
            c = dial(**base(port=BPORT))
            for i in range(12):
                cur = c.cursor()
                cur.execute("select %s, %s, %s::date", (k, f"v{i}'\\", "2024-01-02"))
                assert cur.fetchone()[:2] == (k, f"v{i}'\\")
                n = c.cursor(f"cur{k}")
                n.itersize = 3
                n.execute("select g from generate_series(1, 10) g")
                assert [r[0] for r in n] == list(range(1, 11))
                n.close()
                out = io.StringIO()
                cur.copy_expert(f"copy (select {k} from generate_series(1, 20)) to stdout", out)
                assert out.getvalue() == f"{k}\n" * 20
                if i % 3 == 0:
                    with pytest.raises(errors.DivisionByZero):
                        cur.execute("select 1/0")
                    c.rollback()
                else:
                    c.commit()
                cur.executemany("select %s", [(1,), (2,)])
                c.commit()
            c.autocommit = True
            for i in range(12):
                cur = c.cursor()
                cur.execute("select %s", (i,))
                assert cur.fetchone() == (i,)
            c.close()
        except BaseException as e:
            bad.append((k, repr(e)[:200]))

    ts = [threading.Thread(target=work, args=(k,)) for k in range(24)]
    for t in ts:
        t.start()
    for t in ts:
        t.join(50)
    assert not any(t.is_alive() for t in ts), "hang"
    assert not bad, bad[:3]


@check(timeout=20)
def test_j05_the_startup_packet_has_only_what_was_asked_for():
    """startup packet: only what was asked for (poolers refuse unknown parameters); user first,
    protocol 3.0 or 3.2
    """
    with ScriptedServer() as srv:
        dial(**srv.options()).close()
        dial(
            **srv.options(application_name="app", options="-c a=b", client_encoding="LATIN1")
        ).close()
        a, b = srv.sessions[0], srv.sessions[1]
        assert set(a.startup) <= {
            "user",
            "database",
            "client_encoding",
            "application_name",
            "DateStyle",
            "TimeZone",
        }, a.startup
        assert a.protocol in (196608, 196610) and a.startup["user"] == "tester"
        assert (
            b.startup["application_name"] == "app"
            and b.startup["options"] == "-c a=b"
            and b.startup["client_encoding"] == "LATIN1"
        )
        assert a.requests in (["startup"], ["gss", "startup"])


@check(timeout=30, loops="either")
def test_j06_a_failover_has_its_exceptions(conn):
    """failover seen by the client: read-only server and conflict with recovery give their own
    exceptions, connection usable
    """
    cur = conn.cursor()
    cur.execute("set session characteristics as transaction read only")
    conn.commit()
    with pytest.raises(errors.ReadOnlySqlTransaction):
        cur.execute("create table nope (x int)")
    assert usable(conn)
    for code, cls, _keep in (
        ("40001", errors.SerializationFailure, True),
        ("57P04", errors.DatabaseDropped, False),
        ("57P03", errors.CannotConnectNow, True),
        ("40P01", errors.DeadlockDetected, True),
        ("53300", errors.TooManyConnections, True),
    ):
        with ScriptedServer(answers=lambda s, c: failure(code, "conflict")) as srv:
            c = dial(**srv.options())
            with pytest.raises(cls) as ei:
                c.cursor().execute("select 1")
            assert (
                isinstance(ei.value, db.OperationalError)
                and ei.value.pgcode == code
                and c.closed == 0
            )
    for code in ("57P03", "53300", "3D000", "28000"):
        with ScriptedServer(
            greet=lambda c: (
                c.send(failure(code, "not now", severity="FATAL")),
                (_ for _ in ()).throw(Ended("x")),
            )
        ) as srv:
            with within(4), pytest.raises(db.OperationalError) as ei:
                dial(**srv.options())
            assert "not now" in str(ei.value)


@check(timeout=60, alone=True, loops="either")
def test_j07_a_prepared_transaction_survives_a_crash():
    """two-phase commit: prepared, server crashes, new connection finds the xid with tpc_recover
    and commits: nothing lost
    """
    psql("drop table if exists j07; create table j07 (x int)")
    c = connect()
    xid = c.xid(7, "gtrid-'x", "bq")
    c.tpc_begin(xid)
    c.cursor().execute("insert into j07 values (1)")
    c.tpc_prepare()
    other = connect()
    os.kill(other.info.backend_pid, signal.SIGKILL)

    time.sleep(0.5)
    assert wait_for(takes_connections, 30, 0.2)
    with pytest.raises(db.Error):
        c.tpc_commit()
    c2 = connect()
    xids = [x for x in c2.tpc_recover() if x.gtrid == "gtrid-'x"]
    assert len(xids) == 1 and xids[0].bqual == "bq" and xids[0].format_id == 7
    c2.tpc_commit(xids[0])
    assert psql("select count(*) from j07") == "1"
    assert not [x for x in c2.tpc_recover() if x.gtrid == "gtrid-'x"]


# A name with these addresses, in a file of its own: nobody else sees it.
SEVERAL = """
    import socket, subprocess
    hosts = "/tmp/torture-hosts-%d" % os.getpid()
    with open(hosts, "w") as f:
        for address in {addresses!r}: f.write(address + " db.torture.test\\n")
    subprocess.check_call(["mount", "--bind", hosts, "/etc/hosts"])
    os.unlink(hosts)
    silent = []
    for address in {silent!r}:
        s = socket.socket()
        s.bind((address, PORT))
        s.listen(5)
        silent.append(s)
    t0 = time.monotonic()
    try:
        c = dial(**base(host="db.torture.test", **{options!r}))
        if {options!r}.get("async_"): extras.wait_select(c)
        k = c.cursor()
        k.execute("select host(inet_server_addr())")
        if {options!r}.get("async_"): extras.wait_select(c)
        print("OK", time.monotonic() - t0, k.fetchone()[0])
    except db.OperationalError as e:
        print("OperationalError", time.monotonic() - t0, " ".join(str(e).split()))
    os._exit(0)
"""


@check(timeout=60, loops="either")
def test_j08_each_address_of_a_name_is_tried():
    """a name with several addresses: each is tried, with connect_timeout for itself, refusing and
    silent ones alike; if none is good the error names them all
    """
    prefix = ("unshare", "-m")
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces here")
    quiet, refusing, good = ["127.0.0.3", "127.0.0.4"], "127.0.0.2", "127.0.0.1"
    cases = [
        ([refusing, good], [], {}, "OK", (0, 2)),
        ([good, refusing], [], {"async_": 1}, "OK", (0, 2)),
        ([refusing, good], [], {"async_": 1}, "OK", (0, 2)),
        ([*quiet, refusing, good], quiet, {"connect_timeout": 2}, "OK", (0, 6)),
        ([*quiet, refusing], quiet, {"connect_timeout": 2}, "OperationalError", (3.5, 6)),
        ([refusing, good], [], {"load_balance_hosts": "random"}, "OK", (0, 2)),
    ]
    for addresses, silent, options, expected, (least, most) in cases:
        if options.get("async_") and not is_blocking():
            continue
        source = SEVERAL.format(addresses=addresses, silent=silent, options=options)
        said = child(source, timeout=20, prefix=prefix).out.split()
        assert said[0] == expected, (addresses, said)
        assert least <= float(said[1]) <= most, (addresses, options, said)
        if expected == "OK":
            assert said[2] == good, said
        else:
            assert all(f"({address})" in " ".join(said) for address in addresses), said
