"""Every sslmode, every kind of certificate, every way to authenticate: the outcome is libpq's.

psql says in the same run whether there is a connection and whether it is encrypted, psycopg2 what
the error says.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = [pytest.mark.tls, pytest.mark.slow]

# What the server can show, each made for one thing that can be wrong or odd.
WRONG = ["none", "good", "wrong_authority", "wrong_name", "expired", "revoked"]
ODD = ["wildcard", "common_name", "address", "self_signed", "version_1", "no_servers"]

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

ROLES: dict[str, dict[str, Any]] = {
    "trust": {"user": "trustuser"},
    "cleartext": {"user": "clearuser", "password": "clearpw"},
    "md5": {"user": "md5user", "password": "md5pw"},
    "scram": {"user": "scramuser", "password": "scrampw"},
    "wrong password": {"user": "scramuser", "password": "no"},
    "no password": {"user": "scramuser"},
    "over TLS only": {"user": "tlsuser", "password": "tlspw"},
    "in clear only": {"user": "plainuser", "password": "plainpw"},
    "rejected": {"user": "rejecteduser"},
    "certificate": {"user": "certuser"},
}


def credentials(lab: Any, role: str) -> dict[str, Any]:
    options = dict(ROLES[role])
    if role == "certificate":
        options |= {"sslcert": lab.path("client.crt"), "sslkey": lab.path("client.key")}
    return options


def words(text: str) -> str:
    """An error's text without the reason that only psycoxide gives."""
    return re.sub(r"(certificate verify failed): .*", r"\1", text).strip()


@pytest.mark.parametrize("trusting", ["with a root certificate", "without"])
@pytest.mark.parametrize("shown", WRONG + ODD)
def test_the_outcome_is_libpqs(lab: Any, shown: str, trusting: str) -> None:
    lab.show(shown)
    trust = {"sslrootcert": lab.path("root.crt"), "sslcrl": lab.path("root.crl")}
    # What is merely odd is the same however one authenticates.
    roles = ROLES if shown in WRONG else ["scram"]
    differences = []
    for mode in MODES:
        for role in roles:
            options = {"sslmode": mode, **credentials(lab, role)}
            if trusting != "without":
                options |= trust
            dsn = lab.dsn(**options)
            ours, psql, psycopg2 = lab.ours(dsn), lab.psql(dsn), lab.psycopg2(dsn)
            if ours.kind != psql.kind or words(ours.text) != words(psycopg2.text):
                differences.append((mode, role, ours, psql, psycopg2))
    assert not differences, "\n\n".join(map(str, differences))


@pytest.mark.parametrize("shown", ["good", "wildcard", "common_name", "address", "wrong_name"])
@pytest.mark.parametrize(
    ("host", "hostaddr"),
    [
        ("db.example.test", "127.0.0.1"),
        ("DB.Example.TEST", "127.0.0.1"),
        ("example.test", "127.0.0.1"),
        ("a.db.example.test", "127.0.0.1"),
        ("other.example.test", "127.0.0.1"),
        ("127.0.0.1", None),
        ("127.0.0.2", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_names_are_compared_as_libpq_does(
    lab: Any, shown: str, host: str, hostaddr: str | None
) -> None:
    lab.show(shown)
    dsn = lab.dsn(
        host=host,
        hostaddr=hostaddr,
        sslmode="verify-full",
        sslrootcert=lab.path("root.crt"),
        user="trustuser",
    )
    ours, psql, psycopg2 = lab.ours(dsn), lab.psql(dsn), lab.psycopg2(dsn)
    assert ours.kind == psql.kind == psycopg2.kind
    assert words(ours.text) == words(psycopg2.text)
