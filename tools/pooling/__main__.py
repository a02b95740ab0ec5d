"""Command line: `python tools/pooling [--update] [WORD...]`.

Runs the scenarios of tests/poolers on every pooler that is available here, with psycopg2 and then
with psycoxide, and compares the outcome with the table of docs/poolers.md; with --update it writes
the table. WORDs choose rows: those with one of the words in their name. A version other than
the table's is reported, and is no failure.

The exit code is 1 if psycoxide does worse than psycopg2 anywhere, or if the table differs from the
outcome.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pooling import newest, table

ROOT = Path(__file__).resolve().parent.parent.parent


# Groups of rows, by words of their names. The rows of a group run one after another, the groups at
# the same time: most of the time is spent waiting.
GROUPS = ("odyssey pgbouncer-sid pgpool", "pgagroal", "pgbouncer-debian12 pglite")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("--no-setup", action="store_true", help="get nothing of sid and npm")
    parser.add_argument("rows", nargs="*", metavar="WORD")
    options = parser.parse_args()
    if not options.no_setup:
        newest.ensure()
    report, code = run([" ".join(options.rows)] if options.rows else GROUPS)
    for row, reason in report["missing"].items():
        print(f"left out: {row}: {reason}")
    for line in table.unsteady_and_worse(report):
        print(f"worse than psycopg2: {line}")
        code = 1
    stale = compare(report, update=options.update)
    return code or int(stale)


def run(groups: Sequence[str]) -> tuple[dict[str, Any], int]:
    """Run the scenarios of these groups. Returns their outcomes and pytest's worst exit code."""
    seen: dict[str, Any] = {"poolers": {}, "verdicts": [], "missing": {}}
    code = 0
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as started:
        folder = Path(name)
        processes = [started.enter_context(pytest(group, folder)) for group in groups]
        for number, process in enumerate(processes):
            code = max(code, abs(process.wait()))
            print((folder / f"{groups[number]}.log").read_text(), flush=True)
            report = folder / f"{groups[number]}.json"
            if report.exists():
                found = json.loads(report.read_text())
                seen["poolers"] |= found["poolers"]
                seen["missing"] |= found["missing"]
                seen["verdicts"] += found["verdicts"]
    return seen, code


@contextlib.contextmanager
def pytest(group: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The running tests of a group; they are ended at the end of the block."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PSYCOXIDE_POOLERS": group,
        "PSYCOXIDE_POOLERS_REPORT": str(folder / f"{group}.json"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-rfE", "tests/poolers"]
    with (folder / f"{group}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        # On Ctrl-C the process gets the signal from the terminal as well, and ends its servers.
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def compare(report: dict[str, Any], *, update: bool) -> bool:
    """Write the table, or print how it differs from the outcome. Returns whether it differs."""
    page = table.PAGE.read_text(encoding="utf-8")
    before, old, after = table.split(page)
    new = table.section(table.rows(report), old)
    if update:
        table.PAGE.write_text(before + new + after, encoding="utf-8")
        return False
    if table.comparable(old) != table.comparable(new):
        print(f"docs/{table.PAGE.name} is not what was seen (UPDATE=1 writes it):")
        print("\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)))
        return True
    if old != new:
        print(f"docs/{table.PAGE.name} names other versions, or what was seen of unsteady poolers")
    return False


if __name__ == "__main__":
    # As Ctrl-C does: the started processes are ended, too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
