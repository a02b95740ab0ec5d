# Generated from tests/aio/test_extras.py by tools/generate_sync.py: do not edit.
"""The functions of `extras` that look types up in the database."""

from __future__ import annotations

import pytest

from psycoxide import extensions, extras


@pytest.fixture(autouse=True)
def _registries():
    """The adapters of the process, put back: `register_hstore()` adds one of dict."""
    before = dict(extensions.adapters)
    yield
    extensions.adapters.clear()
    extensions.adapters.update(before)


@pytest.fixture
def typed(conn):
    """A connection whose database has hstore, and a type of this session's."""
    conn.execute("create type pg_temp.pair as (number integer, text text)")
    return conn


def register(scope):
    extras.register_hstore(scope)
    extras.register_composite("pair", scope)


def test_a_connection_at_rest_is_asked(typed):
    register(typed)
    row = typed.fetchrow("select 'a=>1'::hstore, (1, 'x')::pair")
    assert row == ({"a": "1"}, (1, "x"))
    assert row[1].text == "x"


def test_a_cursor_is_asked(typed):
    cursor = typed.cursor()
    register(cursor)
    cursor.execute("select 'a=>1'::hstore, (1, 'x')::pair")
    assert cursor.fetchone() == ({"a": "1"}, (1, "x"))
    assert typed.fetchval("select 'a=>1'::hstore::text") == '"a"=>"1"'
