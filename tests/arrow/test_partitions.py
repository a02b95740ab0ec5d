"""Partitions: nothing is lost or read twice, whatever is divided by whatever."""

from __future__ import annotations

import json
import pickle
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from fixtures.server import needs_version
from hypothesis import given, strategies as st

from psycoxide import NotSupportedError, OperationalError, ProgrammingError, errors, sql, sync
from psycoxide._arrow.descriptors import SETTINGS, Partition, unpacked

SCHEMA = "partitions"


@pytest.fixture(scope="module")
def place(dsn: str) -> Iterator[str]:
    """A DSN of sessions in a schema of these tests."""
    with sync.connect(dsn) as conn:
        conn.execute(f"drop schema if exists {SCHEMA} cascade")
        conn.execute(f"create schema {SCHEMA}")
        yield f"{dsn} options='-c search_path={SCHEMA}'"
        conn.execute(f"drop schema {SCHEMA} cascade")


@pytest.fixture(scope="module")
def conn(place: str) -> Iterator[Any]:
    """Whoever divides."""
    with sync.connect(place) as conn:
        yield conn


@pytest.fixture(scope="module")
def reader(dsn: str) -> Iterator[Any]:
    """Whoever reads: it has another search path and another time zone."""
    with sync.connect(dsn) as conn:
        conn.execute("set timezone = 'Asia/Tokyo'")
        yield conn


@pytest.fixture
def table(conn: Any) -> Iterator[str]:
    """A table of 100,000 rows."""
    conn.execute(
        "create table big as select g as id, case when g % 4 = 0 then 7 else g end as skewed,"
        " case when g % 2 = 0 then g end as half, (g % 3)::text as few, md5(g::text) as name"
        " from generate_series(1, 100000) as g"
    )
    conn.execute("create index on big (id)")
    conn.execute("analyze big")
    yield "big"
    conn.execute("drop table big cascade")


@pytest.fixture
def small(conn: Any) -> Iterator[str]:
    """A table of 100 rows."""
    conn.execute("create table little as select generate_series(1, 100) as id")
    yield "little"
    conn.execute("drop table little")


def divided(conn: Any, query: Any, params: Any = None, **options: Any) -> list[bytes]:
    partitions, _schema = conn.cursor().adbc_execute_partitions(query, params, **options)
    assert all(isinstance(partition, bytes) for partition in partitions)
    return list(partitions)


def read(reader: Any, partition: bytes) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = reader.cursor().adbc_read_partition(partition).fetchall()
    return rows


def parts(
    conn: Any, reader: Any, query: Any, params: Any = None, **options: Any
) -> list[list[tuple[Any, ...]]]:
    """The rows of each partition."""
    with conn.transaction():
        return [read(reader, each) for each in divided(conn, query, params, **options)]


def without_keys(partition: bytes) -> bytes:
    """The same partition without the values of its key, which may be too large for Python."""
    return partition.replace(b"select * from", b"select id from", 1)


def is_all_of(found: list[list[tuple[Any, ...]]], rows: list[tuple[Any, ...]]) -> bool:
    return Counter(map(repr, (row for part in found for row in part))) == Counter(map(repr, rows))


# ---- whatever the values ------------------------------------------------------------------------

NUMERICS = st.one_of(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9
    ),
    st.just(Decimal("NaN")),
)
DATES = st.one_of(
    st.dates().map(str),
    st.sampled_from(["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"]),
)
TIMESTAMPS = st.one_of(
    st.datetimes().map(str),
    st.sampled_from(["infinity", "-infinity", "4713-01-01 BC", "294276-12-31 23:59:59"]),
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
# The types of keys, and texts that their input functions take.
KEYS: dict[str, st.SearchStrategy[str]] = {
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-5, 5).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "numeric": NUMERICS.map(str),
    "numeric(6, 2)": st.integers(-99, 99).map(str),
    "float4": st.floats(width=32).map(str),
    "float8": st.floats().map(str),
    "bool": st.booleans().map(str),
    "text": TEXTS,
    'text collate "C"': TEXTS,
    "varchar(8)": TEXTS,
    "char(8)": TEXTS,
    '"char"': st.sampled_from("aZ%$'"),
    "name": st.text("aB %'\"\\$", max_size=5),
    "bytea": st.binary(max_size=5).map(lambda value: f"\\x{value.hex()}"),
    "date": DATES,
    "time": st.times().map(str),
    "timestamp": TIMESTAMPS,
    "timestamptz": TIMESTAMPS,
    "interval": st.integers(-(10**9), 10**9).map(lambda seconds: f"{seconds} seconds"),
    "uuid": st.uuids().map(str),
    "inet": st.ip_addresses().map(str),
    "int4[]": st.lists(st.integers(-3, 3), max_size=3).map(
        lambda v: str(v).translate({91: "{", 93: "}"})
    ),
    "text[]": st.sampled_from(["{}", '{"a b",c}', "{NULL}", '{"%s"}', '{"$1"}']),
    "daterange": st.sampled_from(["empty", "[2020-01-02,2021-03-04)", "(,infinity)"]),
    "mood": st.sampled_from(["sad", "it's ok", "100% happy"]),
    "small": st.integers(0, 9).map(str),
    "pair": st.tuples(st.integers(0, 3), st.sampled_from("ab%")).map(lambda v: f"({v[0]},{v[1]})"),
}


@pytest.fixture(scope="module")
def own_types(conn: Any) -> None:
    conn.execute("create type mood as enum ('sad', 'it''s ok', '100% happy')")
    conn.execute("create domain small as int check (value < 10)")
    conn.execute("create type pair as (number int, letter text)")


@st.composite
def keyed(draw: Any) -> tuple[str, list[str | None]]:
    """A type, and values of it: few or many, with repetitions and without values."""
    kind = draw(st.sampled_from(sorted(KEYS)))
    some = draw(st.lists(st.one_of(st.none(), KEYS[kind]), max_size=30))
    return kind, [value for value in some for _ in range(draw(st.sampled_from([1, 1, 2, 40])))]


@given(
    table=keyed(),
    analyzed=st.booleans(),
    indexed=st.booleans(),
    count=st.integers(1, 9),
    shape=st.sampled_from(["table", "query", "view", "expression", "ctid"]),
)
def test_the_parts_are_the_whole(
    conn: Any,
    reader: Any,
    own_types: None,
    table: tuple[str, list[str | None]],
    analyzed: bool,
    indexed: bool,
    count: int,
    shape: str,
) -> None:
    kind, values = table
    conn.execute(f'create table item (id serial, "a key" {kind})')
    type_ = kind.split(" collate")[0]
    if values:
        conn.execute(
            f'insert into item ("a key") select v::{type_} from unnest(%s::text[]) as v', [values]
        )
    if indexed:
        conn.execute('create index on item ("a key")')
    if analyzed:
        conn.execute("analyze item")
    query = {
        "table": "item",
        "ctid": "item",
        "query": "select * from item where %(no)s::int is null -- at 100 %%",
        "view": "seen",
        "expression": 'select id, coalesce("a key", null) as "a key" from item;',
    }[shape]
    conn.execute("create view seen as select * from item")
    on = "ctid" if shape == "ctid" else "a key"
    params = {"no": None} if shape == "query" else None
    if shape == "ctid":
        needs_version(conn, 14, "reading ranges of pages")
    try:
        with conn.transaction():
            partitions = divided(conn, query, params, on=on, partitions=count)
            found = [read(reader, without_keys(each)) for each in partitions]
    finally:
        conn.execute("drop table item cascade")
    numbers = [row[0] for part in found for row in part]
    assert sorted(numbers) == list(range(1, len(values) + 1))
    # At most one more, without values.
    assert 1 <= len(found) <= count + 1


def test_names_and_values_that_look_like_placeholders(conn: Any, reader: Any) -> None:
    conn.execute('create table odd (id int, "100%s $1 ""\\x" text)')
    conn.execute("insert into odd select g, '%s' || g || '$1\\''' from generate_series(1, 50) as g")
    on = '100%s $1 "\\x'
    for query, params in [
        ("odd", None),
        ("select * from odd", None),
        ("select * from odd where id > %s", [0]),
        ("select * from odd where id > %(id)s", {"id": 0}),
    ]:
        found = parts(conn, reader, query, params, on=on, partitions=5)
        assert len(found) > 2
        assert sorted(row[0] for part in found for row in part) == list(range(1, 51))
    conn.execute("drop table odd")


def test_the_column_s_own_collation_orders_the_bounds(conn: Any, reader: Any) -> None:
    conn.execute('create table word (w text collate "C")')
    conn.execute(
        "insert into word select chr(case when g % 2 = 0 then 65 else 97 end + g % 26) || g"
        " from generate_series(1, 5000) as g"
    )
    for _ in range(2):
        found = parts(conn, reader, "select w from word", on="w", partitions=7)
        assert sum(map(len, found)) == 5000
        assert is_all_of(found, conn.fetch("select w from word"))
        ordered = [sorted(row[0] for row in part) for part in found if part]
        assert [w for part in ordered for w in part] == sorted(w for part in ordered for w in part)
        assert max(map(len, found)) < 2 * 5000 / 7
        conn.execute("analyze word")
    conn.execute("drop table word")


# ---- which rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["id", "ctid"])
def test_what_others_commit_meanwhile_is_in_none(
    conn: Any, reader: Any, table: str, on: str
) -> None:
    if on == "ctid":
        needs_version(conn, 14, "reading ranges of pages")
    with conn.transaction(isolation="repeatable read", read_only=True):
        partitions = divided(conn, table, on=on, partitions=4)
        reader.execute(
            f"insert into {SCHEMA}.big (id) select -g from generate_series(1, 1000) as g"
        )
        first = read(reader, partitions[0])
        reader.execute(f"update {SCHEMA}.big set id = id + 1000000 where id % 10 = 0")
        reader.execute(f"delete from {SCHEMA}.big where id % 10 = 1")
        rows = first + [row for each in partitions[1:] for row in read(reader, each)]
        again = [row for each in partitions for row in read(reader, each)]
    assert sorted(row[0] for row in rows) == list(range(1, 100_001))
    assert Counter(again) == Counter(rows)
    assert (
        reader.fetchval(f"select count(*) from {SCHEMA}.big where id between 1 and 100000")
        == 80_000
    )


def test_what_the_transaction_has_not_committed_is_in_none(
    conn: Any, reader: Any, table: str
) -> None:
    with conn.transaction():
        conn.execute("insert into big (id) values (-1)")
        found = [read(reader, each) for each in divided(conn, table, on="id", partitions=3)]
        assert conn.fetchval("select count(*) from big") == 100_001
    assert sum(map(len, found)) == 100_000


def test_a_table_cannot_be_emptied_between_two_parts(conn: Any, reader: Any, table: str) -> None:
    with conn.transaction():
        partitions = divided(conn, table, on="id", partitions=2)
        with pytest.raises(errors.LockNotAvailable):
            reader.execute(f"set lock_timeout = '50ms'; truncate {SCHEMA}.big")
        assert sum(len(read(reader, each)) for each in partitions) == 100_000


def test_who_waits_for_the_table_does_not_make_readers_wait_for_ever(
    conn: Any, reader: Any, dsn: str, table: str
) -> None:
    with sync.connect(dsn) as other, ThreadPoolExecutor(1) as thread:
        with conn.transaction():
            partitions = divided(conn, table, on="id", partitions=2)
            waiting = thread.submit(other.execute, f"truncate {SCHEMA}.big")
            until = time.monotonic() + 20
            while not conn.fetchval("select exists (select from pg_locks where not granted)"):
                assert time.monotonic() < until
            reader.execute("set lock_timeout = '200ms'")
            with pytest.raises(errors.LockNotAvailable, match="somebody waits to change a table"):
                read(reader, partitions[0])
            reader.execute("reset lock_timeout")
        waiting.result(20)


def test_parameters_and_settings_mean_the_same_to_the_reader(conn: Any, reader: Any) -> None:
    conn.execute("create table event (at timestamptz)")
    conn.execute(
        "insert into event select timestamptz '2026-01-01 00:00+00' + g * interval '1 hour'"
        " from generate_series(0, 47) as g"
    )
    conn.execute("set timezone = 'America/New_York'; set datestyle = 'SQL, DMY'")
    query = "select at::text from event where at >= '02/01/2026' and at < %s"
    whole = conn.fetch(query, ["03/01/2026"])
    assert 0 < len(whole) < 48
    found = parts(conn, reader, query, ["03/01/2026"], on="at", partitions=5)
    conn.execute("reset timezone; reset datestyle; drop table event")
    assert len(found) > 2
    assert is_all_of(found, whole)


# ---- balance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("analyzed", [True, False])
@pytest.mark.parametrize("shape", ["table", "query"])
def test_parts_have_about_equally_many_rows(
    conn: Any, reader: Any, table: str, analyzed: bool, shape: str
) -> None:
    if not analyzed:
        conn.execute("create table fresh as select * from big")
        table = "fresh"
    query = table if shape == "table" else f"select * from {table}"
    sizes = {
        on: [len(part) for part in parts(conn, reader, query, on=on, partitions=8)]
        for on in ("id", "skewed", "half", "few")
    }
    if not analyzed:
        conn.execute("drop table fresh")
    assert all(sum(each) == 100_000 for each in sizes.values())
    assert max(sizes["id"]) < 1.5 * 100_000 / 8
    # A quarter of the rows has one value, half of them have none.
    assert max(sizes["skewed"]) < 25_000 + 1.5 * 100_000 / 8
    assert sorted(sizes["skewed"])[-2] < 1.5 * 100_000 / 8
    assert sorted(sizes["half"])[-1] == 50_000
    assert sorted(sizes["half"])[-2] < 1.5 * 50_000 / 8
    assert sorted(sizes["few"])[-3:] == [33_333, 33_333, 33_334]


def test_old_statistics_are_not_believed(conn: Any, reader: Any, table: str) -> None:
    conn.execute(f"insert into {table} (id) select g from generate_series(100001, 300000) as g")
    sizes = [len(part) for part in parts(conn, reader, table, on="id", partitions=6)]
    assert sum(sizes) == 300_000
    assert max(sizes) < 1.5 * 300_000 / 6


def test_a_narrow_query_is_divided_within_its_range(conn: Any, reader: Any, table: str) -> None:
    query = "select * from big where id > %s"
    sizes = [len(part) for part in parts(conn, reader, query, [80_000], on="id", partitions=4)]
    assert sum(sizes) == 20_000
    assert max(sizes) < 2 * 20_000 / 4


def test_pages_are_shared_out_equally(conn: Any, reader: Any, table: str) -> None:
    needs_version(conn, 14, "reading ranges of pages")
    with conn.transaction():
        partitions = divided(conn, table, partitions=8)
        plan = conn.fetch(f"explain {json.loads(partitions[3])['statement']}")
        sizes = [len(read(reader, each)) for each in partitions]
    assert "Tid Range Scan" in plan[0][0]
    assert len(sizes) == 8 and sum(sizes) == 100_000
    assert max(sizes) < 1.2 * 100_000 / 8


def test_the_partitions_of_a_table_are_read_through_it(conn: Any, reader: Any) -> None:
    needs_version(conn, 14, "reading ranges of pages")
    conn.execute("create table sale (id int, day date, note text) partition by range (day)")
    conn.execute(
        "create table sale_1 partition of sale for values from ('2026-01-01') to ('2026-02-01')"
    )
    # Its columns are in another order.
    conn.execute("create table sale_2 (note text, gone int, day date, id int)")
    conn.execute("alter table sale_2 drop column gone")
    conn.execute(
        "alter table sale attach partition sale_2 for values from ('2026-02-01') to ('2026-03-01')"
    )
    conn.execute("create table sale_3 partition of sale default")
    conn.execute(
        "insert into sale select g, date '2026-01-01' + g % 59, repeat('x', 50)"
        " from generate_series(1, 20000) as g"
    )
    whole = conn.fetch("select * from sale")
    for on in ("ctid", "id", "day"):
        for _ in range(2):
            found = parts(conn, reader, "sale", on=on, partitions=6)
            assert is_all_of(found, whole)
            assert max(map(len, found)) < 1.6 * 20_000 / 6
        conn.execute("analyze sale")
    conn.execute("drop table sale")


def test_heirs_are_read_with_their_table(conn: Any, reader: Any) -> None:
    needs_version(conn, 14, "reading ranges of pages")
    conn.execute("create table animal (id int); create table dog (barks bool) inherits (animal)")
    conn.execute("insert into animal select generate_series(1, 3000)")
    conn.execute("insert into dog select generate_series(3001, 9000), true")
    for on in ("ctid", "id"):
        found = parts(conn, reader, "animal", on=on, partitions=4)
        assert sorted(row[0] for part in found for row in part) == list(range(1, 9001))
        only = parts(conn, reader, "select * from only animal", on="id", partitions=4)
        assert sorted(row[0] for part in only for row in part) == list(range(1, 3001))
    conn.execute("drop table animal cascade")


# ---- what can be divided ------------------------------------------------------------------------


def test_names_of_tables(conn: Any, reader: Any) -> None:
    conn.execute('create table "Odd ""Name" (id int)')
    conn.execute('insert into "Odd ""Name" values (1)')
    for name in (
        '"Odd ""Name"',
        f'{SCHEMA}."Odd ""Name"',
        f'  {SCHEMA} . "Odd ""Name" ',
        sql.Identifier('Odd "Name'),
        sql.Identifier(SCHEMA, 'Odd "Name'),
        'table "Odd ""Name"',
        b'"Odd ""Name"',
    ):
        assert parts(conn, reader, name, on="id") == [[(1,)]]
    conn.execute('drop table "Odd ""Name"')


# What is divided, by which column, the error, and what it says.
REFUSED: list[tuple[str, Any, str | None, type[Exception], str]] = [
    ("select 1 as a", None, None, ProgrammingError, "this is a query: say on="),
    ("select 1 as a", None, "ctid", ProgrammingError, "this is a query: say on="),
    ("seen", None, None, ProgrammingError, "seen is a view: say on="),
    ("seen", None, "ctid", ProgrammingError, "seen is a view: say on="),
    ("far", None, None, ProgrammingError, "far is a foreign table: say on="),
    ("mixed", None, None, ProgrammingError, "mixed is a partitioned table: say on="),
    ("nowhere", None, None, errors.UndefinedTable, "no table or view nowhere"),
    ("numbers", None, None, NotSupportedError, "numbers is neither a table nor a view"),
    ("seen", None, "b", ProgrammingError, 'no column "b" .* columns are id'),
    ("seen", [1], "id", ProgrammingError, "a table has no parameters"),
    ("select 1 as a, 2 as a", None, "a", ProgrammingError, 'more than one column "a"'),
    ("select '{}'::json as a", None, "a", ProgrammingError, "values of its type have no order"),
    ("select point '(1,2)' as a", None, "a", ProgrammingError, "of its type have no order"),
    ("select 1::money as a", None, "a", NotSupportedError, "divide by numeric"),
    ("show search_path", None, "a", ProgrammingError, "only what can stand in the FROM"),
    ("", None, "a", ProgrammingError, "only what can stand in the FROM"),
    ("delete from only_here returning id", None, "id", ProgrammingError, "only what can stand"),
    ("select 1 as a; select 2 as a", None, "a", ProgrammingError, "only what can stand"),
    ("select $1::int as a", [1], "a", ProgrammingError, "mark them by %s"),
    ("select %s as a", [1, 2], "a", ProgrammingError, "not all arguments"),
    ("select 1/0 as a", None, "a", errors.DivisionByZero, "division by zero"),
]


@pytest.mark.parametrize(("query", "params", "on", "error", "text"), REFUSED)
def test_what_cannot_be_divided_is_refused(
    conn: Any, reader: Any, query: str, params: Any, on: str | None, error: Any, text: str
) -> None:
    conn.execute(
        "create table only_here (id int); create view seen as table only_here;"
        "create sequence numbers; create foreign data wrapper nothing;"
        "create server far_away foreign data wrapper nothing;"
        "create foreign table far (id int) server far_away;"
        "create table mixed (id int) partition by list (id);"
        "create foreign table mixed_1 partition of mixed for values in (1) server far_away"
    )
    try:
        with pytest.raises(error, match=text):
            parts(conn, reader, query, params, on=on)
        assert conn.fetchval("select 1") == 1
    finally:
        conn.execute("drop foreign data wrapper nothing cascade; drop sequence numbers")
        conn.execute("drop table only_here, mixed cascade")


def test_bad_arguments_are_refused(conn: Any) -> None:
    cursor = conn.cursor()
    with pytest.raises(ProgrammingError, match=r"conn\.transaction\(\)"):
        cursor.adbc_execute_partitions("pg_class", on="oid")
    with conn.transaction(force_rollback=True):
        with pytest.raises(ProgrammingError, match="at least one"):
            cursor.adbc_execute_partitions("pg_class", on="oid", partitions=0)
        with pytest.raises(TypeError, match="got int"):
            cursor.adbc_execute_partitions(5, on="oid")


def test_temporary_tables_are_seen_by_nobody_else(conn: Any) -> None:
    conn.execute("create temporary table mine (id int)")
    with conn.transaction(), pytest.raises(ProgrammingError, match="temporary"):
        divided(conn, "mine", on="id")
    conn.execute("drop table mine")


# ---- descriptors --------------------------------------------------------------------------------


def test_a_descriptor_is_plain_data_without_a_secret(
    conn: Any, reader: Any, place: str, small: str
) -> None:
    with conn.transaction():
        partitions = pickle.loads(pickle.dumps(divided(conn, small, on="id", partitions=2)))
        secret = conn.info.password
        for partition in partitions:
            content = json.loads(partition)
            assert set(content) == {
                "format", "version", "statement", "snapshot", "server", "settings",
            }  # fmt: skip
            assert secret and secret not in partition.decode()
        assert sum(len(read(reader, each)) for each in partitions) == 100


def test_outside_autocommit_mode_the_transaction_is_that_of_the_statement(
    place: str, reader: Any, small: str
) -> None:
    with sync.connect(place, autocommit=False) as conn:
        partitions = divided(conn, small, on="id", partitions=2)
        assert sum(len(read(reader, each)) for each in partitions) == 100
        conn.rollback()
        with pytest.raises(OperationalError, match="is gone"):
            read(reader, partitions[0])
    with conn_without_autocommit(place) as conn:
        conn.fetch("select 1")
        with pytest.raises(ProgrammingError, match="end the transaction"):
            read(conn, partitions[0])


def conn_without_autocommit(place: str) -> Any:
    return sync.connect(place, autocommit=False)


def test_a_snapshot_ends_with_its_transaction(conn: Any, reader: Any, small: str) -> None:
    with conn.transaction():
        partitions = divided(conn, small, on="id", partitions=2)
        with pytest.raises(ProgrammingError, match="a transaction of its own"):
            read(conn, partitions[0])
    with pytest.raises(OperationalError, match="lasts as long as the transaction") as caught:
        read(reader, partitions[0])
    assert isinstance(caught.value.__cause__, errors.DatabaseError)
    assert reader.fetchval("select 1") == 1


def test_a_partition_of_another_server_or_database_is_refused(
    conn: Any, reader: Any, dsn: str, small: str
) -> None:
    with conn.transaction():
        content = json.loads(divided(conn, small, on="id")[0])
        content["server"] = "elsewhere@1"
        with pytest.raises(OperationalError, match="another server"):
            read(reader, json.dumps(content).encode())
        partition = divided(conn, small, on="id")[0]
        with (
            sync.connect(dsn, dbname="postgres") as other,
            pytest.raises(OperationalError, match="another database"),
        ):
            read(other, partition)


DAMAGED: list[tuple[Any, type[Exception], str]] = [
    ({"format": "other"}, ProgrammingError, "not a partition"),
    ({"version": 2}, NotSupportedError, "version 2"),
    ({"version": None}, NotSupportedError, "version None"),
    ({"statement": 5}, ProgrammingError, "damaged"),
    ({"statement": "select 1\0"}, ProgrammingError, "damaged"),
    ({"snapshot": "00000003-00000012-1'; drop table little; --"}, ProgrammingError, "damaged"),
    ({"snapshot": None}, ProgrammingError, "damaged"),
    ({"server": []}, ProgrammingError, "damaged"),
    ({"settings": {}}, ProgrammingError, "damaged"),
    ({"settings": {"role": "postgres"}}, ProgrammingError, "damaged"),
    ({"settings": None}, ProgrammingError, "damaged"),
    ({"statement": "select '\ud800'"}, ProgrammingError, "damaged"),
    ({"server": "\ud800"}, ProgrammingError, "damaged"),
]


@pytest.mark.parametrize(("change", "error", "text"), DAMAGED)
def test_damaged_descriptors_are_refused(
    conn: Any, reader: Any, small: str, change: Any, error: Any, text: str
) -> None:
    with conn.transaction():
        content = json.loads(divided(conn, small, on="id")[0])
        with pytest.raises(error, match=text):
            read(reader, json.dumps({**content, **change}).encode())
        assert reader.fetchval(f"select count(*) from {SCHEMA}.little") == 100


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"", b"\x80\x04N.", b"[]", b"null", b'"text"', b"{}", b"\xff\xfe"]
)
def test_other_bytes_are_refused(reader: Any, data: bytes) -> None:
    with pytest.raises(ProgrammingError, match="not a partition"):
        read(reader, data)
    with pytest.raises(TypeError, match="got str"):
        read(reader, data.decode("latin-1"))  # type: ignore[arg-type]


@given(
    name=st.sampled_from(SETTINGS), bad=st.sampled_from(["\0", "\ud800", "\udfff"]), at=st.text()
)
def test_settings_that_cannot_be_sent_are_refused(name: str, bad: str, at: str) -> None:
    part = Partition("select 1", "00000003-00000012-1", "db@1", dict.fromkeys(SETTINGS, "x"))
    content = json.loads(part.packed())
    content["settings"][name] = at + bad
    with pytest.raises(ProgrammingError, match="damaged"):
        unpacked(json.dumps(content).encode())


NO_QUERIES = [
    "select 1; commit; create table public.breach (a int); select 'breach'",
    "select 1) as part; commit; create table public.breach (a int); select * from (select 1",
    "commit",
    "set role none",
    "set session characteristics as transaction read write",
    f"delete from {SCHEMA}.little",
    "",
    "select 1; select 2",
    "select $q$'$q$; commit; select 'a'",
    "copy (select 1) to stdout",
]


@pytest.mark.parametrize("arrow", [None, True])
@pytest.mark.parametrize("statement", NO_QUERIES)
def test_a_descriptor_only_reads(
    conn: Any, reader: Any, small: str, statement: str, arrow: Any
) -> None:
    with conn.transaction():
        content = json.loads(divided(conn, small, on="id")[0])
        content["statement"] = statement
        cursor = reader.cursor()
        cursor.arrow = arrow
        with pytest.raises(ProgrammingError, match="not one query"):
            cursor.adbc_read_partition(json.dumps(content).encode())
    assert reader.fetchval("select to_regclass('public.breach')") is None
    assert reader.fetchval("show default_transaction_read_only") == "off"
    assert reader.fetchval(f"select count(*) from {SCHEMA}.little") == 100


def test_a_setting_of_a_descriptor_does_not_stay(conn: Any, reader: Any, small: str) -> None:
    before = reader.fetchval("show search_path")
    with conn.transaction():
        content = json.loads(divided(conn, small, on="id")[0])
        content["statement"] = "select set_config('search_path', 'elsewhere', false)"
        assert read(reader, json.dumps(content).encode()) == [("elsewhere",)]
    assert reader.fetchval("show search_path") == before


@pytest.mark.parametrize("end", [";", "", " -- a; b", " /* ; */"])
def test_marks_within_a_query_do_not_end_it(conn: Any, reader: Any, small: str, end: str) -> None:
    with conn.transaction():
        content = json.loads(divided(conn, small, on="id")[0])
        content["statement"] = "select ';', $$a;'b$$, 1 as \";\"" + end
        assert read(reader, json.dumps(content).encode()) == [(";", "a;'b", 1)]


def test_a_query_that_writes_is_refused(conn: Any, reader: Any, small: str) -> None:
    with conn.transaction():
        content = json.loads(divided(conn, small, on="id")[0])
        content["statement"] = f"select * from {SCHEMA}.little for update"
        with pytest.raises(errors.ReadOnlySqlTransaction):
            read(reader, json.dumps(content).encode())
    assert reader.fetchval("select 1") == 1


def test_backslashes_mean_the_same_where_a_partition_is_read(conn: Any, small: str) -> None:
    with conn.transaction():
        conn.execute("set local standard_conforming_strings = off")
        with pytest.raises(NotSupportedError, match="standard_conforming_strings"):
            divided(conn, small, on="id")
