"""Authentication by GSSAPI, against a KDC of MIT Kerberos and a PostgreSQL that asks for it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest
from fixtures.connections import wait_for, waiting

import psycoxide
from auth import kerberos

WHO = "select gss_authenticated, principal from pg_stat_gssapi where pid = pg_backend_pid()"


@pytest.fixture(autouse=True)
def _not_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encryption by GSSAPI would prove who we are before the server asks."""
    monkeypatch.setenv("PGGSSENCMODE", "disable")


def who(conn: Any) -> Any:
    with conn.cursor() as cur:
        cur.execute(WHO)
        return cur.fetchone()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"require_auth": "gss"},
        {"require_auth": "!password,!none"},
        {"gssdelegation": "1"},
        {"krbsrvname": "special"},
        {"gsslib": "gssapi"},
        {"gssencmode": "prefer"},
        {"gssencmode": "disable"},
        {"sslmode": "disable"},
    ],
)
def test_a_ticket_lets_in(gss_dsn, options):
    conn = psycoxide.connect(gss_dsn(**options))
    assert who(conn) == (True, f"tester@{kerberos.REALM}")
    assert not conn.info.used_password
    conn.close()


def test_a_ticket_lets_in_asynchronously(gss_dsn):
    conn = psycoxide.connect(gss_dsn(), async_=1)
    wait_for(conn)
    cur = conn.cursor()
    cur.execute(WHO)
    wait_for(conn)
    assert cur.fetchone() == (True, f"tester@{kerberos.REALM}")
    conn.close()


def test_a_ticket_lets_in_with_a_wait_callback(gss_dsn):
    waits = 0

    def wait(conn: Any) -> None:
        nonlocal waits
        waits += 1
        wait_for(conn)

    with waiting(wait):
        conn = psycoxide.connect(gss_dsn())
        assert who(conn) == (True, f"tester@{kerberos.REALM}")
        conn.close()
    assert waits > 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"require_auth": "!gss"}, 'requirement "!gss" failed: server requested GSSAPI auth'),
        ({"require_auth": "scram-sha-256"}, "server requested GSSAPI authentication"),
        ({"krbsrvname": "nobody"}, "GSSAPI continuation error"),
        ({"user": "mapped"}, 'GSSAPI authentication failed for user "mapped"'),
        ({"user": "trustuser"}, 'GSSAPI authentication failed for user "trustuser"'),
        ({"channel_binding": "require"}, "channel binding"),
    ],
)
def test_what_does_not_fit_is_refused(gss_dsn, options, text):
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(gss_dsn(**options))


def test_without_a_ticket_nobody_gets_in(gss_dsn, realm):
    realm.log_out()
    with pytest.raises(psycoxide.OperationalError, match="GSSAPI continuation error") as raised:
        psycoxide.connect(gss_dsn())
    assert str(raised.value).startswith('connection to server at "127.0.0.1", port ')
    conn = psycoxide.connect(gss_dsn(), async_=1)
    with pytest.raises(psycoxide.OperationalError, match="GSSAPI continuation error"):
        wait_for(conn)
    assert conn.closed


def test_the_package_is_imported_only_when_a_server_asks(gss_dsn, kerberized):
    server = kerberized.server
    trusted = f"host={server.sockets} port={server.port} user=tester dbname=postgres"
    program = f"""
        import sys
        import psycoxide
        psycoxide.connect({trusted!r})
        assert "gssapi" not in sys.modules
        psycoxide.connect({gss_dsn()!r})
        assert "gssapi" in sys.modules
        del sys.modules["gssapi"]
        sys.modules["gssapi"] = None
        try:
            psycoxide.connect({gss_dsn()!r})
        except psycoxide.OperationalError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "the Python package gssapi cannot be imported" in done.stdout
