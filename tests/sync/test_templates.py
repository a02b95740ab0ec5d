# Generated from tests/aio/test_templates.py by tools/generate_sync.py: do not edit.
"""Queries that are templates, from Python 3.14 on: older Pythons have to read this file, too."""

import sys

import pytest

import psycoxide
from psycoxide import sql

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="templates came with Python 3.14"
)


def template(source, **names):
    """The template of this source."""
    return eval(f"t{source!r}", names)


def test_values_are_parameters(conn):
    query = template("select {number}::int, {text}, '100%'", number=7, text="it's {x} %s")
    assert conn.fetchrow(query) == (7, "it's {x} %s", "100%")
    cursor = conn.execute(template("select {each}", each=[1, 2]))
    assert cursor.fetchone() == ([1, 2],)
    assert conn.fetchval(template("select 1")) == 1
    assert conn.fetchval(template("select {value!r}", value="a")) == "'a'"


def test_identifiers_and_parts(conn):
    name = 'odd "name" %'
    query = template("select {value} as {name:i}", value=1, name=name)
    cursor = conn.execute(query)
    assert [column.name for column in cursor.description] == [name]
    inner = template("x > {least}", least=1)
    query = template("select x from generate_series(1, 3) x where {inner:q}", inner=inner)
    assert conn.fetch(query) == [(2,), (3,)]
    query = template("select x from generate_series(1, 3) x where {inner}", inner=inner)
    assert conn.fetch(query) == [(2,), (3,)]
    part = sql.SQL("{} + '5%'::text::varchar(1)::int").format(sql.Literal(1))
    assert conn.fetchval(template("select {part}", part=part)) == 6


@pytest.mark.parametrize(
    ("source", "names", "error"),
    [
        ("select {x:i}", {"x": 1}, TypeError),
        ("select {x:q}", {"x": "1"}, TypeError),
        ("select {x:>10}", {"x": 1}, ValueError),
        ("select {x}", {"x": object()}, psycoxide.ProgrammingError),
    ],
)
def test_other_formats_are_refused(conn, source, names, error):
    with pytest.raises(error):
        conn.execute(template(source, **names))
    assert conn.fetchval("select 1") == 1


def test_a_template_takes_no_parameters_beside_it(conn):
    with pytest.raises(TypeError, match="takes no others"):
        conn.fetch(template("select {x}", x=1), (1,))
