"""Statements with names whose tables, servers or formats are others than at first."""

from __future__ import annotations

import asyncio  # only in aio
import itertools

import pytest
from fixtures.messages import message
from fixtures.relay import pass_on

from psycoxide import aio, errors

DEALLOCATE = "do $$ begin execute 'deallocate all'; end $$"


@pytest.fixture
def outside(connect):
    """A cursor of another session, and a table `changing` with a row."""
    conn = connect()
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute("drop table if exists changing; create table changing (a int, b text)")
    cur.execute("insert into changing values (12345678, 'x')")
    yield cur
    cur.execute("drop table changing")


@pytest.fixture
def through(message_relay, server, dsn):
    """A function that connects through a relay with this rule and this change."""

    def connect(rule, change=message):
        address = (server.parameters["host"], int(server.parameters["port"]))
        return aio.connect(dsn, **message_relay(address, rule, change).options)

    return connect


QUERY = "select * from changing where a > %s::int"


async def name(conn, query=QUERY, *parameters):
    """Have this statement prepared."""
    for _ in range(3):
        await conn.fetch(query, parameters or (0,), prepare=True)
    assert conn.prepared > 0


@pytest.mark.parametrize("order", list(itertools.permutations([True, None, False])))
async def test_one_statement_in_both_formats(aconn, outside, order):
    for binary in order * 2:
        for _ in range(2):
            row = await aconn.fetchrow(QUERY, (0,), prepare=True, binary=binary)
            assert row == (12345678, "x")
    assert aconn.prepared == 1


async def test_columns_that_change_behind_their_description(through, outside):
    changes = ["add column c int", "drop column c", "add column c int", "alter column a type int8"]
    seen = []

    def rule(conversation, kind, body):
        if kind == b"P" and b"changing" in body:
            seen.append(kind)
            # The first one is that of the description, the second one that of the run.
            if len(seen) % 2 == 0 and changes:
                outside.execute(f"alter table changing {changes.pop(0)}")
        pass_on(conversation, kind, body)

    async with through(rule) as conn:
        for _ in range(6):
            row = await conn.fetchrow(QUERY, (0,), prepare=False, binary=True)
            assert row[:2] == (12345678, "x")
            # What was sent again in text makes one more.
            seen[:] = []
        assert not changes


async def test_many_at_once(aconn, outside):
    await name(aconn)
    outside.execute("alter table changing add column c int default 7")
    calls = [aconn.fetchrow(QUERY, (0,)) for _ in range(20)]
    results = await asyncio.gather(*calls)  # in sync: results = calls
    assert results == [(12345678, "x", 7)] * 20
    await name(aconn)
    await aconn.execute(DEALLOCATE)
    calls = [aconn.fetchrow(QUERY, (0,)) for _ in range(20)]
    results = await asyncio.gather(*calls)  # in sync: results = calls
    assert results == [(12345678, "x", 7)] * 20
    await name(aconn)


async def test_names_that_are_gone_are_given_again(aconn, outside):
    for _ in range(5):
        await name(aconn)
        await aconn.execute(DEALLOCATE)
        assert await aconn.fetchrow(QUERY, (0,)) == (12345678, "x")
    assert aconn.prepares is not False


INSERT = "insert into changing values (%s, %s) returning *"


@pytest.mark.parametrize("change", ["add column c int", "alter column a type int8"])
@pytest.mark.parametrize("at", [0, 2, 4])
async def test_a_pipeline_goes_again_as_a_whole(aconn, outside, change, at):
    async with aconn.transaction():
        await aconn.execute("select 1")
    for _ in range(8):
        await aconn.execute(INSERT, (1, "y"))
    assert aconn.prepared == 1
    await aconn.execute("delete from changing where a = 1")
    outside.execute(f"alter table changing {change}")
    async with aconn.pipeline() as p:
        handles = [
            p.fetchrow(INSERT, (1, "z")) if n == at else p.fetchval("select %s::int", (n,))
            for n in range(5)
        ]
    results = [await handle.result() for handle in handles]
    assert results.pop(at)[:2] == (1, "z")
    assert results == [n for n in range(5) if n != at]
    assert await aconn.fetchval("select count(*) from changing where a = 1") == 1


async def test_an_error_of_the_second_attempt_is_raised(aconn, outside):
    async with aconn.transaction():
        await aconn.execute("select 1")
    for _ in range(8):
        await aconn.execute(INSERT, (1, "y"))
    outside.execute("alter table changing add column c int")
    with pytest.raises(errors.DivisionByZero):
        async with aconn.pipeline() as p:
            first = p.fetchval("select %s::int", (1,))
            p.fetchrow(INSERT, (2, "z"))
            p.fetchval("select 1 / %s::int", (0,))
    assert await first.result() == 1
    assert await aconn.fetchval("select count(*) from changing where a = 2") == 0


async def test_a_transaction_is_run_again(aconn, outside):
    await name(aconn)
    outside.execute("alter table changing add column c int")
    with pytest.raises(errors.FeatureNotSupported):
        async with aconn.transaction():
            await aconn.execute("select 1")
            await aconn.fetchrow(QUERY, (0,))
    await name(aconn)
    outside.execute("alter table changing drop column c")
    seen = []
    async for attempt, transaction in aconn.retrying():
        async with attempt, transaction:
            await aconn.execute("select 1")
            seen.append(type(attempt.error))
            assert await aconn.fetchrow(QUERY, (0,)) == (12345678, "x")
    assert seen == [type(None), errors.FeatureNotSupported]


async def test_an_error_of_the_program_is_not_one_of_names(aconn):
    seen = []
    with pytest.raises(errors.FeatureNotSupported):
        async for attempt, transaction in aconn.retrying():
            async with attempt, transaction:
                seen.append(attempt.number)
                await aconn.execute("select 1 from pg_class group by 1 for update")
    with pytest.raises(errors.InvalidSqlStatementName):
        async for attempt, transaction in aconn.retrying():
            async with attempt, transaction:
                seen.append(attempt.number)
                await aconn.execute("execute nobody")
    assert seen == [1, 1]


# ---- the question for the server's process ----------------------------------------------------


async def test_errors_with_the_question(aconn):
    """It goes in front of a run of this statement, which fails."""
    query = "select 1 / %s::int"
    assert await aconn.fetchval(query, (1,)) == 1
    for _ in range(6):
        with pytest.raises(errors.DivisionByZero):
            await aconn.fetchval(query, (0,))
    assert aconn.prepares is True
    assert await aconn.fetchval(query, (1,)) == 1


async def test_a_failed_transaction_does_not_answer_it(aconn):
    for _ in range(4):
        await aconn.fetchval("select %s::int", (0,))
    assert aconn.prepares is None
    with pytest.raises(errors.DivisionByZero):
        async with aconn.transaction():
            with pytest.raises(errors.DivisionByZero):
                await aconn.execute("select 1/0")
            with pytest.raises(errors.InFailedSqlTransaction):
                await aconn.fetchval("select %s::int", (0,))
            await aconn.execute("rollback")
            raise errors.DivisionByZero
    for _ in range(3):
        assert await aconn.fetchval("select %s::int", (1,)) == 1
    assert aconn.prepares is True


async def test_a_server_that_does_not_know_it(through):
    def rule(conversation, kind, body):
        pass_on(conversation, kind, body.replace(b"pg_backend_pid", b"pg_backend_pix"))

    async with through(rule) as conn:
        for n in range(12):
            assert await conn.fetchval("select %s::int", (n,)) == n
        assert conn.prepares is False
