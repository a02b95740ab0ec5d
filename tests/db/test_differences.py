"""What docs/differences.md says of the cases where psycopg2 is silently wrong."""

from __future__ import annotations

import datetime
import decimal
import io

import pytest

import psycoxide


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard", "iso_8601"])
@pytest.mark.parametrize(
    "text", ["1 day 02:00:00", "-1 day -02:00:00", "1 year -3 days", "-00:00:01.5"]
)
def test_an_interval_is_read_rightly_or_refused(cur, style, text):
    cur.execute("set intervalstyle to default")
    cur.execute("select %s::interval", (text,))
    wanted = cur.fetchone()
    cur.execute("select set_config('intervalstyle', %s, true)", (style,))
    cur.execute("select %s::interval", (text,))
    try:
        got = cur.fetchone()
    except psycoxide.Error:
        return  # refused: no value at all rather than a wrong one
    assert got == wanted
    assert isinstance(got[0], datetime.timedelta)


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "sql_standard", "iso_8601"])
@pytest.mark.parametrize("hours", [-25, -24, -23, -0.5, 0, 0.5, 23, 25])
def test_an_interval_is_written_rightly(cur, style, hours):
    cur.execute(f"set intervalstyle to {style}")
    delta = datetime.timedelta(hours=hours)
    cur.execute("select extract(epoch from %s), extract(epoch from %s)", (delta, delta))
    assert cur.fetchone() == (hours * 3600, hours * 3600)
    merged = cur.mogrify("%s", (datetime.timedelta(hours=-23),))
    sign = b"+" if style == "sql_standard" else b""
    assert merged == b"'-1 days %s3600.000000 seconds'::interval" % sign


def test_an_infinite_decimal_stays_infinite(cur):
    values = (decimal.Decimal("Infinity"), decimal.Decimal("-Infinity"))
    if cur.connection.info.server_version < 140000:
        with pytest.raises(psycoxide.DataError, match='numeric: "Infinity"'):
            cur.execute("select %s", values[:1])
        return
    cur.execute("select %s::numeric, %s::numeric", values)
    assert cur.fetchone() == values


def test_the_servers_last_words_are_in_the_exception(connect):
    doomed, other = connect(), connect()
    pid = doomed.get_backend_pid()
    other.cursor().execute("select pg_terminate_backend(%s)", (pid,))
    with pytest.raises(psycoxide.OperationalError, match="terminating connection") as caught:
        doomed.cursor().execute("select pg_sleep(5)")
    assert isinstance(caught.value, psycoxide.errors.AdminShutdown)
    assert doomed.closed == 2


class Broken:
    def read(self, size=-1):
        raise ZeroDivisionError("mine")

    def write(self, data):
        raise ZeroDivisionError("mine")


def test_a_failing_write_leaves_the_connection_usable(conn, cur):
    with pytest.raises(ZeroDivisionError):
        cur.copy_expert("copy (select generate_series(1, 100000)) to stdout", Broken())
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


def test_what_a_failing_read_raises_is_raised(conn, cur):
    cur.execute("create temporary table broken (a int)")
    with pytest.raises(ZeroDivisionError) as caught:
        cur.copy_expert("copy broken from stdin", Broken())
    assert isinstance(caught.value.__cause__, psycoxide.errors.QueryCanceled)
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


def test_a_nul_in_a_query_runs_nothing(conn, cur):
    with pytest.raises(ValueError, match="NUL"):
        cur.execute("select 1 \x00 drop table x")
    cur.execute("select 2")
    assert cur.fetchone() == (2,)


def test_copy_in_execute_leaves_the_connection_usable(conn, cur):
    with pytest.raises(psycoxide.ProgrammingError, match="COPY"):
        cur.execute("copy (select 1) to stdout")
    conn.rollback()
    out = io.StringIO()
    cur.copy_expert("copy (select 1) to stdout", out)
    assert out.getvalue() == "1\n"


def test_a_large_object_lives_in_the_transaction_of_a_with_block(conn, cur):
    conn.autocommit = True
    with pytest.raises(psycoxide.ProgrammingError, match="outside of transactions"):
        conn.lobject(0, "wb")
    with conn:
        file = conn.lobject(0, "wb")
        file.write(b"kept")
    with conn:
        assert conn.lobject(file.oid, "rb").read() == b"kept"
        conn.lobject(file.oid, "n").unlink()


def test_a_large_object_is_closed_by_its_block(conn):
    with conn, conn.lobject(0, "wb") as file:
        file.write(b"gone with the wind")
        assert not file.closed
        file.unlink()
    with conn.lobject(0, "wb") as file:
        pass
    assert file.closed
    conn.rollback()
