"""Passwords that are different each time, and pools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import psycoxide
from psycoxide import aio, sync

ROLE = "token_user"


class Issuer:
    """Issues tokens, of which only the newest one lets in."""

    def __init__(self, change: Callable[[str], None]) -> None:
        self._change = change
        self._newest = ""
        self.given: list[str] = []
        self.expire()

    def expire(self) -> None:
        """The tokens that were given out are no good from now on."""
        self._newest = f"token {len(self.given)}"
        self._change(self._newest)

    def token(self) -> str:
        self.given.append(self._newest)
        return self._newest


@pytest.fixture
def issuer(connect: Any) -> Iterator[Issuer]:
    admin = connect()
    admin.autocommit = True
    cur = admin.cursor()
    cur.execute(f"create role {ROLE} login")
    yield Issuer(lambda token: cur.execute(f"alter role {ROLE} password %s", [token]))
    cur.execute(f"drop role {ROLE}")


def as_role(dsn: str) -> str:
    """The DSN with this role; its own password would be used if the function were not."""
    return f"{dsn} user={ROLE}"


def test_each_connection_asks_anew(dsn: str, issuer: Issuer) -> None:
    with sync.ConnectionPool(
        as_role(dsn), kwargs={"password": issuer.token}, min_size=1, max_size=3
    ) as pool:
        lent = []
        for _ in range(3):
            lent.append(pool.getconn())
            issuer.expire()
        # The sessions go on, although their tokens let nobody in any more.
        assert {conn.fetchval("select current_user") for conn in lent} == {ROLE}
        for conn in lent:
            pool.putconn(conn)
        with pytest.raises(psycoxide.OperationalError, match="password authentication failed"):
            sync.connect(as_role(dsn), password=issuer.given[-1])
    assert issuer.given == ["token 0", "token 1", "token 2"]


def test_a_connection_that_is_replaced_asks_anew(dsn: str, issuer: Issuer, connect: Any) -> None:
    with sync.ConnectionPool(
        as_role(dsn), kwargs={"password": issuer.token}, min_size=1, max_size=1
    ) as pool:
        first = pool.fetchval("select pg_backend_pid()")
        issuer.expire()
        pool.drain()
        second = pool.fetchval("select pg_backend_pid()")
        issuer.expire()
        connect().cursor().execute("select pg_terminate_backend(%s)", [second])
        pool.check()
        third = pool.fetchval("select pg_backend_pid()")
        assert len({first, second, third}) == 3
    assert issuer.given == ["token 0", "token 1", "token 2"]


def test_a_coroutine_function(dsn: str, issuer: Issuer) -> None:
    async def token() -> str:
        return await asyncio.to_thread(issuer.token)

    async def use() -> None:
        async with aio.AsyncConnectionPool(
            as_role(dsn), kwargs={"password": token}, min_size=1, max_size=1
        ) as pool:
            assert await pool.fetchval("select current_user") == ROLE
            issuer.expire()
            await pool.drain()
            assert await pool.fetchval("select current_user") == ROLE

    asyncio.run(use())
    assert issuer.given == ["token 0", "token 1"]


def test_a_token_in_the_string_is_too_old_one_day(dsn: str, issuer: Issuer) -> None:
    """What the page warns of."""
    string = f"{as_role(dsn)} password='{issuer.token()}'"
    with sync.ConnectionPool(string, min_size=1, max_size=1, timeout=1) as pool:
        assert pool.fetchval("select current_user") == ROLE
        issuer.expire()
        pool.drain()
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.fetchval("select 1")
        assert "password authentication failed" in str(caught.value.__cause__)


def test_verified_by_an_authority_of_our_own(
    dsn: str, issuer: Issuer, tls_files: dict[str, str]
) -> None:
    string = f"{as_role(dsn)} sslmode=verify-full sslrootcert="
    options = {"kwargs": {"password": issuer.token}, "min_size": 1, "timeout": 1}
    with sync.ConnectionPool(string + tls_files["root"], **options) as pool:
        assert pool.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    before = len(issuer.given)
    with sync.ConnectionPool(string + "system", **options) as pool:
        with pytest.raises(sync.PoolTimeout) as caught:
            pool.fetchval("select 1")
        assert "certificate" in str(caught.value.__cause__)
    # Whoever cannot prove who it is gets no token.
    assert len(issuer.given) == before
