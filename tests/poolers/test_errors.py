"""Errors in a transaction: the program hears of them, may roll back, and goes on."""

from __future__ import annotations

import pytest

TITLE = "errors"

FIRST = {
    "syntax": ("selec 1", "SyntaxError"),
    "table": ("select * from not_there", "UndefinedTable"),
    "division": ("select 1/0", "DivisionByZero"),
    "second": ("select 1; select 1/0", "DivisionByZero"),
    "insert": ("insert into not_there values (1)", "UndefinedTable"),
}


@pytest.mark.parametrize("kind", FIRST)
def test_an_error_of_the_first_statement(through, kind):
    statement, name = FIRST[kind]
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    with pytest.raises(getattr(through.errors, name)):
        cur.execute(statement)
    conn.rollback()
    cur.execute(f"insert into {table} values (1)")
    conn.commit()
    through.check_rows([1])


@pytest.mark.parametrize("kind", ["syntax", "division"])
def test_an_error_in_the_middle(through, kind):
    statement, name = FIRST[kind]
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    cur.execute(f"insert into {table} values (1)")
    with pytest.raises(getattr(through.errors, name)):
        cur.execute(statement)
    with pytest.raises(through.errors.InFailedSqlTransaction):
        cur.execute(f"insert into {table} values (2)")
    conn.rollback()
    cur.execute(f"insert into {table} values (3)")
    conn.commit()
    through.check_rows([3])


def test_a_commit_after_an_error_commits_nothing(through):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    cur.execute(f"insert into {table} values (1)")
    with pytest.raises(through.errors.DivisionByZero):
        cur.execute("select 1/0")
    conn.commit()
    through.check_rows([])
    cur.execute(f"insert into {table} values (2)")
    conn.commit()
    through.check_rows([2])


@pytest.mark.parametrize("kind", ["syntax", "division"])
def test_after_an_error_the_server_serves_others(through, kind):
    """The client rolls back and stays, or leaves without that."""
    table = through.make_table()
    for number in range(through.clients):
        conn = through.connect()
        with pytest.raises(through.driver.Error), conn, conn.cursor() as cur:
            cur.execute(f"insert into {table} values (1)")
            cur.execute(FIRST[kind][0])
        if number % 2:
            conn.close()
    through.check_rows([])


def test_an_error_at_the_commit(through):
    table = through.make_table()
    through.ask(f"alter table {table} add unique (a) deferrable initially deferred")
    conn = through.connect()
    cur = conn.cursor()
    cur.execute(f"insert into {table} values (1), (1)")
    with pytest.raises(through.errors.UniqueViolation):
        conn.commit()
    through.check_rows([])
    cur.execute(f"insert into {table} values (2)")
    conn.commit()
    through.check_rows([2])


def test_errors_in_autocommit(through):
    table = through.make_table()
    conn = through.connect()
    conn.autocommit = True
    cur = conn.cursor()
    for number in range(5):
        for statement, name in FIRST.values():
            with pytest.raises(getattr(through.errors, name)):
                cur.execute(statement)
        cur.execute(f"insert into {table} values (%s)", (number,))
    through.check_rows(range(5))


def test_a_savepoint(through):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    cur.execute("savepoint here")
    with pytest.raises(through.errors.DivisionByZero):
        cur.execute("select 1/0")
    cur.execute("rollback to savepoint here")
    cur.execute(f"insert into {table} values (1)")
    conn.commit()
    through.check_rows([1])
