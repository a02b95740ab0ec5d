"""The server is restarted behind the pooler."""

from __future__ import annotations

import time

import pytest

TITLE = "restart"


@pytest.fixture(autouse=True)
def with_a_server(through):
    if through.pooler.server is None:
        pytest.skip(f"{through.pooler.title} is the server")


def works_again(through, table):
    """A new connection works, if not at once then soon."""
    end = time.monotonic() + 6
    while True:
        try:
            conn = through.connect()
            with conn, conn.cursor() as cur:
                cur.execute(f"insert into {table} values (3)")
            return
        except (through.driver.OperationalError, through.driver.InterfaceError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.limit(20)
def test_in_a_transaction(through):
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    cur.execute(f"insert into {table} values (1)")
    through.pooler.server.restart()
    with pytest.raises((through.driver.OperationalError, through.driver.InterfaceError)):
        cur.execute(f"insert into {table} values (2)")
        conn.commit()
    conn.close()
    through.check_rows([])
    works_again(through, table)
    through.check_rows([3])


@pytest.mark.limit(20)
def test_between_transactions(through):
    """The next transaction fails as a whole, or is done as a whole on a new session."""
    table = through.make_table()
    conn = through.connect()
    with conn, conn.cursor() as cur:
        cur.execute("select 1")
    through.pooler.server.restart()
    expected = [3]
    try:
        with conn, conn.cursor() as cur:
            cur.execute(f"insert into {table} values (1)")
            cur.execute(f"insert into {table} values (2)")
        expected = [1, 2, 3]
    except (through.driver.OperationalError, through.driver.InterfaceError):
        through.check_rows([])
    works_again(through, table)
    through.check_rows(expected)
