"""What old and odd servers answer in the course of a session, and what is kept from them."""

from __future__ import annotations

import datetime
import time

import pytest
from fixtures.messages import (
    complete,
    error,
    message,
    parameter_status,
    ready,
    reporting,
    rows,
)
from fixtures.scripted_server import Ended

import psycoxide
import psycoxide.extras

BEFORE_14 = {"in_hot_standby": None, "default_transaction_read_only": None}
READ_ONLY = "SHOW transaction_read_only"
RECOVERY = "SELECT pg_catalog.pg_is_in_recovery()"


def to_query(answer):
    """Answers the program's own statement, and BEGIN with an empty success."""
    return lambda sql, _: answer if sql == "query" else None


def run(driver, server):
    """A cursor that has run the statement `query`."""
    cur = driver.connect(server.dsn).cursor()
    cur.execute("query")
    return cur


WARNING = message(
    b"N", b"SWARNING\0VWARNING\0C57P02\0Mterminating connection because of a crash\0\0"
)
NOTIFICATION = message(b"A", b"\0\0\0\x07channel\0payload\0")


def last_words(when):
    """Says a warning and closes, without an error: in the answer to `query`, or right behind it."""

    def answer(sql, session):
        if sql != "query":
            return None
        if when == "idle":
            session.send(rows("1") + ready() + NOTIFICATION + WARNING)
        else:
            session.send(NOTIFICATION + WARNING + (rows("1") if when == "rows" else b""))
        raise Ended

    return {"answers": answer}


@pytest.mark.parametrize("when", ["at once", "rows", "idle"])
@pytest.mark.parametrize("way", ["blocking", "green", "asynchronous"])
def test_a_warning_before_the_server_closes_is_kept(scripted, driver, when, way):
    server = scripted(**last_words(when))
    wait = driver.extras.wait_select
    conn = driver.connect(server.dsn, async_=way == "asynchronous")
    if way == "asynchronous":
        wait(conn)
    else:
        conn.autocommit = True
    cur = conn.cursor()
    if way == "green":
        driver.extensions.set_wait_callback(wait)
    try:
        with pytest.raises(driver.OperationalError):
            cur.execute("query")
            if way == "asynchronous":
                wait(conn)
            time.sleep(0.1)
            cur.execute("select 1")
            wait(conn)
    finally:
        driver.extensions.set_wait_callback(None)
    if driver is psycoxide or (way, when) != ("asynchronous", "idle"):
        assert conn.notices == ["WARNING:  terminating connection because of a crash\n"]
    if driver is psycoxide:
        assert [(n.channel, n.payload) for n in conn.notifies] == [("channel", "payload")]


@pytest.mark.parametrize("value", ["off", "on"])
def test_strings_follow_the_parameter(scripted, driver, value):
    server = scripted(reporting(standard_conforming_strings=value))
    cur = driver.connect(server.dsn).cursor()
    prefix, slash = (b"", b"\\") if value == "on" else (b"E", b"\\\\")
    literal = prefix + b"'a" + slash + b"b''c'"
    assert cur.mogrify("%s", ("a\\b'c",)) == literal
    assert cur.mogrify("%s", (["a\\b'c"],)) == b"ARRAY[" + literal + b"]"
    assert cur.mogrify("%s", (b"\0\\",)) == prefix + b"'" + slash + b"x005c'::bytea"
    assert cur.mogrify("%s", (datetime.date(2020, 1, 1),)) == b"'2020-01-01'::date"


def test_strings_are_right_either_way_when_the_parameter_is_not_reported(scripted):
    """psycopg2 writes 'a\\\\b' then, which holds two backslashes if the parameter is on."""
    cur = psycoxide.connect(scripted(reporting(standard_conforming_strings=None)).dsn).cursor()
    assert cur.mogrify("%s", ("a\\b'c",)) == b"E'a\\\\b''c'"


def test_an_encoding_that_changes_to_an_unknown_one_is_an_error(scripted):
    changed = parameter_status("client_encoding", "MULE_INTERNAL") + complete("SET")
    server = scripted(answers=to_query(changed))
    conn = psycoxide.connect(server.dsn)
    with pytest.raises(psycoxide.OperationalError, match="no Python encoding for PostgreSQL"):
        conn.cursor().execute("query")
    assert conn.closed


# target_session_attrs, where the parameters that would tell are not reported.


@pytest.mark.parametrize(
    ("wanted", "version", "answer", "asked", "fits"),
    [
        ("any", "13.2", "off", [], True),
        ("read-write", "13.2", "off", [READ_ONLY], True),
        ("read-write", "13.2", "on", [READ_ONLY], False),
        ("read-write", "8.4.22", "off", [READ_ONLY], True),
        ("read-only", "13.2", "on", [READ_ONLY], True),
        ("read-only", "13.2", "off", [READ_ONLY], False),
        ("primary", "13.2", "f", [RECOVERY], True),
        ("primary", "13.2", "t", [RECOVERY], False),
        ("standby", "13.2", "t", [RECOVERY], True),
        ("standby", "13.2", "f", [RECOVERY], False),
        # Before 9.0 there was nothing to ask, and no standby that takes sessions.
        ("primary", "8.4.22", "t", [], True),
        ("standby", "8.4.22", "t", [], False),
        ("prefer-standby", "8.4.22", "t", [], True),
    ],
)
def test_the_kind_of_server(scripted, driver, wanted, version, answer, asked, fits):
    server = scripted(
        reporting(server_version=version, **BEFORE_14), answers=lambda sql, _: rows(answer)
    )
    if fits:
        driver.connect(server.dsn, target_session_attrs=wanted)
    else:
        with pytest.raises(driver.OperationalError, match=r"session is|server is"):
            driver.connect(server.dsn, target_session_attrs=wanted)
    assert server.queries == asked


# Answers.


@pytest.mark.parametrize(
    ("tag", "count"),
    [
        ("SELECT", 2),  # before 9.0
        ("SELECT 2", 2),
        ("FETCH", 2),
        ("FETCH 2", 2),
        ("WEIRD", 2),
    ],
)
def test_rows_are_counted_whatever_the_tag(scripted, driver, tag, count):
    cur = run(driver, scripted(answers=to_query(rows("a", "b", tag=tag))))
    assert (cur.rowcount, cur.statusmessage) == (count, tag)
    assert cur.fetchall() == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("tag", "count", "oid"),
    [
        ("INSERT 16384 1", 1, 16384),
        ("INSERT 0 3", 3, 0),
        ("COPY", -1, 0),  # before 8.2
        ("COPY 5", 5, 0),
        ("UPDATE 7", 7, 0),
        ("MERGE 4", 4, 0),
        ("DECLARE CURSOR", -1, 0),
    ],
)
def test_rows_that_were_only_counted(scripted, driver, tag, count, oid):
    cur = run(driver, scripted(answers=to_query(complete(tag))))
    assert (cur.rowcount, cur.statusmessage, cur.lastrowid) == (count, tag, oid)


def test_an_empty_query(scripted, driver):
    with pytest.raises(driver.ProgrammingError, match="can't execute an empty query"):
        run(driver, scripted(answers=to_query(message(b"I"))))


# Errors. V, the severity that is never translated, is there from 9.6 on; s, t, c, d and n from 9.3.


@pytest.mark.parametrize(("severity", "shown"), [("ERROR", ""), ("FEHLER", "FEHLER:  ")])
def test_an_error_of_an_old_server(scripted, driver, severity, shown):
    answer = error(S=severity, C="42P01", M="no: such", L="1", F="f.c", R="r")
    with pytest.raises(driver.errors.UndefinedTable) as raised:
        run(driver, scripted(answers=to_query(answer)))
    assert str(raised.value) == f"{shown}no: such\n"
    assert raised.value.pgerror == f"{severity}:  no: such\n"
    diag = raised.value.diag
    assert (diag.severity, diag.severity_nonlocalized) == (severity, None)
    assert (diag.table_name, diag.message_detail) == (None, None)


def test_a_translated_error(scripted, driver):
    answer = error(S="FEHLER", V="ERROR", C="42P01", M="weg")
    with pytest.raises(driver.errors.UndefinedTable) as raised:
        run(driver, scripted(answers=to_query(answer)))
    assert str(raised.value) == "FEHLER:  weg\n"
    assert raised.value.diag.severity_nonlocalized == "ERROR"


def test_an_error_without_a_code(scripted, driver):
    with pytest.raises(driver.DatabaseError) as raised:
        run(driver, scripted(answers=to_query(error(S="ERROR", M="boo"))))
    assert type(raised.value) is driver.DatabaseError
    assert (str(raised.value), raised.value.pgcode) == ("boo\n", None)


# What depends on the server's version.


@pytest.mark.parametrize("value", [True, False, "DEFAULT"])
def test_deferrable_transactions_are_younger(scripted, driver, value):
    server = scripted(reporting(server_version="9.0.23"))
    conn = driver.connect(server.dsn)
    text = "the 'deferrable' setting is only available from PostgreSQL 9.1"
    with pytest.raises(driver.ProgrammingError, match=text):
        conn.set_session(deferrable=value)
    with pytest.raises(driver.ProgrammingError, match=text):
        conn.deferrable = value
    conn.set_session(readonly=True)
    conn.cursor().execute("select 1")
    assert server.queries == ["BEGIN READ ONLY", "select 1"]


def test_deferrable_transactions_from_9_1(scripted, driver):
    server = scripted(reporting(server_version="9.1.0"))
    conn = driver.connect(server.dsn)
    conn.set_session(deferrable=True)
    conn.cursor().execute("select 1")
    assert server.queries == ["BEGIN DEFERRABLE", "select 1"]


def test_ranges_are_younger(scripted, driver):
    server = scripted(reporting(server_version="9.1.24"))
    conn = driver.connect(server.dsn)
    with pytest.raises(driver.ProgrammingError, match="range types not available in version 90124"):
        driver.extras.register_range("x", "X", conn)
    assert server.queries == []


def test_hstores_before_9_0_are_pairs(scripted, driver):
    def quoted(version):
        conn = driver.connect(scripted(reporting(server_version=version)).dsn)
        adapter = driver.extras.HstoreAdapter({"a": "1", "b": None})
        adapter.prepare(conn)
        return adapter.getquoted()

    assert quoted("8.4.22") == b"(('a' => '1')||('b' => NULL))"
    assert quoted("9.0.0") == b"hstore(ARRAY['a','b'], ARRAY['1',NULL])"


def test_a_server_without_a_version_is_taken_for_a_current_one(scripted):
    """psycopg2 takes it for one from before 8.0."""
    server = scripted(reporting(server_version=None))
    conn = psycoxide.connect(server.dsn)
    conn.set_session(deferrable=True)
    conn.tpc_begin("a")
    assert server.queries == ["BEGIN DEFERRABLE"]


def test_a_statement_without_an_answer_is_an_error(scripted, driver):
    """ReadyForQuery and nothing before it: who asked must not take it for success."""
    server = scripted(answers=lambda sql, _: b"" if sql == "query" else None)
    conn = driver.connect(server.dsn)
    cur = conn.cursor()
    with pytest.raises(driver.OperationalError):
        cur.execute("query")
    conn.rollback()
    cur.execute("something else")
    assert not conn.closed


@pytest.mark.parametrize("code", ["XX000", "57P01", "22012", "08006", None])
@pytest.mark.parametrize("statement", ["BEGIN", "query", "COMMIT"])
def test_a_report_that_ends_the_session_is_an_operational_error(scripted, code, statement):
    """As in psycopg2, which loses the server's words where the end of the connection is there with
    them. Pgpool-II says XX000 when it has lost its server, an InternalError otherwise."""
    fields = {
        "S": "FATAL",
        "V": "FATAL",
        "M": "unable to read data",
        **({"C": code} if code else {}),
    }
    server = scripted(reporting(in_hot_standby=None, TimeZone=None))
    server.answers = lambda sql, _: error(**fields) if sql == statement else None
    server.commands = server.answers
    conn = psycoxide.connect(server.dsn)
    with pytest.raises(psycoxide.OperationalError, match="unable to read data") as raised:
        conn.cursor().execute("query")
        conn.commit()
    assert raised.value.pgcode == code
