"""What a worker does: it reads a partition and writes it to a file."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet

from psycoxide import sync


def write(partition: bytes, number: int, folder: str) -> tuple[int, int]:
    """Write a partition as Parquet. Returns the number of this process, and that of the rows."""
    with sync.connect(os.environ["DSN"]) as conn:
        cursor = conn.cursor()
        cursor.arrow = True
        cursor.adbc_read_partition(partition)
        table = cursor.fetch_arrow_table()
    pyarrow.parquet.write_table(table, Path(folder) / f"part-{number:04}.parquet")
    return os.getpid(), table.num_rows
