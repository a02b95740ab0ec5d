"""Clients that come and go, and clients that stay: more of them than the pool has servers."""

from __future__ import annotations

import threading

import pytest

from .peers.pooler import SIZE

TITLE = "many clients"


def test_clients_that_commit_and_stay(through):
    """In the modes that share, a client without a transaction holds no server."""
    table = through.make_table()
    everybody = threading.Barrier(through.clients)

    def work(number):
        conn = through.connect()
        cur = conn.cursor()
        for turn in range(5):
            cur.execute(f"insert into {table} values (%s)", (number * 10 + turn,))
            cur.execute("select %s", (number,))
            assert cur.fetchone() == (number,)
            conn.commit()
        everybody.wait(10)
        conn.close()

    through.in_threads(through.clients, work)
    through.check_rows(n * 10 + turn for n in range(through.clients) for turn in range(5))


@pytest.mark.parametrize("ending", ["commit", "rollback", "autocommit", "block", "closed cursor"])
def test_idle_clients(through, ending):
    """However a transaction ended, its server is there for the next client."""
    for _ in range(through.clients):
        conn = through.connect()
        if ending == "autocommit":
            conn.autocommit = True
        if ending == "block":
            with conn, conn.cursor() as cur:
                cur.execute("select 1")
            continue
        cur = conn.cursor()
        cur.execute("select 1")
        assert cur.fetchone() == (1,)
        if ending == "closed cursor":
            cur.close()
        if ending == "rollback":
            conn.rollback()
        else:
            conn.commit()


def test_one_client_after_another(through):
    table = through.make_table()
    for number in range(SIZE * 2 + 1):
        conn = through.connect()
        with conn, conn.cursor() as cur:
            cur.execute(f"insert into {table} values (%s)", (number,))
        conn.close()
    through.check_rows(range(SIZE * 2 + 1))


def test_clients_that_leave_in_a_transaction(through):
    """What they did is undone, and their servers serve others."""
    table = through.make_table()
    for number in range(SIZE * 2 + 1):
        conn = through.connect()
        conn.cursor().execute(f"insert into {table} values (%s)", (number,))
        conn.close()
    conn = through.connect()
    with conn, conn.cursor() as cur:
        cur.execute(f"select count(*) from {table}")
        assert cur.fetchone() == (0,)
    through.check_rows([])


def test_the_first_statement_is_in_the_transaction(through):
    """Whatever it is: a rollback undoes it."""
    table = through.make_table()
    conn = through.connect()
    cur = conn.cursor()
    for number, statement in enumerate((
        f"insert into {table} values (%s)",
        f"insert into {table} values (%s) returning a",
        f"with made as (insert into {table} values (%s) returning a) select * from made",
        f"insert into {table} values (%s); select 1",
        f"do $$ begin insert into {table} values (%s); end $$",
    )):  # fmt: skip
        cur.execute(statement, (number,))
        conn.rollback()
        through.check_rows([])
    cur.execute(f"insert into {table} values (1)")
    conn.commit()
    through.check_rows([1])


def test_characteristics_of_a_transaction(through):
    conn = through.connect()
    conn.set_session(isolation_level="SERIALIZABLE", readonly=True, deferrable=True)
    for _ in range(2):
        with conn, conn.cursor() as cur:
            cur.execute("show transaction_isolation")
            assert cur.fetchone() == ("serializable",)
            cur.execute("show transaction_read_only")
            assert cur.fetchone() == ("on",)
