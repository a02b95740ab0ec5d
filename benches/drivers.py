"""The drivers compared, each behind the few calls that the workloads need."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from meter import Meter

sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))

BASELINE = "psycopg2"
DEFAULT = ["psycopg2", "psycoxide", "psycopg", "asyncpg", "psqlpy"]


class Absent(Exception):
    """This driver cannot do this workload."""


def target() -> dict[str, Any]:
    """The server's address over TCP, as in the DSN."""
    text = os.environ["PSYCOXIDE_TEST_DSN"]
    parameters: dict[str, Any] = dict(part.split("=", 1) for part in shlex.split(text))
    parameters["port"] = int(parameters.get("port", 5432))
    return parameters


def local(parameters: dict[str, Any]) -> dict[str, Any]:
    """The address of its Unix socket, if its folder is known: no TCP stack in the figures."""
    description = os.environ.get("PSYCOXIDE_TEST_SERVER")
    if not description:
        return {**parameters}
    content = json.loads(Path(description).read_text())
    found = {**parameters, "host": content["sockets"]}
    found.pop("password", None)
    return found


class Dbapi:
    """A driver with psycopg2's API."""

    name = "psycopg2"
    module_name = "psycopg2"

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self.pids: list[int] = []
        self.tcp = target()
        self.unix = local(self.tcp)
        self.module = importlib.import_module(self.module_name)

    def submodule(self, name: str) -> Any:
        return importlib.import_module(f"{self.module_name}.{name}")

    def connect(self, *, autocommit: bool = True) -> Any:
        conn = self.module.connect(**self.unix)
        conn.autocommit = autocommit
        self.pids.append(conn.info.backend_pid)
        return conn

    def connect_bare(self, *, tcp: bool = False) -> Any:
        """Just a connection, without TLS, which not every driver compared has."""
        if tcp:
            return self.module.connect(**self.tcp, sslmode="disable")
        return self.module.connect(**self.unix)

    def encrypt(self) -> None:
        """Use TCP and TLS for all later connections."""
        self.unix = {**self.tcp, "sslmode": "require"}

    def cursor(self, conn: Any) -> Any:
        return conn.cursor()

    binary_cursor = cursor

    def meter(self) -> Meter:
        return Meter(self.figures, self.pids)


class Psycoxide(Dbapi):
    name = module_name = "psycoxide"
    # Where its own API binds parameters.
    binding = "server"
    # How many connections read a result in parts.
    readers = 2

    async def connect_awaited(self) -> Any:
        conn = await self.submodule("aio").connect(**self.unix, binding=self.binding)
        self.pids.append(conn.info.backend_pid)
        return conn

    def binary_cursor(self, conn: Any) -> Any:
        return conn.cursor(binary=True)


class PsycoxideBinary(Psycoxide):
    """psycoxide, with cursors that ask for binary results."""

    name = "psycoxide-binary"
    cursor = Psycoxide.binary_cursor


class PsycoxideMerged(Psycoxide):
    """psycoxide's own API, with parameters merged into the text."""

    name = "psycoxide-merged"
    binding = "client"


class PsycoxideOneReader(Psycoxide):
    """psycoxide, with one connection for a result that others would read in parts."""

    name = "psycoxide-one-reader"
    readers = 1


class Psycopg(Dbapi):
    """psycopg 3 with its C accelerator, text results."""

    name = module_name = "psycopg"
    binary = False

    async def connect_awaited(self) -> Any:
        conn = await self.module.AsyncConnection.connect(**self.unix, autocommit=True)
        self.pids.append(conn.info.backend_pid)
        return conn

    def cursor(self, conn: Any) -> Any:
        return conn.cursor(binary=self.binary)

    def binary_cursor(self, conn: Any) -> Any:
        return conn.cursor(binary=True)


class PsycopgBinary(Psycopg):
    """The same, asking for binary results."""

    name = "psycopg-binary"
    binary = True


class Asyncpg(Dbapi):
    """asyncpg: coroutines, the extended protocol, binary results."""

    name = module_name = "asyncpg"

    def encrypt(self) -> None:
        raise Absent("its TLS is asyncio's")

    async def connect(self, *, autocommit: bool = True) -> Any:
        conn = await self.connect_bare()
        self.pids.append(conn.get_server_pid())
        return conn

    connect_awaited = connect

    async def connect_bare(self, *, tcp: bool = False) -> Any:
        where = dict(self.tcp if tcp else self.unix)
        where["database"] = where.pop("dbname")
        return await self.module.connect(**where, ssl=False)


class Psqlpy(Asyncpg):
    """psqlpy: coroutines over Rust's tokio-postgres; it runs what asyncpg runs."""

    name = module_name = "psqlpy"

    async def connect(self, *, autocommit: bool = True) -> Any:
        conn = await self.connect_bare()
        self.pids.append(await conn.fetchval("select pg_backend_pid()"))
        return conn

    async def connect_bare(self, *, tcp: bool = False) -> Any:
        where = self.tcp if tcp else self.unix
        given = {
            "host": where["host"],
            "port": where["port"],
            "username": where["user"],
            "db_name": where["dbname"],
            "password": where.get("password"),
        }
        return PsqlpyConnection(await self.module.connect(**given))


class PsqlpyConnection:
    """A connection of psqlpy with asyncpg's method names, as far as psqlpy has such methods."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.target = connection

    async def fetch(self, query: str, *parameters: Any) -> Any:
        result = await self.target.fetch(query, list(parameters))
        return result.result(as_tuple=True)

    execute = fetch

    async def fetchval(self, query: str) -> Any:
        return (await self.fetch(query))[0][0]

    async def executemany(self, query: str, rows: list[Any]) -> None:
        await self.target.execute_many(query, [list(row) for row in rows])

    async def set_type_codec(self, *_given: Any, **_options: Any) -> None:
        """Nothing: psqlpy reads JSON by itself."""

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self.connection.transaction() as self.target:
            yield
        self.target = self.connection

    async def close(self) -> None:
        self.connection.close()

    def __getattr__(self, name: str) -> Any:
        raise Absent(f"no {name}")


class Adbc(Dbapi):
    """ADBC's driver for PostgreSQL, which returns Arrow tables."""

    name = "adbc"
    module_name = "adbc_driver_postgresql.dbapi"

    def uri(self) -> str:
        where = self.tcp
        return (
            f"postgresql://{where['user']}:{where.get('password', '')}@{where['host']}:"
            f"{where['port']}/{where['dbname']}?sslmode=disable"
        )

    def connect(self, *, autocommit: bool = False) -> Any:
        return self.module.connect(self.uri(), autocommit=autocommit)


class Connectorx(Adbc):
    """connectorx, which reads queries into Arrow tables."""

    name = module_name = "connectorx"

    def read(self, query: str) -> Any:
        return self.module.read_sql(self.uri(), query, return_type="arrow")


class Duckdb(Adbc):
    """DuckDB's own reader of PostgreSQL; tools/arrow_types.py installs it."""

    name = "duckdb"
    module_name = "duckdb_reader"

    def connect(self, *, autocommit: bool = False) -> Any:
        return self.module.connect(self.uri())

    def table(self, conn: Any, query: str) -> Any:
        return conn.execute(self.module.of(query)).to_arrow_table()


DRIVERS: dict[str, Callable[[], Dbapi]] = {
    driver.name: driver
    for driver in (
        Dbapi,
        Psycoxide,
        PsycoxideBinary,
        PsycoxideMerged,
        PsycoxideOneReader,
        Psycopg,
        PsycopgBinary,
        Asyncpg,
        Psqlpy,
        Adbc,
        Connectorx,
        Duckdb,
    )
}
