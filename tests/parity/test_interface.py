"""Every public name of psycopg2 is here, and is the same kind of thing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("psycopg2") is None,
    reason="psycopg2-binary is not installed, so there is nothing to compare with",
)

# Names that differ, with the reason.
KNOWN: dict[str, str] = {}


def inventory(driver: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HERE / "inventory.py"), driver],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    return inventory("psycoxide")


def theirs() -> dict[str, Any]:
    """At collection, because each name of psycopg2's is a test."""
    return {} if importlib.util.find_spec("psycopg2") is None else inventory("psycopg2")


THEIRS = theirs()


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_is_here(ours: dict[str, Any], name: str) -> None:
    if name in KNOWN:
        assert ours.get(name) != THEIRS[name], f"no difference any more: {KNOWN[name]}"
        return
    assert name in ours, "missing"
    wanted, got = THEIRS[name], ours[name]
    if wanted["kind"] != "class":
        assert got == wanted
        return
    # A class may have more members than psycopg2's, never fewer or of another kind.
    members = {key: got["members"].get(key) for key in wanted["members"]}
    assert {**got, "members": members} == wanted
