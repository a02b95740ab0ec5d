# Generated from tests/aio/test_poolers.py by tools/generate_sync.py: do not edit.
"""Statements that get names by themselves, through poolers that are played before a server."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from fixtures.pooler import NaivePooler
from fixtures.relay import keep_until_sync

from psycoxide import errors, sync

# More often than a statement runs before it gets a name.
ROUNDS = 8


def when_ready() -> Callable[[bytes, bytes], bytes]:
    """A change of a server's messages: once a client is let in, it hears nothing until the server
    is ready."""
    kept = b""
    open_ = False

    def change(kind: bytes, body: bytes) -> bytes:
        nonlocal kept, open_
        kept += kind + (len(body) + 4).to_bytes(4, "big") + body
        if open_ and kind not in b"ZG":
            return b""
        open_ = open_ or kind == b"Z"
        said, kept = kept, b""
        return said

    return change


def staying(*lengths: int) -> Callable[[int], int]:
    """Chooses the sessions in turn: for so many transactions the first one, the second one, ..."""
    turns = itertools.chain.from_iterable([at] * length for at, length in enumerate(lengths))
    choices = itertools.cycle(list(turns))
    return lambda _last: next(choices)


NAIVE: dict[str, Callable[[int], int]] = {
    "another session each time": staying(1, 1, 1),
    "mostly the first session": staying(40, 1, 1),
    "a session for a while": staying(9, 9, 9),
    "the first session, then others": staying(30, 400, 400),
}
PEERS = ["keeps until Sync", "speaks when ready", "one session", *NAIVE]


@pytest.fixture
def naive(naive_pooler, server) -> Callable[..., NaivePooler]:
    """A function that makes a naive pooler that goes on as this says."""
    if not server.sockets:
        pytest.skip("the given server's socket folder is not known")
    address = f"{server.sockets}/.s.PGSQL.{server.port}"
    return lambda sessions, choose=None: naive_pooler(address, sessions, choose)


@pytest.fixture
def options(request, message_relay, naive, server) -> dict[str, Any]:
    """What to connect with through the pooler that a test asks for."""
    address = (server.parameters["host"], int(server.parameters["port"]))
    if request.param == "keeps until Sync":
        return message_relay(address, keep_until_sync).options
    if request.param == "speaks when ready":
        return message_relay(address, keep_until_sync, when_ready()).options
    if request.param == "one session":
        return naive(1).options
    return naive(3, NAIVE[request.param]).options


@pytest.fixture
def table(conn):
    """A table beside the pooler."""
    conn.execute("drop table if exists pooled")
    conn.execute("create table pooled (a int primary key, b int, c text)")
    yield "pooled"
    conn.execute("drop table pooled")


class Ways:
    """The ways to run statements. They have names of their own, so that none has a name before."""

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.rows = 0

    def alone(self) -> None:
        conn, next_ = self.conn, self.rows
        conn.execute("insert into pooled values (%s, %s, %s)", (next_, 1, "x"))
        self.rows += 1
        assert conn.fetchval("select count(*) from pooled where b = %s", (1,)) == self.rows
        row = conn.fetchrow("select * from pooled where a = %s", (next_,), binary=True)
        assert row == (next_, 1, "x")
        with pytest.raises(errors.DivisionByZero):
            conn.fetchval("select 1 / %s::int", (0,))

    def prepared(self) -> None:
        conn = self.conn
        assert conn.fetchval("select %s::int + 1", (1,), prepare=True) == 2
        statement = conn.prepare("select %s::int + 2")
        assert statement.fetchval((1,)) == 3
        assert statement.fetchval((2,)) == 4

    def transaction(self) -> None:
        """It may meet a server that does not know a name, and then has to be run again."""
        conn = self.conn
        for attempt, transaction in conn.retrying():
            with attempt, transaction:
                for n in range(2):
                    conn.execute("insert into pooled values (%s, 1, %s)", (self.rows + n, "t"))
                found = conn.fetch("select a from pooled where c = %s", ("t",))
                assert (self.rows,) in found
        self.rows += 2

    def pipeline(self) -> None:
        with self.conn.pipeline() as p:
            put = [
                p.fetchval("insert into pooled values (%s, 1) returning a", (self.rows + n,))
                for n in range(3)
            ]
            count = p.fetchval("select count(*) from pooled where b = %s", (1,))
        assert [each.result() for each in put] == [self.rows + n for n in range(3)]
        self.rows += 3
        assert count.result() == self.rows

    def many(self) -> None:
        items = [(self.rows + n, 1, str(n)) for n in range(15)]
        insert = "insert into pooled values (%s, %s, %s) returning a"
        done = self.conn.executemany(insert, items, returning=True)
        assert done.fetchall() == [(self.rows + n,) for n in range(15)]
        self.rows += 15

    def stream(self) -> None:
        query = "select n from generate_series(1, %s) as n"
        assert [n for (n,) in self.conn.stream(query, (200,))] == list(range(1, 201))

    def at_once(self) -> None:
        calls = [self.conn.fetchval("select %s::int * 2", (n,)) for n in range(20)]
        results = calls
        assert results == [2 * n for n in range(20)]


@pytest.mark.parametrize("options", PEERS, indirect=True)
def test_nothing_hangs_and_nothing_fails(dsn, options, table):
    with sync.connect(dsn, **options) as conn:
        ways = Ways(conn)
        for _ in range(ROUNDS):
            ways.alone()
            ways.prepared()
            ways.transaction()
            ways.pipeline()
            ways.many()
            ways.stream()
            ways.at_once()
        count = "select count(*), count(distinct a) from pooled"
        assert conn.fetchrow(count) == (ways.rows, ways.rows)
