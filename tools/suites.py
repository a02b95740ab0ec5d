"""Runs our tests and psycopg2's own suite, with this machine's Python or one of Debian sid's."""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sid
from upstream import report

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "tests" / "parity" / "allowed_failures.txt"
# Debian's packages for building and testing in the chroot, beside Python and a server.
SID_PACKAGES = """
    gcc git libc6-dev make pkg-config
    openssl pgbouncer procps
    krb5-admin-server krb5-kdc krb5-user libkrb5-dev
""".split()
# The groups and extras of pyproject.toml that our tests need.
GROUPS = ("develop", "gssapi")


class Interpreter:
    """The Python that runs this, and the kind of server that is started for it."""

    def __init__(self, server: str, folder: Path) -> None:
        self.python = sys.executable
        self.server = server
        # The folder for the files of a run.
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self, arguments: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """The command that runs Python with these arguments in the checkout."""
        variables = [f"{name}={value}" for name, value in env.items()]
        return ["env", f"--chdir={ROOT}", *variables, self.python, *arguments]

    def run(
        self, *arguments: str, server: bool = False, env: Mapping[str, str] | None = None
    ) -> bool:
        """Run Python with these arguments, beside a fresh server if `server` is set."""
        beside = ["tools/pgserver.py", "run", "--server", self.server, "--", self.python]
        command = self.command([*(beside if server else ()), *arguments], env or {})
        return subprocess.run(command, check=False).returncode == 0

    def server_version(self) -> str | None:
        """The version of the server, if there is one. Missing programs are named on stderr."""
        ask = self.command(["tools/pgserver.py", "version", "--server", self.server], {})
        done = subprocess.run(ask, stdout=subprocess.PIPE, text=True, check=False)
        return None if done.returncode else done.stdout.strip()

    def test(self, arguments: Sequence[str]) -> dict[str, int]:
        """Run our tests. Returns the number of each outcome, nothing if they did not run."""
        found = self.folder / "tests.xml"
        found.unlink(missing_ok=True)
        self.run("-m", "pytest", "-q", f"--junit-xml={found}", *arguments, server=True)
        return read_pytest(found)

    def upstream(self, driver: str = "psycoxide") -> dict[str, str]:
        """Run psycopg2's suite on a driver. Returns each test's outcome, nothing if none ran."""
        out = self.folder / f"parity-{driver}"
        results = out / "results.json"
        results.unlink(missing_ok=True)
        self.run("tools/upstream", "--driver", driver, "--out", str(out), server=True)
        return read_upstream(results)


class SidInterpreter(Interpreter):
    """A Python of the chroot, with a venv and a wheel of its own, and the chroot's server."""

    def __init__(self, version: str, postgresql: str) -> None:
        super().__init__("debian", ROOT / ".cache" / "next" / version)
        self.version = version
        self.postgresql = postgresql
        self.python = str(self.folder / "venv" / "bin" / "python")

    def command(self, arguments: Sequence[str], env: Mapping[str, str]) -> list[str]:
        variables = {"PSYCOXIDE_POSTGRESQL": self.postgresql, **env}
        return sid.command([self.python, *arguments], env=variables)

    def pip(self, *arguments: str) -> bool:
        return self.run("-m", "pip", "install", "-q", *arguments)

    def set_up(self, groups: Sequence[str] = GROUPS) -> bool:
        """Make the venv, and install the packages of these groups that have a wheel."""
        if not Path(self.python).is_symlink():
            sid.run([f"python{self.version}", "-m", "venv", str(self.folder / "venv")])
        asked = subprocess.run(
            [sys.executable, str(ROOT / "tools" / "requirements.py"), *groups],
            capture_output=True,
            text=True,
            check=True,
        )
        wanted = asked.stdout.split("\n")[:-1]
        if not self.pip("maturin>=1.9,<2"):
            return False
        # Only gssapi is built where it is installed.
        wheels = ("--only-binary", ":all:", "--no-binary", "gssapi")
        if not self.pip(*wheels, *wanted):
            left_out = [name for name in wanted if not self.pip(*wheels, name)]
            print(f"Python {self.version}: left out, as pip cannot install them: {left_out}")
        return True

    def build(self) -> bool:
        """Make the wheel and install it."""
        dist = self.folder / "dist"
        dist.mkdir(exist_ok=True)
        for old in dist.iterdir():
            old.unlink()
        # Cargo's settings from outside are used inside, too.
        profile = {k: v for k, v in os.environ.items() if k.startswith("CARGO_PROFILE_")}
        made = self.run(
            *("-m", "maturin", "build", "--release", "--locked", "--quiet"),
            *("--interpreter", self.python, "--out", str(dist)),
            env={
                **profile,
                # One for all: only PyO3 and what uses it is built for each interpreter.
                "CARGO_TARGET_DIR": str(self.folder.parent / "target"),
                "PYO3_PYTHON": self.python,
            },
        )
        return made and self.pip(
            "--force-reinstall", "--no-deps", "--no-index", *map(str, dist.glob("*.whl"))
        )


def sid_packages(*pythons: str) -> list[str]:
    """Debian's packages for these Pythons, and for building and testing with them."""
    parts = [f"python{version}{part}" for version in pythons for part in ("", "-dev", "-venv")]
    return [*SID_PACKAGES, *parts]


def read_pytest(path: Path) -> dict[str, int]:
    """The counts of pytest's report; nothing if it wrote none."""
    if not path.exists():
        return {}
    suite = ElementTree.parse(path).getroot().find("testsuite")
    if suite is None:
        return {}
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return {"passed": passed, "failed": failed, "skipped": count["skipped"]}


def read_upstream(path: Path) -> dict[str, str]:
    """Each test's outcome in psycopg2's suite; nothing if it did not run.

    A module that could not be imported counts as a test that failed.
    """
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    modules = {f"tests.{name}": "error" for name in content["not_imported"]}
    return modules | {test["id"]: test["outcome"] for test in content["tests"]}


def count_upstream(outcomes: Mapping[str, str]) -> dict[str, int]:
    """How many of the suite's tests passed, failed in any way, and were skipped."""
    all_of = list(outcomes.values())
    return {
        "passed": all_of.count("passed"),
        "failed": sum(outcome in report.BAD for outcome in all_of),
        "skipped": all_of.count("skipped"),
    }


def lost(
    ours: Mapping[str, str], reference: Mapping[str, str], allowed: Sequence[str]
) -> list[str]:
    """The tests that psycopg2 passes and we do not, without being allowed to.

    Without a run of psycopg2's: those that fail without being allowed to.
    """
    wanted = {name for name, outcome in reference.items() if outcome == "passed"}
    wanted -= {name for name, outcome in ours.items() if outcome == "passed"}
    if not reference:
        wanted = {name for name, outcome in ours.items() if outcome in report.BAD}
    return sorted(n for n in wanted if not any(fnmatch.fnmatch(n, glob) for glob in allowed))
