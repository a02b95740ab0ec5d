"""Where each option of a connection comes from.

The order is the driver's: the connection string, the service file, the environment, the password
file, the defaults.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from psycoxide._doctor import files
from psycoxide._doctor.options import OPTIONS, SESSION_VARIABLES
from psycoxide._doctor.secrets import HIDDEN, MARKS
from psycoxide._psycopg import parse_dsn

Source: TypeAlias = Literal[
    "argument", "uri", "service", "environment", "passfile", "default", "account"
]
_SCHEMES = ("postgresql://", "postgres://")


class Setting(NamedTuple):
    """An option's value and its source; `place` is the variable, or the file and line."""

    value: str
    source: Source
    place: str | None = None

    def described(self) -> str:
        """Where it comes from, in words."""
        words = {
            "argument": "the argument",
            "uri": "the URI",
            "service": "service file",
            "environment": "environment",
            "passfile": "password file",
            "default": "default",
            "account": "the account's name",
        }[self.source]
        return words if self.place is None else f"{words}, {self.place}"


class Settings:
    """The options in effect. Raises ProgrammingError if the connection string cannot be read."""

    def __init__(self, dsn: str, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.found: dict[str, Setting] = {}
        self.is_uri = dsn.startswith(_SCHEMES)
        given = parse_dsn(dsn)
        for name, value in given.items():
            self.found[name] = Setting(value, "uri" if self.is_uri else "argument")
        self._was_split_badly = self.is_uri and _was_split_badly(given)
        self._add_service()
        self._add_environment()
        self._add_defaults()
        self.passwords_by_host: list[files.Line | None] = []

    def get(self, name: str) -> str | None:
        """An option's value, if it has one that is not empty."""
        setting = self.found.get(name)
        return setting.value or None if setting else None

    def number(self, name: str) -> float | None:
        """An option's value as a positive number; None if it is not one."""
        try:
            number = float(self.get(name) or 0)
        except ValueError:
            return None
        return number if 0 < number < float("inf") else None

    def secrets(self) -> list[str]:
        """All values that must not be shown."""
        found = [setting.value for name, setting in self.found.items() if _is_secret(name)]
        if self._was_split_badly:
            # Parts of a password may be anywhere in it.
            found += [setting.value for setting in self.found.values() if setting.source == "uri"]
        return found + [line.value for line in self.passwords_by_host if line is not None]

    def plain(self) -> list[str]:
        """The values that are shown."""
        return [setting.value for name, setting in self.found.items() if not self.hides(name)]

    def hides(self, name: str) -> bool:
        """Whether an option's value is not shown."""
        from_uri = self.found[name].source == "uri"
        return _is_secret(name) or (self._was_split_badly and from_uri)

    def shown(self, name: str) -> str:
        """An option's value as it may be shown."""
        return HIDDEN if self.hides(name) else self.found[name].value

    def find_passwords(self, hosts: list[tuple[str, str]]) -> None:
        """Look the password of each host, a name or address and a port, up in the password file."""
        if self.get("password") or not self.get("passfile"):
            return
        names = [self.get(name) or "" for name in ("passfile", "dbname", "user")]
        self.passwords_by_host = [
            files.password(names[0], host, port, names[1], names[2]) for host, port in hosts
        ]
        for line in self.passwords_by_host:
            if line is not None:
                self.found["password"] = Setting(line.value, "passfile", line.place)
                break

    def _add(self, name: str, setting: Setting) -> None:
        self.found.setdefault(name, setting)

    def _add_service(self) -> None:
        for name, variable in (("service", "PGSERVICE"), ("servicefile", "PGSERVICEFILE")):
            if variable in self.environment:
                value = self.environment[variable]
                self._add(name, Setting(value, "environment", variable))
        service = self.found.get("service")
        if service is not None:
            own = self.found["servicefile"].value if "servicefile" in self.found else None
            for name, line in files.service(service.value, own, self.environment).items():
                self._add(name, Setting(line.value, "service", line.place))

    def _add_environment(self) -> None:
        for name, option in OPTIONS.items():
            if option.variable is not None and option.variable in self.environment:
                value = self.environment[option.variable]
                self._add(name, Setting(value, "environment", option.variable))
        for variable, name in SESSION_VARIABLES.items():
            if variable in self.environment:
                self._add(name, Setting(self.environment[variable], "environment", variable))

    def _add_defaults(self) -> None:
        if self.environment.get("PGREQUIRESSL", "").startswith("1"):
            self._add("sslmode", Setting("require", "environment", "PGREQUIRESSL"))
        if self.get("sslrootcert") == "system":
            self._add("sslmode", Setting("verify-full", "default", "since sslrootcert=system"))
        for name, option in OPTIONS.items():
            if option.default is not None:
                self._add(name, Setting(option.default, "default"))
        if not self.get("user"):
            self.found["user"] = Setting(_account(), "account")
        if not self.get("dbname"):
            self.found["dbname"] = Setting(self.found["user"].value, "default", "the user's name")
        home = files.home(self.environment)
        if home is not None and not self.get("passfile"):
            self.found["passfile"] = Setting(f"{home}/.pgpass", "default")


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def _is_secret(name: str) -> bool:
    return name in OPTIONS and OPTIONS[name].secret


def _was_split_badly(given: Mapping[str, str]) -> bool:
    """Whether a password with characters that mean something in a URI may be in other options.

    `postgresql://me:a/b@host/db` has the port `a` and the database `b@host/db`.
    """
    others = {name: value for name, value in given.items() if not _is_secret(name)}
    port = others.get("port", "")
    return (
        any("@" in others.get(name, "").lstrip("@") for name in ("host", "port", "dbname"))
        or not all(part.isdecimal() for part in port.split(",") if part)
        or any(mark in name.lower() for name in given for mark in MARKS if name not in OPTIONS)
    )
