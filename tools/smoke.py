#!/usr/bin/env python3
"""Builds a wheel for each named Python, installs it in a fresh venv, and tries it on a server.

    tools/smoke.py 3.10 3.13 [--tests tests/aio --tests tests/sync]

With --tests it also runs these tests there, with the wheel. A version that is not on this machine
is skipped, with a message; if none is there, the Python that runs this is used instead.

The wheels are built one after the other, and then tried side by side, each on a throwaway server of
its own; with DSN=... in the environment one after the other, on that server.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import beside

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "tools" / "smoke_program.py"
SERVER = (sys.executable, str(ROOT / "tools" / "pgserver.py"), "run", "--")
SHIMMED = """
from importlib.metadata import version
import psycopg2, psycoxide
assert psycopg2 is psycoxide and psycopg2.__version__.startswith(version("psycopg2"))
"""


def runs(candidate: str, version: str) -> bool:
    """Whether this is a Python of that version: pyenv has shims for versions that it won't run."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def find(version: str) -> str | None:
    """An interpreter of this version, on PATH or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = sorted(pyenv.glob(f"{version}.*/bin/python")) if pyenv.is_dir() else []
    candidates = [shutil.which(f"python{version}"), *map(str, reversed(installed))]
    return next((c for c in candidates if c and runs(c, version)), None)


def build(python: str, out: Path, timeout: float | None = None) -> Path:
    """A wheel made by this interpreter, in a target folder of its own: with a shared one cargo
    would rebuild PyO3 at each change of interpreter."""
    env = {**os.environ, "PYO3_PYTHON": python, "CARGO_TARGET_DIR": str(target_folder())}
    subprocess.run(
        [sys.executable, "-m", "maturin", "build", "--release", "--locked", "--quiet",
         "--interpreter", python, "--out", str(out)],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=timeout,
    )  # fmt: skip
    return next(out.glob("*.whl"))


def target_folder() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "smoke"


def run_tests(python: str, tests: Sequence[str]) -> None:
    """Run tests in a venv that has the wheel, with the packages of the group `test-own`."""
    asked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "requirements.py"), "test-own"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    wanted = asked.stdout.splitlines()
    install = [python, "-m", "pip", "install", "-q", "--only-binary", ":all:"]
    subprocess.run([*install, *wanted], check=True)
    subprocess.run([*SERVER, python, "-m", "pytest", "-q", *tests], cwd=ROOT, check=True)


def check(version: str, python: str, wheel: Path, tests: Sequence[str]) -> bool:
    """Try the wheel in a fresh venv. An exception says what failed."""
    with tempfile.TemporaryDirectory(prefix="psycoxide-smoke-") as folder:
        venv = Path(folder) / "venv"
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        inside = str(venv / "bin" / "python")
        subprocess.run([inside, "-m", "pip", "install", "-q", "--no-index", str(wheel)], check=True)
        # From another folder and isolated, so that the wheel is imported.
        subprocess.run([*SERVER, inside, "-I", str(PROGRAM)], cwd=folder, check=True)
        # The wheel also has the files of the shim, which are no modules.
        subprocess.run([inside, "-m", "psycoxide", "shim", "install"], cwd=folder, check=True)
        subprocess.run([inside, "-I", "-c", SHIMMED], cwd=folder, check=True)
        print(f"smoke {version}: {wheel.name} ok", flush=True)
        if tests:
            run_tests(inside, tests)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    parser.add_argument("--tests", action="append", default=[], metavar="PATH", help="run these")
    options = parser.parse_args()
    pythons: dict[str, str] = {}
    for version in options.versions:
        python = find(version)
        if python is None:
            print(f"smoke {version}: skipped, there is no Python {version} on PATH or in pyenv")
        else:
            pythons[version] = python
    if not pythons:
        pythons["{}.{}".format(*sys.version_info)] = sys.executable
    with tempfile.TemporaryDirectory(prefix="psycoxide-smoke-") as folder:
        checks = [
            functools.partial(
                check, version, python, build(python, Path(folder) / version), options.tests
            )
            for version, python in pythons.items()
        ]
        # A server that is given has room for one: the tests share its roles and settings.
        fine = beside.run(checks, jobs=1 if os.environ.get("DSN") else len(checks))
    return int(not all(fine))


if __name__ == "__main__":
    sys.exit(main())
