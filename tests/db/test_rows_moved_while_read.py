"""Typecasters that use their own cursor in the middle of a fetch."""

import pytest

from psycoxide import extensions


@pytest.mark.parametrize(
    ("take", "taken", "left"),
    [
        (lambda cur: cur.fetchmany(3), [("1",), (101,), (102,)], 2),
        (lambda cur: cur.fetchall(), [("1",), (101,), (102,), (103,)], 1),
        (lambda cur: [cur.fetchone() for _ in range(3)], [("1",), (101,), (102,)], 2),
        (lambda cur: [next(cur) for _ in range(3)], [("1",), (101,), (102,)], 2),
    ],
)
def test_a_typecaster_that_executes_on_its_own_cursor(conn, take, taken, left):
    """The fetch goes on in the new result, behind its first row, as psycopg2's does."""

    def execute(value, cur):
        cur.execute("select generate_series(100, 104)")
        return value

    cur = conn.cursor()
    extensions.register_type(extensions.new_type((25,), "EXECUTES", execute), cur)
    cur.execute("select i::text from generate_series(1, 4) i")
    assert take(cur) == taken
    assert len(cur.fetchall()) == left
    assert cur.rownumber == 5


def test_rows_read_while_another_is_made(conn):
    """A typecaster that fetches from its own cursor gets the row that is being made."""
    seen = []

    def fetch(value, cur):
        if not seen:
            seen.append(None)
            seen[0] = cur.fetchone()
        return value

    cur = conn.cursor()
    extensions.register_type(extensions.new_type((25,), "FETCHES", fetch), cur)
    cur.execute("select i::text from generate_series(1, 4) i")
    assert cur.fetchmany(2) == [("1",), ("3",)]
    assert seen == [("1",)]
    assert cur.fetchall() == [("4",)]
