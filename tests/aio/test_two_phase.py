"""Two-phase commit."""

from __future__ import annotations

import uuid

import pytest

import psycoxide
from psycoxide import aio


@pytest.fixture
async def table(aconn):
    """A table that other connections see, too."""
    name = f"two_phase_{uuid.uuid4().hex}"
    await aconn.execute(f"create table {name} (n integer)")
    yield name
    await aconn.execute(f"drop table {name}")


@pytest.fixture
async def xid(aconn, table):
    """An identifier of this test's own; what is prepared under it is rolled back before
    the table is dropped."""
    if await aconn.fetchval("show max_prepared_transactions") == "0":
        pytest.skip("the server has max_prepared_transactions = 0")
    found = aconn.xid(7, uuid.uuid4().hex, "branch")
    yield found
    for each in await aconn.tpc_recover():
        if each.gtrid == found.gtrid:
            await aconn.tpc_rollback(each)


async def prepare(dsn, xid, table):
    """Prepares an insert on a connection of its own, which is then closed."""
    async with aio.connect(dsn) as other:
        await other.tpc_begin(xid)
        await other.execute(f"insert into {table} values (1)")
        await other.tpc_prepare()


async def test_prepare_and_commit(dsn, aconn, xid, table):
    async with aio.connect(dsn) as other:
        await other.tpc_begin(xid)
        await other.execute(f"insert into {table} values (1)")
        await other.tpc_prepare()
        assert await aconn.fetchval(f"select count(*) from {table}") == 0
        with pytest.raises(psycoxide.ProgrammingError):
            await other.execute("select 1")
        await other.tpc_commit()
        assert await aconn.fetchval(f"select count(*) from {table}") == 1
        assert await other.fetchval("select 42") == 42


async def test_commit_and_rollback_in_one_phase(dsn, aconn, xid, table):
    async with aio.connect(dsn) as other:
        await other.tpc_begin(xid)
        await other.execute(f"insert into {table} values (1)")
        await other.tpc_commit()
        await other.tpc_begin(xid)
        await other.execute(f"insert into {table} values (2)")
        await other.tpc_rollback()
        assert await aconn.fetch(f"select n from {table}") == [(1,)]


@pytest.mark.parametrize("autocommit", [True, False])
async def test_what_others_left_is_found_and_ended(dsn, aconn, xid, table, autocommit):
    await prepare(dsn, xid, table)
    async with aio.connect(dsn, autocommit=autocommit) as other:
        (found,) = [each for each in await other.tpc_recover() if each.gtrid == xid.gtrid]
        assert tuple(found) == tuple(xid)
        assert found.database == other.info.dbname
        await other.tpc_commit(found)
    assert await aconn.fetch(f"select n from {table}") == [(1,)]


async def test_recover_leaves_a_transaction_open(dsn, xid, table):
    async with aio.connect(dsn, autocommit=False) as other:
        await other.execute(f"insert into {table} values (1)")
        await other.tpc_recover()
        assert await other.fetch(f"select n from {table}") == [(1,)]
        with pytest.raises(psycoxide.ProgrammingError):
            await other.tpc_commit(xid)
        await other.rollback()
        async with other.transaction():
            await other.tpc_recover()
            await other.execute(f"insert into {table} values (2)")
        assert await other.fetch(f"select n from {table}") == [(2,)]


async def test_wrong_states(aconn, xid):
    with pytest.raises(psycoxide.ProgrammingError):
        await aconn.tpc_prepare()
    with pytest.raises(psycoxide.ProgrammingError):
        await aconn.tpc_commit()
    with pytest.raises(psycoxide.errors.UndefinedObject):
        await aconn.tpc_commit(xid)
    async with aconn.transaction():
        await aconn.execute("select 1")
        with pytest.raises(psycoxide.ProgrammingError):
            await aconn.tpc_begin(xid)
