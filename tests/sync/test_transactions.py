# Generated from tests/aio/test_transactions.py by tools/generate_sync.py: do not edit.
"""Blocks of transactions, `commit()` and `rollback()`."""

from __future__ import annotations

import os
from functools import partial

import pytest
from fixtures.tasks import gather, join, spawn

import psycoxide
from psycoxide import errors, extensions, sync

IDLE = extensions.TRANSACTION_STATUS_IDLE
INTRANS = extensions.TRANSACTION_STATUS_INTRANS


@pytest.fixture
def numbers(conn):
    """A function that tells which numbers are in the table `numbers`."""
    conn.execute("create temporary table numbers (n integer)")

    def tell():
        rows = conn.fetch("select n from numbers order by n", row_factory=sync.scalar_row)
        assert conn.info.transaction_status == IDLE
        return rows

    return tell


def insert(conn, number):
    conn.execute("insert into numbers values (%s)", (number,))


def fail(conn):
    """A statement that fails, and whose error is caught."""
    with pytest.raises(errors.DivisionByZero):
        conn.fetchval("select 1 / 0")


# ---- commit and rollback ----------------------------------------------------------------------


def test_a_block_commits(conn, numbers):
    with conn.transaction() as transaction:
        assert transaction.connection is conn
        insert(conn, 1)
        assert conn.info.transaction_status == INTRANS
    assert numbers() == [1]


def test_an_exception_rolls_back_and_goes_on(conn, numbers):
    with pytest.raises(KeyError):
        with conn.transaction():
            insert(conn, 1)
            raise KeyError
    assert numbers() == []


def test_an_error_of_the_server_rolls_back(conn, numbers):
    with pytest.raises(errors.DivisionByZero):
        with conn.transaction():
            insert(conn, 1)
            conn.execute("select 1 / 0")
    assert numbers() == []


def test_rollback_is_an_exception_that_stays_inside(conn, numbers):
    with conn.transaction():
        insert(conn, 1)
        raise sync.Rollback
    assert numbers() == []


def test_rollback_of_an_outer_block_leaves_the_inner_ones(conn, numbers):
    reached = []
    with conn.transaction() as outer:
        with conn.transaction():
            insert(conn, 1)
            raise sync.Rollback(outer)
        reached.append("behind the inner one")
    assert reached == []
    assert numbers() == []


def test_force_rollback(conn, numbers):
    with conn.transaction(force_rollback=True):
        insert(conn, 1)
        assert conn.fetchval("select count(*) from numbers") == 1
    assert numbers() == []


def test_an_empty_block_sends_nothing(conn):
    with conn.transaction():
        assert conn.info.transaction_status == IDLE
    assert conn.info.transaction_status == IDLE


def test_a_caught_error_makes_commit_fail(conn, numbers):
    with pytest.raises(errors.InFailedSqlTransaction, match="rolled back instead of committed"):
        with conn.transaction():
            insert(conn, 1)
            fail(conn)
    assert numbers() == []


def test_a_deferred_constraint_fails_at_commit(conn, numbers):
    conn.execute("create temporary table once (n integer unique deferrable initially deferred)")
    with pytest.raises(errors.UniqueViolation):
        with conn.transaction():
            insert(conn, 1)
            conn.execute("insert into once values (1), (1)")
    assert numbers() == []


def test_a_block_is_entered_once(conn):
    transaction = conn.transaction()
    with transaction:
        pass
    with pytest.raises(psycoxide.ProgrammingError, match="entered once"):
        with transaction:
            pass


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_a_block_ends_by_itself(conn, numbers, ends):
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(psycoxide.ProgrammingError, match="not for the block"):
            getattr(conn, ends)()
    assert numbers() == [1]


# ---- savepoints -------------------------------------------------------------------------------


def test_an_inner_block_is_a_savepoint(conn, numbers):
    with conn.transaction() as outer:
        assert outer.savepoint_name is None
        insert(conn, 1)
        with conn.transaction() as inner:
            assert inner.savepoint_name
            insert(conn, 2)
            raise sync.Rollback
        with conn.transaction('my "own" name') as inner:
            assert inner.savepoint_name == 'my "own" name'
            insert(conn, 3)
    assert numbers() == [1, 3]


def test_savepoints_nest_deeply(conn, numbers):
    def enter(depth):
        if depth == 20:
            raise sync.Rollback
        with conn.transaction():
            insert(conn, depth)
            enter(depth + 1)

    with conn.transaction():
        enter(1)
    assert numbers() == list(range(1, 19))


def test_an_error_in_a_savepoint_leaves_the_outer_block_usable(conn, numbers):
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(errors.DivisionByZero):
            with conn.transaction():
                insert(conn, 2)
                conn.execute("select 1 / 0")
        insert(conn, 3)
    assert numbers() == [1, 3]


def test_an_error_that_is_caught_in_a_savepoint_undoes_the_savepoint(conn, numbers):
    with conn.transaction():
        insert(conn, 1)
        with pytest.raises(errors.InFailedSqlTransaction):
            with conn.transaction():
                insert(conn, 2)
                fail(conn)
        insert(conn, 3)
    assert numbers() == [1, 3]


def test_an_outermost_block_with_a_name(conn, numbers):
    with conn.transaction("first"):
        insert(conn, 1)
    with conn.transaction("second"):
        insert(conn, 2)
        raise sync.Rollback
    with pytest.raises(errors.InFailedSqlTransaction):
        with conn.transaction("third"):
            insert(conn, 3)
            fail(conn)
    # It is over, and another thread may use the connection.
    assert join(spawn(conn.fetchval, "select 5")) == 5
    assert numbers() == [1]


def test_a_savepoint_that_cannot_be_made_is_no_block(conn, numbers):
    with pytest.raises(errors.SyntaxError):
        with conn.transaction(""):
            raise AssertionError
    assert join(spawn(conn.fetchval, "select 5")) == 5
    assert numbers() == []


# ---- how they begin ---------------------------------------------------------------------------

SHOWN = "select current_setting('transaction_%s')"


@pytest.mark.parametrize(
    "options, name, value",
    [
        ({"isolation": "serializable"}, "isolation", "serializable"),
        ({"isolation": "repeatable_read"}, "isolation", "repeatable read"),
        ({"isolation": "READ UNCOMMITTED"}, "isolation", "read uncommitted"),
        ({"read_only": True}, "read_only", "on"),
        ({"isolation": "serializable", "deferrable": True}, "deferrable", "on"),
        ({}, "isolation", "read committed"),
    ],
)
def test_how_a_block_begins(conn, options, name, value):
    with conn.transaction(**options):
        assert conn.fetchval(SHOWN % name) == value
    with conn.transaction():
        assert conn.fetchval(SHOWN % name) != value or not options


def test_a_read_only_block_refuses_to_write(conn):
    with pytest.raises(errors.ReadOnlySqlTransaction):
        with conn.transaction(read_only=True):
            conn.execute("create table never (n integer)")


def test_only_the_outermost_block_chooses(conn):
    with conn.transaction():
        with pytest.raises(psycoxide.ProgrammingError, match="outermost"):
            with conn.transaction(read_only=True):
                raise AssertionError
        assert conn.fetchval("select 1") == 1


def test_an_isolation_level_that_does_not_exist(conn):
    with pytest.raises(ValueError, match="there is no isolation level"):
        with conn.transaction(isolation="chaos"):
            raise AssertionError
    assert join(spawn(conn.fetchval, "select 5")) == 5


# ---- without autocommit -----------------------------------------------------------------------


def test_a_statement_begins_a_transaction(dsn, conn):
    name = f"without_autocommit_{os.getpid()}"
    conn.execute(f"drop table if exists {name}")
    with sync.connect(dsn, autocommit=False) as other:
        assert not other.autocommit
        other.execute(f"create table {name} (n integer)")
        assert other.info.transaction_status == INTRANS
        other.rollback()
        assert other.info.transaction_status == IDLE
        other.execute(f"create table {name} (n integer)")
        other.commit()
        other.commit()
        other.execute(f"insert into {name} values (1)")
        with pytest.raises(psycoxide.ProgrammingError):
            other.set_autocommit(True)
    # The end of the block has committed it.
    assert conn.fetchval(f"select count(*) from {name}") == 1
    with pytest.raises(KeyError):
        with sync.connect(dsn, autocommit=False) as other:
            other.execute(f"drop table {name}")
            raise KeyError
    conn.execute(f"drop table {name}")


def test_a_block_in_a_transaction_that_a_statement_began_is_a_savepoint(dsn):
    with sync.connect(dsn, autocommit=False) as conn:
        conn.execute("create temporary table numbers (n integer)")
        with conn.transaction() as inner:
            insert(conn, 1)
            assert inner.savepoint_name
            raise sync.Rollback
        assert conn.info.transaction_status == INTRANS
        assert conn.fetchval("select count(*) from numbers") == 0
        conn.rollback()


def test_autocommit_can_be_changed(conn):
    conn.set_autocommit(False)
    conn.execute("select 1")
    assert conn.info.transaction_status == INTRANS
    conn.commit()
    conn.set_autocommit(True)
    conn.execute("select 1")
    assert conn.info.transaction_status == IDLE


# ---- closed connections -----------------------------------------------------------------------


def test_a_connection_closed_in_a_block(conn):
    with pytest.raises(psycoxide.InterfaceError):
        with conn.transaction():
            conn.execute("select 1")
            conn.close()


def test_the_exception_of_the_block_says_more_than_a_lost_connection(conn):
    with pytest.raises(KeyError):
        with conn.transaction():
            conn.execute("select 1")
            conn.close()
            raise KeyError


def test_a_block_on_a_closed_connection(conn):
    conn.close()
    with pytest.raises(psycoxide.InterfaceError):
        with conn.transaction():
            raise AssertionError


# ---- several threads ----------------------------------------------------------------------------


def test_tasks_that_are_started_in_the_block_belong_to_it(conn, numbers):
    with conn.transaction():
        gather(*(partial(insert, conn, n) for n in range(5)))
        assert conn.info.transaction_status == INTRANS
        raise sync.Rollback
    assert numbers() == []
