"""The example of workers on asyncio: `examples/worker`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psycoxide import sync

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "worker"

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio.timeout() and TaskGroup came with Python 3.11"
)


@pytest.fixture
def conn(dsn: str) -> Iterator[Any]:
    with sync.connect(dsn) as conn:
        conn.execute("create schema worker")
        conn.execute("set search_path = worker")
        yield conn
        conn.execute("drop schema worker cascade")


@pytest.fixture
def program(dsn: str, conn: Any) -> Iterator[subprocess.Popen[str]]:
    """The workers, when they listen."""
    with subprocess.Popen(
        [sys.executable, str(EXAMPLE), f"{dsn} options='-c search_path=worker'"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()


def add(conn: Any, count: int, seconds: float) -> None:
    with conn.transaction():
        conn.execute(
            "insert into job (seconds) select %s from generate_series(1, %s)", [seconds, count]
        )
        conn.execute("notify job")


def wait_until(condition: Any) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    return process.returncode, out, errors


def test_every_job_is_done_once_and_by_all_workers(conn: Any, program: Any) -> None:
    for _ in range(2):
        add(conn, 10, 0.05)
        wait_until(lambda: conn.fetchval("select count(*) from job where done_at is null") == 0)
    assert conn.fetchval("select count(distinct done_by) from job") == 3
    code, out, errors = interrupt(program)
    assert (code, errors) == (130, "")
    jobs = sorted(int(line.split()[3]) for line in out.splitlines())
    assert jobs == list(range(1, 21))


def test_an_interrupted_job_stays_in_the_queue(conn: Any, program: Any) -> None:
    add(conn, 5, 20)
    taken = "select id from job for update skip locked"
    wait_until(lambda: len(conn.fetch(taken)) == 2)
    code, out, errors = interrupt(program)
    assert (code, out, errors) == (130, "", "")
    wait_until(lambda: len(conn.fetch(taken)) == 5)
    assert conn.fetchval("select count(*) from job where done_at is null") == 5


def test_an_error_ends_the_program(conn: Any, program: Any) -> None:
    conn.execute("drop table job")
    conn.execute("notify job")
    _out, errors = program.communicate(timeout=20)
    assert program.returncode == 1
    assert 'UndefinedTable: relation "job" does not exist' in errors
