"""Composed SQL as a connection quotes and runs it."""

import pytest

from psycoxide import ProgrammingError, sql


@pytest.fixture(params=["connection", "cursor"])
def context(request, conn):
    return conn if request.param == "connection" else conn.cursor()


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (sql.Identifier("plain"), '"plain"'),
        (sql.Identifier('quo"te', "a b"), '"quo""te"."a b"'),
        (sql.Literal("it's"), "'it''s'"),
        (sql.Literal(None), "NULL"),
        (sql.Literal([1, "é"]), "ARRAY[1,'é']"),
        (sql.Literal(b"\x00"), "'\\x00'::bytea"),
        (sql.SQL("a {} {}").format(sql.Identifier("x"), sql.Literal(-1)), 'a "x"  -1'),
        (sql.SQL(", ").join(sql.Placeholder() * 2), "%s, %s"),
    ],
)
def test_as_string(context, piece, expected):
    assert piece.as_string(context) == expected


def test_what_cannot_be_adapted(conn):
    with pytest.raises(ProgrammingError, match="can't adapt type 'object'"):
        sql.Literal(object()).as_string(conn)


def test_cursors_take_composed_queries(conn, cur):
    name = 'odd "name"'
    table = sql.Identifier("pg_temp", name)
    cur.execute(sql.SQL("create table {} (a int, b text)").format(table))
    insert = sql.SQL("insert into {} values ({})").format(
        table, sql.SQL(", ").join([sql.Placeholder("a"), sql.Placeholder("b")])
    )
    cur.execute(insert, {"a": 1, "b": "x"})
    cur.executemany(insert, [{"a": 2, "b": "%"}, {"a": 3, "b": None}])
    assert cur.mogrify(insert, {"a": 1, "b": "y"}).endswith(b"values (1, 'y')")
    named = conn.cursor("composed")
    named.execute(sql.SQL("select * from {} order by a").format(table))
    assert named.fetchall() == [(1, "x"), (2, "%"), (3, None)]
