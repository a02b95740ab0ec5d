# Generated from tests/aio/test_faults.py by tools/generate_sync.py: do not edit.
"""Networks that break, hang or dawdle, and servers that flood or lie."""

from __future__ import annotations

import contextlib
import time

import pytest
from fixtures.messages import ready, rows
from fixtures.relay import Fault, Plan, Relay
from fixtures.scripted_server import Raw
from fixtures.tasks import join, sleep, spawn

import psycoxide
from psycoxide import sync

SLOW = "select pg_sleep(600)"
pytestmark = pytest.mark.timeout(25)


@pytest.fixture
def relayed(server, relay):
    """A function that starts a relay before the server, and gives it with what to connect with."""
    if not server.port:
        pytest.skip("the given server's port is not known")

    def start(plan=None):
        found = relay((server.host, server.port), plan)
        options = {**server.parameters, **found.options}
        return found, options

    return start


def work(options):
    """A bit of everything, with right answers or an error."""
    with sync.connect(**options) as conn:
        assert conn.fetch("select generate_series(1, 3)") == [(1,), (2,), (3,)]
        with conn.transaction():
            conn.execute("create temporary table t (n integer)")
            with conn.transaction():
                conn.execute("insert into t values (1)")
            assert conn.fetchval("select count(*) from t") == 1
        assert conn.fetchval("select length(%s)", ("x" * 5000,)) == 5000
    return True


# ---- loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("direction", ["to_client", "to_server"])
def test_the_connection_is_lost_after_any_byte(relayed, direction, how):
    whole, options = relayed()
    assert work(options)
    total = len(getattr(whole.connections[0], {"to_client": "received"}.get(direction, "sent")))
    cuts = [*range(40), *range(40, total, 97)]
    found, options = relayed()
    for cut in cuts:
        found.plan = Plan(**{direction: Fault(cut_after=cut, how=how)})
        began = time.monotonic()
        # What is lost at the very end does no harm.
        with contextlib.suppress(psycoxide.OperationalError, psycoxide.InterfaceError):
            work(options)
            assert cut > total - 200
        assert time.monotonic() - began < 5


def test_everyone_learns_of_a_loss(relayed):
    found, options = relayed()
    with sync.connect(**options) as conn:
        waiting = [spawn(conn.fetchval, "select pg_sleep(5)") for _ in range(3)]
        sleep(0.05)
        found.kill("rst")
        for each in waiting:
            with pytest.raises((psycoxide.OperationalError, psycoxide.InterfaceError)):
                join(each)
        assert conn.closed
        assert conn.broken


def test_loss_inside_a_transaction(relayed):
    found, options = relayed()
    with sync.connect(**options) as conn:
        with pytest.raises(psycoxide.OperationalError):
            with conn.transaction():
                conn.execute("select 1")
                found.kill()
                conn.execute("select 2")
        with pytest.raises(psycoxide.Error):
            conn.fetchval("select 1")


def test_the_servers_last_words_while_nobody_listens(dsn, conn):
    with sync.connect(dsn) as idle:
        conn.execute("select pg_terminate_backend(%s)", [idle.info.backend_pid])
        sleep(0.2)
        with pytest.raises(psycoxide.errors.AdminShutdown) as caught:
            idle.fetchval("select 1")
        assert caught.value.pgcode == "57P01"
        assert idle.broken


# ---- networks that say nothing ----------------------------------------------------------------


def test_timeout_on_a_network_that_is_silent(relayed):
    found, options = relayed()
    with sync.connect(**options, cancel_timeout=0.2) as conn:
        found.stall()
        began = time.monotonic()
        with pytest.raises(sync.OperationTimeout):
            conn.fetchval("select 1", timeout=0.1)
        with pytest.raises(psycoxide.Error):
            conn.fetchval("select 2", timeout=10)
        assert 0.1 < time.monotonic() - began < 3
        assert conn.closed
        found.flow()


def test_timeout_of_commit_on_a_network_that_is_silent(relayed):
    found, options = relayed()
    with sync.connect(**options, command_timeout=0.2) as conn:
        began = time.monotonic()
        with pytest.raises(sync.OperationTimeout):
            with conn.transaction():
                conn.execute("select 1")
                found.stall()
        assert time.monotonic() - began < 3
        assert conn.closed
        found.flow()


def test_close_on_a_network_that_is_silent(relayed):
    found, options = relayed()
    with sync.connect(**options) as conn:
        conn.execute("select 1")
        found.stall()
        began = time.monotonic()
        conn.close()
        assert time.monotonic() - began < 1
    found.flow()


def test_operation_timeout_on_a_network_that_is_silent(relayed, silent):
    found, options = relayed()
    with sync.connect(**options, operation_timeout=0.3, cancel_timeout=0.2) as conn:
        found.stall()
        began = time.monotonic()
        with pytest.raises(psycoxide.OperationalError, match="timeout expired"):
            conn.fetchval("select 1")
        found.flow()
    with pytest.raises(psycoxide.OperationalError, match="timeout expired"):
        sync.connect(host="127.0.0.1", port=silent, operation_timeout=0.3)
    assert 0.6 < time.monotonic() - began < 5


# ---- cancel requests that do not arrive -------------------------------------------------------


class OneWay(Relay):
    """Takes the first connection, and leaves the others alone."""

    def _connection(self, client):
        found = super()._connection(client)
        if self.connections:
            found.run = lambda: None
        return found


def test_a_cancel_request_that_hangs(server):
    with OneWay((server.host, server.port)) as found:
        options = {**server.parameters, **found.options, "cancel_timeout": 0.2}
        with sync.connect(**options) as conn:
            began = time.monotonic()
            with pytest.raises(sync.OperationTimeout):
                conn.execute(SLOW, timeout=0.05)
            with pytest.raises(psycoxide.Error):
                conn.fetchval("select 1")
            assert time.monotonic() - began < 3
            assert conn.closed


def test_a_cancel_request_that_is_refused(server):
    with Relay((server.host, server.port)) as found:
        options = {**server.parameters, **found.options}
        with sync.connect(**options) as conn:
            found.refuse()
            began = time.monotonic()
            with pytest.raises(sync.OperationTimeout):
                conn.execute(SLOW, timeout=0.05)
            with pytest.raises(psycoxide.Error):
                conn.fetchval("select 1", timeout=10)
            assert time.monotonic() - began < 7
            assert conn.closed


# ---- servers that are slow, flood or lie ------------------------------------------------------


def test_more_answers_than_questions(scripted):
    answer = rows("7") + ready()
    with scripted(answers=lambda sql, session: Raw(answer * 2)) as liar:
        with sync.connect(liar.dsn, command_timeout=5) as conn:
            with pytest.raises((psycoxide.Error, AssertionError)):
                for _ in range(3):
                    assert conn.fetchval("select 1") == "7"
                    sleep(0.05)
                raise AssertionError("nobody noticed")


NOTICES = "do $$ begin for i in 1..{} loop raise notice '%', i; end loop; end $$"
