# Generated from tests/aio/test_executemany.py by tools/generate_sync.py: do not edit.
"""`executemany()`: all rows or none, in batches."""

from __future__ import annotations

import decimal
from functools import partial

import pytest
from fixtures.tasks import gather

import psycoxide
from psycoxide import errors, extensions, sync

MANY = 25_000


@pytest.fixture(params=["server", "client"])
def conn(dsn, request):
    """A connection that binds parameters in each way."""
    with sync.connect(dsn, binding=request.param) as conn:
        yield conn


@pytest.fixture
def table(conn):
    conn.execute("create temp table many (a int primary key, b text)")
    return "many"


def contents(conn):
    return conn.fetch("select a, b from many order by a")


def idle(conn):
    return conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 250, 1_000, 1_001, 5_000])
@pytest.mark.parametrize(
    "query", ["insert into many values (%s, %s)", "/**/ {} ", "with x as (select 1) {}"]
)
def test_rows_of_any_number_are_inserted(conn, table, count, query):
    query = query.format("insert into many values (%s, %s)")
    rows = [(n, f"it's {n}") for n in range(count)]
    if count > 1_001 and query.startswith("/"):
        rows = rows[:50]
    cursor = conn.executemany(query, rows)
    assert cursor.rowcount == len(rows)
    assert cursor.description is None
    assert contents(conn) == rows
    assert idle(conn)


@pytest.mark.parametrize(
    "query",
    ["update many set b = %(b)s where a = %(a)s", "/**/ update many set b = %(b)s where a = %(a)s"],
)
def test_mappings_are_taken(conn, table, query):
    conn.execute("insert into many select n, '' from generate_series(1, 20) n")
    cursor = conn.executemany(query, [{"a": n, "b": str(n)} for n in range(30)])
    assert cursor.rowcount == 20
    assert contents(conn) == [(n, str(n)) for n in range(1, 21)]


def test_iterators_are_taken_in_portions(conn, table):
    cursor = conn.executemany("insert into many values (%s, %s)", ((n, None) for n in range(MANY)))
    assert cursor.rowcount == MANY
    assert conn.fetchval("select count(*) from many") == MANY
    assert idle(conn)


def test_an_iterator_that_fails_late_leaves_nothing(conn, table):
    def rows():
        for n in range(MANY):
            yield n, None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        conn.executemany("insert into many values (%s, %s)", rows())
    assert contents(conn) == []
    assert idle(conn)


@pytest.mark.parametrize("bad", [0, 1, 249, 250, 251, 1_000, 4_000, 4_999])
@pytest.mark.parametrize("begin", ["", "with x as (select 1) "])
def test_an_error_anywhere_leaves_nothing(conn, table, bad, begin):
    query = f"{begin}insert into many values (%s, %s)"
    rows = [(n, "x") for n in range(5_000)]
    for value, raised in (
        (10**12, errors.NumericValueOutOfRange),
        ((bad + 1) % 5_000, errors.UniqueViolation),
    ):
        rows[bad] = (value, "x")
        with pytest.raises(raised):
            conn.executemany(query, rows)
        assert contents(conn) == []
        assert idle(conn)
    assert conn.executemany(query, [(1, "x")]).rowcount == 1
    assert contents(conn) == [(1, "x")]


def test_the_error_shows_the_row(conn, table):
    cursor = conn.cursor()
    with pytest.raises(errors.UniqueViolation):
        cursor.executemany(
            "insert into many values (%s, %s)", [(n if n != 300 else 7, "x") for n in range(500)]
        )
    assert cursor.query == b"insert into many values (7, E'x')"


def test_an_error_at_the_end_of_the_transaction_is_raised(conn):
    conn.execute("create temp table late (a int unique deferrable initially deferred)")
    with pytest.raises(errors.UniqueViolation):
        conn.executemany("insert into late values (%s)", [(n % 50,) for n in range(100)])
    assert conn.fetchval("select count(*) from late") == 0
    assert idle(conn)


def test_an_adapter_that_fails_leaves_nothing(conn, table):
    rows = [(n, "x") for n in range(3_000)] + [(5_000, object())]
    with pytest.raises(psycoxide.ProgrammingError, match="can't adapt"):
        conn.executemany("insert into many values (%s, %s)", rows)
    assert contents(conn) == []
    assert idle(conn)


def test_values_that_cannot_be_bound_are_merged(conn, table):
    rows = [(n, "x") for n in range(400)] + [
        (extensions.AsIs("1000 + 1"), extensions.AsIs("repeat('y', 3)")),
        (decimal.Decimal("2000.2"), "z"),
    ]
    cursor = conn.executemany("insert into many values (%s, %s)", rows)
    assert cursor.rowcount == 402
    assert contents(conn)[-2:] == [(1001, "yyy"), (2000, "z")]


@pytest.mark.parametrize(
    "rows", [[(1, "a\0b")], [(n, "a\0b" if n == 50 else "") for n in range(99)]]
)
def test_a_null_character_is_refused(conn, table, rows):
    with pytest.raises(ValueError, match="NUL"):
        conn.executemany("insert into many values (%s, %s)", rows)
    assert contents(conn) == []


def test_several_statements_in_one_text_are_run(conn, table):
    query = "insert into many values (%(a)s, 'x'); update many set b = b || 'y' where a = %(a)s"
    cursor = conn.executemany(query, [{"a": n} for n in range(30)])
    assert cursor.rowcount == 30
    assert contents(conn) == [(n, "xy") for n in range(30)]
    with pytest.raises(errors.DivisionByZero):
        conn.executemany("delete from many; select 1 / %s", [(1,), (0,), (1,)])
    assert len(contents(conn)) == 30


def test_a_copy_is_refused(conn, table):
    for query in ("copy many from stdin", "copy many to stdout"):
        with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
            conn.executemany(query, [(), (), ()])
        assert idle(conn)
    assert conn.fetchval("select 1") == 1


@pytest.mark.parametrize("count", [0, 1, 2, 30, 2_500])
def test_rows_are_kept(conn, table, count):
    cursor = conn.executemany(
        "insert into many values (%s, %s) returning a, b",
        [(n, "x" * (n % 70)) for n in range(count)],
        returning=True,
    )
    assert cursor.rowcount == count
    if count:
        assert [column.name for column in cursor.description] == ["a", "b"]
        assert cursor.fetchall() == contents(conn)
    assert len(contents(conn)) == count


def test_rows_of_iterators_are_kept(conn, table):
    cursor = conn.executemany(
        "insert into many values (%s, null) returning a",
        ((n,) for n in range(12_000)),
        returning=True,
    )
    assert cursor.fetchall() == [(n,) for n in range(12_000)]
    assert cursor.rowcount == 12_000


def test_row_factories_make_the_kept_rows(conn, table):
    with conn.cursor(row_factory=sync.dict_row) as cursor:
        cursor.executemany(
            "insert into many values (%s, %s) returning b", [(1, "x"), (2, "y")], returning=True
        )
        assert cursor.fetchall() == [{"b": "x"}, {"b": "y"}]


def test_rows_are_kept_of_statements_that_return_several_or_none(conn):
    cursor = conn.executemany(
        "select * from generate_series(1, %s)", [(n,) for n in (2, 0, 3)], returning=True
    )
    assert cursor.fetchall() == [(1,), (2,), (1,), (2,), (3,)]


def test_an_error_among_kept_rows_leaves_nothing(conn, table):
    with pytest.raises(errors.UniqueViolation):
        conn.executemany(
            "insert into many values (%s, null) returning a",
            [(n % 2_000,) for n in range(3_000)],
            returning=True,
        )
    assert contents(conn) == []
    assert idle(conn)


def test_within_a_transaction_it_belongs_to_it(conn, table):
    def fail():
        with conn.transaction():
            conn.executemany("insert into many values (%s, '')", [(n,) for n in range(50)])
            assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_INTRANS
            conn.executemany("insert into many values (%s, '')", [(9,)] * 50)

    with pytest.raises(errors.UniqueViolation):
        fail()
    assert contents(conn) == []
    with conn.transaction():
        conn.executemany("insert into many values (%s, '')", ((n,) for n in range(MANY)))
    assert conn.fetchval("select count(*) from many") == MANY


def test_within_a_transaction_of_the_programs_own(conn, table):
    conn.execute("begin")
    for rows in ([(n,) for n in range(50)], ((n,) for n in range(50, MANY))):
        conn.executemany("insert into many values (%s, '')", rows)
    assert conn.fetchval("select count(*) from many") == MANY
    conn.execute("rollback")
    assert contents(conn) == []


def test_outside_autocommit_mode_the_program_commits(dsn):
    with sync.connect(dsn, autocommit=False) as conn:
        conn.execute("create temp table many (a int, b text)")
        conn.commit()
        conn.executemany("insert into many values (%s, '')", [(n,) for n in range(50)])
        conn.rollback()
        assert conn.fetch("select * from many") == []
        conn.executemany("insert into many values (%s, '')", ((n,) for n in range(MANY)))
        conn.commit()
        assert conn.fetchval("select count(*) from many") == MANY


def test_a_time_limit_leaves_nothing(conn, table):
    for timeout, rows in ((0.3, [(n, 0.01) for n in range(10_000)]), (0.3, [(1, 30), (2, 0)])):
        with pytest.raises(sync.OperationTimeout):
            conn.executemany("insert into many select %s, pg_sleep(%s)", rows, timeout=timeout)
        assert contents(conn) == []
        assert idle(conn)


def test_others_wait(conn, table):
    def one(n):
        conn.executemany("insert into many values (%s, '')", [(n * 100 + k,) for k in range(100)])
        return conn.fetchval("select count(*) from many") % 100

    assert gather(*(partial(one, n) for n in range(10))) == [0] * 10


def test_a_lost_connection_is_an_error(dsn):
    conn = sync.connect(dsn)
    with pytest.raises(psycoxide.OperationalError):
        conn.executemany(
            "select case when %s = 500 then pg_terminate_backend(pg_backend_pid()) end",
            [(n,) for n in range(5_000)],
        )
    assert conn.closed
    with pytest.raises(psycoxide.Error):
        conn.executemany("select %s", [(1,)])


def test_large_values(conn, table):
    rows = [(n, "x" * 500_000) for n in range(40)]
    for query, returning in (
        ("insert into many values (%s, %s)", False),
        ("insert into many values (%s, %s) returning a, b", True),
    ):
        cursor = conn.executemany(query, rows, returning=returning)
        assert cursor.rowcount == 40
        assert conn.fetchval("select sum(length(b)) from many") == 20_000_000
        if returning:
            assert cursor.fetchall() == rows
        conn.execute("truncate many")


def test_what_does_not_fit_is_refused(conn, table):
    for rows in ([(1,)], [(1, 2, 3)], [(1, 2), (1,)]):
        with pytest.raises((IndexError, TypeError)):
            conn.executemany("insert into many values (%s, %s)", rows)
    for rows in (5, None):
        with pytest.raises(TypeError):
            conn.executemany("insert into many values (%s, %s)", rows)
    with pytest.raises(psycoxide.ProgrammingError, match="empty"):
        conn.executemany("", [(1, 2)])
    assert contents(conn) == []
    assert idle(conn)


def test_a_closed_connection_is_refused(dsn):
    conn = sync.connect(dsn)
    conn.close()
    with pytest.raises(psycoxide.InterfaceError):
        conn.executemany("select %s", [(1,)])
    assert False or conn.closed
