"""The example that writes a table to Parquet and back: `examples/etl`."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import pytest

from psycoxide import sync

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "etl"
NEEDED = ("pyarrow", "rich")
PEAK = r"{}.*, +(\d+) MB at most above"
SVG = "{http://www.w3.org/2000/svg}"

pytestmark = [
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in NEEDED),
        reason="pyarrow or rich is not installed: they are in the extra `etl`",
    ),
    pytest.mark.skipif(sys.platform != "linux", reason="the example reads its memory from /proc"),
]


def run(dsn: str, *arguments: object) -> str:
    """Run the example, which leaves nothing on the server; returns what it prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *map(str, arguments)],
        env={**os.environ, "PSYCOXIDE_TEST_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with sync.connect(dsn) as conn:
        assert conn.fetchval("select to_regnamespace('psycoxide_etl')") is None
    return done.stdout


def number(pattern: str, out: str) -> float:
    found = re.search(pattern, out)
    assert found, f"no {pattern} in {out}"
    return float(found[1].replace(",", ""))


def test_a_table_goes_out_and_back(dsn: str, tmp_path: Path) -> None:
    import pyarrow.parquet

    drawn = tmp_path / "pictures" / "memory.svg"
    folder = tmp_path / "files"
    out = run(dsn, "--rows", 300_000, "--folder", folder, "--picture", drawn)
    assert out.splitlines()[-1] == "the same"
    sums = re.findall(r"^the (?:new )?table +300,000 rows, sums (.*)$", out, re.MULTILINE)
    assert len(sums) == 2 and sums[0] == sums[1]
    assert sums[0].startswith(f"{300_000 * 300_001 // 2}, ")
    for way in ("out to Parquet", "back into a table"):
        assert number(rf"{way} +300,000 rows in .*: +([\d,]+) rows/s", out) > 0
        assert number(PEAK.format(way), out) > 0
    with pyarrow.parquet.ParquetFile(folder / "sale.parquet") as file:
        assert file.metadata.num_rows == 300_000
        # Four batches each.
        assert file.metadata.num_row_groups == 2
        types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types == {
        "id": "int64",
        "sold_at": "timestamp[us, tz=UTC]",
        "article": "string",
        "price": "decimal128(12, 2)",
        "is_paid": "bool",
    }
    root = xml.parse(drawn).getroot()
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"out", "back", "after the imports", "MB", "seconds"} <= set(words)
    assert len(list(root.iter(f"{SVG}polyline"))) == 2


@pytest.mark.slow
def test_more_rows_do_not_take_more_memory(dsn: str) -> None:
    rows = 2_500_000
    out = run(dsn, "--rows", rows)
    # About what the values take as Arrow; some 80 to 100 MB are taken however many rows there are.
    whole = rows * (8 + 8 + 4 + 40 + 16) / 1e6
    assert number(PEAK.format("out to Parquet"), out) < whole - 20
    assert number(PEAK.format("back into a table"), out) < whole - 20


def test_no_rows_at_all(dsn: str) -> None:
    assert run(dsn, "--rows", 0).splitlines()[-1] == "the same"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's modules, which import each other by their own names."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("memory", "picture"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import memory
    import picture

    yield memory, picture
    for name in ("memory", "picture"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("most", [0.3, 0.7, 1, 1.7, 7.9, 80, 99, 250.5, 1000, 123_456])
def test_the_steps_of_an_axis(example: Any, most: float) -> None:
    _memory, picture = example
    steps = list(picture.steps(most))
    assert 5 <= len(steps) <= 9
    assert steps[0] == 0 and steps[-2] < most <= steps[-1]


def test_the_peak_of_a_phase_is_seen_however_short(example: Any) -> None:
    memory, _picture = example
    with memory.Watch() as watch:
        watch.phase("large")
        before = memory.resident()
        held = bytearray(b"x" * 100_000_000)
        del held
        watch.phase("small")
    assert watch.peaks["large"] - before > 90
    assert watch.peaks["small"] < watch.peaks["large"] - 50
    assert {sample.phase for sample in watch.samples} <= {"", "large", "small"}
