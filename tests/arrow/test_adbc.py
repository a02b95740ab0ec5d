"""`psycoxide.adbc`: pandas and polars on a connection of ours, in its transaction."""

from __future__ import annotations

import datetime as dt
import inspect
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import psycoxide
from psycoxide import aio, errors, sync
from psycoxide.arrow import ArrowOptions

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra `test` has it")
manager = pytest.importorskip(
    "adbc_driver_manager", reason="adbc_driver_manager is not installed: the extra `test` has it"
)
dbapi = pytest.importorskip(
    "adbc_driver_manager.dbapi", reason="adbc_driver_manager is too old for this pyarrow"
)

from psycoxide import adbc  # noqa: E402

APIS = ["psycopg2", "sync"]
SCHEMA = "adbc_of_ours"


@pytest.fixture
def pd() -> Any:
    return pytest.importorskip("pandas", "2.2", reason="pandas 2.2: the extra `test` has it")


@pytest.fixture
def pl() -> Any:
    return pytest.importorskip("polars", "1.30", reason="polars 1.30: the extra `test` has it")


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def connected(api: str, dsn: str) -> Any:
    if api == "sync":
        return sync.connect(dsn, autocommit=False)
    return psycoxide.connect(dsn)


@pytest.fixture
def place(dsn: str) -> Iterator[str]:
    """A DSN of sessions in a schema of these tests, which is empty."""
    with sync.connect(dsn, autocommit=True) as admin:
        admin.execute(f"drop schema if exists {SCHEMA} cascade")
        admin.execute(f"create schema {SCHEMA}")
        yield f"{dsn} options='-c search_path={SCHEMA}'"
        admin.execute(f"drop schema {SCHEMA} cascade")


@pytest.fixture
def conn(api: str, place: str) -> Iterator[Any]:
    conn = connected(api, place)
    yield conn
    conn.close()


@pytest.fixture
def other(place: str) -> Iterator[Any]:
    """What somebody else sees."""
    with sync.connect(place, autocommit=True) as other:
        yield other


def run(conn: Any, query: str, params: Any = None) -> list[Any]:
    """Run a query on the connection itself."""
    cursor = conn.cursor()
    cursor.execute(query, params)
    return list(cursor.fetchall()) if cursor.description else []


# ---- what is wrapped ----------------------------------------------------------------------------


def test_is_what_libraries_ask_for(conn: Any) -> None:
    con = adbc.wrap(conn)
    assert isinstance(con, dbapi.Connection)
    assert isinstance(con.cursor(), dbapi.Cursor)
    assert con.wrapped is conn


def test_nothing_of_the_base_class_is_left_to_find_no_handle() -> None:
    """A method of the base class that is not replaced would look for a driver's handle."""
    as_they_are = set("__enter__ __exit__ __iter__ __next__ setinputsizes setoutputsize".split())
    for ours in (adbc.Connection, adbc.Cursor):
        base = ours.__mro__[1]
        public = {
            name
            for name, value in vars(base).items()
            if (inspect.isfunction(value) or isinstance(value, property))
            and not (name.startswith("_") and not name.startswith("__"))
        }
        assert public - set(vars(ours)) - as_they_are == set()


@pytest.mark.parametrize("value", [None, "dbname=test", object()])
def test_refuses_what_is_no_connection(value: Any) -> None:
    with pytest.raises(TypeError, match=r"psycoxide\.connect\(\)"):
        adbc.wrap(value)


def test_refuses_connections_that_do_not_wait(dsn: str) -> None:
    with pytest.raises(TypeError, match="aio"):
        adbc.wrap(aio.AsyncConnection.__new__(aio.AsyncConnection))  # type: ignore[arg-type]
    conn = psycoxide.connect(dsn, async_=1)
    with pytest.raises(TypeError, match="asynchronous"):
        adbc.wrap(conn)
    conn.close()


def test_says_what_to_install(dsn: str) -> None:
    program = (
        "import sys; sys.modules['adbc_driver_manager'] = None\n"
        "try:\n    import psycoxide.adbc\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "'psycoxide[adbc]'" in done.stdout, done.stderr


def test_leaves_the_connection_open(conn: Any) -> None:
    with adbc.wrap(conn) as con:
        con.execute("select 1")
    assert not conn.closed
    assert run(conn, "select 1") == [(1,)]
    with pytest.raises(manager.InterfaceError, match="the connection is closed"):
        con.cursor()
    con.close()


def test_closes_the_connection_if_it_is_told_so(conn: Any) -> None:
    with adbc.wrap(conn, close=True) as con:
        cursor = con.execute("select 1")
    assert conn.closed
    with pytest.raises(manager.InterfaceError):
        cursor.fetchone()


# ---- pandas -------------------------------------------------------------------------------------


def test_pandas_reads_a_query(conn: Any, pd: Any, recwarn: pytest.WarningsRecorder) -> None:
    con = adbc.wrap(conn)
    df = pd.read_sql("select n, 'x' || n as t from generate_series(1, 3) n", con)
    assert df.to_dict("list") == {"n": [1, 2, 3], "t": ["x1", "x2", "x3"]}
    assert df["n"].dtype == "int32"
    assert [str(w.message) for w in recwarn] == []


def test_pandas_reads_what_is_not_committed(conn: Any, pd: Any, other: Any) -> None:
    run(conn, "create table t (n int, m numeric(6,2))")
    run(conn, "insert into t values (1, 1.5), (2, null)")
    con = adbc.wrap(conn)
    df = pd.read_sql_table("t", con, schema=SCHEMA)
    assert df["n"].tolist() == [1, 2]
    assert df["m"].tolist()[0] == Decimal("1.50")
    df = pd.read_sql_table("t", con, columns=["m"], dtype_backend="pyarrow")
    assert df["m"].dtype.pyarrow_dtype == pa.decimal128(6, 2)
    assert other.fetchval("select to_regclass('t')") is None


def test_pandas_takes_options(conn: Any, pd: Any) -> None:
    con = adbc.wrap(conn, options=ArrowOptions(numeric="float64"))
    df = pd.read_sql("select 1.5::numeric as n", con)
    assert df["n"].dtype == "float64"


def test_pandas_writes_and_reads(conn: Any, pd: Any, other: Any) -> None:
    con = adbc.wrap(conn)
    moment = pd.Timestamp("2024-02-29 12:30:15.123456", tz="UTC")
    df = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [0.5, None, -1.0],
            "t": ["a", None, 'q"\t\\'],
            "b": [True, False, True],
            "at": [moment, moment, None],
            "day": [dt.date(2024, 2, 29)] * 3,
        }
    )
    assert df.to_sql("t", con, index=False) == 3
    back = pd.read_sql("select * from t order by n", con)
    assert back["n"].tolist() == [1, 2, 3]
    assert back["t"].tolist()[0] == "a" and back["t"].tolist()[2] == 'q"\t\\'
    assert back.isna().sum().to_dict() == {"n": 0, "x": 1, "t": 1, "b": 0, "at": 1, "day": 0}
    assert back["at"][0] == moment
    assert back["day"].tolist() == [dt.date(2024, 2, 29)] * 3
    # As it says of ADBC: to_sql() commits.
    assert other.fetchval("select count(*) from t") == 3


def test_pandas_and_a_table_that_exists(conn: Any, pd: Any) -> None:
    con = adbc.wrap(conn)
    one, two = pd.DataFrame({"n": [1]}), pd.DataFrame({"n": [2]})
    assert one.to_sql("t", con, index=False, if_exists="append") == 1
    with pytest.raises(ValueError, match="Table 't' already exists"):
        one.to_sql("t", con, index=False)
    assert two.to_sql("t", con, index=False, if_exists="append") == 1
    assert run(conn, "select n from t order by n") == [(1,), (2,)]
    assert two.to_sql("t", con, index=False, if_exists="replace") == 1
    assert run(conn, "select n from t") == [(2,)]
    # pandas 3 has it.
    if "delete_rows" in str(inspect.signature(pd.DataFrame.to_sql)):
        assert one.to_sql("t", con, index=False, if_exists="delete_rows") == 1
        assert run(conn, "select n from t") == [(1,)]


def test_pandas_takes_an_underscore_for_itself(conn: Any, pd: Any) -> None:
    """Names are patterns to ADBC; a table of another name is not what is asked for."""
    run(conn, "create table axb (n int)")
    con = adbc.wrap(conn)
    assert pd.DataFrame({"n": [1]}).to_sql("a_b", con, index=False) == 1
    with pytest.raises(ValueError, match="already exists"):
        pd.DataFrame({"n": [1]}).to_sql("a_b", con, index=False)
    for name in ('q"uote', "back\\slash", "per%cent", "Ä"):
        pd.DataFrame({"n": [1]}).to_sql(name, con, index=False)
        with pytest.raises(ValueError, match="already exists"):
            pd.DataFrame({"n": [1]}).to_sql(name, con, index=False)
        assert pd.read_sql_table(name, con)["n"].tolist() == [1]


def test_pandas_writes_temporary_tables(conn: Any, pd: Any) -> None:
    con = adbc.wrap(conn)
    df = pd.DataFrame({"n": [1]})
    df.to_sql("t", con, index=False, schema="pg_temp")
    assert df.to_sql("t", con, index=False, schema="pg_temp", if_exists="append") == 1
    assert run(conn, "select count(*) from pg_temp.t") == [(2,)]


def test_pandas_wraps_errors(conn: Any, pd: Any) -> None:
    run(conn, "create table t (n int primary key)")
    conn.commit()
    con = adbc.wrap(conn)
    with pytest.raises(pd.errors.DatabaseError, match="nosuch") as caught:
        pd.read_sql("select * from nosuch", con)
    assert isinstance(caught.value.__cause__, manager.ProgrammingError)
    assert isinstance(caught.value.__cause__.__cause__, errors.UndefinedTable)
    twice = pd.DataFrame({"n": [1, 1]})
    with pytest.raises(pd.errors.DatabaseError, match="Failed to insert") as caught:
        twice.to_sql("t", con, index=False, if_exists="append")
    assert isinstance(caught.value.__cause__, manager.IntegrityError)
    conn.rollback()
    assert pd.read_sql("select 1 as n", con)["n"].tolist() == [1]


# ---- whose transaction it is ---------------------------------------------------------------------


def test_rollback_removes_what_was_ingested(conn: Any, pd: Any, pl: Any, other: Any) -> None:
    con = adbc.wrap(conn, commit=False)
    run(conn, "create table log (n int)")
    pd.DataFrame({"n": [1]}).to_sql("log", con, index=False, if_exists="append")
    pl.DataFrame({"n": [2]}).write_database("log", con, if_table_exists="append")
    pl.DataFrame({"n": [2]}).write_database("fresh", con, if_table_exists="append")
    assert pd.read_sql("select n from log order by n", con)["n"].tolist() == [1, 2]
    assert other.fetchval("select to_regclass('log')") is None
    conn.rollback()
    for table in ("log", "fresh"):
        assert run(conn, "select to_regclass(%s)::text", (table,)) == [(None,)]


def test_rollback_of_the_wrapper(conn: Any) -> None:
    con = adbc.wrap(conn)
    with con.cursor() as cursor:
        assert cursor.adbc_ingest("t", pa.table({"n": [1, 2]})) == 2
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (2,)
    con.rollback()
    assert run(conn, "select to_regclass('t')::text") == [(None,)]


def test_the_program_commits(conn: Any, other: Any) -> None:
    con = adbc.wrap(conn, commit=False)
    with con.cursor() as cursor:
        cursor.adbc_ingest("t", pa.table({"n": [1]}))
    con.commit()
    assert other.fetchval("select to_regclass('t')") is None
    con.rollback()
    conn.commit()
    assert other.fetchval("select count(*) from t") == 1


def test_a_block_ends_by_itself(place: str, pd: Any, pl: Any, other: Any) -> None:
    with sync.connect(place, autocommit=True) as conn:
        con = adbc.wrap(conn)
        with conn.transaction():
            pd.DataFrame({"n": [1]}).to_sql("t", con, index=False)
            pl.DataFrame({"n": [2]}).write_database("t", con, if_table_exists="append")
            assert other.fetchval("select to_regclass('t')") is None
            with pytest.raises(ZeroDivisionError), conn.transaction():
                pd.DataFrame({"n": [3]}).to_sql("t", con, index=False, if_exists="append")
                raise ZeroDivisionError
        assert run(other, "select n from t order by n") == [(1,), (2,)]
        with pytest.raises(pd.errors.DatabaseError), conn.transaction():
            pd.DataFrame({"n": [4]}).to_sql("t", con, index=False, if_exists="append")
            pd.read_sql("select 1/0", con)
        assert other.fetchval("select count(*) from t") == 2


def test_autocommit(conn: Any, pd: Any, other: Any) -> None:
    if isinstance(conn, sync.Connection):
        conn.set_autocommit(True)
    else:
        conn.autocommit = True
    con = adbc.wrap(conn)
    pd.DataFrame({"n": [1]}).to_sql("t", con, index=False)
    assert other.fetchval("select count(*) from t") == 1
    assert pd.read_sql("select n from t", con)["n"].tolist() == [1]


# ---- polars --------------------------------------------------------------------------------------


def test_polars_reads(conn: Any, pl: Any) -> None:
    run(conn, "create table t as select n::int2, n::numeric(6,2) as m from generate_series(1, 3) n")
    con = adbc.wrap(conn)
    df = pl.read_database("select * from t order by n", connection=con)
    # Decimals of that precision are no guess of polars', who has looked at rows.
    assert df.schema == {"n": pl.Int16, "m": pl.Decimal(6, 2)}
    assert df["m"].to_list() == [Decimal("1.00"), Decimal("2.00"), Decimal("3.00")]
    empty = pl.read_database("select * from t where false", connection=con)
    assert empty.schema == df.schema
    with con.cursor() as cursor:
        assert pl.read_database("select n from t", connection=cursor).height == 3


def test_polars_reads_in_batches(conn: Any, pl: Any) -> None:
    con = adbc.wrap(conn)
    query = "select n::bigint from generate_series(1, 200000) n"
    batches = list(pl.read_database(query, connection=con, iter_batches=True))
    assert len(batches) > 1
    assert sum(batch.height for batch in batches) == 200_000
    assert pl.concat(batches)["n"].sum() == 200_000 * 200_001 // 2


def test_polars_passes_parameters(conn: Any, pl: Any) -> None:
    con = adbc.wrap(conn)
    for query, parameters in (
        ("select %s::int as n, 'a%%' as t", [5]),
        ("select %(n)s::int as n, 'a%%' as t", {"n": 5}),
    ):
        options = {"parameters": parameters}
        df = pl.read_database(query, connection=con, execute_options=options)
        assert df.to_dicts() == [{"n": 5, "t": "a%"}]


def test_polars_writes(conn: Any, pl: Any, other: Any) -> None:
    con = adbc.wrap(conn)
    df = pl.DataFrame({"id": [1, 2], "tags": [["a"], None], "at": [dt.datetime(2024, 1, 1), None]})
    assert df.write_database("t", con, engine="adbc") == 2
    assert df.write_database(f"{SCHEMA}.t", con, if_table_exists="append") == 2
    back = pl.read_database("select distinct * from t order by id", connection=con)
    assert back.to_dicts() == df.to_dicts()
    assert other.fetchval("select count(*) from t") == 4
    assert df.write_database("t", con, if_table_exists="replace") == 2
    with pytest.raises(manager.ProgrammingError, match="already exists") as caught:
        df.write_database("t", con, if_table_exists="fail")
    assert caught.value.status_code == manager.AdbcStatusCode.ALREADY_EXISTS
    conn.rollback()
    assert other.fetchval("select count(*) from t") == 2


def test_polars_updates_what_is_there(conn: Any, pl: Any) -> None:
    con = adbc.wrap(conn)
    run(conn, "create table t (id int primary key, v text)")
    run(conn, "insert into t values (1, 'old')")
    options = {"on_conflict": "update", "key": ["id"]}
    df = pl.DataFrame({"id": [1, 2], "v": ["new", "more"]})
    df.write_database("t", con, if_table_exists="append", engine_options=options)
    assert run(conn, "select * from t order by id") == [(1, "new"), (2, "more")]


def test_polars_appends_to_a_table_that_is_not_there(conn: Any, pl: Any) -> None:
    """The transaction goes on: that there is no table was not learnt by an error."""
    run(conn, "create table before (n int)")
    con = adbc.wrap(conn)
    assert pl.DataFrame({"n": [1]}).write_database("t", con, if_table_exists="append") == 1
    assert run(conn, "select n from t") == [(1,)]


# ---- cursors ------------------------------------------------------------------------------------


def test_rows(conn: Any) -> None:
    with adbc.wrap(conn).cursor() as cursor:
        assert cursor.description is None and cursor.rownumber is None
        assert cursor.execute("select n, n / 2.0 as h from generate_series(1, 600) n") is cursor
        (name, kind, *_), _ = cursor.description
        assert (name, kind) == ("n", pa.int32())
        assert kind == dbapi.NUMBER
        assert cursor.rowcount == 600
        assert cursor.fetchone() == (1, Decimal("0.5"))
        assert cursor.fetchmany(2) == [(2, Decimal(1)), (3, Decimal("1.5"))]
        cursor.arraysize = 300
        assert [n for n, _ in cursor.fetchmany()] == list(range(4, 304))
        assert cursor.rownumber == 303
        assert next(cursor)[0] == 304
        assert cursor.fetch_arrow_table()["n"].to_pylist() == list(range(305, 601))
        assert cursor.fetchone() is None and cursor.fetchall() == []
        assert list(cursor) == []


def test_the_other_ways_to_fetch(conn: Any, pd: Any, pl: Any) -> None:
    query = "select n from generate_series(1, 3) n"
    cursor = adbc.wrap(conn).cursor()
    for begun in (False, True):
        first = 2 if begun else 1
        expected = list(range(first, 4))
        for fetch in (
            lambda: cursor.fetch_df()["n"].tolist(),
            lambda: cursor.fetch_polars()["n"].to_list(),
            lambda: cursor.fetchallarrow()["n"].to_pylist(),
            lambda: cursor.fetch_record_batch().read_all()["n"].to_pylist(),
            lambda: pa.table(cursor.fetch_arrow())["n"].to_pylist(),
            lambda: [n for (n,) in cursor],
        ):
            cursor.execute(query)
            if begun:
                cursor.fetchone()
            assert fetch() == expected
            assert cursor.fetchall() == []


def test_rows_without_columns_and_with_two_of_a_name(conn: Any) -> None:
    cursor = adbc.wrap(conn).cursor()
    assert cursor.execute("select 1 as n, 2 as n").fetchall() == [(1, 2)]
    assert cursor.execute("select from generate_series(1, 2)").fetchall() == [(), ()]


def test_statements_without_rows(conn: Any) -> None:
    cursor = adbc.wrap(conn).cursor()
    cursor.execute("create table t (n int)")
    assert cursor.description is None
    for fetch in (cursor.fetchone, cursor.fetchall, cursor.fetch_arrow, cursor.fetch_arrow_table):
        with pytest.raises(manager.ProgrammingError, match="returned no rows"):
            fetch()
    cursor.execute("insert into t values (1), (2)")
    assert cursor.rowcount == 2
    cursor.execute("insert into t values (3) returning n")
    assert cursor.fetchall() == [(3,)]


def test_executemany(conn: Any) -> None:
    cursor = adbc.wrap(conn).cursor()
    cursor.executemany("create table t (n int, t text)", None)
    cursor.executemany("insert into t values (%s, %s)", [(1, "a"), (2, "b")])
    cursor.executemany("insert into t values (%(n)s, %(t)s)", [{"n": 3, "t": "c"}])
    cursor.executemany("insert into t values (%s, %s)", pa.table({"n": [4, 5], "t": ["d", None]}))
    cursor.executemany("insert into t values (%s, %s)", [])
    assert cursor.execute("select * from t order by n").fetchall() == [
        (1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, None),
    ]  # fmt: skip


def test_executescript(conn: Any, other: Any) -> None:
    run(conn, "create table t (n int)")
    cursor = adbc.wrap(conn).cursor()
    cursor.executescript("insert into t values (1); insert into t values (2)")
    assert other.fetchval("select count(*) from t") == 0
    conn.commit()
    assert other.fetchval("select count(*) from t") == 2


def test_closed(conn: Any) -> None:
    cursor = adbc.wrap(conn).cursor()
    cursor.execute("select 1")
    cursor.close()
    cursor.close()
    for use in (cursor.fetchone, lambda: cursor.execute("select 1"), cursor.fetch_arrow):
        with pytest.raises(manager.InterfaceError, match="the cursor is closed"):
            use()


@pytest.mark.parametrize(
    "query, kind, sqlstate, status",
    [
        ("select * from nosuch", "ProgrammingError", "42P01", "NOT_FOUND"),
        ("selec", "ProgrammingError", "42601", "INVALID_ARGUMENT"),
        ("select 1/0", "DataError", "22012", "INVALID_DATA"),
        ("insert into one values (1)", "IntegrityError", "23505", "INTEGRITY"),
        ("create table one (n int)", "ProgrammingError", "42P07", "ALREADY_EXISTS"),
        ("select 'NaN'::numeric", "DataError", None, "INVALID_DATA"),
    ],
)
def test_errors(conn: Any, query: str, kind: str, sqlstate: str | None, status: str) -> None:
    run(conn, "create table one (n int primary key)")
    run(conn, "insert into one values (1)")
    conn.commit()
    con = adbc.wrap(conn)
    cursor = con.cursor()
    with pytest.raises(getattr(manager, kind)) as caught:
        cursor.execute(query)
        cursor.fetch_arrow()
    assert caught.value.sqlstate == sqlstate
    assert caught.value.status_code == manager.AdbcStatusCode[status]
    assert isinstance(caught.value.__cause__, psycoxide.Error)
    con.rollback()
    assert cursor.execute("select 1").fetchall() == [(1,)]


def test_what_there_is_not(conn: Any) -> None:
    con = adbc.wrap(conn)
    cursor = con.cursor()
    for use in (
        con.adbc_clone,
        con.adbc_get_statistics,
        con.adbc_get_statistic_names,
        lambda: con.adbc_connection,
        lambda: con.adbc_database,
        lambda: setattr(con, "adbc_current_catalog", "other"),
        lambda: con.cursor(adbc_stmt_kwargs={"a": "b"}),
        lambda: cursor.adbc_statement,
        lambda: cursor.adbc_prepare("select 1"),
        lambda: cursor.callproc("f", ()),
        cursor.nextset,
        lambda: cursor.execute(b"plan"),
        lambda: cursor.execute("select %s", pa.table({"n": [1]})),
    ):
        with pytest.raises(manager.NotSupportedError):
            use()
    assert cursor.execute("select 1").fetchall() == [(1,)]


def test_cancel(conn: Any) -> None:
    con = adbc.wrap(conn)
    threading.Timer(0.3, con.adbc_cancel).start()
    with pytest.raises(manager.OperationalError) as caught:
        con.execute("select pg_sleep(60)")
    assert caught.value.status_code == manager.AdbcStatusCode.CANCELLED


# ---- what there is in the database ---------------------------------------------------------------


def tables(con: Any, **filters: Any) -> dict[str, Any]:
    """The tables that adbc_get_objects() lists, by schema and name."""
    found: dict[str, Any] = {}
    for catalog in con.adbc_get_objects(**filters).read_all().to_pylist():
        for schema in catalog["catalog_db_schemas"] or []:
            for table in schema["db_schema_tables"] or []:
                found[f"{schema['db_schema_name']}.{table['table_name']}"] = table
    return found


def test_info(conn: Any) -> None:
    con = adbc.wrap(conn)
    info = con.adbc_get_info()
    assert info["vendor_name"] == "PostgreSQL"
    assert int(info["vendor_version"]) == conn.info.server_version
    assert info["driver_version"] == psycoxide.__version__
    assert con.adbc_current_catalog == run(conn, "select current_database()")[0][0]
    assert con.adbc_current_db_schema == SCHEMA
    con.adbc_current_db_schema = "Nosuch, one"
    assert con.adbc_current_db_schema == ""
    con.adbc_current_db_schema = "pg_catalog"
    assert con.adbc_current_db_schema == "pg_catalog"


def test_objects(conn: Any) -> None:
    run(conn, "create table base (a int, b int, primary key (b, a))")
    run(
        conn,
        "create table t (id int generated always as identity, a int, b numeric(6,2) not null"
        " default 1, c int, e int generated always as (a + 1) stored,"
        " constraint k foreign key (c, a) references base (b, a), constraint u unique (a),"
        " constraint p check (a > 0))",
    )
    run(conn, "comment on column t.a is 'what it is'")
    run(conn, "create view v as select 1 as n")
    con = adbc.wrap(conn)
    found = tables(con, db_schema_filter=SCHEMA)
    assert {name: table["table_type"] for name, table in found.items()} == {
        f"{SCHEMA}.base": "table",
        f"{SCHEMA}.t": "table",
        f"{SCHEMA}.v": "view",
    }
    table = found[f"{SCHEMA}.t"]
    columns = {column.pop("column_name"): column for column in table["table_columns"]}
    assert list(columns) == ["id", "a", "b", "c", "e"]
    assert columns["a"]["remarks"] == "what it is"
    assert columns["b"]["ordinal_position"] == 3
    assert columns["b"]["xdbc_type_name"] == "numeric"
    assert (columns["b"]["xdbc_nullable"], columns["b"]["xdbc_is_nullable"]) == (0, "NO")
    assert columns["b"]["xdbc_column_def"] == "1"
    assert [name for name, c in columns.items() if c["xdbc_is_autoincrement"]] == ["id"]
    assert [name for name, c in columns.items() if c["xdbc_is_generatedcolumn"]] == ["e"]
    constraints = {c.pop("constraint_name"): c for c in table["table_constraints"]}
    assert {name: c["constraint_type"] for name, c in constraints.items()} == {
        "k": "FOREIGN KEY",
        "u": "UNIQUE",
        "p": "CHECK",
    }
    assert constraints["k"]["constraint_column_names"] == ["c", "a"]
    assert [u["fk_column_name"] for u in constraints["k"]["constraint_column_usage"]] == ["b", "a"]
    assert found[f"{SCHEMA}.base"]["table_constraints"][0]["constraint_column_names"] == ["b", "a"]


def test_objects_that_are_asked_for(conn: Any) -> None:
    run(conn, "create table one (n int)")
    run(conn, "create temporary table two (n int)")
    con = adbc.wrap(conn)
    database = con.adbc_current_catalog
    assert set(tables(con, table_name_filter="one")) == {f"{SCHEMA}.one"}
    assert [name.split(".")[1] for name in tables(con, table_name_filter="two")] == ["two"]
    assert tables(con, db_schema_filter="pg_temp") == tables(con, table_name_filter="two")
    assert "pg_catalog.pg_class" not in tables(con)
    assert "pg_catalog.pg_class" in tables(con, db_schema_filter="pg_cat%", depth="tables")
    assert tables(con, table_types_filter=["view"], db_schema_filter=SCHEMA) == {}
    assert tables(con, catalog_filter="no such") == {}
    found = tables(con, table_name_filter="one", column_name_filter="x")
    assert found[f"{SCHEMA}.one"]["table_columns"] == []
    assert tables(con, table_name_filter="one", depth="tables")[f"{SCHEMA}.one"] == {
        "table_name": "one",
        "table_type": "table",
        "table_columns": None,
        "table_constraints": None,
    }
    assert tables(con, depth="db_schemas") == {}
    catalogs = con.adbc_get_objects(depth="catalogs", catalog_filter=database).read_all()
    assert catalogs.to_pylist() == [{"catalog_name": database, "catalog_db_schemas": None}]
    with pytest.raises(ValueError, match="depth is one of"):
        con.adbc_get_objects(depth="rows")  # type: ignore[arg-type]
    assert "materialized_view" in con.adbc_get_table_types()


def test_objects_have_the_shape_of_a_driver_of_adbc(conn: Any, dsn: str) -> None:
    driver = pytest.importorskip(
        "adbc_driver_postgresql.dbapi",
        reason="adbc_driver_postgresql is not installed: the extra `test` has it",
    )
    ours = adbc.wrap(conn)
    with driver.connect(dsn) as theirs:
        one = ours.adbc_get_objects(depth="catalogs").schema
        assert one == theirs.adbc_get_objects(depth="catalogs").schema
        assert set(theirs.adbc_get_table_types()) > set(ours.adbc_get_table_types())


def test_schema_of_a_table(conn: Any) -> None:
    run(conn, 'create table "T t" (n int, "%" numeric(6,2), d numeric, a text[])')
    con = adbc.wrap(conn)
    schema = con.adbc_get_table_schema("T t")
    assert schema.names == ["n", "%", "d", "a"]
    assert schema.types[:2] == [pa.int32(), pa.decimal128(6, 2)]
    database = con.adbc_current_catalog
    again = con.adbc_get_table_schema("T t", db_schema_filter=SCHEMA, catalog_filter=database)
    assert again == schema
    run(conn, "create table nothing ()")
    assert con.adbc_get_table_schema("nothing").names == []
    for filters in ({"table_name": "nosuch"}, {"table_name": "T t", "db_schema_filter": "public"},
                    {"table_name": "T t", "db_schema_filter": "no such"},
                    {"table_name": "T t", "catalog_filter": "no such"}):  # fmt: skip
        with pytest.raises(manager.ProgrammingError) as caught:
            con.adbc_get_table_schema(**filters)
        assert caught.value.status_code == manager.AdbcStatusCode.NOT_FOUND
    # The transaction goes on.
    assert con.adbc_get_table_schema("T t") == schema


def test_schema_of_a_query(conn: Any) -> None:
    cursor = adbc.wrap(conn).cursor()
    schema = cursor.adbc_execute_schema("select %s::int as n, '%%' as t -- the end", (1,))
    assert schema.names == ["n", "t"] and schema.types == [pa.int32(), pa.string()]
    assert cursor.fetchall() == []
    with pytest.raises(manager.ProgrammingError, match="a query is needed"):
        cursor.adbc_execute_schema("t")


def test_partitions(place: str) -> None:
    with sync.connect(place) as conn, sync.connect(place) as reader:
        conn.execute("create table t as select n from generate_series(1, 1000) n")
        conn.commit()
        cursor = adbc.wrap(conn, commit=False).cursor()
        with conn.transaction():
            parts, schema = cursor.adbc_execute_partitions("t", on="n", partitions=4)
            assert schema.names == ["n"]
            read = []
            for part in parts:
                with adbc.wrap(reader).cursor() as other:
                    other.adbc_read_partition(part)
                    read += other.fetch_arrow_table()["n"].to_pylist()
        assert len(parts) > 1
        assert sorted(read) == list(range(1, 1001))


def test_partitions_are_not_of_the_other_api(dsn: str) -> None:
    with psycoxide.connect(dsn) as conn:
        cursor = adbc.wrap(conn).cursor()
        for use in (cursor.adbc_execute_partitions, cursor.adbc_read_partition):
            with pytest.raises(manager.NotSupportedError, match=r"psycoxide\.sync"):
                use(b"t")
    conn.close()


@pytest.mark.parametrize("factory", ["DictCursor", "RealDictCursor", "NamedTupleCursor"])
def test_whatever_rows_the_program_has(place: str, pd: Any, factory: str) -> None:
    from psycoxide import extras

    conn = psycoxide.connect(place, cursor_factory=getattr(extras, factory))
    con = adbc.wrap(conn)
    pd.DataFrame({"n": [1]}).to_sql("t", con, index=False)
    assert pd.read_sql_table("t", con)["n"].tolist() == [1]
    conn.close()
