"""Every type as Arrow: from the binary format, from text, and as the server writes the value."""

import contextlib
import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest
from fixtures.relay import pass_on

import psycoxide
from psycoxide import DataError, NotSupportedError, ProgrammingError, sync
from psycoxide.arrow import ArrowOptions

pa = pytest.importorskip("pyarrow", reason="pyarrow looks at what is made")

UTC = dt.timezone.utc


@pytest.fixture
def cur(conn):
    with conn.cursor() as cursor:
        cursor.execute("SET TimeZone TO 'Europe/Rome'")
        cursor.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok', 'happy')")
        cursor.execute("CREATE TYPE pg_temp.place AS (x int, y numeric(5,2), m pg_temp.mood)")
        cursor.execute("CREATE DOMAIN pg_temp.positive AS int CHECK (VALUE > 0)")
        cursor.execute("CREATE TYPE pg_temp.span AS RANGE (subtype = float8)")
        yield cursor


def both(cur, query, options=None):
    """A query's table, decoded while it arrives and converted from text: they are the same."""
    cur.arrow = True if options is None else options
    cur.execute(query)
    arrived = cur.fetch_arrow_table()
    cur.arrow = None
    cur.execute(query)
    cur.arrow = options
    converted = cur.fetch_arrow_table()
    assert arrived.schema.equals(converted.schema, check_metadata=True)
    assert arrived.to_pylist() == converted.to_pylist()
    return arrived


BOUNDS = ("lower", "upper", "lower_inc", "upper_inc", "empty")
DECIMAL = pa.decimal128(38, 18)


@pytest.mark.parametrize(
    "sql, kind, value",
    [
        ("true", pa.bool_(), True),
        ("'-32768'::int2", pa.int16(), -32768),
        ("2147483647", pa.int32(), 2147483647),
        ("'-9223372036854775808'::int8", pa.int64(), -(2**63)),
        ("1.5::float4", pa.float32(), 1.5),
        ("'-infinity'::float8", pa.float64(), float("-inf")),
        ("4294967295::oid", pa.uint32(), 2**32 - 1),
        ("12.34::numeric(6,2)", pa.decimal128(6, 2), Decimal("12.34")),
        ("repeat('9', 60)::numeric(76,3)", pa.decimal256(76, 3), Decimal("9" * 60 + ".000")),
        ("1.5::numeric", DECIMAL, Decimal("1.5")),
        ("'x'::text", pa.string(), "x"),
        ("'ab'::char(4)", pa.string(), "ab  "),
        ("'n'::name", pa.string(), "n"),
        ("'\\xdead'::bytea", pa.binary(), b"\xde\xad"),
        ("b'0101'::varbit", pa.string(), "0101"),
        ("'2020-02-29'::date", pa.date32(), dt.date(2020, 2, 29)),
        ("'12:34:56.789'::time", pa.time64("us"), dt.time(12, 34, 56, 789000)),
        ("'12:34:56+02'::timetz", pa.string(), "12:34:56+02"),
        (
            "'2020-01-02 03:04:05.678'::timestamp",
            pa.timestamp("us"),
            dt.datetime(2020, 1, 2, 3, 4, 5, 678000),
        ),
        (
            "'2020-01-02 03:04:05+01'::timestamptz",
            pa.timestamp("us", "UTC"),
            dt.datetime(2020, 1, 2, 2, 4, 5, tzinfo=UTC),
        ),
        (
            "'1 mon -2 days 00:00:00.000001'::interval",
            pa.month_day_nano_interval(),
            pa.MonthDayNano([1, -2, 1000]),
        ),
        (
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            pa.uuid(),
            UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ),
        ("""'{"a":1}'::json""", pa.json_(pa.string()), '{"a":1}'),
        ("""'{"a":1}'::jsonb""", pa.json_(pa.string()), '{"a": 1}'),
        ("'127.0.0.1/24'::inet", pa.string(), "127.0.0.1/24"),
        ("'(1,2)'::point", pa.string(), "(1,2)"),
        ("'int4'::regtype", pa.string(), "integer"),
        ("array[1, NULL]", pa.list_(pa.int32()), [1, None]),
        ("'{}'::text[]", pa.list_(pa.string()), []),
        ("'[5:6]={1,2}'::int[]", pa.list_(pa.int32()), [1, 2]),
        ("'1 2'::int2vector", pa.list_(pa.int16()), [1, 2]),
        (
            "int4range(1, 5)",
            pa.struct(
                [
                    ("lower", pa.int32()),
                    ("upper", pa.int32()),
                    ("lower_inc", pa.bool_()),
                    ("upper_inc", pa.bool_()),
                    ("empty", pa.bool_()),
                ]
            ),
            dict(zip(BOUNDS, (1, 5, True, False, False))),
        ),
        ("'happy'::pg_temp.mood", pa.string(), "happy"),
        ("'{sad,NULL}'::pg_temp.mood[]", pa.list_(pa.string()), ["sad", None]),
        ("5::pg_temp.positive", pa.int32(), 5),
        (
            "ROW(1, 2.5, 'ok')::pg_temp.place",
            pa.struct([("x", pa.int32()), ("y", pa.decimal128(5, 2)), ("m", pa.string())]),
            {"x": 1, "y": Decimal("2.5"), "m": "ok"},
        ),
        (
            "array[ROW(1, NULL, 'ok')::pg_temp.place]",
            pa.list_(
                pa.struct([("x", pa.int32()), ("y", pa.decimal128(5, 2)), ("m", pa.string())])
            ),
            [{"x": 1, "y": None, "m": "ok"}],
        ),
        ("'a=>1,b=>NULL'::hstore", pa.map_(pa.string(), pa.string()), [("a", "1"), ("b", None)]),
    ],
)
def test_a_value_is_the_same_from_both_formats(cur, sql, kind, value):
    table = both(
        cur, f"SELECT v FROM (SELECT {sql} AS v) s RIGHT JOIN generate_series(1, 2) n ON n = 1"
    )
    field = table.schema.field("v")
    stored = field.type.storage_type if field.type == pa.json_(pa.string()) else field.type
    assert stored == (kind.storage_type if kind == pa.json_(pa.string()) else kind)
    assert [row["v"] for row in table.to_pylist()] == [value, None]


def test_a_range_of_a_users_type_has_its_bounds(cur):
    table = both(cur, "SELECT pg_temp.span(1, NULL, '(]') AS v")
    assert table.to_pylist() == [{"v": dict(zip(BOUNDS, (1.0, None, False, False, False)))}]


def test_fields_name_the_types_of_the_server(cur):
    schema = both(cur, "SELECT 1.5::numeric(6,2) AS n, 'ok'::pg_temp.mood AS m").schema
    assert schema.field("n").metadata[b"POSTGRESQL:type"] == b"numeric"
    assert b"mood" in schema.field("m").metadata[b"POSTGRESQL:type"]


@pytest.mark.parametrize(
    "sql, advice",
    [
        ("'infinity'::date", "infinity="),
        ("'-infinity'::timestamptz", "infinity="),
        ("1e30::numeric", "numeric="),
        ("'NaN'::numeric", "nan="),
        ("'24:00'::time", "24:00"),
        ("array[[1, 2]]", "dims="),
    ],
)
def test_what_has_no_place_is_an_error_with_its_row_and_advice(cur, sql, advice):
    query = f"SELECT NULL AS v UNION ALL SELECT {sql}"
    cur.arrow = True
    for _ in range(2):
        with pytest.raises(DataError) as raised:
            cur.execute(query)
            cur.fetch_arrow()
        assert 'row 2, column "v"' in str(raised.value)
        assert advice in str(raised.value)
        cur.execute("SELECT 1 AS one")
        assert cur.fetch_arrow_table().to_pylist() == [{"one": 1}]
        cur.arrow = None


@pytest.mark.parametrize(
    "options, sql, value",
    [
        ({"numeric": "string"}, "1e30::numeric", "1" + "0" * 30),
        ({"numeric": "float64"}, "1e30::numeric", 1e30),
        ({"numeric": (50, 2)}, "1e30::numeric", Decimal("1" + "0" * 30 + ".00")),
        ({"nan": "null"}, "'NaN'::numeric", None),
        ({"infinity": "null"}, "'infinity'::date", None),
        ({"uuid": "string"}, "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ({"enum": "dictionary"}, "'ok'::pg_temp.mood", "ok"),
        ({"interval": "duration"}, "'2 days 00:00:01'::interval", dt.timedelta(2, 1)),
        ({"dims": {"v": 2}}, "array[[1, 2], [3, NULL]]", [[1, 2], [3, None]]),
        ({"schema": {"v": pa.int64()}}, "7", 7),
        ({"string": "large"}, "'x'::text", "x"),
        ({"string": "view"}, "'x'::text", "x"),
    ],
)  # fmt: skip
def test_options_choose(cur, options, sql, value):
    assert both(cur, f"SELECT {sql} AS v", ArrowOptions(**options)).to_pylist() == [{"v": value}]


def test_an_enums_dictionary_has_all_labels(cur):
    table = both(cur, "SELECT 'ok'::pg_temp.mood AS v", ArrowOptions(enum="dictionary"))
    assert table.column(0).chunk(0).dictionary.to_pylist() == ["sad", "ok", "happy"]


def test_duplicate_names_are_numbered_on_request(cur):
    assert both(cur, "SELECT 1 AS n, 2 AS n").column_names == ["n", "n"]
    numbered = ArrowOptions(duplicate_names="suffix")
    assert both(cur, "SELECT 1 AS n, 2 AS n", numbered).column_names == ["n", "n_2"]


@pytest.mark.parametrize(
    "options",
    [
        {"numeric": "decimals"},
        {"numeric": (0, 0)},
        {"numeric": (10, 11)},
        {"infinity": "maybe"},
        {"uuid": 1},
        {"tz": ""},
        {"tz": "a\0b"},
        {"dims": {"a": 0}},
        {"dims": {"a": -1}},
        {"dims": {"a": 7}},
        {"dims": 2},
    ],
)
def test_options_that_do_not_exist_are_refused(cur, options):
    with pytest.raises(ValueError):
        cur.arrow = ArrowOptions(**options)
    assert cur.arrow is None


def test_what_is_no_option_is_refused(cur):
    with pytest.raises(TypeError, match="ArrowOptions"):
        cur.arrow = "yes"
    with pytest.raises(TypeError, match="__arrow_c_schema__"):
        cur.arrow = ArrowOptions(schema={"v": "int64"})
    with pytest.raises(TypeError, match="schema maps names"):
        cur.arrow = ArrowOptions(schema=None)
    with pytest.raises(TypeError, match="tz is a name"):
        cur.arrow = ArrowOptions(tz=1)


def test_a_type_that_a_column_cannot_have_is_refused(cur):
    cur.arrow = ArrowOptions(schema={"v": pa.date32()})
    with pytest.raises(NotSupportedError, match='"v"'):
        cur.execute("SELECT 1 AS v")
    with pytest.raises(NotSupportedError, match='"w"'):
        cur.execute("SELECT 1 AS w")
    cur.arrow = True
    cur.execute("SELECT 1 AS w")
    assert cur.fetch_arrow().num_rows == 1


def test_no_rows_have_a_schema(cur):
    table = both(cur, "SELECT 1 AS n, 'x'::text AS t WHERE false")
    assert (table.num_rows, table.column_names) == (0, ["n", "t"])


def test_rows_without_columns_are_counted(cur):
    cur.arrow = True
    cur.execute("SELECT FROM generate_series(1, 3)")
    assert (cur.rowcount, cur.fetch_arrow().num_rows) == (3, 3)


def test_no_result_is_an_error(cur):
    for arrow in (None, True):
        cur.arrow = arrow
        cur.execute("CREATE TEMP TABLE IF NOT EXISTS nothing (n int)")
        with pytest.raises(ProgrammingError, match="no results to fetch"):
            cur.fetch_arrow()


def test_another_encoding_is_refused_with_advice(conn):
    conn.set_client_encoding("LATIN1")
    with conn.cursor() as cur:
        cur.execute("SELECT 'x'::text")
        with pytest.raises(NotSupportedError, match="set_client_encoding"):
            cur.fetch_arrow()


def test_types_that_change_are_looked_up_again(conn):
    with conn.cursor() as cur:
        cur.arrow = ArrowOptions(enum="dictionary")
        cur.execute("CREATE TYPE pg_temp.grade AS ENUM ('a')")
        cur.execute("SELECT 'a'::pg_temp.grade AS v")
        assert cur.fetch_arrow_table().to_pylist() == [{"v": "a"}]
        conn.commit()
        cur.execute("ALTER TYPE pg_temp.grade ADD VALUE 'b'")
        conn.commit()
        try:
            cur.execute("SELECT 'b'::pg_temp.grade AS v")
        except DataError:
            cur.execute("SELECT 'b'::pg_temp.grade AS v")
        assert cur.fetch_arrow_table().to_pylist() == [{"v": "b"}]


def shape(cur, query):
    """The names and values of a query's only column, a struct: while it arrives, and from text."""
    return both(cur, query).to_pylist()[0]["v"]


def test_rows_of_a_table_have_the_columns_of_now(cur):
    cur.execute("CREATE TEMP TABLE t (a int, b int)")
    cur.execute("INSERT INTO t VALUES (1, 2)")
    query = "SELECT t AS v FROM t"
    assert shape(cur, query) == {"a": 1, "b": 2}
    cur.arrow = None
    cur.execute("ALTER TABLE t DROP COLUMN a")
    cur.execute("ALTER TABLE t ADD COLUMN c int DEFAULT 3")
    assert shape(cur, query) == {"b": 2, "c": 3}
    cur.arrow = None
    cur.execute("ALTER TABLE t RENAME COLUMN b TO a")
    assert shape(cur, query) == {"a": 2, "c": 3}


WRAPPED = {
    "composite": ("ROW(1, 2)::pg_temp.pair", lambda pair: pair),
    "array": ("ARRAY[ROW(1, 2)::pg_temp.pair]", lambda pair: [pair]),
    "range": (
        "pg_temp.pairs(ROW(1, 2)::pg_temp.pair, NULL)",
        lambda pair: dict(zip(BOUNDS, [pair, None, True, False, False], strict=True)),
    ),
    "domain in a composite": (
        "ROW(ROW(1, 2)::pg_temp.pair)::pg_temp.outer_pair",
        lambda pair: {"inner": pair},
    ),
    "array of domains": ("ARRAY[ROW(1, 2)::pg_temp.own_pair]", lambda pair: [pair]),
}


@pytest.mark.parametrize("sql, wrapped", WRAPPED.values(), ids=WRAPPED)
def test_attributes_have_the_names_of_now_in_whatever_they_are(cur, sql, wrapped):
    cur.execute("CREATE TYPE pg_temp.pair AS (x int, y int)")
    cur.execute("CREATE DOMAIN pg_temp.own_pair AS pg_temp.pair")
    cur.execute("CREATE TYPE pg_temp.outer_pair AS (inner_pair pg_temp.own_pair)")
    cur.execute('ALTER TYPE pg_temp.outer_pair RENAME ATTRIBUTE inner_pair TO "inner"')
    cur.execute("CREATE TYPE pg_temp.pairs AS RANGE (subtype = pg_temp.pair)")
    query = f"SELECT {sql} AS v"
    assert shape(cur, query) == wrapped({"x": 1, "y": 2})
    cur.arrow = None
    cur.execute("ALTER TYPE pg_temp.pair RENAME ATTRIBUTE x TO z")
    cur.execute("ALTER TYPE pg_temp.pair RENAME ATTRIBUTE y TO x")
    assert shape(cur, query) == wrapped({"z": 1, "x": 2})


def test_results_keep_their_types_while_others_are_looked_up(cur):
    cur.execute("CREATE TYPE pg_temp.pair AS (x int, y int)")
    query = "SELECT ROW(1, 2)::pg_temp.pair AS v"
    cur.arrow = True
    cur.execute(query)
    with cur.connection.cursor() as other:
        other.execute("ALTER TYPE pg_temp.pair RENAME ATTRIBUTE x TO z")
        other.arrow = True
        other.execute(query)
        assert other.fetch_arrow_table().to_pylist() == [{"v": {"z": 1, "y": 2}}]
    assert cur.fetch_arrow_table().to_pylist() == [{"v": {"x": 1, "y": 2}}]


@pytest.mark.parametrize("prepare", [False, True])
def test_attributes_have_the_names_of_now_on_connections_of_sync(dsn, prepare):
    query = "SELECT ROW(1, 2)::pg_temp.pair AS v"
    with sync.connect(dsn) as conn:
        conn.execute("CREATE TYPE pg_temp.pair AS (x int, y int)")

        def read():
            arrived = pa.table(conn.read_arrow(query)).to_pylist()
            with conn.stream_arrow(query, prepare=prepare) as tables:
                assert [row for table in tables for row in pa.table(table).to_pylist()] == arrived
            return arrived

        assert read() == [{"v": {"x": 1, "y": 2}}]
        conn.execute("ALTER TYPE pg_temp.pair RENAME ATTRIBUTE x TO z")
        assert read() == [{"v": {"z": 1, "y": 2}}]


def test_attributes_have_the_names_of_now_in_named_cursors(cur):
    cur.execute("CREATE TYPE pg_temp.pair AS (x int, y int)")
    for name in "xz":
        with cur.connection.cursor("named") as named:
            named.execute("SELECT ROW(1, 2)::pg_temp.pair AS v")
            assert named.fetch_arrow_table().to_pylist() == [{"v": {name: 1, "y": 2}}]
        if name == "x":
            cur.execute("ALTER TYPE pg_temp.pair RENAME ATTRIBUTE x TO z")


@pytest.mark.parametrize(
    "sql, asked",
    [("1", 0), ("'a'::pg_temp.grade", 0), ("ARRAY['a'::pg_temp.grade]", 0), ("r", 1)],
)
def test_only_types_that_can_change_are_asked_for_again(message_relay, server, sql, asked):
    requests = []

    def rule(conversation, kind, body):
        if b"pg_catalog.pg_type" in body:
            requests.append(kind)
        pass_on(conversation, kind, body)

    found = message_relay((server.host, server.port), rule)
    conn = psycoxide.connect(**{**server.parameters, **found.options})
    with contextlib.closing(conn), conn.cursor() as cur:
        cur.execute("CREATE TYPE pg_temp.grade AS ENUM ('a')")
        cur.execute("CREATE TEMP TABLE r AS SELECT 'a'::pg_temp.grade AS g")
        cur.arrow = True
        cur.execute(f"SELECT {sql} AS v FROM r")
        requests.clear()
        cur.execute(f"SELECT {sql} AS v FROM r")
        assert cur.fetch_arrow().num_rows == 1
        assert len(requests) == asked
