"""psycopg2 and psycoxide side by side in one process, to be asked the same."""

from __future__ import annotations

import dataclasses
import importlib
import math
import uuid
from collections.abc import Callable
from typing import Any

import driver_program

SETUP = """
create schema differ_values;
create type differ_values.pair as (a int, b text);
create type differ_values.nest as (p differ_values.pair, t timestamptz, l int[]);
create type differ_values.textrange as range (subtype = text);
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a call came to: a value as something comparable, or an error's class and words."""

    value: Any = None
    error: str = ""
    words: str = ""


class Driver:
    """One driver, with a connection on which all types of the tests are registered."""

    def __init__(self, name: str, dsn: str, *, set_up: bool = False) -> None:
        self.name = name
        self.base = importlib.import_module(name)
        self.extensions = importlib.import_module(f"{name}.extensions")
        self.extras = importlib.import_module(f"{name}.extras")
        self.sql = importlib.import_module(f"{name}.sql")
        self.connection = self.base.connect(f"{dsn} sslmode=disable")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("set timezone to 'Europe/Berlin'")
        if set_up:
            self.cursor.execute("drop schema if exists differ_values cascade")
            self.cursor.execute(SETUP)
        # Registered here only: the adapters are the process's, the typecasters the connection's.
        self.extras.register_uuid(conn_or_curs=self.connection)
        self.extras.register_ipaddress(self.connection)
        self.extras.register_hstore(self.connection)
        self.pair = self.extras.register_composite("differ_values.pair", self.connection)
        self.nest = self.extras.register_composite("differ_values.nest", self.connection)
        self.text_range = self.extras.register_range(
            "differ_values.textrange", "TextRange", self.connection
        )
        self.extensions.register_adapter(Custom, lambda value: CustomAdapter(self, value))

    def close(self) -> None:
        self.connection.close()
        self.extensions.adapters.pop((dict, self.extensions.ISQLQuote), None)
        self.extensions.adapters.pop((uuid.UUID, self.extensions.ISQLQuote), None)

    def make(self, recipe: Any) -> Any:
        """The object that a recipe is for, of this driver's own classes."""
        if isinstance(recipe, Recipe):
            owner, name = recipe.path.split(".")
            arguments = [self.make(part) for part in recipe.arguments]
            options = {key: self.make(part) for key, part in recipe.options}
            return getattr(getattr(self, owner), name)(*arguments, **options)
        if type(recipe) in (list, tuple):
            return type(recipe)(self.make(part) for part in recipe)
        if type(recipe) is dict:
            return {key: self.make(part) for key, part in recipe.items()}
        return recipe

    def quoted(self, value: Any) -> Any:
        return self.extensions.adapt(value).getquoted()

    def caster(self, name: str) -> Any:
        """A typecaster by its name, or by `oid N`."""
        if name.startswith("oid "):
            return self.extensions.string_types[int(name[4:])]
        return getattr(self.base if name == "BINARY" else self.extensions, name)

    def round_trip(self, value: Any, kind: str) -> Any:
        self.cursor.execute(f"select %s::{kind}", (value,))
        return self.cursor.fetchone()[0]


class Pair:
    """The drivers, psycopg2 first."""

    def __init__(self, dsn: str) -> None:
        # psycopg2 loses a reference to None with every hole that it fills; before Python 3.12,
        # where None is immortal, the interpreter dies when they are used up.
        self.spare = [None] * 2_000_000
        self.theirs = Driver("psycopg2", dsn, set_up=True)
        self.ours = Driver("psycoxide", dsn)

    def each(self, action: Callable[[Driver], Any]) -> tuple[Outcome, Outcome]:
        return attempt(self.theirs, action), attempt(self.ours, action)

    def close(self) -> None:
        self.ours.cursor.execute("drop schema differ_values cascade")
        self.theirs.close()
        self.ours.close()


def attempt(driver: Driver, action: Callable[[Driver], Any]) -> Outcome:
    try:
        return Outcome(value=comparable(action(driver)))
    except Exception as error:
        words = driver_program.plain(str(error))
        return Outcome(error=type(error).__name__, words=words)


def comparable(value: Any) -> Any:
    """A value as something that is equal only for equal values of the same type."""
    if isinstance(value, float) and math.isnan(value):
        return ("float", "nan")
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [comparable(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(key, comparable(item)) for key, item in value.items()])
    return driver_program.describe(value)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A call of something of the driver's: `extras.Json`, with recipes for the arguments."""

    path: str
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()


class Custom:
    """Something with an adapter of the user's own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __repr__(self) -> str:
        return f"Custom({self.inner!r})"


class CustomAdapter:
    """Adapts what it holds, with a function call around it, and needs the connection for that."""

    def __init__(self, driver: Driver, value: Custom) -> None:
        self.inner = driver.extensions.adapt(value.inner)

    def prepare(self, connection: Any) -> None:
        if hasattr(self.inner, "prepare"):
            self.inner.prepare(connection)

    def getquoted(self) -> bytes:
        return b"custom(" + self.inner.getquoted() + b")"
