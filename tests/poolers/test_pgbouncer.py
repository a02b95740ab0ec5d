"""PgBouncer's own ways: what it refuses, and what its transaction mode takes away.

In transaction mode a client has a server's session for as long as a transaction lasts. What is left
in a session outside of one is lost, or somebody else's: the manual says so, and these say that it
is so still.
"""

from __future__ import annotations

import time
import uuid

import pytest

from .peers.pooler import SIZE

TITLE = "session"
pytestmark = pytest.mark.only("pgbouncer")


def pid(cur):
    cur.execute("select pg_backend_pid()")
    return cur.fetchone()[0]


@pytest.mark.parametrize(
    "given", [("client_encoding", "LATIN1"), ("application_name", "through it")], ids=lambda g: g[0]
)
def test_parameters_that_it_knows(through, given):
    name, value = given
    conn = through.connect(**{name: value})
    with conn, conn.cursor() as cur:
        cur.execute(f"show {name}")
        assert cur.fetchone() == (value,)


def test_a_parameter_that_it_does_not_know(through):
    with pytest.raises(through.driver.OperationalError, match="parameter"):
        through.connect(options="-c geqo=off")


def test_protocol_3_2(through):
    """1.18 refuses what 1.26 negotiates down: that is why 3.0 is the default."""
    if through.name == "psycopg2":
        pytest.skip("its libpq has no such option")
    if through.pooler.version.startswith("1.18"):
        with pytest.raises(through.driver.OperationalError):
            through.connect(max_protocol_version="3.2")
        return
    conn = through.connect(max_protocol_version="3.2")
    with conn, conn.cursor() as cur:
        cur.execute("select 1")
        assert cur.fetchone() == (1,)


class TestTransactionMode:
    @pytest.fixture
    def two(self, through):
        """Two clients, whose transactions are the only ones there are."""
        if not through.pooler.shares:
            pytest.skip("session mode")
        return through.connect(), through.connect()

    def test_a_session_is_whose_transaction_it_is(self, two):
        first, second = two
        one = pid(first.cursor())
        first.commit()
        assert pid(second.cursor()) == one, "the session was given to the next client"
        assert pid(first.cursor()) != one

    def test_what_is_set_stays_in_the_session(self, two):
        first, second = two
        cur = first.cursor()
        # Not one that the server reports: those PgBouncer sets anew for each client.
        cur.execute("set lock_timeout to '7s'")
        first.commit()
        cur = second.cursor()
        cur.execute("show lock_timeout")
        assert cur.fetchone() == ("7s",)
        cur.execute("reset lock_timeout")
        second.commit()

    def test_a_cursor_with_hold_stays_in_the_session(self, through, two):
        first, second = two
        cur = first.cursor(f"held {uuid.uuid4().hex}", withhold=True)
        cur.execute("select generate_series(1, 5)")
        first.commit()
        second.cursor().execute("select 1")
        with pytest.raises(through.errors.InvalidCursorName):
            cur.fetchall()
        second.rollback()
        first.rollback()

    def test_notifications_do_not_arrive(self, through, two):
        first, _second = two
        first.autocommit = True
        cur = first.cursor()
        cur.execute("listen pooled")
        through.ask("notify pooled")
        time.sleep(0.3)
        first.poll()
        assert first.notifies == []
        cur.execute("unlisten *")

    def test_no_more_sessions_than_the_pool_has(self, through, two):
        found = set()
        for _ in range(4 * SIZE):
            with through.connect() as conn, conn.cursor() as cur:
                found.add(pid(cur))
        assert len(found) <= SIZE
