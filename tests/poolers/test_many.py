"""`executemany()`: it may send its statements together, and the pooler must not lose count."""

from __future__ import annotations

import pytest

TITLE = "executemany"

# More than psycoxide sends at once.
MANY = 1200


def options(through, prepare):
    """psycopg2 prepares nothing: what it does without is what is expected."""
    return {"prepare": True} if prepare and through.name != "psycopg2" else {}


@pytest.mark.parametrize("prepare", [False, True], ids=["plain", "prepared"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_good_one(through, prepare, first):
    table = through.make_table()
    conn = through.connect()
    for turn in range(2):
        with conn, conn.cursor() as cur:
            if not first:
                cur.execute("select 1")
            values = [(n,) for n in range(turn * MANY, (turn + 1) * MANY)]
            sql = f"insert into {table} values (%s)"
            cur.executemany(sql, values, **options(through, prepare))
            assert cur.rowcount in (MANY, 1)  # psycopg2 knows the last one's
    through.check_rows(range(2 * MANY))


@pytest.mark.parametrize("prepare", [False, True], ids=["plain", "prepared"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("at", [0, 2, 1100], ids=["at once", "soon", "late"])
def test_one_that_fails(through, prepare, first, at):
    """Roll back, do other work, and do it again."""
    table = through.make_table()
    through.ask(f"alter table {table} add check (a < 1000000)")
    conn = through.connect()
    cur = conn.cursor()
    sql = f"insert into {table} values (%s)"
    values = [(n if n != at else 1_000_000,) for n in range(max(at + 10, 100))]
    for turn in range(2):
        if not first:
            cur.execute("select 1")
        with pytest.raises(through.errors.CheckViolation):
            cur.executemany(sql, values, **options(through, prepare))
        conn.rollback()
        through.check_rows(range(turn))
        cur.execute(f"insert into {table} values (%s)", (turn,))
        conn.commit()
    through.check_rows([0, 1])


def test_one_whose_text_is_wrong(through):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    with pytest.raises(through.errors.UndefinedTable):
        cur.executemany("insert into not_there values (%s)", [(n,) for n in range(10)])
    conn.rollback()
    cur.execute(f"insert into {table} values (1)")
    conn.commit()
    through.check_rows([1])


def test_failing_ones_of_many_clients(through):
    """None of them keeps its server."""
    table = through.make_table()
    for number in range(through.clients):
        conn = through.connect()
        with pytest.raises(through.errors.DivisionByZero), conn, conn.cursor() as cur:
            cur.executemany(
                f"insert into {table} values (1 / %s)", [(n - number,) for n in range(10)]
            )
    through.check_rows([])


def test_in_autocommit(through):
    table = through.make_table()
    conn = through.connect()
    conn.autocommit = True
    cur = conn.cursor()
    cur.executemany(f"insert into {table} values (%s)", [(n,) for n in range(20)])
    with pytest.raises(through.errors.DivisionByZero):
        cur.executemany(f"insert into {table} values (20 / %s)", [(1,), (0,), (1,)])
    cur.execute(f"insert into {table} values (21)")
    through.check_rows([*range(21), 21])


def test_the_helpers(through):
    table = through.make_table()
    conn = through.connect()
    with conn, conn.cursor() as cur:
        through.extras.execute_values(
            cur, f"insert into {table} values %s", [(n,) for n in range(500)]
        )
        through.extras.execute_batch(
            cur, f"insert into {table} values (%s)", [(n,) for n in range(500, 1000)]
        )
    through.check_rows(range(1000))
    cur = conn.cursor()
    with pytest.raises(through.errors.DivisionByZero):
        through.extras.execute_batch(
            cur, f"insert into {table} values (1 / %s)", [(n - 50,) for n in range(500)]
        )
    conn.rollback()
    with conn, conn.cursor() as cur:
        cur.execute(f"insert into {table} values (-1)")
    through.check_rows(range(-1, 1000))
