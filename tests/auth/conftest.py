"""A realm of Kerberos, and a server that knows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures import clusters

from auth import kerberos

HBA = """\
local all all trust
hostgssenc all enclosed 127.0.0.1/32 trust
hostnogssenc all plain 127.0.0.1/32 trust
host all mapped 127.0.0.1/32 gss include_realm=1
host all all 127.0.0.1/32 gss include_realm=0
"""


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kerberos.Realm]:
    clusters.require("kerberos")
    made = kerberos.Realm(tmp_path_factory.mktemp("kdc"))
    made.add("tester", "secret")
    made.add("stranger", "secret")
    yield made
    made.close()


@pytest.fixture(scope="module")
def kerberized(realm: kerberos.Realm) -> Iterator[clusters.Cluster]:
    with clusters.fresh() as cluster:
        keytab = Path(cluster.server.root) / "server.keytab"
        realm.keytab("postgres/localhost", keytab)
        realm.keytab("special/localhost", keytab)
        account = clusters.cluster.unprivileged() if os.geteuid() == 0 else None
        clusters.cluster.own(keytab, account)
        cluster.configure(krb_server_keyfile=str(keytab))
        cluster.admit(HBA)
        for role in ("mapped", "enclosed", "plain"):
            cluster.sql(f"create role {role} login")
        yield cluster


@pytest.fixture
def gss_dsn(
    realm: kerberos.Realm, kerberized: clusters.Cluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """A connection string with these options, in the environment of a user who has logged in."""
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    realm.log_in("tester", "secret")

    def make(**options: Any) -> str:
        given = {
            "host": "localhost",
            "hostaddr": "127.0.0.1",
            "port": kerberized.server.port,
            "dbname": "postgres",
            "user": "tester",
            "connect_timeout": 10,
            **options,
        }
        return " ".join(f"{key}='{value}'" for key, value in given.items())

    return make
