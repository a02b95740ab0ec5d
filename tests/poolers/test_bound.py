"""Parameters that the server binds for `psycoxide.aio`, and names of statements.

Many clients run statements in all the ways there are, while others change the tables under them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from .peers.pgbouncer import PgBouncer
from .peers.pooler import SIZE
from .verdicts import Hangs

TITLE = "bound statements"
# Statements get their names when they have run five times, so that each runs more often than that.
ROUNDS = 8
# Seconds for all clients: the machine may be busy.
LONG = 120
# Clients that may be logging in at the same time.
COMING = 20


@pytest.fixture
def psycoxide(through):
    if through.name != "psycoxide":
        pytest.skip("psycopg2 binds no parameters")
    return through.driver


def clients(pooler):
    """How many clients may be there at once."""
    return min(200, pooler.crowd) if pooler.shares else SIZE


def binding_through(pooler):
    """Pgpool-II 4.3 leaves transactions open that it has begun around INSERTs that fail."""
    is_faulty = pooler.title == "Pgpool-II" and pooler.version.startswith("4.3.")
    return "client" if is_faulty else "server"


def in_time(work: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        try:
            return await asyncio.wait_for(work, LONG)
        except asyncio.TimeoutError:
            raise Hangs(f"not through after {LONG} s") from None

    return asyncio.run(bounded())


# ---- what a client does -----------------------------------------------------------------------


class Client:
    """A client that knows what is in its own rows."""

    def __init__(self, conn: Any, number: int) -> None:
        self.conn = conn
        self.number = number
        self.amount = 0
        self.logged = 0

    async def autocommit(self) -> None:
        update = "update account set amount = amount + %s where owner = %s"
        done = await self.conn.execute(update, (2, self.number))
        assert done.rowcount == 1
        self.amount += 2
        await self.check()

    async def check(self) -> None:
        select = "select amount from account where owner = %s"
        assert await self.conn.fetchval(select, (self.number,)) == self.amount

    async def all_columns(self) -> None:
        """Other clients add columns at the end, and drop them."""
        query = "select * from account where owner = %s"
        for binary in (None, True, False):
            row = await self.conn.fetchrow(query, (self.number,), binary=binary)
            assert row[:3] == (self.number, self.amount, f"of {self.number}")

    async def replaced(self) -> None:
        """Other clients drop the table and create it again, as it was."""
        query = "select sum(a) from replaced where a <= %s"
        assert await self.conn.fetchval(query, (4,)) == 10

    async def transaction(self) -> None:
        """Where statements have names, it is run again if a table was changed."""
        async for attempt, transaction in self.conn.retrying(attempts=20, retry_max=0.1):
            async with attempt, transaction as conn:
                insert = "insert into log values (%s, %s)"
                await conn.execute(insert, (self.number, "in a transaction"))
                update = "update account set amount = amount + %(n)s where owner = %(owner)s"
                await conn.execute(update, {"n": 3, "owner": self.number})
                select = "select amount from account where owner = %s"
                assert await conn.fetchval(select, (self.number,)) == self.amount + 3
        self.logged += 1
        self.amount += 3

    async def rolled_back(self) -> None:
        with contextlib.suppress(ZeroDivisionError):
            async with self.conn.transaction():
                insert = "insert into log values (%s, %s)"
                await self.conn.execute(insert, (self.number, "lost"))
                raise ZeroDivisionError
        await self.check()

    async def pipeline(self) -> None:
        async with self.conn.pipeline() as p:
            update = "update account set amount = amount + %s where owner = %s returning amount"
            changed = [p.fetchval(update, (1, self.number)) for _ in range(3)]
            read = p.fetchrow("select owner, amount from account where owner = %s", (self.number,))
        assert [await each for each in changed] == [self.amount + n for n in (1, 2, 3)]
        self.amount += 3
        assert await read == (self.number, self.amount)

    async def many(self) -> None:
        insert = "insert into log values (%s, %s) returning client"
        items = [(self.number, f"{n}") for n in range(12)]
        done = await self.conn.executemany(insert, items, returning=True)
        assert await done.fetchall() == [(self.number,)] * 12
        await self.conn.executemany("insert into log values (%s, %s)", items)
        self.logged += 24

    async def stream(self) -> None:
        query = "select n, %s from generate_series(1, %s) as n"
        rows = [row async for row in self.conn.stream(query, (self.number, 300))]
        assert rows == [(n, self.number) for n in range(1, 301)]

    async def prepared(self) -> None:
        query = "select owner from account where owner = %s and amount = %s"
        conn, values = self.conn, (self.number, self.amount)
        assert await conn.fetchval(query, values, prepare=True) == self.number
        statement = await conn.prepare("select amount, note from account where owner = %s")
        row = (self.amount, f"of {self.number}")
        for _ in range(2):
            assert await statement.fetchrow((self.number,)) == row
        assert [row async for row in statement.stream((self.number,))] == [row]

    async def at_once(self) -> None:
        calls = [self.conn.fetchval("select %s::int * 2", (n,)) for n in range(10)]
        assert await asyncio.gather(*calls) == [2 * n for n in range(10)]

    async def error(self) -> None:
        from psycoxide import errors

        with pytest.raises(errors.DivisionByZero):
            await self.conn.fetchval("select 1 / %s::int", (0,))
        with pytest.raises(errors.UniqueViolation):
            await self.conn.execute("insert into account values (%s)", (self.number,))
        with pytest.raises(errors.DivisionByZero):
            async with self.conn.transaction():
                await self.conn.fetchval("select %s / %s::int", (1, 0))
        await self.check()

    async def work(self) -> None:
        """All of it, again and again, each client in an order of its own."""
        ways: list[Callable[[], Awaitable[None]]] = [
            self.autocommit,
            self.all_columns,
            self.replaced,
            self.transaction,
            self.rolled_back,
            self.pipeline,
            self.many,
            self.stream,
            self.prepared,
            self.at_once,
            self.error,
        ]
        for each in range(ROUNDS):
            start = (self.number + each) % len(ways)
            for way in ways[start:] + ways[:start]:
                await way()


# ---- what others do to the tables -------------------------------------------------------------

TABLES = """
drop table if exists account, log, replaced;
create table account (owner int primary key, amount int default 0, note text);
create table log (client int, text text);
create table replaced (a int);
insert into replaced values (1), (2), (3), (4);
"""
CHANGES = (
    "alter table account add column extra int default 7",
    "alter table account alter column amount type bigint",
    "drop table replaced; create table replaced (a bigint, b text); "
    "insert into replaced values (1), (2), (3), (4)",
    "alter table account drop column extra",
    "alter table account alter column amount type int",
    "drop table replaced; create table replaced (a int); "
    "insert into replaced values (1), (2), (3), (4)",
)


async def change(conn: Any, done: asyncio.Event) -> int:
    """Change the tables until the others are done."""
    rounds = 0
    while not done.is_set() or not rounds:
        for statement in CHANGES:
            await conn.execute(statement)
            await asyncio.sleep(0.02)
        rounds += 1
    return rounds


async def together(through: Any, count: int) -> None:
    """So many clients work at the same time, one of them on the tables."""
    from psycoxide import aio

    coming, done = asyncio.Semaphore(COMING), asyncio.Event()
    parameters = through.pooler.parameters

    async def connect() -> Any:
        async with coming:
            return await aio.connect(**parameters, binding=binding_through(through.pooler))

    async with contextlib.AsyncExitStack() as stack:
        opened = await asyncio.gather(*(connect() for _ in range(count)))
        conns = [await stack.enter_async_context(conn) for conn in opened]
        changing = asyncio.ensure_future(change(conns[0], done))
        users = [Client(conn, number) for number, conn in enumerate(conns[1:])]
        working = asyncio.gather(*(user.work() for user in users))
        try:
            await asyncio.wait({changing, working}, return_when=asyncio.FIRST_COMPLETED)
            if changing.done():
                await changing
            await working
        finally:
            done.set()
            if not working.done() or working.exception():
                # It may wait for locks of those who have failed.
                working.cancel()
                changing.cancel()
            await asyncio.wait({changing})
        assert await changing > 0
        if through.pooler.names:
            assert {conn.prepares for conn in conns[1:]} == {True}
        else:
            assert True not in {conn.prepares for conn in conns[1:]}
            assert sum(conn.prepared for conn in conns) == 0
            await nothing_is_named(conns)
    owners = through.ask("select owner, amount from account order by owner")
    assert owners == [(user.number, user.amount) for user in users]
    logged = through.ask("select client, count(*) from log group by client order by client")
    assert logged == [(user.number, user.logged) for user in users]


async def nothing_is_named(conns: Any) -> None:
    """None of the server's sessions has a statement of ours: each is asked, in a transaction."""
    async with contextlib.AsyncExitStack() as stack:
        for conn in conns[:SIZE]:
            await stack.enter_async_context(conn.transaction())
            names = await conn.fetch("select name from pg_prepared_statements where name ~ '^_px'")
            assert names == []


@pytest.mark.timeout(LONG + 100)
@pytest.mark.limit(LONG + 30)
def test_many_clients_while_tables_change(psycoxide, through):
    if through.pooler.title == "PGlite":
        pytest.skip("its multiplexer mixes the extended messages of several clients")
    if binding_through(through.pooler) == "client":
        pytest.skip("Pgpool-II 4.3 leaves transactions open around INSERTs that fail")
    count = clients(through.pooler)
    through.ask(TABLES)
    through.ask(
        f"insert into account select n, 0, 'of ' || n from generate_series(0, {count - 2}) as n"
    )
    in_time(together(through, count))


@pytest.mark.limit(30)
@pytest.mark.only("pgpool-ii")
def test_a_transaction_that_is_left_open(psycoxide, through):
    """The manual says so, and this says that it is so still."""
    from psycoxide import errors, sync

    if binding_through(through.pooler) == "server":
        pytest.skip("only Pgpool-II 4.3 does that")
    through.ask("drop table if exists left_open; create table left_open (a int unique)")
    through.ask("insert into left_open values (1)")
    insert = "insert into left_open values (%s)"
    with sync.connect(**through.pooler.parameters) as conn:
        with pytest.raises(errors.UniqueViolation):
            conn.execute(insert, (1,))
        with pytest.raises(errors.InFailedSqlTransaction):
            conn.execute(insert, (2,))
        conn.execute("rollback")
        conn.execute(insert, (2,))
    assert through.ask("select a from left_open order by a") == [(1,), (2,)]
    with sync.connect(**through.pooler.parameters, binding="client") as conn:
        with pytest.raises(errors.UniqueViolation):
            conn.execute(insert, (1,))
        conn.execute(insert, (3,))


# ---- PgBouncer's other settings ---------------------------------------------------------------


class Tracking(PgBouncer):
    """It knows prepared statements, and few of them."""

    more = "max_prepared_statements = 2"


class PerStatement(PgBouncer):
    """A client keeps its server for a statement."""


@pytest.fixture
def second(through):
    """A function that starts another PgBouncer before the same server."""
    started = []

    def start(product, mode):
        pooler = product(through.pooler.place, through.pooler.server, mode)
        started.append(pooler)
        pooler.start()
        return pooler

    yield start
    for pooler in started:
        pooler.close()


@pytest.mark.limit(60)
@pytest.mark.only("pgbouncer")
def test_prepared_statements_that_the_pooler_knows(psycoxide, through, second):
    """They are for statements with names, and there are none."""
    from psycoxide import sync

    if through.pooler.version.startswith("1.18"):
        pytest.skip("it came with 1.21")
    pooler = second(Tracking, "transaction")
    with sync.connect(**pooler.parameters) as conn:
        for n in range(20):
            assert conn.fetchval("select %s::int", (n,), prepare=n % 2 == 0) == n
            query = f"select %s::int + {n % 5}"
            assert conn.prepare(query).fetchval((n,)) == n + n % 5
        assert conn.prepares is False
        assert conn.fetchval("select count(*) from pg_prepared_statements") == 0


@pytest.mark.limit(60)
@pytest.mark.only("pgbouncer")
def test_statement_mode(psycoxide, through, second):
    """It has no transactions; all else works."""
    from psycoxide import sync

    table = through.make_table()
    pooler = second(PerStatement, "statement")
    with sync.connect(**pooler.parameters) as conn:
        for n in range(20):
            conn.execute(f"insert into {table} values (%s)", (n,))
            assert conn.fetchval("select %s::int", (n,), prepare=n % 2 == 0) == n
            assert conn.fetchrow("select %s::int, 'x'", (n,), binary=True) == (n, "x")
            assert conn.prepare("select %s::int + 1").fetchval((n,)) == n + 1
            with conn.pipeline() as p:
                both = [p.fetchval("select %s::int", (each,)) for each in (n, n + 1)]
            assert [each.result() for each in both] == [n, n + 1]
            assert list(conn.stream("select %s::int", (n,))) == [(n,)]
        assert conn.prepares is False
        with pytest.raises(through.driver.Error), conn.transaction():
            conn.execute(f"insert into {table} values (%s)", (100,))
    through.check_rows(range(20))
