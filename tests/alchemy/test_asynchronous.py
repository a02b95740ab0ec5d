"""`postgresql+psycoxide` with `create_async_engine()`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    bindparam,
    event,
    exc,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import psycoxide
from psycoxide import aio
from psycoxide.sqlalchemy import PsycoxideAsyncDialect

ITEMS = Table(
    "alchemy", MetaData(), Column("id", Integer, primary_key=True), Column("name", String)
)


async def test_is_found_by_its_name(async_engine: Any) -> None:
    assert type(async_engine.dialect) is PsycoxideAsyncDialect
    assert async_engine.driver == "psycoxide"


async def test_is_found_by_its_explicit_name(url: Any) -> None:
    engine = create_async_engine(url.set(drivername="postgresql+psycoxide_async"))
    assert type(engine.dialect) is PsycoxideAsyncDialect


async def test_driver_connection(async_engine: Any) -> None:
    async with async_engine.connect() as conn:
        raw = await conn.get_raw_connection()
        assert isinstance(raw.driver_connection, aio.AsyncConnection)
        assert await raw.driver_connection.fetchval("select 1") == 1


async def test_connect_hooks(async_engine: Any) -> None:
    @event.listens_for(async_engine.sync_engine, "connect")
    def set_up(dbapi_connection: Any, record: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute("set application_name to 'hooked'")
        cursor.close()
        dbapi_connection.run_async(lambda conn: conn.execute("set statement_timeout to 4321"))
        dbapi_connection.commit()

    async with async_engine.connect() as conn:
        assert (await conn.execute(text("show application_name"))).scalar() == "hooked"
        assert (await conn.execute(text("show statement_timeout"))).scalar() == "4321ms"


async def test_creator(make_async_engine: Any, dsn: str) -> None:
    engine = make_async_engine(async_creator=lambda: aio.connect(dsn, application_name="made"))
    async with engine.connect() as conn:
        assert (await conn.execute(text("show application_name"))).scalar() == "made"
        assert native(await conn.get_raw_connection()).autocommit is False


async def test_errors_are_those_of_the_driver(async_engine: Any) -> None:
    async with async_engine.connect() as conn:
        with pytest.raises(exc.ProgrammingError) as raised:
            await conn.execute(text("select * from there_is_no_such_table"))
    assert isinstance(raised.value.orig, psycoxide.errors.UndefinedTable)


async def test_time_limits(make_async_engine: Any) -> None:
    engine = make_async_engine(connect_args={"command_timeout": 0.2})
    async with engine.connect() as conn:
        with pytest.raises(exc.OperationalError) as raised:
            await conn.execute(text("select pg_sleep(60)"))
        assert isinstance(raised.value.orig, aio.OperationTimeout)
        await conn.rollback()
        assert (await conn.execute(text("select 1"))).scalar() == 1


def native(raw: Any) -> Any:
    """The connection of the driver's native module."""
    return raw.dbapi_connection.native


class TestTransactions:
    @pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
    async def test_isolation_level(self, async_engine: Any, level: str) -> None:
        async with async_engine.connect() as conn:
            await conn.execution_options(isolation_level=level)
            shown = (await conn.execute(text("show transaction_isolation"))).scalar()
            assert shown == level.lower()
        async with async_engine.connect() as conn:
            assert await conn.get_isolation_level() == "READ COMMITTED"

    async def test_autocommit(self, async_engine: Any, table: str) -> None:
        async with async_engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            await conn.execute(insert(ITEMS), {"id": 1, "name": "tea"})
            raw = await conn.get_raw_connection()
            assert native(raw).get_transaction_status() == 0
        async with async_engine.connect() as conn:
            assert (await conn.execute(select(ITEMS))).all() == [(1, "tea")]

    async def test_read_only_and_deferrable(self, async_engine: Any) -> None:
        async with async_engine.connect() as conn:
            await conn.execution_options(
                isolation_level="SERIALIZABLE",
                postgresql_readonly=True,
                postgresql_deferrable=True,
            )
            assert (await conn.execute(text("show transaction_read_only"))).scalar() == "on"
            assert (await conn.execute(text("show transaction_deferrable"))).scalar() == "on"
        async with async_engine.connect() as conn:
            assert (await conn.execute(text("show transaction_read_only"))).scalar() == "off"

    async def test_two_phases(self, async_engine: Any, table: str) -> None:
        def work(conn: Any) -> None:
            transaction = conn.begin_twophase()
            conn.execute(insert(ITEMS), {"id": 1, "name": "tea"})
            transaction.prepare()
            with conn.engine.connect() as other:
                assert transaction.xid in other.recover_twophase()
            transaction.commit()
            assert conn.execute(select(ITEMS.c.id)).all() == [(1,)]

        async with async_engine.connect() as conn:
            await conn.run_sync(work)

    async def test_savepoints(self, async_engine: Any, table: str) -> None:
        async with AsyncSession(async_engine) as session, session.begin():
            await session.execute(insert(ITEMS), {"id": 1, "name": "tea"})
            with pytest.raises(exc.IntegrityError):
                async with session.begin_nested():
                    await session.execute(insert(ITEMS), {"id": 1, "name": "ice"})
            assert (await session.execute(select(ITEMS.c.name))).scalars().all() == ["tea"]

    async def test_rollback_without_a_transaction_sends_nothing(self, async_engine: Any) -> None:
        async with async_engine.connect() as conn:
            adapted = (await conn.get_raw_connection()).dbapi_connection
            # No greenlet to switch from: it would raise if it had to wait.
            adapted.rollback()


class TestLostConnections:
    async def test_is_noticed_and_replaced(self, async_engine: Any) -> None:
        async with async_engine.connect() as conn:
            await kill(async_engine, conn)
            with pytest.raises(exc.DBAPIError) as raised:
                await conn.execute(text("select 1"))
            assert raised.value.connection_invalidated
        async with async_engine.connect() as conn:
            assert (await conn.execute(text("select 1"))).scalar() == 1

    async def test_pre_ping(self, make_async_engine: Any) -> None:
        engine = make_async_engine(pool_pre_ping=True, pool_size=1, max_overflow=0)
        async with engine.connect() as conn:
            lost = await kill(make_async_engine(), conn)
        async with engine.connect() as conn:
            assert (await conn.execute(text("select pg_backend_pid()"))).scalar() != lost

    async def test_ping_begins_no_transaction(self, make_async_engine: Any) -> None:
        engine = make_async_engine(pool_pre_ping=True)
        for _ in range(2):
            async with engine.connect() as conn:
                assert native(await conn.get_raw_connection()).get_transaction_status() == 0


async def kill(engine: Any, conn: Any) -> int:
    """End the session of a connection, from another one; returns its process."""
    pid: int = native(await conn.get_raw_connection()).get_backend_pid()
    async with engine.connect() as other:
        await other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    return pid


class TestMany:
    async def test_insert(self, async_engine: Any, table: str) -> None:
        async with async_engine.begin() as conn:
            rows = [{"id": number, "name": f"item {number}"} for number in range(1234)]
            options = {"preserve_rowcount": True}
            done = await conn.execute(insert(ITEMS), rows, execution_options=options)
            assert done.rowcount == 1234
            assert (await conn.execute(text(f"select count(*) from {table}"))).scalar() == 1234

    async def test_insert_returning(self, async_engine: Any, table: str) -> None:
        async with async_engine.begin() as conn:
            rows = [{"id": number, "name": "x"} for number in range(1234)]
            statement = insert(ITEMS).returning(ITEMS.c.id, sort_by_parameter_order=True)
            assert (await conn.execute(statement, rows)).scalars().all() == list(range(1234))

    async def test_update_counts_rows(self, async_engine: Any, table: str) -> None:
        async with async_engine.begin() as conn:
            await conn.execute(insert(ITEMS), [{"id": number, "name": "x"} for number in range(10)])
            statement = update(ITEMS).where(ITEMS.c.id == bindparam("key")).values(name="y")
            done = await conn.execute(statement, [{"key": number} for number in range(5, 15)])
            assert done.rowcount == 5


class TestStreams:
    @pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 95, 2000])
    @pytest.mark.parametrize("direct", [False, True])
    async def test_all_rows(self, async_engine: Any, direct: bool, count: int) -> None:
        async with async_engine.connect() as conn:
            options = {"psycoxide_stream": direct}
            query = text("select generate_series(1, :count) -- a comment")
            result = await conn.stream(query, {"count": count}, execution_options=options)
            assert [number async for (number,) in result] == list(range(1, count + 1))

    @pytest.mark.parametrize("direct", [False, True])
    async def test_partitions(self, async_engine: Any, direct: bool) -> None:
        async with async_engine.connect() as conn:
            options = {"psycoxide_stream": direct, "yield_per": 10}
            query = select(func.generate_series(1, 95))
            result = await conn.stream(query, execution_options=options)
            assert [len(part) async for part in result.partitions()] == [10] * 9 + [5]

    @pytest.mark.parametrize("direct", [False, True])
    async def test_left_early(self, async_engine: Any, direct: bool) -> None:
        async with async_engine.connect() as conn:
            options = {"psycoxide_stream": direct}
            query = text("select generate_series(1, 1000000)")
            async with conn.stream(query, execution_options=options) as result:
                async for (number,) in result:
                    if number == 3:
                        break
            await conn.rollback()
            assert (await conn.execute(text("select 1"))).scalar() == 1

    @pytest.mark.parametrize("direct", [False, True])
    async def test_an_error_of_the_query(self, async_engine: Any, direct: bool) -> None:
        async with async_engine.connect() as conn:
            options = {"psycoxide_stream": direct}
            query = text("select 1 / (500 - n) from generate_series(1, 1000) n")
            with pytest.raises(exc.DataError):
                async for _ in await conn.stream(query, execution_options=options):
                    pass
            await conn.rollback()
            assert (await conn.execute(text("select 1"))).scalar() == 1

    async def test_other_statements_meanwhile(self, async_engine: Any) -> None:
        async with async_engine.connect() as conn:
            seen = 0
            async for (number,) in await conn.stream(text("select generate_series(1, 120)")):
                assert (await conn.execute(text("select :n"), {"n": number})).scalar() == number
                seen += 1
            assert seen == 120

    async def test_in_a_session(self, async_engine: Any, table: str) -> None:
        async with AsyncSession(async_engine) as session:
            await session.execute(insert(ITEMS), [{"id": n, "name": "x"} for n in range(300)])
            result = await session.stream(select(ITEMS.c.id).order_by(ITEMS.c.id))
            assert [number async for number in result.scalars()] == list(range(300))


class TestCancellation:
    """The connection of a task that is cancelled goes back, or away, and never stays open in a
    transaction that nobody knows of."""

    async def test_of_a_statement(self, async_engine: Any) -> None:
        async def work() -> None:
            async with AsyncSession(async_engine) as session:
                await session.execute(text("select pg_sleep(60)"))

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert async_engine.pool.checkedout() == 0
        async with async_engine.connect() as conn:
            assert (await conn.execute(text("select 1"))).scalar() == 1

    @pytest.mark.parametrize("pool", [None, NullPool])
    async def test_by_wait_for(self, make_async_engine: Any, dsn: str, pool: Any) -> None:
        name = f"waited {pool}"
        engine = make_async_engine(
            **({} if pool is None else {"poolclass": pool}),
            connect_args={"application_name": name},
        )

        async def work() -> None:
            async with engine.begin() as conn:
                await conn.execute(text("select pg_sleep(60)"))

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(work(), 0.2)
        await no_session_left(dsn, name)

    async def test_by_a_scope_that_cancels_again_and_again(
        self, make_async_engine: Any, dsn: str
    ) -> None:
        anyio = pytest.importorskip("anyio", reason="no anyio")
        engine = make_async_engine(connect_args={"application_name": "scoped"})
        with anyio.move_on_after(0.2):
            async with AsyncSession(engine) as session, session.begin():
                await session.execute(text("select 1"))
                await session.execute(text("select pg_sleep(60)"))
        assert engine.pool.checkedout() == 0
        await no_session_left(dsn, "scoped")

    @pytest.mark.parametrize("step", [0, 0.0002])
    @pytest.mark.parametrize("pings", [False, True])
    async def test_at_every_step(
        self, make_async_engine: Any, dsn: str, table: str, pings: bool, step: float
    ) -> None:
        engine = make_async_engine(
            pool_size=1,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=pings,
            connect_args={"application_name": "stepwise"},
        )
        for turns in range(60):
            task = asyncio.ensure_future(self._work(engine, turns))
            for _ in range(turns):
                await asyncio.sleep(step)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert engine.pool.checkedout() == 0
            async with engine.connect() as conn:
                raw = await conn.get_raw_connection()
                assert native(raw).get_transaction_status() == 0
                query = text("select pg_current_xact_id_if_assigned()::text")
                assert (await conn.execute(query)).scalar() is None
        await engine.dispose()
        await no_session_left(dsn, "stepwise")

    async def test_of_an_engines_first_connection(
        self, make_async_engine: Any, dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = make_async_engine(connect_args={"application_name": "first"})

        def ask_slowly(conn: Any) -> None:
            conn.exec_driver_sql("select pg_sleep(60)")

        monkeypatch.setattr(engine.dialect, "_get_server_version_info", ask_slowly)
        task = asyncio.ensure_future(self._work(engine, 1))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The loops' fixture sees a connection that only the garbage collector closes.
        await no_session_left(dsn, "first")

    @staticmethod
    async def _work(engine: Any, number: int) -> None:
        async with engine.begin() as conn:
            await conn.execute(text("select 1"))
            await conn.execute(insert(ITEMS), {"id": number, "name": "x"})

    async def test_of_a_stream(self, async_engine: Any) -> None:
        async def work() -> None:
            async with async_engine.connect() as conn:
                query = text("select pg_sleep(0.01) from generate_series(1, 100000)")
                async for _ in await conn.stream(query):
                    pass

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert async_engine.pool.checkedout() == 0

    async def test_of_many_at_a_time(self, make_async_engine: Any) -> None:
        engine = make_async_engine(pool_size=2, max_overflow=0, pool_timeout=5)

        async def work() -> None:
            async with AsyncSession(engine) as session, session.begin():
                await session.execute(text("select pg_sleep(0.05)"))

        for _ in range(3):
            tasks = [asyncio.ensure_future(work()) for _ in range(8)]
            await asyncio.sleep(0.03)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert engine.pool.checkedout() == 0
        async with engine.connect() as one, engine.connect() as two:
            assert (await one.execute(text("select 1"))).scalar() == 1
            assert (await two.execute(text("select 1"))).scalar() == 1


@pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up")
async def test_forgotten_connections_are_closed(make_async_engine: Any, dsn: str) -> None:
    engine = make_async_engine(connect_args={"application_name": "forgotten"})
    conn = await engine.connect()
    await conn.execute(text("select 1"))
    del conn
    gc.collect()
    await no_session_left(dsn, "forgotten")


async def no_session_left(dsn: str, name: str) -> None:
    """Wait until no session of this name is in a transaction any more."""
    query = (
        "select count(*) from pg_stat_activity where application_name = %s"
        " and state is distinct from 'idle'"
    )
    until = time.monotonic() + 10
    async with aio.connect(dsn) as conn:
        while await conn.fetchval(query, [name]):
            assert time.monotonic() < until, "a session is still busy, or in a transaction"
            await asyncio.sleep(0.02)


async def raised_in(stream: Any) -> None:
    async with stream as result:
        async for _ in result:
            raise KeyError


async def cancelled_in(stream: Any) -> None:
    async with stream as result:
        async for _ in result:
            await asyncio.sleep(60)


class TestDirectStreamsThatAreLeft:
    """SQLAlchemy closes neither the result nor its cursor then, and rolls back in another task."""

    QUERY = text("select generate_series(1, 3000000)")
    OPTIONS = {"psycoxide_stream": True, "yield_per": 100}  # noqa: RUF012

    @pytest.mark.parametrize("leave", [raised_in, cancelled_in])
    async def test_of_a_connection(self, async_engine: Any, leave: Any) -> None:
        async def use() -> None:
            async with async_engine.connect() as conn:
                await leave(conn.stream(self.QUERY, execution_options=self.OPTIONS))

        await self.check(async_engine, use)

    @pytest.mark.parametrize("way", ["break", "cancelled"])
    async def test_of_a_session(self, async_engine: Any, way: str) -> None:
        async def use() -> None:
            async with AsyncSession(async_engine) as session:
                async for _ in await session.stream(self.QUERY, execution_options=self.OPTIONS):
                    if way == "break":
                        break
                    await asyncio.sleep(60)

        await self.check(async_engine, use)

    async def check(self, engine: Any, use: Any) -> None:
        task = asyncio.ensure_future(use())
        await asyncio.wait({task}, timeout=1)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=10)
        assert done
        with contextlib.suppress(KeyError, asyncio.CancelledError):
            task.result()
        assert engine.pool.checkedout() == 0
        async with engine.connect() as conn:
            assert (await conn.execute(text("select 1"))).scalar() == 1


async def test_a_cursor_on_the_server_needs_a_transaction(async_engine: Any) -> None:
    async with async_engine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(exc.ProgrammingError, match="psycoxide_stream"):
            await conn.stream(text("select generate_series(1, 20)"))
        assert (await conn.execute(text("select 1"))).scalar() == 1


async def test_a_cursor_that_its_transaction_has_closed(async_engine: Any) -> None:
    async with async_engine.connect() as conn:
        result = await conn.stream(text("select generate_series(1, 200)"))
        await result.fetchone()
        await conn.commit()
        await conn.execute(text("create temp table kept (id int)"))
        await result.close()
        assert (await conn.execute(text("select count(*) from kept"))).scalar() == 0


async def test_a_connection_that_does_not_answer_is_replaced(url: Any, relay: Any) -> None:
    network = relay((url.host, url.port))
    engine = create_async_engine(
        url.set(host="127.0.0.1", port=network.port),
        pool_pre_ping=True,
        connect_args={"command_timeout": 0.5},
    )
    async with engine.connect() as conn:
        first = (await conn.execute(text("select pg_backend_pid()"))).scalar()
    network.stall()
    asyncio.get_running_loop().call_later(1.0, network.flow)
    async with engine.connect() as conn:
        assert (await conn.execute(text("select pg_backend_pid()"))).scalar() != first
    await engine.dispose()
