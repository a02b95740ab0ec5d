"""Every option of libpq 19, from every place that can say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import psycoxide
from auth.differential import without_surroundings
from psycoxide.extensions import parse_dsn

# <https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS> in the order of
# PQconndefaults(), and <https://www.postgresql.org/docs/18/libpq-envars.html>: each option with its
# environment variable, and a value that lets us connect.
OPTIONS: dict[str, tuple[str | None, str | None]] = {
    "service": ("PGSERVICE", None),
    "servicefile": ("PGSERVICEFILE", None),
    "user": ("PGUSER", None),
    "password": ("PGPASSWORD", None),
    "passfile": ("PGPASSFILE", "/nowhere"),
    "channel_binding": ("PGCHANNELBINDING", "disable"),
    "connect_timeout": ("PGCONNECT_TIMEOUT", "11"),
    "dbname": ("PGDATABASE", None),
    "host": ("PGHOST", None),
    "hostaddr": ("PGHOSTADDR", "127.0.0.1"),
    "port": ("PGPORT", None),
    "client_encoding": ("PGCLIENTENCODING", "LATIN1"),
    "options": ("PGOPTIONS", "-c geqo=off"),
    "application_name": ("PGAPPNAME", "me"),
    "fallback_application_name": (None, "me"),
    "keepalives": (None, "0"),
    "keepalives_idle": (None, "11"),
    "keepalives_interval": (None, "11"),
    "keepalives_count": (None, "11"),
    "tcp_user_timeout": (None, "11000"),
    "sslmode": ("PGSSLMODE", "disable"),
    "sslnegotiation": ("PGSSLNEGOTIATION", "postgres"),
    "sslcompression": ("PGSSLCOMPRESSION", "1"),
    "sslcert": ("PGSSLCERT", "/nowhere"),
    "sslkey": ("PGSSLKEY", "/nowhere"),
    "sslcertmode": ("PGSSLCERTMODE", "disable"),
    "sslpassword": (None, "hush"),
    "sslrootcert": ("PGSSLROOTCERT", "/nowhere"),
    "sslcrl": ("PGSSLCRL", "/nowhere"),
    "sslcrldir": ("PGSSLCRLDIR", "/nowhere"),
    "sslsni": ("PGSSLSNI", "0"),
    "requirepeer": ("PGREQUIREPEER", "postgres"),
    "require_auth": ("PGREQUIREAUTH", "scram-sha-256"),
    "min_protocol_version": ("PGMINPROTOCOLVERSION", "3.0"),
    "max_protocol_version": ("PGMAXPROTOCOLVERSION", "latest"),
    "ssl_min_protocol_version": ("PGSSLMINPROTOCOLVERSION", "TLSv1.3"),
    "ssl_max_protocol_version": ("PGSSLMAXPROTOCOLVERSION", "TLSv1.3"),
    "gssencmode": ("PGGSSENCMODE", "disable"),
    "krbsrvname": ("PGKRBSRVNAME", "other"),
    "gsslib": ("PGGSSLIB", "gssapi"),
    "gssdelegation": ("PGGSSDELEGATION", "1"),
    "replication": (None, "database"),
    "target_session_attrs": ("PGTARGETSESSIONATTRS", "read-write"),
    "load_balance_hosts": ("PGLOADBALANCEHOSTS", "random"),
    "scram_client_key": (None, None),
    "scram_server_key": (None, None),
    "oauth_issuer": (None, "https://issuer.example"),
    "oauth_client_id": (None, "me"),
    "oauth_client_secret": (None, "hush"),
    "oauth_scope": (None, "openid"),
    "oauth_ca_file": ("PGOAUTHCAFILE", "/nowhere"),
    "sslkeylogfile": (None, "/dev/null"),
}
SETTABLE = {name: value for name, (_, value) in OPTIONS.items() if value is not None}
SECRET = ("password", "sslpassword", "oauth_client_secret")
REFUSED = {
    "gssencmode": "sometimes",
    "sslmode": "sometimes",
    "require_auth": "magic",
    "channel_binding": "maybe",
    "max_protocol_version": "4",
    "ssl_min_protocol_version": "TLSv9",
    "target_session_attrs": "master",
    "load_balance_hosts": "yes",
    "sslcertmode": "perhaps",
    "sslnegotiation": "gss",
    "keepalives_idle": "soon",
    "tcp_user_timeout": "1s",
}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_surroundings(monkeypatch, tmp_path)


def check(conn: Any, name: str, value: str) -> None:
    found = conn.get_dsn_parameters()
    if name in SECRET:
        assert value not in [*found.values(), conn.dsn] and value not in repr(conn)
    else:
        assert found[name] == value
    conn.close()


def test_all_are_known():
    for name in OPTIONS:
        assert parse_dsn(f"{name}=x") == {name: "x"}
    with pytest.raises(psycoxide.ProgrammingError, match="invalid connection option"):
        parse_dsn("tty=x")


@pytest.mark.parametrize("name", SETTABLE)
def test_an_option_of_the_call(dsn, name):
    value = SETTABLE[name]
    check(psycoxide.connect(dsn, **{name: value}), name, value)


@pytest.mark.parametrize("name", SETTABLE)
def test_an_option_of_a_uri(server, name):
    given = {**server.parameters, name: SETTABLE[name]}
    uri = "postgresql://?" + "&".join(f"{key}={quote(text)}" for key, text in given.items())
    check(psycoxide.connect(uri), name, SETTABLE[name])


@pytest.mark.parametrize("name", [name for name in SETTABLE if OPTIONS[name][0]])
def test_an_option_of_the_environment(dsn, monkeypatch, name):
    variable = OPTIONS[name][0]
    assert variable
    monkeypatch.setenv(variable, SETTABLE[name])
    check(psycoxide.connect(dsn), name, SETTABLE[name])


@pytest.mark.parametrize("name", SETTABLE)
def test_an_option_of_a_service(server, monkeypatch, tmp_path, name):
    given = {**server.parameters, name: SETTABLE[name]}
    path = tmp_path / "services"
    path.write_text("[mine]\n" + "".join(f"{key}={text}\n" for key, text in given.items()))
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    check(psycoxide.connect("service=mine"), name, SETTABLE[name])
    monkeypatch.setenv("PGSERVICEFILE", "/nowhere")
    check(psycoxide.connect(service="mine", servicefile=path), name, SETTABLE[name])
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    monkeypatch.setenv("PGSERVICE", "mine")
    check(psycoxide.connect(), name, SETTABLE[name])


@pytest.mark.parametrize(("name", "value"), REFUSED.items())
def test_what_cannot_be_met_is_refused(dsn, name, value):
    with pytest.raises(psycoxide.OperationalError) as raised:
        psycoxide.connect(dsn, **{name: value})
    assert name in str(raised.value)
