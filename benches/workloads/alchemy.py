"""SQLAlchemy: the same program on psycoxide's dialects, on asyncpg's and on psycopg's.

The blocking workloads compare with `+psycopg2`, the others with `+asyncpg`, on uvloop. Most of the
time of a small statement is SQLAlchemy's own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from drivers import Absent

from .registry import workload

Body = Callable[[Any], Coroutine[Any, Any, None]]

STATEMENTS = 5_000
RESULTS = 20
ROWS = 10_000
INSERTED = 20_000
DRIVERS = ("psycopg2", "psycoxide", "psycopg")
ASYNC_DRIVERS = ("asyncpg", "psycoxide", "psycopg")

ONE_ROW = "5,000 times SELECT of one row"
MANY_ROWS = "20 times SELECT of 10,000 rows of int, text, numeric, timestamptz"
BATCH = "INSERT of 20,000 rows"


def url(driver: Any) -> Any:
    """The server's address for the dialect of a driver, over the Unix socket if that is known."""
    try:
        from sqlalchemy import URL
    except ImportError:
        raise Absent("no SQLAlchemy") from None
    where = driver.unix
    return URL.create(
        f"postgresql+{driver.module_name}",
        where["user"],
        where.get("password"),
        database=where["dbname"],
        query={"host": where["host"]},
        port=int(where["port"]) if "port" in where else None,
    )


class Statements:
    """What is run: statements of SQLAlchemy's Core."""

    def __init__(self) -> None:
        import sqlalchemy as sa

        columns: dict[str, Any] = {
            "id": sa.Integer,
            "name": sa.String,
            "price": sa.Numeric,
            "at": sa.DateTime(timezone=True),
        }
        self.items = sa.Table(
            "t_alchemy", sa.MetaData(), *[sa.Column(name, kind) for name, kind in columns.items()]
        )
        self.one = sa.select(self.items).where(self.items.c.id == sa.bindparam("id"))
        self.many = sa.select(self.items).limit(ROWS)
        self.insert = sa.insert(self.items)
        self.rows = [{"id": -number, "name": f"item {number}"} for number in range(INSERTED)]


def check(found: Sequence[Any]) -> None:
    assert len(found) == ROWS and len(found[0]) == 4, len(found)


# ---- blocking ------------------------------------------------------------------------------------


@workload("sa_one", f"SQLAlchemy: {ONE_ROW}", "t_alchemy", drivers=DRIVERS)
def sa_one(driver: Any) -> None:
    from sqlalchemy import create_engine

    statements = Statements()
    with create_engine(url(driver)).connect() as conn:
        conn.execute(statements.one, {"id": 1}).all()
        with driver.meter():
            for number in range(STATEMENTS):
                assert len(conn.execute(statements.one, {"id": number % ROWS}).all()) == 1


@workload("sa_many", f"SQLAlchemy: {MANY_ROWS}", "t_alchemy", drivers=DRIVERS)
def sa_many(driver: Any) -> None:
    from sqlalchemy import create_engine

    statements = Statements()
    with create_engine(url(driver)).connect() as conn:
        check(conn.execute(statements.many).all())
        with driver.meter():
            for _ in range(RESULTS):
                check(conn.execute(statements.many).all())


@workload("sa_insert", f"SQLAlchemy: {BATCH}", "t_alchemy", drivers=DRIVERS)
def sa_insert(driver: Any) -> None:
    from sqlalchemy import create_engine

    statements = Statements()
    with create_engine(url(driver)).connect() as conn:
        conn.execute(statements.insert, statements.rows[:10])
        with driver.meter():
            conn.execute(statements.insert, statements.rows)
        conn.rollback()


# ---- asyncio -------------------------------------------------------------------------------------


def awaited(name: str, about: str) -> Callable[[Body], Body]:
    """Decorates the body of an asynchronous workload."""

    def add(body: Body) -> Body:
        declared = workload(
            name,
            f"SQLAlchemy, awaited: {about}",
            "t_alchemy",
            baseline="asyncpg",
            drivers=ASYNC_DRIVERS,
        )
        declared(body).on("asyncpg")(body)
        return body

    return add


def async_engine(driver: Any) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(url(driver))


@awaited("sa_aio_one", ONE_ROW)
async def sa_aio_one(driver: Any) -> None:
    engine, statements = async_engine(driver), Statements()
    async with engine.connect() as conn:
        (await conn.execute(statements.one, {"id": 1})).all()
        with driver.meter():
            for number in range(STATEMENTS):
                result = await conn.execute(statements.one, {"id": number % ROWS})
                assert len(result.all()) == 1
    await engine.dispose()


@awaited("sa_aio_many", MANY_ROWS)
async def sa_aio_many(driver: Any) -> None:
    engine, statements = async_engine(driver), Statements()
    async with engine.connect() as conn:
        check((await conn.execute(statements.many)).all())
        with driver.meter():
            for _ in range(RESULTS):
                check((await conn.execute(statements.many)).all())
    await engine.dispose()


@awaited("sa_aio_insert", BATCH)
async def sa_aio_insert(driver: Any) -> None:
    engine, statements = async_engine(driver), Statements()
    async with engine.connect() as conn:
        await conn.execute(statements.insert, statements.rows[:10])
        with driver.meter():
            await conn.execute(statements.insert, statements.rows)
        await conn.rollback()
    await engine.dispose()
