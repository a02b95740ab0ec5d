"""DuckDB with its own reader of PostgreSQL, to compare with.

Its reader is an extension, of the very version of DuckDB, and comes to the package index later than
DuckDB. So both are in a folder of their own, which is first on the path of who calls `connect()`.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

VERSION = "1.5.5"
FOLDER = Path(__file__).resolve().parent.parent / ".cache" / f"duckdb-{VERSION}"
EXTENSION = "duckdb_extension_postgres_scanner"
# What a query is to be read from: `from postgres_query('server', '…')`, `from server.public.t`.
SERVER = "server"


def install() -> None:
    if FOLDER.exists():
        return
    packages = [f"{name}=={VERSION}" for name in ("duckdb", EXTENSION.replace("_", "-"))]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(FOLDER)]
    subprocess.run([*command, *packages], check=True)


def connect(uri: str) -> Any:
    """A connection of DuckDB to which the server is attached.

    Raises ImportError if `install()` has not been called, once.
    """
    if not FOLDER.exists():
        raise ImportError(f"DuckDB {VERSION} and its reader are not installed in {FOLDER}")
    sys.path.insert(0, str(FOLDER))
    conn = import_module("duckdb").connect()
    path = FOLDER / EXTENSION / "extensions" / f"v{VERSION}" / "postgres_scanner.duckdb_extension"
    conn.execute(f"load '{path}'")
    conn.execute("set timezone = 'UTC'")
    conn.execute(f"attach '{uri}' as {SERVER} (type postgres)")
    return conn


def of(query: str) -> str:
    """A query that DuckDB sends to the server as it is."""
    quoted = query.replace("'", "''")
    return f"from postgres_query('{SERVER}', '{quoted}')"
