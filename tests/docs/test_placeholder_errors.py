"""Each row of docs/placeholder-errors.md: the error is as quoted, and what to write works."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages

import psycoxide
from psycoxide import sync

_ROW = re.compile(r"^\| `(.*)` \| `(.*)` \| `(\w+): (.*)` \| `(.*)` \| `(.*)` \|$", re.MULTILINE)
TEXT = (pages.ROOT / "docs" / "placeholder-errors.md").read_text(encoding="utf-8")
MERGED, BOUND = TEXT.split("## With psycoxide.sync")


def run(dsn: str, bound: bool, query: str, values: Any) -> None:
    if bound:
        with sync.connect(dsn) as conn:
            conn.execute(query, values)
    else:
        conn2 = psycoxide.connect(dsn)
        try:
            conn2.cursor().execute(query, values)
        finally:
            conn2.close()


ROWS = [(False, row) for row in _ROW.findall(MERGED)] + [(True, row) for row in _ROW.findall(BOUND)]


def test_every_row_of_the_tables_is_run() -> None:
    assert len(ROWS) == len(re.findall(r"^\| `", TEXT, re.MULTILINE)) > 20


@pytest.mark.parametrize(("bound", "row"), ROWS)
def test_a_row(dsn: str, bound: bool, row: tuple[str, ...]) -> None:
    query, values, name, message, better, better_values = row
    with pytest.raises(Exception) as caught:
        run(dsn, bound, query, ast.literal_eval(values))
    assert type(caught.value).__name__ == name
    assert str(caught.value).startswith(message)
    run(dsn, bound, better, ast.literal_eval(better_values))
