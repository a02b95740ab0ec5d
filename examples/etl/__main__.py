"""A table out to Parquet and back into a new one, in constant memory: `make etl`.

Without make: `python examples/etl`, with DSN in the environment. Both tables are made in a schema
of their own, and removed again. The memory is read from /proc: this is for Linux.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import picture
import pyarrow
import pyarrow.parquet
from memory import Watch, resident
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from psycoxide import sync

# How much memory the imports alone take, in MB.
IMPORTED = resident()

SCHEMA = "psycoxide_etl"
ORIGINAL, COPY = "sale", "sale_again"
MAKE = f"""
create unlogged table {SCHEMA}.{ORIGINAL} as
select g as id, timestamptz '2026-01-01 00:00Z' + g * interval '1.5 s' as sold_at,
    'article ' || md5(mod(g, 5000)::text) as article,
    (mod(g * 7919, 1000000) / 100.0)::numeric(12, 2) as price,
    case when mod(g, 10) > 0 then mod(g, 3) = 0 end as is_paid
from generate_series(1::int8, %s) as g
"""
# Something of each column, which is another if a value is lost or changed.
SUMS = """
select count(*), sum(id), sum(extract(epoch from sold_at)), sum(hashtext(article)), sum(price),
    count(is_paid), count(*) filter (where is_paid)
from {}
"""
OUT, BACK = "out", "back"
# How many batches are a row group, which Parquet writes as a whole: they are held in memory.
BATCHES = 4
# By default, pyarrow makes a dictionary of every column, which doubles what the way out needs above
# the imports. It is worth its memory where few values come again and again.
DICTIONARIES = ["article"]


def main() -> int:
    options = arguments()
    dsn = os.environ.get("PSYCOXIDE_TEST_DSN") or os.environ.get("DSN")
    if not dsn:
        print("no server: run `make etl`, or set DSN", file=sys.stderr)
        return 2
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    with sync.connect(dsn) as conn:
        conn.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}")
        try:
            conn.execute(MAKE, [options.rows])
            with tempfile.TemporaryDirectory() as folder:
                return run(conn, (options.folder or Path(folder)) / "sale.parquet", options)
        finally:
            conn.execute(f"drop schema {SCHEMA} cascade")


def run(conn: Any, path: Path, options: argparse.Namespace) -> int:
    # The sums and the file show the table as it was at one moment, and the copy is seen by others
    # only when all of it is there.
    with conn.transaction(isolation="repeatable read"):
        expected = conn.fetchrow(SUMS.format(f"{SCHEMA}.{ORIGINAL}"))
        seconds = {}
        with shown() as progress, Watch() as watch:
            for way, work in ((OUT, write), (BACK, read)):
                watch.phase(way)
                bar = progress.add_task(way, total=expected[0], memory="")
                began = time.monotonic()
                work(conn, path, told(progress, bar))
                seconds[way] = time.monotonic() - began
        found = conn.fetchrow(SUMS.format(f"{SCHEMA}.{COPY}"))
    count = expected[0]
    for way, name in ((OUT, "out to Parquet"), (BACK, "back into a table")):
        print(
            f"{name:18} {count:>12,} rows in {seconds[way]:5.1f} s: "
            f"{count / seconds[way]:>10,.0f} rows/s, "
            f"{watch.peaks[way] - IMPORTED:4.0f} MB at most above the imports' {IMPORTED:.0f} MB"
        )
    print(f"{path.name:18} {path.stat().st_size / 1e6:12,.0f} MB")
    show("the table", expected)
    show("the new table", found)
    if options.picture is not None:
        title = f"Memory of the process: {count:,} rows out to Parquet and back"
        options.picture.parent.mkdir(parents=True, exist_ok=True)
        options.picture.write_text(picture.draw(watch.samples, IMPORTED, title))
        print(f"memory over time   {options.picture}")
    same = tuple(found) == tuple(expected)
    print("the same" if same else "DIFFERENT")
    return 0 if same else 1


def write(conn: Any, path: Path, advance: Callable[[int], object]) -> None:
    """Write the table to a file, a row group at a time."""
    query = f"select id, sold_at, article, price, is_paid from {SCHEMA}.{ORIGINAL}"
    with conn.stream_arrow(query) as stream:
        reader = pyarrow.RecordBatchReader.from_stream(stream)
        with pyarrow.parquet.ParquetWriter(
            path, reader.schema, compression="zstd", use_dictionary=DICTIONARIES
        ) as writer:
            written = 0
            for group in groups(reader):
                writer.write_table(group)
                written += group.num_rows
                advance(written)


def groups(reader: pyarrow.RecordBatchReader) -> Iterator[pyarrow.Table]:
    """Some batches of the reader as a table, then some more, until it is at its end."""
    while batches := list(islice(reader, BATCHES)):
        yield pyarrow.Table.from_batches(batches, reader.schema)


def read(conn: Any, path: Path, advance: Callable[[int], object]) -> None:
    """Make a new table of the file, batch by batch."""
    # With pre_buffer, the default of pyarrow 26, all of the file would be in memory at the end.
    with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
        batches = pyarrow.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
        conn.adbc_ingest(
            COPY,
            batches,
            mode="create",
            db_schema_name=SCHEMA,
            progress=lambda rows, size: advance(rows),
        )


def shown() -> Progress:
    """A bar for each way, with the memory of the moment."""
    return Progress(
        TextColumn("{task.description:5}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[memory]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def told(progress: Progress, bar: Any) -> Callable[[int], object]:
    """What moves a bar to a number of rows."""

    def advance(rows: int) -> None:
        progress.update(bar, completed=rows, memory=f"{resident():.0f} MB")

    return advance


def show(what: str, sums: Any) -> None:
    count, *others = sums
    print(f"{what:18} {count:>12,} rows, sums {', '.join(map(str, others))}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="examples/etl", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the table")
    parser.add_argument("--folder", type=Path, help="where the file is kept; else it is removed")
    parser.add_argument("--picture", type=Path, help="draw the memory over time: an SVG file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
