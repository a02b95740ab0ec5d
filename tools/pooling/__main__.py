"""Command line: `python tools/pooling [--update] [WORD...]`.

Runs the scenarios of tests/poolers on every pooler that is to be had here, with psycopg2 and then
with psycoxide, and compares what it saw with the table of docs/poolers.md; with --update it writes
the table. WORDs choose rows: those whose name has one of them. A version that is another than
the table's is told, and is no failure.

The exit code is 1 if psycoxide does worse than psycopg2 anywhere, or the table is not what was seen.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pooling import needs, table

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="write the table")
    parser.add_argument("--no-setup", action="store_true", help="install nothing")
    parser.add_argument("rows", nargs="*", metavar="WORD")
    options = parser.parse_args()
    if not options.no_setup:
        needs.ensure()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        code = run(options.rows, report)
        if not report.exists():
            return code or 1
        stale = compare(json.loads(report.read_text()), update=options.update)
    return code or int(stale)


def run(words: list[str], report: Path) -> int:
    """The scenarios; pytest's exit code."""
    env = {
        **os.environ,
        "PSYCOXIDE_POOLERS": " ".join(words) or "all",
        "PSYCOXIDE_POOLERS_REPORT": str(report),
    }
    for name in [name for name in env if name.startswith("PG") and name != "PGTZ"]:
        del env[name]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-rfE", "tests/poolers"]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def compare(report: dict[str, Any], *, update: bool) -> bool:
    """Write the table, or say how it differs from what was seen; whether it does."""
    page = table.PAGE.read_text(encoding="utf-8")
    before, old, after = table.split(page)
    new = table.section(table.rows(report), old)
    if update:
        table.PAGE.write_text(before + new + after, encoding="utf-8")
        return False
    if table.without_versions(old) != table.without_versions(new):
        print(f"docs/{table.PAGE.name} is not what was seen (UPDATE=1 writes it):")
        print("\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)))
        return True
    if old != new:
        print(f"docs/{table.PAGE.name} names other versions: UPDATE=1 writes it anew")
    return False


if __name__ == "__main__":
    sys.exit(main())
