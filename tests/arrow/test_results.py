"""Results of every kind of cursor as Arrow, and who takes them."""

import gc
import os
import subprocess
import sys
import threading
from decimal import Decimal

import pytest

import psycoxide
from psycoxide import sync
from psycoxide.arrow import ArrowTable

pa = pytest.importorskip("pyarrow", reason="pyarrow looks at what is made")

SERIES = "SELECT n, 'row ' || n AS t FROM generate_series(1, {}) n"
LONG = """SELECT repeat('é', 500) AS t, decode(repeat('ab', 500), 'hex') AS b,
          n, n::float8 / 3 AS f,
          n % 2 = 0 AS g, CASE WHEN n % 3 > 0 THEN repeat('x', 900) END AS o
          FROM generate_series(1, {}) n"""


@pytest.fixture
def sconn(dsn):
    with sync.connect(dsn) as conn:
        yield conn


@pytest.mark.parametrize("count", [0, 1, 1000, 200_000])
def test_rows_arrive_as_they_are_converted(cur, count):
    cur.execute(SERIES.format(count))
    converted = cur.fetch_arrow_table()
    cur.arrow = True
    cur.execute(SERIES.format(count))
    arrived = cur.fetch_arrow_table()
    assert arrived.num_rows == converted.num_rows == cur.rowcount == count
    assert arrived.equals(converted)
    converted.validate(full=True)
    arrived.validate(full=True)


def test_rows_that_became_objects_while_they_arrived_are_converted(cur):
    cur.execute(LONG.format(20_000))
    converted = cur.fetch_arrow_table()
    cur.execute(LONG.format(20_000))
    first = cur.fetchmany(7)
    rest = cur.fetch_arrow_table()
    cur.arrow = True
    cur.execute(LONG.format(20_000))
    arrived = cur.fetch_arrow_table()
    assert converted.equals(arrived)
    assert rest.equals(arrived.slice(7))
    assert [row[2] for row in first] == arrived.column("n").to_pylist()[:7]


def test_the_rows_that_are_left_are_fetched(cur):
    cur.execute(SERIES.format(100))
    assert cur.fetchone() == (1, "row 1")
    next(cur)
    assert pa.table(cur).column("n").to_pylist() == list(range(3, 101))
    assert pa.table(cur).num_rows == 98, "they stay where they are"
    assert cur.fetch_arrow().num_rows == 98
    assert (cur.fetchone(), cur.fetch_arrow().num_rows) == (None, 0)
    cur.scroll(99, "absolute")
    assert cur.fetch_arrow_table().to_pylist() == [{"n": 100, "t": "row 100"}]


def test_rows_of_arrow_are_not_silently_missing(cur):
    cur.arrow = True
    cur.execute(SERIES.format(3))
    for fetch in (cur.fetchone, cur.fetchall, cur.fetchmany, lambda: list(cur)):
        with pytest.raises(psycoxide.ProgrammingError, match="fetch_arrow_table"):
            fetch()
    assert cur.fetch_arrow().num_rows == 3
    cur.arrow = None
    cur.execute(SERIES.format(3))
    assert len(cur.fetchall()) == 3


def test_every_name_of_adbc(cur):
    pandas = pytest.importorskip("pandas", reason="pandas is one of those that take it")
    polars = pytest.importorskip("polars", reason="polars is one of those that take it")

    def run():
        cur.execute("SELECT n, n::numeric(9,2) AS d FROM generate_series(1, 3) n")
        return cur

    for arrow in (None, True):
        cur.arrow = arrow
        assert isinstance(run().fetch_arrow(), ArrowTable)
        assert run().fetch_arrow_table().equals(run().fetchallarrow())
        assert run().fetch_record_batch().read_all().num_rows == 3
        assert isinstance(run().fetch_df(), pandas.DataFrame)
        frame = run().fetch_polars()
        assert frame.equals(polars.DataFrame(run()))
        assert frame.schema["d"] == polars.Decimal(9, 2)
        assert frame.rows()[2] == (3, Decimal("3.00"))
        schema = pa.schema(run())
        assert schema.names == ["n", "d"]


def test_duckdb_reads_a_table_and_a_cursor(cur):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is one of those that take it")
    cur.execute("SELECT n, n * 2 AS m FROM generate_series(1, 1000) n")
    duckdb = duckdb.connect()
    duckdb.register("found", cur.fetch_arrow())
    assert duckdb.sql("SELECT sum(m), count(*) FROM found").fetchall() == [(1001000, 1000)]
    assert duckdb.sql("SELECT max(n) FROM found").fetchall() == [(1000,)]


def test_polars_is_not_handed_what_it_cannot_take(cur):
    pytest.importorskip("polars", reason="polars is the one that cannot")
    cur.execute("SELECT '1 mon'::interval AS v")
    with pytest.raises(psycoxide.NotSupportedError, match='interval="duration"'):
        cur.fetch_polars()


def test_a_table_outlives_cursor_and_connection(connect):
    conn = connect()
    cur = conn.cursor()
    cur.execute(SERIES.format(1000))
    table = cur.fetch_arrow()
    capsule = table.__arrow_c_stream__()
    reader = pa.RecordBatchReader.from_stream(table)
    conn.close()
    del cur, conn, table, capsule
    gc.collect()
    assert reader.read_all().num_rows == 1000


def test_tables_are_joined(cur):
    cur.execute("SELECT 1 AS n")
    one = cur.fetch_arrow()
    cur.execute("SELECT 'x'::text AS n")
    other = cur.fetch_arrow()
    joined = ArrowTable.concat([one, one])
    assert (len(joined), len(joined.batches())) == (2, 2)
    with pytest.raises(TypeError, match="different columns"):
        ArrowTable.concat([one, other])
    with pytest.raises(TypeError):
        ArrowTable.concat([])


def test_a_closed_cursor_or_connection_is_refused(connect):
    conn = connect()
    cur = conn.cursor()
    cur.execute("SELECT 1")
    conn.close()
    for use in (cur.fetch_arrow, cur.__arrow_c_stream__, cur.__arrow_c_schema__):
        with pytest.raises(psycoxide.InterfaceError):
            use()


# ---- named cursors ------------------------------------------------------------------------------


def test_a_named_cursor_is_read_in_portions_once(conn):
    with conn.cursor("c") as cur:
        cur.itersize = 1000
        cur.execute(SERIES.format(150_500))
        assert cur.fetchone() == (1, "row 1")
        schema = pa.schema(cur)
        reader = cur.fetch_record_batch()
        assert reader.schema == schema
        sizes = [batch.num_rows for batch in reader]
        assert (sum(sizes), max(sizes)) == (150_499, 65_536)
        with pytest.raises(psycoxide.ProgrammingError, match="read once"):
            pa.table(cur)


def test_a_named_cursor_that_has_moved(conn):
    with conn.cursor("c", scrollable=True) as cur:
        cur.execute(SERIES.format(10))
        assert cur.fetchmany(3)[-1] == (3, "row 3")
        assert cur.fetch_arrow_table().column("n").to_pylist() == [4, 5, 6, 7, 8, 9, 10]
        assert cur.fetch_arrow().num_rows == 0
        cur.scroll(8, "absolute")
        assert cur.fetch_arrow_table().column("n").to_pylist() == [9, 10]
        cur.scroll(-2)
        assert cur.fetchone() == (10, "row 10")


def test_a_named_cursor_that_is_empty(conn):
    with conn.cursor("c") as cur:
        cur.execute(SERIES.format(0))
        assert cur.fetch_arrow_table().schema.names == ["n", "t"]


def test_a_transaction_that_ends_ends_the_reading_of_a_named_cursor(conn):
    cur = conn.cursor("c")
    cur.itersize = 100
    cur.execute(SERIES.format(200_000))
    reader = cur.fetch_record_batch()
    reader.read_next_batch()
    conn.rollback()
    with pytest.raises(pa.ArrowException, match="isn't valid anymore"):
        reader.read_next_batch()
    assert conn.cursor().execute("SELECT 1") is None


# ---- streams ------------------------------------------------------------------------------------


def test_a_stream_gives_batches(sconn):
    sizes = [len(table) for table in sconn.stream_arrow(SERIES.format("%s"), (150_000,))]
    assert sizes == [65_536, 65_536, 18_928]
    assert list(sconn.stream_arrow(SERIES.format(0))) == []
    assert sconn.fetchval("SELECT 1") == 1


def test_a_stream_is_read_by_others_in_any_thread(sconn):
    reader = pa.RecordBatchReader.from_stream(sconn.stream_arrow(SERIES.format(150_000)))
    found = []
    thread = threading.Thread(target=lambda: found.append(reader.read_all().num_rows))
    thread.start()
    thread.join(60)
    assert found == [150_000]
    assert sconn.fetchval("SELECT 1") == 1


def test_what_others_read_of_a_stream_is_told(sconn):
    seen = []
    stream = sconn.stream_arrow(SERIES.format(150_000), progress=lambda *far: seen.append(far))
    assert pa.table(stream).num_rows == 150_000
    assert seen == sorted(seen)
    assert seen[-1][0] == 150_000
    assert seen[-1][1] > 150_000 * 4

    def stop(rows, size):
        raise ZeroDivisionError("enough of it")

    with pytest.raises(Exception, match="enough of it"):
        pa.table(sconn.stream_arrow(SERIES.format(3_000_000), progress=stop))
    gc.collect()
    assert sconn.fetchval("SELECT 1") == 1


def test_a_stream_is_read_once(sconn):
    stream = sconn.stream_arrow(SERIES.format(10))
    assert pa.table(stream).num_rows == 10
    with pytest.raises(psycoxide.ProgrammingError, match="once"):
        pa.table(stream)


def test_a_consumer_that_stops_half_way_leaves_the_connection_usable(sconn):
    reader = pa.RecordBatchReader.from_stream(sconn.stream_arrow(SERIES.format(3_000_000)))
    assert reader.read_next_batch().num_rows == 65_536
    del reader
    gc.collect()
    assert sconn.fetchval("SELECT 1") == 1
    with sconn.stream_arrow(SERIES.format(3_000_000)) as tables:
        assert len(next(iter(tables))) == 65_536
    assert sconn.fetchval("SELECT 1") == 1


def test_a_value_without_a_place_ends_a_stream_at_once(sconn):
    query = "SELECT CASE WHEN n = 150000 THEN 'infinity' ELSE '2020-01-01' END::date AS d"
    stream = sconn.stream_arrow(f"{query} FROM generate_series(1, 100000000) n")
    assert len(next(iter(stream))) == 65_536
    with pytest.raises(psycoxide.DataError, match="row 150000"):
        list(stream)
    assert sconn.fetchval("SELECT 1") == 1


def test_a_stream_that_a_library_leaves_early_is_over(sconn):
    stream = sconn.stream_arrow(SERIES.format(5_000_000))
    reader = pa.RecordBatchReader.from_stream(stream)
    reader.read_next_batch()
    del reader
    assert sconn.fetchval("SELECT 1") == 1
    assert list(stream) == []


def test_a_connection_that_breaks_in_mid_stream(dsn, sconn):
    with sync.connect(dsn) as other:
        stream = other.stream_arrow(SERIES.format(5_000_000))
        reader = pa.RecordBatchReader.from_stream(stream)
        reader.read_next_batch()
        sconn.execute("SELECT pg_terminate_backend(%s)", (other.info.backend_pid,))
        with pytest.raises(pa.ArrowException, match=r"terminat|closed|EOF detected"):
            reader.read_all()
        assert other.closed


def test_a_statement_without_rows_is_no_stream(sconn):
    with pytest.raises(psycoxide.ProgrammingError, match="no rows"):
        list(sconn.stream_arrow("SET LOCAL work_mem = '1MB'"))
    assert sconn.fetchval("SELECT 1") == 1


EXIT = """
import os, sys
import pyarrow as pa
import psycoxide
from psycoxide import sync

conn = sync.connect(os.environ["DSN"])
reader = pa.RecordBatchReader.from_stream(
    conn.stream_arrow("SELECT n FROM generate_series(1, 1000000) n")
)
reader.read_next_batch()
legacy = psycoxide.connect(os.environ["DSN"])
cur = legacy.cursor()
cur.execute("SELECT n FROM generate_series(1, 1000) n")
table = cur.fetch_arrow()
kept = [table.__arrow_c_stream__(), cur.__arrow_c_stream__(), table.__arrow_c_schema__()]
if pid := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(pa.table(table).num_rows, flush=True)
"""


def test_nothing_is_left_to_crash_after_a_fork_or_at_the_exit(dsn):
    done = subprocess.run(
        [sys.executable, "-c", EXIT],
        env={**os.environ, "DSN": dsn},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1000\n", "")
