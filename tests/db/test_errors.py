"""Errors as the server reports them."""

import copy
import gc
import pickle
import weakref

import pytest

import psycoxide
from psycoxide import errorcodes, errors, extensions, extras


def failure(cur, statement, *arguments):
    """The error that a statement ends with."""
    with pytest.raises(psycoxide.Error) as caught:
        cur.execute(statement, arguments or None)
    return caught.value


@pytest.mark.parametrize(
    ("statement", "cls", "base"),
    [
        ("select 1 / 0", errors.DivisionByZero, psycoxide.DataError),
        ("selec", errors.SyntaxError, psycoxide.ProgrammingError),
        ("select * from no_such_table", errors.UndefinedTable, psycoxide.ProgrammingError),
        ("do $$ begin raise exception 'x'; end $$", errors.RaiseException, psycoxide.InternalError),
        (
            "do $$ begin raise exception 'x' using errcode = '40001'; end $$",
            errors.SerializationFailure,
            extensions.TransactionRollbackError,
        ),
        (
            "do $$ begin raise exception 'x' using errcode = '57014'; end $$",
            errors.QueryCanceled,
            extensions.QueryCanceledError,
        ),
    ],
)
def test_the_class_is_that_of_the_code(cur, statement, cls, base):
    error = failure(cur, statement)
    assert type(error) is cls
    assert isinstance(error, base)
    assert errors.lookup(error.pgcode) is cls


@pytest.mark.parametrize(
    ("code", "base"),
    [("23999", psycoxide.IntegrityError), ("QQ123", psycoxide.DatabaseError)],
)
def test_an_unknown_code_is_of_its_class(cur, code, base):
    error = failure(cur, f"do $$ begin raise exception 'x' using errcode = '{code}'; end $$")
    assert type(error) is base
    assert error.pgcode == code


def test_a_program_may_replace_a_class(cur):
    class Mine(psycoxide.DataError):
        pass

    registry = psycoxide._psycopg.sqlstate_errors
    kept = registry["22012"]
    registry["22012"] = Mine
    try:
        assert type(failure(cur, "select 1 / 0")) is Mine
    finally:
        registry["22012"] = kept


def test_what_an_error_tells(cur):
    error = failure(cur, "select\n 'é', no_such_column")
    assert error.pgcode == errorcodes.UNDEFINED_COLUMN
    assert error.pgerror.startswith('ERROR:  column "no_such_column" does not exist\nLINE 2: ')
    assert str(error) == error.pgerror[len("ERROR:  ") :]
    assert error.cursor is cur
    assert error.diag.statement_position == "14"


def test_diagnostics(conn, cur):
    cur.execute("create temporary table strict (a int constraint positive check (a > 0))")
    diag = failure(cur, "insert into strict values (-1)").diag
    assert diag.severity == diag.severity_nonlocalized == "ERROR"
    assert diag.sqlstate == "23514"
    assert diag.message_primary.startswith("new row for relation")
    assert diag.message_detail == "Failing row contains (-1)."
    assert diag.schema_name.startswith("pg_temp")
    assert (diag.table_name, diag.constraint_name) == ("strict", "positive")
    assert (diag.column_name, diag.datatype_name, diag.message_hint) == (None, None, None)
    assert diag.source_file.endswith(".c")
    assert diag.source_line.isdigit()
    assert diag.source_function


def test_diagnostics_of_a_function(cur):
    diag = failure(cur, "do $$ begin execute 'selec'; end $$").diag
    assert (diag.internal_query, diag.internal_position) == ("selec", "1")
    assert "EXECUTE" in diag.context


def test_copies_keep_code_and_text(cur):
    error = failure(cur, "select 1 / 0")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is errors.DivisionByZero
        assert (str(again), again.pgerror, again.pgcode) == (
            str(error),
            error.pgerror,
            error.pgcode,
        )
        assert again.cursor is None
        assert again.diag.sqlstate is None


def test_diagnostics_outlive_the_cursor(conn):
    def fail():
        cur = conn.cursor()
        return failure(cur, "select 1 / 0").diag, weakref.ref(cur)

    diag, cursor = fail()
    gc.collect()
    assert diag.sqlstate == "22012"
    del diag
    gc.collect()
    assert cursor() is None


def test_the_driver_s_own_errors_have_no_report(cur):
    error = failure(cur, "")
    assert isinstance(error, psycoxide.ProgrammingError)
    assert (error.pgcode, error.pgerror) == (None, None)
    assert error.diag.sqlstate is None


def test_connections_have_the_classes(conn):
    assert conn.Error is psycoxide.Error
    assert conn.ProgrammingError is psycoxide.ProgrammingError
    with pytest.raises(conn.DataError):
        conn.cursor().execute("select 1 / 0")


def test_waiting_with_select_raises_what_the_server_says(connect, dsn):
    conn = connect(dsn, async_=1)
    extras.wait_select(conn)
    cur = conn.cursor()
    cur.execute("select 1 / 0")
    with pytest.raises(errors.DivisionByZero):
        extras.wait_select(conn)
    cur.execute("select 2")
    extras.wait_select(conn)
    assert cur.fetchone() == (2,)
