#!/usr/bin/env python3
"""Runs psycopg2's own suite in every mode, on psycoxide and on psycopg2, and prints one table.

    tools/parity_all.py                             all modes
    tools/parity_all.py --modes default,socket      these
    tools/parity_all.py --no-reference              psycoxide only: what fails is lost, too
    tools/parity_all.py --jobs 2                    two modes at a time, each on its own server

A test is lost when psycopg2 passes it in the same mode and psycoxide does not; allowed failures are
not counted. The exit code is 1 if a test is lost, if one fails that is not in the file of allowed
failures, or if fewer pass than the file of minima says. psycopg2's results are kept in
`.cache/parity/reference`, since they do not change.

The modes named after a version of Python run a wheel made by that Python, in a fresh venv. If a
version is not on this machine, the table says that it was not run. Run it under
`tools/pgserver.py run`, which says where the server is. With --jobs, each mode has a throwaway
server of the kind `auto` beside that: names of prepared transactions belong to the cluster, so that
two modes would clash on one.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import smoke
import suites
from upstream import report, sdist
from upstream.database import Scratch

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "parity"
MINIMA = ROOT / "tests" / "parity" / "minimum.txt"
SUITE_TIMEOUT = 900


@dataclasses.dataclass(frozen=True)
class Mode:
    """One way to run the suite."""

    name: str
    options: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    # Connect over the Unix socket instead of TCP.
    socket: bool = False
    # The version of Python; empty for the Python that runs this.
    python: str = ""


MODES = (
    Mode("default"),
    Mode("green", ("--green", "1")),
    Mode("eventlet", ("--green", "eventlet")),
    Mode("binding=auto", environment=(("PSYCOXIDE_BINDING", "auto"),)),
    Mode(
        "prepared",
        environment=(("PSYCOXIDE_BINDING", "auto"), ("PSYCOXIDE_PREPARE_THRESHOLD", "1")),
    ),
    Mode("socket", socket=True),
    Mode("cleartext", environment=(("PGSSLMODE", "disable"),)),
    Mode("python3.10", python="3.10"),
    Mode("python3.12", python="3.12"),
    Mode("python3.13", python="3.13"),
)


class NotRun(Exception):
    """The suite could not be started, with the reason."""


class NotHere(NotRun):
    """This machine or this server cannot run this mode: that is no failure."""


@dataclasses.dataclass
class Row:
    """The result of one mode: the outcome of each test, by its name."""

    mode: Mode
    ours: dict[str, str] = dataclasses.field(default_factory=dict)
    reference: dict[str, str] = dataclasses.field(default_factory=dict)
    not_run: NotRun | None = None
    no_reference: str = ""

    def lost(self, allowed: list[str]) -> list[str]:
        return suites.lost(self.ours, self.reference, allowed)


def run_suite(
    mode: Mode, driver: str, python: str, out: Path, server: Sequence[str] = ()
) -> dict[str, str]:
    """Run the suite once. Returns the outcome of each test, by its name.

    The words of `server` start a server for it; without them it uses the one that is there.

    Raises NotRun if it cannot be started.
    """
    out.mkdir(parents=True, exist_ok=True)
    results = out / "results.json"
    results.unlink(missing_ok=True)
    # After a server has been started, as PG... means nothing to that.
    variables = [f"{name}={value}" for name, value in mode.environment]
    command = [*server, "env", *variables, sys.executable, str(ROOT / "tools" / "upstream")]
    command += ["--driver", driver, "--python", python, "--out", str(out), *mode.options]
    if mode.socket:
        command += ["--socket"]
    with (out / "output.txt").open("w") as output:
        subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=SUITE_TIMEOUT,
            check=False,
        )
    if not results.exists():
        raise NotRun(report.gist((out / "output.txt").read_text()) or "the suite did not start")
    return {test["id"]: test["outcome"] for test in json.loads(results.read_text())["tests"]}


def interpreter(mode: Mode) -> str:
    """The Python that has both drivers, for this mode."""
    if not mode.python:
        return sys.executable
    base = smoke.find(mode.python)
    if base is None:
        raise NotHere(f"there is no Python {mode.python} on PATH or in pyenv")
    folder = CACHE / mode.name / "venv"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", str(folder)], check=True)
    inside = str(folder / "bin" / "python")
    wheels = CACHE / mode.name / "dist"
    shutil.rmtree(wheels, ignore_errors=True)
    install(inside, str(smoke.build(base, wheels)))
    return inside


def install(python: str, what: str) -> None:
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", what], check=True
    )


def reference(
    mode: Mode, python: str, server_version: str, server: Sequence[str]
) -> dict[str, str]:
    """psycopg2's outcomes in this mode, from an earlier run if there was one."""
    if mode.python:
        install(python, "psycopg2-binary==2.9.*")
    ask = "import psycopg2; print(psycopg2.__version__.split()[0])"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    version = done.stdout.strip()
    name = f"{mode.name}-psycopg2-{version}-postgresql-{server_version}.json"
    kept = CACHE / "reference" / name
    if kept.exists():
        found: dict[str, str] = json.loads(kept.read_text())
        return found
    outcomes = run_suite(mode, "psycopg2", python, CACHE / mode.name / "psycopg2", server)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(outcomes, indent=1))
    return outcomes


def run_mode(
    mode: Mode, python: str, server_version: str, compare: bool, server: Sequence[str]
) -> Row:
    row = Row(mode)
    try:
        row.ours = run_suite(mode, "psycoxide", python, CACHE / mode.name / "psycoxide", server)
    except NotRun as why:
        row.not_run = why
        return row
    if compare:
        try:
            row.reference = reference(mode, python, server_version, server)
        except (NotRun, subprocess.CalledProcessError) as why:
            row.no_reference = f"psycopg2 not run: {why}"
    return row


def run_modes(modes: list[Mode], server_version: str, compare: bool, jobs: int) -> list[Row]:
    """Run all modes, several at a time, as tests mostly wait. Wheels are made one by one."""
    rows: list[Row | concurrent.futures.Future[Row]] = []
    server = smoke.SERVER if jobs > 1 else ()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mode in modes:
            try:
                if mode.socket and not os.environ.get("PSYCOXIDE_TEST_SERVER"):
                    raise NotHere("the given server's socket folder is not known")
                python = interpreter(mode)
            except NotRun as why:
                rows.append(Row(mode, not_run=why))
                continue
            rows.append(pool.submit(run_mode, mode, python, server_version, compare, server))
    return [row if isinstance(row, Row) else row.result() for row in rows]


def figures(outcomes: dict[str, str]) -> list[str]:
    """Passed, failed in any way, skipped; dashes if there is nothing to count."""
    if not outcomes:
        return ["-", "-", "-"]
    return [str(count) for count in suites.count_upstream(outcomes).values()]


def print_table(rows: list[Row], allowed: list[str]) -> None:
    line = "{:<11} {:>6} {:>6} {:>7}   {:>6} {:>6} {:>7}   {:>4}  {}"
    print(f"{'':<11} {'psycoxide':<21}   psycopg2")
    print(line.format("mode", *["passed", "failed", "skipped"] * 2, "lost", "").rstrip())
    for row in rows:
        if row.not_run:
            print(f"{row.mode.name:<11} not run: {row.not_run}")
            continue
        lost = str(len(row.lost(allowed)))
        print(
            line.format(
                row.mode.name, *figures(row.ours), *figures(row.reference), lost, row.no_reference
            ).rstrip()
        )


def read_minima(path: Path) -> dict[str, int]:
    """The number of tests that must pass in each mode; a line has the mode and the number."""
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    return {fields[0]: int(fields[1]) for fields in lines if fields}


def verdict(rows: list[Row], allowed: list[str], minima: dict[str, int]) -> int:
    """Print the failures, mode by mode. Returns the exit code."""
    code = 0
    for row in rows:
        if row.not_run:
            code |= int(not isinstance(row.not_run, NotHere))
            continue
        for name in row.lost(allowed):
            code = 1
            print(f"{row.mode.name}: lost {name} ({row.ours.get(name, 'not found')})")
        passed = sum(outcome == "passed" for outcome in row.ours.values())
        least = minima.get(row.mode.name, minima["default"])
        if passed < least:
            code = 1
            print(f"{row.mode.name}: at least {least} passed before, now {passed}")
    return code


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ",".join(mode.name for mode in MODES)
    parser.add_argument("--modes", default=names, help=f"of {names}")
    parser.add_argument("--no-reference", action="store_true", help="without psycopg2's own run")
    parser.add_argument("--jobs", type=int, default=1, help="modes at a time")
    options = parser.parse_args()
    if options.jobs > 1 and os.environ.get("DSN"):
        parser.error("one server cannot serve several modes at a time: leave out --jobs or DSN=")
    chosen = [mode for mode in MODES if mode.name in options.modes.split(",")]
    dsn = os.environ.get("PSYCOXIDE_TEST_DSN", "")
    if not dsn or not chosen:
        parser.error("no such mode" if dsn else "no server: run under tools/pgserver.py")
    database = Scratch(dsn, os.environ.get("PSYCOXIDE_TEST_PSQL", "psql"))
    server_version = database.sql("show server_version").split()[0]
    sdist.fetch(ROOT / ".cache" / "upstream", sys.executable)
    allowed = report.read_globs(suites.ALLOWED)
    rows = run_modes(chosen, server_version, not options.no_reference, options.jobs)
    print_table(rows, allowed)
    return verdict(rows, allowed, read_minima(MINIMA))


if __name__ == "__main__":
    sys.exit(main())
