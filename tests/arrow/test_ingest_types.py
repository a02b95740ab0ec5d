"""`adbc_ingest()`: each type of Arrow into each type of the server that takes it."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.columns import column, texts
from hypothesis import given, settings, strategies as st

import psycoxide
from psycoxide import errors

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra `test` has it")

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
