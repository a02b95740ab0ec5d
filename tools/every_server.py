#!/usr/bin/env python3
"""Runs the Python tests on one PostgreSQL after the other, and prints one table.

    tools/every_server.py 15 16 17 18 -- tests/db -k named

What comes after `--` goes to pytest. The names are those of `tools/pgserver.py --server`. The exit
code is 1 if a test failed on any server, or a server could not be started.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pgserver
from pg import binaries, cluster

ROOT = Path(__file__).resolve().parent.parent
LINE = "{:<7} {:<9} {:>6} {:>6} {:>7}   {}"


def run_on(kind: str, arguments: list[str]) -> tuple[str, dict[str, int]]:
    """Run the tests on a server of this kind: its version, and the number of each outcome."""
    with pgserver.serve(kind) as server, tempfile.TemporaryDirectory() as folder:
        description = Path(server.root) / "server.json"
        pgserver.write_description(server, description)
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", *arguments],
            cwd=ROOT,
            env=pgserver.environment(server, description),
            check=False,
        )
        version = cluster.psql(server, server.dbname, "show server_version").split()[0]
        return version, outcomes(report)


def outcomes(report: Path) -> dict[str, int]:
    """What pytest's report counts; nothing if it wrote none."""
    if not report.exists():
        return {}
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if suite is None:
        return {}
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return {"passed": passed, "failed": failed, "skipped": count["skipped"]}


def main() -> int:
    kinds, arguments = pgserver.split(sys.argv[1:])
    if not kinds:
        print(__doc__)
        return 2
    code = 0
    table = [LINE.format("server", "version", "passed", "failed", "skipped", "").rstrip()]
    for kind in kinds:
        try:
            version, count = run_on(kind, arguments)
        except (binaries.NoServer, cluster.StartFailed) as error:
            code = 1
            table.append(f"{kind:<7} not run: {error}")
            continue
        code |= int(not count.get("passed") or bool(count["failed"]))
        figures = [count.get(name, "-") for name in ("passed", "failed", "skipped")]
        wheel = binaries.WHEELS.get(binaries.ALIASES.get(kind, kind))
        source = f"the wheel {wheel.distribution}" if wheel else "Debian"
        table.append(LINE.format(kind, version, *figures, source))
    print("\n".join(table))
    return code


if __name__ == "__main__":
    sys.exit(main())
