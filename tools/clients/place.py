"""Where a client runs: its interpreter and virtual environment, its sources, and the drivers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import smoke

ROOT = Path(__file__).resolve().parent.parent.parent
# The drivers that psycoxide is compared with, each with what has to be installed for it.
PEERS = {
    "psycopg2": ["psycopg2-binary==2.9.13"],
    "psycopg": ["psycopg==3.3.9", "psycopg-binary==3.3.9"],
}
# Newest first: the Pythons for clients that need a newer one than .venv's.
NEWER = ("3.14", "3.13", "3.12", "3.11", "3.10")
# The time limit for one step of the set-up, in seconds.
STEP = 600.0
# The same for compiling, in release mode, from nothing.
BUILD = 1800.0


class CannotPrepare(Exception):
    """A client cannot be set up here, with the reason."""


@dataclasses.dataclass(frozen=True)
class Interpreter:
    path: str
    version: str  # "3.13"

    @property
    def is_ours(self) -> bool:
        """Whether it has the version of .venv, which has the native module already."""
        return self.version == own_version()


def own_version() -> str:
    return "{}.{}".format(*sys.version_info)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def interpreter(oldest: str) -> Interpreter | None:
    """.venv's Python if it is new enough, otherwise this machine's newest that is."""
    if numbers(own_version()) >= numbers(oldest):
        return Interpreter(sys.executable, own_version())
    for version in NEWER:
        if numbers(version) >= numbers(oldest):
            path = smoke.find(version)
            if path:
                return Interpreter(path, version)
    return None


def run(command: list[str], **options: object) -> None:
    """Run a step of the set-up, with the time limit of one."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, timeout=STEP, check=False, **options  # type: ignore[call-overload]
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotPrepare(f"{' '.join(command)}: not done after {STEP:.0f} s") from None
    if done.returncode:
        raise CannotPrepare(f"{' '.join(command)}: exit status {done.returncode}")


def pip(*arguments: str, into: str = sys.executable) -> None:
    """Run .venv's pip for the interpreter `into`: Debian's venvs may have no pip."""
    run([sys.executable, "-m", "pip", "-q", "--disable-pip-version-check",
         "--python", into, *arguments])  # fmt: skip


def venv(folder: Path, python: Interpreter, requirements: list[str]) -> str:
    """The Python of a virtual environment with these requirements, which is made if necessary."""
    made = folder / "requirements.txt"
    wanted = "\n".join([f"# Python {python.version}", *requirements, ""])
    inside = str(folder / "bin" / "python")
    if made.exists() and made.read_text() == wanted:
        return inside
    shutil.rmtree(folder, ignore_errors=True)
    run([python.path, "-m", "venv", "--without-pip", str(folder)])
    pip("install", *requirements, into=inside)
    made.write_text(wanted)
    return inside


def sdist(folder: Path, requirement: str, python: str) -> Path:
    """The unpacked sdist of `name==version`, which is downloaded with pip if necessary."""
    name, version = requirement.split("==")
    tree = folder / f"{name}-{version}"
    if tree.exists():
        return tree
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # Only this one as an sdist: the tools that build its metadata come as wheels.
        run([python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
             "--no-binary", name, "-d", scratch, requirement])  # fmt: skip
        archive = next(Path(scratch).glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(scratch, filter="data")
            else:
                tar.extractall(scratch)
        shutil.move(str(Path(scratch) / tree.name), tree)
    return tree


def driver(cache: Path, name: str, python: Interpreter, inside: str) -> Path:
    """The folder that has this driver, for this interpreter."""
    folder = cache / "drivers" / f"{name}-{python.version}"
    if name == "psycoxide":
        shutil.rmtree(folder, ignore_errors=True)
    if name == "psycoxide" and python.is_ours:
        # A copy: the checkout may be built anew while the tests run.
        shutil.copytree(ROOT / "python" / name, folder / name)
    elif name == "psycoxide":
        with tempfile.TemporaryDirectory(prefix="psycoxide-clients-") as out:
            try:
                wheel = smoke.build(python.path, Path(out), BUILD)
            except subprocess.SubprocessError as error:
                raise CannotPrepare(f"no wheel for Python {python.version}: {error}") from None
            pip("install", "--no-deps", "--target", str(folder), str(wheel), into=inside)
    elif not folder.exists():
        pip("install", "--no-deps", "--target", f"{folder}.new", *PEERS[name], into=inside)
        os.replace(f"{folder}.new", folder)
    return folder


def with_driver(folder: Path, python: Interpreter, client: str, driver: Path) -> str:
    """The Python of a virtual environment with the client's packages and the driver."""
    shutil.rmtree(folder, ignore_errors=True)
    run([python.path, "-m", "venv", "--without-pip", str(folder)])
    (theirs,) = (Path(client).parent.parent / "lib").glob("python*/site-packages")
    (ours,) = (folder / "lib").glob("python*/site-packages")
    (ours / "client.pth").write_text(f"{driver}\n{theirs}\n")
    return str(folder / "bin" / "python")


def unprivileged() -> list[str]:
    """The words before a command that make root run it without root's powers.

    Tests of permissions fail for root. Another account could not reach a checkout, or a Python,
    under root's home; root without its capabilities owns those files, but has no other rights than
    any account.
    """
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return []
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
