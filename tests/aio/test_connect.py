"""Connections: how they are opened and closed, and what is known about them."""

from __future__ import annotations

import socket
import time

import pytest
from fixtures.tasks import ajoin, asleep, aspawn

import psycoxide
from psycoxide import aio, extensions


async def answers(**options):
    async with aio.connect(**options) as conn:
        return await conn.fetchval("select 42")


# ---- how they are opened ----------------------------------------------------------------------


async def test_with_a_connection_string(dsn):
    assert await answers(conninfo=dsn) == 42


async def test_with_a_uri(server):
    parts = server.parameters
    credentials = f"{parts['user']}:{parts.get('password', '')}"
    uri = f"postgresql://{credentials}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    assert await answers(conninfo=uri) == 42


async def test_with_keywords(server):
    assert await answers(**server.parameters) == 42


async def test_keywords_count_more(dsn):
    async with aio.connect(dsn, application_name="mine") as conn:
        assert await conn.fetchval("show application_name") == "mine"
        assert conn.info.dsn_parameters["application_name"] == "mine"


async def test_over_a_unix_socket(unix_dsn):
    assert await answers(conninfo=unix_dsn) == 42


async def test_over_tls(dsn, tls_files):
    async with aio.connect(dsn, sslmode="verify-ca", sslrootcert=tls_files["root"]) as conn:
        assert conn.info.ssl_in_use
        assert await conn.fetchval("select 42") == 42


@pytest.mark.parametrize("kind", ["scram", "md5", "cleartext", "trust"])
async def test_ways_to_authenticate(dsn, roles, kind):
    assert await answers(conninfo=dsn, **roles[kind]) == 42


async def test_a_callable_password(dsn, roles):
    asked = []

    def password(*arguments):
        asked.append(arguments)
        return roles["scram"]["password"]

    assert await answers(conninfo=dsn, user=roles["scram"]["user"], password=password) == 42
    assert len(asked) == 1


async def test_a_callable_password_that_raises(dsn, roles):
    def password(*_arguments):
        raise KeyError("the vault is closed")

    with pytest.raises(KeyError, match="vault"):
        await aio.connect(dsn, user=roles["scram"]["user"], password=password)


async def test_await_and_close(dsn):
    conn = await aio.connect(dsn)
    assert not conn.closed
    await conn.close()
    assert conn.closed
    assert not conn.broken
    await conn.close()


async def test_the_class_connects_too(dsn):
    class Mine(aio.AsyncConnection):
        pass

    async with await Mine.connect(dsn, row_factory=aio.dict_row, autocommit=False) as conn:
        assert type(conn) is Mine
        assert await conn.fetch("select 1 as a") == [{"a": 1}]
        assert not conn.autocommit


# ---- how that fails ---------------------------------------------------------------------------


async def test_a_wrong_password(dsn, roles):
    with pytest.raises(psycoxide.OperationalError, match="password authentication failed"):
        await aio.connect(dsn, user=roles["scram"]["user"], password="wrong")


async def test_a_database_that_does_not_exist(dsn):
    with pytest.raises(psycoxide.OperationalError, match='"nowhere" does not exist'):
        await aio.connect(dsn, dbname="nowhere")


async def test_an_option_that_does_not_exist(dsn):
    with pytest.raises(psycoxide.ProgrammingError, match="colour"):
        await aio.connect(dsn, colour="red")


async def test_nobody_listens(dsn, refusing):
    with pytest.raises(psycoxide.OperationalError, match="refused"):
        await aio.connect(dsn, host="127.0.0.1", port=refusing)


async def test_a_host_that_has_no_address(dsn):
    with pytest.raises(psycoxide.OperationalError, match=r"nowhere\.invalid"):
        await aio.connect(dsn, host="nowhere.invalid")


async def test_the_second_host_answers(server, refusing):
    parts = server.parameters
    hosts = {"host": f"127.0.0.1,{parts['host']}", "port": f"{refusing},{parts['port']}"}
    assert await answers(**{**parts, **hosts}) == 42


async def test_timeout_bounds_a_server_that_does_not_answer(dsn):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(aio.OperationTimeout):
            await aio.connect(dsn, host="127.0.0.1", port=silent.getsockname()[1], timeout=0.1)
        assert 0.09 < time.monotonic() - began < 2


@pytest.mark.parametrize("timeout", [-1, float("nan")])
async def test_a_timeout_that_is_no_time(dsn, timeout):
    with pytest.raises(ValueError, match="timeout"):
        await aio.connect(dsn, timeout=timeout)


# ---- what is known about them -----------------------------------------------------------------


async def test_info(aconn, server):
    assert aconn.info.dbname == server.parameters["dbname"]
    assert aconn.info.user == server.parameters["user"]
    assert aconn.info.backend_pid == await aconn.fetchval("select pg_backend_pid()")
    assert aconn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


async def test_repr_hides_the_password(dsn, server):
    conn = await aio.connect(dsn)
    assert type(conn).__name__ in repr(conn)
    assert server.parameters["password"] not in repr(conn)
    await conn.close()
    assert "closed" in repr(conn)


async def test_notices(aconn):
    await aconn.execute("do $$ begin for i in 1..60 loop raise notice 'n%', i; end loop; end $$")
    assert len(aconn.notices) == 50
    assert "n60" in aconn.notices[-1]


async def test_a_closed_connection_refuses_everything(aconn):
    cursor = aconn.cursor()
    await aconn.close()
    calls = (
        lambda: aconn.execute("select 1"),
        lambda: aconn.fetch("select 1"),
        lambda: aconn.fetchrow("select 1"),
        lambda: aconn.fetchval("select 1"),
        lambda: cursor.execute("select 1"),
        aconn.commit,
        aconn.rollback,
        aconn.__aenter__,
    )
    for call in calls:
        with pytest.raises(psycoxide.InterfaceError, match="closed"):
            await call()


async def test_a_session_that_the_server_ends_while_it_is_idle(dsn, aconn):
    other = await aio.connect(dsn)
    await aconn.execute("select pg_terminate_backend(%s)", (other.info.backend_pid,))
    with pytest.raises(psycoxide.OperationalError, match="terminat"):
        for _ in range(1000):
            await other.fetchval("select pg_sleep(0.001)")
    assert other.closed
    assert other.broken
    with pytest.raises(psycoxide.Error):
        await other.fetchval("select 1")
    await other.close()


async def test_terminate_is_close_without_await(aconn):
    aconn.terminate()
    assert aconn.closed


async def test_an_exception_leaves_the_block_and_closes(dsn):
    with pytest.raises(KeyError):
        async with aio.connect(dsn) as conn:
            raise KeyError
    assert conn.closed


async def test_terminate_while_a_call_waits(aconn):
    waiting = aspawn(aconn.execute, "select pg_sleep(60)")
    await asleep(0.05)
    began = time.monotonic()
    aconn.terminate()
    with pytest.raises(psycoxide.InterfaceError, match="already closed"):
        await ajoin(waiting)
    assert time.monotonic() - began < 5


async def test_a_block_that_is_cut_off(dsn, relay, server):
    """Who is cancelled does not wait for a server that is silent."""
    if not server.port:
        pytest.skip("the given server's port is not known")
    found = relay((server.host, server.port))
    options = {**server.parameters, **found.options}
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        async with await aio.connect(**options, autocommit=False) as conn:
            await conn.execute("select 1")
            for each in found.connections:
                each.holds_answers.set()
            raise KeyboardInterrupt
    assert time.monotonic() - began < 4
    assert conn.closed
