"""Every way to authenticate without a third party, as libpq does it: outcomes and texts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import os
import pwd
from collections.abc import Iterator
from typing import Any

import psycopg2.extensions
import pytest
from fixtures import clusters

import psycoxide
from auth.differential import keywords, outcome, same, without_surroundings

OS_USER = pwd.getpwuid(os.geteuid()).pw_name
METHODS = ("trust", "reject", "password", "md5", "scram-sha-256")
HBA = """\
local all postgres trust
local all all peer
host all trust 127.0.0.1/32 trust
host all reject 127.0.0.1/32 reject
host all password 127.0.0.1/32 password
host all md5 127.0.0.1/32 md5
host all unicode_md5 127.0.0.1/32 md5
host all all 127.0.0.1/32 scram-sha-256
"""
PASSWORD = "open sesame"
# What SASLprep maps, normalises, or cannot take; and what a connection string has to quote.
PASSWORDS = {
    "soft_hyphen": "pass­word",
    "roman": "Ⅸ",
    "no_break_space": "a\u00a0b\u2003c",
    "ligature": "ﬁne",
    "bidi": "\u0627\u0628",
    "bidi_prohibited": "\u06271",
    "control": "bell\u0007",
    "private": "\ue000",
    "unassigned": "\u0221",
    "emoji": "🐘🐘",
    "combining": "e\u0301",
    "mapped_to_nothing": "\u00ad",
    "blanks": "  inside and around  ",
    "quotes": 'it\'s \\ "quoted"',
    "long": "long" * 200,
}
NAMES = ("with space", "Ünï", "it's", 'double"quote', "back\\slash", "🐘", "x" * 63)
VALUES = ("password", "md5", "scram-sha-256", "none", "gss", "sspi", "oauth")
PAIRS = [*itertools.combinations(VALUES[:5], 2)]
REQUIRED = [
    *VALUES,
    *(f"!{value}" for value in VALUES),
    *(",".join(pair) for pair in PAIRS),
    *(f"!{a},!{b}" for a, b in PAIRS),
]
NOT_VALID = ["x", "!", ",", "md5,", ",md5", "md5,md5", "!md5,!md5", "md5,!none", "!md5,none", "MD5"]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.fixture(scope="module")
def served() -> Iterator[clusters.Cluster]:
    with clusters.fresh() as cluster:
        cluster.admit(HBA)
        for role in METHODS:
            hashing = "md5" if role == "md5" else "scram-sha-256"
            cluster.sql(
                f"set password_encryption = '{hashing}'; "
                f"create role {quoted(role)} login password '{PASSWORD}'"
            )
        for role in (*NAMES, *PASSWORDS):
            password = literal(PASSWORDS.get(role, PASSWORD))
            cluster.sql(f"create role {quoted(role)} login password {password}")
        cluster.sql("create role no_password login")
        if OS_USER != "postgres":
            cluster.sql(f"create role {quoted(OS_USER)} login")
        cluster.sql(
            "set password_encryption = 'md5'; create role unicode_md5 login password 'pässwörd'"
        )
        yield cluster


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    without_surroundings(monkeypatch, tmp_path)


@pytest.mark.parametrize("password", [None, "", PASSWORD, "wrong", "x" * 100_000])
@pytest.mark.parametrize("role", [*METHODS, "no_password", "not_there"])
def test_each_method(served, role, password):
    same(keywords(served, user=role, password=password))


@pytest.mark.parametrize("role", METHODS)
def test_the_right_password_lets_in(served, role):
    found = outcome(psycoxide, keywords(served, user=role, password=PASSWORD))
    used = role not in ("trust", "reject")
    assert found == f"{role} used_password={used}" if role != "reject" else "rejects" in found


@pytest.mark.parametrize("sslmode", ["prefer", "allow", "require"])
@pytest.mark.parametrize("role", METHODS)
def test_each_method_with_tls(served, role, sslmode):
    for password in (PASSWORD, "wrong"):
        same(keywords(served, user=role, password=password, sslmode=sslmode))


@pytest.mark.parametrize("name", NAMES)
def test_names(served, name):
    assert same(keywords(served, user=name, password=PASSWORD)).startswith(name)


@pytest.mark.parametrize("name", PASSWORDS)
def test_passwords(served, name):
    assert same(keywords(served, user=name, password=PASSWORDS[name])).startswith(name)
    for other in PASSWORDS.values():
        same(keywords(served, user=name, password=other))


def test_a_password_that_is_normalised_the_same_lets_in(served):
    for name, password in [
        ("roman", "IX"),
        ("soft_hyphen", "password"),
        ("ligature", "fine"),
        ("combining", "é"),
        ("no_break_space", "a b c"),
    ]:
        assert same(keywords(served, user=name, password=password)).startswith(name)


def test_md5_takes_the_bytes(served):
    found = same(keywords(served, user="unicode_md5", password="pässwörd"))
    assert found.startswith("unicode_md5")


def test_peer(served):
    local = {"host": served.server.sockets}
    assert same(keywords(served, user=OS_USER, **local)).startswith(OS_USER)
    assert "Peer authentication failed" in same(keywords(served, user="trust", **local))


@pytest.mark.parametrize("required", REQUIRED)
def test_require_auth(served, required):
    if "oauth" in required and psycopg2.extensions.libpq_version() < 180000:
        pytest.skip("libpq knows oauth from version 18 on")
    for role in ("trust", "password", "md5", "scram-sha-256"):
        options = keywords(served, user=role, password=PASSWORD, require_auth=required)
        # Since libpq 18, with OAuth, there are two ways of SASL, and the text says which.
        ours, theirs = (
            outcome(driver, options).replace("SCRAM-SHA-256 auth", "SASL auth")
            for driver in (psycoxide, psycopg2)
        )
        assert ours == theirs


@pytest.mark.parametrize("required", NOT_VALID)
def test_require_auth_that_is_not_valid(served, required):
    found = same(keywords(served, user="trust", require_auth=required))
    assert found.startswith("refused")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_channel_binding(served, mode, sslmode):
    for role in ("trust", "password", "md5", "scram-sha-256"):
        same(keywords(served, user=role, password=PASSWORD, channel_binding=mode, sslmode=sslmode))


def test_where_the_password_comes_from(served, monkeypatch, tmp_path):
    """Each source in turn, the ones behind it being wrong."""
    passfile, home = tmp_path / "passwords", tmp_path / ".pgpass"
    user = keywords(served, user="scram-sha-256")

    def write(path: Any, password: str, mode: int = 0o600) -> None:
        path.write_text(f"127.0.0.1:{served.server.port}:*:scram-sha-256:{password}\n")
        path.chmod(mode)

    write(home, PASSWORD)
    assert same(user).startswith("scram")
    write(home, "wrong")
    assert f'password retrieved from file "{home}"' in same(user)
    write(passfile, PASSWORD)
    assert same({**user, "passfile": str(passfile)}).startswith("scram")
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert same(user).startswith("scram")
    write(passfile, "wrong")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert same(user).startswith("scram")
    monkeypatch.setenv("PGPASSWORD", "wrong")
    assert same({**user, "password": PASSWORD}).startswith("scram")
    assert "retrieved" not in same(user)
    assert "retrieved" not in same({**user, "password": "wrong"})


def test_a_password_file_is_read_as_libpq_reads_it(served, tmp_path):
    port = served.server.port
    path = tmp_path / ".pgpass"
    user = keywords(served, user="scram-sha-256")
    for text in [
        f"*:*:*:*:{PASSWORD}",
        f"# comment\n\n127.0.0.1:{port}:postgres:scram-sha-256:{PASSWORD}",
        f"127.0.0.1:{port}:other:*:wrong\n127.0.0.1:*:postgres:*:{PASSWORD}\n*:*:*:*:wrong",
        f"*:*:*:*:{PASSWORD}\r\n",
        "*:*:*:*:",
        "*:*:*:*:wrong:tail",
        f"*:*:*:*:{PASSWORD}:tail",
        f"*:*:*:*:open\\ sesame\n*:*:*:*:{PASSWORD}",
        "*:*:*:scram\\-sha-256:wrong\\:",
        f"localhost:*:*:*:{PASSWORD}",
        "*:*:*",
        "x" * 10_000 + f"\n*:*:*:*:{PASSWORD}",
    ]:
        path.write_text(text)
        path.chmod(0o600)
        same(user)


def scram_keys(cluster: clusters.Cluster, role: str, password: str) -> dict[str, str]:
    """RFC 5802's keys, from what the server stores of the password."""
    stored = cluster.sql(f"select rolpassword from pg_authid where rolname = '{role}'")
    rounds, _, salt = stored.split("$")[1].partition(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    keys = {
        name: hmac.new(salted, label, "sha256").digest()
        for name, label in {"client": b"Client Key", "server": b"Server Key"}.items()
    }
    return {f"scram_{name}_key": base64.b64encode(key).decode() for name, key in keys.items()}


def test_scrams_keys_stand_for_the_password(served):
    keys = scram_keys(served, "scram-sha-256", PASSWORD)
    user = keywords(served, user="scram-sha-256")
    conn = psycoxide.connect(**user, **keys)
    assert not conn.info.used_password
    assert not [key for key in keys.values() if key in conn.dsn]
    conn.close()
    wrong = scram_keys(served, "scram-sha-256", "another")
    with pytest.raises(psycoxide.OperationalError, match="password authentication failed"):
        psycoxide.connect(**user, **wrong)
    # The server has to know its part as well.
    half = {**keys, "scram_server_key": wrong["scram_server_key"]}
    with pytest.raises(psycoxide.OperationalError, match="incorrect server signature"):
        psycoxide.connect(**user, **half)
