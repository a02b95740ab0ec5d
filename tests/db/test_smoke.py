"""The least that must work on a server, before anything else is worth reading."""

from __future__ import annotations

import datetime
import decimal

import pytest

import psycoxide


def test_select_one(cur):
    cur.execute("select 1")
    assert cur.fetchone() == (1,)
    assert cur.fetchone() is None


def test_over_the_unix_socket(connect, unix_dsn):
    cur = connect(unix_dsn).cursor()
    cur.execute("select inet_client_addr()")
    assert cur.fetchall() == [(None,)]


@pytest.mark.parametrize("method", ["scram", "md5", "cleartext", "trust"])
def test_each_way_to_log_in(connect, dsn, roles, method):
    role = roles[method]
    conn = connect(dsn, user=role["user"], password=role["password"] or None)
    cur = conn.cursor()
    cur.execute("select current_user")
    assert cur.fetchone() == (role["user"],)


@pytest.mark.parametrize("method", ["scram", "md5", "cleartext"])
def test_a_wrong_password_is_the_servers_no(dsn, roles, method):
    with pytest.raises(psycoxide.OperationalError) as caught:
        psycoxide.connect(dsn, user=roles[method]["user"], password="not-that-one")
    text = str(caught.value)
    assert "password authentication failed" in text
    assert "not-that-one" not in text


def test_no_server_names_host_and_port():
    with pytest.raises(psycoxide.OperationalError) as caught:
        psycoxide.connect(host="127.0.0.1", port=1, dbname="x", user="y", password="secret")
    text = str(caught.value)
    assert '"127.0.0.1"' in text and "port 1" in text and "Connection refused" in text
    assert "secret" not in text


def test_parameters_come_back_as_they_went(cur):
    given = (
        True,
        -(2**40),
        1.5,
        "it's \\ \u20ac \U0001f600",
        decimal.Decimal("12345.67890"),
        datetime.date(2024, 2, 29),
        datetime.time(23, 59, 59, 999999),
        datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
        datetime.timedelta(days=-1, seconds=1),
        None,
        [1, None, 3],
        ["a", 'b"c', "d,e", None],
    )
    cur.execute("select " + ", ".join(["%s"] * (len(given) - 2)) + ", %s::int[], %s::text[]", given)
    assert cur.fetchone() == given


def test_a_transaction_is_kept_or_undone(conn, table):
    name = table("n int")
    conn.commit()
    with conn, conn.cursor() as cur:
        cur.execute(f"insert into {name} values (1)")
    with pytest.raises(ZeroDivisionError), conn, conn.cursor() as cur:
        cur.execute(f"insert into {name} values (2)")
        raise ZeroDivisionError
    cur = conn.cursor()
    cur.execute(f"select n from {name}")
    assert cur.fetchall() == [(1,)]


def test_an_error_has_its_class_and_its_words(cur):
    with pytest.raises(psycoxide.errors.UndefinedTable) as caught:
        cur.execute("select * from no_such_table")
    error = caught.value
    assert isinstance(error, psycoxide.ProgrammingError)
    assert error.pgcode == "42P01"
    assert error.diag.message_primary == 'relation "no_such_table" does not exist'
    assert "LINE 1: select * from no_such_table" in str(error)


def test_a_named_cursor_walks_a_long_result(conn):
    cur = conn.cursor("walk")
    cur.execute("select generate_series(1, 5000)")
    assert [row[0] for row in cur] == list(range(1, 5001))


def test_asynchronously(async_conn, wait_for):
    cur = async_conn.cursor()
    cur.execute("select %s::int", (5,))
    wait_for(async_conn)
    assert cur.fetchall() == [(5,)]
