"""`adbc_ingest()`: Arrow data of all kinds into tables, all rows or none."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import itertools
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.relay import Fault, Plan
from hypothesis import given, settings, strategies as st

import psycoxide
from psycoxide import aio, errors, sync

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra `test` has it")


def column(array: Any, name: str = "c") -> Any:
    return pa.table({name: array})


@pytest.fixture
def cur(connect: Any) -> Any:
    conn = connect()
    conn.autocommit = True
    return conn.cursor()


def texts(cur: Any, table: str, name: str = "c") -> list[str | None]:
    """The values of a column as the server writes them."""
    cur.execute(f'SELECT "{name}"::text FROM {table}')
    return [row[0] for row in cur]


# ---- types --------------------------------------------------------------------------------------

D = decimal.Decimal
NAIVE = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)
AWARE = NAIVE.replace(tzinfo=dt.timezone.utc)
OLD = dt.date(1, 1, 1)
ID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
RANGE = pa.struct(
    [
        ("lower", pa.int32()),
        ("upper", pa.int32()),
        ("lower_inc", pa.bool_()),
        ("upper_inc", pa.bool_()),
        ("empty", pa.bool_()),
    ]
)
ONE_TO_FIVE = {"lower": 1, "upper": 5, "lower_inc": True, "upper_inc": False, "empty": False}
NOTHING = {"lower": None, "upper": None, "lower_inc": False, "upper_inc": False, "empty": True}
HOSTILE = 'a\tb\\c"d\ne{,}\N{GREEK SMALL LETTER ALPHA}'

# An Arrow type, a value, a type of the server, and the text that the server writes.
CASES = [
    *((kind(), -5, to, "-5") for kind in (pa.int8, pa.int16, pa.int32, pa.int64)
      for to in ("smallint", "integer", "bigint", "real", "double precision", "numeric", "text")),
    *((kind(), 200, to, "200") for kind in (pa.uint8, pa.uint16, pa.uint32, pa.uint64)
      for to in ("smallint", "integer", "bigint", "oid", "xid8", "numeric", "varchar(3)")),
    (pa.uint64(), 2**64 - 1, "numeric", "18446744073709551615"),
    (pa.uint32(), 2**32 - 1, "oid", "4294967295"),
    (pa.float16(), 1.5, "real", "1.5"),
    (pa.float32(), 0.1, "real", "0.1"),
    (pa.float32(), 0.1, "numeric", "0.1"),
    (pa.float32(), 0.1, "text", "0.1"),
    (pa.float64(), 0.1, "double precision", "0.1"),
    (pa.float64(), 0.1, "real", "0.1"),
    (pa.float64(), 3.0, "integer", "3"),
    (pa.float64(), 1e-7, "numeric", "0.0000001"),
    (pa.float64(), -1234567.25, "numeric(10,1)", "-1234567.3"),
    (pa.float64(), float("nan"), "double precision", "NaN"),
    (pa.float64(), float("-inf"), "double precision", "-Infinity"),
    (pa.float64(), float("nan"), "numeric", "NaN"),
    (pa.bool_(), True, "boolean", "true"),
    (pa.bool_(), False, "text", "false"),
    *((kind(), HOSTILE, to, HOSTILE) for kind in (pa.string, pa.large_string, pa.string_view)
      for to in ("text", "varchar", "varchar(20)", "xml")),
    (pa.string(), "ab", "char(4)", "ab"),
    (pa.string(), '{"a": [1]}', "json", '{"a": [1]}'),
    (pa.string(), '{"a":[1]}', "jsonb", '{"a": [1]}'),
    (pa.string(), "10.0.0.1", "inet", "10.0.0.1/32"),
    (pa.string(), "$5.00", "money", "$5.00"),
    (pa.string(), "12", "integer", "12"),
    (pa.string(), "2024-01-02", "date", "2024-01-02"),
    (pa.string(), "yes", "boolean", "true"),
    (pa.string(), "{1,2}", "integer[]", "{1,2}"),
    (pa.string(), "[1,5)", "int4range", "[1,5)"),
    (pa.string(), "101", "bit(3)", "101"),
    (pa.string(), str(ID), "uuid", str(ID)),
    *((kind(), b"\x00\xff'\\", "bytea", "\\x00ff275c")
      for kind in (pa.binary, pa.large_binary, pa.binary_view)),
    (pa.binary(3), b"\x00\x01\x02", "bytea", "\\x000102"),
    (pa.binary(16), ID.bytes, "uuid", str(ID)),
    (pa.uuid(), ID.bytes, "uuid", str(ID)),
    (pa.decimal32(9, 2), D("-12.30"), "numeric", "-12.30"),
    (pa.decimal64(18, 4), D("99999999999999.0001"), "numeric", "99999999999999.0001"),
    (pa.decimal128(38, 10), D("1234567890123456789012345678.0000000001"), "numeric",
     "1234567890123456789012345678.0000000001"),
    (pa.decimal128(10, 2), D("12.00"), "integer", "12"),
    (pa.decimal128(10, 2), D("12.50"), "double precision", "12.5"),
    (pa.decimal128(5, -2), D("1200"), "numeric", "1200"),
    (pa.decimal256(76, 38), D("-0.00000000000000000000000000000000000001"), "numeric",
     "-0.00000000000000000000000000000000000001"),
    (pa.decimal256(76, 0), D(10) ** 75, "text", "1" + "0" * 75),
    (pa.date32(), OLD, "date", "0001-01-01"),
    (pa.date64(), dt.date(1969, 12, 31), "date", "1969-12-31"),
    (pa.date32(), dt.date(2024, 2, 29), "timestamp", "2024-02-29 00:00:00"),
    (pa.date32(), dt.date(2024, 2, 29), "timestamptz", "2024-02-29 00:00:00+00"),
    (pa.date32(), dt.date(2024, 2, 29), "text", "2024-02-29"),
    (pa.time32("s"), dt.time(23, 59, 59), "time", "23:59:59"),
    (pa.time32("ms"), dt.time(0, 0, 0, 5000), "time", "00:00:00.005"),
    (pa.time64("us"), dt.time(1, 2, 3, 4), "time", "01:02:03.000004"),
    (pa.time64("ns"), dt.time(1, 2, 3, 4), "text", "01:02:03.000004"),
    *((pa.timestamp(unit), NAIVE.replace(microsecond=0), "timestamp", "2024-02-29 12:30:15")
      for unit in ("s", "ms", "us", "ns")),
    (pa.timestamp("ns"), NAIVE, "timestamp", "2024-02-29 12:30:15.123456"),
    (pa.timestamp("us"), NAIVE, "timestamptz", "2024-02-29 12:30:15.123456+00"),
    (pa.timestamp("us"), dt.datetime(2024, 2, 29), "date", "2024-02-29"),
    (pa.timestamp("us", "Asia/Tokyo"), AWARE, "timestamptz", "2024-02-29 12:30:15.123456+00"),
    (pa.timestamp("us", "UTC"), AWARE, "text", "2024-02-29 12:30:15.123456+00"),
    *((pa.duration(unit), dt.timedelta(hours=-25), "interval", "-25:00:00")
      for unit in ("s", "ms", "us", "ns")),
    (pa.duration("us"), dt.timedelta(microseconds=-1), "text", "+0 mons +0 days -00:00:00.000001"),
    (pa.month_day_nano_interval(), (14, -3, 5_000_000_000), "interval",
     "1 year 2 mons -3 days +00:00:05"),
    (pa.dictionary(pa.int8(), pa.string()), "red", "text", "red"),
    (pa.dictionary(pa.int32(), pa.int64()), 7, "smallint", "7"),
    (pa.list_(pa.int64()), [1, None, 3], "integer[]", "{1,NULL,3}"),
    (pa.large_list(pa.string()), [HOSTILE, None, ""], "text[]", None),
    (pa.list_(pa.float32(), 2), [1.5, 2.5], "double precision[]", "{1.5,2.5}"),
    (pa.list_view(pa.date32()), [dt.date(2024, 1, 1)], "date[]", "{2024-01-01}"),
    (pa.list_(pa.list_(pa.int16())), [[1, 2], [3, 4]], "integer[]", "{{1,2},{3,4}}"),
    (pa.list_(pa.string()), ["10.0.0.1"], "inet[]", "{10.0.0.1}"),
    (pa.list_(pa.int32()), [], "integer[]", "{}"),
    (RANGE, ONE_TO_FIVE, "int4range", "[1,5)"),
    (RANGE, NOTHING, "int4range", "empty"),
    (RANGE, {"lower": 3}, "int8range", "[3,)"),
    (pa.list_(RANGE), [ONE_TO_FIVE], "int4range[]", '{"[1,5)"}'),
    (pa.null(), None, "integer", None),
]  # fmt: skip


@pytest.mark.parametrize("format", ["binary", "text"])
def test_each_type_into_each_that_takes_it(cur, format):
    """Alone, in the format that is chosen; and beside a column that makes all of it text."""
    cur.execute("SET timezone = 'UTC'; SET lc_monetary = 'C'")
    other = ", other inet" if format == "text" else ""
    for kind, value, target, expected in CASES:
        cur.execute("DROP TABLE IF EXISTS taken")
        cur.execute(f"CREATE TEMP TABLE taken (c {target}{other})")
        data = column(pa.array([value, None, value], kind))
        if other:
            data = data.append_column("other", pa.array(["::1"] * 3))
        if pa.types.is_list_view(kind):
            data = pa.RecordBatchReader.from_batches(data.schema, data.to_batches())
        what = f"{kind} to {target}"
        assert cur.adbc_ingest("taken", data, "append") == 3, what
        found = texts(cur, "taken")
        if expected is None and value is not None:
            cur.execute("SELECT c FROM taken")
            assert [row[0] for row in cur] == [value, None, value], what
        else:
            wanted = expected.ljust(4) if target == "char(4)" else expected
            assert [each and each.rstrip() for each in found] == [
                wanted and wanted.rstrip(), None, wanted and wanted.rstrip()
            ], what  # fmt: skip


def test_names_of_types_that_are_made(cur):
    """Enums, domains, composite types, multiranges, and arrays of them."""
    cur.execute(
        "DROP TYPE IF EXISTS ingest_item, ingest_colour; DROP DOMAIN IF EXISTS ingest_small;"
        "CREATE TYPE ingest_colour AS ENUM ('red', 'green');"
        "CREATE DOMAIN ingest_small AS smallint CHECK (VALUE < 100);"
        "CREATE TYPE ingest_item AS (id ingest_small, name text, colours ingest_colour[])"
    )
    item = pa.struct(
        [("colours", pa.list_(pa.string())), ("id", pa.int64()), ("name", pa.string())]
    )
    value = {"colours": ["red", None], "id": 5, "name": 'a "b"'}
    try:
        for kind, each, target, expected in [
            (pa.dictionary(pa.int8(), pa.string()), "green", "ingest_colour", "green"),
            (pa.int64(), 99, "ingest_small", "99"),
            (item, value, "ingest_item", '(5,"a ""b""","{red,NULL}")'),
            (pa.list_(pa.int8()), [1, 2], "ingest_small[]", "{1,2}"),
            (pa.list_(item), [value], "ingest_item[]", None),
        ]:
            for other in ("", ", other inet"):
                cur.execute(f"CREATE TEMP TABLE made (c {target}{other})")
                data = column(pa.array([each], kind))
                if other:
                    data = data.append_column("other", pa.array(["::1"]))
                assert cur.adbc_ingest("made", data, "append") == 1
                found = texts(cur, "made")
                assert found == [expected] if expected else "red,NULL" in found[0]
                cur.execute("DROP TABLE made")
        cur.execute("CREATE TEMP TABLE made (c ingest_small)")
        with pytest.raises(errors.CheckViolation):
            cur.adbc_ingest("made", column(pa.array([100])), "append")
        with pytest.raises(psycoxide.DataError, match="out of range"):
            cur.adbc_ingest("made", column(pa.array([100_000])), "append")
    finally:
        cur.execute("DROP TABLE IF EXISTS made; DROP TYPE ingest_item, ingest_colour CASCADE")
        cur.execute("DROP DOMAIN ingest_small")


def test_multiranges(cur):
    if cur.connection.server_version < 140000:
        pytest.skip("multiranges came with PostgreSQL 14")
    cur.execute("CREATE TEMP TABLE several (c int4multirange)")
    data = column(pa.array([[ONE_TO_FIVE, {"lower": 7, "upper": 9}], [], None], pa.list_(RANGE)))
    assert cur.adbc_ingest("several", data, "append") == 3
    assert texts(cur, "several") == ["{[1,5),[7,9)}", "{}", None]


def test_maps_are_hstore(cur):
    try:
        cur.execute("CREATE EXTENSION IF NOT EXISTS hstore")
    except psycoxide.Error:
        pytest.skip("the server has no hstore")
    data = column(pa.array([[("a", 'x"y'), ("b", None)]], pa.map_(pa.string(), pa.string())))
    cur.adbc_ingest("pairs", data, temporary=True)
    assert texts(cur, "pairs") == ['"a"=>"x\\"y", "b"=>NULL']


@pytest.mark.parametrize(
    ("kind", "value", "target"),
    [
        (pa.int64(), 2**31, "integer"),
        (pa.int64(), -(2**15) - 1, "smallint"),
        (pa.uint64(), 2**63, "bigint"),
        (pa.int32(), -1, "oid"),
        (pa.float64(), 1.5, "integer"),
        (pa.float64(), float("nan"), "bigint"),
        (pa.float64(), 1e300, "real"),
        (pa.decimal128(5, 1), D("1.5"), "integer"),
        (pa.timestamp("ns"), 1, "timestamp"),
        (pa.timestamp("us"), NAIVE, "date"),
        (pa.timestamp("s"), 2**62, "timestamp"),
        (pa.time64("ns"), 1, "time"),
        (pa.duration("ns"), 1, "interval"),
        (pa.list_(pa.int64()), [1, 2**40], "integer[]"),
        (pa.list_(pa.list_(pa.int64())), [[1], [2, 3]], "integer[]"),
        (pa.string(), "no", "uuid"),
    ],
)
def test_a_value_that_does_not_fit(cur, kind, value, target):
    cur.execute(f"CREATE TEMP TABLE narrow (c {target})")
    data = column(pa.array([None, value], kind))
    with pytest.raises(psycoxide.DataError, match=r'row 2, column "c": a value of the Arrow type '):
        cur.adbc_ingest("narrow", data, "append")
    assert texts(cur, "narrow") == []


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (pa.int32(), "date"),
        (pa.int32(), "boolean"),
        (pa.bool_(), "integer"),
        (pa.binary(), "text"),
        (pa.timestamp("us", "UTC"), "timestamp"),
        (pa.list_(pa.int32()), "integer"),
        (pa.int32(), "integer[]"),
        (pa.struct([("a", pa.int32())]), "jsonb"),
        (pa.date32(), "time"),
        (pa.binary(15), "uuid"),
    ],
)
def test_types_that_do_not_go_together(cur, kind, target):
    cur.execute(f"CREATE TEMP TABLE other (c {target})")
    with pytest.raises(psycoxide.ProgrammingError, match='column "c": values of the Arrow type'):
        cur.adbc_ingest("other", column(pa.array([None], kind)), "append")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = {
    pa.int16(): ("smallint", st.integers(-(2**15), 2**15 - 1)),
    pa.int64(): ("bigint", st.integers(-(2**63), 2**63 - 1)),
    pa.float64(): ("double precision", st.floats(allow_nan=False)),
    pa.string(): ("text", TEXT),
    pa.binary(): ("bytea", st.binary()),
    pa.bool_(): ("boolean", st.booleans()),
    pa.date32(): ("date", st.dates()),
    pa.timestamp("us"): ("timestamp", st.datetimes()),
    pa.decimal128(38, 9): (
        "numeric",
        st.decimals(-(10**28), 10**28, places=9, allow_nan=False, allow_infinity=False),
    ),
    pa.list_(pa.int32()): (
        "integer[]",
        st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)),
    ),
    pa.list_(pa.string()): (
        "text[]",
        st.lists(st.none() | TEXT),
    ),
}  # fmt: skip


@st.composite
def tables(draw: Any) -> Any:
    """A schema, its rows, and at which rows the batches begin."""
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=6))
    row = st.tuples(*(st.none() | VALUES[kind][1] for kind in kinds))
    rows = draw(st.lists(row, max_size=12))
    cuts = draw(st.lists(st.integers(0, len(rows)), max_size=3))
    return kinds, rows, sorted(cuts), draw(st.booleans())


@pytest.fixture(scope="module")
def kept(dsn: str) -> Iterator[Any]:
    conn = psycoxide.connect(dsn)
    conn.autocommit = True
    yield conn.cursor()
    conn.close()


@settings(max_examples=80)
@given(tables())
def test_what_is_written_is_what_is_read(kept, table):
    kinds, rows, cuts, in_text = table
    names = [f"c{number}" for number in range(len(kinds))]
    arrays = [pa.array([row[number] for row in rows], kind) for number, kind in enumerate(kinds)]
    whole = pa.table(arrays, names)
    places = [0, *cuts, len(rows)]
    # Batches that are slices, empty ones among them.
    parts = [whole.slice(a, b - a) for a, b in itertools.pairwise(places)]
    data = pa.concat_tables(parts)
    kept.execute("DROP TABLE IF EXISTS written")
    columns = [f"{name} {VALUES[kind][0]}" for name, kind in zip(names, kinds)]
    if in_text:
        columns.append("other inet")
        data = data.append_column("other", pa.array([None] * len(rows), pa.string()))
    kept.execute(f"CREATE TEMP TABLE written ({', '.join(columns)})")
    assert kept.adbc_ingest("written", data, "append") == len(rows)
    kept.execute(f"SELECT {', '.join(names)} FROM written")
    found = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in kept]
    assert found == rows


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


def test_tables_made_for_data_have_their_types(cur):
    kinds = {
        "i1": (pa.int8(), "smallint"), "u8": (pa.uint64(), "numeric(20,0)"),
        "d": (pa.decimal128(12, 3), "numeric(12,3)"), "f": (pa.float32(), "real"),
        "s": (pa.large_string(), "text"), "b": (pa.binary(), "bytea"),
        "z": (pa.timestamp("ns", "UTC"), "timestamp with time zone"),
        "l": (pa.list_(pa.list_(pa.int64())), "bigint[]"), "u": (pa.uuid(), "uuid"),
        "r": (RANGE, "int4range"), "n": (pa.null(), "text"), "v": (pa.duration("s"), "interval"),
    }  # fmt: skip
    data = pa.schema([(name, kind) for name, (kind, _) in kinds.items()]).empty_table()
    assert cur.adbc_ingest("typed", data, temporary=True) == 0
    cur.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'typed'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert cur.fetchall() == [(name, kind) for name, (_, kind) in kinds.items()]
    with pytest.raises(psycoxide.ProgrammingError, match="create the table first"):
        cur.adbc_ingest("no", column(pa.array([{"a": 1}])), temporary=True)


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
