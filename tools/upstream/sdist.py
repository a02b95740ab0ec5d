"""Fetches psycopg2's sdist, which has its test suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "2.9.13"

# In the order of upstream's tests/__init__.py: some tests depend on the tests before them.
MODULES = """
    test_async test_bugX000 test_bug_gc test_cancel test_connection test_copy
    test_cursor test_dates test_errcodes test_errors test_extras_dictcursor
    test_fast_executemany test_green test_ipaddress test_lobject test_module
    test_notify test_psycopg2_dbapi20 test_quote test_replication test_sql
    test_transaction test_types_basic test_types_extras test_with
""".split()

# pip asks an sdist for its metadata, and psycopg2's setup.py wants pg_config before it answers.
# Nothing is compiled, so any answer will do.
PG_CONFIG = """#!/bin/sh
case "$1" in --version) echo "PostgreSQL 15.0";; *) echo /nonexistent;; esac
"""


def fetch(cache: Path, python: str) -> Path:
    """The unpacked sdist, which is downloaded with pip if it is not in `cache` yet."""
    cache = cache.resolve()
    suite = cache / f"psycopg2-{VERSION}"
    if (suite / "tests" / "__init__.py").exists():
        return suite
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        download(Path(folder), python)
        archive = next(Path(folder).glob("psycopg2-*.tar.gz"))
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(folder, filter="data")
            else:
                tar.extractall(folder)
        shutil.move(str(Path(folder) / suite.name), suite)
    return suite


def download(folder: Path, python: str) -> None:
    programs = folder / "bin"
    programs.mkdir()
    (programs / "pg_config").write_text(PG_CONFIG)
    (programs / "pg_config").chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ.get('PATH', '')}"}
    subprocess.run(
        [python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:",
         "--disable-pip-version-check", "-d", str(folder), f"psycopg2=={VERSION}"],
        env=env,
        stdin=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
