#!/bin/sh
# An Arrow reader that was read to its end is handed out again as a table without rows, and nobody says so.
#
# Seen: pyarrow 26.0.1, polars 2.1.0, DuckDB 2.0.1, November 2026.
#
# A pyarrow.RecordBatchReader is a stream: its batches can be read once. Its __arrow_c_stream__() works any number
# of times all the same. After the first consumer, every other one gets a valid stream with the right schema and
# no batch, which is what an empty table looks like: polars makes an empty DataFrame of it, DuckDB counts 0 rows,
# pyarrow itself makes a table of 0 rows. One would expect an error, as from a generator of which one wants to
# be told that it is used up, since the interface lets a stream fail. Whoever writes such a reader to a database
# twice (a second attempt after a failed one, say) has written nothing the second time, and is told of success.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import polars
import pyarrow as pa

table = pa.table({"n": [1, 2, 3]})


def used_up():
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    assert reader.read_all().num_rows == 3
    return reader


seen = {
    "pyarrow": pa.table(used_up()).num_rows,
    "polars": polars.DataFrame(used_up()).height,
    "DuckDB": duckdb.from_arrow(used_up()).aggregate("count(*)").fetchall()[0][0],
}
print("rows of a reader that had three and was read:", seen)
assert seen == {"pyarrow": 0, "polars": 0, "DuckDB": 0}, seen
PYTHON
