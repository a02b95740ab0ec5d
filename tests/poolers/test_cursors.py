"""Named and binary cursors."""

from __future__ import annotations

import uuid

import pytest

TITLE = "named cursors"


@pytest.mark.parametrize("scrollable", [None, True], ids=["forward", "scrollable"])
def test_a_named_cursor(through, scrollable):
    conn = through.connect()
    for _ in range(2):
        with conn, conn.cursor("walk", scrollable=scrollable) as cur:
            cur.itersize = 10
            cur.execute("select generate_series(1, 100)")
            assert sum(row[0] for row in cur) == 5050
            if scrollable:
                cur.scroll(0, "absolute")
                assert cur.fetchone() == (1,)


def test_a_named_cursor_with_hold(through):
    conn = through.connect()
    cur = conn.cursor("held", withhold=True)
    cur.execute("select generate_series(1, 100)")
    assert cur.fetchmany(10)[-1] == (10,)
    conn.commit()
    assert cur.fetchmany(10)[-1] == (20,)
    cur.close()
    conn.commit()


def test_named_cursors_of_many_clients(through):
    for number in range(through.clients):
        conn = through.connect()
        with conn, conn.cursor(f"walk {number}") as cur:
            cur.execute("select generate_series(1, 10)")
            assert len(cur.fetchall()) == 10


def test_an_error_in_a_named_cursor(through):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor("walk")
    with pytest.raises(through.errors.UndefinedTable):
        cur.execute("select * from not_there")
    conn.rollback()
    with conn, conn.cursor() as plain:
        plain.execute(f"insert into {table} values (1)")
    through.check_rows([1])


def test_a_prepared_statement_in_a_transaction(through):
    # The name is new: Odyssey keeps DEALLOCATE to itself.
    name = f"twice_{uuid.uuid4().hex}"
    conn = through.connect()
    with conn, conn.cursor() as cur:
        cur.execute(f"prepare {name} as select $1::int * 2")
        cur.execute(f"execute {name} (%s)", (21,))
        assert cur.fetchone() == (42,)
        cur.execute(f"deallocate {name}")
