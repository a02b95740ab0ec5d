"""Transactions."""

from __future__ import annotations

import pytest

import psycoxide
from psycoxide import extensions


@pytest.fixture
def table(conn, dsn):
    cur = conn.cursor()
    cur.execute("drop table if exists tx_probe")
    cur.execute("create table tx_probe (x int primary key)")
    conn.commit()
    yield "tx_probe"
    if not conn.closed:
        conn.rollback()
    other = psycoxide.connect(dsn)
    other.cursor().execute("drop table tx_probe")
    other.commit()
    other.close()


def rows(dsn):
    conn = psycoxide.connect(dsn)
    cur = conn.cursor()
    cur.execute("select x from tx_probe order by x")
    found = [row[0] for row in cur]
    conn.close()
    return found


def test_begin_commit_rollback(conn, dsn, table):
    cur = conn.cursor()
    assert conn.status == extensions.STATUS_READY
    cur.execute("insert into tx_probe values (1)")
    assert conn.status == extensions.STATUS_BEGIN
    assert conn.get_transaction_status() == extensions.TRANSACTION_STATUS_INTRANS
    assert rows(dsn) == []
    conn.commit()
    assert conn.status == extensions.STATUS_READY
    assert rows(dsn) == [1]
    cur.execute("insert into tx_probe values (2)")
    conn.rollback()
    assert rows(dsn) == [1]
    conn.commit()
    conn.rollback()


def test_with_connection(conn, dsn, table):
    with conn:
        conn.cursor().execute("insert into tx_probe values (1)")
    assert rows(dsn) == [1]
    with pytest.raises(psycoxide.IntegrityError), conn:
        conn.cursor().execute("insert into tx_probe values (2)")
        conn.cursor().execute("insert into tx_probe values (1)")
    assert rows(dsn) == [1]
    assert conn.closed == 0
    with conn, pytest.raises(psycoxide.ProgrammingError, match="re-entered"), conn:
        pass


def test_with_connection_in_autocommit(conn, dsn, table):
    conn.autocommit = True
    with pytest.raises(ZeroDivisionError), conn:
        conn.cursor().execute("insert into tx_probe values (1)")
        assert conn.autocommit is True
        assert conn.status == extensions.STATUS_BEGIN
        raise ZeroDivisionError
    assert rows(dsn) == []
    conn.cursor().execute("insert into tx_probe values (2)")
    assert rows(dsn) == [2]
    assert conn.status == extensions.STATUS_READY


def test_with_calls_the_overridden_methods(dsn):
    calls = []

    class Connection(extensions.connection):
        def commit(self):
            calls.append("commit")
            super().commit()

        def rollback(self):
            calls.append("rollback")
            super().rollback()

    conn = psycoxide.connect(dsn, connection_factory=Connection)
    with conn:
        pass
    with pytest.raises(KeyError), conn:
        raise KeyError
    assert calls == ["commit", "rollback"]
    conn.close()


def test_isolation_levels(conn):
    cur = conn.cursor()
    for number, name in [
        (extensions.ISOLATION_LEVEL_READ_COMMITTED, "read committed"),
        (extensions.ISOLATION_LEVEL_REPEATABLE_READ, "repeatable read"),
        (extensions.ISOLATION_LEVEL_SERIALIZABLE, "serializable"),
        (extensions.ISOLATION_LEVEL_READ_UNCOMMITTED, "read uncommitted"),
    ]:
        conn.isolation_level = name.upper()
        assert conn.isolation_level == number
        cur.execute("show transaction_isolation")
        assert cur.fetchone() == (name,)
        conn.rollback()
    conn.isolation_level = "default"
    assert conn.isolation_level is None
    for wrong in (0, 5, "snapshot"):
        with pytest.raises(ValueError):
            conn.isolation_level = wrong
    cur.execute("select 1")
    with pytest.raises(psycoxide.ProgrammingError, match="inside a transaction"):
        conn.isolation_level = 1


def test_set_session(conn):
    conn.set_session("serializable", readonly=True, deferrable=True)
    cur = conn.cursor()
    cur.execute("show transaction_read_only")
    assert cur.fetchone() == ("on",)
    cur.execute("show transaction_deferrable")
    assert cur.fetchone() == ("on",)
    with pytest.raises(psycoxide.errors.ReadOnlySqlTransaction):
        cur.execute("create temp table x (); create table not_temp ()")
    conn.rollback()
    conn.set_session(readonly="default")
    assert conn.readonly is None
    assert conn.isolation_level == extensions.ISOLATION_LEVEL_SERIALIZABLE


def test_autocommit_sets_the_session_defaults(conn):
    cur = conn.cursor()
    conn.set_session(isolation_level="repeatable read", readonly=True, autocommit=True)
    cur.execute("show default_transaction_isolation")
    assert cur.fetchone() == ("repeatable read",)
    cur.execute("show default_transaction_read_only")
    assert cur.fetchone() == ("on",)
    assert conn.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE
    conn.autocommit = False
    cur.execute("show default_transaction_isolation")
    assert cur.fetchone() == ("read committed",)
    cur.execute("show transaction_isolation")
    assert cur.fetchone() == ("repeatable read",)


def test_set_isolation_level_rolls_back(conn, dsn, table):
    conn.cursor().execute("insert into tx_probe values (1)")
    conn.set_isolation_level(extensions.ISOLATION_LEVEL_AUTOCOMMIT)
    assert conn.autocommit is True
    conn.cursor().execute("insert into tx_probe values (2)")
    assert rows(dsn) == [2]
    conn.set_isolation_level(extensions.ISOLATION_LEVEL_SERIALIZABLE)
    assert conn.autocommit is False
    assert conn.isolation_level == extensions.ISOLATION_LEVEL_SERIALIZABLE


def test_nothing_runs_outside_the_transaction_when_begin_fails(conn, dsn, table):
    """In a failed transaction of the program's own, the driver's BEGIN is refused."""
    cur = conn.cursor()
    conn.autocommit = True
    cur.execute("begin")
    with pytest.raises(psycoxide.errors.DivisionByZero):
        cur.execute("select 1/0")
    conn.autocommit = False
    with pytest.raises(psycoxide.errors.InFailedSqlTransaction):
        # Sent behind the BEGIN all the same: if the server ran it, the row would be there.
        cur.execute("rollback; insert into tx_probe values (9)")
    assert rows(dsn) == []


def test_error_positions_are_those_of_the_statement(conn):
    with pytest.raises(psycoxide.errors.SyntaxError) as caught:
        conn.cursor().execute("select 1 from")
    assert caught.value.diag.statement_position == "14"
    assert conn.get_transaction_status() == extensions.TRANSACTION_STATUS_INERROR
    conn.rollback()
    cur = conn.cursor()
    cur.execute("select current_query()")
    assert cur.fetchone() == ("select current_query()",)


def test_serialization_failure(conn, dsn, table):
    other = psycoxide.connect(dsn)
    for each in (conn, other):
        each.isolation_level = "serializable"
    conn.cursor().execute("insert into tx_probe values (1)")
    conn.commit()
    for each in (conn, other):
        cur = each.cursor()
        cur.execute("select sum(x) from tx_probe")
        cur.execute("insert into tx_probe values (%s)", (each.get_backend_pid(),))
    conn.commit()
    with pytest.raises(psycoxide.errors.SerializationFailure) as caught:
        other.commit()
    assert isinstance(caught.value, extensions.TransactionRollbackError)
    assert other.status == extensions.STATUS_READY
    other.close()


def test_two_phase(conn, dsn, table):
    cur = conn.cursor()
    cur.execute("show max_prepared_transactions")
    if cur.fetchone() == ("0",):
        pytest.skip("the server has max_prepared_transactions = 0")
    conn.rollback()
    xid = conn.xid(7, "psycoxide-probe", "branch")
    conn.tpc_begin(xid)
    cur.execute("insert into tx_probe values (1)")
    with pytest.raises(psycoxide.ProgrammingError):
        conn.commit()
    conn.tpc_prepare()
    assert conn.status == extensions.STATUS_PREPARED
    with pytest.raises(psycoxide.ProgrammingError):
        cur.execute("select 1")
    assert rows(dsn) == []
    pending = [each for each in psycoxide.connect(dsn).tpc_recover() if each.gtrid == xid.gtrid]
    assert [tuple(each) for each in pending] == [(7, "psycoxide-probe", "branch")]
    assert pending[0].database == conn.info.dbname
    conn.tpc_commit()
    assert rows(dsn) == [1]
    assert conn.status == extensions.STATUS_READY
