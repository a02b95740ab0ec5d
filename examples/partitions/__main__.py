"""A table read by the processes of a Dask cluster, on one snapshot: `make partitions`.

Without make: `python examples/partitions`, with DSN in the environment. The table is made, in a
schema of its own, and removed again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
from distributed import Client, LocalCluster, as_completed
from worker import write

from psycoxide import sync

SCHEMA = "many_workers"
TABLE = f"{SCHEMA}.sale"
MAKE = f"""
create table {TABLE} as
select g as id, mod(g, 500) as shop, mod(g * 7919, 10000) as cents,
    date '2026-01-01' + mod(g, 365)::int4 as day
from generate_series(1::int8, %s) as g
"""


def main() -> int:
    options = arguments()
    dsn = os.environ.get("PSYCOXIDE_TEST_DSN") or os.environ.get("DSN")
    if not dsn:
        print("no server: run `make partitions`, or set DSN", file=sys.stderr)
        return 2
    # Where the workers, which inherit it, find the database: no password is sent to them.
    os.environ["DSN"] = dsn
    dask.config.set({"dataframe.convert-string": False})
    with sync.connect(dsn) as conn:
        conn.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}")
        try:
            conn.execute(MAKE, [options.rows])
            with (
                tempfile.TemporaryDirectory() as folder,
                LocalCluster(
                    n_workers=options.workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address=None,
                ) as cluster,
                Client(cluster) as client,
            ):
                return run(conn, client, Path(folder), options)
        finally:
            conn.execute(f"drop schema {SCHEMA} cascade")


def run(conn: Any, client: Any, folder: Path, options: argparse.Namespace) -> int:
    began = time.monotonic()
    query = f"select count(*), sum(cents)::int8 from {TABLE}"
    # The snapshot lasts as long as this transaction.
    with conn.transaction(isolation="repeatable read", read_only=True):
        expected = conn.fetchrow(query)
        cursor = conn.cursor()
        partitions, _ = cursor.adbc_execute_partitions(TABLE, partitions=options.partitions)
        futures = client.map(write, partitions, range(len(partitions)), folder=str(folder))
        with sync.connect(os.environ["DSN"]) as other:
            other.execute(f"update {TABLE} set cents = cents + 1 where id % 10 = 0")
        readers: dict[int, int] = {}
        for _, (process, rows) in as_completed(futures, with_results=True):
            readers[process] = readers.get(process, 0) + rows
    print(f"{len(partitions)} partitions in {time.monotonic() - began:.1f} s")
    for process, rows in sorted(readers.items()):
        print(f"  process {process} has read {rows:,} rows")
    sales = dd.read_parquet(str(folder))
    found = dask.compute(sales.shape[0], sales["cents"].sum())
    show("the server, when the snapshot was taken", *expected)
    show("Dask, of the workers' Parquet files", *found)
    show("the server, now", *conn.fetchrow(query))
    same = (int(found[0]), int(found[1])) == expected
    print("the same" if same else "DIFFERENT")
    return 0 if same else 1


def show(what: str, count: int, total: int) -> None:
    print(f"  {what:40} {int(count):>12,} rows, {int(total):>16,} cents")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="examples/partitions", description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000, help="of the table")
    parser.add_argument("--workers", type=int, default=2, help="processes of the cluster")
    parser.add_argument("--partitions", type=int, default=16, help="parts to share out")
    return parser.parse_args()


# The workers import this file, too.
if __name__ == "__main__":
    sys.exit(main())
