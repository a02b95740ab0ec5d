"""The example of a Dask cluster that reads a table: `examples/partitions`."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from psycoxide import sync

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "partitions"
NEEDED = ("dask", "distributed", "pyarrow")

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NEEDED),
    reason="dask, distributed or pyarrow is not installed: they are in the extra `partitions`",
)


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
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
                left = True
            except ProcessLookupError:
                left = False
    assert process.returncode == 0, out + log
    assert not left, "processes of the cluster are left"
    lines = out.splitlines()
    assert lines[0].startswith("6 partitions in ")
    assert lines[-1] == "the same"
    rows = [int(n.replace(",", "")) for n in re.findall(r"has read ([\d,]+) rows", out)]
    assert sum(rows) == 40_000
    sums = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) cents", out)]
    assert sums[0] == sums[1] == sums[2] - 4_000
    with sync.connect(dsn) as conn:
        assert conn.fetchval("select to_regnamespace('many_workers')") is None
