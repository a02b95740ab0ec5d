"""Engines of SQLAlchemy on the server under test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fixtures.server import ServerUnderTest

sqlalchemy = pytest.importorskip("sqlalchemy", "2.0.44", reason="no SQLAlchemy 2")

from sqlalchemy import URL, create_engine, text  # noqa: E402
from sqlalchemy.ext.asyncio import create_async_engine  # noqa: E402


@pytest.fixture(scope="session")
def url(server: ServerUnderTest) -> URL:
    """The server under test, by our dialect."""
    known = server.parameters
    return URL.create(
        "postgresql+psycoxide",
        known.get("user"),
        known.get("password"),
        known.get("host"),
        int(known.get("port", 5432)),
        known.get("dbname"),
    )


@pytest.fixture
def make_engine(url: URL) -> Iterator[Any]:
    """Makes blocking engines, which end with the test."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(create_engine(url, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def engine(make_engine: Any) -> Any:
    """A blocking engine."""
    return make_engine()


@pytest.fixture
async def make_async_engine(url: URL) -> AsyncIterator[Any]:
    """Makes asynchronous engines, which end with the test."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(create_async_engine(url, **options))
        return made[-1]

    yield make
    for engine in made:
        await engine.dispose()


@pytest.fixture
async def async_engine(make_async_engine: Any) -> Any:
    """An asynchronous engine."""
    return make_async_engine()


@pytest.fixture
def table(engine: Any) -> Iterator[str]:
    """The name of a table `(id int, name text)` for one test."""
    with engine.begin() as conn:
        conn.execute(text("drop table if exists alchemy"))
        conn.execute(text("create table alchemy (id int primary key, name text)"))
    yield "alchemy"
    with engine.begin() as conn:
        conn.execute(text("drop table alchemy"))
