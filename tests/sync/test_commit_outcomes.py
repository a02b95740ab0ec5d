# Generated from tests/aio/test_commit_outcomes.py by tools/generate_sync.py: do not edit.
"""A connection that is lost in COMMIT: what is said of it agrees with what is in the table."""

from __future__ import annotations

import contextlib
import itertools
import os
import time

import pytest
from fixtures import clusters
from fixtures.relay import Fault, Plan
from fixtures.tasks import sleep, spawn

import psycoxide
from psycoxide import sync
from psycoxide.sync.outcome import Identity, identity, was_committed

# All of them take as many bytes.
NUMBERS = itertools.count(1000)
VERIFY = {"commit": "verify", "verify_within": 20, "retry_min": 0, "retry_max": 0.001}
# Of the bytes before the COMMIT, this many apart.
STEP = 11
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def table(conn):
    name = f"outcomes_{os.getpid()}"
    conn.execute(f"drop table if exists {name}")
    conn.execute(f"create table {name} (n integer)")
    yield name
    conn.execute(f"drop table {name}")


class Cut:
    """Connections through a relay, the first of which is cut."""

    def __init__(self, relay, options, plan=None):
        self.relay = relay
        self.options = options
        self.plan = plan
        self.sent = 0
        self.received = 0

    @contextlib.contextmanager
    def connection(self):
        self.relay.plan, self.plan = self.plan, None
        with sync.connect(**self.options) as conn:
            self.relay.plan = None
            yield conn

    def note(self):
        """How much was passed on up to now."""
        last = self.relay.connections[-1]
        self.sent, self.received = len(last.sent), len(last.received)


@pytest.fixture
def relayed(server, relay):
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    return found, {**server.parameters, **found.options}


def insert(source, table, **options):
    """Writes a number; it, and what is said of the transaction."""
    number = next(NUMBERS)
    try:
        for attempt, transaction in sync.Retrying(source, **options):
            with attempt, transaction as lent:
                lent.execute(f"insert into {table} values (%s)", (number,))
                source.note()
    except sync.CommitUnknown:
        return number, "unknown"
    except psycoxide.Error:
        return number, "aborted"
    return number, "committed"


def content(conn, table):
    return sorted(conn.fetch(f"select n from {table}", row_factory=sync.scalar_row))


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_cut_at_every_byte(conn, table, relayed, direction, how):
    found, options = relayed
    whole = Cut(found, options)
    number, outcome = insert(whole, table, attempts=1, **VERIFY)
    assert outcome == "committed"
    last = found.connections[-1]
    first, end = {
        "to_server": (whole.sent, last.sent.index(b"COMMIT") + len(b"COMMIT\0")),
        "to_client": (whole.received, last.received.rindex(b"COMMIT") + len(b"COMMIT\0Z....I")),
    }[direction]
    expected = [number]
    seen = set()
    for cut in [*range(first, end - 30, STEP), *range(end - 30, end + 1)]:
        plan = Plan(**{direction: Fault(cut_after=cut, how=how)})
        number, outcome = insert(Cut(found, options, plan), table, attempts=1, **VERIFY)
        assert outcome != "unknown"
        seen.add(outcome)
        if outcome == "committed":
            expected.append(number)
        assert content(conn, table) == expected, f"cut after {cut}: {outcome}"
    assert seen == {"committed", "aborted"}
    # What is said to be aborted does not come later.
    sleep(0.1)
    assert content(conn, table) == expected


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_it_is_run_again_if_it_was_aborted(conn, table, relayed, direction):
    found, options = relayed
    whole = Cut(found, options)
    expected = [insert(whole, table, **VERIFY)[0]]
    last = found.connections[-1]
    commit = {
        "to_server": last.sent.index(b"COMMIT") - 5,
        "to_client": last.received.rindex(b"COMMIT") - 5,
    }[direction]
    for cut in range(commit, commit + 19):
        plan = Plan(**{direction: Fault(cut_after=cut)})
        number, outcome = insert(Cut(found, options, plan), table, **VERIFY)
        assert outcome == "committed"
        expected.append(number)
        assert content(conn, table) == expected


def test_without_verifying_it_is_unknown(conn, table, relayed):
    found, options = relayed
    for text in ("COMMIT", "COMMIT\0Z"):
        plan = Plan(to_client=Fault(on_match=(text.encode(), lambda each: each.kill())))
        number, outcome = insert(Cut(found, options, plan), table, attempts=5)
        assert outcome == "unknown"
        assert number in content(conn, table)


def test_what_is_unknown_has_the_number_of_the_transaction(conn, table, relayed):
    found, options = relayed
    source = Cut(found, options)
    found.plan = None
    with pytest.raises(sync.CommitUnknown, match="lost in COMMIT") as caught:
        for attempt, transaction in sync.Retrying(source, commit="verify", verify_within=0.3):
            with attempt, transaction as lent:
                lent.execute(f"insert into {table} values (1)")
                xid = lent.fetchval("select txid_current_if_assigned()")
                found.refuse()
                commit = (b"COMMIT", lambda each: each.kill())
                found.connections[-1].plan.to_client.on_match = commit
    assert caught.value.xid == xid
    assert isinstance(caught.value.__cause__, psycoxide.Error)
    assert conn.fetchval("select txid_status(%s)", (xid,)) == "committed"


def test_a_commit_whose_answer_does_not_come(conn, table, relayed):
    found, options = relayed
    source = Cut(found, {**options, "command_timeout": 0.3})
    hold = (b"COMMIT", lambda each: each.holds_answers.set())
    source.plan = Plan(to_server=Fault(on_match=hold))
    number, outcome = insert(source, table, **VERIFY)
    assert outcome == "committed"
    assert content(conn, table) == [number]


def test_what_has_written_nothing_has_no_number(relayed):
    found, options = relayed
    source = Cut(found, options)
    source.plan = Plan(to_server=Fault(on_match=(b"COMMIT", lambda each: each.kill())))
    with pytest.raises(sync.CommitUnknown) as caught:
        for attempt, transaction in sync.Retrying(source, **VERIFY):
            with attempt, transaction as lent:
                lent.execute("select 1")
    assert caught.value.xid is None


def test_what_has_sent_nothing_is_not_asked_about(relayed):
    found, options = relayed
    for attempt, transaction in sync.Retrying(Cut(found, options), **VERIFY):
        with attempt, transaction:
            pass
    assert b"txid" not in found.connections[-1].sent


def test_an_error_that_was_caught_in_the_block(conn, table, relayed):
    found, options = relayed
    with pytest.raises(psycoxide.errors.InFailedSqlTransaction):
        for attempt, transaction in sync.Retrying(Cut(found, options), **VERIFY):
            with attempt, transaction as lent:
                lent.execute(f"insert into {table} values (1)")
                with contextlib.suppress(psycoxide.Error):
                    lent.execute("select 1 / 0")
    assert content(conn, table) == []


def test_on_one_connection(conn, dsn, table):
    """It cannot be had again, but the outcome is known."""
    with sync.connect(dsn) as mine:
        for attempt, transaction in mine.retrying(commit="verify"):
            with attempt, transaction as lent:
                lent.execute(f"insert into {table} values (1)")
        assert content(conn, table) == [1]
        with pytest.raises(psycoxide.OperationalError) as caught:
            for attempt, transaction in mine.retrying(commit="verify"):
                with attempt, transaction as lent:
                    lent.execute(f"insert into {table} values (2)")
                    query = "select pg_terminate_backend(%s)"
                    conn.execute(query, (lent.info.backend_pid,))
                    while conn.fetchval(
                        "select count(*) from pg_stat_activity where pid = %s",
                        (lent.info.backend_pid,),
                    ):
                        sleep(0.01)
        assert not isinstance(caught.value, sync.CommitUnknown)
    assert content(conn, table) == [1]


# ---- the question -------------------------------------------------------------------------------


@pytest.fixture
def lost(dsn):
    """A connection in a transaction that has written something."""
    with sync.connect(dsn, autocommit=False) as conn:
        conn.execute("create table never (n integer)")
        yield conn


def test_a_session_that_waits_for_its_commit_is_ended(lost):
    """Only a part of the COMMIT has arrived, and nobody has told the server of the loss."""
    began = time.monotonic()
    assert was_committed(lost, identity(lost), 10) is False
    assert time.monotonic() - began < 5
    with pytest.raises(psycoxide.OperationalError, match="terminating"):
        lost.commit()


def test_a_session_that_is_at_work_is_left_alone(lost):
    who = identity(lost)
    working = spawn(lost.execute, "select pg_sleep(1.5)")
    sleep(0.1)
    assert was_committed(lost, who, 0.5) is None
    (working if hasattr(working, "get_loop") else sleep(2))
    assert lost.fetchval("select 1") == 1
    lost.rollback()
    assert was_committed(lost, who, 10) is False


def test_the_password_is_asked_for_again(conn, server):
    """It may be a token that ends soon."""
    if "password" not in server.parameters:
        pytest.skip("the given server needs no password")
    calls = []

    def password():
        calls.append(1)
        return server.parameters["password"]

    with sync.connect(**{**server.parameters, "password": password}) as mine:
        with mine.transaction():
            mine.fetchval("select txid_current()")
            who = identity(mine)
        before = len(calls)
        assert was_committed(mine, who, 10) is True
        assert len(calls) > before


def test_a_number_of_another_timeline(conn):
    with conn.transaction():
        conn.fetchval("select txid_current()")
        who = identity(conn)
    assert was_committed(conn, who, 10) is True
    assert was_committed(conn, Identity(who.xid, "00000099"), 10) is None


def test_a_number_that_was_not_given_yet(conn):
    who = identity(conn)
    assert who.xid is None
    now = conn.fetchval("select txid_current()")
    assert was_committed(conn, Identity(now + 1_000_000, who.timeline), 10) is False


# ---- servers of the test's own ------------------------------------------------------------------


@pytest.fixture(scope="module")
def primary():
    with clusters.fresh() as found:
        yield found


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_a_server_that_is_restarted_in_commit(primary, relay, direction):
    found = relay((primary.server.host, primary.server.port))
    keys = ("dbname", "user", "password")
    options = {**{key: getattr(primary.server, key) for key in keys}, **found.options}
    restarts = []

    def restart(each):
        restarts.append(1)
        primary.stop()
        # It has to outlive the thread of the relay.
        clusters.cluster.resume(primary.server, outlive=True)
        each.kill()

    fault = Fault(on_match=(b"COMMIT", restart))
    with sync.connect(primary.server.dsn) as conn:
        conn.execute("drop table if exists outcomes")
        conn.execute("create table outcomes (n integer)")
    source = Cut(found, options, Plan(**{direction: fault}))
    number, outcome = insert(source, "outcomes", **VERIFY)
    assert outcome == "committed"
    assert restarts == [1]
    with sync.connect(primary.server.dsn) as conn:
        assert content(conn, "outcomes") == [number]


def test_a_standby_does_not_know(primary):
    with clusters.standby_of(primary) as standby:
        with sync.connect(primary.server.dsn) as conn, conn.transaction():
            conn.fetchval("select txid_current()")
            who = identity(conn)
        with sync.connect(standby.server.dsn) as conn:
            assert was_committed(conn, who, 0.5) is None
