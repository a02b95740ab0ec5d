"""Values come back as they went, in both dialects, and are what `+psycopg` makes of them."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from typing import Any

import pytest
from fixtures.server import needs_version
from sqlalchemy import (
    ARRAY,
    JSON,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Uuid,
    bindparam,
    cast,
    create_engine,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import Range

UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
DAY = datetime.date(2026, 11, 30)


class Colour(enum.Enum):
    RED = "red"


def bits(text: str) -> Any:
    """A bit string as SQLAlchemy has it: since 2.1 in a class of its own."""
    return getattr(pg, "BitString", str)(text)


VALUES = [
    (Integer(), 7),
    (String(), "it's 100% \\ text"),
    (LargeBinary(), b"\x00\xff'"),
    (Numeric(10, 2), decimal.Decimal("1.25")),
    (Float(), 1.5),
    (DateTime(timezone=True), NOON),
    (Date(), DAY),
    (Interval(), datetime.timedelta(days=1, seconds=5)),
    (Uuid(), uuid.UUID(int=7)),
    (Uuid(as_uuid=False), str(uuid.UUID(int=7))),
    (JSON(), {"a": [1, None, "x"]}),
    (pg.JSONB(), ["a", {"b": 1.5}]),
    (pg.JSONB(), None),
    (ARRAY(Integer), [1, 2, None]),
    (pg.ARRAY(Uuid), [uuid.UUID(int=7)]),
    (pg.ARRAY(String, dimensions=2), [["a"], ["b"]]),
    (pg.INET(), ipaddress.ip_address("192.168.0.1")),
    (pg.INET(), ipaddress.ip_interface("192.168.0.1/24")),
    (pg.CIDR(), ipaddress.ip_network("2001:db8::/32")),
    (pg.MACADDR(), "08:00:2b:01:02:03"),
    (pg.BIT(3), bits("101")),
    (pg.TSVECTOR(), "'tea':1"),
    (pg.HSTORE(), {"a": "1", "b": None, 'q"': "it's"}),
    (pg.INT4RANGE(), Range(1, 5)),
    (pg.INT8RANGE(), Range(empty=True)),
    (pg.NUMRANGE(), Range(decimal.Decimal("1.5"), None, bounds="(]")),
    (pg.DATERANGE(), Range(DAY, None)),
    (pg.TSTZRANGE(), Range(NOON, NOON + datetime.timedelta(hours=1), bounds="[]")),
    (pg.ARRAY(pg.INT4RANGE), [Range(1, 2), Range(3, 4)]),
]
MULTIRANGES = [
    (pg.INT4MULTIRANGE(), [Range(1, 3), Range(5, 7)]),
    (pg.TSTZMULTIRANGE(), [Range(None, NOON)]),
    (pg.NUMMULTIRANGE(), []),
]


def there_and_back(kind: Any, value: Any) -> Any:
    return select(cast(bindparam("value", value, type_=kind), kind).label("it"))


def driver_engine(url: Any, driver: str) -> Any:
    return create_engine(url.set(drivername=f"postgresql+{driver}"))


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=str)
def test_blocking(engine: Any, kind: Any, value: Any) -> None:
    with engine.connect() as conn:
        found = conn.execute(there_and_back(kind, value)).scalar()
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=str)
async def test_asynchronous(async_engine: Any, kind: Any, value: Any) -> None:
    async with async_engine.connect() as conn:
        found = (await conn.execute(there_and_back(kind, value))).scalar()
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(("kind", "value"), MULTIRANGES, ids=str)
def test_multiranges(engine: Any, connect: Any, kind: Any, value: Any) -> None:
    needs_version(connect(), 14, "multiranges")
    with engine.connect() as conn:
        found = conn.execute(there_and_back(kind, value)).scalar()
    assert isinstance(found, pg.ranges.MultiRange)
    assert found == value


@pytest.mark.parametrize(("kind", "value"), MULTIRANGES, ids=str)
async def test_multiranges_on_asyncio(
    async_engine: Any, connect: Any, kind: Any, value: Any
) -> None:
    needs_version(connect(), 14, "multiranges")
    async with async_engine.connect() as conn:
        found = (await conn.execute(there_and_back(kind, value))).scalar()
    assert isinstance(found, pg.ranges.MultiRange)
    assert found == value


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=str)
def test_as_psycopg(url: Any, engine: Any, kind: Any, value: Any) -> None:
    pytest.importorskip("psycopg", reason="no psycopg 3 to compare with")
    psycopg = driver_engine(url, "psycopg")
    with psycopg.connect() as theirs, engine.connect() as ours:
        expected = theirs.execute(there_and_back(kind, value)).scalar()
        found = ours.execute(there_and_back(kind, value)).scalar()
    psycopg.dispose()
    assert (type(found), found) == (type(expected), expected)


def test_enum(engine: Any) -> None:
    kind = Enum(Colour, native_enum=False)
    with engine.connect() as conn:
        assert conn.execute(there_and_back(kind, Colour.RED)).scalar() is Colour.RED


def test_networks_as_text(make_engine: Any) -> None:
    with make_engine(native_inet_types=False).connect() as conn:
        row = conn.execute(text("select '10.0.0.1'::inet, array['10.0.0.0/8'::cidr]")).one()
        assert row == ("10.0.0.1", ["10.0.0.0/8"])


async def test_networks_as_text_on_asyncio(make_async_engine: Any) -> None:
    async with make_async_engine(native_inet_types=False).connect() as conn:
        row = (await conn.execute(text("select '10.0.0.1'::inet, '10.0.0.0/8'::cidr"))).one()
        assert row == ("10.0.0.1", "10.0.0.0/8")


def test_json_functions(make_engine: Any) -> None:
    def dumps(value: Any) -> str:
        return '{"dumped": 1}'

    engine = make_engine(json_serializer=dumps, json_deserializer=lambda text: ("loaded", text))
    with engine.connect() as conn:
        assert conn.execute(there_and_back(JSON(), {"a": 1})).scalar() == (
            "loaded",
            '{"dumped": 1}',
        )


async def test_json_functions_on_asyncio(make_async_engine: Any) -> None:
    engine = make_async_engine(json_deserializer=lambda text: ("loaded", text))
    async with engine.connect() as conn:
        found = (await conn.execute(there_and_back(pg.JSONB(), [1]))).scalar()
        assert found == ("loaded", "[1]")


def test_hstore_without_the_driver(make_engine: Any) -> None:
    with make_engine(use_native_hstore=False).connect() as conn:
        assert conn.execute(text("select 'a=>1'::hstore")).scalar() == '"a"=>"1"'
        assert conn.execute(there_and_back(pg.HSTORE(), {"a": "1"})).scalar() == {"a": "1"}


def test_later_connections_ask_nothing(engine: Any) -> None:
    with engine.connect(), engine.connect() as second:
        # Nothing was sent on it: the type of hstore is known from the first connection.
        assert second.connection.dbapi_connection.info.transaction_status == 0
        assert second.execute(text("select 'a=>1'::hstore")).scalar() == {"a": "1"}


def test_lengths_of_arrays(engine: Any) -> None:
    with engine.connect() as conn:
        numbers = bindparam("n", [1, 2, 3], type_=ARRAY(Integer))
        assert conn.execute(select(func.cardinality(numbers))).scalar() == 3
