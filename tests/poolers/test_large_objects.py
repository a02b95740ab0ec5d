"""Large objects: function calls of the protocol, the first of them right after BEGIN."""

from __future__ import annotations

import pytest

TITLE = "large objects"


def test_one_is_written_and_read(through):
    conn = through.connect()
    with conn:
        made = conn.lobject(0, "wb")
        made.write(b"abc" * 1000)
        made.close()
    with conn:
        found = conn.lobject(made.oid, "rb")
        assert found.read() == b"abc" * 1000
        found.close()
    with conn:
        conn.lobject(made.oid, "rb").unlink()
    assert through.ask(f"select 1 from pg_largeobject_metadata where oid = {made.oid}") == []


def test_a_rollback_undoes_one(through):
    conn = through.connect()
    made = conn.lobject(0, "wb")
    made.write(b"abc")
    conn.rollback()
    assert through.ask(f"select 1 from pg_largeobject_metadata where oid = {made.oid}") == []


def test_one_that_is_not_there(through):
    table = through.make_table()
    conn = through.connect()
    with pytest.raises(through.driver.Error):
        conn.lobject(4_000_000_000, "rb")
    conn.rollback()
    with conn, conn.cursor() as cur:
        cur.execute(f"insert into {table} values (1)")
    through.check_rows([1])


def test_after_a_statement(through):
    conn = through.connect()
    with conn, conn.cursor() as cur:
        cur.execute("select 1")
        made = conn.lobject(0, "wb")
        made.write(b"abc")
        made.seek(0)
        made.unlink()
