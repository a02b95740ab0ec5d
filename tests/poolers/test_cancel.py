"""A query is cancelled from another thread, and the connection is of use afterwards."""

from __future__ import annotations

import threading
import time

import pytest

TITLE = "cancel"


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_query_is_cancelled(through, first):
    if not through.pooler.cancels:
        pytest.skip(f"{through.pooler.title} does nothing else while a query runs")
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    for number in range(2):
        if not first:
            cur.execute("select 1")
        timer = threading.Timer(0.2, conn.cancel)
        timer.start()
        begun = time.monotonic()
        with pytest.raises(through.errors.QueryCanceled):
            cur.execute("select pg_sleep(8)")
        assert time.monotonic() - begun < 5
        timer.join(5)
        conn.rollback()
        cur.execute(f"insert into {table} values (%s)", (number,))
        conn.commit()
    through.check_rows([0, 1])


def test_somebody_else_ends_the_session(through):
    """The program hears of it, in the right class, and a new connection works."""
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    cur.execute(f"insert into {table} values (1)")
    cur.execute("select pg_backend_pid()")
    through.ask(f"select pg_terminate_backend({cur.fetchone()[0]}, 5000)")
    with pytest.raises((through.driver.OperationalError, through.driver.InterfaceError)):
        for _ in range(5):
            cur.execute(f"insert into {table} values (2)")
    conn.close()
    through.check_rows([])
    with through.connect() as conn, conn.cursor() as cur:
        cur.execute(f"insert into {table} values (3)")
    through.check_rows([3])
