# only in aio: a call that waits itself cannot be cancelled
"""Everything is cancelled at each of its steps.

Whatever it was doing: the task ends at once, the connection is usable or closed, no transaction is
left open, and no caller gets another one's answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time

import pytest
from fixtures.steps import AT_ONCE, WAYS, at_each_step, soon

import psycoxide
from psycoxide import aio, extensions

IDLE = extensions.TRANSACTION_STATUS_IDLE
NUMBERS = itertools.count(1)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=sorted(WAYS))
def way(request):
    return request.param


async def ask(conn, source=""):
    """Runs a statement whose answer no other one has."""
    number = next(NUMBERS)
    assert await conn.fetchval(f"select {number} {source}") == number
    return number


def dawdle():
    """Keeps the loop busy for so long that the next call gives other tasks their turn first."""
    time.sleep(0.005)


async def check_usable(conn):
    """The connection answers, and nothing of before is left on it."""
    assert not conn.closed
    await soon(ask(conn))
    assert conn.info.transaction_status == IDLE
    await soon(ask(conn))


def check_cancelled(run):
    """The task ended at once, and as a cancelled one does."""
    if run.was_hit:
        assert run.seconds < AT_ONCE, f"step {run.step}: {run.seconds:.2f} s"
        assert run.was_cancelled or run.error is None, f"step {run.step}: {run.error!r}"
    else:
        assert run.error is None, repr(run.error)


@pytest.fixture
async def table(aconn):
    """A table that all sessions see."""
    name = f"cancelled_{os.getpid()}"
    await aconn.execute(f"drop table if exists {name}")
    await aconn.execute(f"create unlogged table {name} (n integer)")
    yield name
    await aconn.execute(f"drop table {name}")


async def content(aconn, table):
    """The numbers in the table, which is empty after that."""
    return sorted(await aconn.fetch(f"delete from {table} returning n", row_factory=aio.scalar_row))


async def test_a_statement(aconn, way):
    hits = 0
    async for run in at_each_step(way, lambda: ask(aconn)):
        check_cancelled(run)
        hits += run.was_cancelled
        await check_usable(aconn)
    assert hits


async def test_a_statement_that_would_take_long(aconn):
    async def slow():
        with pytest.raises(asyncio.CancelledError):
            await ask(aconn, "from pg_sleep(600)")
        raise asyncio.CancelledError

    for turns in range(1, 30):
        task = asyncio.ensure_future(slow())
        for _ in range(turns):
            await asyncio.sleep(0 if turns < 20 else 0.001)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=AT_ONCE)
        assert done
        await check_usable(aconn)


async def test_a_statement_that_is_just_over(aconn, way):
    async for run in at_each_step(way, lambda: ask(aconn, "from pg_sleep(0.003)")):
        check_cancelled(run)
        await check_usable(aconn)


async def test_many_rows(aconn, way):
    async def many():
        rows = await aconn.fetch(
            "select g as n from generate_series(1, 30000) g", row_factory=aio.dict_row
        )
        assert len(rows) == 30000
        assert rows[-1] == {"n": 30000}

    async for run in at_each_step(way, many):
        check_cancelled(run)
        await check_usable(aconn)


async def test_a_large_parameter(aconn, way):
    text = "x" * 1_000_000

    async def large():
        assert await aconn.fetchval("select length(%s)", (text,)) == len(text)

    async for run in at_each_step(way, large):
        check_cancelled(run)
        await check_usable(aconn)


async def check_names(conn):
    """The session and the server agree about prepared statements, so that all run."""
    for query in ("select %s + 1", "select %s + 2", "select %s + 3"):
        for n in range(3):
            assert await soon(conn.fetchval(query, (n,))) == n + int(query[-1])
    names = await conn.fetchval(
        "select count(*) from pg_prepared_statements where name like '\\_px\\_%'", prepare=False
    )
    assert names <= conn.prepared_max


@pytest.mark.parametrize("when", ["asked", "named", "evicted", "outdated", "gone", "begins"])
async def test_a_statement_that_gets_a_name(dsn, way, when):
    """Names are given, given up, and found gone, with a cancelled task at each step."""
    most = 1 if when == "evicted" else 2
    async with aio.connect(dsn, prepare_threshold=0, prepared_max=most) as conn:
        await conn.execute("create temp table t (n integer)")

        async def prepared():
            assert await conn.fetchval("select %s + 1", (1,)) == 2
            assert await conn.fetchval("select %s + 2", (1,), binary=True) == 3

        async def within():
            async with conn.transaction():
                await prepared()

        async def renewed():
            nonlocal conn
            await conn.close()
            conn = await aio.connect(dsn, prepare_threshold=0, prepared_max=most)
            await conn.execute("create temp table t (n integer)")

        def works():
            return within() if when == "begins" else prepared()

        async for run in at_each_step(way, works):
            check_cancelled(run)
            await check_usable(conn)
            await check_names(conn)
            if when == "asked":
                await renewed()
            elif when in ("named", "begins"):
                await conn.execute("discard all")
                await conn.execute("create temp table t (n integer)")
            elif when == "outdated":
                await conn.execute("alter table t alter column n set default 1")
            elif when == "gone":
                await conn.execute("do $$ begin execute 'deallocate all'; end $$")
        await conn.close()


async def test_many_statements_that_get_names(dsn, way):
    async with aio.connect(dsn, prepare_threshold=1, prepared_max=2) as conn:

        async def many():
            calls = [conn.fetchval(f"select %s + {n % 3 + 1}", (n,)) for n in range(12)]
            assert await asyncio.gather(*calls) == [n + n % 3 + 1 for n in range(12)]

        async for run in at_each_step(way, many):
            check_cancelled(run)
            await check_usable(conn)
            await check_names(conn)
            await conn.execute("deallocate all")


async def test_a_cursor(aconn, way):
    async def read():
        async with aconn.cursor() as cursor:
            await cursor.execute("select generate_series(1, 10)")
            assert await cursor.fetchone() == (1,)
            assert [n async for (n,) in cursor] == list(range(2, 11))

    async for run in at_each_step(way, read):
        check_cancelled(run)
        await check_usable(aconn)


@pytest.mark.parametrize("options", [{}, {"savepoint_name": "named"}], ids=["plain", "named"])
async def test_a_transaction_with_savepoints(dsn, aconn, table, way, options):
    insert = f"insert into {table} values (%s)"

    async with aio.connect(dsn) as conn:

        async def block():
            async with conn.transaction(**options):
                await conn.execute(insert, (1,))
                async with conn.transaction():
                    await conn.execute(insert, (2,))
                    raise aio.Rollback
                async with conn.transaction():
                    await conn.execute(insert, (3,))
                await ask(conn)

        async for run in at_each_step(way, block):
            check_cancelled(run)
            await check_usable(conn)
            found = await content(aconn, table)
            assert found in ([], [1, 3])
            if not run.was_cancelled:
                assert found == [1, 3]


async def test_a_caught_cancellation_in_a_savepoint(dsn, aconn, table):
    async with aio.connect(dsn) as conn, conn.transaction():
        await conn.execute(f"insert into {table} values (1)")

        async def inner():
            async with conn.transaction():
                await conn.execute(f"insert into {table} values (2)")
                await conn.execute("select pg_sleep(600)")

        for turns in range(1, 15):
            task = asyncio.ensure_future(inner())
            for _ in range(turns):
                await asyncio.sleep(0 if turns < 10 else 0.002)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await soon(task)
            await soon(ask(conn))
        await conn.execute(f"insert into {table} values (3)")
    assert await content(aconn, table) == [1, 3]


async def test_a_slow_commit(dsn, aconn, table, way):
    """The end of COMMIT is awaited: without a cause, the cancellation says that it succeeded."""
    trigger = f"""
        create or replace function slow_{table}() returns trigger language plpgsql as
            $$ begin perform pg_sleep(0.02); return null; end $$;
        create constraint trigger slow after insert on {table} deferrable initially deferred
            for each row execute function slow_{table}()
    """
    await aconn.execute(trigger)
    async with aio.connect(dsn) as conn:

        async def block():
            nonlocal reached
            reached = False
            async with conn.transaction():
                await conn.execute(f"insert into {table} values (1)")
                await conn.execute(f"insert into {table} values (2)")
                reached = True

        reached = False
        late = 0
        async for run in at_each_step(way, block):
            check_cancelled(run)
            late += run.was_cancelled and reached
            await check_usable(conn)
            found = await content(aconn, table)
            if reached:
                assert found == [1, 2]
                assert run.error is None or run.error.__cause__ is None
            else:
                assert found == []
    assert late
    await aconn.execute(f"drop function slow_{table} cascade")


async def test_a_commit_that_fails(dsn, aconn, table, way):
    await aconn.execute(f"alter table {table} add unique (n) deferrable initially deferred")
    causes = set()
    async with aio.connect(dsn) as conn:

        async def block():
            try:
                async with conn.transaction():
                    await conn.execute(f"insert into {table} values (1), (1)")
            except psycoxide.errors.UniqueViolation:
                return

        async for run in at_each_step(way, block):
            check_cancelled(run)
            causes.add(type(run.error.__cause__ if run.error else None))
            await check_usable(conn)
            assert await content(aconn, table) == []
    assert causes <= {type(None), psycoxide.errors.UniqueViolation}


async def test_without_autocommit(dsn, aconn, table, way):
    async with aio.connect(dsn, autocommit=False) as conn:

        async def work():
            await conn.execute(f"insert into {table} values (1)")
            await conn.execute(f"insert into {table} values (2)")
            await conn.commit()

        async for run in at_each_step(way, work):
            check_cancelled(run)
            await soon(conn.rollback())
            assert conn.info.transaction_status == IDLE
            await soon(ask(conn))
            await soon(conn.rollback())
            found = await content(aconn, table)
            assert found in ([], [1, 2])
            assert found or run.was_cancelled


@pytest.mark.parametrize("chosen", [0, 1, 7])
async def test_one_of_many(aconn, way, chosen):
    """Only that one: the others, before and behind it, get their own answers."""

    async def many():
        nonlocal victim
        sources = ["from pg_sleep(0.002)", "", "from generate_series(1, 1)", ""] * 2
        tasks = [asyncio.ensure_future(ask(aconn, source)) for source in sources]
        victim = tasks[chosen]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        others = results[:chosen] + results[chosen + 1 :]
        assert all(isinstance(result, int) for result in others), results
        return results[chosen]

    victim = None
    async for run in at_each_step(way, many, lambda _: victim and victim.cancel()):
        assert run.error is None, repr(run.error)
        await check_usable(aconn)


async def test_one_of_many_in_a_transaction(dsn, aconn, table, way):
    """Its statements may fail, but none is committed without the others."""
    async with aio.connect(dsn) as conn:

        async def many():
            nonlocal victim
            async with conn.transaction():
                tasks = [
                    asyncio.ensure_future(
                        conn.execute(f"insert into {table} select {n} from pg_sleep(0.001)")
                    )
                    for n in range(5)
                ]
                victim = tasks[1]
                results = await asyncio.gather(*tasks, return_exceptions=True)
                for result in results:
                    if isinstance(result, psycoxide.Error):
                        raise result

        victim = None
        async for run in at_each_step(way, many, lambda _: victim and victim.cancel()):
            assert run.error is None or isinstance(run.error, psycoxide.Error)
            await check_usable(conn)
            found = await content(aconn, table)
            # The one that was cancelled was not sent, or has run; or all was rolled back.
            assert found in ([], [0, 2, 3, 4], [0, 1, 2, 3, 4])
            assert found or run.error


async def test_all_of_many(aconn, way):
    async def many():
        await asyncio.gather(*(ask(aconn, "from pg_sleep(0.0005)") for _ in range(10)))

    async for run in at_each_step(way, many):
        check_cancelled(run)
        await check_usable(aconn)


async def test_a_second_cancellation_of_many(aconn):
    """Each of the statements that nobody waits for is cancelled in its turn."""
    for pause in (0, 0.001, 0.003, 0.01, 0.02):
        tasks = [asyncio.ensure_future(ask(aconn, f"from pg_sleep({s})")) for s in (0.01, 600, 600)]
        await asyncio.sleep(pause)
        for task in tasks:
            task.cancel()
        await soon(asyncio.wait(tasks))
        await check_usable(aconn)


async def test_connect(dsn, aconn, way):
    name = f"cancelled_{os.getpid()}"
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None

    async def connect():
        async with aio.connect(dsn, application_name=name) as conn:
            await ask(conn)

    async for run in at_each_step(way, connect):
        check_cancelled(run)
    if before is not None:
        # Cancel requests of closed connections may still be on their way.
        for _ in range(200):
            if len(os.listdir("/proc/self/fd")) <= before:
                break
            await asyncio.sleep(0.02)
        assert len(os.listdir("/proc/self/fd")) <= before
    query = "select count(*) from pg_stat_activity where application_name = %s"
    for _ in range(200):
        if not await aconn.fetchval(query, (name,)):
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("a session is left")


async def test_close_while_others_wait(dsn):
    for turns in range(12):
        conn = await aio.connect(dsn)
        tasks = [asyncio.ensure_future(ask(conn, f"from pg_sleep({s})")) for s in (0, 600, 0)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await conn.close()
        results = await soon(asyncio.gather(*tasks, return_exceptions=True))
        assert all(isinstance(result, (int, psycoxide.InterfaceError)) for result in results)


async def test_notifies(aconn, dsn, way):
    async with aio.connect(dsn) as conn:
        await conn.execute("listen steps")
        heard = []

        async def hear():
            await aconn.execute("select pg_notify('steps', '1')")
            async for notify in conn.notifies(stop_after=1):
                heard.append(notify.payload)
            await ask(conn)

        async for run in at_each_step(way, hear):
            check_cancelled(run)
            await check_usable(conn)
            await check_usable(aconn)
        # Those that came for a task that was cancelled are kept for the next one.
        last = [notify.payload async for notify in conn.notifies(timeout=0.1)]
        assert set(heard + last) == {"1"}


async def test_a_time_limit_at_any_moment(aconn):
    for tenths in range(60):
        number = next(NUMBERS)
        query = f"select {number} from pg_sleep(0.002)"
        with contextlib.suppress(aio.OperationTimeout):
            assert await aconn.fetchval(query, timeout=tenths / 10_000) == number
        await check_usable(aconn)


async def test_a_stream(aconn, way):
    async def read():
        query = "select g, repeat('x', 100) from generate_series(1, 10000) g"
        count = 0
        async for number, _ in aconn.stream(query):
            count += 1
            assert number == count
        assert count == 10_000

    async for run in at_each_step(way, read):
        check_cancelled(run)
        await check_usable(aconn)


async def test_a_stream_whose_reader_is_slow(aconn, way):
    """Its calls let other tasks have their turn before they begin, and may be cancelled there."""
    hits = 0

    async def read():
        # There is no block that ends the stream, and the exception keeps it alive by its traceback.
        rows = aconn.stream("select g, repeat('x', 1000) from generate_series(1, 2000) g")
        async for number, _ in rows:
            if number % 200 == 0:
                dawdle()

    async for run in at_each_step(way, read):
        check_cancelled(run)
        hits += run.was_cancelled
        await check_usable(aconn)
    assert hits


async def test_a_stream_within_a_transaction(aconn, way):
    async def read():
        async with aconn.transaction():
            async with aconn.stream("select generate_series(1, 10000)") as rows:
                async for _ in rows:
                    pass
            await ask(aconn)

    async for run in at_each_step(way, read):
        check_cancelled(run)
        await check_usable(aconn)


async def test_a_copy_to_the_server(aconn, way, table):
    async def write():
        async with aconn.copy(f"copy {table} from stdin") as copy:
            await copy.write_rows([(1,)] * 100)
            await copy.write("2\n" * 100_000)
            await copy.write_rows([(3,)] * 100)

    async for run in at_each_step(way, write):
        check_cancelled(run)
        await check_usable(aconn)
        found = await aconn.fetchrow(f"select count(*), count(distinct n) from {table}")
        # All of it or nothing. It may have ended in the moment of the cancellation.
        assert found in [(0, 0), (100_200, 3)]
        assert found[0] or run.was_cancelled
        await aconn.execute(f"truncate {table}")


async def test_a_copy_to_the_server_by_a_slow_writer(aconn, way, table):
    """Its calls let other tasks have their turn before they begin, and may be cancelled there."""

    async def write():
        async with aconn.copy(f"copy {table} from stdin") as copy:
            for number in range(3):
                dawdle()
                await copy.write(f"{number}\n" * 100_000)
            await copy.write_row((3,))
            dawdle()

    async for run in at_each_step(way, write):
        check_cancelled(run)
        await check_usable(aconn)
        found = await aconn.fetchval(f"select count(*) from {table}")
        assert found in (0, 300_001)
        assert found or run.was_cancelled
        await aconn.execute(f"truncate {table}")


async def test_a_copy_to_the_server_that_is_made_to_fail(aconn, way, table):
    async def write():
        with pytest.raises(LookupError):
            async with aconn.copy(f"copy {table} from stdin") as copy:
                await copy.write_row((1,))
                dawdle()
                raise LookupError

    async for run in at_each_step(way, write):
        check_cancelled(run)
        await check_usable(aconn)
        assert await aconn.fetchval(f"select count(*) from {table}") == 0


async def test_a_copy_from_the_server_by_a_slow_reader(aconn, way):
    async def read():
        query = "copy (select repeat('x', 1000) from generate_series(1, 2000)) to stdout"
        async with aconn.copy(query) as copy:
            count = 0
            async for _ in copy.rows():
                count += 1
                if count % 200 == 0:
                    dawdle()
        assert count == 2000

    async for run in at_each_step(way, read):
        check_cancelled(run)
        await check_usable(aconn)


async def test_a_copy_from_the_server(aconn, way):
    async def read():
        async with aconn.copy("copy (select generate_series(1, 100000)) to stdout") as copy:
            count = 0
            async for _ in copy.rows():
                count += 1
        assert count == 100_000

    async for run in at_each_step(way, read):
        check_cancelled(run)
        await check_usable(aconn)


async def test_a_transaction_that_is_run_again(aconn, dsn, table, way):
    """Whatever step it is cancelled at, it has happened once or not at all."""
    hits = 0
    rules = aio.AsyncRetrying(
        lambda: aio.connect(dsn), retry_min=0, retry_max=0.001, commit="verify"
    )

    async def insert():
        async for attempt, transaction in rules:
            async with attempt, transaction as conn:
                await conn.execute(f"insert into {table} values (1)")
                if attempt.number == 1:
                    await conn.execute("do $$ begin raise serialization_failure; end $$")

    async for run in at_each_step(way, insert):
        check_cancelled(run)
        hits += run.was_cancelled
        found = await content(aconn, table)
        assert found in ([1], []) if run.was_hit else found == [1]
    assert hits
