"""What a server reports, or does not, when a session begins."""

from __future__ import annotations

import select
from datetime import datetime

import pytest
from fixtures.messages import (
    VERSION_3_0,
    VERSION_3_2,
    error,
    negotiate_protocol_version,
    reporting,
    rows,
)
from fixtures.scripted_server import Ended

import psycoxide

SET_DATESTYLE = "SET datestyle TO 'ISO'"
# PgBouncer's list of the parameters that it keeps track of, and those it knows of the server.
POOLER = {
    name: reporting()[name]
    for name in ("server_version", "client_encoding", "standard_conforming_strings")
}


@pytest.mark.parametrize(
    "style", [None, "", "German, DMY", "SQL, MDY", "Postgres, MDY", "iso, mdy", "XISO"]
)
def test_another_style_of_dates_is_made_iso(scripted, driver, style):
    server = scripted(reporting(DateStyle=style))
    conn = driver.connect(server.dsn)
    assert server.queries == [SET_DATESTYLE]
    assert conn.info.transaction_status == driver.extensions.TRANSACTION_STATUS_IDLE
    assert conn.status == driver.extensions.STATUS_READY


@pytest.mark.parametrize("style", ["ISO", "ISO, MDY", "ISO, DMY", "ISO8601"])
def test_iso_dates_are_left_alone(scripted, driver, style):
    server = scripted(reporting(DateStyle=style))
    driver.connect(server.dsn)
    assert server.queries == []


def test_the_style_of_dates_is_set_asynchronously(scripted, driver):
    server = scripted(reporting(DateStyle="German, DMY"))
    conn = driver.connect(server.dsn, async_=1)
    while (state := conn.poll()) != driver.extensions.POLL_OK:
        if state == driver.extensions.POLL_READ:
            assert select.select([conn], [], [], 10)[0]
        else:
            assert select.select([], [conn], [], 10)[1]
    assert [sql.lower() for sql in server.queries] == [SET_DATESTYLE.lower()]


@pytest.mark.parametrize("value", ["database", "0", "false", "on"])
def test_a_dsn_for_replication_sets_nothing(scripted, driver, value):
    server = scripted(reporting(DateStyle="German, DMY"))
    driver.connect(server.dsn, replication=value)
    assert server.queries == []


def test_a_refusal_to_set_it_is_an_error_of_its_class(scripted, driver):
    server = scripted(
        reporting(DateStyle=None), commands=lambda sql, _: error(S="ERROR", C="42501", M="not you")
    )
    with pytest.raises(driver.errors.InsufficientPrivilege) as raised:
        driver.connect(server.dsn)
    assert raised.value.pgcode is None or raised.value.pgcode == "42501"
    assert str(raised.value) == "not you\n"


@pytest.mark.parametrize(
    ("reported", "number"),
    [
        ("15.18", 150018),
        ("15.18 (Debian 15.18-0+deb12u1)", 150018),
        ("15beta1", 150000),
        ("19devel", 190000),
        ("10", 100000),
        ("9.6.24 (Debian 9.6.24-1)", 90624),
        ("9.6rc1", 90600),
        ("8.4.22", 80422),
        ("7.4", 70400),
        ("13.14-YB-2.25", 130014),
        ("9.5.0 CrateDB", 90500),
        ("14.2.1", 140201),
        ("17.0.5.1", 170005),
        ("  15.3", 150003),
        ("v15.3", 0),
        ("EnterpriseDB 13.2", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_the_servers_version(scripted, driver, reported, number):
    conn = driver.connect(scripted(reporting(server_version=reported)).dsn)
    assert (conn.server_version, conn.info.server_version) == (number, number)
    assert conn.get_parameter_status("server_version") == reported


@pytest.mark.parametrize("value", ["off", None])
def test_floating_point_times_make_no_difference(scripted, driver, value):
    """They are a matter of the binary formats."""
    text = "2020-01-02 03:04:05.678901"
    server = scripted(
        reporting(integer_datetimes=value),
        answers=lambda sql, _: rows(text, oid=1114) if sql == "select" else None,
    )
    cur = driver.connect(server.dsn).cursor()
    cur.execute("select")
    assert cur.fetchone() == (datetime.fromisoformat(text),)


def test_no_client_encoding_is_refused(scripted, driver):
    server = scripted(reporting(client_encoding=None))
    with pytest.raises(driver.OperationalError) as raised:
        driver.connect(server.dsn)
    assert str(raised.value) == "server didn't return client encoding"


@pytest.mark.parametrize("name", ["MULE_INTERNAL", "nonsense"])
def test_an_encoding_that_python_does_not_know_is_refused(scripted, driver, name):
    server = scripted(reporting(client_encoding=name))
    with pytest.raises(driver.OperationalError) as raised:
        driver.connect(server.dsn)
    clean = name.replace("_", "").upper()
    assert str(raised.value) == f"no Python encoding for PostgreSQL encoding '{clean}'"


@pytest.mark.parametrize(
    ("name", "shown", "quoted"),
    [
        ("UNICODE", "UNICODE", "é".encode()),  # what UTF8 was called before 8.1
        ("utf-8", "UTF8", "é".encode()),
        ("LATIN1", "LATIN1", b"\xe9"),
        ("EUC_JIS_2004", "EUCJIS2004", "é".encode("euc_jis_2004")),
    ],
)
def test_names_of_encodings(scripted, driver, name, shown, quoted):
    conn = driver.connect(scripted(reporting(client_encoding=name)).dsn)
    assert conn.encoding == shown
    assert conn.cursor().mogrify("%s", ("é",)) == b"'" + quoted + b"'"


def test_a_pooler_that_reports_little(scripted, driver):
    server = scripted(POOLER, answers=lambda sql, _: rows("1") if sql == "select 1" else None)
    conn = driver.connect(server.dsn)
    cur = conn.cursor()
    cur.execute("select 1")
    assert cur.fetchall() == [("1",)]
    conn.commit()
    assert server.queries == [SET_DATESTYLE, "BEGIN", "select 1", "COMMIT"]
    assert conn.get_parameter_status("TimeZone") is None


def test_no_key_to_cancel_with(scripted, driver):
    """Some poolers give none."""
    conn = driver.connect(scripted(has_key=False).dsn)
    assert conn.info.backend_pid == 0
    conn.cursor().execute("select 1")


@pytest.mark.parametrize("newest", [VERSION_3_0, 0])
def test_an_older_protocol_is_settled_on(scripted, newest):
    """Servers from 9.3 on say what they speak. The manual has the minor version alone, servers send
    the whole one."""
    server = scripted(greet=lambda session: session.send(negotiate_protocol_version(newest)))
    conn = psycoxide.connect(server.dsn, max_protocol_version="latest")
    assert server.startups[0].protocol == VERSION_3_2
    conn.cursor().execute("select 1")
    assert conn.info.protocol_version == 3


def test_an_older_protocol_than_demanded(scripted):
    server = scripted(greet=lambda session: session.send(negotiate_protocol_version(VERSION_3_0)))
    with pytest.raises(psycoxide.OperationalError, match="server only supports protocol version 3"):
        psycoxide.connect(server.dsn, min_protocol_version="3.2", max_protocol_version="3.2")


def test_a_server_that_refuses_a_newer_protocol(scripted):
    """Servers before 9.3 do. By default 3.0 is asked for, so that it takes an option to meet it."""
    text = "unsupported frontend protocol 3.2: server supports 2.0 to 3.0"

    def greet(session):
        if session.protocol != VERSION_3_0:
            session.send(error(S="FATAL", C="0A000", M=text))
            raise Ended

    server = scripted(greet=greet)
    psycoxide.connect(server.dsn).close()
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(server.dsn, max_protocol_version="latest")


@pytest.mark.parametrize("wanted", ["3.0", "3.2", "latest"])
def test_a_peer_that_hangs_up_at_a_newer_protocol(scripted, wanted):
    """It may not know how to negotiate; the error says so where that may be."""

    def greet(session):
        raise Ended

    with pytest.raises(psycoxide.OperationalError, match="server closed the connection") as raised:
        psycoxide.connect(scripted(greet=greet).dsn, max_protocol_version=wanted)
    hint = "set it to 3.0"
    assert (hint in str(raised.value)) == (wanted != "3.0")


@pytest.mark.parametrize(
    "text",
    [
        "could not fork new process for connection: Resource temporarily unavailable\n",
        "FATAL:  sorry, too many clients already\n",
        "FATAL:  the database system is starting up",
        "out of memory\n",
    ],
)
def test_an_error_in_the_format_of_protocol_2(scripted, driver, text):
    """What a server sends that is too old for protocol 3, and any that cannot start a process."""

    def greet(session):
        session.send(b"E" + text.encode() + b"\0")
        raise Ended

    server = scripted(greet=greet)
    with pytest.raises(driver.OperationalError) as raised:
        driver.connect(server.dsn)
    assert str(raised.value).endswith(f"failed: {text.rstrip()}\n")


def test_such_an_error_that_never_ends(scripted):
    def greet(session):
        session.send(b"Eyes" * 20_000)
        raise Ended

    with pytest.raises(psycoxide.OperationalError) as raised:
        psycoxide.connect(scripted(greet=greet).dsn)
    assert len(str(raised.value)) < 40_000


def test_such_an_error_that_is_cut_off(scripted):
    def greet(session):
        session.send(b"Ecould not f")
        raise Ended

    with pytest.raises(psycoxide.OperationalError, match="server closed the connection"):
        psycoxide.connect(scripted(greet=greet).dsn)
