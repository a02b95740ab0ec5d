"""Transactions that are run again: what is a reason for it, and what is none."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial

import pytest
from fixtures.tasks import agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio, errors
from psycoxide._retrying import is_loss

QUICK = {"retry_min": 0.0, "retry_max": 0.001}
SERIALIZABLE = {"isolation": "serializable", **QUICK}
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def table(aconn):
    """A table with the balances of two accounts."""
    name = f"accounts_{os.getpid()}"
    await aconn.execute(f"drop table if exists {name}")
    await aconn.execute(f"create table {name} (id integer primary key, cents integer)")
    await aconn.execute(f"insert into {name} values (1, 100), (2, 100)")
    yield name
    await aconn.execute(f"drop table {name}")


@pytest.fixture
async def other(dsn):
    """Another connection, to be in the way."""
    async with aio.connect(dsn) as conn:
        yield conn


async def balances(conn, table):
    return await conn.fetch(f"select cents from {table} order by id", row_factory=aio.scalar_row)


async def interfere(conn, table):
    await conn.execute(f"update {table} set cents = cents + 1 where id = 1")


# ---- another transaction is in the way ----------------------------------------------------------


async def test_a_statement_that_fails(aconn, other, table):
    seen = []
    async for attempt, transaction in aconn.retrying(**SERIALIZABLE):
        async with attempt, transaction as conn:
            assert conn is aconn
            seen.append((attempt.number, type(attempt.error)))
            await balances(conn, table)
            if attempt.number < 3:
                await interfere(other, table)
            await conn.execute(f"update {table} set cents = cents * 2 where id = 1")
    assert seen == [
        (1, type(None)),
        (2, errors.SerializationFailure),
        (3, errors.SerializationFailure),
    ]
    assert await balances(aconn, table) == [204, 100]


async def test_a_commit_that_fails(aconn, other, table):
    """Each reads what the other writes: the one that commits last has to begin again."""
    numbers = []
    async for attempt, transaction in aconn.retrying(**SERIALIZABLE):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            total = sum(await balances(conn, table))
            await conn.execute(f"update {table} set cents = %s where id = 1", (total,))
            if attempt.number == 1:
                async with other.transaction(isolation="serializable"):
                    total = sum(await balances(other, table))
                    await other.execute(f"update {table} set cents = %s where id = 2", (total,))
    assert numbers == [1, 2]
    assert await balances(aconn, table) == [300, 200]


async def commit_that_fails(aconn, other, table, numbers):
    """A function that returns from within the block."""
    async for attempt, transaction in aconn.retrying(**SERIALIZABLE):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            total = sum(await balances(conn, table))
            await conn.execute(f"update {table} set cents = %s where id = 1", (total,))
            if attempt.number == 1:
                async with other.transaction(isolation="serializable"):
                    total = sum(await balances(other, table))
                    await other.execute(f"update {table} set cents = %s where id = 2", (total,))
            return numbers[-1]


async def test_a_block_that_is_left_by_return(aconn, other, table):
    numbers = []
    assert await commit_that_fails(aconn, other, table, numbers) == 2
    assert numbers == [1, 2]
    assert await balances(aconn, table) == [300, 200]


async def test_a_deadlock(dsn, table):
    """Two that lock the same rows, in a different order."""
    runs = []

    async def move(first, second):
        async with aio.connect(dsn, options="-c deadlock_timeout=50ms") as mine:
            async for attempt, transaction in mine.retrying(**QUICK):
                async with attempt, transaction as conn:
                    runs.append(attempt.number)
                    query = f"update {table} set cents = cents + 10 where id = %s"
                    await conn.execute(query, (first,))
                    await asleep(0.2 if attempt.number == 1 else 0)
                    await conn.execute(query, (second,))

    await agather(partial(move, 1, 2), partial(move, 2, 1))
    # Both may be the victim.
    assert runs.count(1) == 2
    assert 2 in runs
    async with aio.connect(dsn) as conn:
        assert await balances(conn, table) == [120, 120]


async def test_many_at_once(dsn, table):
    """What they do adds up."""

    async def add(_number):
        async with aio.connect(dsn) as mine:
            async for attempt, transaction in mine.retrying(attempts=200, **SERIALIZABLE):
                async with attempt, transaction as conn:
                    (cents, _) = await balances(conn, table)
                    await conn.execute(f"update {table} set cents = %s where id = 1", (cents + 1,))

    await agather(*(partial(add, number) for number in range(8)))
    async with aio.connect(dsn) as conn:
        assert await balances(conn, table) == [108, 100]


async def test_tasks_of_the_block(aconn, other, table):  # only in aio
    """A group of tasks raises a group of exceptions."""
    import asyncio

    if not hasattr(asyncio, "TaskGroup"):
        pytest.skip("task groups came with Python 3.11")
    numbers = []
    async for attempt, transaction in aconn.retrying(**SERIALIZABLE):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            await balances(conn, table)
            if attempt.number == 1:
                await interfere(other, table)
            async with asyncio.TaskGroup() as group:
                for number in (1, 1, 2):
                    query = f"update {table} set cents = 0 where id = {number}"
                    group.create_task(conn.execute(query))
    assert numbers == [1, 2]
    assert await balances(aconn, table) == [0, 0]


async def test_a_pipeline_of_the_block(aconn, other, table):
    numbers = []
    async for attempt, transaction in aconn.retrying(**SERIALIZABLE):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            await balances(conn, table)
            if attempt.number == 1:
                await interfere(other, table)
            async with conn.pipeline() as pipe:
                pipe.execute(f"update {table} set cents = 0 where id = 1")
                last = pipe.execute(f"update {table} set cents = 0 where id = 2")
                await last.result()
    assert numbers == [1, 2]


# ---- how often ----------------------------------------------------------------------------------


async def fail(conn):
    await conn.execute("do $$ begin raise serialization_failure; end $$")


async def run(aconn, **options):
    """The numbers of the attempts at something that never succeeds."""
    numbers = []
    with pytest.raises(errors.SerializationFailure):
        async for attempt, transaction in aconn.retrying(**options):
            async with attempt, transaction as conn:
                numbers.append(attempt.number)
                await fail(conn)
    assert not aconn._in_transaction()
    return numbers


async def test_up_to_so_many_attempts(aconn):
    assert await run(aconn, attempts=1) == [1]
    assert await run(aconn, attempts=4, **QUICK) == [1, 2, 3, 4]
    assert await run(aconn, **QUICK) == [1, 2, 3, 4, 5]


async def test_up_to_a_deadline(aconn):
    began = time.monotonic()
    numbers = await run(aconn, attempts=1000, deadline=0.3, retry_min=0.02, retry_max=0.02)
    assert 5 < len(numbers) < 100
    assert time.monotonic() - began < 2


async def test_there_are_pauses(aconn):
    began = time.monotonic()
    await run(aconn, attempts=4, retry_min=0.1, retry_max=0.2)
    # At least half of 0.1, 0.2 and 0.2.
    assert time.monotonic() - began > 0.24


async def test_a_deadline_that_passes_while_the_pool_has_none(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=1) as pool:
        numbers = []
        with pytest.raises(errors.SerializationFailure):
            async for attempt, transaction in pool.retrying(deadline=0.2, **QUICK):
                async with attempt, transaction as conn:
                    numbers.append(attempt.number)
                    holding = aspawn(partial(hold, pool, 0.5))
                    await fail(conn)
        await ajoin(holding)
        assert numbers == [1]


async def hold(pool, seconds):
    """Keeps the only connection for some time."""
    async with pool.connection():
        await asleep(seconds)


# ---- no reason ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["unique_violation", "lock_not_available", "query_canceled"])
async def test_other_errors_are_raised(aconn, error):
    numbers = []
    with pytest.raises(psycoxide.Error):
        async for attempt, transaction in aconn.retrying(**QUICK):
            async with attempt, transaction as conn:
                numbers.append(attempt.number)
                await conn.execute(f"do $$ begin raise {error}; end $$")
    assert numbers == [1]


async def test_an_error_that_was_caught_is_none(aconn):
    numbers = []
    with pytest.raises(errors.InFailedSqlTransaction):
        async for attempt, transaction in aconn.retrying(**QUICK):
            async with attempt, transaction as conn:
                numbers.append(attempt.number)
                with contextlib.suppress(psycoxide.Error):
                    await fail(conn)
    assert numbers == [1]


async def test_an_error_behind_the_transaction(aconn, table):
    """It is committed by then: another attempt would do everything twice."""
    with pytest.raises(errors.SerializationFailure):
        async for attempt, transaction in aconn.retrying(**QUICK):
            async with attempt:
                async with transaction as conn:
                    await interfere(conn, table)
                await fail(aconn)
    assert await balances(aconn, table) == [101, 100]


async def test_rows_that_were_given_out(aconn):
    numbers = []
    ways = (
        lambda conn: conn.stream("select 1"),
        lambda conn: conn.cursor().stream("select 1"),
        lambda conn: conn.stream_arrow("select 1"),
        lambda conn: conn.cursor().stream_arrow("select 1"),
    )
    for way in ways:
        with pytest.raises(errors.SerializationFailure):
            async for attempt, transaction in aconn.retrying(**QUICK):
                async with attempt, transaction as conn:
                    numbers.append(attempt.number)
                    assert len([rows async for rows in way(conn)]) == 1
                    await fail(conn)
    with pytest.raises(errors.SerializationFailure):
        async for attempt, transaction in aconn.retrying(**QUICK):
            async with attempt, transaction as conn:
                numbers.append(attempt.number)
                async with conn.copy("copy (select 1) to stdout") as copy:
                    assert await copy.read() == b"1\n"
                await fail(conn)
    assert numbers == [1] * (len(ways) + 1)
    # That was then.
    assert await run(aconn, attempts=2, **QUICK) == [1, 2]


async def test_a_block_that_rolls_back_by_itself(aconn, table):
    numbers = []
    async for attempt, transaction in aconn.retrying(**QUICK):
        async with attempt, transaction as conn:
            numbers.append(attempt.number)
            await conn.execute(f"delete from {table}")
            raise aio.Rollback
    assert numbers == [1]
    assert await balances(aconn, table) == [100, 100]


async def test_one_transaction_is_enough(aconn):
    numbers = [
        attempt.number
        async for attempt, transaction in aconn.retrying(**QUICK)
        if await entered(attempt, transaction)
    ]
    assert numbers == [1]


async def entered(attempt, transaction):
    async with attempt, transaction:
        return True


# ---- other sources, and the decorator -----------------------------------------------------------


async def test_a_function_that_hands_out_connections(dsn):
    pids = []
    async for attempt, transaction in aio.AsyncRetrying(lambda: aio.connect(dsn), **QUICK):
        async with attempt, transaction as conn:
            pids.append(conn.info.backend_pid)
            if attempt.number < 3:
                await fail(conn)
    assert len(set(pids)) == 3
    assert conn.closed


async def test_an_object_that_hands_out_connections(dsn):
    class Source:
        def connection(self):
            return aio.connect(dsn)

    async for attempt, transaction in aio.AsyncRetrying(Source(), **QUICK):
        async with attempt, transaction as conn:
            assert await conn.fetchval("select 1") == 1
    assert attempt.number == 1


async def test_a_pool(aconn, dsn, table):
    async with aio.AsyncConnectionPool(dsn, min_size=1, max_size=2) as pool:
        numbers = []
        async for attempt, transaction in pool.retrying(lost=True, **SERIALIZABLE):
            async with attempt, transaction as lent:
                numbers.append(attempt.number)
                await balances(lent, table)
                if attempt.number == 1:
                    await interfere(aconn, table)
                await lent.execute(f"update {table} set cents = cents * 2 where id = 1")
                if attempt.number == 2:
                    await end_session(aconn, lent.info.backend_pid)
                    await lent.execute("select pg_sleep(1)")
        assert numbers == [1, 2, 3]
        assert await balances(pool, table) == [202, 100]


async def test_a_pool_that_has_no_connection(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1, timeout=0.1) as pool:
        began = time.monotonic()
        async with pool.connection():
            with pytest.raises(aio.PoolTimeout):
                async for attempt, transaction in pool.retrying(lost=True):
                    async with attempt, transaction:
                        pass
        assert time.monotonic() - began < 1
        assert await pool.fetchval("select 1") == 1


async def test_a_pool_whose_function_is_decorated(dsn):
    async with aio.AsyncConnectionPool(dsn, min_size=1) as pool:

        @pool.retrying(commit="verify")
        async def add(conn, first, second):
            return await conn.fetchval("select %s + %s", (first, second))

        assert await add(1, second=2) == 3


async def test_decorator(aconn, other, table):
    numbers = []

    @aconn.retrying(**SERIALIZABLE)
    async def double(conn, number, *, text):
        """Says what it does."""
        numbers.append(number)
        await balances(conn, table)
        if len(numbers) == 1:
            await interfere(other, table)
        await conn.execute(f"update {table} set cents = cents * 2 where id = %s", (number,))
        return text

    assert double.__doc__ == "Says what it does."
    assert await double(1, text="done") == "done"
    assert numbers == [1, 1]
    assert await double(2, text="again") == "again"
    assert await balances(aconn, table) == [202, 200]


async def test_a_decorated_function_that_rolls_back(aconn, table):
    @aconn.retrying()
    async def undo(conn):
        await interfere(conn, table)
        raise aio.Rollback

    assert await undo() is None
    assert await balances(aconn, table) == [100, 100]


async def test_characteristics(aconn):
    options = {"isolation": "repeatable read", "read_only": True}
    async for attempt, transaction in aconn.retrying(**options):
        async with attempt, transaction as conn:
            assert await conn.fetchval("show transaction_isolation") == "repeatable read"
            assert await conn.fetchval("show transaction_read_only") == "on"
    assert attempt.number == 1


# ---- a connection that is lost ------------------------------------------------------------------


async def end_session(conn, pid):
    await conn.execute("select pg_terminate_backend(%s)", (pid,))


async def test_a_loss_before_the_commit(aconn, dsn):
    numbers = []
    options = {"lost": True, **QUICK}
    async for attempt, transaction in aio.AsyncRetrying(lambda: aio.connect(dsn), **options):
        async with attempt, transaction as lent:
            numbers.append(attempt.number)
            await lent.execute("select 1")
            if attempt.number == 1:
                await end_session(aconn, lent.info.backend_pid)
            await lent.execute("select pg_sleep(0.1)")
    assert numbers == [1, 2]


def test_a_time_limit_is_no_loss():
    """Even if the connection is closed because of it."""
    assert is_loss(psycoxide.OperationalError("lost"))
    assert not is_loss(aio.OperationTimeout("late"))


async def test_a_loss_is_raised_unless_it_is_asked_for(aconn, dsn):
    numbers = []
    with pytest.raises(psycoxide.OperationalError):
        async for attempt, transaction in aio.AsyncRetrying(lambda: aio.connect(dsn), **QUICK):
            async with attempt, transaction as lent:
                numbers.append(attempt.number)
                await lent.execute("select 1")
                await end_session(aconn, lent.info.backend_pid)
                await lent.execute("select pg_sleep(1)")
    assert numbers == [1]


async def test_a_server_that_refuses_for_a_while(dsn, relay, server):
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    options = {**server.parameters, **found.options}
    calls = []

    def source():
        calls.append(1)
        if len(calls) == 4:
            found.restore()
        return aio.connect(**options)

    found.cut()
    async for attempt, transaction in aio.AsyncRetrying(source, lost=True, **QUICK):
        async with attempt, transaction as conn:
            assert await conn.fetchval("select 1") == 1
            assert attempt.number == 4
            assert isinstance(attempt.error, psycoxide.OperationalError)
    found.cut()
    with pytest.raises(psycoxide.OperationalError):
        async for attempt, transaction in aio.AsyncRetrying(source, lost=True, **QUICK):
            async with attempt, transaction:
                pass
    assert attempt.number == 5


# ---- misuse -------------------------------------------------------------------------------------


async def test_an_attempt_has_to_be_entered(aconn):
    with pytest.raises(psycoxide.ProgrammingError, match="attempt was not entered"):
        async for _attempt, _transaction in aconn.retrying():
            pass


async def test_a_transaction_has_to_be_entered(aconn):
    with pytest.raises(psycoxide.ProgrammingError, match="transaction was not entered"):
        async for attempt, _transaction in aconn.retrying():
            async with attempt:
                await aconn.execute("select 1")


async def test_the_attempt_comes_first(aconn):
    with pytest.raises(psycoxide.ProgrammingError, match="attempt comes first"):
        async for attempt, transaction in aconn.retrying():
            async with transaction, attempt:
                pass


async def test_within_a_transaction(aconn):
    async with aconn.transaction():
        with pytest.raises(psycoxide.ProgrammingError, match="within another one"):
            async for attempt, transaction in aconn.retrying():
                async with attempt, transaction:
                    pass


async def test_on_a_closed_connection(aconn):
    await aconn.close()
    with pytest.raises(psycoxide.InterfaceError):
        async for attempt, transaction in aconn.retrying():
            async with attempt, transaction:
                pass


async def test_wrong_arguments(aconn):
    with pytest.raises(ValueError, match="attempts"):
        aconn.retrying(attempts=0)
    with pytest.raises(ValueError, match="commit"):
        aconn.retrying(commit="twice")
    with pytest.raises(ValueError, match="verify_within"):
        aconn.retrying(commit="verify", verify_within=None)
    with pytest.raises(ValueError, match="retry_min"):
        aconn.retrying(retry_min=-1)
    with pytest.raises(ValueError, match="isolation level"):
        async for attempt, transaction in aconn.retrying(isolation="high"):
            async with attempt, transaction:
                pass
