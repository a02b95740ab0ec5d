#!/usr/bin/env python3
"""A shell beside a throwaway server, in which Python has psycoxide and programs find the server.

    tools/pgserver.py run -- tools/shell.py [COMMAND...]

Runs the user's shell, or the command. The environment is that of the manual's examples: there is a
superuser `me`, who owns a database `shop`, so that `connect("dbname=shop")` and
`connect("dbname=shop user=me")` work as they are. Both disappear with the server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pg import cluster

DATABASE = "shop"
ROLE = "me"

GREETING = f"""
Here is a PostgreSQL of your own, with a database {DATABASE} and a superuser {ROLE}.

    .venv/bin/python   import psycoxide; conn = psycoxide.connect("dbname={DATABASE}")
    psql               PostgreSQL's own terminal
    exit               stops the server and removes it, with all that is in it
"""


def environment(server: cluster.Server) -> dict[str, str]:
    """Variables that tell programs where to connect, and a PATH with Python and psql."""
    path = [str(Path(sys.executable).parent), server.clients, os.environ.get("PATH", os.defpath)]
    return {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "PGHOST": server.sockets,
        "PGPORT": str(server.port),
        "PGUSER": ROLE,
        "PGDATABASE": DATABASE,
    }


def furnish(server: cluster.Server) -> None:
    """Make the role and the database, unless an earlier shell has."""
    if not cluster.psql(server, "postgres", f"select 1 from pg_roles where rolname = '{ROLE}'"):
        cluster.psql(server, "postgres", f"create role {ROLE} superuser login")
    if not cluster.psql(
        server, "postgres", f"select 1 from pg_database where datname = '{DATABASE}'"
    ):
        cluster.psql(server, "postgres", f"create database {DATABASE} owner {ROLE}")


def main() -> int:
    description = os.environ.get("PSYCOXIDE_TEST_SERVER")
    if not description:
        print("run this beside a throwaway server: make server", file=sys.stderr)
        return 2
    server = cluster.Server(**json.loads(Path(description).read_text()))
    furnish(server)
    command = sys.argv[1:] or [os.environ.get("SHELL") or "/bin/sh"]
    if not sys.argv[1:] and sys.stdin.isatty():
        print(GREETING, flush=True)
    code = subprocess.run(command, env=environment(server), check=False).returncode
    # The exit code of an interactive shell's last command is no failure of `make`.
    return code if sys.argv[1:] or not sys.stdin.isatty() else 0


if __name__ == "__main__":
    sys.exit(main())
