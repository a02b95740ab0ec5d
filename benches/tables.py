"""Makes the tables that the chosen workloads need, from tables.sql."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def sections() -> dict[str, str]:
    """The SQL of each table; a section begins at a line `-- table NAME`."""
    text = Path(__file__).with_name("tables.sql").read_text()
    parts = re.split(r"^-- table (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def create(wanted: set[str]) -> None:
    made = sections()
    statements = ["set client_min_messages = warning"]
    for name in sorted(wanted):
        print(f"making {name}", file=sys.stderr, flush=True)
        statements += [f"drop table if exists {name}", "select setseed(0.42)", made[name]]
    # This writes hint bits and a visibility map, so that no measured query pays for them.
    psql(";\n".join(statements), "vacuum freeze analyze")


def psql(*commands: str) -> None:
    program = os.environ.get("PSYCOXIDE_TEST_PSQL", "psql")
    arguments = [part for command in commands for part in ("-c", command)]
    subprocess.run(
        [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", os.environ["PSYCOXIDE_TEST_DSN"],
         *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
