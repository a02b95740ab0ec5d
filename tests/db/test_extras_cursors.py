"""The extras' cursors over real results: rows by name, named tuples, logs."""

import copy
import io
import logging
import pickle
import sys
from collections import OrderedDict

import pytest

import psycoxide
from psycoxide import extras

SERIES = "select i as n, i * 10 as ten from generate_series(1, 5) i"


@pytest.fixture(params=["client", "server"])
def opened(request, conn):
    """A function that runs a query in a cursor of the class given, client- or server-side."""

    def run(factory, query):
        name = None if request.param == "client" else "named"
        cur = conn.cursor(name, cursor_factory=factory)
        cur.execute(query)
        return cur

    return run


KINDS = [extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor]


def number(row):
    """The value of column `n`, however the row gives it."""
    return row.n if hasattr(row, "_fields") else row["n"]


@pytest.mark.parametrize("factory", KINDS)
def test_every_way_to_fetch(opened, factory):
    assert [number(row) for row in opened(factory, SERIES).fetchall()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("factory", KINDS)
def test_fetching_bit_by_bit(opened, factory):
    cur = opened(factory, SERIES)
    assert number(cur.fetchone()) == 1
    assert [number(row) for row in cur.fetchmany(2)] == [2, 3]
    assert [number(row) for row in cur.fetchmany()] == [4]
    assert [number(row) for row in cur.fetchall()] == [5]
    assert cur.fetchone() is None
    assert cur.fetchmany(2) == []
    assert cur.fetchall() == []


@pytest.mark.parametrize("factory", KINDS)
@pytest.mark.parametrize("itersize", [2, 2000])
def test_iterating(opened, factory, itersize):
    cur = opened(factory, SERIES)
    cur.itersize = itersize
    assert [number(row) for row in cur] == [1, 2, 3, 4, 5]
    assert list(cur) == []


@pytest.mark.parametrize("factory", KINDS)
def test_iterating_far(opened, factory):
    """Further than Python can recurse."""
    cur = opened(factory, "select n from generate_series(1, 3000) n")
    assert [number(row) for row in cur] == list(range(1, 3001))


@pytest.mark.parametrize("factory", KINDS)
def test_next_and_iteration_share_a_position(opened, factory):
    cur = opened(factory, SERIES)
    seen = []
    for row in cur:
        seen.append(number(row))
        if len(seen) == 2:
            next(cur)
    assert seen == [1, 2, 4, 5]


def test_iteration_does_not_ask_an_overridden_fetchone(conn):
    class Fetching(psycoxide.extensions.cursor):
        def fetchone(self):
            return "mine"

    cur = conn.cursor(cursor_factory=Fetching)
    cur.execute("select 1 union all select 2")
    assert (next(cur), list(cur), cur.fetchone()) == ((1,), [(2,)], "mine")


def test_a_record_class_of_ones_own(conn):
    class Records(extras.NamedTupleCursor):
        def _make_nt(self):
            class Record(super()._make_nt()):
                @property
                def double(self):
                    return self.n * 2

            return Record

    cur = conn.cursor(cursor_factory=Records)
    cur.execute(SERIES)
    assert cur.fetchone().double == 2
    assert [row.double for row in cur.fetchmany(2)] == [4, 6]
    assert [row.double for row in cur] == [8, 10]


def test_a_row_class_of_ones_own(conn):
    class Row(extras.DictRow):
        pass

    class Rows(extras.DictCursor):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.row_factory = Row

    cur = conn.cursor(cursor_factory=Rows)
    cur.execute(SERIES)
    rows = [cur.fetchone(), *cur.fetchmany(1), *cur]
    assert [type(row) for row in rows] == [Row] * 5
    assert [row["ten"] for row in rows] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize("factory", KINDS)
def test_stopping_in_the_middle_of_an_iteration(opened, factory):
    cur = opened(factory, SERIES)
    for row in cur:
        if number(row) == 2:
            break
    assert cur.rownumber == 2


@pytest.mark.parametrize("factory", KINDS)
def test_a_second_statement_has_its_own_names(conn, factory):
    cur = conn.cursor(cursor_factory=factory)
    cur.execute(SERIES)
    first = cur.fetchone()
    cur.execute("select 'x' as n, 'y' as other")
    assert number(cur.fetchone()) == "x"
    assert number(first) == 1


@pytest.mark.parametrize("factory", KINDS)
def test_a_statement_without_rows(conn, factory):
    cur = conn.cursor(cursor_factory=factory)
    cur.execute("create temporary table none (n int)")
    with pytest.raises(psycoxide.ProgrammingError, match="no results to fetch"):
        cur.fetchone()
    cur.execute("select n from none")
    assert cur.fetchone() is None
    assert list(cur) == []


@pytest.mark.parametrize("factory", KINDS)
def test_a_procedure(conn, factory):
    cur = conn.cursor(cursor_factory=factory)
    cur.callproc("generate_series", [3, 4])
    row = cur.fetchone()
    assert (row[0] if factory is not extras.RealDictCursor else row["generate_series"]) == 3


def test_dict_rows(conn):
    cur = conn.cursor(cursor_factory=extras.DictCursor)
    cur.execute("select 1 as a, 2 as b, 3 as a")
    row = cur.fetchone()
    assert type(row) is extras.DictRow
    assert row == [1, 2, 3]
    assert (row["a"], row["b"], row[0]) == (3, 2, 1)
    assert row.copy() == OrderedDict(a=3, b=2)


def test_real_dict_rows(conn):
    cur = conn.cursor(cursor_factory=extras.RealDictCursor)
    cur.execute("select 1 as a, 2 as b, 3 as a")
    row = cur.fetchone()
    assert type(row) is extras.RealDictRow
    assert list(row.items()) == [("a", 3), ("b", 2)]
    row["c"] = 4
    del row["a"]
    assert row == {"b": 2, "c": 4}


def test_named_tuples(conn):
    cur = conn.cursor(cursor_factory=extras.NamedTupleCursor)
    cur.execute("select 1 as a, 2, 3 as _c")
    row = cur.fetchone()
    assert row == (1, 2, 3)
    assert (row.a, row.f_column_, row.f_c) == (1, 2, 3)
    assert type(row) is cur.Record
    cur.execute('select 1 as "class"')
    with pytest.raises(ValueError):
        cur.fetchone()


WAYS = {
    "fetchone": lambda cur: [cur.fetchone()],
    "fetchmany": lambda cur: cur.fetchmany(1),
    "fetchall": lambda cur: cur.fetchall(),
    "iteration": list,
}


@pytest.mark.parametrize("fetch", WAYS.values(), ids=WAYS)
def test_a_named_tuple_is_as_its_class_makes_it(conn, fetch):
    """Rows are made past the class, so all that a tuple remembers of itself is to be seen to."""
    cur = conn.cursor(cursor_factory=extras.NamedTupleCursor)
    for columns in ("1 as a", "1 as a, 'x' as b, null as c", "array[1, 2] as a, 2 as b"):
        cur.execute(f"select {columns}")
        (row,) = fetch(cur)
        plain = tuple(row)
        made = type(row)(*plain)
        assert (row, repr(row), row._asdict()) == (made, repr(made), made._asdict())
        assert sys.getsizeof(row) == sys.getsizeof(made)
        assert pickle.loads(pickle.dumps(plain)) == row == row._replace()
        if not isinstance(row.a, list):
            assert hash(row) == hash(made) == hash(plain)
            assert row in {plain: 1} and plain in {row} and row in {made}


def test_a_row_factory_of_ones_own(conn):
    cur = conn.cursor(cursor_factory=extras.RealDictCursor)
    cur.row_factory = lambda cursor: [None] * len(cursor.description)
    cur.execute("select 1 as a, 2 as b")
    assert cur.fetchone() == [1, 2]


@pytest.mark.parametrize(
    ("connection_factory", "cursor_class"),
    [
        (extras.DictConnection, extras.DictCursor),
        (extras.RealDictConnection, extras.RealDictCursor),
        (extras.NamedTupleConnection, extras.NamedTupleCursor),
    ],
)
def test_connections_of_a_kind(connect, dsn, connection_factory, cursor_class):
    conn = connect(dsn, connection_factory=connection_factory)
    assert type(conn.cursor()) is cursor_class
    assert type(conn.cursor("name")) is cursor_class
    plain = psycoxide.extensions.cursor
    assert type(conn.cursor(cursor_factory=plain)) is plain
    conn.cursor_factory = extras.LoggingCursor
    assert type(conn.cursor()) is extras.LoggingCursor


def test_logging_to_a_file(connect, dsn):
    conn = connect(dsn, connection_factory=extras.LoggingConnection)
    with pytest.raises(psycoxide.ProgrammingError, match="has not been initialize"):
        conn.cursor()
    log = io.StringIO()
    conn.initialize(log)
    cur = conn.cursor()
    cur.execute("select %s", ("é",))
    cur.callproc("abs", [-1])
    with pytest.raises(psycoxide.ProgrammingError):
        cur.execute("nonsense")
    assert log.getvalue().splitlines() == ["select 'é'", "SELECT * FROM abs( -1)", "nonsense"]


def test_logging_to_a_logger(connect, dsn, caplog):
    conn = connect(dsn, connection_factory=extras.LoggingConnection)
    conn.initialize(logging.getLogger("statements"))
    with caplog.at_level(logging.DEBUG, "statements"):
        conn.cursor().execute("select 1")
    assert [record.msg for record in caplog.records] == [b"select 1"]


def test_a_filter_decides_what_is_logged(connect, dsn):
    class Filtering(extras.LoggingConnection):
        def filter(self, msg, curs):
            return msg.decode().upper() if b"log me" in msg else None

    conn = connect(dsn, connection_factory=Filtering)
    log = io.StringIO()
    conn.initialize(log)
    conn.cursor().execute("select 1")
    conn.cursor().execute("select 1 -- log me")
    assert log.getvalue().splitlines() == ["SELECT 1 -- LOG ME"]


def test_logging_what_takes_long(connect, dsn):
    conn = connect(dsn, connection_factory=extras.MinTimeLoggingConnection)
    log = io.StringIO()
    conn.initialize(log, mintime=50)
    cur = conn.cursor()
    cur.execute("select 1")
    cur.execute("select pg_sleep(0.1)")
    cur.callproc("pg_sleep", [0.1])
    lines = log.getvalue().splitlines()
    assert lines[0] == "select pg_sleep(0.1)"
    assert lines[1].startswith("  (execution time: 1")
    assert lines[2] == "SELECT * FROM pg_sleep(0.1)"
    assert len(lines) == 4


def rows_of_all_classes(conn, query):
    for factory in (None, extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor):
        with conn.cursor(cursor_factory=factory) as cur:
            cur.execute(query)
            yield cur.fetchone()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_rows_of_all_classes_can_be_pickled(conn, run_python, protocol, tmp_path):
    cur = conn.cursor()
    cur.execute("create type pg_temp.pickled as (a int, b text[])")
    extras.register_composite("pickled", conn)
    query = """select 1 as a, (2, '{x}')::pickled as "a b", null as c, now() as "1" """
    rows = [*rows_of_all_classes(conn, query)]
    pickled = pickle.dumps(rows, protocol)
    again = pickle.loads(pickled)
    assert again == rows
    for one, other in zip(again, rows):
        assert repr(one) == repr(other)
    record = again[-1]
    assert (record.a, record.a_b.b, record.f1) == (1, ["x"], rows[0][3])
    assert record._replace(a=5).a == 5 and record._asdict()["a"] == 1
    # Also where neither the type nor the class was ever seen, which come in once.
    file = tmp_path / "rows"
    file.write_bytes(pickle.dumps([pickled, pickle.dumps(rows, protocol)]))
    done = run_python(
        """
        import pickle, sys

        one, other = map(pickle.loads, pickle.load(open(sys.argv[1], "rb")))
        assert one == other and type(one[-1]) is type(other[-1])
        print(one[-1].a_b.b, type(one[-1]).__name__, type(one[-1].a_b).__name__)
        """,
        str(file),
    )
    assert done.stdout == "['x'] Record pickled\n"


def test_copies_of_a_named_tuple_are_of_its_class(conn):
    cur = conn.cursor(cursor_factory=extras.NamedTupleCursor)
    cur.execute("select 1 as a, array[1] as b")
    row = cur.fetchone()
    for twin in (copy.copy(row), copy.deepcopy(row)):
        assert type(twin) is type(row) is cur.Record and twin == row
    assert copy.copy(row).b is row.b and copy.deepcopy(row).b is not row.b
