"""Listeners of `psycoxide.aio` and `psycoxide.sync`: they refuse where nothing would arrive."""

from __future__ import annotations

import asyncio
import time

import pytest

from .peers.pooler import SIZE

TITLE = "session"
# Seconds in which what arrives has arrived, and the end of the wait for what does not.
SOON, LATE = 3, 10
pytestmark = pytest.mark.only("pgbouncer", "odyssey")


@pytest.fixture
def psycoxide(through):
    if through.name != "psycoxide":
        pytest.skip("psycopg2 has no listeners")
    return through.driver


@pytest.mark.limit(30)
def test_a_pool_in_session_mode(psycoxide, through):
    from psycoxide import sync

    if through.pooler.shares:
        pytest.skip("transaction mode")
    with sync.Listener("", "pooled", **through.pooler.parameters) as events:
        assert events.get(timeout=SOON) == sync.Listening(gap=False)
        through.ask("notify pooled, 'a'")
        assert events.get(timeout=SOON).payload == "a"


@pytest.mark.limit(30)
@pytest.mark.parametrize("others", [0, SIZE - 1], ids=["alone", "with others"])
def test_a_pool_in_transaction_mode(psycoxide, through, others):
    """It refuses, whichever of the pool's sessions it gets."""
    from psycoxide import sync

    if not through.pooler.shares:
        pytest.skip("session mode")
    for _ in range(others):
        through.connect().cursor().execute("select 1")
    began = time.monotonic()
    with (
        pytest.raises(psycoxide.NotSupportedError, match="one transaction at a time"),
        sync.Listener("", "pooled", **through.pooler.parameters),
    ):
        pass
    assert time.monotonic() - began < LATE


@pytest.mark.limit(30)
def test_a_session_that_others_have_taken(psycoxide, through):
    """The two connections of the check get different sessions; the notification says it then."""
    from psycoxide import sync
    from psycoxide.sync.delivery import check_delivery

    if not through.pooler.shares:
        pytest.skip("session mode")

    def connect():
        # It gets the session that the first one has used last, and keeps it.
        through.connect().cursor().execute("select 1")
        return sync.connect(**through.pooler.parameters)

    with sync.connect(**through.pooler.parameters) as conn:
        began = time.monotonic()
        with pytest.raises(psycoxide.NotSupportedError, match="one transaction at a time"):
            check_delivery(conn, connect)
        assert 4 < time.monotonic() - began < LATE


@pytest.mark.limit(30)
def test_it_can_be_told_not_to_look(psycoxide, through):
    from psycoxide import sync

    with sync.Listener("", "pooled", check_pooler=False, **through.pooler.parameters) as events:
        assert events.get(timeout=SOON) == sync.Listening(gap=False)


@pytest.mark.limit(30)
def test_with_asyncio(psycoxide, through):
    from psycoxide import aio

    async def use():
        async with aio.AsyncListener("", "pooled", **through.pooler.parameters) as events:
            assert await events.get(timeout=SOON) == aio.Listening(gap=False)

    if through.pooler.shares:
        with pytest.raises(psycoxide.NotSupportedError, match="one transaction at a time"):
            asyncio.run(use())
    else:
        asyncio.run(use())
