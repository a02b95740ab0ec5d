"""`connect(password=callable)`: a password that is fetched for each attempt."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.connections import wait_for, waiting

import psycoxide
from psycoxide import extensions, extras, pool


class Tokens:
    """Gives a password, and counts how often it was asked."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        value = self.values[min(self.calls, len(self.values)) - 1]
        if isinstance(value, BaseException):
            raise value
        return value


@pytest.fixture
def parts(server, roles):
    """Where the server is, by keyword, without a role."""
    given = server.parameters
    return {name: given[name] for name in ("host", "port", "dbname")}


@pytest.mark.parametrize("method", ["scram", "md5", "cleartext"])
@pytest.mark.parametrize("sslmode", ["disable", "prefer"])
def test_it_is_asked_once_for_each_connection(parts, roles, method, sslmode):
    role = roles[method]
    tokens = Tokens(role["password"])
    for count in (1, 2):
        conn = psycoxide.connect(**parts, user=role["user"], sslmode=sslmode, password=tokens)
        assert tokens.calls == count
        assert conn.info.used_password and not conn.info.needs_password
        conn.close()


def test_it_is_not_asked_by_a_server_that_trusts(parts, roles):
    tokens = Tokens(AssertionError("not wanted"))
    psycoxide.connect(**parts, user=roles["trust"]["user"], password=tokens).close()
    assert tokens.calls == 0


def test_it_comes_before_everything_else(parts, roles, monkeypatch):
    role = roles["scram"]
    monkeypatch.setenv("PGPASSWORD", "wrong")
    tokens = Tokens(role["password"])
    conn = psycoxide.connect("password=wrong", **parts, user=role["user"], password=tokens)
    assert tokens.calls == 1
    conn.close()


def test_a_rotated_token_is_taken(parts, roles):
    role = roles["scram"]
    tokens = Tokens("stale", role["password"])
    arguments = {**parts, "user": role["user"], "sslmode": "disable", "password": tokens}
    with pytest.raises(psycoxide.OperationalError, match="password authentication failed"):
        psycoxide.connect(**arguments)
    psycoxide.connect(**arguments).close()
    assert tokens.calls == 2


def test_it_is_never_shown(parts, roles):
    role = roles["scram"]
    conn = psycoxide.connect(**parts, user=role["user"], password=lambda: role["password"])
    shown = [conn.dsn, repr(conn), str(conn), str(conn.info.dsn_parameters), repr(conn.info)]
    assert not any(role["password"] in text for text in shown)
    assert conn.info.password == ""
    conn.close()
    with pytest.raises(psycoxide.OperationalError) as raised:
        psycoxide.connect(**parts, user=role["user"], password=lambda: "not-the-password")
    assert "not-the-password" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "exception", "text"),
    [
        (None, psycoxide.OperationalError, "fe_sendauth: no password supplied"),
        ("", psycoxide.OperationalError, "fe_sendauth: no password supplied"),
        (42, TypeError, "Expected bytes or unicode string, got int"),
        (LookupError("the vault is shut"), LookupError, "the vault is shut"),
        (KeyboardInterrupt("now"), KeyboardInterrupt, "now"),
    ],
)
def test_what_it_raises_is_raised(parts, roles, value, exception, text):
    user = roles["scram"]["user"]
    with pytest.raises(exception, match=text):
        psycoxide.connect(**parts, user=user, password=Tokens(value))
    conn = psycoxide.connect(**parts, user=user, password=Tokens(value), async_=1)
    with pytest.raises(exception, match=text):
        wait_for(conn)
    assert conn.closed == 2


def test_it_is_asked_between_two_polls(parts, roles):
    role = roles["scram"]
    tokens = Tokens(role["password"])
    conn = psycoxide.connect(**parts, user=role["user"], password=tokens, async_=1)
    assert tokens.calls == 0
    wait_for(conn)
    assert tokens.calls == 1
    conn.close()


def test_it_may_connect_itself(parts, roles):
    """As one does that reads the password from a table."""
    role, trusted = roles["scram"], roles["trust"]

    def look_up() -> str:
        with psycoxide.connect(**parts, user=trusted["user"]) as conn, conn.cursor() as cur:
            cur.execute("select %s", (role["password"],))
            return str(cur.fetchone()[0])

    with waiting(extras.wait_select):
        psycoxide.connect(**parts, user=role["user"], password=look_up).close()
    psycoxide.connect(**parts, user=role["user"], password=look_up).close()


def test_factories_and_pools_hand_it_on(parts, roles):
    role = roles["scram"]
    tokens = Tokens(role["password"])

    class Mine(extensions.connection):
        def __init__(self, dsn: str, **kwargs: Any) -> None:
            super().__init__(dsn, **kwargs)

    arguments = {**parts, "user": role["user"], "password": tokens}
    psycoxide.connect(**arguments, connection_factory=Mine).close()
    assert tokens.calls == 1
    connections = pool.ThreadedConnectionPool(2, 4, **arguments)
    assert tokens.calls == 3
    connections.closeall()


def test_replication_asks_too(parts, server):
    own = server.parameters
    tokens = Tokens(own["password"])
    arguments = {**parts, "user": own["user"], "password": tokens}
    conn = psycoxide.connect(**arguments, connection_factory=extras.LogicalReplicationConnection)
    assert tokens.calls == 1
    conn.close()


def test_each_host_asks(parts, roles):
    role = roles["scram"]
    tokens = Tokens(role["password"])
    both = {**parts, "host": f"{parts['host']},{parts['host']}"}
    with pytest.raises(psycoxide.OperationalError, match="not in hot standby"):
        psycoxide.connect(
            **both, user=role["user"], password=tokens, target_session_attrs="standby"
        )
    assert tokens.calls == 2
