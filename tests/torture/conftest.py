"""Fixtures of the torture suite, and the list of its checks for whoever runs it.

A check runs in a process of its own, beside a server made for it: see `make torture`. A plain
pytest over `tests/` leaves this folder out.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

IN_LAB = "TORTURE_LAB" in os.environ

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from fixtures.ports import refusing as refusing, silent as silent  # noqa: E402


def pytest_ignore_collect(collection_path, config):
    return None if IN_LAB else True


def pytest_configure(config):
    config.addinivalue_line("markers", "check(id, level, timeout, alone): a numbered check")


def pytest_addoption(parser):
    parser.addoption("--list-checks", help="write the checks as JSON to this file")


def pytest_collection_modifyitems(config, items):
    out = config.getoption("--list-checks", default=None)
    if not out:
        return
    rows = []
    for item in items:
        check = item.get_closest_marker("check")
        title = " ".join(item.function.__doc__.split())
        rows.append({**check.kwargs, "nodeid": item.nodeid, "title": title})
    Path(out).write_text(json.dumps(rows, indent=1))


@pytest.fixture
def proxy():
    """A proxy to the server that injects faults."""
    from support import relayed

    with relayed() as proxy:
        yield proxy


@pytest.fixture
def conn():
    """A connection to the server."""
    from support import connect

    conn = connect(application_name="t_main")
    yield conn
    with contextlib.suppress(Exception):
        conn.close()
