# Generated from tests/aio/test_cursors.py by tools/generate_sync.py: do not edit.
"""Cursors, and the factories of rows."""

from __future__ import annotations

import dataclasses

import pytest

import psycoxide
from psycoxide import errors, sync

TEN = "select g as n, chr(96 + g) as c from generate_series(1, 10) g"


@pytest.fixture
def ten(conn):
    """A cursor that has run the query for ten rows."""
    with conn.cursor() as cursor:
        yield cursor.execute(TEN)


# ---- reading ----------------------------------------------------------------------------------


def test_fetchone(ten):
    assert ten.rownumber == 0
    assert ten.fetchone() == (1, "a")
    assert ten.rownumber == 1
    for _ in range(9):
        assert ten.fetchone() is not None
    assert ten.fetchone() is None
    assert ten.fetchone() is None


def test_fetchmany(ten):
    assert ten.fetchmany() == [(1, "a")]
    assert ten.fetchmany(3) == [(2, "b"), (3, "c"), (4, "d")]
    ten.arraysize = 2
    assert ten.fetchmany() == [(5, "e"), (6, "f")]
    assert ten.fetchmany(0) == []
    assert len(ten.fetchmany(100)) == 4
    assert ten.fetchmany(5) == []


def test_fetchall(ten):
    assert ten.fetchone() == (1, "a")
    assert [n for n, _ in ten.fetchall()] == list(range(2, 11))
    assert ten.fetchall() == []


def test_iteration(ten):
    found = []
    for n, _ in ten:
        found.append(n)
        if n == 3:
            break
    assert [n for n, _ in ten] == list(range(4, 11))
    assert found == [1, 2, 3]


def test_scroll(ten):
    ten.scroll(4)
    assert ten.fetchone() == (5, "e")
    ten.scroll(-3)
    assert ten.fetchone() == (3, "c")
    ten.scroll(0, mode="absolute")
    assert ten.fetchone() == (1, "a")
    for value, mode in ((100, "relative"), (-1, "absolute")):
        with pytest.raises((psycoxide.ProgrammingError, IndexError)):
            ten.scroll(value, mode)
    with pytest.raises(psycoxide.ProgrammingError):
        ten.scroll(1, "sideways")
    assert ten.fetchone() == (2, "b")


# ---- what is known ----------------------------------------------------------------------------


def test_description(ten):
    assert [column.name for column in ten.description] == ["n", "c"]
    assert [column.type_code for column in ten.description] == [23, 25]
    assert ten.rowcount == 10
    assert ten.statusmessage == "SELECT 10"
    assert ten.query == TEN.encode()


def test_a_statement_without_rows(conn):
    cursor = conn.execute("create temporary table t (n integer)")
    assert cursor.description is None
    assert cursor.rownumber is None
    assert cursor.statusmessage == "CREATE TABLE"
    for call in (cursor.fetchone, cursor.fetchmany, cursor.fetchall, cursor.__iter__):
        with pytest.raises(psycoxide.ProgrammingError, match="no rows"):
            call()
    cursor = conn.execute("insert into t values (1), (2), (3)")
    assert cursor.rowcount == 3
    assert conn.execute("update t set n = 0 where n > 1").rowcount == 2
    assert conn.execute("delete from t").rowcount == 3


def test_a_cursor_runs_one_query_after_the_other(conn):
    with conn.cursor() as cursor:
        assert cursor.connection is conn
        for n in range(3):
            assert cursor.execute("select %s", (n,)).fetchone() == (n,)
        with pytest.raises(errors.DivisionByZero):
            cursor.execute("select 1 / 0")
        with pytest.raises(psycoxide.ProgrammingError):
            cursor.fetchone()
        assert cursor.execute("select 7").fetchone() == (7,)


def test_a_closed_cursor(conn):
    with conn.cursor() as cursor:
        cursor.execute(TEN)
        assert not cursor.closed
        assert "SELECT 10" in repr(cursor)
    assert cursor.closed
    assert "closed" in repr(cursor)
    cursor.close()
    calls = (lambda: cursor.execute("select 1"), cursor.fetchone, cursor.fetchmany, cursor.fetchall)
    for call in calls:
        with pytest.raises(psycoxide.InterfaceError, match="closed"):
            call()
    assert conn.fetchval("select 42") == 42


def test_rows_of_a_closed_connection(conn, ten):
    conn.close()
    with pytest.raises(psycoxide.InterfaceError):
        ten.fetchone()


# ---- row factories ----------------------------------------------------------------------------


@dataclasses.dataclass
class Letter:
    n: int
    c: str


def joined(n, c):
    return f"{n}{c}"


FACTORIES = [
    (sync.tuple_row, (1, "a")),
    (sync.dict_row, {"n": 1, "c": "a"}),
    (sync.scalar_row, 1),
    (sync.class_row(Letter), Letter(1, "a")),
    (sync.kwargs_row(joined), "1a"),
    (sync.args_row(joined), "1a"),
    (lambda cursor: list, [1, "a"]),
]
NAMES = ["tuple", "dict", "scalar", "class", "kwargs", "args", "own"]


@pytest.mark.parametrize("factory, first", FACTORIES, ids=NAMES)
def test_row_factories(dsn, conn, factory, first):
    assert conn.fetchrow(TEN, row_factory=factory) == first
    rows = conn.fetch(TEN, row_factory=factory)
    assert rows[0] == first
    assert len(rows) == 10
    cursor = conn.cursor(row_factory=factory)
    cursor.execute(TEN)
    assert cursor.fetchone() == first
    assert len(cursor.fetchmany(2)) == 2
    assert len([row for row in cursor]) == 7
    with sync.connect(dsn, row_factory=factory) as conn:
        assert conn.fetchrow(TEN) == first
        assert conn.execute(TEN).fetchone() == first
        assert conn.fetchrow(TEN, row_factory=sync.tuple_row) == (1, "a")
        # One value has no row.
        assert conn.fetchval(TEN) == 1


def test_rows_with_names(conn):
    row = conn.fetchrow(TEN, row_factory=sync.namedtuple_row)
    assert row == (1, "a")
    assert row.n == 1
    assert row.c == "a"


def test_records(conn):
    row = conn.fetchrow(TEN, row_factory=sync.record_row)
    assert isinstance(row, sync.Record)
    assert row["c"] == row[1] == "a"
    with pytest.raises(KeyError):
        row["nothing"]


def test_factories_are_asked_for_each_query(conn):
    seen = []

    def factory(cursor):
        seen.append([column.name for column in cursor.description])
        return dict.fromkeys

    with conn.cursor(row_factory=factory) as cursor:
        cursor.execute("select 1 as a")
        cursor.fetchall()
        cursor.execute("select 1 as b, 2 as c")
        cursor.fetchone()
        cursor.fetchone()
    assert seen == [["a"], ["b", "c"]]


def test_factories_within_factories(conn):
    def upper(factory):
        def outer(cursor):
            make = factory(cursor)
            return lambda values: {k.upper(): v for k, v in make(values).items()}

        return outer

    rows = conn.fetch(TEN, row_factory=upper(sync.dict_row))
    assert rows[1] == {"N": 2, "C": "b"}


def test_a_factory_that_raises(conn):
    def at_once(cursor):
        raise KeyError

    def later(cursor):
        def make(values):
            if values[0] == 7:
                raise KeyError
            return values

        return make

    for factory in (at_once, later):
        with pytest.raises(KeyError):
            conn.fetch(TEN, row_factory=factory)
        cursor = conn.cursor(row_factory=factory)
        cursor.execute(TEN)
        with pytest.raises(KeyError):
            cursor.fetchall()
        assert conn.fetchval("select 42") == 42


def test_scalar_rows_need_a_column(conn):
    with pytest.raises(psycoxide.ProgrammingError, match="at least one column"):
        conn.fetch("select from generate_series(1, 3)", row_factory=sync.scalar_row)
    assert conn.fetchval("select 42") == 42


def test_columns_of_one_name(conn):
    query = "select 1 as a, 2 as a"
    assert conn.fetchrow(query, row_factory=sync.dict_row) == {"a": 2}
    assert conn.fetchrow(query) == (1, 2)
