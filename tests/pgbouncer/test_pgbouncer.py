"""PgBouncer between us and the server: what works in session and in transaction mode, and what not.

In transaction mode a client has a server's session for as long as a transaction lasts. What is left
in a session outside of one is lost, or somebody else's.
"""

from __future__ import annotations

import io
import threading
import time
from typing import Any

import pytest
from fixtures.connections import wait_for

import psycoxide
from psycoxide import extensions, extras, sql

ISOLATION = "show transaction_isolation"


def pid(cur: Any) -> Any:
    cur.execute("select pg_backend_pid()")
    return cur.fetchone()[0]


def test_the_session_begins(conn):
    assert conn.encoding == "UTF8"
    assert conn.server_version >= 150000
    assert conn.info.parameter_status("standard_conforming_strings") == "on"
    assert conn.status == extensions.STATUS_READY
    assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_transactions(conn):
    with conn, conn.cursor() as cur:
        cur.execute("create temporary table seen (x int) on commit drop")
        first = pid(cur)
        cur.execute("insert into seen select generate_series(1, 10)")
        cur.execute("select sum(x) from seen")
        assert cur.fetchone() == (55,)
        assert pid(cur) == first
    with conn, conn.cursor() as cur:
        cur.execute("select to_regclass('pg_temp.seen')")
        assert cur.fetchone() == (None,)


def test_a_rollback(conn, bouncer):
    with conn, conn.cursor() as cur:
        cur.execute("create table if not exists bounced (x int)")
        cur.execute("delete from bounced")
    with conn.cursor() as cur:
        cur.execute("insert into bounced values (1)")
        conn.rollback()
        cur.execute("select count(*) from bounced")
        assert cur.fetchone() == (0,)
        with pytest.raises(psycoxide.errors.UndefinedTable):
            cur.execute("select * from not_there")
        with pytest.raises(psycoxide.errors.InFailedSqlTransaction):
            cur.execute("select 1")
        conn.rollback()
        cur.execute("drop table bounced")
    conn.commit()


def test_autocommit(conn):
    conn.autocommit = True
    with conn.cursor() as cur:
        for number in range(20):
            cur.execute("select %s", (number,))
            assert cur.fetchone() == (number,)
    assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_characteristics_of_a_transaction(conn):
    conn.set_session(isolation_level="SERIALIZABLE", readonly=True)
    with conn, conn.cursor() as cur:
        cur.execute(ISOLATION)
        assert cur.fetchone() == ("serializable",)
        cur.execute("show transaction_read_only")
        assert cur.fetchone() == ("on",)


def test_many_clients_on_few_sessions(start):
    bouncer = start("transaction", size=2)
    found: list[Any] = []

    def work(number: int) -> None:
        made = psycoxide.connect(**bouncer.options())
        for _ in range(10):
            with made, made.cursor() as cur:
                cur.execute("select %s, pg_backend_pid()", (number,))
                found.append(cur.fetchone())
        made.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(number for number, _ in found) == sorted(list(range(8)) * 10)
    assert len({session for _, session in found}) <= 2


def test_a_named_cursor_in_a_transaction(conn):
    with conn, conn.cursor("walk") as cur:
        cur.itersize = 10
        cur.execute("select generate_series(1, 100)")
        assert sum(row[0] for row in cur) == 5050


def test_helpers(conn):
    with conn, conn.cursor() as cur:
        cur.execute("create temporary table helped (x int, y text) on commit drop")
        extras.execute_values(cur, "insert into helped values %s", [(n, "é") for n in range(50)])
        extras.execute_batch(
            cur, "insert into helped values (%s, %s)", [(n, "b") for n in range(9)]
        )
        cur.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("helped")))
        assert cur.fetchone() == (59,)


def test_a_prepared_statement_in_a_transaction(conn):
    with conn, conn.cursor() as cur:
        cur.execute("prepare twice as select $1::int * 2")
        cur.execute("execute twice (%s)", (21,))
        assert cur.fetchone() == (42,)
        cur.execute("deallocate twice")


def test_copy(conn):
    with conn, conn.cursor() as cur:
        cur.execute("create temporary table copied (x int, y text) on commit drop")
        text = "".join(f"{n}\tline {n}\n" for n in range(20_000))
        cur.copy_expert("copy copied from stdin", io.StringIO(text))
        out = io.StringIO()
        cur.copy_expert("copy copied to stdout", out)
        assert out.getvalue() == text
    conn.autocommit = True
    with conn.cursor() as cur:
        out = io.StringIO()
        cur.copy_expert("copy (select generate_series(1, 3)) to stdout", out)
        assert out.getvalue() == "1\n2\n3\n"
        with pytest.raises(psycoxide.errors.BadCopyFileFormat):
            cur.copy_expert("copy pg_description (objoid) from stdin", io.StringIO("1\t2\n"))


def test_a_query_is_cancelled(conn):
    threading.Timer(0.5, conn.cancel).start()
    begun = time.monotonic()
    with conn.cursor() as cur, pytest.raises(psycoxide.errors.QueryCanceled):
        cur.execute("select pg_sleep(30)")
    assert time.monotonic() - begun < 20
    conn.rollback()
    with conn.cursor() as cur:
        cur.execute("select 1")
        assert cur.fetchone() == (1,)


def test_the_client_encoding_is_followed(conn):
    """PgBouncer keeps track of it, and sets it in whatever session comes next."""
    conn.set_client_encoding("LATIN1")
    with conn, conn.cursor() as cur:
        cur.execute("select %s, octet_length(%s)", ("é", "é"))
        assert cur.fetchone() == ("é", 2)
        cur.execute("show client_encoding")
        assert cur.fetchone() == ("LATIN1",)
    with conn, conn.cursor() as cur:
        cur.execute("set client_encoding to utf8")
        cur.execute("select %s", ("€",))
        assert cur.fetchone() == ("€",)
    assert conn.encoding == "UTF8"


@pytest.mark.parametrize("name", ["client_encoding", "application_name"])
def test_parameters_that_it_knows(bouncer, name):
    value = {"client_encoding": "LATIN1", "application_name": "through the bouncer"}[name]
    made = psycoxide.connect(**bouncer.options(**{name: value}))
    with made, made.cursor() as cur:
        cur.execute(f"show {name}")
        assert cur.fetchone() == (value,)
    made.close()


def test_parameters_that_it_does_not_know(bouncer, start):
    given = {"options": "-c geqo=off"}
    with pytest.raises(psycoxide.OperationalError, match="unsupported startup parameter"):
        psycoxide.connect(**bouncer.options(**given))
    lenient = start("transaction", ignored="options")
    made = psycoxide.connect(**lenient.options(**given))
    with made, made.cursor() as cur:
        cur.execute("select 1")
        assert cur.fetchone() == (1,)
    made.close()


def test_protocol_3_2(bouncer):
    """A PgBouncer that does not negotiate refuses it: that is why 3.0 is the default."""
    options = bouncer.options(max_protocol_version="3.2")
    if bouncer.version < (1, 23):
        with pytest.raises(psycoxide.OperationalError):
            psycoxide.connect(**options)
    else:
        made = psycoxide.connect(**options)
        assert made.info.protocol_version == 3
        with made.cursor() as cur:
            assert pid(cur)
        made.close()


def test_a_wrong_password(bouncer):
    with pytest.raises(psycoxide.OperationalError, match="password authentication failed"):
        psycoxide.connect(**bouncer.options(password="wrong"))


def test_asynchronously(bouncer):
    made = psycoxide.connect(**bouncer.options(), async_=1)
    wait_for(made)
    cur = made.cursor()
    for number in range(5):
        cur.execute("select %s", (number,))
        wait_for(made)
        assert cur.fetchone() == (number,)
    made.close()


def test_with_a_wait_callback(bouncer):
    extensions.set_wait_callback(extras.wait_select)
    try:
        made = psycoxide.connect(**bouncer.options())
        with made, made.cursor() as cur:
            cur.execute("select 1")
            assert cur.fetchone() == (1,)
        made.close()
    finally:
        extensions.set_wait_callback(None)


def test_the_server_goes_away(start, server):
    bouncer = start("transaction")
    made = psycoxide.connect(**bouncer.options())
    cur = made.cursor()
    victim = pid(cur)
    with psycoxide.connect(server.dsn) as other, other.cursor() as killer:
        killer.execute("select pg_terminate_backend(%s)", (victim,))
    with pytest.raises(psycoxide.OperationalError):
        for _ in range(5):
            cur.execute("select 1")
            time.sleep(0.1)
    assert made.closed == 2


def test_its_console(bouncer):
    """It knows the simple protocol only, so no BEGIN may go before a statement."""
    made = psycoxide.connect(**bouncer.options(dbname="pgbouncer"))
    made.autocommit = True
    with made.cursor() as cur:
        cur.execute("show version")
        assert "PgBouncer" in cur.fetchone()[0]
        cur.execute("show pools")
        assert cur.fetchall()
    made.close()


class TestTransactionMode:
    """What cannot work there: the manual says so, and these say that it is so still."""

    @pytest.fixture
    def two(self, start):
        bouncer = start("transaction", size=2)
        made = [psycoxide.connect(**bouncer.options()) for _ in range(2)]
        yield made
        for conn in made:
            conn.close()

    def test_a_session_is_whose_transaction_it_is(self, two):
        first, second = two
        one = pid(first.cursor())
        first.commit()
        assert pid(second.cursor()) == one, "the session was given to the next client"
        assert pid(first.cursor()) != one

    def test_what_is_set_stays_in_the_session(self, two):
        # Not one that the server reports: those PgBouncer sets anew for each client.
        first, second = two
        cur = first.cursor()
        cur.execute("set lock_timeout to '7s'")
        first.commit()
        cur = second.cursor()
        cur.execute("show lock_timeout")
        assert cur.fetchone() == ("7s",)
        cur.execute("reset lock_timeout")
        second.commit()

    def test_a_cursor_with_hold_stays_in_the_session(self, two):
        first, second = two
        cur = first.cursor("held", withhold=True)
        cur.execute("select generate_series(1, 5)")
        first.commit()
        blocker = second.cursor()
        blocker.execute("select 1")
        with pytest.raises(psycoxide.errors.InvalidCursorName):
            cur.fetchall()
        second.rollback()
        first.rollback()

    def test_notifications_do_not_arrive(self, two, server):
        first, _second = two
        first.autocommit = True
        cur = first.cursor()
        cur.execute("listen bounced")
        with psycoxide.connect(server.dsn) as other, other.cursor() as notifier:
            notifier.execute("notify bounced")
        time.sleep(0.3)
        first.poll()
        assert first.notifies == []
        cur.execute("unlisten *")
