# Generated from tests/aio/test_connect.py by tools/generate_sync.py: do not edit.
"""Connections: how they are opened and closed, and what is known about them."""

from __future__ import annotations

import socket
import time

import pytest
from fixtures.tasks import join, sleep, spawn

import psycoxide
from psycoxide import extensions, sync


def answers(**options):
    with sync.connect(**options) as conn:
        return conn.fetchval("select 42")


# ---- how they are opened ----------------------------------------------------------------------


def test_with_a_connection_string(dsn):
    assert answers(conninfo=dsn) == 42


def test_with_a_uri(server):
    parts = server.parameters
    credentials = f"{parts['user']}:{parts.get('password', '')}"
    uri = f"postgresql://{credentials}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    assert answers(conninfo=uri) == 42


def test_with_keywords(server):
    assert answers(**server.parameters) == 42


def test_keywords_count_more(dsn):
    with sync.connect(dsn, application_name="mine") as conn:
        assert conn.fetchval("show application_name") == "mine"
        assert conn.info.dsn_parameters["application_name"] == "mine"


def test_over_a_unix_socket(unix_dsn):
    assert answers(conninfo=unix_dsn) == 42


def test_over_tls(dsn, tls_files):
    with sync.connect(dsn, sslmode="verify-ca", sslrootcert=tls_files["root"]) as conn:
        assert conn.info.ssl_in_use
        assert conn.fetchval("select 42") == 42


@pytest.mark.parametrize("kind", ["scram", "md5", "cleartext", "trust"])
def test_ways_to_authenticate(dsn, roles, kind):
    assert answers(conninfo=dsn, **roles[kind]) == 42


def test_a_callable_password(dsn, roles):
    asked = []

    def password(*arguments):
        asked.append(arguments)
        return roles["scram"]["password"]

    assert answers(conninfo=dsn, user=roles["scram"]["user"], password=password) == 42
    assert len(asked) == 1


def test_a_callable_password_that_raises(dsn, roles):
    def password(*_arguments):
        raise KeyError("the vault is closed")

    with pytest.raises(KeyError, match="vault"):
        sync.connect(dsn, user=roles["scram"]["user"], password=password)


def test_await_and_close(dsn):
    conn = sync.connect(dsn)
    assert not conn.closed
    conn.close()
    assert conn.closed
    assert not conn.broken
    conn.close()


def test_the_class_connects_too(dsn):
    class Mine(sync.Connection):
        pass

    with Mine.connect(dsn, row_factory=sync.dict_row, autocommit=False) as conn:
        assert type(conn) is Mine
        assert conn.fetch("select 1 as a") == [{"a": 1}]
        assert not conn.autocommit


# ---- how that fails ---------------------------------------------------------------------------


def test_a_wrong_password(dsn, roles):
    with pytest.raises(psycoxide.OperationalError, match="password authentication failed"):
        sync.connect(dsn, user=roles["scram"]["user"], password="wrong")


def test_a_database_that_does_not_exist(dsn):
    with pytest.raises(psycoxide.OperationalError, match='"nowhere" does not exist'):
        sync.connect(dsn, dbname="nowhere")


def test_an_option_that_does_not_exist(dsn):
    with pytest.raises(psycoxide.ProgrammingError, match="colour"):
        sync.connect(dsn, colour="red")


def test_nobody_listens(dsn, refusing):
    with pytest.raises(psycoxide.OperationalError, match="refused"):
        sync.connect(dsn, host="127.0.0.1", port=refusing)


def test_a_host_that_has_no_address(dsn):
    with pytest.raises(psycoxide.OperationalError, match=r"nowhere\.invalid"):
        sync.connect(dsn, host="nowhere.invalid")


def test_the_second_host_answers(server, refusing):
    parts = server.parameters
    hosts = {"host": f"127.0.0.1,{parts['host']}", "port": f"{refusing},{parts['port']}"}
    assert answers(**{**parts, **hosts}) == 42


def test_timeout_bounds_a_server_that_does_not_answer(dsn):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(sync.OperationTimeout):
            sync.connect(dsn, host="127.0.0.1", port=silent.getsockname()[1], timeout=0.1)
        assert 0.09 < time.monotonic() - began < 2


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_no_time(dsn, timeout):
    with pytest.raises(ValueError, match="timeout"):
        sync.connect(dsn, timeout=timeout)


# ---- what is known about them -----------------------------------------------------------------


def test_info(conn, server):
    assert conn.info.dbname == server.parameters["dbname"]
    assert conn.info.user == server.parameters["user"]
    assert conn.info.backend_pid == conn.fetchval("select pg_backend_pid()")
    assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_repr_hides_the_password(dsn, server):
    conn = sync.connect(dsn)
    assert type(conn).__name__ in repr(conn)
    assert server.parameters["password"] not in repr(conn)
    conn.close()
    assert "closed" in repr(conn)


def test_notices(conn):
    conn.execute("do $$ begin for i in 1..60 loop raise notice 'n%', i; end loop; end $$")
    assert len(conn.notices) == 50
    assert "n60" in conn.notices[-1]


def test_a_closed_connection_refuses_everything(conn):
    cursor = conn.cursor()
    conn.close()
    calls = (
        lambda: conn.execute("select 1"),
        lambda: conn.fetch("select 1"),
        lambda: conn.fetchrow("select 1"),
        lambda: conn.fetchval("select 1"),
        lambda: cursor.execute("select 1"),
        conn.commit,
        conn.rollback,
        conn.__enter__,
    )
    for call in calls:
        with pytest.raises(psycoxide.InterfaceError, match="closed"):
            call()


def test_a_session_that_the_server_ends_while_it_is_idle(dsn, conn):
    other = sync.connect(dsn)
    conn.execute("select pg_terminate_backend(%s)", (other.info.backend_pid,))
    with pytest.raises(psycoxide.OperationalError, match="terminat"):
        for _ in range(1000):
            other.fetchval("select pg_sleep(0.001)")
    assert other.closed
    assert other.broken
    with pytest.raises(psycoxide.Error):
        other.fetchval("select 1")
    other.close()


def test_terminate_is_close_without_await(conn):
    conn.terminate()
    assert conn.closed


def test_an_exception_leaves_the_block_and_closes(dsn):
    with pytest.raises(KeyError):
        with sync.connect(dsn) as conn:
            raise KeyError
    assert conn.closed


def test_terminate_while_a_call_waits(conn):
    waiting = spawn(conn.execute, "select pg_sleep(60)")
    sleep(0.05)
    began = time.monotonic()
    conn.terminate()
    with pytest.raises(psycoxide.InterfaceError, match="already closed"):
        join(waiting)
    assert time.monotonic() - began < 5


def test_a_block_that_is_cut_off(dsn, relay, server):
    """Who is cancelled does not wait for a server that is silent."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    options = {**server.parameters, **found.options}
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        with sync.connect(**options, autocommit=False) as conn:
            conn.execute("select 1")
            for each in found.connections:
                each.holds_answers.set()
            raise KeyboardInterrupt
    assert time.monotonic() - began < 4
    assert conn.closed
