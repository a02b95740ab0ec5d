"""GSSAPI, against a KDC of MIT Kerberos and a PostgreSQL that asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures import clusters
from fixtures.connections import wait_for

import psycoxide
from auth import kerberos

HBA = """\
local all all trust
host all mapped 127.0.0.1/32 gss include_realm=1
host all all 127.0.0.1/32 gss include_realm=0
"""
WHO = "select gss_authenticated, principal from pg_stat_gssapi where pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kerberos.Realm]:
    kerberos.require()
    made = kerberos.Realm(tmp_path_factory.mktemp("kdc"))
    made.add("tester", "secret")
    made.add("stranger", "secret")
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(realm: kerberos.Realm) -> Iterator[clusters.Cluster]:
    with clusters.fresh() as cluster:
        keytab = Path(cluster.server.root) / "server.keytab"
        realm.keytab("postgres/localhost", keytab)
        realm.keytab("special/localhost", keytab)
        account = clusters.cluster.unprivileged() if os.geteuid() == 0 else None
        clusters.cluster.own(keytab, account)
        cluster.configure(krb_server_keyfile=str(keytab))
        cluster.admit(HBA)
        cluster.sql("create role mapped login")
        yield cluster


@pytest.fixture
def dsn(
    realm: kerberos.Realm, served: clusters.Cluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """A connection string with these options, in the environment of a user who has logged in."""
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    realm.log_in("tester", "secret")

    def make(**options: Any) -> str:
        given = {
            "host": "localhost",
            "hostaddr": "127.0.0.1",
            "port": served.server.port,
            "dbname": "postgres",
            "user": "tester",
            "connect_timeout": 10,
            **options,
        }
        return " ".join(f"{key}='{value}'" for key, value in given.items())

    return make


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
def test_a_ticket_lets_in(dsn, options):
    conn = psycoxide.connect(dsn(**options))
    assert who(conn) == (True, f"tester@{kerberos.REALM}")
    assert not conn.info.used_password
    conn.close()


def test_a_ticket_lets_in_asynchronously(dsn):
    conn = psycoxide.connect(dsn(), async_=1)
    wait_for(conn)
    cur = conn.cursor()
    cur.execute(WHO)
    wait_for(conn)
    assert cur.fetchone() == (True, f"tester@{kerberos.REALM}")
    conn.close()


def test_a_ticket_lets_in_with_a_wait_callback(dsn):
    waits = 0

    def wait(conn: Any) -> None:
        nonlocal waits
        waits += 1
        wait_for(conn)

    psycoxide.extensions.set_wait_callback(wait)
    try:
        conn = psycoxide.connect(dsn())
        assert who(conn) == (True, f"tester@{kerberos.REALM}")
        conn.close()
    finally:
        psycoxide.extensions.set_wait_callback(None)
    assert waits > 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"require_auth": "!gss"}, 'requirement "!gss" failed: server requested GSSAPI auth'),
        ({"require_auth": "scram-sha-256"}, "server requested GSSAPI authentication"),
        ({"krbsrvname": "nobody"}, "GSSAPI continuation error"),
        ({"user": "mapped"}, 'GSSAPI authentication failed for user "mapped"'),
        ({"user": "trustuser"}, 'GSSAPI authentication failed for user "trustuser"'),
        ({"gssencmode": "require"}, "gssencmode"),
        ({"channel_binding": "require"}, "channel binding"),
    ],
)
def test_what_does_not_fit_is_refused(dsn, options, text):
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(dsn(**options))


def test_without_a_ticket_nobody_gets_in(dsn, realm):
    realm.log_out()
    with pytest.raises(psycoxide.OperationalError, match="GSSAPI continuation error") as raised:
        psycoxide.connect(dsn())
    assert 'connection to server at "localhost"' in str(raised.value)
    conn = psycoxide.connect(dsn(), async_=1)
    with pytest.raises(psycoxide.OperationalError, match="GSSAPI continuation error"):
        wait_for(conn)
    assert conn.closed


def test_the_package_is_imported_only_when_a_server_asks(dsn, served):
    trusted = f"host={served.server.sockets} port={served.server.port} user=tester dbname=postgres"
    program = f"""
        import sys
        import psycoxide
        psycoxide.connect({trusted!r})
        assert "gssapi" not in sys.modules
        psycoxide.connect({dsn()!r})
        assert "gssapi" in sys.modules
        del sys.modules["gssapi"]
        sys.modules["gssapi"] = None
        try:
            psycoxide.connect({dsn()!r})
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
