"""`adbc_ingest()`: data of all kinds of producers into tables, all rows or none."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.columns import column, texts
from fixtures.relay import Fault, Plan

import psycoxide
from psycoxide import aio, errors, sync

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra `test` has it")

# ---- producers ----------------------------------------------------------------------------------


def producers() -> Iterator[tuple[str, Any]]:
    values = {"id": [1, 2, 3], "name": ["a", None, "c"]}
    table = pa.table(values)
    yield "pyarrow.Table", table
    yield "pyarrow.RecordBatch", table.to_batches()[0]
    yield "pyarrow.RecordBatchReader", table.to_reader()
    polars = pytest.importorskip(
        "polars", reason="polars is not installed: the extra `test` has it"
    )
    yield "polars", polars.DataFrame(values)
    pandas = pytest.importorskip(
        "pandas", reason="pandas is not installed: the extra `test` has it"
    )
    if hasattr(pandas.DataFrame, "__arrow_c_stream__"):
        frame = pandas.DataFrame({"id": [1, 2, 3]})
        frame["name"] = pandas.array(values["name"], dtype="string")
        yield "pandas", frame
    duckdb = pytest.importorskip(
        "duckdb", reason="duckdb is not installed: the extra `test` has it"
    )
    yield "duckdb", duckdb.sql("SELECT * FROM (VALUES (1, 'a'), (2, NULL), (3, 'c')) t (id, name)")

    class ArrayOnly:
        def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
            return table.to_batches()[0].__arrow_c_array__(requested_schema)

    yield "an array", ArrayOnly()


def test_producers(cur):
    for name, data in producers():
        cur.execute("DROP TABLE IF EXISTS produced")
        assert cur.adbc_ingest("produced", data, temporary=True) == 3, name
        cur.execute("SELECT id, name FROM produced")
        assert cur.fetchall() == [(1, "a"), (2, None), (3, "c")], name


NULLS = {
    "alone": ({"n": [None, None]}, [(None,), (None,)]),
    "beside others": ({"a": ["x", "y"], "n": [None, None]}, [("x", None), ("y", None)]),
    "in lists": ({"a": [1, 2], "n": [[], [None]]}, [(1, []), (2, [None])]),
    "no rows": ({"n": []}, []),
}


@pytest.mark.parametrize("values, rows", NULLS.values(), ids=NULLS)
def test_columns_of_polars_type_null(cur, values, rows):
    polars = pytest.importorskip(
        "polars", reason="polars is not installed: the extra `test` has it"
    )
    frame = polars.DataFrame(values)
    assert cur.adbc_ingest("nulls", frame, temporary=True) == len(rows)
    cur.execute("SELECT * FROM nulls")
    assert cur.fetchall() == rows


def test_columns_of_polars_type_null_in_structs_and_many_batches(cur):
    polars = pytest.importorskip(
        "polars", reason="polars is not installed: the extra `test` has it"
    )
    cur.execute("CREATE TYPE pg_temp.part AS (n text, s text)")
    cur.execute("CREATE TEMP TABLE nulls (c pg_temp.part, e text, i int)")
    frame = polars.DataFrame(
        {
            "c": [{"n": None, "s": "x"}, {"n": None, "s": "y"}],
            "e": polars.Series(["a", "b"], dtype=polars.Enum(["a", "b"])),
            "i": [1, 2],
        }
    )
    several = polars.concat([frame] * 50, rechunk=False)
    assert several.n_chunks() == 50
    assert cur.adbc_ingest("nulls", several, mode="append", temporary=True) == 100
    cur.execute("SELECT (c).n, (c).s, e, i, count(*) FROM nulls GROUP BY 1, 2, 3, 4 ORDER BY i")
    assert cur.fetchall() == [(None, "x", "a", 1, 50), (None, "y", "b", 2, 50)]


class ArrayStruct(ctypes.Structure):
    """The struct `ArrowArray` of the C data interface."""


RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrayStruct))
ArrayStruct._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset")),
    *((name, ctypes.c_int64) for name in ("n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrayStruct))),
    ("dictionary", ctypes.POINTER(ArrayStruct)),
    ("release", RELEASE),
    ("private_data", ctypes.c_void_p),
]


def test_an_array_of_type_null_with_a_buffer_is_released_once_as_it_was(cur):
    released = []

    @RELEASE
    def release(array):
        child = array.contents.children[0].contents
        released.append((array.contents.n_children, child.n_buffers, bool(child.buffers)))
        array.contents.release = RELEASE()

    @RELEASE
    def release_child(_array):
        released.append("child")

    buffers = (ctypes.c_void_p * 1)(None)
    child = ArrayStruct(3, 3, 0, 1, 0, buffers, None, None, release_child, None)
    children = (ctypes.POINTER(ArrayStruct) * 1)(ctypes.pointer(child))
    root = ArrayStruct(3, 0, 0, 1, 1, buffers, children, None, release, None)
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.restype = ctypes.py_object
    new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    array = new_capsule(ctypes.addressof(root), b"arrow_array", None)
    schema = pa.schema([("n", pa.null())]).__arrow_c_schema__()

    class Producer:
        def __arrow_c_array__(self, _schema: Any = None) -> Any:
            return schema, array

    assert cur.adbc_ingest("nulls", Producer(), temporary=True) == 3
    assert released == [(1, 1, True)]


def failing(rows: int, batches: int, raised: Exception) -> Any:
    """A reader that raises after some batches."""
    schema = pa.schema([("c", pa.int32())])

    def generate() -> Iterator[Any]:
        for _ in range(batches):
            yield pa.record_batch([pa.array(range(rows), pa.int32())], schema=schema)
        raise raised

    return pa.RecordBatchReader.from_batches(schema, generate())


@pytest.mark.parametrize("batches", [0, 1, 40])
def test_a_producer_that_raises(cur, batches):
    cur.execute("CREATE TEMP TABLE fed (c int)")
    cur.adbc_ingest("fed", column(pa.array([1])), "append")
    with pytest.raises(psycoxide.DataError, match=r"producer of the data failed.*out of beans"):
        cur.adbc_ingest("fed", failing(10_000, batches, RuntimeError("out of beans")), "append")
    assert texts(cur, "fed") == ["1"]


def test_a_stream_is_read_once(cur):
    reader = column(pa.array([1, 2])).to_reader()
    assert cur.adbc_ingest("once", reader, temporary=True) == 2
    # A reader of pyarrow's does not say that it was read, and has nothing more.
    assert cur.adbc_ingest("once", reader, "append") == 0

    class Consumed:
        capsule = column(pa.array([1])).__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return self.capsule

    assert cur.adbc_ingest("once", Consumed(), "append") == 1
    with pytest.raises(psycoxide.ProgrammingError, match="a stream is read once"):
        cur.adbc_ingest("once", Consumed(), "append")
    assert len(texts(cur, "once")) == 3


@pytest.mark.parametrize("data", [None, [1], {"c": [1]}, 5])
def test_what_is_no_arrow_data(cur, data):
    with pytest.raises(TypeError, match="__arrow_c_stream__"):
        cur.adbc_ingest("nothing", data)


def test_data_that_are_no_table(cur):
    with pytest.raises(psycoxide.ProgrammingError, match="no table"):
        cur.adbc_ingest("nothing", pa.array([1, 2]))
    with pytest.raises(psycoxide.ProgrammingError, match="no columns"):
        cur.adbc_ingest("nothing", pa.table({}))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(psycoxide.ProgrammingError, match='one name: "a"'):
        cur.adbc_ingest("nothing", twice)


# ---- tables -------------------------------------------------------------------------------------


def test_modes(cur):
    one = column(pa.array([1]))
    cur.execute("DROP TABLE IF EXISTS ingest_modes")
    with pytest.raises(errors.UndefinedTable):
        cur.adbc_ingest("ingest_modes", one, "append")
    assert cur.adbc_ingest("ingest_modes", one) == 1
    with pytest.raises(errors.DuplicateTable):
        cur.adbc_ingest("ingest_modes", one, "create")
    assert cur.adbc_ingest("ingest_modes", one, "create_append") == 1
    assert texts(cur, "ingest_modes") == ["1", "1"]
    # No type would be made for these, and none has to be.
    structs = pa.table({"c": pa.array([None], pa.struct([("x", pa.int32())]))})
    with pytest.raises(psycoxide.ProgrammingError, match='column "c": values of the Arrow type'):
        cur.adbc_ingest("ingest_modes", structs, "create_append")
    other = pa.table({"d": ["x"]})
    assert cur.adbc_ingest("ingest_modes", other, "replace") == 1
    assert texts(cur, "ingest_modes", "d") == ["x"]
    # The old table is there again if the new data do not fit.
    with pytest.raises(psycoxide.DataError):
        cur.adbc_ingest("ingest_modes", failing(10, 1, RuntimeError()), "replace")
    assert texts(cur, "ingest_modes", "d") == ["x"]
    with pytest.raises(psycoxide.ProgrammingError, match="mode is one of"):
        cur.adbc_ingest("ingest_modes", one, "upsert")
    cur.execute("DROP TABLE ingest_modes")


def test_columns_of_the_table(cur):
    cur.execute(
        'CREATE TEMP TABLE "Some ""Table""" (id int GENERATED ALWAYS AS IDENTITY, "A b" text, '
        'twice text GENERATED ALWAYS AS ("A b" || "A b") STORED, made int DEFAULT 7)'
    )
    name = 'Some "Table"'
    assert cur.adbc_ingest(name, pa.table({"A b": ["x", "y"]}), "append") == 2
    cur.execute('TABLE "Some ""Table"""')
    assert cur.fetchall() == [(1, "x", "xx", 7), (2, "y", "yy", 7)]
    assert cur.adbc_ingest(name, pa.table({"made": [1], "id": [50]}), "append") == 1
    with pytest.raises(psycoxide.ProgrammingError, match='has no columns "a b"'):
        cur.adbc_ingest(name, pa.table({"a b": ["x"]}), "append")
    with pytest.raises(psycoxide.ProgrammingError):
        cur.adbc_ingest(name, pa.table({"twice": ["x"]}), "append")
    cur.execute('SELECT count(*) FROM "Some ""Table"""')
    assert cur.fetchone() == (3,)


def test_schemas_and_catalogues(cur):
    one = column(pa.array([1]))
    cur.execute('DROP SCHEMA IF EXISTS "in gest" CASCADE; CREATE SCHEMA "in gest"')
    cur.execute("SELECT current_database()")
    database = cur.fetchone()[0]
    options: Any = {"db_schema_name": "in gest", "catalog_name": database}
    assert cur.adbc_ingest("t", one, **options) == 1
    assert texts(cur, '"in gest".t') == ["1"]
    with pytest.raises(psycoxide.ProgrammingError, match="the connection is to the database"):
        cur.adbc_ingest("t", one, "append", catalog_name=database + "x")
    with pytest.raises(psycoxide.ProgrammingError, match="temporary"):
        cur.adbc_ingest("t", one, db_schema_name="in gest", temporary=True)
    # A temporary table of the name is not the one that is made.
    cur.execute("CREATE TEMP TABLE shadowed (c int); DROP TABLE IF EXISTS public.shadowed")
    cur.execute("SET search_path = public")
    assert cur.adbc_ingest("shadowed", one) == 1
    assert (texts(cur, "pg_temp.shadowed"), texts(cur, "public.shadowed")) == ([], ["1"])
    cur.execute('DROP TABLE public.shadowed; DROP SCHEMA "in gest" CASCADE')


def test_functions_of_the_database_with_known_names_are_not_called(cur):
    cur.execute(
        """
        DROP SCHEMA IF EXISTS shadows CASCADE;
        CREATE SCHEMA shadows;
        CREATE FUNCTION shadows.json_build_object(VARIADIC "any") RETURNS json
            LANGUAGE internal IMMUTABLE AS 'json_build_array';
        CREATE FUNCTION shadows.format_type(oid, int) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
        CREATE FUNCTION shadows.pg_client_encoding() RETURNS name
            LANGUAGE sql AS $$SELECT 'x'::name$$;
        SET search_path = shadows, pg_catalog, public;
        """
    )
    assert cur.adbc_ingest("shadowed_calls", column(pa.array([1])), temporary=True) == 1
    assert cur.adbc_ingest("shadowed_calls", column(pa.array([2])), "append") == 1
    cur.execute("SET search_path = public; DROP SCHEMA shadows CASCADE")
    assert texts(cur, "shadowed_calls") == ["1", "2"]


def test_other_encodings(connect):
    conn = connect()
    conn.set_client_encoding("LATIN1")
    cur = conn.cursor()
    data = pa.table({"n\u00e4me": ["\u00e9\u03b1"], "n": [5]})
    assert cur.adbc_ingest("coded", data, temporary=True) == 1
    cur.execute("SELECT convert_to(\"n\u00e4me\", 'UTF8') FROM coded")
    assert bytes(cur.fetchone()[0]).decode() == "\u00e9\u03b1"


# ---- conflicts ----------------------------------------------------------------------------------


@pytest.fixture
def keyed(cur: Any) -> Any:
    cur.execute("CREATE TEMP TABLE keyed (id int PRIMARY KEY, n int, name text DEFAULT 'none')")
    cur.execute("INSERT INTO keyed VALUES (1, 1, 'one'), (2, 2, 'two')")
    return cur


def test_updates(keyed):
    data = pa.table({"n": [20, 30], "id": [2, 3]})
    options: Any = {"on_conflict": "update", "key": ["id"]}
    assert keyed.adbc_ingest("keyed", data, "append", **options) == 2
    keyed.execute("TABLE keyed ORDER BY id")
    assert keyed.fetchall() == [(1, 1, "one"), (2, 20, "two"), (3, 30, "none")]
    # Again: nothing of the first time is in the way.
    assert keyed.adbc_ingest("keyed", data, "append", **options) == 2
    with pytest.raises(errors.CardinalityViolation):
        keyed.adbc_ingest("keyed", pa.table({"id": [9, 9], "n": [1, 2]}), "append", **options)
    with pytest.raises(psycoxide.DataError):
        keyed.adbc_ingest("keyed", pa.table({"id": [9, 2**40]}), "append", **options)
    keyed.execute("SELECT count(*) FROM keyed")
    assert keyed.fetchone() == (3,)


def test_rows_left_alone(keyed):
    data = pa.table({"id": [2, 3], "n": [20, 30]})
    assert keyed.adbc_ingest("keyed", data, "append", on_conflict="nothing") == 1
    assert keyed.adbc_ingest("keyed", data, "append", on_conflict="nothing", key=["id"]) == 0
    keyed.execute("SELECT n FROM keyed ORDER BY id")
    assert keyed.fetchall() == [(1,), (2,), (30,)]
    with pytest.raises(errors.UniqueViolation):
        keyed.adbc_ingest("keyed", data, "append")


def test_keys(keyed):
    data = pa.table({"id": [1], "n": [2]})
    for wrong in ({"on_conflict": "update"}, {"on_conflict": "replace"}, {"key": "id"},
                  {"key": ["x"]}):  # fmt: skip
        with pytest.raises(psycoxide.ProgrammingError):
            keyed.adbc_ingest("keyed", data, "append", **wrong)
    with pytest.raises(errors.InvalidColumnReference):
        keyed.adbc_ingest("keyed", data, "append", on_conflict="update", key=["n"])
    options: Any = {"on_conflict": "update", "key": ["id"], "temporary": True}
    assert keyed.adbc_ingest("fresh", data, "create_append", **options) == 1
    assert keyed.adbc_ingest("fresh", data, "create_append", **options) == 1
    assert texts(keyed, "fresh", "n") == ["2"]


# ---- transactions -------------------------------------------------------------------------------

BAD = pa.table({"c": [1, 2**40]})


def test_a_transaction_that_is_open_goes_on(connect):
    conn = connect()
    cur = conn.cursor()
    cur.execute("CREATE TEMP TABLE within (c int); INSERT INTO within VALUES (1)")
    with pytest.raises(psycoxide.DataError):
        cur.adbc_ingest("within", BAD, "append")
    assert conn.get_transaction_status() == psycoxide.extensions.TRANSACTION_STATUS_INTRANS
    assert cur.adbc_ingest("within", column(pa.array([2])), "append") == 1
    conn.commit()
    assert texts(cur, "within") == ["1", "2"]
    assert cur.adbc_ingest("within", column(pa.array([3])), "append") == 1
    conn.rollback()
    assert texts(cur, "within") == ["1", "2"]


def test_one_of_its_own(connect):
    conn = connect()
    cur = conn.cursor()
    cur.execute("CREATE TEMP TABLE within (c int)")
    conn.commit()
    with pytest.raises(psycoxide.DataError):
        cur.adbc_ingest("within", BAD, "append")
    assert conn.get_transaction_status() == psycoxide.extensions.TRANSACTION_STATUS_IDLE
    assert cur.adbc_ingest("within", column(pa.array([1])), "append") == 1
    assert conn.get_transaction_status() == psycoxide.extensions.TRANSACTION_STATUS_INTRANS
    conn.rollback()
    conn.autocommit = True
    assert cur.adbc_ingest("within", column(pa.array([2])), "append") == 1
    assert conn.get_transaction_status() == psycoxide.extensions.TRANSACTION_STATUS_IDLE
    assert texts(cur, "within") == ["2"]


def test_a_transaction_that_has_failed(connect):
    conn = connect()
    cur = conn.cursor()
    with pytest.raises(errors.UndefinedTable):
        cur.execute("TABLE nowhere")
    with pytest.raises(errors.InFailedSqlTransaction):
        cur.adbc_ingest("nowhere", BAD, "append")
    conn.rollback()


def test_row_factories_and_typecasters_do_not_matter(connect):
    conn = connect(cursor_factory=psycoxide.extras.RealDictCursor)
    upper = psycoxide.extensions.new_type((25, 20, 19), "UPPER", lambda text, cur: None)
    psycoxide.extensions.register_type(upper, conn)
    cur = conn.cursor()
    assert cur.adbc_ingest("plain", column(pa.array([1])), temporary=True) == 1


def test_asynchronous_connections_refuse(async_conn):
    with pytest.raises(psycoxide.ProgrammingError):
        async_conn.cursor().adbc_ingest("t", column(pa.array([1])))


# ---- progress -----------------------------------------------------------------------------------


def test_progress(cur):
    calls: list[tuple[int, int]] = []
    data = failing(1000, 0, RuntimeError)  # its schema
    batches = [pa.record_batch([pa.array(range(1000), pa.int32())], schema=data.schema)] * 500
    reader = pa.RecordBatchReader.from_batches(data.schema, batches)
    rows = cur.adbc_ingest("far", reader, temporary=True, progress=lambda *far: calls.append(far))
    # Ten bytes a row, and the header and the trailer.
    assert calls[-1] == (rows, rows * 10 + 21) == (500_000, 5_000_021)
    assert calls == sorted(calls)


def test_progress_that_raises(cur):
    cur.execute("CREATE TEMP TABLE stopped (c int)")

    def stop(rows: int, size: int) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        cur.adbc_ingest("stopped", column(pa.array(range(100))), "append", progress=stop)
    assert texts(cur, "stopped") == []


# ---- losses, threads ----------------------------------------------------------------------------


def test_a_connection_that_breaks_midway(relay, connect, server, dsn):
    plan = Plan(to_server=Fault(cut_after=2_000_000, how="rst"))
    conn = connect(dsn, **relay((server.host, server.port), plan).options)
    conn.autocommit = True
    cur = conn.cursor()
    with pytest.raises(psycoxide.OperationalError):
        cur.adbc_ingest("lost", column(pa.array(range(1_000_000))), temporary=True)
    assert conn.closed


def test_other_threads_run_meanwhile(cur):
    """A producer in Python needs the GIL, and so do other threads."""
    seen = threading.Event()
    schema = pa.schema([("c", pa.int32())])

    def generate() -> Iterator[Any]:
        threading.Thread(target=seen.set).start()
        assert seen.wait(30)
        yield pa.record_batch([pa.array([1], pa.int32())], schema=schema)

    reader = pa.RecordBatchReader.from_batches(schema, generate())
    assert cur.adbc_ingest("fed", reader, temporary=True) == 1


# ---- sync and aio -------------------------------------------------------------------------------


def test_sync(dsn):
    with sync.connect(dsn) as conn:
        one = column(pa.array([1], pa.int32()))
        assert conn.adbc_ingest("own", one, temporary=True) == 1
        with conn.transaction():
            with pytest.raises(psycoxide.DataError):
                conn.adbc_ingest("own", BAD, "append")
            assert conn.cursor().adbc_ingest("own", one, "append") == 1
        with pytest.raises(psycoxide.DataError, match="out of beans"):
            conn.adbc_ingest("own", failing(100_000, 3, RuntimeError("out of beans")), "append")
        assert conn.fetch("TABLE own") == [(1,), (1,)]
        with pytest.raises(KeyError):
            conn.adbc_ingest("own", one, "append", progress=lambda rows, size: {}[rows])
        keyed: Any = {"key": ["c"], "on_conflict": "update", "temporary": True}
        assert conn.adbc_ingest("keyed", one, **keyed) == 1
        # A row of nothing but its key has nothing to update.
        assert conn.adbc_ingest("keyed", one, "append", **keyed) == 0
    with sync.connect(dsn, autocommit=False) as conn:
        conn.adbc_ingest("own", one, temporary=True)
        conn.commit()
        with pytest.raises(psycoxide.DataError):
            conn.adbc_ingest("own", BAD, "append")
        assert conn.info.transaction_status == 0
        conn.adbc_ingest("own", one, "append")
        with pytest.raises(psycoxide.DataError):
            conn.adbc_ingest("own", BAD, "append")
        assert conn.fetchval("SELECT count(*) FROM own") == 2
        conn.rollback()
        assert conn.fetchval("SELECT count(*) FROM own") == 1


async def test_aio(dsn):
    async with aio.connect(dsn) as conn:
        one = column(pa.array([1], pa.int32()))
        assert await conn.adbc_ingest("own", one, temporary=True) == 1
        async with conn.transaction():
            with pytest.raises(psycoxide.DataError):
                await conn.adbc_ingest("own", BAD, "append")
            assert await conn.cursor().adbc_ingest("own", one, "append") == 1
        with pytest.raises(psycoxide.DataError, match="out of beans"):
            bad = failing(100_000, 3, RuntimeError("out of beans"))
            await conn.adbc_ingest("own", bad, "append")
        assert await conn.fetch("TABLE own") == [(1,), (1,)]
        with pytest.raises(errors.DuplicateTable):
            await conn.adbc_ingest("own", one, temporary=True)
        calls: list[tuple[int, int]] = []
        await conn.adbc_ingest("own", one, "append", progress=lambda *far: calls.append(far))
        assert calls == [(1, 31)]


async def test_the_loop_goes_on_meanwhile(dsn):
    """A slow producer does not hold the loop up; cancelling the task ends the ingest."""
    go_on = threading.Event()
    schema = pa.schema([("c", pa.int32())])

    def generate() -> Iterator[Any]:
        yield pa.record_batch([pa.array([1], pa.int32())], schema=schema)
        assert go_on.wait(30)

    async with aio.connect(dsn) as conn:
        await conn.execute("CREATE TEMP TABLE slow (c int)")
        reader = pa.RecordBatchReader.from_batches(schema, generate())
        task = asyncio.ensure_future(conn.adbc_ingest("slow", reader, "append"))
        await asyncio.sleep(0.05)
        go_on.set()
        assert await task == 1
        go_on.clear()
        reader = pa.RecordBatchReader.from_batches(schema, generate())
        task = asyncio.ensure_future(conn.adbc_ingest("slow", reader, "append"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert await conn.fetchval("SELECT count(*) FROM slow") == 1


@pytest.mark.parametrize("mode", ["append", "replace", "create"])
async def test_nothing_is_left_of_an_ingest_that_is_cancelled(dsn, mode):
    go_on = threading.Event()
    schema = pa.schema([("c", pa.int32())])

    def generate() -> Iterator[Any]:
        yield pa.record_batch([pa.array(range(100_000), pa.int32())], schema=schema)
        assert go_on.wait(30)

    name = "fresh" if mode == "create" else "kept"
    async with aio.connect(dsn, autocommit=False) as conn:
        await conn.execute("CREATE TEMP TABLE kept AS SELECT 7 AS c")
        await conn.commit()
        reader = pa.RecordBatchReader.from_batches(schema, generate())
        task = asyncio.ensure_future(conn.adbc_ingest(name, reader, mode, temporary=True))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        go_on.set()
        await conn.commit()
        assert await conn.fetch("TABLE kept") == [(7,)]
        assert await conn.fetchval("SELECT to_regclass('pg_temp.fresh')") is None
