"""The service file and the password file: which line says what.

The driver reads them by itself, and judges them. These find the place again that it took a value
from.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SYSTEM_FOLDER = "/etc/postgresql-common"
DEFAULT_SOCKET_FOLDER = "/var/run/postgresql"


class Line(NamedTuple):
    """A value, and where it is."""

    value: str
    file: str
    number: int

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.number}"


def home(environment: Mapping[str, str]) -> str | None:
    """The user's own directory: `HOME`, else the account's."""
    given = environment.get("HOME")
    if not given:
        try:
            given = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            return None
    return given.rstrip("/")


def service(name: str, own: str | None, environment: Mapping[str, str]) -> dict[str, Line]:
    """The options of a service, from the user's own file or else the system's.

    `own` is the file that `servicefile` or its variable names.
    """
    folder = home(environment)
    files = [own or (f"{folder}/.pg_service.conf" if folder is not None else None)]
    files.append(str(Path(environment.get("PGSYSCONFDIR", SYSTEM_FOLDER)) / "pg_service.conf"))
    for file in filter(None, files):
        found = _section(name, file)
        if found is not None:
            return found
    return {}


def _section(name: str, file: str) -> dict[str, Line] | None:
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found: dict[str, Line] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            if line.startswith(f"[{name}]"):
                found = {}
        elif found is not None:
            option, equals, value = line.partition("=")
            if equals:
                found.setdefault(option, Line(value, file, number))
    return found


def password(file: str, host: str, port: str, dbname: str, user: str) -> Line | None:
    """The first line of the password file that fits."""
    if not host or host == DEFAULT_SOCKET_FOLDER:
        host = "localhost"
    try:
        if password_file_fault(file) is not None:
            return None
        content = Path(file).read_bytes()
    except OSError:
        return None
    wanted = [host, port, dbname, user]
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        line = line.removesuffix("\r")
        # Fields are parted by colons; a backslash keeps the character after it.
        fields = re.findall(r"((?:[^:\\]|\\.|\\$)*)(?::|$)", line)
        if line.startswith("#") or len(fields) < 5:
            continue
        plain = [re.sub(r"\\(.)", r"\1", field) for field in fields]
        if all(field == "*" or text == want for field, text, want in zip(fields, plain, wanted)):
            return Line(plain[4], file, number) if plain[4] else None
    return None


def password_file_fault(file: str) -> str | None:
    """Why the driver does not use a password file that is there."""
    try:
        mode = os.stat(file).st_mode
    except OSError:
        return None
    if not stat.S_ISREG(mode):
        return f"the password file {file} is not a plain file"
    if mode & 0o077:
        return (
            f"the password file {file} is not used, as others than its owner may read it: "
            f"chmod 0600 {file}"
        )
    return None
