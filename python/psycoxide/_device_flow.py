"""The device flow of OAuth (RFC 8628): somebody visits a page and enters a code for a token.

libpq has it for `oauth_issuer` and `oauth_client_id`. This takes the same precautions:
HTTPS only, no redirections, answers of bounded size, and no issuer but `oauth_issuer`.
Imported when a server asks for a token and there is no callable.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from psycoxide._credentials import allows, is_secure
from psycoxide._exceptions import OperationalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from psycoxide._credentials import OAuthRequest

GRANT = "urn:ietf:params:oauth:grant-type:device_code"

# Seconds to wait for an answer to a request.
_PATIENCE = 60.0
# The longest answer that is read, as in libpq.
_MOST_BYTES = 256 * 1024
# RFC 8628: seconds between two requests if the answer does not say, and added by "slow_down".
_INTERVAL = 5.0
# Seconds that the code is valid if the answer does not say: a quarter of an hour.
_LIFE = 900.0


def token(request: OAuthRequest, issuer: str) -> str:
    """Get a token from the issuer, after somebody has confirmed it there.

    The address to visit and the code to enter are written to stderr, as libpq does. Raises
    OperationalError if there is no token.
    """
    provider = _discover(request, issuer)
    form = {"client_id": request.client_id or ""}
    if request.scope:
        form["scope"] = request.scope
    status, answer = _fetch(request, provider["device_authorization_endpoint"], form)
    if status != 200:
        raise _refusal("failed to obtain device authorization", status, answer)
    code = _text(answer, "device_code")
    page = _text(answer, "verification_uri", "verification_url")
    print(f"Visit {page} and enter the code: {_text(answer, 'user_code')}", file=sys.stderr)
    interval = max(_number(answer, "interval", _INTERVAL), 0.0 if allows("dos-endpoint") else 1.0)
    until = time.monotonic() + _number(answer, "expires_in", _LIFE)
    form = {"client_id": request.client_id or "", "grant_type": GRANT, "device_code": code}
    while time.monotonic() < until:
        time.sleep(interval)
        status, answer = _fetch(request, provider["token_endpoint"], form)
        if status == 200:
            if _text(answer, "token_type").lower() != "bearer":
                raise OperationalError("OAuth issuer gave a token that is no bearer token\n")
            return _text(answer, "access_token")
        error = answer.get("error")
        if error == "slow_down":
            interval += _INTERVAL
        elif error != "authorization_pending":
            raise _refusal("failed to obtain access token", status, answer)
    raise OperationalError("failed to obtain access token: nobody entered the code in time\n")


def _discover(request: OAuthRequest, issuer: str) -> Mapping[str, str]:
    """The addresses that the issuer's document names."""
    url = request.openid_configuration or ""
    status, document = _fetch(request, url)
    if status != 200:
        raise _refusal("failed to fetch OpenID discovery document", status, document)
    if document.get("issuer") != issuer:
        raise OperationalError(
            f'the issuer identifier in {url} does not match oauth_issuer ("{issuer}")\n'
        )
    grants = document.get("grant_types_supported")
    if not isinstance(grants, list) or GRANT not in grants:
        raise OperationalError(f'issuer "{issuer}" does not support device code grants\n')
    names = ("device_authorization_endpoint", "token_endpoint")
    return {name: _text(document, name) for name in names}


class _NoRedirections(urllib.request.HTTPRedirectHandler):
    """Secrets go where they were meant to go."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _trust(ca_file: str | None) -> ssl.SSLContext:
    """Trust in the authorities of this file alone, or else in the system's."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise OperationalError(f'could not read oauth_ca_file "{ca_file}": {error}\n') from error


def _fetch(
    request: OAuthRequest, url: str, form: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, Any]]:
    """The answer to a GET, or to a POST of a form: the status and the JSON object."""
    if not is_secure(url):
        raise OperationalError(f'OAuth endpoint "{url}" must use HTTPS\n')
    headers = {"Accept": "application/json"}
    data = None
    if form is not None:
        form = dict(form)
        if request.client_secret is not None:
            # RFC 6749, section 2.3.1: both are form-encoded first; the id is not sent twice.
            names = (form.pop("client_id"), request.client_secret)
            pair = ":".join(urllib.parse.quote_plus(name) for name in names)
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        data = urllib.parse.urlencode(form).encode()
    question = urllib.request.Request(url, data=data, headers=headers)
    secured = urllib.request.HTTPSHandler(context=_trust(request.ca_file))
    opener = urllib.request.build_opener(_NoRedirections, secured)
    try:
        try:
            answer = opener.open(question, timeout=_PATIENCE)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            body = answer.read(_MOST_BYTES + 1)
            kind, status = answer.headers.get_content_type(), answer.status
    except (OSError, ValueError) as error:
        raise OperationalError(f"could not reach OAuth endpoint {url}: {error}\n") from error
    if len(body) > _MOST_BYTES:
        raise OperationalError(f"the answer of OAuth endpoint {url} is too large\n")
    try:
        found = json.loads(body) if kind == "application/json" else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OperationalError(
            f"OAuth endpoint {url} answered with HTTP status {status} and no JSON object\n"
        )
    return status, found


def _refusal(what: str, status: int, answer: Mapping[str, Any]) -> OperationalError:
    """An exception with the issuer's reason."""
    error, more = answer.get("error"), answer.get("error_description")
    said = f"HTTP status {status}" if not isinstance(error, str) else error
    return OperationalError(f"{what}: {more} ({said})\n" if more else f"{what}: {said}\n")


def _text(answer: Mapping[str, Any], *names: str) -> str:
    """The first of these members that is a str and not empty."""
    for name in names:
        found = answer.get(name)
        if isinstance(found, str) and found:
            return found
    raise OperationalError(f'field "{names[0]}" is missing from an answer of the OAuth issuer\n')


def _number(answer: Mapping[str, Any], name: str, default: float) -> float:
    """A number of seconds, which some issuers write as text."""
    try:
        found = float(answer.get(name, default))
    except (TypeError, ValueError):
        return default
    return found if 0 <= found < 1e6 else default
