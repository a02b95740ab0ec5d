"""Every public name of psycopg2 is here, and is the same kind of thing.

What may differ is listed, with its reason, in api_allowed.txt: a line there that allows nothing any
more fails too.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def inventory(driver: str, *dsn: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HERE / "inventory.py"), driver, *dsn],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def differences(dsn: str) -> list[str]:
    theirs, ours = inventory("psycopg2", dsn), inventory("psycoxide", dsn)
    found = []
    for name, wanted in theirs["names"].items():
        found += compare(name, wanted, ours["names"].get(name))
    for name, wanted in theirs["live"].items():
        got = ours["live"].get(name)
        if got is None:
            found.append(f"live attribute missing: {name}")
            continue
        for key, category in (("read", "read"), ("type", "type"), ("set", "settable")):
            if wanted.get(key) != got.get(key):
                found.append(f"live {category} differs: {name}")
                break
    assert len(theirs["names"]) > 900
    assert len(theirs["live"]) > 100
    return found


def compare(name: str, wanted: dict[str, Any], got: dict[str, Any] | None) -> Iterator[str]:
    if got is None:
        yield f"name missing: {name}"
    elif got["kind"] != wanted["kind"]:
        yield f"kind differs: {name}"
    elif wanted["kind"] == "class":
        yield from compare_classes(name, wanted, got)
    elif wanted["kind"] == "function":
        yield from compare_signatures(name, wanted, got)
    elif got != wanted:
        yield f"value differs: {name}"


def compare_classes(name: str, wanted: dict[str, Any], got: dict[str, Any]) -> Iterator[str]:
    for fact in ("name", "module", "mro"):
        if got[fact] != wanted[fact]:
            yield f"{fact} differs: {name}"
    for trait in ("subclassable", "weakrefable", "has_dict"):
        # A class may allow more than psycopg2's, never less.
        if wanted[trait] and not got[trait]:
            yield f"class trait missing: {name}"
    yield from compare_signatures(name, wanted, got)
    for member, facts in wanted["members"].items():
        full, mine = f"{name}.{member}", got["members"].get(member)
        if mine is None:
            yield f"member missing: {full}"
        elif any(key in mine and mine[key] != facts[key] for key in {*facts} - {"signature"}):
            yield f"member kind differs: {full}"
        else:
            yield from compare_signatures(full, facts, mine)


def compare_signatures(name: str, wanted: dict[str, Any], got: dict[str, Any]) -> Iterator[str]:
    mine, theirs = got.get("signature"), wanted.get("signature")
    if mine is not None and theirs is not None and mine != theirs:
        yield f"signature differs: {name}"


def allowed() -> list[str]:
    lines = (HERE / "api_allowed.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_everything_is_here_but_for_what_is_listed(differences: list[str]) -> None:
    patterns = allowed()
    surprises = [
        found
        for found in differences
        if not any(fnmatch.fnmatchcase(found, pattern) for pattern in patterns)
    ]
    assert surprises == []


@pytest.mark.parametrize("pattern", allowed())
def test_what_is_listed_does_differ(differences: list[str], pattern: str) -> None:
    assert fnmatch.filter(differences, pattern), "no difference any more: take the line out"
