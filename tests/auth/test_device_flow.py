"""The device flow of OAuth: an issuer over HTTP that has somebody enter a code, and a server that
plays PostgreSQL 18's part.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from fixtures.connections import wait_for

import psycoxide

from .test_oauth import TOKEN, Validator

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PENDING = (400, {"error": "authorization_pending"})
GIVEN = (200, {"access_token": TOKEN, "token_type": "Bearer"})


class Issuer(ThreadingHTTPServer):
    """Answers from a script, and keeps what it was asked."""

    def __init__(self, secured: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if secured:
            self.socket = secured.wrap_socket(self.socket, server_side=True)
        scheme = "https" if secured else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_port}/realm"
        self.discovery = f"{self.url}/.well-known/openid-configuration"
        self.document = {
            "issuer": self.url,
            "device_authorization_endpoint": f"{self.url}/device",
            "token_endpoint": f"{self.url}/token",
            "grant_types_supported": ["authorization_code", GRANT],
        }
        self.device: tuple[int, Any] = (
            200,
            {
                "device_code": "hush-device",
                "user_code": "ABCD-EFGH",
                "verification_uri": "https://login.example/enter",
                "expires_in": 20,
                "interval": 0,
            },
        )
        self.answers: list[tuple[int, Any]] = [GIVEN]
        self.asked: list[tuple[str, dict[str, str], str | None]] = []


class Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.say(200, self.server.document)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: value for name, (value,) in parse_qs(body, strict_parsing=True).items()}
        self.server.asked.append((self.path, form, self.headers["Authorization"]))
        answers = self.server.answers
        if self.path == "/realm/device":
            self.say(*self.server.device)
        else:
            self.say(*(answers.pop(0) if len(answers) > 1 else answers[0]))

    def say(self, status: int, document: Any) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Location", "/realm/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(issuer: Issuer) -> Iterator[Issuer]:
    with issuer:
        thread = threading.Thread(target=issuer.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield issuer
        issuer.shutdown()
        thread.join()


@pytest.fixture
def issuer(monkeypatch) -> Iterator[Issuer]:
    monkeypatch.setenv("PGOAUTHDEBUG", "UNSAFE")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(Issuer()) as issuer:
        yield issuer


@pytest.fixture
def secured_issuer(monkeypatch, tls_files) -> Iterator[Issuer]:
    """One whose certificate an authority of the tests has signed, and that may be asked at once."""
    monkeypatch.setenv("PGOAUTHDEBUG", "UNSAFE:dos-endpoint")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files["certificate"], tls_files["key"])
    with serving(Issuer(context)) as issuer:
        yield issuer


def dial(scripted, issuer, **options):
    """Connects to a server that lets in whoever has the token; its validator as well."""
    told = {"status": "invalid_token", "openid-configuration": issuer.discovery, "scope": "pg"}
    validator = Validator(told)
    given = {"oauth_issuer": issuer.url, "oauth_client_id": "me", **options}
    return psycoxide.connect(scripted(greet=validator).dsn, **given), validator


def test_somebody_enters_the_code(scripted, issuer, capfd):
    issuer.answers = [PENDING, PENDING, GIVEN]
    conn, validator = dial(scripted, issuer)
    assert conn.info.transaction_status == 0
    conn.close()
    assert validator.sent == [b"n,,\1auth=\1\1", f"n,,\1auth=Bearer {TOKEN}\1\1".encode()]
    said = capfd.readouterr().err
    assert said == "Visit https://login.example/enter and enter the code: ABCD-EFGH\n"
    poll = {"client_id": "me", "grant_type": GRANT, "device_code": "hush-device"}
    assert issuer.asked == [
        ("/realm/device", {"client_id": "me", "scope": "pg"}, None),
        *[("/realm/token", poll, None)] * 3,
    ]


def test_asynchronously(scripted, issuer):
    conn, _validator = dial(scripted, issuer, async_=1)
    wait_for(conn)
    conn.close()


def test_a_program_with_a_secret(scripted, issuer):
    dial(scripted, issuer, oauth_client_secret="a b:c%", oauth_scope="mine", oauth_client_id="m:e")
    pair = "Basic " + base64.b64encode(b"m%3Ae:a+b%3Ac%25").decode()
    assert issuer.asked == [
        ("/realm/device", {"scope": "mine"}, pair),
        ("/realm/token", {"grant_type": GRANT, "device_code": "hush-device"}, pair),
    ]


def test_the_issuers_document_may_be_named(scripted, issuer):
    dial(scripted, issuer, oauth_issuer=issuer.discovery)[0].close()


def test_slow_down(scripted, issuer, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    issuer.answers = [(400, {"error": "slow_down"}), PENDING, GIVEN]
    dial(scripted, issuer)[0].close()
    assert [pause for pause in pauses if pause in (0, 5)] == [0, 5, 5]


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (
            (400, {"error": "access_denied", "error_description": "no"}),
            r"failed to obtain access token: no \(access_denied\)",
        ),
        ((500, {}), "failed to obtain access token: HTTP status 500"),
        ((302, {}), "failed to obtain access token: HTTP status 302"),
        ((200, {"token_type": "bearer"}), '"access_token" is missing'),
        ((200, {"access_token": TOKEN, "token_type": "mac"}), "no bearer token"),
        ((200, b"[" * 100_000), "no JSON object"),
        ((200, [TOKEN]), "no JSON object"),
        ((200, b" " * 300_000), "too large"),
    ],
)
def test_no_token_is_to_be_had(scripted, issuer, token, text):
    issuer.answers = [token]
    with pytest.raises(psycoxide.OperationalError, match=text) as raised:
        dial(scripted, issuer)
    assert "hush" not in str(raised.value) and TOKEN not in str(raised.value)


def test_nobody_enters_the_code(scripted, issuer):
    issuer.device[1]["expires_in"] = "0.5"
    issuer.answers = [PENDING]
    with pytest.raises(psycoxide.OperationalError, match="in time"):
        dial(scripted, issuer)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"issuer": "http://127.0.0.1/other"}, "does not match oauth_issuer"),
        ({"grant_types_supported": ["authorization_code"]}, "does not support device code grants"),
        ({"token_endpoint": None}, '"token_endpoint" is missing'),
        ({"token_endpoint": "file:///etc/passwd"}, "must use HTTPS"),
        ({"device_authorization_endpoint": "ftp://127.0.0.1/"}, "must use HTTPS"),
        ({"device_authorization_endpoint": "http://127.0.0.1:1/"}, "could not reach"),
    ],
)
def test_documents_that_will_not_do(scripted, issuer, change, text):
    issuer.document.update(change)
    with pytest.raises(psycoxide.OperationalError, match=text):
        dial(scripted, issuer)


def test_the_issuers_authority_may_be_named(scripted, secured_issuer, tls_files, monkeypatch):
    with pytest.raises(psycoxide.OperationalError, match=r"could not reach .*verify failed"):
        dial(scripted, secured_issuer)
    dial(scripted, secured_issuer, oauth_ca_file=tls_files["root"])[0].close()
    monkeypatch.setenv("PGOAUTHCAFILE", tls_files["root"])
    dial(scripted, secured_issuer)[0].close()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_authorities_is_told(scripted, secured_issuer, tmp_path, content):
    file = tmp_path / "authorities"
    if content:
        file.write_text(content)
    with pytest.raises(psycoxide.OperationalError, match=r'could not read oauth_ca_file ".*auth'):
        dial(scripted, secured_issuer, oauth_ca_file=str(file))


@pytest.mark.parametrize("allowed", [None, "http", "UNSAFE:", "UNSAFE:dos-endpoint,trace"])
def test_plain_http_is_for_tests(scripted, issuer, monkeypatch, allowed):
    monkeypatch.delenv("PGOAUTHDEBUG")
    if allowed:
        monkeypatch.setenv("PGOAUTHDEBUG", allowed)
    with pytest.raises(psycoxide.OperationalError, match="not a well-known one"):
        dial(scripted, issuer)
    assert issuer.asked == []


@pytest.mark.parametrize("given", [{}, {"oauth_issuer": "https://x"}, {"oauth_client_id": "me"}])
def test_both_options_are_needed(scripted, given):
    with pytest.raises(psycoxide.OperationalError, match="are not both set"):
        psycoxide.connect(scripted(greet=Validator()).dsn, **given)


def test_a_callable_goes_before_it(scripted, issuer):
    conn, _validator = dial(scripted, issuer, oauth_token=lambda request: TOKEN)
    conn.close()
    assert issuer.asked == []
