"""Ray's workers read a table: by its own `read_sql`, and by partitions on one snapshot."""

import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
OWN = "psycoxide's own API: other drivers have no partitions"


@pytest.mark.parametrize("way", ["read_sql", "sharded", "partitions"])
def test_workers_read_all_rows(way):
    if way == "partitions":
        pytest.importorskip("psycoxide", reason=OWN)
    # Its sockets' paths would be too long for the system in pytest's folders.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / "ray_program.py"), way],
            env={**os.environ, "TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=80,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "20000 rows, sum 200010000, same as the server"
