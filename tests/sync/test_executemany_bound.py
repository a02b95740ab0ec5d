# Generated from tests/aio/test_executemany_bound.py by tools/generate_sync.py: do not edit.
"""`executemany()` bound on the server: each row means what it means to `execute()`."""

from __future__ import annotations

import datetime
import decimal
import random
import re
from pathlib import Path

import pytest
from fixtures.messages import message
from fixtures.relay import MessageRelay

import psycoxide
from psycoxide import errors, extensions, sync

TABLE = """create temp table {} (
    n int primary key, i int4, l int8, d numeric, f float8, t text, v varchar(9), b bool,
    at timestamptz, j jsonb, a int[])"""
UTC = datetime.timezone.utc

#: What each column is given.
VALUES = {
    "i": (1, -5, True + 1, "12", decimal.Decimal(7), 2.5, None),
    "l": (1, 2**40, "13", decimal.Decimal(8), 1e9, None),
    "d": (1, 2**40, decimal.Decimal("1.50"), 0.1, "1e3", 10**30, None),
    "f": (1, 2**33, decimal.Decimal("1.5"), 0.1, float("nan"), "2.25", None),
    "t": ("x", "it's \\", "", 5, 2**35, decimal.Decimal("1.10"), True, None),
    "v": ("x", "y", None),
    "b": (True, False, "yes", None),
    "at": (
        datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
        datetime.datetime(2024, 1, 2, tzinfo=UTC),
        datetime.date(2024, 1, 2),
        "2024-01-02",
        None,
    ),
    "j": ('{"a": 1}', "[1]", None),
    "a": ([1, 2], [3], "{4}", None),
}
COLUMNS = tuple(VALUES)
#: What most servers refuse for one column or another.
UNFIT = ("no", 10**12, True, 1.5, datetime.date(2024, 1, 2), [1], b"x")

PLAIN = f"insert into {{}} values (%(n)s, {', '.join(f'%({name})s' for name in COLUMNS)})"
MERGE = """merge into {} m
    using (select %(n)s::int as n, %(t)s::text as t, %(l)s::int8 as l) s on m.n = s.n
    when matched and s.l > 1 then update set l = s.l
    when matched then delete
    when not matched then insert (n, t) values (s.n, s.t)"""
STATEMENTS = [
    PLAIN,
    f"/* all */ {PLAIN} ;",
    f"{PLAIN} on conflict (n) do update set t = excluded.t, l = %(l)s",
    f"{PLAIN} on conflict do nothing returning t",
    "insert into {} (n, t, i) select %(n)s, coalesce(%(t)s, 'none'), %(i)s",
    "with s(n, t) as (values (%(n)s, %(t)s)) insert into {} (n, t) select n, t::text from s",
    "update {} set i = %(i)s, l = %(l)s, d = %(d)s, t = %(t)s where n = %(n)s",
    "update {} set f = f + %(f)s, d = coalesce(%(d)s, 5), t = t || %(t)s where n > %(n)s",
    "update {} set t = case when %(l)s is null then 'null' else t end where n = %(n)s",
    "delete from {} where n = %(n)s and (b = %(b)s or t = %(t)s)",
    MERGE,
]


@pytest.fixture
def tables(conn):
    """The name of a table to be written at once, and that of one to be written by a loop."""
    conn.execute("set intervalstyle to postgres")
    for name in ("many", "looped"):
        conn.execute(TABLE.format(name))
        conn.execute(
            f"insert into {name} (n, i, l, t, b) select g, g, g, g::text, g % 2 = 0"
            " from generate_series(0, 50, 7) g"
        )
    return "many", "looped"


def contents(conn, table):
    return conn.fetch(f"select {table}::text from {table} order by n, 1")


def looped(conn, query, rows):
    """What a loop over `execute()` gives: the sum of the row counts, or the class of the error."""
    total = 0
    try:
        with conn.transaction():
            for row in rows:
                total += conn.execute(query, row).rowcount
    except psycoxide.Error as error:
        return type(error)
    return total


def at_once(conn, query, rows, **options):
    try:
        return conn.executemany(query, rows, **options).rowcount
    except psycoxide.Error as error:
        return type(error)


def make_rows(dice, count, *, unfit):
    keys = dice.sample(range(count * 2), count)
    rows = [{"n": key, **{name: dice.choice(VALUES[name]) for name in COLUMNS}} for key in keys]
    if dice.random() < 0.6:
        # Otherwise operators refuse one of many rows nearly always.
        for row in rows:
            row["t"] = None if row["t"] is None else str(row["t"])
            row["b"] = bool(row["b"])
    if unfit:
        dice.choice(rows)[dice.choice(COLUMNS)] = dice.choice(UNFIT)
    return rows


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("unfit", [False, True])
def test_rows_mean_what_they_mean_to_execute(conn, tables, statement, unfit):
    if statement == MERGE and conn.info.server_version < 150000:
        pytest.skip("MERGE came with PostgreSQL 15")
    dice = random.Random(f"{statement} {unfit}")
    for _ in range(12):
        rows = make_rows(dice, dice.choice([1, 5, 40, 300]), unfit=unfit)
        # Many rows of the same types in front, so that others come within a batch, too.
        rows = sorted(rows, key=lambda row: row["l"] is not None) if dice.random() < 0.5 else rows
        results = [
            run(conn, statement.format(table), rows)
            for run, table in zip((at_once, looped), tables)
        ]
        assert results[0] == results[1]
        many, loop = [contents(conn, table) for table in tables]
        assert many == loop


def test_types_decide_about_functions(conn):
    rows = [1, 2, 2**40, decimal.Decimal(1), 1.5, True, [1], [2**40], 3, datetime.date(2024, 1, 1)]
    query = "select pg_typeof(%s)::text"
    cursor = conn.executemany(query, [(row,) for row in rows], returning=True)
    found = [name for (name,) in cursor.fetchall()]
    assert found == [conn.fetchval(query, (row,)) for row in rows]
    assert len(set(found)) == 8


def test_a_null_has_no_type_where_that_matters(conn):
    query = "select coalesce(%s, %s)::text"
    rows = [(1, "5"), (None, "x"), (2, "007"), (None, "007"), (None, None)]
    cursor = conn.executemany(query, rows, returning=True)
    found = cursor.fetchall()
    assert found == [("1",), ("x",), ("2",), ("007",), (None,)]


def test_integers_go_with_wider_numbers(conn, server, message_relay):
    numbers = [1, 0.5, 7, 10**15, 10**14, -3, -(10**15), 2**40, 2**53 + 1, -0.0, 0, 1e15, 5]
    decimals = [1, 2**40, -7, decimal.Decimal("1.50"), 3, 10**30, 2**62, 0]
    for column in ("text", "float8", "numeric", "int8", "varchar", "float4", "numeric(40, 1)"):
        conn.execute(f"create temp table many (k int, v {column})")
        conn.execute("create temp table looped (like many)")
        query = "insert into {} values (%s, %s)"
        for values in (numbers, decimals, numbers[::-1], decimals[::-1]):
            rows = [(k, value) for k, value in enumerate(values * 30)]
            results = [
                run(conn, query.format(table), rows)
                for run, table in ((at_once, "many"), (looped, "looped"))
            ]
            assert results[0] == results[1], column
        many, loop = [
            conn.fetch(f"select v::text, count(*) from {table} group by 1 order by 1")
            for table in ("many", "looped")
        ]
        assert many == loop
        conn.execute("drop table many, looped")
    found = through(message_relay, server)
    with sync.connect(**{**server.parameters, **found.options}) as conn:
        conn.execute("create temp table many (v float8)")
        conn.executemany(
            "insert into many values (%s)", [(n if n % 2 else n / 4,) for n in range(999)]
        )
        assert sent(found).count(b"P") < 12


def test_tests_for_null(conn):
    query = "select %s is null, %s::text"
    rows = [(None, "a"), (1, "b"), ("x", "c"), (None, "d"), (2, "e")]
    cursor = conn.executemany(query, rows, returning=True)
    assert cursor.fetchall() == [
        (True, "a"), (False, "b"), (False, "c"), (True, "d"), (False, "e"),
    ]  # fmt: skip


def test_values_that_are_merged_stay_in_their_row(conn):
    query = "select %s + 1 as n, %s::text as t"
    rows = [(n, "x") for n in range(300)]
    rows[100] = (extensions.AsIs("100 * 1"), "raw")
    rows[299] = (299, extensions.AsIs("'ra' || 'w'"))
    cursor = conn.executemany(query, rows, returning=True)
    found = cursor.fetchall()
    assert [n for n, _ in found] == list(range(1, 301))
    assert [(n, text) for n, text in found if text != "x"] == [(101, "raw"), (300, "raw")]


def test_raw_sql_that_is_more_than_a_value(conn, tables):
    query = "insert into {} (n) values (%s)"
    for run, table in ((at_once, "many"), (looped, "looped")):
        raw = [
            extensions.AsIs("60), (61"),
            63,
            extensions.AsIs(f"62); delete from {table} where (n < 42"),
        ]
        items = [(value,) for value in (*range(100, 400), *raw, 64)]
        # The row count of several statements is that of the last one.
        assert run(conn, query.format(table), items) == 300 + 2 + 1 + 6 + 1
    many, loop = [contents(conn, table) for table in tables]
    assert many == loop
    assert len(many) == 2 + 300 + 2 + 1 + 1 + 1
    with pytest.raises(ValueError, match="NUL"):
        conn.executemany(
            query.format("many"), [*((n,) for n in range(500, 520)), (extensions.AsIs("\0"),)]
        )
    assert contents(conn, "many") == many


@pytest.mark.parametrize(
    "query", ["select $2::text || $1::text", "select %s::text || %s::text", "select %(a)s || %(b)s"]
)
def test_all_ways_to_write_placeholders(conn, query):
    rows = [("a", "b"), ("c", "d"), ("e", None)]
    if "(a)" in query:
        rows = [dict(zip("ab", row)) for row in rows]
    cursor = conn.executemany(query, rows, returning=True)
    expected = ["ba", "dc", None] if "$" in query else ["ab", "cd", None]
    assert cursor.fetchall() == [(text,) for text in expected]


def test_a_placeholder_in_quotes_is_refused(conn, tables):
    with pytest.raises(psycoxide.ProgrammingError, match="inside a string constant"):
        conn.executemany("update many set t = '%s' where n = %s", [("x", 1)])
    with pytest.raises(psycoxide.ProgrammingError, match=re.escape("both %s and $1")):
        conn.executemany("update many set t = $1 where n = %s", [("x", 1)])


def test_an_error_about_a_type_names_the_placeholder(conn):
    with pytest.raises(errors.IndeterminateDatatype, match=re.escape("%s (number 2)")):
        conn.executemany("select %s + 1, pg_typeof(%s)", [(1, 2), (1, 3), (1, "x")])


@pytest.mark.parametrize("bad", [0, 1, 249, 250, 251, 749, 750, 1_000, 4_998, 4_999])
@pytest.mark.parametrize("returning", [False, True])
def test_an_error_shows_its_row(conn, tables, bad, returning):
    rows = [(100, n + 1000) for n in range(5_000)]
    rows[bad] = (0, bad + 1000)
    before = contents(conn, "many")
    cursor = conn.cursor()
    with pytest.raises(errors.DivisionByZero):
        cursor.executemany(
            "insert into many (i, n) values (100 / %s, %s) returning n", rows, returning=returning
        )
    expected = f"insert into many (i, n) values (100 / 0, {bad + 1000}) returning n"
    assert cursor.query.decode() == expected
    assert contents(conn, "many") == before
    assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_an_error_of_the_statement_shows_what_was_parsed(conn):
    cursor = conn.cursor()
    with pytest.raises(errors.UndefinedColumn) as caught:
        cursor.executemany("select nothing + %s", [(n,) for n in range(30)])
    assert cursor.query == b"select nothing + $1"
    assert caught.value.diag.statement_position == "8"


def test_an_error_of_the_server_comes_before_that_of_a_later_item(conn, tables):
    rows = [(n,) for n in range(100, 700)]
    with pytest.raises(errors.UniqueViolation):
        conn.executemany("insert into many (n) values (%s)", [*rows, (100,), (object(),)])
    with pytest.raises(psycoxide.ProgrammingError, match="can't adapt"):
        conn.executemany("insert into many (n) values (%s)", [*rows, (object(),), (100,)])
    assert conn.fetchval("select count(*) from many where n >= 100") == 0


def test_rows_before_an_item_that_fails_belong_to_the_open_transaction(conn, tables):
    conn.execute("begin")
    with pytest.raises(psycoxide.ProgrammingError, match="can't adapt"):
        conn.executemany(
            "insert into many (n) values (%s)", [*((n,) for n in range(100, 700)), (object(),)]
        )
    assert conn.fetchval("select count(*) from many where n >= 100") == 600
    conn.execute("rollback")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("update many set t = %s where n = %s returning n, t", 3),
        ("delete from many where coalesce(t, %s) = '7' or n = %s returning n, t", 4),
        ("insert into many (t, n) values (%s, %s) on conflict do nothing returning n, t", 297),
    ],
)
def test_returned_rows_are_in_order(conn, tables, query, expected):
    rows = [(None if n % 3 else f"x{n}", n) for n in range(0, 900, 3)]
    cursor = conn.executemany(query, rows, returning=True)
    found = cursor.fetchall()
    assert cursor.rowcount == len(found) == expected
    if not query.startswith("delete"):
        assert found == sorted(found)
        assert all(text == f"x{n}" for n, text in found)


def test_statements_that_return_no_rows_can_keep_them(conn, tables):
    cursor = conn.executemany(
        "update many set t = %s where n >= %s", [("x", 14), ("y", 50)], returning=True
    )
    assert cursor.rowcount == 6
    assert cursor.description is None


def test_tables_of_different_columns_are_refused(conn, tables):
    with pytest.raises(psycoxide.NotSupportedError, match="different columns"):
        conn.executemany("select %s", [(1,), ("x",)], returning=True)
    # Those of a later batch, too.
    rows = [*((n,) for n in range(400)), ("x",)]
    with pytest.raises(psycoxide.NotSupportedError, match="different columns"):
        conn.executemany("select %s", rows, returning=True)
    assert conn.executemany("select %s", rows).rowcount == 401


def test_many_returned_rows(conn, tables):
    rows = [(n, "x" * (n % 300)) for n in range(100, 20_100)]
    cursor = conn.executemany(
        "insert into many (n, t) values (%s, %s) returning n, t", rows, returning=True
    )
    assert cursor.fetchall() == rows


def through(message_relay, server, change=message):
    return message_relay((server.host, server.port), change=change)


def sent(found: MessageRelay) -> bytes:
    return found.conversations[-1].seen


def test_a_statement_is_parsed_once_for_each_batch(server, message_relay):
    found = through(message_relay, server)
    with sync.connect(**{**server.parameters, **found.options}) as conn:
        conn.execute("create temp table many (n int primary key, l int8, t text)")
        rows = [(n, None if n % 3 else n, None if n % 5 else "x") for n in range(2_000)]
        for query, batches in (
            ("insert into many values (%s, %s, %s)", 4),
            ("update many set l = %(b)s, t = %(c)s where n = %(a)s", 4),
        ):
            items = rows if "%s" in query else [dict(zip("abc", row)) for row in rows]
            begin = len(sent(found))
            conn.executemany(query, items)
            seen = sent(found)[begin:]
            assert seen.count(b"B") >= 2_000
            # NULL has a type of its own up to the first value.
            assert seen.count(b"P") <= batches + 6, seen.count(b"P")
            assert seen.count(b"S") + seen.count(b"Q") <= batches + 3


@pytest.mark.parametrize("returning", [False, True])
def test_a_peer_that_does_not_say_what_it_is(server, message_relay, returning):
    def change(kind, body):
        # A server of version 13 reports less, and so do poolers that lose count.
        if kind == b"S" and body.startswith(b"in_hot_standby"):
            return b""
        if kind == b"S" and body.startswith(b"server_version\0"):
            body = b"server_version\x0013.20\0"
        return message(kind, body)

    found = through(message_relay, server, change)
    with sync.connect(**{**server.parameters, **found.options}) as conn:
        conn.execute("create temp table many (n int primary key, t text)")
        rows = [(n, f"{n}") for n in range(300)]
        cursor = conn.executemany(
            "insert into many values (%s, %s) returning n, t", rows, returning=returning
        )
        assert cursor.rowcount == 300
        if returning:
            assert cursor.fetchall() == rows
        begin = len(sent(found))
        cursor = conn.executemany(
            "update many set t = %s where n = %s returning t, n",
            [(text * 2, n) for n, text in rows],
            returning=returning,
        )
        assert cursor.rowcount == 300
        if returning:
            assert cursor.fetchall() == [(text * 2, n) for n, text in rows]
        # Each waits for the one before it.
        assert sent(found)[begin:].count(b"S") >= 300
        with pytest.raises(errors.DivisionByZero):
            conn.executemany(
                "update many set n = n / %s", [(1,), (1,), (0,), (1,)], returning=returning
            )
        assert conn.fetch("select * from many order by n") == [(n, t * 2) for n, t in rows]


def peak() -> int:
    """The most memory that this process has had since its peak was forgotten, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


@pytest.mark.parametrize(
    ("query", "affected"),
    [
        ("insert into large values (%s)", 100_000),
        ("update large set t = %s where false", 0),
        ("insert into large select %s where false returning t", 0),
    ],
)
def test_what_is_sent_takes_bounded_memory(conn, query, affected):
    conn.execute("create temp table large (t text)")
    rows = [("x" * 2_000,)] * 100_000
    conn.executemany(query, rows[:5_000])
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the peak of the memory cannot be forgotten")
    before = peak()
    cursor = conn.executemany(query, rows, returning="returning" in query)
    assert cursor.rowcount == affected
    # The rows are 200 MB.
    assert peak() - before < 30 << 20
