# Generated from tests/aio/test_two_phase.py by tools/generate_sync.py: do not edit.
"""Two-phase commit."""

from __future__ import annotations

import uuid

import pytest

import psycoxide
from psycoxide import sync


@pytest.fixture
def table(conn):
    """A table that other connections see, too."""
    name = f"two_phase_{uuid.uuid4().hex}"
    conn.execute(f"create table {name} (n integer)")
    yield name
    conn.execute(f"drop table {name}")


@pytest.fixture
def xid(conn, table):
    """An identifier of this test's own; what is prepared under it is rolled back before
    the table is dropped."""
    if conn.fetchval("show max_prepared_transactions") == "0":
        pytest.skip("the server has max_prepared_transactions = 0")
    found = conn.xid(7, uuid.uuid4().hex, "branch")
    yield found
    for each in conn.tpc_recover():
        if each.gtrid == found.gtrid:
            conn.tpc_rollback(each)


def prepare(dsn, xid, table):
    """Prepares an insert on a connection of its own, which is then closed."""
    with sync.connect(dsn) as other:
        other.tpc_begin(xid)
        other.execute(f"insert into {table} values (1)")
        other.tpc_prepare()


def test_prepare_and_commit(dsn, conn, xid, table):
    with sync.connect(dsn) as other:
        other.tpc_begin(xid)
        other.execute(f"insert into {table} values (1)")
        other.tpc_prepare()
        assert conn.fetchval(f"select count(*) from {table}") == 0
        with pytest.raises(psycoxide.ProgrammingError):
            other.execute("select 1")
        other.tpc_commit()
        assert conn.fetchval(f"select count(*) from {table}") == 1
        assert other.fetchval("select 42") == 42


def test_commit_and_rollback_in_one_phase(dsn, conn, xid, table):
    with sync.connect(dsn) as other:
        other.tpc_begin(xid)
        other.execute(f"insert into {table} values (1)")
        other.tpc_commit()
        other.tpc_begin(xid)
        other.execute(f"insert into {table} values (2)")
        other.tpc_rollback()
        assert conn.fetch(f"select n from {table}") == [(1,)]


@pytest.mark.parametrize("autocommit", [True, False])
def test_what_others_left_is_found_and_ended(dsn, conn, xid, table, autocommit):
    prepare(dsn, xid, table)
    with sync.connect(dsn, autocommit=autocommit) as other:
        (found,) = [each for each in other.tpc_recover() if each.gtrid == xid.gtrid]
        assert tuple(found) == tuple(xid)
        assert found.database == other.info.dbname
        other.tpc_commit(found)
    assert conn.fetch(f"select n from {table}") == [(1,)]


def test_recover_leaves_a_transaction_open(dsn, xid, table):
    with sync.connect(dsn, autocommit=False) as other:
        other.execute(f"insert into {table} values (1)")
        other.tpc_recover()
        assert other.fetch(f"select n from {table}") == [(1,)]
        with pytest.raises(psycoxide.ProgrammingError):
            other.tpc_commit(xid)
        other.rollback()
        with other.transaction():
            other.tpc_recover()
            other.execute(f"insert into {table} values (2)")
        assert other.fetch(f"select n from {table}") == [(2,)]


def test_wrong_states(conn, xid):
    with pytest.raises(psycoxide.ProgrammingError):
        conn.tpc_prepare()
    with pytest.raises(psycoxide.ProgrammingError):
        conn.tpc_commit()
    with pytest.raises(psycoxide.errors.UndefinedObject):
        conn.tpc_commit(xid)
    with conn.transaction():
        conn.execute("select 1")
        with pytest.raises(psycoxide.ProgrammingError):
            conn.tpc_begin(xid)
