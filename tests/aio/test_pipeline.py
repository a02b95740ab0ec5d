"""`pipeline()`: statements that are sent together, each with a result of its own."""

from __future__ import annotations

import asyncio  # only in aio

import pytest
from fixtures.tasks import ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio, errors, extensions

MANY = 10_000


@pytest.fixture(params=[True, False], ids=["proven", "unproven"])
async def conn_(aconn, request):
    """A connection whose server is known to take groups, and one that is still to show that."""
    if request.param:
        async with aconn.transaction():
            await aconn.execute("select 1")
    await aconn.execute("create temp table piped (a int primary key, b text)")
    return aconn


@pytest.fixture
async def proven(aconn):
    async with aconn.transaction():
        await aconn.execute("create temp table piped (a int primary key, b text)")
    return aconn


async def contents(conn):
    return await conn.fetch("select a from piped order by a", row_factory=aio.scalar_row)


def is_idle(conn):
    return conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


async def test_results_come_at_their_handles(conn_):
    async with conn_.pipeline() as p:
        a = p.execute("insert into piped values (1, 'x') returning a, b")
        b = p.fetch("select a, b from piped")
        c = p.fetchrow("select %s, %s", (1, "y;'"))
        d = p.fetchval("select %(n)s + 1", {"n": 41})
        e = p.execute("create temp table other (z int)")
        f = p.fetchrow("select 1 where false")
        g = p.fetch("values (1), (2)", row_factory=aio.scalar_row)
        assert not a.done
        assert await d.result() == 42
    cursor = await a.result()
    assert cursor.statusmessage == "INSERT 0 1"
    assert await cursor.fetchall() == [(1, "x")]
    assert cursor.rowcount == 1
    assert await b.result() == [(1, "x")]
    assert await c.result() == (1, "y;'")
    assert await c.result() == (1, "y;'")
    assert (await e.result()).statusmessage == "CREATE TABLE"
    assert await f.result() is None
    assert await g.result() == [1, 2]
    assert a.done
    assert is_idle(conn_)


async def test_a_handle_is_awaited(proven):  # only in aio
    async with proven.pipeline() as p:
        a, b = p.fetchval("select 1"), p.fetchval("select 2")
        assert await b == 2
        assert await asyncio.gather(a, b) == [1, 2]


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 1_000])
@pytest.mark.parametrize("where", ["first", "middle", "last"])
async def test_an_error_anywhere_leaves_nothing(conn_, count, where):
    bad = {"first": 0, "middle": count // 2, "last": count - 1}[where]
    handles = []

    async def run():
        async with conn_.pipeline() as p:
            for n in range(count):
                handles.append(p.execute("insert into piped values (%s, null)", (n,)))
                if n == bad:
                    handles[-1] = p.fetchval("select 1 / %s", (0,))

    with pytest.raises(errors.DivisionByZero):
        await run()
    assert await contents(conn_) == []
    assert is_idle(conn_)
    for n, handle in enumerate(handles):
        if n < bad:
            assert (await handle.result()).rowcount == 1
        elif n == bad:
            with pytest.raises(errors.DivisionByZero):
                await handle.result()
        else:
            with pytest.raises(aio.PipelineAborted) as caught:
                await handle.result()
            assert isinstance(caught.value.__cause__, errors.DivisionByZero)


async def test_an_error_that_was_seen_is_not_raised_again(conn_):
    async with conn_.pipeline() as p:
        p.execute("insert into piped values (1, null)")
        bad = p.execute("select 1 / 0")
        with pytest.raises(errors.DivisionByZero):
            await bad.result()
        late = p.execute("insert into piped values (2, null)")
        with pytest.raises(aio.PipelineAborted):
            await late.result()
    assert await contents(conn_) == []
    assert is_idle(conn_)


async def test_sync_ends_a_group(conn_):
    async with conn_.pipeline() as p:
        p.execute("insert into piped values (1, null)")
        await p.sync()
        assert await contents(conn_) == [1]
        p.execute("insert into piped values (2, null)")
        p.execute("insert into piped values (2, null)")
        with pytest.raises(errors.UniqueViolation):
            await p.sync()
        await p.sync()
        p.execute("insert into piped values (3, null)")
    assert await contents(conn_) == [1, 3]
    assert is_idle(conn_)


async def test_a_block_that_raises_leaves_nothing(conn_):
    for reads in (False, True):
        with pytest.raises(ZeroDivisionError):
            async with conn_.pipeline() as p:
                first = p.execute("insert into piped values (1, null)")
                if reads:
                    await first.result()
                second = p.execute("insert into piped values (2, null)")
                raise ZeroDivisionError
        assert await contents(conn_) == []
        assert is_idle(conn_)
        with pytest.raises(aio.PipelineAborted):
            await second.result()


async def test_nothing_is_sent_for_nothing(conn_):
    async with conn_.pipeline() as p:
        await p.sync()
    assert is_idle(conn_)


async def test_within_a_transaction_it_belongs_to_it(conn_):
    async with conn_.transaction(force_rollback=True):
        async with conn_.pipeline() as p:
            for n in range(600):
                p.execute("insert into piped values (%s, null)", (n,))
        assert len(await contents(conn_)) == 600
    assert await contents(conn_) == []

    async def fail():
        async with conn_.transaction(), conn_.pipeline() as p:
            p.execute("insert into piped values (1, null)")
            p.execute("select 1 / 0")
            p.execute("insert into piped values (2, null)")

    with pytest.raises(errors.DivisionByZero):
        await fail()
    assert await contents(conn_) == []
    async with conn_.transaction():
        await conn_.execute("insert into piped values (1, null)")
        async with conn_.pipeline() as p:
            p.execute("insert into piped values (2, null)")
    assert await contents(conn_) == [1, 2]
    assert is_idle(conn_)


async def test_outside_autocommit_mode_the_program_commits(dsn):
    async with aio.connect(dsn, autocommit=False) as conn:
        await conn.execute("create temp table piped (a int)")
        await conn.commit()
        for ends, expected in ((conn.rollback, []), (conn.commit, [1, 2])):
            async with conn.pipeline() as p:
                p.execute("insert into piped values (1)")
                p.execute("insert into piped values (2)")
            assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_INTRANS
            await ends()
            assert await contents(conn) == expected
            await conn.commit()


async def test_statements_may_stand_alone(conn_):
    for count in (1, 300):
        with pytest.raises(errors.DivisionByZero):
            async with conn_.pipeline(atomic=False) as p:
                for n in range(count):
                    p.execute("insert into piped values (%s, null)", (count * 1000 + n,))
                bad = p.execute("select 1 / 0")
                good = p.execute("insert into piped values (%s, null)", (-count,))
        assert (await good.result()).rowcount == 1
        with pytest.raises(errors.DivisionByZero):
            await bad.result()
        assert is_idle(conn_)
    assert len(await contents(conn_)) == 303


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select 1; select 2", "one statement"),
        ("copy piped from stdin", "COPY"),
        ("/* x */ copy piped to stdout", "COPY"),
        ("%s", "COPY"),
        ("", "empty"),
    ],
)
async def test_what_cannot_be_sent_together_is_refused(conn_, query, words):
    params = (extensions.AsIs("copy piped from stdin"),) if "%" in query else None
    async with conn_.pipeline() as p:
        before = p.execute("insert into piped values (1, 'a;b')")
        with pytest.raises(psycoxide.ProgrammingError, match=words):
            p.execute(query, params)
        with pytest.raises(psycoxide.ProgrammingError, match="adapt"):
            p.execute("select %s", (object(),))
    assert (await before.result()).rowcount == 1


async def test_single_statements_of_any_kind_are_sent(conn_):
    async with conn_.pipeline() as p:
        p.execute("select ';';")
        p.execute("create function pg_temp.f() returns int language sql as $$ select 1; $$")
        p.execute("set local work_mem = '8MB'")
        p.execute("do $$ begin perform 1; perform 2; end $$")
        one = p.fetchval("select pg_temp.f()")
        shown = p.fetchval("show work_mem")
    assert await one.result() == 1
    assert isinstance(await shown.result(), str)


async def test_thousands_of_statements(conn_):
    async with conn_.pipeline() as p:
        handles = [
            p.fetchval("insert into piped values (%s, %s) returning a", (n, "x" * 100))
            for n in range(MANY)
        ]
    assert [await handle.result() for handle in handles] == list(range(MANY))
    assert await conn_.fetchval("select count(*) from piped") == MANY


async def test_large_parameters_and_results(conn_):
    async with conn_.pipeline() as p:
        handles = [p.fetchval("select %s || '!'", ("x" * 1_000_000,)) for _ in range(20)]
        long = p.fetch("select n, repeat('y', 100) from generate_series(1, 50000) n")
    for handle in handles:
        assert len(await handle.result()) == 1_000_001
    assert len(await long.result()) == 50_000


async def test_a_pipeline_is_used_within_its_block(conn_):
    p = conn_.pipeline()
    with pytest.raises(psycoxide.InterfaceError, match="outside of its block"):
        p.execute("select 1")
    async with p:
        pass
    for call in (p.execute, p.fetch, p.fetchrow, p.fetchval):
        with pytest.raises(psycoxide.InterfaceError, match="outside of its block"):
            call("select 1")
    with pytest.raises(psycoxide.InterfaceError):
        await p.sync()
    with pytest.raises(psycoxide.ProgrammingError, match="once"):
        await p.__aenter__()


async def test_blocks_within_the_block_are_refused(conn_):
    async with conn_.pipeline() as p:
        one = p.fetchval("select 1")
        with pytest.raises(psycoxide.ProgrammingError, match="pipeline"):
            await conn_.pipeline().__aenter__()
        with pytest.raises(psycoxide.ProgrammingError, match="pipeline"):
            await conn_.transaction().__aenter__()
    assert await one.result() == 1


async def test_pipelines_of_two_connections(conn_, dsn):
    async with aio.connect(dsn) as other, conn_.pipeline() as p, other.pipeline() as q:
        a, b = p.fetchval("select 1"), q.fetchval("select 2")
    assert (await a.result(), await b.result()) == (1, 2)


async def test_notices_are_kept(conn_):
    async with conn_.pipeline() as p:
        p.execute("do $$ begin raise notice 'hello'; end $$")
    assert any("hello" in notice for notice in conn_.notices)


async def test_an_error_at_the_end_of_the_transaction_is_raised(conn_):
    await conn_.execute("create temp table late (a int unique deferrable initially deferred)")
    for count in (2, 600):
        with pytest.raises(errors.UniqueViolation):
            async with conn_.pipeline() as p:
                for _ in range(count):
                    p.execute("insert into late values (1)")
        assert is_idle(conn_)
        assert await conn_.fetchval("select count(*) from late") == 0


async def test_a_time_limit_ends_the_block(conn_):
    with pytest.raises(aio.OperationTimeout):
        async with conn_.pipeline(timeout=0.3) as p:
            p.execute("insert into piped values (1, null)")
            slow = p.execute("select pg_sleep(30)")
            p.execute("insert into piped values (2, null)")
    assert await contents(conn_) == []
    assert is_idle(conn_)
    with pytest.raises(psycoxide.Error):
        await slow.result()


async def test_a_cancelled_block_leaves_nothing(conn_):  # only in aio
    for count in (1, 600):
        handles = []

        async def run(count=count, handles=handles):
            async with conn_.pipeline() as p:
                for n in range(count):
                    handles.append(p.execute("insert into piped values (%s, null)", (n,)))
                handles.append(p.execute("select pg_sleep(30)"))
                handles.append(p.execute("insert into piped values (-1, null)"))

        task = aspawn(run)
        await asleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ajoin(task)
        assert await contents(conn_) == []
        assert is_idle(conn_)
        for handle in handles[-2:]:
            with pytest.raises(psycoxide.Error):
                await handle.result()


@pytest.mark.parametrize("atomic", [True, False])
async def test_the_cancel_request_for_another_task_does_not_hit_it(proven, atomic):  # only in aio
    async def run(first):
        async with proven.pipeline(atomic=atomic) as p:
            for n in range(first, first + 20):
                p.execute("insert into piped values (%s, pg_sleep(0.001)::text)", (n,))

    for n in range(20):
        slow = aspawn(proven.fetchval, "select pg_sleep(30)")
        await asleep(0.01)
        task = aspawn(run, n * 20)
        await asleep(0)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ajoin(slow)
        await ajoin(task)
    assert await contents(proven) == list(range(400))


async def test_a_cancelled_awaiter_is_no_cancelled_statement(proven):  # only in aio
    async with proven.pipeline() as p:
        slow = p.fetchval("select 1 from pg_sleep(0.3)")
        task = aspawn(slow.result)
        await asleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ajoin(task)
        p.execute("insert into piped values (1, null)")
    assert await slow.result() == 1
    assert await contents(proven) == [1]


async def test_others_go_first_or_are_refused(proven):  # only in aio
    async def behind(event):
        await event.wait()
        return await contents(proven)

    # They are started outside of the block.
    events = asyncio.Event(), asyncio.Event()
    first, second = (aspawn(behind, event) for event in events)
    async with proven.pipeline() as p:
        p.execute("insert into piped values (1000, null)")
        # Nothing of the group was sent.
        events[0].set()
        assert await ajoin(first) == []
        for n in range(300):
            p.execute("insert into piped values (%s, null)", (n,))
        events[1].set()
        with pytest.raises(psycoxide.ProgrammingError, match="of another task"):
            await ajoin(second)
    assert len(await contents(proven)) == 301


async def test_a_lost_connection_is_an_error(dsn):
    for proves in (False, True):
        conn = await aio.connect(dsn)
        if proves:
            async with conn.transaction():
                await conn.execute("select 1")

        async def run(conn=conn):
            async with conn.pipeline() as p:
                first = p.fetchval("select 1")
                p.execute("select pg_terminate_backend(pg_backend_pid())")
                last = p.fetchval("select 2")
                try:
                    await last.result()
                finally:
                    assert first.done

        with pytest.raises(psycoxide.OperationalError):
            await run()
        assert conn.closed
        with pytest.raises(psycoxide.Error):
            async with conn.pipeline():
                pass


@pytest.fixture
async def relayed(dsn, relay, aconn):
    """A relay, and a connection through it, to a table that others see."""
    await aconn.execute("drop table if exists piped_through; create table piped_through (a int)")
    parameters = extensions.parse_dsn(dsn)
    through = relay((parameters["host"], int(parameters["port"])))
    piped = await aio.connect(**{**parameters, **through.options}, cancel_timeout=1)
    async with piped.transaction():
        await piped.execute("select 1")
    yield through, piped
    through.cut()
    await piped.close()
    await aconn.execute("drop table piped_through")


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("count", [10, 3_000])
async def test_a_connection_that_is_cut_in_the_middle(relayed, aconn, how, count):
    through, piped = relayed
    handles = []

    async def run():
        async with piped.pipeline() as p:
            for n in range(count):
                query = "insert into piped_through values (%s) returning a, repeat('x', 1000)"
                handles.append(p.execute(query, (n,)))
                if n == count // 2:
                    through.kill(how)

    with pytest.raises(psycoxide.OperationalError):
        await run()
    assert piped.closed
    assert await aconn.fetchval("select count(*) from piped_through") == 0
    with pytest.raises(psycoxide.Error):
        await handles[-1].result()


async def test_a_network_that_stalls(relayed, aconn):
    through, piped = relayed
    through.stall()
    with pytest.raises(aio.OperationTimeout):
        async with piped.pipeline(timeout=0.2) as p:
            for n in range(1_000):
                p.execute("insert into piped_through values (%s)", (n,))
            await p.fetchval("select 1").result()
    through.cut()
    assert await aconn.fetchval("select count(*) from piped_through") == 0


async def test_handles_that_nobody_reads(conn_):
    async with conn_.pipeline() as p:
        for n in range(1_000):
            p.execute("insert into piped values (%s, null)", (n,))
    assert len(await contents(conn_)) == 1_000


async def test_row_factories(conn_):
    async with conn_.pipeline() as p:
        a = p.fetch("select 1 as x", row_factory=aio.dict_row)
        b = p.fetchrow("select 1 as x", row_factory=aio.scalar_row)
    assert await a.result() == [{"x": 1}]
    assert await b.result() == 1
    assert "done" in repr(a)
    assert "closed" in repr(p)
    assert p.connection is conn_
