"""Command line: `python tools/upstream [options]`. See `--help`, and docs/parity.md."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from upstream import alias, processes, report, sdist
from upstream.database import Scratch
from upstream.processes import Run


def main() -> int:
    options = arguments()
    suite = sdist.fetch(options.cache, options.python)
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    modules = [
        name
        for name in sdist.MODULES
        if not options.module or name in options.module or name[5:] in options.module
    ]
    with tempfile.TemporaryDirectory(prefix="psycoxide-parity-") as folder:
        database = Scratch(options.dsn, options.psql)
        env = environment(options, Path(folder), database)
        run = Run(
            python=options.python,
            suite=suite,
            modules=modules,
            env=env,
            folder=Path(folder),
            log=out / "worker.log",
            timeout=options.timeout,
            green=options.green,
        )
        began = time.monotonic()
        try:
            collected = processes.collect(run)
            wanted = [test for test in collected.tests if chosen(test, options.k)]
            if options.list:
                print("\n".join(wanted))
                return 0
            database.create()
            results = processes.run_all(run, wanted, database, verbose=options.verbose)
        finally:
            database.drop()
    wall = time.monotonic() - began
    report.table(collected, results, modules, wall)
    report.failures(results)
    report.save(out / "results.json", collected, results, wall)
    return report.verdict(results, collected, report.read_globs(options.allow), options.at_least)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="upstream", description=__doc__)
    parser.add_argument("--driver", default="psycoxide", help="package to test")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has it")
    parser.add_argument("--dsn", default=os.environ.get("PSYCOXIDE_TEST_DSN", ""))
    parser.add_argument("--socket", action="store_true", help="over the server's Unix socket")
    parser.add_argument("--psql", default=os.environ.get("PSYCOXIDE_TEST_PSQL", "psql"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/upstream"))
    parser.add_argument("--out", type=Path, default=Path(".cache/parity"))
    parser.add_argument("--timeout", type=float, default=60, help="seconds a test may take")
    parser.add_argument("--green", choices=["1", "eventlet"], help="with the wait callback on")
    parser.add_argument("--fast", action="store_true", help="without the tests upstream calls slow")
    parser.add_argument("-m", "--module", action="append", default=[], help="only this module")
    parser.add_argument("-k", action="append", default=[], metavar="GLOB", help="only these tests")
    parser.add_argument("--allow", type=Path, help="file of tests (globs) that may fail")
    parser.add_argument("--at-least", type=int, metavar="N", help="fail if fewer than N pass")
    parser.add_argument("--list", action="store_true", help="list the tests and stop")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if options.socket:
        options.dsn = socket_dsn()
    if not options.dsn:
        parser.error("no server: give --dsn or run under tools/pgserver.py")
    return options


def socket_dsn() -> str:
    """The server's DSN with its socket's folder as host, which only the throwaway server tells."""
    description = os.environ.get("PSYCOXIDE_TEST_SERVER")
    if not description:
        return ""
    server = json.loads(Path(description).read_text())
    return (
        f"host={server['sockets']} port={server['port']} dbname={server['dbname']} "
        f"user={server['user']} password={server['password']}"
    )


def environment(options: argparse.Namespace, folder: Path, database: Scratch) -> dict[str, str]:
    """The worker's environment: where the server is, and the alias before everything else."""
    env = {**os.environ, **database.variables()}
    for name in ("PSYCOPG2_TEST_GREEN", "PSYCOPG2_TEST_FAST"):
        env.pop(name, None)
    if options.green:
        env["PSYCOPG2_TEST_GREEN"] = options.green
    if options.fast:
        env["PSYCOPG2_TEST_FAST"] = "1"
    if options.driver != "psycopg2":
        env["PYTHONPATH"] = str(alias.write(folder / "alias", options.driver))
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def chosen(test: str, globs: list[str]) -> bool:
    return not globs or any(fnmatch.fnmatch(test, glob) or glob in test for glob in globs)


if __name__ == "__main__":
    sys.exit(main())
