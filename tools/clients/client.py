"""What the runner has to know of a client."""

from __future__ import annotations

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
    """A program with tests of its own. Subclasses say what is particular."""

    name: str
    title: str
    # Clients of one family share a virtual environment.
    family: str
    # The versions to run, the one to prefer first, each with the oldest Python that
    # it and psycoxide support.
    versions: tuple[tuple[str, str], ...]
    # What else its tests need, beside the distribution itself.
    needs: tuple[str, ...] = ()
    # With psycoxide, whether the shim gives it psycopg2's name, and not `python -m psycoxide run`.
    by_shim = False
    # Seconds without a sign of life: in a test, and outside (collecting, creating tables).
    test_limit = 90.0
    idle_limit = 240.0
    # Seconds for the client as a whole, with one driver.
    limit = 3000.0

    def prepare(self, cache: Path) -> Prepared:
        """Fetch it, for the first of its versions that some Python here supports."""
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
        """Where its tests are: by default, in its sdist."""
        return place.sdist(cache / "sdists", prepared.requirement, prepared.interpreter.path)

    def database(self, database: Scratch, name: str) -> None:
        """Create what its tests expect of the server. Called before each process of tests."""
        recreate(database, name)

    def command(self, prepared: Prepared, database: Scratch, name: str) -> list[str]:
        """The arguments after `python`, or after `python -m psycoxide run`."""
        raise NotImplementedError

    def environment(self, prepared: Prepared, database: Scratch, name: str) -> dict[str, str]:
        return {}

    def folder(self, prepared: Prepared) -> Path:
        """The directory its tests are started in."""
        return prepared.source


def recreate(database: Scratch, name: str, *statements: str) -> None:
    """An empty database; who is still connected to the old one is thrown out."""
    database.sql(f'drop database if exists "{name}" with (force)')
    database.sql(f"create database \"{name}\" template template0 encoding 'UTF8'")
    if statements:
        database.sql(*statements, database=name)


def url(database: Scratch, name: str) -> str:
    """SQLAlchemy's way to name a database."""
    p = database.parameters
    secret = f":{p['password']}" if "password" in p else ""
    return f"postgresql+psycopg2://{p['user']}{secret}@{p['host']}:{p.get('port', 5432)}/{name}"
