"""The clients, and how each of them is run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from upstream.database import Scratch

from .client import Client, Prepared, recreate, url

INSIDE = Path(__file__).with_name("inside")
PYTEST = ("-m", "pytest", "-p", "psycoxide_recorder", "-p", "no:cacheprovider", "-q")


class SQLAlchemy(Client):
    """The suites that use the driver, on a database as its README.unittests asks for."""

    name = family = "sqlalchemy"
    title = "SQLAlchemy"
    versions = (("sqlalchemy==2.1.9", "3.10"),)
    needs: tuple[str, ...] = ("pytest>=8,<10", "pytest-xdist", "typing_extensions", "greenlet")
    suites: tuple[str, ...] = ("test/dialect/postgresql", "test/engine", "test/base")

    def database(self, database: Scratch, name: str) -> None:
        recreate(
            database,
            name,
            f"alter database \"{name}\" set default_text_search_config = 'pg_catalog.english'",
            "create schema test_schema",
            "create schema test_schema_2",
            "create extension hstore",
            "create extension citext",
        )

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        return [*PYTEST, "--maxfail=1000000", "--backend-only",
                "--dburi", url(database, name), *self.suites]  # fmt: skip


class SQLAlchemyORM(SQLAlchemy):
    """The other tests that are marked as depending on the database: SQL and ORM."""

    name = "sqlalchemy-orm"
    title = "SQLAlchemy (sql, orm)"
    suites = ("test/sql", "test/orm")


class SQLAlchemyDialect(SQLAlchemy):
    """The part that is quick enough to be run at each change."""

    name = "sqlalchemy-dialect"
    title = "SQLAlchemy (dialect)"
    suites = ("test/dialect/postgresql",)


class SQLAlchemyOwn(SQLAlchemy):
    """The same suites, and the one for third parties, on the dialect of psycoxide's own."""

    name = "sqlalchemy-own"
    title = "SQLAlchemy, own dialect"
    by_run = False
    dialects: ClassVar[dict[str, str]] = {"psycopg2": "psycopg2", "psycoxide": "psycoxide"}
    suites: tuple[str, ...] = (
        "test/dialect/postgresql", "test/dialect/test_suite.py", "test/engine", "test/base",
    )  # fmt: skip

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        return [*PYTEST, "-p", "psycoxide_sqlalchemy", "--maxfail=1000000", "--backend-only",
                "--dburi", url(database, name, self.dialects[driver]), *self.suites]  # fmt: skip

    def test_name(self, test: str) -> str:
        for dialect in self.dialects.values():
            test = test.replace(f"_postgresql+{dialect}_", "_")
        return test


class SQLAlchemyAsync(SQLAlchemyOwn):
    """The same on asyncio, compared with psycopg 3."""

    name = "sqlalchemy-async"
    title = "SQLAlchemy, asyncio"
    peer = "psycopg"
    dialects: ClassVar[dict[str, str]] = {
        "psycopg": "psycopg_async",
        "psycoxide": "psycoxide_async",
    }


class SQLAlchemyOwnORM(SQLAlchemyOwn):
    """The other tests that depend on the database: SQL and ORM."""

    name = "sqlalchemy-own-orm"
    title = "SQLAlchemy, own dialect (sql, orm)"
    suites = ("test/sql", "test/orm")


class SQLAlchemyAsyncORM(SQLAlchemyAsync):
    """The same on asyncio."""

    name = "sqlalchemy-async-orm"
    title = "SQLAlchemy, asyncio (sql, orm)"
    suites = ("test/sql", "test/orm")


class Alembic(SQLAlchemyOwn):
    """Migrations, on the dialect of psycoxide's own."""

    name = family = "alembic"
    title = "Alembic, own dialect"
    versions = (("alembic==1.20.1", "3.10"),)
    needs = ("sqlalchemy==2.1.9", "pytest>=8,<10", "pytest-xdist", "python-dateutil", "tzdata")
    suites = ("tests",)


class Django(Client):
    name = family = "django"
    title = "Django"
    versions = (("django==6.1.3", "3.12"), ("django==5.2.19", "3.10"))
    needs = ("jinja2", "sqlparse", "tblib", "asgiref", "docutils", "PyYAML")
    test_limit = 180.0
    labels: tuple[str, ...] = ("backends", "postgres_tests", "transactions", "introspection")
    # The settings with psycoxide: with psycopg2 it is always the first.
    settings = "psycoxide_django"

    def database(self, database: Scratch, name: str) -> None:
        # Django makes the tests' databases itself; it connects to this one first.
        recreate(database, name)
        for made in ("test_clients", "test_clients_other"):
            database.sql(f"drop database if exists {made} with (force)")

    def folder(self, prepared: Prepared) -> Path:
        return prepared.source / "tests"

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        tests = self.folder(prepared)
        labels = [label for label in self.labels if (tests / label).is_dir()]
        settings = self.settings if driver == "psycoxide" else Django.settings
        return ["runtests.py", "--settings", settings, "--noinput", "--parallel", "1",
                "--verbosity", "0", *labels]  # fmt: skip

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        # Django's own source tree, not an installed package: its tests insist on it.
        return {"PYTHONPATH": str(prepared.source), **connecting(database, name)}


class DjangoMore(Django):
    """The other test suites of Django that depend most on the driver."""

    name = "django-more"
    title = "Django (more)"
    labels = (
        "bulk_create", "constraints", "datetimes", "db_functions", "indexes", "inspectdb",
        "migrations", "model_fields", "queries", "schema", "select_for_update", "timezones",
        "transaction_hooks",
    )  # fmt: skip


class DjangoQueries(Django):
    """The test suites of Django that send the most different queries."""

    name = "django-queries"
    title = "Django (queries)"
    labels = (
        "aggregation", "aggregation_regress", "annotations", "basic", "custom_columns",
        "custom_lookups", "custom_pk", "dates", "db_utils", "defer", "delete", "delete_regress",
        "distinct_on_fields", "expressions", "expressions_case", "expressions_window",
        "extra_regress", "field_defaults", "filtered_relation", "fixtures", "foreign_object",
        "get_or_create", "known_related_objects", "lookup", "m2m_through", "many_to_many",
        "many_to_one", "model_inheritance", "null_queries", "ordering", "or_lookups", "pagination",
        "prefetch_related", "raw_query", "reserved_names", "select_related", "serializers",
        "sessions_tests", "update", "update_only_fields", "xor_lookups",
    )  # fmt: skip


class DjangoEngine(Django):
    """The first suites on the engine of psycoxide's own, where nothing has psycopg2's name."""

    name = "django-engine"
    title = "Django, own engine"
    by_run = False
    same_as = "django"
    settings = "psycoxide_django_engine"


class DjangoEngineMore(DjangoEngine):
    """The other suites that depend most on the driver."""

    name = "django-engine-more"
    title = "Django, own engine (more)"
    same_as = "django-more"
    labels = DjangoMore.labels


class DjangoEngineQueries(DjangoEngine):
    """The suites that send the most different queries."""

    name = "django-engine-queries"
    title = "Django, own engine (queries)"
    same_as = "django-queries"
    labels = DjangoQueries.labels


class DjangoPool(DjangoEngine):
    """The first suites on the engine of psycoxide's own, with a pool for each database."""

    name = "django-engine-pool"
    title = "Django, own engine, pool"
    settings = "psycoxide_django_pool"


class Pandas(Client):
    """`to_sql`, `read_sql` and the like: the tests of its I/O that use psycopg2."""

    name = family = "pandas"
    title = "pandas"
    versions = (("pandas==3.1.1", "3.11"), ("pandas==2.3.3", "3.10"))
    needs = ("sqlalchemy==2.1.9", "pytest>=8,<10", "hypothesis", "pyarrow")

    def source(self, cache: Path, prepared: Prepared) -> Path:
        # Its wheel has its tests, but not their data.
        lib = Path(prepared.python).parent.parent / "lib"
        package = next(lib.glob("python*/site-packages/pandas"))
        data = package / "tests" / "io" / "data" / "csv" / "iris.csv"
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_text(flowers())
        return package

    def folder(self, prepared: Prepared) -> Path:
        return Path(prepared.python).parent.parent

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        tests = prepared.source / "tests" / "io" / "test_sql.py"
        return [*PYTEST, "-p", "psycoxide_pandas", "-W", "ignore", "--rootdir",
                str(prepared.source.parent), "-k", "psycopg2", str(tests)]  # fmt: skip

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        return {"CLIENTS_URL": url(database, name)}


def flowers() -> str:
    """A table that is like Fisher's irises for the tests: 150 rows, of which the first is the same,
    and eight of the first kind have sepals of length 5.1."""
    lines = ["SepalLength,SepalWidth,PetalLength,PetalWidth,Name", "5.1,3.5,1.4,0.2,Iris-setosa"]
    for number in range(1, 150):
        name = ("setosa", "versicolor", "virginica")[number // 50]
        sizes = (
            5.1 if number < 8 else 5.2 + number % 27 / 10,
            2.0 + number % 24 / 10,
            1.0 + number % 59 / 10,
        )
        lines.append(",".join([*(f"{size:.1f}" for size in sizes), "0.3", f"Iris-{name}"]))
    return "\n".join([*lines, ""])


class Green(Client):
    """psycogreen on gevent and on eventlet: its own demonstrations, and many greenlets at once."""

    name = family = "psycogreen"
    title = "psycogreen"
    versions = (("psycogreen==1.0.2", "3.10"),)
    needs = ("gevent>=24", "eventlet>=0.36", "six", "pytest>=8,<10")

    def folder(self, prepared: Prepared) -> Path:
        return INSIDE

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        # Without the pytest configuration of this repository, in which it lies.
        return [*PYTEST, "-c", os.devnull, "--rootdir", str(INSIDE), "test_psycogreen.py"]

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        return {
            "CLIENTS_PSYCOGREEN": str(prepared.source / "tests"),
            **connecting(database, name),
        }


class Agents(Client):
    """Agents and tracers: they must see the statements of a program started by `run`."""

    name = family = "agents"
    title = "OpenTelemetry's and other agents"
    versions = (("opentelemetry-instrumentation-psycopg2==0.66b1", "3.10"),)
    needs = (
        "opentelemetry-sdk", "opentelemetry-distro==0.66b1", "ddtrace==4.16.0", "newrelic==14.1.0",
        "sentry-sdk==2.75.0", "sqlalchemy==2.1.9", "wrapt==2.5.2", "pytest>=8,<10",
    )  # fmt: skip

    def source(self, cache: Path, prepared: Prepared) -> Path:
        # Their own tests cannot be run on a server.
        return INSIDE

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        return [*PYTEST, "-c", os.devnull, "--rootdir", str(INSIDE), "test_agents.py"]

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        return connecting(database, name)


class AgentsByShim(Agents):
    """Agents and tracers, with the shim in the environment."""

    name = "agents-shim"
    title = "agents, by the shim"
    by_shim = True


class Ray(Client):
    """Ray Data, whose workers read a table: by its own means, and by partitions."""

    name = family = "ray"
    title = "Ray Data"
    versions = (("ray==2.60.0", "3.10"),)
    needs = ("pyarrow>=20", "pandas", "pytest>=8,<10")
    # Its workers are processes that no `run` has started.
    by_shim = True

    def source(self, cache: Path, prepared: Prepared) -> Path:
        # Its own tests are for SQLite.
        return INSIDE

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        return [*PYTEST, "-c", os.devnull, "--rootdir", str(INSIDE), "test_ray.py"]

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        return connecting(database, name)


def connecting(database: Scratch, name: str) -> dict[str, str]:
    """libpq's variables, which every driver reads."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    found = {names[k]: v for k, v in database.parameters.items() if k in names}
    return {**found, "PGDATABASE": name}


# Those that use psycopg2's API, where parameters are bound only if that is asked for.
BINDING = (
    Pandas(),
    SQLAlchemyDialect(),
    SQLAlchemy(),
    SQLAlchemyORM(),
    Django(),
    DjangoMore(),
    DjangoQueries(),
    DjangoEngine(),
    DjangoEngineMore(),
    DjangoEngineQueries(),
)
CLIENTS: dict[str, Client] = {
    client.name: client
    for client in (
        Green(),
        Agents(),
        AgentsByShim(),
        Ray(),
        SQLAlchemyOwn(),
        SQLAlchemyAsync(),
        SQLAlchemyOwnORM(),
        SQLAlchemyAsyncORM(),
        Alembic(),
        DjangoPool(),
        *BINDING,
        *(client.binding() for client in BINDING),
    )
}
# The clients that `make clients` runs by default: each test once, in half an hour or less.
DEFAULT = (
    "psycogreen", "agents", "agents-shim", "pandas", "sqlalchemy", "sqlalchemy-own",
    "sqlalchemy-async", "alembic", "django", "django-more", "django-engine", "django-engine-pool",
)  # fmt: skip
