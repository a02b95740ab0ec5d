"""The program that ends after its job when it gets SIGTERM."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .programs import PATIENCE, wait_until


def test_sigterm(
    shop: dict[str, str],
    folder: Path,
    conn: Any,
    sleeping: Callable[[], int],
    sessions: Callable[[str], set[int]],
) -> None:
    conn.execute("create table job (id serial primary key, seconds float)")
    conn.execute("insert into job (seconds) values (0), (1), (1)")
    with subprocess.Popen(
        [sys.executable, "worker.py"], cwd=folder, env=shop, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_until(sleeping)
            process.terminate()
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    # The one that ran is done, the next one was not begun.
    assert conn.fetch("select id from job") == [(3,)]
    wait_until(lambda: not sessions("worker"))


def test_sigterm_at_rest(
    shop: dict[str, str], folder: Path, conn: Any, sessions: Callable[[str], set[int]]
) -> None:
    conn.execute("create table job (id serial primary key, seconds float)")
    with subprocess.Popen([sys.executable, "worker.py"], cwd=folder, env=shop) as process:
        try:
            wait_until(lambda: sessions("worker"))
            began = time.monotonic()
            process.terminate()
            assert process.wait(PATIENCE) == 0
            assert time.monotonic() - began < 5
        finally:
            process.kill()
