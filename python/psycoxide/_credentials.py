"""Secrets that a server asks for while connecting and that only Python can get.

They are passwords and tokens that are fetched for each attempt, and GSSAPI by the package `gssapi`.
The native module calls this between two steps of connecting, never inside one.
"""

from __future__ import annotations

import os

from psycoxide._exceptions import OperationalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_WELL_KNOWN = "/.well-known/"
_ENDPOINTS = ("openid-configuration", "oauth-authorization-server")


class OAuthRequest:
    """The argument of the callable `oauth_token` of `connect()`.

    `host` is the server's name, `user` the role to log in as; `issuer`, `client_id`,
    `client_secret`, `scope` and `ca_file` are the options `oauth_issuer` etc., or None.
    `openid_configuration` is None at first. A callable that does not know yet where to get a token
    returns None: the server is asked, and the callable is called again with the server's answer, a
    URL that has been checked to be `issuer`'s. Then `scope` is the server's, unless the option is
    set.
    """

    __slots__ = (
        "ca_file",
        "client_id",
        "client_secret",
        "host",
        "issuer",
        "openid_configuration",
        "scope",
        "user",
    )

    def __init__(
        self,
        host: str,
        user: str,
        *,
        issuer: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        scope: str | None = None,
        openid_configuration: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        self.host: str = host
        self.user: str = user
        self.issuer: str | None = issuer
        self.client_id: str | None = client_id
        self.client_secret: str | None = client_secret
        self.scope: str | None = scope
        self.openid_configuration: str | None = openid_configuration
        self.ca_file: str | None = ca_file

    def __repr__(self) -> str:
        return (
            f"OAuthRequest(host={self.host!r}, user={self.user!r}, issuer={self.issuer!r}, "
            f"scope={self.scope!r}, openid_configuration={self.openid_configuration!r})"
        )


class Credentials:
    """The secrets of one connection."""

    def __init__(
        self,
        password: Callable[[], str | None] | None = None,
        oauth_token: Callable[[OAuthRequest], str | None] | None = None,
    ) -> None:
        self._password = password
        self._oauth_token = oauth_token
        self._context: Any = None

    @property
    def gives_password(self) -> bool:
        return self._password is not None

    def password(self) -> str | None:
        """The password, from the callable."""
        return self._password() if self._password else None

    def bearer_token(
        self, host: str, options: Mapping[str, str | None], discovered: bytes | None
    ) -> str | None:
        """A bearer token, from the callable, or else by the device flow.

        `discovered` is the server's document about where to get one, or None if the server was not
        asked yet. Returns None to have it asked.
        """
        request = OAuthRequest(
            host=host,
            user=options["user"] or "",
            issuer=options["oauth_issuer"],
            client_id=options["oauth_client_id"],
            client_secret=options["oauth_client_secret"],
            scope=options["oauth_scope"],
            ca_file=options["oauth_ca_file"],
        )
        if self._oauth_token is None and not (request.issuer and request.client_id):
            raise OperationalError(
                "server requires OAuth authentication, but oauth_issuer and oauth_client_id are "
                "not both set\n"
            )
        if discovered is not None:
            _discover(request, discovered)
        if self._oauth_token is not None:
            return self._oauth_token(request)
        if request.openid_configuration is None:
            return None
        from psycoxide import _device_flow

        return _device_flow.token(request, _issuer(request.openid_configuration))

    def gss_token(
        self, host: str | None, place: str, service: str, delegate: bool, theirs: bytes
    ) -> tuple[bytes | None, bool]:
        """The next token of a GSSAPI context, and whether the context is established.

        `theirs` is the server's token; an empty one begins a context. `place` is the server's
        address for error messages.
        """
        import importlib

        try:
            gssapi: Any = importlib.import_module("gssapi")
        except ImportError as error:
            raise OperationalError(
                "server requested GSSAPI authentication, but the Python package gssapi cannot be "
                f"imported: {error}\n"
            ) from error
        try:
            if not theirs:
                self._context = _gss_context(gssapi, host, service, delegate)
            token = self._context.step(theirs or None)
        except gssapi.exceptions.GSSError as error:
            raise OperationalError(
                f"connection to server {place} failed: GSSAPI continuation error: {error}\n"
            ) from error
        return token, self._context.complete


class CredentialDSN(str):
    """A connection string that also carries callables, from `connect()` through the factory."""

    credentials: Credentials

    @classmethod
    def carrying(cls, dsn: str, credentials: Credentials) -> CredentialDSN:
        """The connection string with these credentials."""
        carrier = cls(dsn)
        carrier.credentials = credentials
        return carrier


def _gss_context(gssapi: Any, host: str | None, service: str, delegate: bool) -> Any:
    if not host or host.startswith(("/", "@")):
        raise OperationalError("host name must be specified\n")
    # libpq asks for these, and no others.
    flags = gssapi.RequirementFlag.mutual_authentication
    if delegate:
        flags |= gssapi.RequirementFlag.delegate_to_peer
    name = gssapi.Name(f"{service}@{host}", gssapi.NameType.hostbased_service)
    return gssapi.SecurityContext(name=name, usage="initiate", flags=flags)


def allows(danger: str) -> bool:
    """Whether `PGOAUTHDEBUG` allows this, for tests only: `http`, which is not encrypted, or
    `dos-endpoint`, asking an issuer without a pause.

    `UNSAFE` allows all, as in libpq 18, `UNSAFE:http,dos-endpoint` these two, as in libpq 19.
    """
    word, colon, named = os.environ.get("PGOAUTHDEBUG", "").partition(":")
    return word == "UNSAFE" and (not colon or danger in named.split(","))


def is_secure(url: str) -> bool:
    """Whether secrets may be sent to this address."""
    url = url.lower()
    return url.startswith("https://") or (url.startswith("http://") and allows("http"))


def _discover(request: OAuthRequest, document: bytes) -> None:
    """Add the server's document to the request, after the checks that libpq makes."""
    import json

    try:
        found = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise OperationalError(f"failed to parse server's error response: {error}\n") from error
    if not isinstance(found, dict) or not isinstance(found.get("status"), str):
        raise OperationalError("server sent error response without a status\n")
    url, scope = found.get("openid-configuration"), found.get("scope")
    if not isinstance(url, str):
        raise OperationalError(
            "server did not say where its OAuth tokens come from "
            f"(error status {found['status']!r})\n"
        )
    if request.issuer is None:
        raise OperationalError(
            "server requires OAuth authentication, but oauth_issuer is not set\n"
        )
    # Otherwise the server could send the user's secrets to anybody (a "mix-up attack").
    explicit = _WELL_KNOWN in request.issuer
    if url != request.issuer if explicit else _issuer(url) != request.issuer:
        raise OperationalError(
            f"server's discovery document at {url} is not that of oauth_issuer "
            f'("{request.issuer}")\n'
        )
    request.openid_configuration = url
    if request.scope is None and isinstance(scope, str):
        request.scope = scope


def _issuer(url: str) -> str:
    """The issuer whose discovery document is at this address (RFC 8414, section 3)."""
    before, found, after = url.partition(_WELL_KNOWN)
    endpoint, slash, path = after.partition("/")
    secure = is_secure(url)
    if not (found and secure and endpoint in _ENDPOINTS) or "?" in url or "#" in url:
        raise OperationalError(f'OAuth discovery URI "{url}" is not a well-known one\n')
    return before + slash + path
