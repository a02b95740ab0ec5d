#!/usr/bin/env python3
"""Builds and tests on the Pythons that are newer than this machine's, in a chroot of Debian sid.

    tools/next.py [--brief] [VERSION...] [-- PYTEST...]      3.14 and 3.15, unless others are named

For each: a wheel in release mode, `tools/smoke_program.py`, psycopg2's own suite, and our tests, on
the chroot's PostgreSQL. With --brief, of our tests only those of the database and the units. What
is between runs lies in `.cache/next`. A line a Python ends it; the exit code is 1 if anything
failed. Where there can be no chroot (see `tools/sid.py`), it says so and ends well.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import every_server
import pgserver
import sid

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "next"
ALLOWED = ROOT / "tests" / "parity" / "allowed_failures.txt"
VERSIONS = ("3.14", "3.15")
POSTGRESQL = "18"
# What the build and the tests want of the system.
PACKAGES = f"""
    gcc git libc6-dev make pkg-config
    postgresql-{POSTGRESQL} openssl pgbouncer procps
    krb5-admin-server krb5-kdc krb5-user libkrb5-dev
""".split()
# Of pyproject.toml; with --brief, what is tested and the extras that it wants.
EXTRAS = ("dev", "gssapi")
BRIEF = ("tests/db", "tests/unit")
BRIEF_EXTRAS = ("test",)


@dataclasses.dataclass
class Outcome:
    """What came out for one Python."""

    version: str
    counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    broken: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        parts = [
            f"{title} " + ", ".join(f"{count} {name}" for name, count in counts.items())
            for title, counts in self.counts.items()
        ]
        failed = [f"failed: {', '.join(self.broken)}"] if self.broken else []
        return f"Python {self.version}: " + "; ".join([*parts, *failed])


class Interpreter:
    """A Python of the chroot: its venv, its wheel, and the tests run by it."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.folder = CACHE / version
        self.python = str(self.folder / "venv" / "bin" / "python")
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments: str, server: bool = False, **env: str) -> bool:
        """Run Python with these arguments in the chroot, beside a fresh server if it wants one."""
        beside = ["tools/pgserver.py", "run", "--server", "debian", "--", self.python]
        command = [self.python, *(beside if server else ()), *arguments]
        return (
            sid.run(
                command, env={"PSYCOXIDE_POSTGRESQL": POSTGRESQL, **env}, check=False
            ).returncode
            == 0
        )

    def pip(self, *arguments: str) -> bool:
        return self.run("-m", "pip", "install", "-q", *arguments)

    def set_up(self, extras: Sequence[str]) -> bool:
        """The venv, and in it what these extras want and there is a wheel of."""
        if not Path(self.python).is_symlink():
            sid.run([f"python{self.version}", "-m", "venv", str(self.folder / "venv")])
        asked = subprocess.run(
            [sys.executable, str(ROOT / "tools" / "extras.py"), *extras],
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
        made = self.run(
            *("-m", "maturin", "build", "--release", "--locked", "--quiet"),
            *("--interpreter", self.python, "--out", str(dist)),
            # One for each: cargo would build PyO3 again at each change of interpreter.
            CARGO_TARGET_DIR=str(self.folder / "target"),
            PYO3_PYTHON=self.python,
        )
        return made and self.pip(
            "--force-reinstall", "--no-deps", "--no-index", *map(str, dist.glob("*.whl"))
        )

    def test(self, arguments: Sequence[str]) -> dict[str, int]:
        """Run our tests; how many had each outcome."""
        report = self.folder / "tests.xml"
        report.unlink(missing_ok=True)
        self.run("-m", "pytest", "-q", f"--junit-xml={report}", *arguments, server=True)
        return every_server.outcomes(report)

    def upstream(self) -> tuple[bool, dict[str, int]]:
        """Run psycopg2's suite: whether only that failed which may, and the outcomes."""
        out = self.folder / "parity"
        results = out / "results.json"
        results.unlink(missing_ok=True)
        well = self.run("tools/upstream", "--allow", str(ALLOWED), "--out", str(out), server=True)
        total = json.loads(results.read_text())["total"] if results.exists() else {}
        return well, {
            "passed": total.get("passed", 0),
            "failed": sum(total.get(name, 0) for name in ("failed", "error", "timeout", "crash")),
            "skipped": total.get("skipped", 0),
        }


def check(version: str, extras: Sequence[str], arguments: Sequence[str]) -> Outcome:
    """Build and test on this Python."""
    outcome = Outcome(version)
    python = Interpreter(version)
    began = time.monotonic()

    def step(title: str) -> str:
        print(f"== Python {version}: {title} ({time.monotonic() - began:.0f} s)", flush=True)
        return title

    title = step("set-up and build")
    if not (python.set_up(extras) and python.build()):
        outcome.broken.append(title)
        return outcome
    title = step("smoke")
    if not python.run("-I", str(ROOT / "tools" / "smoke_program.py"), server=True):
        outcome.broken.append(title)
    title = step("psycopg2's suite")
    well, outcome.counts[title] = python.upstream()
    if not well:
        outcome.broken.append(title)
    title = step("our tests")
    counts = outcome.counts[title] = python.test(arguments)
    if not counts.get("passed") or counts["failed"]:
        outcome.broken.append(title)
    return outcome


def main() -> int:
    ours, given = pgserver.split(sys.argv[1:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--brief", action="store_true", help="only a part of our tests")
    parser.add_argument("versions", nargs="*", metavar="VERSION", default=VERSIONS)
    options = parser.parse_args(ours)
    pythons = [
        f"python{version}{part}" for version in options.versions for part in ("", "-dev", "-venv")
    ]
    try:
        sid.ensure([*PACKAGES, *pythons])
    except sid.Unavailable as reason:
        print(f"Python {', '.join(options.versions)}: skipped: {reason}")
        return 0
    except sid.Failed as error:
        print(f"Python {', '.join(options.versions)}: not tested: {error}")
        return 1
    extras = BRIEF_EXTRAS if options.brief else EXTRAS
    arguments = given or (BRIEF if options.brief else ("tests",))
    outcomes = [check(version, extras, arguments) for version in options.versions]
    for outcome in outcomes:
        print(outcome)
    return int(any(outcome.broken for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
