"""The example of a Dask cluster that reads a table: `examples/partitions`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from psycoxide import sync

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "partitions"
NEEDED = ("dask", "distributed", "pyarrow")

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NEEDED),
    reason="dask, distributed or pyarrow is not installed: they are in the extra `partitions`",
)


def wait_for_end(group: int) -> None:
    """Wait until no process of a group is left: multiprocessing's own end behind the program."""
    until = time.monotonic() + 10
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            assert time.monotonic() < until, "processes of the cluster are left"
            time.sleep(0.05)


def test_the_workers_read_the_table_as_it_was_at_one_moment(dsn: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE), "--rows", "40000", "--partitions", "6"]
    environment = {**os.environ, "PSYCOXIDE_TEST_DSN": dsn, "TMPDIR": str(tmp_path)}
    # A session of its own, so that the cluster's processes can be ended with it.
    with subprocess.Popen(
        command,
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, log = process.communicate(timeout=100)
            assert process.returncode == 0, out + log
            wait_for_end(process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    lines = out.splitlines()
    assert lines[0].startswith("6 partitions in ")
    assert lines[-1] == "the same"
    rows = [int(n.replace(",", "")) for n in re.findall(r"has read ([\d,]+) rows", out)]
    assert sum(rows) == 40_000
    sums = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) cents", out)]
    assert sums[0] == sums[1] == sums[2] - 4_000
    with sync.connect(dsn) as conn:
        assert conn.fetchval("select to_regnamespace('many_workers')") is None
