# Generated from tests/aio/test_retrying.py by tools/generate_sync.py: do not edit.
"""Transactions that are run again: what is a reason for it, and what is none."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial

import pytest
from fixtures.tasks import gather, join, sleep, spawn

import psycoxide
from psycoxide import errors, sync
from psycoxide._retrying import is_loss

QUICK = {"retry_min": 0.0, "retry_max": 0.001}
SERIALIZABLE = {"isolation": "serializable", **QUICK}
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def table(conn):
    """A table with the balances of two accounts."""
    name = f"accounts_{os.getpid()}"
    conn.execute(f"drop table if exists {name}")
    conn.execute(f"create table {name} (id integer primary key, cents integer)")
    conn.execute(f"insert into {name} values (1, 100), (2, 100)")
    yield name
    conn.execute(f"drop table {name}")


@pytest.fixture
def other(dsn):
    """Another connection, to be in the way."""
    with sync.connect(dsn) as conn:
        yield conn


def balances(conn, table):
    return conn.fetch(f"select cents from {table} order by id", row_factory=sync.scalar_row)


def interfere(conn, table):
    conn.execute(f"update {table} set cents = cents + 1 where id = 1")


# ---- another transaction is in the way ----------------------------------------------------------


def test_a_statement_that_fails(conn, other, table):
    seen = []
    for attempt, transaction in conn.retrying(**SERIALIZABLE):
        with attempt, transaction as conn:
            assert conn is conn
            seen.append((attempt.number, type(attempt.error)))
            balances(conn, table)
            if attempt.number < 3:
                interfere(other, table)
            conn.execute(f"update {table} set cents = cents * 2 where id = 1")
    assert seen == [
        (1, type(None)),
        (2, errors.SerializationFailure),
        (3, errors.SerializationFailure),
    ]
    assert balances(conn, table) == [204, 100]


def test_a_commit_that_fails(conn, other, table):
    """Each reads what the other writes: the one that commits last has to begin again."""
    numbers = []
    for attempt, transaction in conn.retrying(**SERIALIZABLE):
        with attempt, transaction as conn:
            numbers.append(attempt.number)
            total = sum(balances(conn, table))
            conn.execute(f"update {table} set cents = %s where id = 1", (total,))
            if attempt.number == 1:
                with other.transaction(isolation="serializable"):
                    total = sum(balances(other, table))
                    other.execute(f"update {table} set cents = %s where id = 2", (total,))
    assert numbers == [1, 2]
    assert balances(conn, table) == [300, 200]


def commit_that_fails(conn, other, table, numbers):
    """A function that returns from within the block."""
    for attempt, transaction in conn.retrying(**SERIALIZABLE):
        with attempt, transaction as conn:
            numbers.append(attempt.number)
            total = sum(balances(conn, table))
            conn.execute(f"update {table} set cents = %s where id = 1", (total,))
            if attempt.number == 1:
                with other.transaction(isolation="serializable"):
                    total = sum(balances(other, table))
                    other.execute(f"update {table} set cents = %s where id = 2", (total,))
            return numbers[-1]


def test_a_block_that_is_left_by_return(conn, other, table):
    numbers = []
    assert commit_that_fails(conn, other, table, numbers) == 2
    assert numbers == [1, 2]
    assert balances(conn, table) == [300, 200]


def test_a_deadlock(dsn, table):
    """Two that lock the same rows, in a different order."""
    runs = []

    def move(first, second):
        with sync.connect(dsn, options="-c deadlock_timeout=50ms") as mine:
            for attempt, transaction in mine.retrying(**QUICK):
                with attempt, transaction as conn:
                    runs.append(attempt.number)
                    query = f"update {table} set cents = cents + 10 where id = %s"
                    conn.execute(query, (first,))
                    sleep(0.2 if attempt.number == 1 else 0)
                    conn.execute(query, (second,))

    gather(partial(move, 1, 2), partial(move, 2, 1))
    # Both may be the victim.
    assert runs.count(1) == 2
    assert 2 in runs
    with sync.connect(dsn) as conn:
        assert balances(conn, table) == [120, 120]


def test_many_at_once(dsn, table):
    """What they do adds up."""

    def add(_number):
        with sync.connect(dsn) as mine:
            for attempt, transaction in mine.retrying(attempts=200, **SERIALIZABLE):
                with attempt, transaction as conn:
                    (cents, _) = balances(conn, table)
                    conn.execute(f"update {table} set cents = %s where id = 1", (cents + 1,))

    gather(*(partial(add, number) for number in range(8)))
    with sync.connect(dsn) as conn:
        assert balances(conn, table) == [108, 100]


def test_a_pipeline_of_the_block(conn, other, table):
    numbers = []
    for attempt, transaction in conn.retrying(**SERIALIZABLE):
        with attempt, transaction as conn:
            numbers.append(attempt.number)
            balances(conn, table)
            if attempt.number == 1:
                interfere(other, table)
            with conn.pipeline() as pipe:
                pipe.execute(f"update {table} set cents = 0 where id = 1")
                last = pipe.execute(f"update {table} set cents = 0 where id = 2")
                last.result()
    assert numbers == [1, 2]


# ---- how often ----------------------------------------------------------------------------------


def fail(conn):
    conn.execute("do $$ begin raise serialization_failure; end $$")


def run(conn, **options):
    """The numbers of the attempts at something that never succeeds."""
    numbers = []
    with pytest.raises(errors.SerializationFailure):
        for attempt, transaction in conn.retrying(**options):
            with attempt, transaction as conn:
                numbers.append(attempt.number)
                fail(conn)
    assert not conn._in_transaction()
    return numbers


def test_up_to_so_many_attempts(conn):
    assert run(conn, attempts=1) == [1]
    assert run(conn, attempts=4, **QUICK) == [1, 2, 3, 4]
    assert run(conn, **QUICK) == [1, 2, 3, 4, 5]


def test_up_to_a_deadline(conn):
    began = time.monotonic()
    numbers = run(conn, attempts=1000, deadline=0.3, retry_min=0.02, retry_max=0.02)
    assert 5 < len(numbers) < 100
    assert time.monotonic() - began < 2


def test_there_are_pauses(conn):
    began = time.monotonic()
    run(conn, attempts=4, retry_min=0.1, retry_max=0.2)
    # At least half of 0.1, 0.2 and 0.2.
    assert time.monotonic() - began > 0.24


def test_a_deadline_that_passes_while_the_pool_has_none(dsn):
    with sync.ConnectionPool(dsn, min_size=1, max_size=1) as pool:
        numbers = []
        with pytest.raises(errors.SerializationFailure):
            for attempt, transaction in pool.retrying(deadline=0.2, **QUICK):
                with attempt, transaction as conn:
                    numbers.append(attempt.number)
                    holding = spawn(partial(hold, pool, 0.5))
                    fail(conn)
        join(holding)
        assert numbers == [1]


def hold(pool, seconds):
    """Keeps the only connection for some time."""
    with pool.connection():
        sleep(seconds)


# ---- no reason ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["unique_violation", "lock_not_available", "query_canceled"])
def test_other_errors_are_raised(conn, error):
    numbers = []
    with pytest.raises(psycoxide.Error):
        for attempt, transaction in conn.retrying(**QUICK):
            with attempt, transaction as conn:
                numbers.append(attempt.number)
                conn.execute(f"do $$ begin raise {error}; end $$")
    assert numbers == [1]


def test_an_error_that_was_caught_is_none(conn):
    numbers = []
    with pytest.raises(errors.InFailedSqlTransaction):
        for attempt, transaction in conn.retrying(**QUICK):
            with attempt, transaction as conn:
                numbers.append(attempt.number)
                with contextlib.suppress(psycoxide.Error):
                    fail(conn)
    assert numbers == [1]


def test_an_error_behind_the_transaction(conn, table):
    """It is committed by then: another attempt would do everything twice."""
    with pytest.raises(errors.SerializationFailure):
        for attempt, transaction in conn.retrying(**QUICK):
            with attempt:
                with transaction as conn:
                    interfere(conn, table)
                fail(conn)
    assert balances(conn, table) == [101, 100]


def test_rows_that_were_given_out(conn):
    numbers = []
    ways = (
        lambda conn: conn.stream("select 1"),
        lambda conn: conn.cursor().stream("select 1"),
        lambda conn: conn.stream_arrow("select 1"),
        lambda conn: conn.cursor().stream_arrow("select 1"),
    )
    for way in ways:
        with pytest.raises(errors.SerializationFailure):
            for attempt, transaction in conn.retrying(**QUICK):
                with attempt, transaction as conn:
                    numbers.append(attempt.number)
                    assert len([rows for rows in way(conn)]) == 1
                    fail(conn)
    with pytest.raises(errors.SerializationFailure):
        for attempt, transaction in conn.retrying(**QUICK):
            with attempt, transaction as conn:
                numbers.append(attempt.number)
                with conn.copy("copy (select 1) to stdout") as copy:
                    assert copy.read() == b"1\n"
                fail(conn)
    assert numbers == [1] * (len(ways) + 1)
    # That was then.
    assert run(conn, attempts=2, **QUICK) == [1, 2]


def test_a_block_that_rolls_back_by_itself(conn, table):
    numbers = []
    for attempt, transaction in conn.retrying(**QUICK):
        with attempt, transaction as conn:
            numbers.append(attempt.number)
            conn.execute(f"delete from {table}")
            raise sync.Rollback
    assert numbers == [1]
    assert balances(conn, table) == [100, 100]


def test_one_transaction_is_enough(conn):
    numbers = [
        attempt.number
        for attempt, transaction in conn.retrying(**QUICK)
        if entered(attempt, transaction)
    ]
    assert numbers == [1]


def entered(attempt, transaction):
    with attempt, transaction:
        return True


# ---- other sources, and the decorator -----------------------------------------------------------


def test_a_function_that_hands_out_connections(dsn):
    pids = []
    for attempt, transaction in sync.Retrying(lambda: sync.connect(dsn), **QUICK):
        with attempt, transaction as conn:
            pids.append(conn.info.backend_pid)
            if attempt.number < 3:
                fail(conn)
    assert len(set(pids)) == 3
    assert conn.closed


def test_an_object_that_hands_out_connections(dsn):
    class Source:
        def connection(self):
            return sync.connect(dsn)

    for attempt, transaction in sync.Retrying(Source(), **QUICK):
        with attempt, transaction as conn:
            assert conn.fetchval("select 1") == 1
    assert attempt.number == 1


def test_a_pool(conn, dsn, table):
    with sync.ConnectionPool(dsn, min_size=1, max_size=2) as pool:
        numbers = []
        for attempt, transaction in pool.retrying(lost=True, **SERIALIZABLE):
            with attempt, transaction as lent:
                numbers.append(attempt.number)
                balances(lent, table)
                if attempt.number == 1:
                    interfere(conn, table)
                lent.execute(f"update {table} set cents = cents * 2 where id = 1")
                if attempt.number == 2:
                    end_session(conn, lent.info.backend_pid)
                    lent.execute("select pg_sleep(1)")
        assert numbers == [1, 2, 3]
        assert balances(pool, table) == [202, 100]


def test_a_pool_that_has_no_connection(dsn):
    with sync.ConnectionPool(dsn, min_size=1, timeout=0.1) as pool:
        began = time.monotonic()
        with pool.connection():
            with pytest.raises(sync.PoolTimeout):
                for attempt, transaction in pool.retrying(lost=True):
                    with attempt, transaction:
                        pass
        assert time.monotonic() - began < 1
        assert pool.fetchval("select 1") == 1


def test_a_pool_whose_function_is_decorated(dsn):
    with sync.ConnectionPool(dsn, min_size=1) as pool:

        @pool.retrying(commit="verify")
        def add(conn, first, second):
            return conn.fetchval("select %s + %s", (first, second))

        assert add(1, second=2) == 3


def test_decorator(conn, other, table):
    numbers = []

    @conn.retrying(**SERIALIZABLE)
    def double(conn, number, *, text):
        """Says what it does."""
        numbers.append(number)
        balances(conn, table)
        if len(numbers) == 1:
            interfere(other, table)
        conn.execute(f"update {table} set cents = cents * 2 where id = %s", (number,))
        return text

    assert double.__doc__ == "Says what it does."
    assert double(1, text="done") == "done"
    assert numbers == [1, 1]
    assert double(2, text="again") == "again"
    assert balances(conn, table) == [202, 200]


def test_a_decorated_function_that_rolls_back(conn, table):
    @conn.retrying()
    def undo(conn):
        interfere(conn, table)
        raise sync.Rollback

    assert undo() is None
    assert balances(conn, table) == [100, 100]


def test_characteristics(conn):
    options = {"isolation": "repeatable read", "read_only": True}
    for attempt, transaction in conn.retrying(**options):
        with attempt, transaction as conn:
            assert conn.fetchval("show transaction_isolation") == "repeatable read"
            assert conn.fetchval("show transaction_read_only") == "on"
    assert attempt.number == 1


# ---- a connection that is lost ------------------------------------------------------------------


def end_session(conn, pid):
    conn.execute("select pg_terminate_backend(%s)", (pid,))


def test_a_loss_before_the_commit(conn, dsn):
    numbers = []
    options = {"lost": True, **QUICK}
    for attempt, transaction in sync.Retrying(lambda: sync.connect(dsn), **options):
        with attempt, transaction as lent:
            numbers.append(attempt.number)
            lent.execute("select 1")
            if attempt.number == 1:
                end_session(conn, lent.info.backend_pid)
            lent.execute("select pg_sleep(0.1)")
    assert numbers == [1, 2]


def test_a_time_limit_is_no_loss():
    """Even if the connection is closed because of it."""
    assert is_loss(psycoxide.OperationalError("lost"))
    assert not is_loss(sync.OperationTimeout("late"))


def test_a_loss_is_raised_unless_it_is_asked_for(conn, dsn):
    numbers = []
    with pytest.raises(psycoxide.OperationalError):
        for attempt, transaction in sync.Retrying(lambda: sync.connect(dsn), **QUICK):
            with attempt, transaction as lent:
                numbers.append(attempt.number)
                lent.execute("select 1")
                end_session(conn, lent.info.backend_pid)
                lent.execute("select pg_sleep(1)")
    assert numbers == [1]


def test_a_server_that_refuses_for_a_while(dsn, relay, server):
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    options = {**server.parameters, **found.options}
    calls = []

    def source():
        calls.append(1)
        if len(calls) == 4:
            found.restore()
        return sync.connect(**options)

    found.cut()
    for attempt, transaction in sync.Retrying(source, lost=True, **QUICK):
        with attempt, transaction as conn:
            assert conn.fetchval("select 1") == 1
            assert attempt.number == 4
            assert isinstance(attempt.error, psycoxide.OperationalError)
    found.cut()
    with pytest.raises(psycoxide.OperationalError):
        for attempt, transaction in sync.Retrying(source, lost=True, **QUICK):
            with attempt, transaction:
                pass
    assert attempt.number == 5


# ---- misuse -------------------------------------------------------------------------------------


def test_an_attempt_has_to_be_entered(conn):
    with pytest.raises(psycoxide.ProgrammingError, match="attempt was not entered"):
        for _attempt, _transaction in conn.retrying():
            pass


def test_a_transaction_has_to_be_entered(conn):
    with pytest.raises(psycoxide.ProgrammingError, match="transaction was not entered"):
        for attempt, _transaction in conn.retrying():
            with attempt:
                conn.execute("select 1")


def test_the_attempt_comes_first(conn):
    with pytest.raises(psycoxide.ProgrammingError, match="attempt comes first"):
        for attempt, transaction in conn.retrying():
            with transaction, attempt:
                pass


def test_within_a_transaction(conn):
    with conn.transaction():
        with pytest.raises(psycoxide.ProgrammingError, match="within another one"):
            for attempt, transaction in conn.retrying():
                with attempt, transaction:
                    pass


def test_on_a_closed_connection(conn):
    conn.close()
    with pytest.raises(psycoxide.InterfaceError):
        for attempt, transaction in conn.retrying():
            with attempt, transaction:
                pass


def test_wrong_arguments(conn):
    with pytest.raises(ValueError, match="attempts"):
        conn.retrying(attempts=0)
    with pytest.raises(ValueError, match="commit"):
        conn.retrying(commit="twice")
    with pytest.raises(ValueError, match="verify_within"):
        conn.retrying(commit="verify", verify_within=None)
    with pytest.raises(ValueError, match="retry_min"):
        conn.retrying(retry_min=-1)
    with pytest.raises(ValueError, match="isolation level"):
        for attempt, transaction in conn.retrying(isolation="high"):
            with attempt, transaction:
                pass
