"""What a program puts in the place of a function, a class or a table of psycopg2's takes effect."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import replaceable

HERE = Path(__file__).resolve().parent

CASES = [
    f"{module}.{name}: {program}"
    for module, uses in replaceable.USES.items()
    for name, programs in uses.items()
    for program in programs
]

TYPES = """
drop type if exists replaced_pair; create type replaced_pair as (a int, "b c" text);
drop type if exists replaced_range; create type replaced_range as range (subtype = text);
"""


@pytest.fixture(scope="module")
def both(dsn: str) -> Iterator[list[Any]]:
    import psycopg2

    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(TYPES)
        yield [answers(driver, dsn) for driver in ("psycopg2", "psycoxide")]
        cursor.execute("drop type replaced_pair, replaced_range")
    connection.close()


def answers(driver: str, dsn: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(HERE / "replaceable.py"), driver, f"{dsn} sslmode=disable"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{driver} ended with {done.returncode}: {done.stderr[-3000:]}")
    return json.loads(done.stdout)


def test_everything_that_psycopg2_looks_up_is_in_the_table() -> None:
    named = {f"{module}.{name}" for module, uses in replaceable.USES.items() for name in uses}
    left_out = set().union(*replaceable.NOT_COMPARED.values())
    assert replaceable.walk("psycopg2") - named - left_out == set()


@pytest.mark.parametrize("name", CASES)
def test_a_replacement_is_used_where_psycopg2_uses_it(both: list[Any], name: str) -> None:
    theirs, ours = (each[name] for each in both)
    assert ours == theirs
