"""Binary cursors, which psycopg2 has not: their rows come by the extended protocol."""

from __future__ import annotations

import pytest

TITLE = "binary cursors"


def options(through):
    """psycopg2 has no binary cursors: what its plain ones do is what is expected."""
    return {"binary": True} if through.name != "psycopg2" else {}


def test_rows(through):
    conn = through.connect()
    for _ in range(2):
        with conn, conn.cursor(**options(through)) as cur:
            cur.execute("select n, n::text, n::float8 from generate_series(1, 500) n")
            assert cur.fetchall()[-1] == (500, "500", 500.0)
            cur.execute("select %s, now()", (1,))
            assert cur.fetchone()[0] == 1


@pytest.mark.parametrize("statement", ["selec 1", "select 1/0", "select * from not_there"])
def test_an_error(through, statement):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor(**options(through))
    for number in range(2):
        with pytest.raises(through.driver.Error):
            cur.execute(statement)
        conn.rollback()
        cur.execute(f"insert into {table} values (%s)", (number,))
        conn.commit()
    through.check_rows([0, 1])


def test_clients_that_stay(through):
    for number in range(through.clients):
        conn = through.connect()
        with conn, conn.cursor(**options(through)) as cur:
            cur.execute("select %s + 1", (number,))
            assert cur.fetchone() == (number + 1,)
