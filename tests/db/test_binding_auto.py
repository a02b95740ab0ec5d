"""`binding="auto"`: parameters bound on the server, with the results that merged text has."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import uuid
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import psycoxide
from psycoxide import errors, extensions, extras, sql

D = decimal.Decimal
IDLE, INTRANS, INERROR = (
    extensions.TRANSACTION_STATUS_IDLE,
    extensions.TRANSACTION_STATUS_INTRANS,
    extensions.TRANSACTION_STATUS_INERROR,
)
Point = collections.namedtuple("Point", "x y")
AT = dt.datetime(2024, 2, 29, 12, 34, 56, 123456)
UTC = dt.timezone.utc


@pytest.fixture
def auto(connect) -> Any:
    return connect(binding="auto")


@pytest.fixture
def merging(connect) -> Any:
    return connect(binding="client")


@pytest.fixture(params=["transaction", "autocommit"])
def both(request, auto, merging) -> Any:
    """Connections that bind and merge, in the same mode."""
    auto.autocommit = merging.autocommit = request.param == "autocommit"
    return auto, merging


def outcome(conn: Any, query: Any, values: Any) -> Any:
    """What a program sees of a query, and of the connection behind it."""
    cur = conn.cursor()
    try:
        cur.execute(query, values)
    except psycoxide.Error as raised:
        seen: Any = (type(raised), raised.pgcode, raised.diag.message_primary)
    except Exception as raised:
        seen = (type(raised), str(raised))
    else:
        rows = None
        if cur.description:
            # The address of a memoryview says nothing.
            rows = [[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in cur]
        columns = [(column.name, column.type_code) for column in cur.description or ()]
        seen = (repr(rows), columns, cur.rowcount, cur.statusmessage)
    return seen, conn.info.transaction_status, conn.status


def coarse(seen: Any) -> Any:
    """The same, but of an error only the kind: of several values that are wrong, the server names
    another one when it gets them apart from the query."""
    (what, code, *rest), *status = seen
    if isinstance(what, type) and issubclass(what, psycoxide.DatabaseError) and code:
        return code[:2], *status
    return (what, code, *rest), *status


def bound(cur: Any) -> bool:
    """Whether the last query was bound."""
    return b"$1" in cur.query


def assert_alike(both: Any, query: Any, values: Any) -> None:
    auto, merging = both
    for _ in range(3):
        assert outcome(auto, query, values) == outcome(merging, query, values)
        if auto.info.transaction_status == INERROR:
            auto.rollback()
            merging.rollback()


# ---- what is bound ---------------------------------------------------------------------------


def test_the_default_merges(conn):
    cur = conn.cursor()
    cur.execute("select %s + 1", (1,))
    assert cur.query == b"select 1 + 1"
    assert conn.binding == "client"
    assert conn.prepare_threshold is None


def test_values_are_bound(auto):
    cur = auto.cursor()
    cur.execute("select %s + 1, %s::text", (1, "a"))
    assert cur.query == b"select $1 + 1, $2::text"
    assert cur.fetchone() == (2, "a")
    cur.execute("select %(a)s::int, %(b)s::text, %(a)s::int", {"a": 1, "b": "x"})
    assert bound(cur)
    assert cur.fetchone() == (1, "x", 1)
    assert auto.binding == "auto"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("select 1 where 1 in %s", ((1, 2),)),
        ("select %s::int where 1 in %s", (7, (1, 2))),
        ("set application_name to %s", ("x",)),
        ("select %s; select 2", (1,)),
        ("select %s::int", (extensions.AsIs("1 + 1"),)),
        ("select '%s'", (1,)),
        ("explain select %s", (1,)),
        ("select null is %s", (None,)),
        ("select interval %s", ("1 day",)),
        ("select 1 as %s", (extensions.AsIs("one"),)),
        ("select 100 %% 7", ()),
        ("select a from (values (2), (1)) as t (a) order by %s", (1,)),
    ],
)
def test_what_takes_no_parameters_is_merged(both, query, values):
    cur = both[0].cursor()
    cur.execute(query, values)
    assert cur.query == cur.mogrify(query, values)
    assert_alike(both, query, values)


def test_queries_without_values_stay_as_they_are(auto):
    cur = auto.cursor()
    cur.execute("select 100 % 7")
    assert cur.fetchone() == (2,)
    cur.execute("select 100 % 7", None)
    assert cur.fetchone() == (2,)


def test_mogrify_and_the_rest_merge(auto):
    cur = auto.cursor()
    assert cur.mogrify("select %s", (1,)) == b"select 1"
    cur.callproc("abs", (-1,))
    assert cur.fetchone() == (1,)
    cur.execute("create temp table t (a int, b text)")
    extras.execute_values(cur, "insert into t values %s", [(1, "a"), (2, "b")])
    extras.execute_batch(cur, "insert into t values (%s, %s)", [(3, "c"), (4, "d")])
    cur.executemany("insert into t values (%s, %s)", [(5, "e"), (6, "f")])
    cur.execute("select count(*) from t where a > %s", (0,))
    assert bound(cur)
    assert cur.fetchone() == (6,)
    with auto.cursor("named") as named:
        named.execute("select a from t where a > %s order by 1", (4,))
        assert named.fetchall() == [(5,), (6,)]


# ---- what the server refuses -------------------------------------------------------------------

REFUSED = [
    ("select json_build_array(%s)", ("a",)),
    ("select json_build_object(%s, %s)", ("a", 1)),
    ("select format('%%s', %s)", ("a",)),
    ("select concat(%s, %s)", ("a", "b")),
    ("select pg_typeof(%s)::text", ("a",)),
    ("select pg_typeof(%s)::text", (None,)),
    ("select a + %s from (values (1), (2)) t (a) group by a + %s order by a + %s", (1, 1, 1)),
    ("select distinct on (a + %s) a from (values (1), (2)) t (a) order by a + %s, a", (1, 1)),
    ("select x.date from (select %s) as x", (AT.date(),)),
]


@pytest.mark.parametrize(("query", "values"), REFUSED)
@pytest.mark.parametrize("first", [True, False])
def test_what_the_server_refuses_is_merged(both, query, values, first):
    auto, merging = both
    if not first:
        for conn in both:
            conn.cursor().execute("select 1")
    cur = auto.cursor()
    for _ in range(2):
        assert outcome(auto, query, values) == outcome(merging, query, values)
        cur.execute(query, values)
        assert cur.query == cur.mogrify(query, values)
        assert auto.info.transaction_status == merging.info.transaction_status != INERROR


FAILING = [
    ("select nowhere from pg_class where oid = %s", (1,)),
    ("select * from nowhere where a = %s", (1,)),
    ("select nowhere(%s)", ("a",)),
    ("select %s +", (1,)),
    ("select 1 / %s", (0,)),
    ("select %s::int", ("a",)),
    ("select 'a' = %s", (1,)),
    ("select %s", (object(),)),
    ("select %s", ()),
    ("select %s", (1, 2)),
    ("select %(a)s", {}),
    ("select %s %(a)s", (1,)),
    ("select %d", (1,)),
    ("select %s", 7),
    ("select %s", ("a\0b",)),
    ("select $1, %s", (1,)),
    ("select $1", (1,)),
    ("", (1,)),
]


@pytest.mark.parametrize(("query", "values"), FAILING)
def test_errors_and_the_transaction_behind_them(both, query, values):
    assert_alike(both, query, values)
    for conn in both:
        conn.cursor().execute("select 1")
    assert_alike(both, query, values)


def test_an_error_shows_its_place_in_the_merged_text(auto, merging):
    raised = []
    for conn in (auto, merging):
        with pytest.raises(errors.UndefinedTable) as info:
            conn.cursor().execute("select %s from nowhere", (12345,))
        raised.append((str(info.value), info.value.diag.statement_position))
    assert raised[0] == raised[1]


def test_a_failed_transaction_stays_failed(both):
    for conn in both:
        conn.autocommit = False
        with pytest.raises(errors.DivisionByZero):
            conn.cursor().execute("select 1 / %s", (0,))
    assert_alike(both, "select %s + 1", (1,))


def test_columns_keep_their_names(both):
    for value in (AT, AT.date(), AT.time(), dt.timedelta(1), b"x", [1], True, float("nan"), 1.5, 1):
        assert_alike(both, "select %s", (value,))
        assert_alike(both, "select (select %s), %s as named", (value, value))
        assert_alike(both, "select * from (select %s) x", (value,))


def test_a_date_in_a_named_column_is_bound(auto):
    cur = auto.cursor()
    cur.execute("select %s as day", (AT.date(),))
    assert bound(cur)
    assert cur.fetchone() == (AT.date(),)


# ---- transactions ------------------------------------------------------------------------------


def test_a_check_leaves_no_trace(auto, merging):
    cur = auto.cursor()
    cur.execute("create temp table t (a int)")
    cur.execute("savepoint mine")
    cur.execute("insert into t values (%s)", (1,))
    cur.execute("savepoint _psycoxide_check")
    cur.execute("select json_build_array(%s, a) from t", ("a",))
    cur.execute("insert into t values (%s + 1)", (1,))
    cur.execute("rollback to _psycoxide_check")
    cur.execute("select array_agg(a) from t where a > %s", (-1,))
    assert cur.fetchone() == ([1],)
    cur.execute("rollback to mine")
    cur.execute("select count(*) from t where a > %s", (-2,))
    assert cur.fetchone() == (0,)
    auto.rollback()


def test_a_transaction_that_the_program_has_begun(auto):
    auto.autocommit = True
    cur = auto.cursor()
    cur.execute("begin")
    cur.execute("select json_build_array(%s, 2)", ("begun",))
    cur.execute("select %s + 5", (1,))
    assert auto.info.transaction_status == INTRANS
    cur.execute("rollback")
    assert auto.info.transaction_status == IDLE


def test_a_begin_of_the_program_is_not_rolled_back(auto):
    auto.autocommit = True
    cur = auto.cursor()
    cur.execute("begin")
    cur.execute("create temp table kept (a int)")
    auto.autocommit = False
    cur.execute("select json_build_array(%s, 3)", ("a",))
    cur.execute("select count(*) from kept where a > %s", (0,))
    assert cur.fetchone() == (0,)


def test_with_a_connection(auto):
    with auto, auto.cursor() as cur:
        cur.execute("create temp table t (a int)")
        cur.execute("insert into t values (%s)", (1,))
        cur.execute("select json_build_array(%s, 4)", ("a",))
    with pytest.raises(errors.DivisionByZero), auto, auto.cursor() as cur:
        cur.execute("insert into t values (%s)", (2,))
        cur.execute("select 1 / %s", (0,))
    with auto, auto.cursor() as cur:
        cur.execute("select array_agg(a) from t where a > %s", (0,))
        assert cur.fetchone() == ([1],)


@pytest.mark.parametrize("autocommit", [True, False])
def test_characteristics_of_the_transaction(auto, autocommit):
    auto.set_session(isolation_level="serializable", readonly=True, autocommit=autocommit)
    cur = auto.cursor()
    cur.execute("select json_build_array(%s, current_setting('transaction_isolation'))", ("a",))
    assert cur.fetchone() == (["a", "serializable"],)
    cur.execute("select current_setting('transaction_read_only') where %s", (True,))
    assert cur.fetchone() == ("on",)


def test_changes_of_the_schema(both):
    for conn in both:
        conn.cursor().execute("create temp table t (a int)")
    assert_alike(both, "insert into t values (%s) returning *", (1,))
    for conn in both:
        conn.cursor().execute("alter table t alter a type text using a::text")
        conn.cursor().execute("alter table t add b int")
    assert_alike(both, "insert into t values (%s) returning *", (1,))
    assert_alike(both, "select * from t where a = %s", ("1",))
    # A query that was bound before fails in both ways.
    assert_alike(both, "select * from t where a = %s", (1,))


def test_statements_that_are_prepared(auto):
    auto.autocommit = True
    auto.prepare_threshold = 1
    assert auto.prepare_threshold == 1
    cur = auto.cursor()
    cur.execute("create temp table t (a int)")
    for number in range(5):
        cur.execute("insert into t values (%s) returning *", (number,))
    cur.execute("select count(*) from pg_prepared_statements where statement like 'insert%'")
    assert cur.fetchone() == (1,)
    cur.execute("alter table t add b int")
    for number in range(3):
        cur.execute("insert into t values (%s) returning *", (number,))
        assert cur.fetchone() == (number, None)
    cur.execute("deallocate all")
    cur.execute("insert into t values (%s) returning *", (1,))
    assert cur.fetchone() == (1, None)
    auto.prepare_threshold = None
    assert auto.prepare_threshold is None


def test_nothing_is_prepared_by_itself(auto):
    cur = auto.cursor()
    for number in range(20):
        cur.execute("select %s + 1", (number,))
    cur.execute("select count(*) from pg_prepared_statements")
    assert cur.fetchone() == (0,)


# ---- values ------------------------------------------------------------------------------------

small = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-5, 5),
    st.floats(),
    st.decimals(allow_nan=False, places=3, min_value=-1000, max_value=1000),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["1", "-1", "2020-01-01", "{1,2}", "[1]", "\\", "'", "%s", "$1", "t"]),
    st.binary(max_size=8),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.times(),
    st.timedeltas(dt.timedelta(-10000), dt.timedelta(10000)),
    st.lists(st.integers(-9, 9), max_size=3),
    st.lists(st.one_of(st.none(), st.text("ab\\'\"{},", max_size=4)), max_size=3),
    st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), max_size=2),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.builds(extras.Json, st.dictionaries(st.text("ab'", max_size=2), st.integers(0, 9))),
    st.builds(extras.NumericRange, st.integers(0, 3), st.integers(4, 9)),
    st.just(extras.DateRange(AT.date(), None)),
)
SHAPES = [
    "select %s",
    "select %s as a, %s as b",
    "select cast(%s as text), cast(%s as text)",
    "select %s = %s",
    "select %s || %s",
    "select %s + %s",
    "select %s - %s",
    "select coalesce(%s, %s) as c",
    "select greatest(%s, %s)",
    "select case when true then %s else %s end",
    "select %s is null, %s is not null",
    "select %s in (%s, 1)",
    "select %s = any(%s)",
    "select nullif(%s, %s)",
    "select to_json(%s), to_json(%s)",
    "select x, x as y from (select %s as x union all select %s) t",
    "select * from (values (%s), (%s)) t (v)",
    "select count(*) from (values (1), (2)) t (a) where a = %s or a < %s",
    "select a, %s as p from (values (1), (2)) t (a) group by a, %s order by a",
    "select 1 where 'a%%b' like %s or %s",
    "insert into shapes (i, t) values (%s, %s) returning i, t",
    "insert into shapes (n, f) values (%s, %s) returning n, f",
    "insert into shapes (d, s) values (%s, %s) returning d, s",
    "insert into shapes (j, v) values (%s, %s) returning j, v",
    "update shapes set i = i + %s where t = %s returning i",
    "with w as (select %s as a) select a, %s as b from w",
    "select generate_series(1, %s), cast(%s as text)",
    "select 1 limit %s offset %s",
]


@pytest.mark.parametrize("threshold", [None, 0])
@pytest.mark.parametrize("autocommit", [True, False])
def test_bound_and_merged_are_alike(connect, autocommit, threshold):
    auto, merging = connect(binding="auto", prepare_threshold=threshold), connect()
    for conn in (auto, merging):
        conn.autocommit = True
        conn.cursor().execute(
            "create temp table shapes (i int, t text, n numeric(8, 2), f float8, d date,"
            " s timestamptz, j jsonb, v varchar(3))"
        )
        conn.autocommit = autocommit

    @settings(max_examples=400)
    @given(st.sampled_from(SHAPES), small, small, st.booleans())
    def check(query, one, other, again):
        values = (one, other) if query.count("%s") == 2 else (one,)
        ours, theirs = (coarse(outcome(conn, query, values)) for conn in (auto, merging))
        if ours != theirs or ours[1] == INERROR or not again:
            auto.rollback()
            merging.rollback()
        assert ours == theirs, (query, values)

    check()


class Celsius:
    def __init__(self, degrees):
        self.degrees = degrees


@pytest.mark.parametrize(
    "text", ["'21'", "21", "21.5", "'21'::text", "21 + 1", "row(1, 2)", "NULL"]
)
def test_adapters_of_the_program(both, text):
    extensions.register_adapter(Celsius, lambda value: extensions.AsIs(text))
    try:
        assert_alike(both, "select %s as degrees, %s::text", (Celsius(1), Celsius(2)))
    finally:
        extensions.adapters.pop((Celsius, extensions.ISQLQuote))


def test_other_adapters(both):
    for conn in both:
        extras.register_uuid(conn_or_curs=conn)
    made = uuid.UUID(int=7)
    for value in (
        made, [made], Point(1, 2), extras.Json({"a": [1, None]}), [extras.Json(1)],
        extras.NumericRange(1, 5), extras.DateTimeTZRange(AT.replace(tzinfo=UTC), None),
        extras.Inet("10.0.0.1/8"), extensions.Binary(b"\0\1"), [b"\0"], [[1], [2]], [], [None],
        D("1.50"), D("1e400"), D("NaN"), 2**40, -(2**31), 1e300, float("inf"), AT, "\\'\"", [AT],
    ):  # fmt: skip
        assert_alike(both, "select %s as a, %s", (value, 1))
        assert_alike(both, "select to_jsonb(%s)", (value,))


def test_composed_queries(both):
    query = sql.SQL("select {} as {}, {} + 1").format(
        sql.Placeholder("a"), sql.Identifier('"x%'), sql.Literal(3)
    )
    assert_alike(both, query, {"a": 5})
    assert_alike(both, sql.SQL("select 1 where 1 in {}").format(sql.Placeholder()), ((1,),))


def test_other_classes_of_cursors(connect):
    for factory in (extras.RealDictCursor, extras.NamedTupleCursor, extras.DictCursor):
        rows = []
        for binding in ("auto", "client"):
            cur = connect(binding=binding, cursor_factory=factory).cursor()
            cur.execute("select %s as a, %s as b", (1, AT))
            rows.append(repr(cur.fetchall()))
        assert rows[0] == rows[1]


def test_typecasters_of_the_program(auto):
    cur = auto.cursor()
    auto.prepare_threshold = 0
    shout = extensions.new_type((23,), "SHOUT", lambda text, cur: text and text + "!")
    for _ in range(4):
        cur.execute("select %s as a", (5,))
        assert cur.fetchone() == (5,)
    extensions.register_type(shout, cur)
    for _ in range(4):
        cur.execute("select %s as a", (5,))
        assert cur.fetchone() == ("5!",)


def test_more_parameters_than_the_protocol_counts(auto):
    cur = auto.cursor()
    count = 70_000
    cur.execute("select array[" + ",".join(["%s"] * count) + "]", [7] * count)
    assert cur.fetchone() == ([7] * count,)


# ---- the options -------------------------------------------------------------------------------


def test_the_options_stand_in_a_connection_string(connect, dsn):
    conn = psycoxide.connect(f"{dsn} binding=auto prepare_threshold=3")
    try:
        assert (conn.binding, conn.prepare_threshold) == ("auto", 3)
    finally:
        conn.close()
    conn = connect(prepare_threshold=None, binding=None)
    assert (conn.binding, conn.prepare_threshold) == ("client", None)


def test_the_options_stand_in_the_environment(connect, monkeypatch):
    monkeypatch.setenv("PSYCOXIDE_BINDING", "auto")
    monkeypatch.setenv("PSYCOXIDE_PREPARE_THRESHOLD", "2")
    conn = connect()
    assert (conn.binding, conn.prepare_threshold) == ("auto", 2)
    assert connect(binding="client").binding == "client"


@pytest.mark.parametrize(
    "options", [{"binding": "server"}, {"prepare_threshold": -1}, {"prepare_threshold": "often"}]
)
def test_values_that_the_options_do_not_have(connect, options):
    (name,) = options
    with pytest.raises(psycoxide.OperationalError, match=f"invalid {name} value"):
        connect(**options)


def test_a_threshold_that_is_none(auto):
    with pytest.raises(ValueError, match="negative"):
        auto.prepare_threshold = -1
    with pytest.raises(TypeError):
        auto.prepare_threshold = "often"


def test_asynchronous_connections_merge(connect, wait_for):
    conn = connect(async_=1, binding="auto")
    wait_for(conn)
    cur = conn.cursor()
    cur.execute("select %s + 1", (1,))
    wait_for(conn)
    assert cur.query == b"select 1 + 1"
    assert conn.binding == "client"
