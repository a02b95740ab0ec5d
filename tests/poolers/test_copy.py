"""COPY in and out, good and failing."""

from __future__ import annotations

import io

import pytest

TITLE = "COPY"
ROWS = 20_000


def text(rows=ROWS):
    return "".join(f"{n}\n" for n in range(rows))


@pytest.mark.parametrize("autocommit", [False, True], ids=["transaction", "autocommit"])
def test_in_and_out(through, autocommit):
    table = through.make_table()
    conn = through.connect()
    conn.autocommit = autocommit
    cur = conn.cursor()
    cur.copy_expert(f"copy {table} from stdin", io.StringIO(text()))
    conn.commit()
    through.check_rows(range(ROWS))
    out = io.StringIO()
    cur.copy_expert(f"copy (select a from {table} order by a) to stdout", out)
    assert out.getvalue() == text()
    conn.commit()


def test_a_rollback(through):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    cur.copy_expert(f"copy {table} from stdin", io.StringIO(text()))
    conn.rollback()
    through.check_rows([])
    cur.copy_from(io.StringIO("1\n"), table)
    conn.commit()
    through.check_rows([1])


@pytest.mark.parametrize("autocommit", [False, True], ids=["transaction", "autocommit"])
def test_bad_data(through, autocommit):
    table = through.make_table()
    conn = through.connect()
    conn.autocommit = autocommit
    cur = conn.cursor()
    with pytest.raises(through.errors.InvalidTextRepresentation):
        cur.copy_expert(f"copy {table} from stdin", io.StringIO("1\n2\nthree\n" + text()))
    conn.rollback()
    through.check_rows([])
    cur.execute(f"insert into {table} values (1)")
    conn.commit()
    through.check_rows([1])


def test_a_file_that_raises(through):
    class File:
        turns = 0

        def read(self, size=-1):
            self.turns += 1
            if self.turns > 3:
                raise OSError("the disk is gone")
            return "1\n" * 100

    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    with pytest.raises((through.driver.Error, OSError)):
        cur.copy_expert(f"copy {table} from stdin", File())
    conn.rollback()
    through.check_rows([])
    cur.execute(f"insert into {table} values (1)")
    conn.commit()
    through.check_rows([1])


def test_clients_that_copy_and_stay(through):
    table = through.make_table()
    for number in range(through.clients):
        conn = through.connect()
        conn.cursor().copy_expert(f"copy {table} from stdin", io.StringIO(f"{number}\n"))
        conn.commit()
    through.check_rows(range(through.clients))
