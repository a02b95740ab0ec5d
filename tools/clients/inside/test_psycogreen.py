"""psycogreen's own demonstrations, and what programs on gevent and eventlet do with it."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = "overlap hammer large pool errors timeout shared_connection notify".split()
HUBS = ("gevent", "eventlet")


@pytest.fixture(autouse=True)
def clean():
    import psycopg2

    conn = psycopg2.connect("")
    conn.autocommit = True
    conn.cursor().execute("drop table if exists hammered")
    conn.close()


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("hub", HUBS)
def test_scenario(hub, scenario):
    subprocess.run(
        [sys.executable, str(HERE / "green_program.py"), hub, scenario], check=True, timeout=60
    )


@pytest.mark.parametrize("hub", HUBS)
def test_own_demonstration(hub, tmp_path):
    """It downloads in one greenlet and queries in another; the log shows whether they overlap."""
    port = free_port()
    own = pathlib.Path(os.environ["CLIENTS_PSYCOGREEN"])
    for name in ("wait_server.py", f"test_{hub}.py"):
        text = (own / name).read_text()
        assert "8000" in text
        (tmp_path / name).write_text(text.replace("8000", str(port)))
    server = subprocess.Popen([sys.executable, str(tmp_path / "wait_server.py")])
    try:
        wait_for(port)
        done = subprocess.run(
            [sys.executable, str(tmp_path / f"test_{hub}.py")],
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        )
    finally:
        server.kill()
        server.wait()
    steps = re.findall(r"(download|query) (\d) (start|end)", done.stderr)
    assert len(steps) == 10, done.stderr
    assert steps.index(("query", "0", "end")) < steps.index(("download", "0", "end"))
    assert steps.index(("download", "0", "end")) < steps.index(("query", "2", "start"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("localhost", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
