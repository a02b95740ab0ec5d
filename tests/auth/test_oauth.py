"""OAuth: bearer tokens by OAUTHBEARER (RFC 7628), with a server that plays PostgreSQL 18's part."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from fixtures.connections import wait_for
from fixtures.messages import authentication, error, string
from fixtures.scripted_server import Ended, Session

import psycoxide
from psycoxide.extensions import OAuthRequest

ISSUER = "https://issuer.example/realm"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
TOKEN = "eyJhbGciOi.J9-_~+/0=="
REFUSED = {"S": "FATAL", "C": "28000", "M": 'OAuth bearer authentication failed for user "tester"'}


class Validator:
    """The server's part of the exchange; keeps what it was sent."""

    def __init__(self, document: Any = None, *, mechanisms: str = "OAUTHBEARER") -> None:
        self.document = document or {
            "status": "invalid_token",
            "openid-configuration": DISCOVERY,
            "scope": "openid pg",
        }
        self.mechanisms = mechanisms
        self.sent: list[bytes] = []

    def __call__(self, session: Session) -> None:
        names = b"".join(map(string, self.mechanisms.split()))
        session.send(authentication(10, names + b"\0"))
        mechanism, _, rest = session.take_message()[1].partition(b"\0")
        if mechanism != b"OAUTHBEARER":
            raise Ended
        (length,) = struct.unpack("!I", rest[:4])
        assert len(rest) == 4 + length
        self.sent.append(rest[4:])
        if rest[4:] == f"n,,\1auth=Bearer {TOKEN}\1\1".encode():
            return
        document = self.document
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        session.send(authentication(11, text))
        assert session.take_message()[1] == b"\1"
        session.send(error(**REFUSED))
        raise Ended


class Provider:
    """Gives these tokens one after the other, and keeps what it was asked."""

    def __init__(self, *tokens: Any) -> None:
        self.tokens = list(tokens)
        self.requests: list[OAuthRequest] = []

    def __call__(self, request: OAuthRequest) -> Any:
        self.requests.append(request)
        return self.tokens[len(self.requests) - 1]


def test_a_token_lets_in(scripted):
    validator, provider = Validator(), Provider(TOKEN)
    server = scripted(greet=validator)
    conn = psycoxide.connect(
        server.dsn,
        oauth_token=provider,
        oauth_issuer=ISSUER,
        oauth_client_id="me",
        oauth_client_secret="hush",
        oauth_scope="pg",
        require_auth="oauth",
    )
    assert validator.sent == [f"n,,\1auth=Bearer {TOKEN}\1\1".encode()]
    (request,) = provider.requests
    assert (request.host, request.user, request.issuer) == ("127.0.0.1", "tester", ISSUER)
    assert (request.client_id, request.client_secret, request.scope) == ("me", "hush", "pg")
    assert request.openid_configuration is None
    shown = [conn.dsn, repr(conn), str(conn.info.dsn_parameters), repr(request)]
    assert not any("hush" in text or TOKEN in text for text in shown)
    conn.close()


def test_a_token_lets_in_asynchronously(scripted):
    conn = psycoxide.connect(scripted(greet=Validator()).dsn, oauth_token=Provider(TOKEN), async_=1)
    wait_for(conn)
    conn.close()


def test_where_to_get_a_token_is_asked_for(scripted):
    validator, provider = Validator(), Provider(None, TOKEN)
    server = scripted(greet=validator)
    psycoxide.connect(server.dsn, oauth_token=provider, oauth_issuer=ISSUER).close()
    assert validator.sent == [b"n,,\1auth=\1\1", f"n,,\1auth=Bearer {TOKEN}\1\1".encode()]
    first, second = provider.requests
    assert first.openid_configuration is None and first.scope is None
    assert (second.openid_configuration, second.scope) == (DISCOVERY, "openid pg")


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        (DISCOVERY, DISCOVERY),
        (
            "https://issuer.example/realm",
            "https://issuer.example/.well-known/oauth-authorization-server/realm",
        ),
        ("https://issuer.example", "https://issuer.example/.well-known/openid-configuration"),
    ],
)
def test_the_document_of_the_issuer_is_taken(scripted, issuer, url):
    validator = Validator({"status": "invalid_token", "openid-configuration": url})
    provider = Provider(None, TOKEN)
    psycoxide.connect(
        scripted(greet=validator).dsn, oauth_token=provider, oauth_issuer=issuer
    ).close()
    assert provider.requests[1].openid_configuration == url


@pytest.mark.parametrize(
    ("document", "issuer", "text"),
    [
        (None, None, "oauth_issuer is not set"),
        (None, "https://issuer.example/other", "is not that of oauth_issuer"),
        (None, f"{ISSUER}/.well-known/oauth-authorization-server", "is not that of oauth_issuer"),
        ({"status": "x", "openid-configuration": f"{ISSUER}/x"}, ISSUER, "not a well-known one"),
        (
            {"status": "x", "openid-configuration": DISCOVERY.replace("https", "http")},
            ISSUER,
            "not a well-known one",
        ),
        (
            {"status": "x", "openid-configuration": DISCOVERY + "?to=elsewhere"},
            ISSUER,
            "not a well-known one",
        ),
        ({"status": "x"}, ISSUER, "did not say where its OAuth tokens come from"),
        ({"openid-configuration": DISCOVERY}, ISSUER, "without a status"),
        ([], ISSUER, "without a status"),
        (b"\xff\xfe{", ISSUER, "failed to parse"),
        (b"[" * 20000, ISSUER, "failed to parse"),
    ],
)
def test_a_document_of_anybody_else_is_not(scripted, document, issuer, text):
    validator = Validator(document)
    if document == []:
        validator.document = b"[]"
    provider = Provider(None, TOKEN)
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(scripted(greet=validator).dsn, oauth_token=provider, oauth_issuer=issuer)
    assert len(provider.requests) == 1 and len(validator.sent) <= 2


def test_a_refused_token_is_told_and_not_shown(scripted):
    validator, provider = Validator(), Provider("wrong-token")
    with pytest.raises(psycoxide.OperationalError) as raised:
        psycoxide.connect(scripted(greet=validator).dsn, oauth_token=provider, oauth_issuer=ISSUER)
    text = str(raised.value)
    assert REFUSED["M"] in text and DISCOVERY in text and "wrong-token" not in text
    assert len(provider.requests) == 1


def test_it_is_asked_for_twice_at_most(scripted):
    provider = Provider(None, None, TOKEN)
    with pytest.raises(psycoxide.OperationalError, match="OAuth bearer authentication failed"):
        psycoxide.connect(
            scripted(greet=Validator()).dsn, oauth_token=provider, oauth_issuer=ISSUER
        )
    assert len(provider.requests) == 2


@pytest.mark.parametrize("token", ["", "two words", "a\1host=elsewhere", "ä", "=", "a=b"])
def test_what_is_no_token_is_not_sent(scripted, token):
    validator = Validator()
    with pytest.raises(psycoxide.OperationalError, match="no bearer token may have") as raised:
        psycoxide.connect(scripted(greet=validator).dsn, oauth_token=Provider(token))
    assert validator.sent == []
    assert not token or f"{token}\n" not in str(raised.value)


def test_what_the_callable_raises_is_raised(scripted):
    def fail(_request: OAuthRequest) -> str:
        raise LookupError("the vault is shut")

    with pytest.raises(LookupError, match="the vault is shut"):
        psycoxide.connect(scripted(greet=Validator()).dsn, oauth_token=fail)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "server requires OAuth authentication"),
        (
            {"oauth_token": Provider(TOKEN), "require_auth": "scram-sha-256"},
            'requirement "scram-sha-256" failed: server requested OAUTHBEARER authentication',
        ),
        (
            {"oauth_token": Provider(TOKEN), "require_auth": "md5"},
            'requirement "md5" failed: server requested SASL authentication',
        ),
        ({"oauth_token": Provider(TOKEN), "require_auth": "!oauth"}, "OAUTHBEARER"),
        ({"oauth_token": Provider(TOKEN), "channel_binding": "require"}, "channel binding"),
    ],
)
def test_it_is_not_used_where_it_must_not_be(scripted, options, text):
    validator = Validator()
    with pytest.raises(psycoxide.OperationalError, match=text):
        psycoxide.connect(scripted(greet=validator).dsn, **options)
    assert validator.sent == []


def test_scram_goes_before_it(scripted):
    validator, provider = Validator(mechanisms="OAUTHBEARER SCRAM-SHA-256"), Provider(TOKEN)
    with pytest.raises(psycoxide.OperationalError):
        psycoxide.connect(scripted(greet=validator).dsn, oauth_token=provider, password="x")
    assert provider.requests == []


@pytest.mark.parametrize("token", [TOKEN, None])
def test_an_early_ok_counts_only_for_a_token(scripted, token):
    """Without a token nobody was authenticated, whatever the server says."""

    def greet(session: Session) -> None:
        session.send(authentication(10, b"OAUTHBEARER\0\0"))
        session.take_message()

    server = scripted(greet=greet)
    if token:
        psycoxide.connect(server.dsn, oauth_token=Provider(token)).close()
    else:
        with pytest.raises(psycoxide.OperationalError, match="did not complete authentication"):
            psycoxide.connect(server.dsn, oauth_token=Provider(token))
