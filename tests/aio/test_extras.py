"""The functions of `extras` that look types up in the database."""

from __future__ import annotations

import asyncio  # only in aio

import pytest
from fixtures.steps import soon  # only in aio

import psycoxide
from psycoxide import extensions, extras


@pytest.fixture(autouse=True)
def _registries():
    """The adapters of the process, put back: `register_hstore()` adds one of dict."""
    before = dict(extensions.adapters)
    yield
    extensions.adapters.clear()
    extensions.adapters.update(before)


@pytest.fixture
async def typed(aconn):
    """A connection whose database has hstore, and a type of this session's."""
    await aconn.execute("create type pg_temp.pair as (number integer, text text)")
    return aconn


def register(scope):
    extras.register_hstore(scope)
    extras.register_composite("pair", scope)


async def test_a_connection_at_rest_is_asked(typed):
    register(typed)
    row = await typed.fetchrow("select 'a=>1'::hstore, (1, 'x')::pair")
    assert row == ({"a": "1"}, (1, "x"))
    assert row[1].text == "x"


async def test_a_cursor_is_asked(typed):
    cursor = typed.cursor()
    register(cursor)
    await cursor.execute("select 'a=>1'::hstore, (1, 'x')::pair")
    assert await cursor.fetchone() == ({"a": "1"}, (1, "x"))
    assert await typed.fetchval("select 'a=>1'::hstore::text") == '"a"=>"1"'


async def test_a_connection_in_use_is_not_asked(typed):  # only in aio
    task = asyncio.ensure_future(typed.fetchval("select 7 from pg_sleep(0.2)"))
    await asyncio.sleep(0.01)
    for function in (
        lambda: extras.register_hstore(typed),
        lambda: extras.register_composite("pair", typed),
        lambda: extras.register_composite("pair", typed.cursor()),
    ):
        with pytest.raises(psycoxide.ProgrammingError, match="no other call of this connection"):
            function()
    assert await soon(task) == 7
    register(typed)
    assert await typed.fetchval("select (1, 'x')::pair") == (1, "x")
