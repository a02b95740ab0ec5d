"""Many rows with few statements."""

import pytest

import psycoxide
from psycoxide import extras, sql


@pytest.fixture
def target(table):
    return table("a int, b text")


def rows(cur, target):
    cur.execute(f"select a, b from {target} order by a")
    return cur.fetchall()


@pytest.mark.parametrize("page_size", [1, 2, 100])
@pytest.mark.parametrize("composed", [False, True])
def test_execute_values(cur, target, page_size, composed):
    query = f"insert into {target} values %s"
    extras.execute_values(
        cur,
        sql.SQL(query) if composed else query,
        ((i, f"it's {i}") for i in range(5)),
        page_size=page_size,
    )
    assert rows(cur, target) == [(i, f"it's {i}") for i in range(5)]


def test_execute_values_returning(cur, target):
    got = extras.execute_values(
        cur,
        f"insert into {target} values %s returning a",
        [(i, None) for i in range(5)],
        page_size=2,
        fetch=True,
    )
    assert got == [(i,) for i in range(5)]


@pytest.mark.parametrize("make", [str, str.encode, sql.SQL])
def test_execute_values_with_a_template(cur, target, make):
    extras.execute_values(
        cur,
        f"insert into {target} values %s",
        [{"n": 1}, {"n": 2}],
        template=make("(%(n)s, '100%%')"),
    )
    assert rows(cur, target) == [(1, "100%"), (2, "100%")]


def test_execute_values_in_the_connection_s_encoding(conn, cur, target):
    conn.set_client_encoding("latin1")
    cur.execute("create temporary table encoded (a text)")
    extras.execute_values(cur, "insert into encoded values %s -- é", [("ü",)])
    cur.execute("select a, octet_length(a) from encoded")
    assert cur.fetchone() == ("ü", 2)


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_execute_batch(cur, target, page_size):
    extras.execute_batch(
        cur,
        f"insert into {target} values (%(a)s, 'x')",
        [{"a": i} for i in range(5)],
        page_size=page_size,
    )
    assert rows(cur, target) == [(i, "x") for i in range(5)]


def test_execute_batch_stops_at_an_error(conn, cur, target):
    with pytest.raises(psycoxide.DataError):
        extras.execute_batch(cur, f"insert into {target} values (%s / %s)", [(1, 1), (1, 0)])
    conn.rollback()
