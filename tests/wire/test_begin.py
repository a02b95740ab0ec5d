"""How a transaction begins, through what stands between a program and a server.

Poolers and servers that are not PostgreSQL, whose ways are played by a relay before the server
under test. psycopg2 sends simple queries only, and what works with it has to work here: no
statement may ever run outside its transaction, and nothing may hang.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fixtures.messages import error, message, ready
from fixtures.relay import Conversation, MessageRelay, keep_until_sync, pass_on
from fixtures.scripted_server import Ended
from fixtures.server import ServerUnderTest

import psycoxide
from psycoxide import errors

REFUSED = error(S="ERROR", C="0A000", M="extended query protocol is not supported")
EXTENDED = b"PBDECSH"


def refuse_each(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """ClickHouse until 2025, servers made with psql-wire: each message is refused, none skipped."""
    if kind in EXTENDED:
        conversation.to_client(REFUSED)
    else:
        pass_on(conversation, kind, body)


def refuse_in_other_words(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """A server that names what it does not know, and is ready again each time."""
    if kind in EXTENDED:
        words = f"no message {kind.decode()}"
        conversation.to_client(error(S="ERROR", C="42601", M=words) + ready())
    else:
        pass_on(conversation, kind, body)


def answer_sync_only(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """A server that passes over what it does not know."""
    if kind == b"S":
        conversation.to_client(ready())
    elif kind not in EXTENDED:
        pass_on(conversation, kind, body)


def refuse_each_and_be_ready(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """ProxySQL 3.0.0, by its issue threads: the refusal of each message ends a query."""
    if kind in EXTENDED:
        conversation.to_client(REFUSED + ready())
    else:
        pass_on(conversation, kind, body)


def skip_to_sync(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """A server that refuses Parse, and knows what to skip then."""
    if kind == b"P" and not conversation.kept:
        conversation.kept = b"skipping"
        conversation.to_client(REFUSED)
    elif kind == b"S":
        conversation.kept = b""
        conversation.to_client(ready())
    elif kind not in EXTENDED:
        pass_on(conversation, kind, body)


def hang_up(conversation: Conversation, kind: bytes, body: bytes) -> None:
    """The consoles of poolers: the connection ends at the first message that is not a query."""
    if kind in EXTENDED:
        conversation.client.close()
    pass_on(conversation, kind, body)


def report_little(kind: bytes, body: bytes) -> bytes:
    """Report the parameters that programs ask for, and no more."""
    known = (b"server_version\0", b"client_encoding\0", b"DateStyle\0", b"server_encoding\0")
    return b"" if kind == b"S" and not body.startswith(known) else message(kind, body)


def report_nobodys_session(kind: bytes, body: bytes) -> bytes:
    """PGlite's socket server, which gives several clients turns message by message."""
    nobody = b"session_authorization\0"
    return message(kind, nobody + b"\0" if kind == b"S" and body.startswith(nobody) else body)


def report_as_odyssey(kind: bytes, body: bytes) -> bytes:
    return b"" if kind == b"S" and body.startswith(b"in_hot_standby\0") else message(kind, body)


PEERS: dict[str, tuple[Any, Any]] = {
    "nothing between": (pass_on, message),
    "keeps extended messages until Sync": (keep_until_sync, message),
    "refuses each extended message": (refuse_each, report_little),
    "refuses each, and reports all": (refuse_each, message),
    "refuses each and is ready": (refuse_each_and_be_ready, message),
    "refuses each in other words": (refuse_in_other_words, message),
    "answers Sync only": (answer_sync_only, message),
    "refuses up to the Sync": (skip_to_sync, message),
    "hangs up at an extended message": (hang_up, report_little),
    "reports as Odyssey does": (pass_on, report_as_odyssey),
    "reports nobody's session": (refuse_each, report_nobodys_session),
}


@pytest.fixture
def address(server: ServerUnderTest) -> tuple[str, int]:
    parameters = server.parameters
    return parameters["host"], int(parameters["port"])


@pytest.fixture
def outside(connect: Callable[..., Any]) -> Iterator[Any]:
    """A cursor beside the relay, and a table `begun (a int unique)`."""
    conn = connect()
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute("drop table if exists begun; create table begun (a int unique)")
    yield cur
    cur.execute("drop table begun")


def found(cur: Any) -> list[int]:
    cur.execute("select a from begun order by a")
    return [row[0] for row in cur]


@pytest.fixture(params=PEERS)
def peer(
    request: pytest.FixtureRequest,
    message_relay: Callable[..., MessageRelay],
    address: tuple[str, int],
) -> MessageRelay:
    return message_relay(address, *PEERS[request.param])


@pytest.mark.parametrize("driver_name", ["psycopg2", "psycoxide"])
def test_transactions_hold_through_every_peer(peer, outside, server, driver_name):
    driver: Any = pytest.importorskip(driver_name)
    conn = driver.connect(server.dsn, **peer.options)
    cur = conn.cursor()
    for _ in range(3):
        cur.execute("insert into begun values (1)")
        conn.rollback()
        cur.execute("select 1")
        assert cur.fetchall() == [(1,)]
        cur.execute("insert into begun values (2)")
        conn.rollback()
        with pytest.raises(driver.Error):
            cur.execute("selec 1")
        assert conn.info.transaction_status == 3
        conn.rollback()
        with pytest.raises(driver.Error):
            cur.execute("select 1/0")
        conn.rollback()
    assert found(outside) == []
    cur.execute("insert into begun values (3)")
    conn.commit()
    cur.executemany("insert into begun values (%s)", [(n,) for n in range(4, 8)])
    conn.commit()
    with pytest.raises(driver.IntegrityError):
        cur.executemany("insert into begun values (%s)", [(n,) for n in (8, 9, 4, 10)])
    conn.rollback()
    cur.execute("select count(*) from begun")
    assert cur.fetchone() == (5,)
    named = conn.cursor("some")
    named.execute("select a from begun order by a")
    assert named.fetchall() == [(3,), (4,), (5,), (6,), (7,)]
    conn.rollback()
    conn.lobject(0, "wb").write(b"data")
    conn.rollback()
    cur.copy_expert("copy begun to stdout", open("/dev/null", "w"))  # noqa: SIM115
    conn.commit()
    assert not conn.closed
    conn.close()
    assert found(outside) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("autocommit", [False, True])
def test_many_statements_come_first(peer, outside, server, autocommit):
    """Before the peer has shown what it knows; in autocommit the program begins the transaction."""
    conn = psycoxide.connect(server.dsn, **peer.options)
    conn.autocommit = autocommit
    cur = conn.cursor()
    for expected in ([0, 1, 2, 3], [4, 5, 6, 7]):
        if autocommit:
            cur.execute("begin")
        cur.executemany("insert into begun values (%s)", [(n,) for n in expected])
        assert cur.rowcount == 4
        cur.execute("commit") if autocommit else conn.commit()
        if autocommit:
            cur.execute("begin")
        with pytest.raises(errors.UniqueViolation):
            cur.executemany("insert into begun values (%s)", [(n,) for n in (8, 9, 1, 10)])
        cur.execute("rollback") if autocommit else conn.rollback()
    assert found(outside) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_many_statements_go_together(message_relay, address, server, outside):
    relay = message_relay(address)
    conn = psycoxide.connect(server.dsn, **relay.options)
    cur = conn.cursor()
    rows = [(n,) for n in range(4)]
    sent = []
    for _ in range(2):
        sent.append(said(relay, lambda: cur.executemany("insert into begun values (%s)", rows)))
        conn.rollback()
    together = conn.info.server_version >= 140000
    expected = ["PBESQPBEPBEPBES", "PBEPBEPBEPBEPBES"] if together else ["PBESQQQQ"] * 2
    assert sent == expected


def said(relay: MessageRelay, work: Callable[[], object]) -> str:
    """The types of the messages that `work` sends."""
    (conversation,) = relay.conversations
    conversation.seen = b""
    work()
    return conversation.seen.decode()


def test_what_is_sent(message_relay, address, server, outside):
    """The form of each beginning; PostgreSQL 13 cannot be told from a pooler that loses count."""
    relay = message_relay(address)
    conn = psycoxide.connect(server.dsn, **relay.options)
    cur = conn.cursor()

    def run(query: str) -> str:
        sent = said(relay, lambda: cur.execute(query))
        conn.rollback()
        return sent

    together = "PBEPBDECS" if conn.info.server_version >= 140000 else "PBESQ"
    # The first BEGIN shows what the peer knows.
    assert run("select 1") == "PBESQ"
    for query in (
        "select 1",
        "select 1;",
        "values (1)",
        "table begun",
        "with a as (select 1) table a",
    ):
        assert run(query) == together, query
    # A rule of the table may add a SELECT to what writes; several statements are no statement.
    for query in ("insert into begun values (1)", "select 1; select 2", "show all", "select ';'"):
        assert run(query) == "PBESQ", query
    conn.set_session("serializable", readonly=True)
    assert run("select 1") == together
    conn.set_session("default", readonly="default", autocommit=True)
    assert run("select 1") == "Q"


@pytest.mark.parametrize(
    "name",
    [
        "refuses each extended message",
        "hangs up at an extended message",
        "reports nobody's session",
    ],
)
def test_a_peer_that_reports_little_gets_simple_queries(message_relay, address, server, name):
    relay = message_relay(address, *PEERS[name])
    conn = psycoxide.connect(server.dsn, **relay.options)
    cur = conn.cursor()
    for _ in range(3):
        assert said(relay, lambda: cur.execute("select 1")) == "QQ"
        conn.commit()


def test_a_replication_session_gets_simple_queries(message_relay, address, server):
    relay = message_relay(address)
    conn = psycoxide.connect(server.dsn, replication="database", **relay.options)
    cur = conn.cursor()
    for _ in range(3):
        assert said(relay, lambda: cur.execute("select 1")) == "QQ"
        conn.commit()


def test_a_begin_that_fails_runs_nothing(message_relay, address, server, outside):
    """Whoever cancels it: the statement behind it never runs."""
    canceled = error(S="ERROR", C="57014", M="canceling statement due to user request")

    def cancel_begin(conversation: Conversation, kind: bytes, body: bytes) -> None:
        begin = b"begin" in body.lower() and kind in b"PQ"
        if begin or conversation.kept:
            conversation.kept = b"skipping"
        if not conversation.kept:
            pass_on(conversation, kind, body)
        elif begin:
            conversation.to_client(canceled + (ready() if kind == b"Q" else b""))
            conversation.kept = b"" if kind == b"Q" else b"skipping"
        elif kind == b"S":
            conversation.to_client(ready())
            conversation.kept = b""

    for change in (message, report_little):
        relay = message_relay(address, cancel_begin, change)
        conn = psycoxide.connect(server.dsn, **relay.options)
        cur = conn.cursor()
        for query in ("insert into begun values (1)", "select 1"):
            with pytest.raises(errors.QueryCanceled):
                cur.execute(query)
            assert conn.status == psycoxide.extensions.STATUS_READY
        with pytest.raises(psycoxide.OperationalError, match="canceling statement"):
            conn.lobject(0, "wb")
        assert conn.status == psycoxide.extensions.STATUS_READY
        conn.autocommit = True
        cur.execute("select 1")
        assert cur.fetchone() == (1,)
    assert found(outside) == []


def test_rows_of_a_rule_are_not_lost(message_relay, address, server, outside):
    """An INSERT that a rule makes a SELECT of has rows, also as the first of a transaction."""
    outside.execute("create rule shown as on insert to begun do also select new.a * 2")
    for _ in range(3):
        conn = psycoxide.connect(server.dsn)
        for value in (1, 2):
            cur = conn.cursor()
            cur.execute("insert into begun values (%s)", (value,))
            assert cur.fetchall() == [(value * 2,)]
            conn.rollback()


def test_a_statement_that_went_with_its_begin_leaves_no_snapshot(connect, outside):
    """The server's portal is closed, as behind a simple query, and does not hold up VACUUM."""
    conn = connect()
    cur = conn.cursor()
    for _ in range(3):
        cur.execute("select 1")
        outside.execute(
            "select backend_xmin is null from pg_stat_activity where pid = %s",
            (conn.info.backend_pid,),
        )
        assert outside.fetchone() == (True,)
        conn.commit()


@pytest.mark.parametrize("again", [b"T", b"Z"])
@pytest.mark.parametrize("driver_name", ["psycopg2", "psycoxide"])
def test_a_message_said_twice_changes_nothing(message_relay, address, server, driver_name, again):
    """An answer described twice, a ReadyForQuery too many while idle: libpq passes over them."""

    def say_twice(kind: bytes, body: bytes) -> bytes:
        return message(kind, body) * (2 if kind == again else 1)

    driver: Any = pytest.importorskip(driver_name)
    relay = message_relay(address, pass_on, say_twice)
    conn = driver.connect(server.dsn, **relay.options)
    cur = conn.cursor()
    for _ in range(3):
        cur.execute("select generate_series(1, 3)")
        assert cur.fetchall() == [(1,), (2,), (3,)]
        cur.execute("select 4")
        assert cur.fetchall() == [(4,)]
        conn.commit()
    assert not conn.closed


def test_a_report_that_is_counted_short_is_whole(scripted, driver):
    """pgagroal 2.1 counts one byte too few in its own reports, as in this one."""
    full = error(S="FATAL", V="FATAL", C="53300", M="connection pool is full")
    short = full[:1] + (int.from_bytes(full[1:5], "big") - 1).to_bytes(4, "big") + full[5:]

    def refuse(session: Any) -> None:
        session.send(short)
        raise Ended

    with pytest.raises(driver.OperationalError, match="connection pool is full"):
        driver.connect(scripted(greet=refuse).dsn)


@pytest.mark.parametrize("driver_name", ["psycopg2", "psycoxide"])
def test_a_peer_that_says_it_is_idle_is_sent_its_commit(
    message_relay, address, server, outside, driver_name
):
    """What the driver did decides, not what the peer says: else the rows would be lost."""

    def say_idle(kind: bytes, body: bytes) -> bytes:
        return ready() if kind == b"Z" else message(kind, body)

    driver: Any = pytest.importorskip(driver_name)
    relay = message_relay(address, pass_on, say_idle)
    conn = driver.connect(server.dsn, **relay.options)
    cur = conn.cursor()
    for value in (1, 2):
        cur.execute("insert into begun values (%s)", (value,))
        cur.execute("select 1")
        assert conn.status == driver.extensions.STATUS_BEGIN
        conn.commit()
    assert found(outside) == [1, 2]
