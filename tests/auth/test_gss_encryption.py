"""Encryption by GSSAPI (`gssencmode`): a KDC of MIT Kerberos, and a PostgreSQL that does it."""

from __future__ import annotations

import io
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from fixtures.connections import wait_for, waiting
from fixtures.messages import SSL_REQUEST
from fixtures.scripted_server import ScriptedServer, Session

import psycoxide
import psycoxide.extras
from auth import kerberos

HOW = """
    select gss_authenticated, encrypted, principal from pg_stat_gssapi where pid = pg_backend_pid()
"""
PRINCIPAL = f"tester@{kerberos.REALM}"
REQUEST = struct.pack("!II", 8, 80877104)


def how(conn: Any) -> Any:
    with conn.cursor() as cur:
        cur.execute(HOW)
        return cur.fetchone()


def outcome(driver: Any, dsn: str) -> str:
    """How the server sees the connection, or the text of the refusal."""
    try:
        conn = driver.connect(dsn)
    except driver.OperationalError as error:
        return f"refused: {error}"
    found = f"{how(conn)} used_password={conn.info.used_password} ssl={conn.info.ssl_in_use}"
    conn.close()
    return found


@pytest.fixture
def enclosed(gss_dsn: Callable[..., str]) -> Iterator[Any]:
    conn = psycoxide.connect(gss_dsn(gssencmode="require"))
    yield conn
    conn.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gssencmode": "prefer"},
        {"gssencmode": "require"},
        {"gssencmode": "disable"},
        {"sslmode": "require"},
        {"sslmode": "disable", "gssencmode": "require"},
        {"sslmode": "allow"},
        {"sslmode": "verify-full", "gssencmode": "require"},
        {"gssencmode": "require", "require_auth": "gss"},
        {"gssencmode": "require", "require_auth": "!gss"},
        {"gssencmode": "require", "require_auth": "none"},
        {"gssencmode": "require", "require_auth": "scram-sha-256"},
        {"gssencmode": "require", "channel_binding": "require"},
        {"gssencmode": "require", "gssdelegation": "1"},
        {"gssencmode": "require", "krbsrvname": "special"},
        {"gssencmode": "require", "krbsrvname": "nobody"},
        {"gssencmode": "prefer", "krbsrvname": "nobody", "sslmode": "disable"},
        {"gssencmode": "require", "user": "enclosed"},
        {"gssencmode": "prefer", "user": "enclosed"},
        {"gssencmode": "disable", "user": "enclosed", "sslmode": "disable"},
        {"gssencmode": "prefer", "user": "plain", "sslmode": "disable"},
        {"gssencmode": "require", "user": "plain"},
        {"gssencmode": "require", "user": "mapped"},
        {"gssencmode": "require", "host": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("ticket", [True, False], ids=["ticket", "no-ticket"])
def test_the_outcome_is_libpqs(gss_dsn, realm, options, ticket):
    dsn = gss_dsn(**options)
    if not ticket:
        realm.log_out()
    ours, theirs = outcome(psycoxide, dsn), outcome(psycopg2, dsn)
    # The library that psycopg2's wheel brings words its own errors in another version.
    assert kerberos.worded(ours) == kerberos.worded(theirs)


def test_everything_is_encrypted(enclosed):
    assert how(enclosed) == (True, True, PRINCIPAL)
    assert not enclosed.info.ssl_in_use


def test_a_unix_socket_is_never_encrypted(gss_dsn, kerberized):
    place = {"host": kerberized.server.sockets, "hostaddr": ""}
    required = gss_dsn(**place, gssencmode="require")
    ours, theirs = outcome(psycoxide, required), outcome(psycopg2, required)
    assert ours == theirs
    assert "required but it is not supported over a local socket" in ours
    conn = psycoxide.connect(gss_dsn(**place))
    assert how(conn) == (False, False, None)
    conn.close()


def test_large_results_and_large_statements(enclosed):
    cur = enclosed.cursor()
    # Sizes about those of messages, and far more than one.
    for size in [*range(16250, 16400, 7), 65536, 20_000_000]:
        text = "x" * size
        cur.execute("select %s, length(%s)", (text, text))
        assert cur.fetchone() == (text, size)


def test_copy_both_ways(enclosed):
    cur = enclosed.cursor()
    cur.execute("create temp table t (i int, s text)")
    lines = "".join(f"{i}\t{'y' * (i % 300)}\n" for i in range(50_000))
    cur.copy_expert("copy t from stdin", io.StringIO(lines))
    out = io.StringIO()
    cur.copy_expert("copy (select * from t order by i) to stdout", out)
    assert out.getvalue() == lines


def test_a_named_cursor(enclosed):
    with enclosed.cursor("rows") as cur:
        cur.itersize = 100
        cur.execute("select i, repeat('z', 500) from generate_series(1, 3000) i")
        assert sum(i for i, _ in cur) == 3000 * 3001 // 2


def test_asynchronous(gss_dsn):
    conn = psycoxide.connect(gss_dsn(gssencmode="require"), async_=1)
    wait_for(conn)
    cur = conn.cursor()
    cur.execute(HOW)
    wait_for(conn)
    assert cur.fetchone() == (True, True, PRINCIPAL)
    cur.execute("select repeat('a', 5000000)")
    wait_for(conn)
    assert len(cur.fetchone()[0]) == 5_000_000
    conn.close()


def test_with_a_wait_callback(gss_dsn):
    with waiting(psycoxide.extras.wait_select):
        conn = psycoxide.connect(gss_dsn(gssencmode="require"))
        assert how(conn) == (True, True, PRINCIPAL)
        conn.close()


def test_notifications_arrive(enclosed, gss_dsn):
    enclosed.autocommit = True
    with enclosed.cursor() as cur:
        cur.execute("listen here")
    other = psycoxide.connect(gss_dsn(gssencmode="require"))
    other.autocommit = True
    with other.cursor() as cur:
        for i in range(500):
            cur.execute("select pg_notify('here', %s)", (f"{i} " + "n" * 700,))
    other.close()
    until = time.monotonic() + 20
    while len(enclosed.notifies) < 500 and time.monotonic() < until:
        enclosed.poll()
    assert [int(note.payload.split()[0]) for note in enclosed.notifies] == list(range(500))


def test_a_query_is_cancelled(enclosed):
    cur = enclosed.cursor()
    timer = threading.Timer(0.3, enclosed.cancel)
    timer.start()
    with pytest.raises(psycoxide.extensions.QueryCanceledError):
        cur.execute("select pg_sleep(30)")
    timer.join()
    enclosed.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


def test_threads_share_a_connection(enclosed):
    """Sealing and opening hold no lock of Python's, and nobody waits for one."""
    enclosed.autocommit = True
    wrong = []

    def work(number: int) -> None:
        with enclosed.cursor() as cur:
            for i in range(100):
                cur.execute("select %s, repeat('t', 20000)", (number * 1000 + i,))
                if cur.fetchone()[0] != number * 1000 + i:
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert enclosed.closed == 0
        assert enclosed.fileno() > 0
    assert not wrong


def test_the_servers_last_words_come_through(enclosed, kerberized):
    pid = enclosed.info.backend_pid
    kerberized.sql(f"select pg_terminate_backend({pid})")
    with pytest.raises(psycoxide.errors.AdminShutdown):
        enclosed.cursor().execute("select 1")
    assert enclosed.closed == 2


def asked(server: ScriptedServer) -> list[bytes]:
    """How each session began."""
    return [bytes(session.received[:8]) for session in server.sessions]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"N", "server doesn't support GSSAPI encryption, but it was required"),
        (b"E\0\0\0\x10SFATAL\0Mhello\0\0", "server sent an error response during GSS encryption"),
        (b"X", "received invalid response to GSSAPI negotiation: X"),
        (b"Gmore", "received unencrypted data after GSSAPI encryption response"),
        (b"", "server closed the connection unexpectedly"),
    ],
)
def test_an_answer_that_is_no_yes_is_refused(gss_dsn, scripted, answer, text):
    def serve(session: Session) -> None:
        session.take(8)
        session.send(answer)
        session.take(1)

    server = scripted(handler=serve)
    dsn = gss_dsn(port=server.port, gssencmode="require")
    if answer == b"":
        dsn += " connect_timeout=2"
        text = "timeout expired"
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(dsn)
    assert asked(server) == [REQUEST]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            struct.pack("!I", 1 << 20),
            r"oversize GSSAPI packet .* \(1048576 > 65532\)",
        ),
        (struct.pack("!I", 0xFFFFFFFF), "oversize GSSAPI packet sent by the server"),
        (b"Eno kerberos here\0", "server sent an error response during GSS encryption exchange"),
        (struct.pack("!I", 9) + b"not gssapi"[:9], "could not initiate GSSAPI security context: "),
        (struct.pack("!I", 0), "could not initiate GSSAPI security context: "),
    ],
)
def test_a_token_that_is_none_is_refused(gss_dsn, scripted, answer, text):
    def serve(session: Session) -> None:
        session.take(8)
        session.send(b"G")
        (size,) = struct.unpack("!I", session.take(4))
        session.take(size)
        session.send(answer)
        session.take(1)

    server = scripted(handler=serve)
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(gss_dsn(port=server.port, gssencmode="require"))
    assert asked(server) == [REQUEST]


def test_a_server_without_it_is_asked_for_tls_over_the_same_connection(gss_dsn, scripted):
    server = scripted()
    with pytest.raises(psycoxide.OperationalError, match="server does not support SSL"):
        psycoxide.connect(gss_dsn(port=server.port, sslmode="require"))
    assert asked(server) == [REQUEST]
    assert bytes(server.sessions[0].received) == REQUEST + struct.pack("!II", 8, SSL_REQUEST)


def test_a_message_that_was_changed_on_the_way_ends_the_connection(gss_dsn, kerberized, relay):
    """A bit of what the server says after the handshake is flipped."""
    network = relay(("127.0.0.1", kerberized.server.port))
    conn = psycoxide.connect(gss_dsn(port=network.port, gssencmode="require"))
    assert how(conn) == (True, True, PRINCIPAL)
    (connection,) = network.connections
    # Behind the message's length and the header of its token.
    connection.plan.to_client.corrupt = {len(connection.received) + 40: 1}
    with pytest.raises(psycoxide.OperationalError, match="GSSAPI unwrap error: "):
        conn.cursor().execute("select 1")
    assert conn.closed == 2
    conn.close()


def test_where_nothing_of_kerberos_is_set_up(gss_dsn, realm, monkeypatch):
    """Preferring it goes on without, requiring it is an error."""
    for name in realm.environment:
        monkeypatch.delenv(name)
    conn = psycoxide.connect(gss_dsn(user="plain"))
    assert how(conn) == (False, False, None)
    conn.close()
    with pytest.raises(psycoxide.OperationalError, match="required but no credential cache"):
        psycoxide.connect(gss_dsn(user="plain", gssencmode="require"))
