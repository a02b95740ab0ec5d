"""Client-side cursors: executing, fetching, telling about the result."""

from __future__ import annotations

import inspect
import pickle

import pytest

import psycoxide
from psycoxide import extensions


@pytest.fixture
def cur(conn):
    return conn.cursor()


def test_at_birth(cur):
    assert (cur.arraysize, cur.itersize, cur.rowcount, cur.rownumber) == (1, 2000, -1, 0)
    assert cur.lastrowid == 0
    assert cur.description is None and cur.query is None
    assert cur.statusmessage is None and cur.name is None
    with pytest.raises(psycoxide.ProgrammingError, match="no results to fetch"):
        cur.fetchone()


def test_execute_and_fetch(cur):
    cur.execute("select i, i::text from generate_series(1, 5) i")
    assert cur.rowcount == 5
    assert cur.statusmessage == "SELECT 5"
    assert cur.fetchone() == (1, "1")
    assert cur.rownumber == 1
    assert cur.fetchmany(2) == [(2, "2"), (3, "3")]
    assert cur.fetchall() == [(4, "4"), (5, "5")]
    assert cur.fetchone() is None
    assert cur.fetchall() == []
    cur.scroll(0, "absolute")
    assert cur.fetchmany(-1)[0] == (1, "1")


def test_iteration_shares_the_position(cur):
    cur.execute("select generate_series(1, 4)")
    assert next(cur) == (1,)
    assert cur.fetchone() == (2,)
    assert list(cur) == [(3,), (4,)]
    assert iter(cur) is cur


def test_description(cur):
    cur.execute(
        "select 1::int as a, 'x'::varchar(10) as b, 1::numeric(10, 2) as c, 2::numeric as d"
    )
    first = cur.description[0]
    assert tuple(first) == ("a", 23, None, 4, None, None, None)
    assert first == ("a", 23, None, 4, None, None, None)
    assert first.name == "a" and first.type_code == psycoxide.NUMBER
    assert repr(first) == "Column(name='a', type_code=23)"
    assert first[0:2] == ("a", 23)
    assert pickle.loads(pickle.dumps(first)) == first
    assert tuple(cur.description[1]) == ("b", 1043, None, 10, None, None, None)
    assert tuple(cur.description[2]) == ("c", 1700, None, 10, 10, 2, None)
    assert tuple(cur.description[3]) == ("d", 1700, None, -1, 65535, 65535, None)
    cur.execute("create temp table described (x int)")
    assert cur.description is None
    cur.execute("select x from described")
    assert cur.description[0].table_column == 1
    assert cur.description[0].table_oid > 0


def test_query_types(cur):
    cur.execute(b"select 'bytes'")
    assert cur.fetchone() == ("bytes",)
    with pytest.raises(TypeError, match="got int instead"):
        cur.execute(1)
    for empty in ["", ";", " -- nothing"]:
        with pytest.raises(psycoxide.ProgrammingError, match="can't execute an empty query"):
            cur.execute(empty)
    with pytest.raises(ValueError):
        cur.execute("select 1\0; drop table x")


def test_last_result_wins(cur):
    cur.execute("select 1; select 2, 3")
    assert cur.fetchall() == [(2, 3)]
    cur.execute("select 1; create temp table last_wins ()")
    with pytest.raises(psycoxide.ProgrammingError):
        cur.fetchall()


def test_rowcount(cur):
    cur.execute("create temp table counted (x int)")
    assert cur.rowcount == -1
    cur.execute("insert into counted select generate_series(1, 7)")
    assert cur.rowcount == 7
    cur.execute("update counted set x = 0 where x > 4")
    assert cur.rowcount == 3
    cur.executemany("delete from counted where x = %s", [(1,), (0,), (99,)])
    assert cur.rowcount == 4
    cur.executemany("delete from counted where x = %s", [])
    assert cur.rowcount == 0


def test_parameters(cur):
    cur.execute("select %s, %s, %%s, 100 %% 7".replace("%%s", "'%%s'"), (1, "it's"))
    assert cur.fetchone() == (1, "it's", "%s", 2)
    cur.execute("select %(b)s, %(a)s, %(b)s", {"a": None, "b": True})
    assert cur.fetchone() == (True, None, True)
    cur.execute("select 'as %s is', 5 % 3")
    assert cur.fetchone() == ("as %s is", 2)
    assert cur.mogrify("select %s", ("x",)) == b"select 'x'"
    assert cur.query == b"select 'as %s is', 5 % 3"


@pytest.mark.parametrize(
    "query, args, error",
    [
        ("select %s", (), IndexError),
        ("select %s", (1, 2), TypeError),
        ("select %(a)s", {}, KeyError),
        ("select %(a)s, %s", {"a": 1}, psycoxide.ProgrammingError),
        ("select %(a)s, %s", (1,), TypeError),
        ("select %(a", {"a": 1}, psycoxide.ProgrammingError),
        ("select %d", (1,), ValueError),
        ("select %s", 5, TypeError),
        ("select %s", (object(),), psycoxide.ProgrammingError),
        ("select %s", ("a\0b",), ValueError),
    ],
)
def test_wrong_parameters(cur, query, args, error):
    with pytest.raises(error):
        cur.execute(query, args)
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


def test_scroll(cur):
    cur.execute("select generate_series(0, 9)")
    cur.scroll(3)
    assert cur.fetchone() == (3,)
    cur.scroll(-2)
    assert cur.fetchone() == (2,)
    for value, mode in [(100, "relative"), (-5, "relative"), (10, "absolute"), (-1, "absolute")]:
        with pytest.raises(psycoxide.ProgrammingError, match="out of bounds"):
            cur.scroll(value, mode)
        assert cur.rownumber == 3
    with pytest.raises(psycoxide.ProgrammingError, match="scroll mode"):
        cur.scroll(1, "sideways")


def test_callproc(cur):
    assert cur.callproc("lower", ["ABC"]) == ["ABC"]
    assert cur.fetchone() == ("abc",)
    assert cur.callproc("make_interval", {"hours": 2}) is None
    assert cur.fetchone()[0].total_seconds() == 7200


def test_errors_tell(cur, conn):
    with pytest.raises(psycoxide.errors.UndefinedTable) as caught:
        cur.execute("select * from no_such_table")
    error = caught.value
    assert isinstance(error, psycoxide.ProgrammingError)
    assert error.pgcode == "42P01"
    assert error.cursor is cur
    assert str(error).startswith('relation "no_such_table" does not exist\nLINE 1: select')
    assert error.pgerror == "ERROR:  " + str(error)
    assert error.diag.severity == "ERROR"
    assert error.diag.sqlstate == "42P01"
    assert error.diag.statement_position == "15"
    with pytest.raises(psycoxide.errors.InFailedSqlTransaction):
        cur.execute("select 1")
    conn.rollback()
    cur.execute("create temp table constrained (x int constraint positive check (x > 0))")
    with pytest.raises(psycoxide.IntegrityError) as caught:
        cur.execute("insert into constrained values (-1)")
    assert caught.value.diag.constraint_name == "positive"
    assert caught.value.diag.message_detail.startswith("Failing row")


def test_closed_cursor(cur):
    cur.execute("select 1")
    cur.close()
    cur.close()
    assert cur.closed
    for call in (cur.fetchone, cur.fetchall, lambda: cur.execute("select 1")):
        with pytest.raises(psycoxide.InterfaceError, match="cursor already closed"):
            call()
    assert cur.mogrify("%s", (1,)) == b"1"


def test_context_manager(conn):
    with conn.cursor() as cur:
        cur.execute("select 1")
    assert cur.closed


def test_typecaster_scopes(conn, cur):
    shout = extensions.new_type((25,), "SHOUT", lambda value, cur: value and value.upper())
    extensions.register_type(shout, cur)
    cur.execute("select 'a'::text, null::text")
    assert cur.fetchone() == ("A", None)
    other = conn.cursor()
    other.execute("select 'a'::text")
    assert other.fetchone() == ("a",)
    extensions.register_type(shout, conn)
    other.execute("select 'a'::text")
    assert other.fetchone() == ("A",)


def test_casters_are_chosen_at_execute(conn, cur):
    cur.execute("select 1")
    extensions.register_type(extensions.new_type((23,), "INT", lambda v, c: "other"), cur)
    assert cur.fetchone() == (1,)
    cur.execute("select 1")
    assert cur.fetchone() == ("other",)


def test_failing_typecaster_leaves_the_cursor_usable(cur):
    def caster(value, cur):
        if value == "2":
            raise ZeroDivisionError("no twos")
        return int(value)

    extensions.register_type(extensions.new_type((23,), "PICKY", caster), cur)
    cur.execute("select generate_series(1, 4)")
    assert cur.fetchone() == (1,)
    with pytest.raises(ZeroDivisionError):
        cur.fetchone()
    assert cur.fetchall() == [(3,), (4,)]


def test_row_factory_attribute(cur):
    cur.row_factory = lambda cur: [None] * len(cur.description)
    cur.execute("select 1, 2")
    assert cur.fetchone() == [1, 2]


def test_wide_and_empty(cur):
    cur.execute("select " + ", ".join(f"{i} as c{i}" for i in range(1600)))
    assert cur.fetchone() == tuple(range(1600))
    cur.execute("select")
    assert cur.fetchall() == [()]


def test_large_values(cur):
    text = "x" * (3 << 20)
    cur.execute("select %s, %s", (text, b"\0\xff" * (1 << 20)))
    back, blob = cur.fetchone()
    assert back == text
    assert bytes(blob) == b"\0\xff" * (1 << 20)


def test_copy_is_refused(cur, conn):
    cur.execute("create temp table copied (x int)")
    with pytest.raises(psycoxide.ProgrammingError, match="copy_from"):
        cur.execute("copy copied from stdin")
    conn.rollback()
    with pytest.raises(psycoxide.ProgrammingError, match="copy_to"):
        cur.execute("copy (select generate_series(1, 100000)) to stdout")
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


def test_setters_and_no_ops(cur):
    cur.arraysize = 3
    cur.execute("select generate_series(1, 5)")
    assert len(cur.fetchmany()) == 3
    with pytest.raises(TypeError):
        cur.arraysize = "x"
    cur.setinputsizes([1])
    cur.setoutputsize(1)
    with pytest.raises(psycoxide.NotSupportedError):
        cur.nextset()
    assert cur.cast(23, "5") == 5
    assert cur.cast(99999999, "x") == "x"


@pytest.mark.parametrize("name", ["execute", "executemany", "callproc", "mogrify"])
def test_there_is_no_signature_to_call_by(name):
    """Polars gives what has one its parameters by a name of its own, and by position else."""
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(getattr(extensions.cursor, name))
