"""Results as Arrow, and Arrow data to tables: beside ADBC, connectorx, DuckDB and pandas."""

from __future__ import annotations

import os
import tempfile
import warnings
from importlib import import_module
from typing import Any

from .registry import workload

PEERS = ("psycoxide", "adbc", "connectorx", "duckdb")
INT = "select a from t_int1m"
MIXED = "select * from t_mixed"
STREAM = """select i as id, i::int8 * 7 as big, i * 0.5::float8 as f,
            (i * 1.25)::numeric(12, 2) as n,
            'text ' || i as t
            from generate_series(1, 10000000) i"""
INGEST = "t_arrow_in"
# What a first result imports and allocates is not measured.
WARM = "select a from t_int1m limit 10"


def fetched(driver: Any, query: str, rows: int) -> None:
    cursor = driver.connect().cursor()
    cursor.arrow = True
    cursor.execute(WARM)
    cursor.fetch_arrow()
    with driver.meter():
        cursor.execute(query)
        table = cursor.fetch_arrow()
    assert table.num_rows == rows, table


def fetched_adbc(driver: Any, query: str, rows: int) -> None:
    with driver.connect() as conn, conn.cursor() as cursor:
        cursor.execute(WARM)
        cursor.fetch_arrow_table()
        with driver.meter():
            cursor.execute(query)
            table = cursor.fetch_arrow_table()
    assert table.num_rows == rows, table


def fetched_connectorx(driver: Any, query: str, rows: int) -> None:
    driver.read(WARM)
    with driver.meter():
        table = driver.read(query)
    assert table.num_rows == rows, table


def fetched_duckdb(driver: Any, query: str, rows: int) -> None:
    conn = driver.connect()
    driver.table(conn, WARM)
    with driver.meter():
        table = driver.table(conn, query)
    assert table.num_rows == rows, table


def arrow(name: str, about: str, table: str, query: str, rows: int) -> None:
    made = workload(name, about, table, baseline="adbc", drivers=PEERS)(
        lambda driver: fetched(driver, query, rows)
    )
    made.on("adbc")(lambda driver: fetched_adbc(driver, query, rows))
    made.on("connectorx")(lambda driver: fetched_connectorx(driver, query, rows))
    made.on("duckdb")(lambda driver: fetched_duckdb(driver, query, rows))


arrow("arrow_int1m", "1,000,000 rows of one int4 into Arrow", "t_int1m", INT, 1_000_000)
arrow("arrow_mixed", "200,000 rows of ten mixed columns into Arrow", "t_mixed", MIXED, 200_000)


@workload(
    "arrow_stream",
    "10,000,000 rows of five columns to Parquet, a batch at a time",
    baseline="adbc",
    drivers=("psycoxide", "adbc"),
)
def arrow_stream(driver: Any) -> None:
    pa: Any = import_module("pyarrow")
    with driver.submodule("sync").connect(**driver.unix) as conn:
        driver.pids.append(conn.info.backend_pid)
        with driver.meter():
            to_parquet(pa.RecordBatchReader.from_stream(conn.stream_arrow(STREAM)))


@arrow_stream.on("adbc")
def arrow_stream_adbc(driver: Any) -> None:
    with driver.connect() as conn, conn.cursor() as cursor, driver.meter():
        cursor.execute(STREAM)
        to_parquet(cursor.fetch_record_batch())


def to_parquet(reader: Any) -> None:
    pq: Any = import_module("pyarrow.parquet")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.parquet")
        with pq.ParquetWriter(path, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        assert pq.ParquetFile(path).metadata.num_rows == 10_000_000


def data() -> Any:
    """A million rows of five columns."""
    pa: Any = import_module("pyarrow")
    count = range(1_000_000)
    return pa.table(
        {
            "a": pa.array(count, pa.int64()),
            "b": pa.array((n if n % 3 else None for n in count), pa.int32()),
            "c": pa.array((n / 7 for n in count), pa.float64()),
            "d": pa.array((f"text {n}" for n in count), pa.string()),
            "e": pa.array((n * 1_000_000 for n in count), pa.timestamp("us")),
        }
    )


@workload(
    "arrow_ingest",
    "1,000,000 rows of five columns from Arrow into a new table",
    baseline="adbc",
    drivers=("psycoxide", "adbc"),
)
def arrow_ingest(driver: Any) -> None:
    source = data()
    conn = driver.connect(autocommit=False)
    cursor = conn.cursor()
    with driver.meter():
        assert cursor.adbc_ingest(INGEST, source, mode="replace") == source.num_rows
        conn.commit()


@arrow_ingest.on("adbc")
def arrow_ingest_adbc(driver: Any) -> None:
    source = data()
    with driver.connect() as conn, conn.cursor() as cursor, driver.meter():
        cursor.adbc_ingest(INGEST, source, mode="replace")
        conn.commit()


@workload(
    "arrow_df",
    "200,000 rows of ten mixed columns as a pandas.DataFrame",
    "t_mixed",
    drivers=("psycopg2", "psycoxide"),
)
def arrow_df(driver: Any) -> None:
    pandas: Any = import_module("pandas")
    conn = driver.connect()
    with warnings.catch_warnings():
        # It wants SQLAlchemy, or ADBC.
        warnings.simplefilter("ignore")
        pandas.read_sql(WARM, conn)
        with driver.meter():
            frame = pandas.read_sql(MIXED, conn)
    assert len(frame) == 200_000


@arrow_df.on("psycoxide")
def arrow_df_own(driver: Any) -> None:
    cursor = driver.connect().cursor()
    cursor.arrow = True
    cursor.execute(WARM)
    cursor.fetch_df()
    with driver.meter():
        cursor.execute(MIXED)
        frame = cursor.fetch_df()
    assert len(frame) == 200_000


@workload(
    "arrow_readers",
    "2,000,000 rows of five columns by two readers, beside one",
    baseline="psycoxide-one-reader",
    drivers=("psycoxide", "psycoxide-one-reader"),
)
def arrow_readers(driver: Any) -> None:
    with driver.submodule("sync").connect(**driver.unix) as conn:
        conn.execute(
            f"create table if not exists t_readers as {STREAM.replace('10000000', '2000000')}"
        )
        conn.commit()
        conn.read_arrow("select 1")
        with driver.meter():
            table = conn.read_arrow("t_readers", readers=driver.readers)
    assert table.num_rows == 2_000_000
