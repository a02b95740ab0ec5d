"""A session begins, and what a program sets in it."""

from __future__ import annotations

import pytest

TITLE = "session"


def test_it_begins(through):
    conn = through.connect()
    assert conn.encoding.upper() in ("UTF8", "UNICODE")
    assert conn.server_version >= 150000
    assert conn.info.parameter_status("standard_conforming_strings") == "on"
    assert conn.status == through.extensions.STATUS_READY
    assert conn.info.transaction_status == through.extensions.TRANSACTION_STATUS_IDLE


def test_the_status_of_a_transaction(through):
    conn = through.connect()
    cur = conn.cursor()
    cur.execute("select 1")
    assert conn.status == through.extensions.STATUS_BEGIN
    assert conn.info.transaction_status == through.extensions.TRANSACTION_STATUS_INTRANS
    conn.commit()
    assert conn.status == through.extensions.STATUS_READY
    assert conn.info.transaction_status == through.extensions.TRANSACTION_STATUS_IDLE


def test_a_wrong_password(through):
    if through.pooler.server is None:
        pytest.skip(f"{through.pooler.title} asks for no password")
    with pytest.raises(through.driver.OperationalError):
        through.connect(password="wrong")


def test_the_client_encoding(through):
    conn = through.connect()
    conn.set_client_encoding("LATIN1")
    with conn, conn.cursor() as cur:
        cur.execute("select %s, octet_length(%s)", ("é", "é"))
        assert cur.fetchone() == ("é", 2)
        cur.execute("show client_encoding")
        assert cur.fetchone() == ("LATIN1",)
    conn.set_client_encoding("UTF8")
    with conn, conn.cursor() as cur:
        cur.execute("select %s", ("€",))
        assert cur.fetchone() == ("€",)


def test_asynchronously(through):
    conn = through.connect(async_=1)
    through.extras.wait_select(conn)
    cur = conn.cursor()
    for number in range(5):
        cur.execute("select %s", (number,))
        through.extras.wait_select(conn)
        assert cur.fetchone() == (number,)
    with pytest.raises(through.errors.SyntaxError):
        cur.execute("selec 1")
        through.extras.wait_select(conn)
    cur.execute("select 1")
    through.extras.wait_select(conn)
    assert cur.fetchone() == (1,)


def test_with_a_wait_callback(through):
    table = through.make_table()
    through.extensions.set_wait_callback(through.extras.wait_select)
    try:
        conn = through.connect()
        with conn, conn.cursor() as cur:
            cur.execute(f"insert into {table} values (1)")
        with pytest.raises(through.errors.DivisionByZero), conn, conn.cursor() as cur:
            cur.execute(f"insert into {table} values (2)")
            cur.execute("select 1/0")
        with conn, conn.cursor() as cur:
            cur.execute(f"select a from {table}")
            assert cur.fetchall() == [(1,)]
    finally:
        through.extensions.set_wait_callback(None)
