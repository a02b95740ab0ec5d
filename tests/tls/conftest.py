"""A server that shows whatever certificate a test wants, and libpq beside it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from cryptography import x509
from fixtures import clusters
from fixtures.certificates import (
    CLIENT_ONLY,
    Authority,
    hashes,
    self_signed,
    write,
    write_key,
    write_pairs,
)

import psycoxide

HOST = "db.example.test"
# That of sealed keys.
PASSWORD = "sesame"

HBA = """\
local     all all         trust
hostssl   all certuser    127.0.0.1/32 cert
host      all trustuser   127.0.0.1/32 trust
host      all clearuser   127.0.0.1/32 password
host      all md5user     127.0.0.1/32 md5
hostssl   all tlsuser     127.0.0.1/32 scram-sha-256
hostnossl all plainuser   127.0.0.1/32 scram-sha-256
host      all rejecteduser 127.0.0.1/32 reject
hostssl   all tester      127.0.0.1/32 scram-sha-256 clientcert=verify-ca
host      all scramuser   127.0.0.1/32 scram-sha-256
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of an attempt to connect: `clear`, `TLS`, or `refused` with the text."""

    kind: str
    text: str = ""


class Lab:
    """The server, the files, and three ways to connect."""

    def __init__(self, cluster: clusters.Cluster, folder: Path) -> None:
        self.admin = cluster.sql
        self.server = cluster.server
        self.folder = folder
        self._shown = ""

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def show(self, name: str) -> None:
        """Makes the server use this certificate, or no TLS at all."""
        if name == self._shown:
            return
        wanted = self.path(f"{name}.crt")
        statements = ["alter system set ssl = off"]
        check, value = "show ssl", "off"
        if name != "none":
            statements = [
                "alter system set ssl = on",
                f"alter system set ssl_cert_file = '{wanted}'",
                f"alter system set ssl_key_file = '{self.path(name + '.key')}'",
            ]
            check, value = (
                "select current_setting('ssl') || setting from pg_settings "
                "where name = 'ssl_cert_file'",
                f"on{wanted}",
            )
        self.admin(*statements, "select pg_reload_conf()")
        until = time.monotonic() + 10
        while self.admin(check) != value:
            assert time.monotonic() < until, f"the server does not show {name}"
            time.sleep(0.02)
        self._shown = name

    def dsn(self, **options: Any) -> str:
        """A connection string; options that are None are left out."""
        given = {
            "host": HOST,
            "hostaddr": "127.0.0.1",
            "port": self.server.port,
            "dbname": "postgres",
            "connect_timeout": 10,
            **options,
        }
        return " ".join(f"{key}='{value}'" for key, value in given.items() if value is not None)

    def ours(self, dsn: str) -> Outcome:
        return attempt(psycoxide, dsn)

    def psycopg2(self, dsn: str) -> Outcome:
        return attempt(psycopg2, dsn)

    def psql(self, dsn: str) -> Outcome:
        # That of this lab's server: those of the wheels cannot do TLS.
        sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        done = subprocess.run(
            [str(Path(self.server.bin) / "psql"), "-XAtwq", "-c", sql, dsn],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            return Outcome("refused", done.stderr)
        return Outcome("TLS" if done.stdout.strip() == "t" else "clear")


def attempt(module: Any, dsn: str) -> Outcome:
    try:
        conn = module.connect(dsn)
    except module.OperationalError as error:
        return Outcome("refused", str(error))
    with contextlib.closing(conn):
        cur = conn.cursor()
        cur.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        encrypted = cur.fetchone()[0]
        assert conn.info.ssl_in_use == encrypted
    return Outcome("TLS" if encrypted else "clear")


@pytest.fixture(scope="session")
def lab_session() -> Iterator[Lab]:
    with clusters.fresh() as cluster:
        folder = Path(cluster.server.root) / "lab"
        folder.mkdir()
        folder.chmod(0o755)
        make_files(folder)
        cluster.give(*(path for path in folder.iterdir() if not path.name.startswith("client")))
        cluster.sql("create role certuser login")
        cluster.configure(ssl_ca_file=folder / "root.crt")
        cluster.admit(HBA)
        yield Lab(cluster, folder)


@pytest.fixture
def lab(lab_session: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    """The lab, in surroundings that say nothing of certificates."""
    for name in list(os.environ):
        if name.startswith("PG") and name != "PGTZ":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    lab_session.show("good")
    return lab_session


def make_files(folder: Path) -> None:
    """All certificates: NAME.crt and NAME.key, and what there is to trust."""
    ours, other = Authority("the authority"), Authority("another authority")
    bound = Authority("an authority of some names", [x509.RFC822Name("example.test")])
    issued = {
        "good": ours.issue("x", HOST, "127.0.0.1"),
        "wrong_authority": other.issue("x", HOST),
        "wrong_name": ours.issue("x", "other.example.test", "third.example.test"),
        "expired": ours.issue("x", HOST, days=(-3, -1)),
        "revoked": ours.issue("x", HOST),
        "wildcard": ours.issue("x", "*.example.test"),
        "common_name": ours.issue(HOST),
        "address": ours.issue(HOST, "127.0.0.1"),
        "self_signed": self_signed("x", HOST),
        "no_servers": ours.issue("x", HOST, purpose=CLIENT_ONLY),
        "sha384": ours.issue("x", HOST, digest=hashes.SHA384()),
        "sha512": ours.issue("x", HOST, digest=hashes.SHA512(), key="rsa"),
        "p521": ours.issue("x", HOST, digest=hashes.SHA512(), key="p521"),
        "ed25519": self_signed("x", HOST, key="ed25519"),
        "without_mail": bound.issue("x", HOST),
        "mail_inside": bound.issue("x", HOST, "me@example.test"),
        "mail_outside": bound.issue("x", HOST, "me@example.org"),
        "client": ours.issue("certuser", key="rsa", purpose=CLIENT_ONLY),
        "client_other": other.issue("certuser"),
    }
    ours.revoke(issued["revoked"][0])
    write_pairs(folder, issued)
    version_1(folder, write(folder / "root.crt", ours.certificate), ours.key)
    write(folder / "other.crt", other.certificate)
    write(folder / "bound.crt", bound.certificate)
    write(folder / "root.crl", ours.revocation_list())
    key = issued["client"][1]
    write_key(folder / "client_sealed.key", key, PASSWORD)
    write_key(folder / "client_sealed_old.key", key, PASSWORD, old=True)


def version_1(folder: Path, root: Path, key: Any) -> None:
    """A certificate without extensions, as the manual of PostgreSQL makes it with OpenSSL."""
    signer = write_key(folder / "client_root.key", key)
    run = ["openssl", "req", "-new", "-nodes", "-newkey", "rsa:2048", "-subj", f"/CN={HOST}"]
    run += ["-keyout", str(folder / "version_1.key"), "-out", str(folder / "version_1.csr")]
    subprocess.run(run, check=True, capture_output=True)
    run = ["openssl", "x509", "-req", "-days", "9", "-in", str(folder / "version_1.csr")]
    run += ["-CA", str(root), "-CAkey", str(signer), "-CAcreateserial"]
    run += ["-out", str(folder / "version_1.crt")]
    subprocess.run(run, check=True, capture_output=True)
    signer.unlink()
