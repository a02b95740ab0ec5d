"""Blocks of transactions, `commit()` and `rollback()`."""

from __future__ import annotations

import os
from functools import partial

import pytest
from fixtures.tasks import agather, ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio, errors, extensions

IDLE = extensions.TRANSACTION_STATUS_IDLE
INTRANS = extensions.TRANSACTION_STATUS_INTRANS


@pytest.fixture
async def numbers(aconn):
    """A function that tells which numbers are in the table `numbers`."""
    await aconn.execute("create temporary table numbers (n integer)")

    async def tell():
        rows = await aconn.fetch("select n from numbers order by n", row_factory=aio.scalar_row)
        assert aconn.info.transaction_status == IDLE
        return rows

    return tell


async def insert(conn, number):
    await conn.execute("insert into numbers values (%s)", (number,))


async def fail(conn):
    """A statement that fails, and whose error is caught."""
    with pytest.raises(errors.DivisionByZero):
        await conn.fetchval("select 1 / 0")


# ---- commit and rollback ----------------------------------------------------------------------


async def test_a_block_commits(aconn, numbers):
    async with aconn.transaction() as transaction:
        assert transaction.connection is aconn
        await insert(aconn, 1)
        assert aconn.info.transaction_status == INTRANS
    assert await numbers() == [1]


async def test_an_exception_rolls_back_and_goes_on(aconn, numbers):
    with pytest.raises(KeyError):
        async with aconn.transaction():
            await insert(aconn, 1)
            raise KeyError
    assert await numbers() == []


async def test_an_error_of_the_server_rolls_back(aconn, numbers):
    with pytest.raises(errors.DivisionByZero):
        async with aconn.transaction():
            await insert(aconn, 1)
            await aconn.execute("select 1 / 0")
    assert await numbers() == []


async def test_rollback_is_an_exception_that_stays_inside(aconn, numbers):
    async with aconn.transaction():
        await insert(aconn, 1)
        raise aio.Rollback
    assert await numbers() == []


async def test_rollback_of_an_outer_block_leaves_the_inner_ones(aconn, numbers):
    reached = []
    async with aconn.transaction() as outer:
        async with aconn.transaction():
            await insert(aconn, 1)
            raise aio.Rollback(outer)
        reached.append("behind the inner one")
    assert reached == []
    assert await numbers() == []


async def test_force_rollback(aconn, numbers):
    async with aconn.transaction(force_rollback=True):
        await insert(aconn, 1)
        assert await aconn.fetchval("select count(*) from numbers") == 1
    assert await numbers() == []


async def test_an_empty_block_sends_nothing(aconn):
    async with aconn.transaction():
        assert aconn.info.transaction_status == IDLE
    assert aconn.info.transaction_status == IDLE


async def test_a_caught_error_makes_commit_fail(aconn, numbers):
    with pytest.raises(errors.InFailedSqlTransaction, match="rolled back instead of committed"):
        async with aconn.transaction():
            await insert(aconn, 1)
            await fail(aconn)
    assert await numbers() == []


async def test_a_deferred_constraint_fails_at_commit(aconn, numbers):
    await aconn.execute(
        "create temporary table once (n integer unique deferrable initially deferred)"
    )
    with pytest.raises(errors.UniqueViolation):
        async with aconn.transaction():
            await insert(aconn, 1)
            await aconn.execute("insert into once values (1), (1)")
    assert await numbers() == []


async def test_a_block_is_entered_once(aconn):
    transaction = aconn.transaction()
    async with transaction:
        pass
    with pytest.raises(psycoxide.ProgrammingError, match="entered once"):
        async with transaction:
            pass


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_a_block_ends_by_itself(aconn, numbers, ends):
    async with aconn.transaction():
        await insert(aconn, 1)
        with pytest.raises(psycoxide.ProgrammingError, match="not for the block"):
            await getattr(aconn, ends)()
    assert await numbers() == [1]


# ---- savepoints -------------------------------------------------------------------------------


async def test_an_inner_block_is_a_savepoint(aconn, numbers):
    async with aconn.transaction() as outer:
        assert outer.savepoint_name is None
        await insert(aconn, 1)
        async with aconn.transaction() as inner:
            assert inner.savepoint_name
            await insert(aconn, 2)
            raise aio.Rollback
        async with aconn.transaction('my "own" name') as inner:
            assert inner.savepoint_name == 'my "own" name'
            await insert(aconn, 3)
    assert await numbers() == [1, 3]


async def test_savepoints_nest_deeply(aconn, numbers):
    async def enter(depth):
        if depth == 20:
            raise aio.Rollback
        async with aconn.transaction():
            await insert(aconn, depth)
            await enter(depth + 1)

    async with aconn.transaction():
        await enter(1)
    assert await numbers() == list(range(1, 19))


async def test_an_error_in_a_savepoint_leaves_the_outer_block_usable(aconn, numbers):
    async with aconn.transaction():
        await insert(aconn, 1)
        with pytest.raises(errors.DivisionByZero):
            async with aconn.transaction():
                await insert(aconn, 2)
                await aconn.execute("select 1 / 0")
        await insert(aconn, 3)
    assert await numbers() == [1, 3]


async def test_an_error_that_is_caught_in_a_savepoint_undoes_the_savepoint(aconn, numbers):
    async with aconn.transaction():
        await insert(aconn, 1)
        with pytest.raises(errors.InFailedSqlTransaction):
            async with aconn.transaction():
                await insert(aconn, 2)
                await fail(aconn)
        await insert(aconn, 3)
    assert await numbers() == [1, 3]


async def test_an_outermost_block_with_a_name(aconn, numbers):
    async with aconn.transaction("first"):
        await insert(aconn, 1)
    async with aconn.transaction("second"):
        await insert(aconn, 2)
        raise aio.Rollback
    with pytest.raises(errors.InFailedSqlTransaction):
        async with aconn.transaction("third"):
            await insert(aconn, 3)
            await fail(aconn)
    # It is over, and another task may use the connection.
    assert await ajoin(aspawn(aconn.fetchval, "select 5")) == 5
    assert await numbers() == [1]


async def test_a_savepoint_that_cannot_be_made_is_no_block(aconn, numbers):
    with pytest.raises(errors.SyntaxError):
        async with aconn.transaction(""):
            raise AssertionError
    assert await ajoin(aspawn(aconn.fetchval, "select 5")) == 5
    assert await numbers() == []


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
async def test_how_a_block_begins(aconn, options, name, value):
    async with aconn.transaction(**options):
        assert await aconn.fetchval(SHOWN % name) == value
    async with aconn.transaction():
        assert await aconn.fetchval(SHOWN % name) != value or not options


async def test_a_read_only_block_refuses_to_write(aconn):
    with pytest.raises(errors.ReadOnlySqlTransaction):
        async with aconn.transaction(read_only=True):
            await aconn.execute("create table never (n integer)")


async def test_only_the_outermost_block_chooses(aconn):
    async with aconn.transaction():
        with pytest.raises(psycoxide.ProgrammingError, match="outermost"):
            async with aconn.transaction(read_only=True):
                raise AssertionError
        assert await aconn.fetchval("select 1") == 1


async def test_an_isolation_level_that_does_not_exist(aconn):
    with pytest.raises(ValueError, match="there is no isolation level"):
        async with aconn.transaction(isolation="chaos"):
            raise AssertionError
    assert await ajoin(aspawn(aconn.fetchval, "select 5")) == 5


# ---- without autocommit -----------------------------------------------------------------------


async def test_a_statement_begins_a_transaction(dsn, aconn):
    name = f"without_autocommit_{os.getpid()}"
    await aconn.execute(f"drop table if exists {name}")
    async with aio.connect(dsn, autocommit=False) as other:
        assert not other.autocommit
        await other.execute(f"create table {name} (n integer)")
        assert other.info.transaction_status == INTRANS
        await other.rollback()
        assert other.info.transaction_status == IDLE
        await other.execute(f"create table {name} (n integer)")
        await other.commit()
        await other.commit()
        await other.execute(f"insert into {name} values (1)")
        with pytest.raises(psycoxide.ProgrammingError):
            await other.set_autocommit(True)
    # The end of the block has committed it.
    assert await aconn.fetchval(f"select count(*) from {name}") == 1
    with pytest.raises(KeyError):
        async with aio.connect(dsn, autocommit=False) as other:
            await other.execute(f"drop table {name}")
            raise KeyError
    await aconn.execute(f"drop table {name}")


async def test_a_block_in_a_transaction_that_a_statement_began_is_a_savepoint(dsn):
    async with aio.connect(dsn, autocommit=False) as conn:
        await conn.execute("create temporary table numbers (n integer)")
        async with conn.transaction() as inner:
            await insert(conn, 1)
            assert inner.savepoint_name
            raise aio.Rollback
        assert conn.info.transaction_status == INTRANS
        assert await conn.fetchval("select count(*) from numbers") == 0
        await conn.rollback()


async def test_autocommit_can_be_changed(aconn):
    await aconn.set_autocommit(False)
    await aconn.execute("select 1")
    assert aconn.info.transaction_status == INTRANS
    await aconn.commit()
    await aconn.set_autocommit(True)
    await aconn.execute("select 1")
    assert aconn.info.transaction_status == IDLE


# ---- closed connections -----------------------------------------------------------------------


async def test_a_connection_closed_in_a_block(aconn):
    with pytest.raises(psycoxide.InterfaceError):
        async with aconn.transaction():
            await aconn.execute("select 1")
            await aconn.close()


async def test_the_exception_of_the_block_says_more_than_a_lost_connection(aconn):
    with pytest.raises(KeyError):
        async with aconn.transaction():
            await aconn.execute("select 1")
            await aconn.close()
            raise KeyError


async def test_a_block_on_a_closed_connection(aconn):
    await aconn.close()
    with pytest.raises(psycoxide.InterfaceError):
        async with aconn.transaction():
            raise AssertionError


# ---- several tasks ----------------------------------------------------------------------------


async def test_another_task_is_refused(aconn, numbers):  # only in aio
    async with aconn.transaction():
        await insert(aconn, 1)
        stranger = await aside(partial(insert, aconn, 2))
        assert isinstance(stranger, psycoxide.ProgrammingError)
        assert "transaction of another task" in str(stranger)
    assert await numbers() == [1]


async def aside(function):  # only in aio
    """What comes of a function in a task that was not started within the block."""
    import asyncio
    import contextvars

    task = contextvars.Context().run(asyncio.ensure_future, function())
    return (await asyncio.gather(task, return_exceptions=True))[0]


async def test_tasks_that_are_started_in_the_block_belong_to_it(aconn, numbers):
    async with aconn.transaction():
        await agather(*(partial(insert, aconn, n) for n in range(5)))
        assert aconn.info.transaction_status == INTRANS
        raise aio.Rollback
    assert await numbers() == []


async def test_a_shared_block(aconn, numbers):  # only in aio
    async with aconn.transaction(shared=True):
        assert await aside(partial(insert, aconn, 1)) is None
        raise aio.Rollback
    assert await numbers() == []


async def test_a_statement_of_before_is_not_in_the_block(aconn, numbers):  # only in aio
    # It waits behind one that is under way when the block is entered.
    slow = aspawn(aconn.execute, "select pg_sleep(0.1); select 1")
    await asleep(0.01)
    before = aspawn(insert, aconn, 1)
    await asleep(0)
    async with aconn.transaction():
        await insert(aconn, 2)
        raise aio.Rollback
    await agather(partial(ajoin, slow), partial(ajoin, before))
    assert await numbers() == [1]


async def test_a_statement_of_after_is_not_in_the_block(aconn, numbers):  # only in aio
    async def block():
        async with aconn.transaction():
            await aconn.execute("select pg_sleep(0.05)")
            await insert(aconn, 1)
            raise aio.Rollback

    async def after():
        refused = 0
        while True:
            try:
                await insert(aconn, 2)
            except psycoxide.ProgrammingError:
                refused += 1
                await asleep(0)
            else:
                return refused

    task = aspawn(block)
    await asleep(0)
    assert await aside(after) > 0
    await ajoin(task)
    assert await numbers() == [2]


async def test_blocks_of_several_tasks_one_after_the_other(aconn, numbers):  # only in aio
    async def block(number):
        while True:
            try:
                async with aconn.transaction():
                    await insert(aconn, number)
                    await insert(aconn, -number)
                return
            except psycoxide.ProgrammingError:
                await asleep(0)

    await agather(*(partial(block, number) for number in range(1, 6)))
    assert await numbers() == [*range(-5, 0), *range(1, 6)]


async def test_a_task_of_a_block_that_is_over(aconn, numbers):  # only in aio
    over = []

    async def late():
        while not over:
            await asleep(0.001)
        await insert(aconn, 7)

    async with aconn.transaction():
        task = aspawn(late)
        await insert(aconn, 1)
        raise aio.Rollback
    over.append(True)
    await ajoin(task)
    assert await numbers() == [7]
