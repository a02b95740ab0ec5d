"""A client as the runner sees it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

from upstream.database import Scratch

from . import place
from .place import Interpreter


@dataclasses.dataclass
class Prepared:
    """A client that is ready to run."""

    client: Client
    requirement: str
    interpreter: Interpreter
    python: str  # of its virtual environment
    source: Path  # what its tests are in

    @property
    def version(self) -> str:
        return self.requirement.split("==")[1]


class Client:
    """A program with tests of its own. Each has a subclass."""

    name: str
    title: str
    # Clients of one family share a virtual environment.
    family: str
    # The versions to run, the preferred one first, each with the oldest Python that it and
    # psycoxide support.
    versions: tuple[tuple[str, str], ...]
    # Distributions that its tests need beside its own.
    needs: tuple[str, ...] = ()
    # The driver that psycoxide is compared with.
    peer = "psycopg2"
    # How psycoxide gets its peer's name: by `python -m psycoxide run`, by the shim, or not at all.
    by_run = True
    by_shim = False
    # Whether psycoxide binds parameters on the server, where by default it merges them.
    binds = False
    # The name of the client whose results with the peer are compared with, if it is another one.
    same_as: str | None = None
    # Time limits in seconds: for a test, and between tests (collecting, creating tables).
    test_limit = 90.0
    idle_limit = 240.0
    # The time limit in seconds for the whole client, with one driver.
    limit = 3000.0

    def binding(self) -> Client:
        """The same tests with `binding="auto"`, compared with the same results of the peer."""
        client = copy.copy(self)
        client.name = f"{self.name}-binding"
        client.title = f"{self.title}, binding"
        client.binds = True
        client.same_as = self.same_as or self.name
        return client

    def prepare(self, cache: Path) -> Prepared:
        """Fetch the first of its versions that a Python on this machine supports."""
        for requirement, oldest in self.versions:
            python = place.interpreter(oldest)
            if python is None:
                continue
            folder = cache / "venvs" / self.family
            inside = place.venv(folder, python, [requirement, *self.needs])
            prepared = Prepared(self, requirement, python, inside, Path())
            prepared.source = self.source(cache, prepared)
            return prepared
        oldest = self.versions[-1][1]
        raise place.CannotPrepare(f"no Python {oldest} or later is on PATH or in pyenv")

    def source(self, cache: Path, prepared: Prepared) -> Path:
        """The folder of its tests: by default, that of its sdist."""
        return place.sdist(cache / "sdists", prepared.requirement, prepared.interpreter.path)

    def database(self, database: Scratch, name: str) -> None:
        """Create the databases for its tests. Called before each process of tests."""
        recreate(database, name)

    def command(self, prepared: Prepared, database: Scratch, name: str, driver: str) -> list[str]:
        """The arguments after `python`, or after `python -m psycoxide run`."""
        raise NotImplementedError

    def test_name(self, test: str) -> str:
        """A test's name without words that differ from driver to driver."""
        return test

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        return {}

    def folder(self, prepared: Prepared) -> Path:
        """The directory to start its tests in."""
        return prepared.source


def recreate(database: Scratch, name: str, *statements: str) -> None:
    """Make an empty database. Sessions that still use the old one are ended."""
    database.sql(f'drop database if exists "{name}" with (force)')
    database.sql(f"create database \"{name}\" template template0 encoding 'UTF8'")
    if statements:
        database.sql(*statements, database=name)


def url(database: Scratch, name: str, driver: str = "psycopg2") -> str:
    """A database's URL for SQLAlchemy."""
    p = database.parameters
    secret = f":{p['password']}" if "password" in p else ""
    return f"postgresql+{driver}://{p['user']}{secret}@{p['host']}:{p.get('port', 5432)}/{name}"
