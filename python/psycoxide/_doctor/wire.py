"""A look at what answers at an address: which protocol, its certificate, how it authenticates.

It goes as far as the server's first answer to a StartupMessage, and never sends a password. It
verifies nothing, so it does not even say who wants to log in where the options ask for a verified
server. Whether the driver gets through is for the driver to find out.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

from psycoxide._doctor import certificates
from psycoxide._doctor.hosts import Target
from psycoxide._doctor.settings import Settings

_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_VERSION_3_0 = 3 << 16
# What a server may say before it has let anybody in; libpq's limit is of this kind, too.
_LONGEST = 30_000
_METHODS = {0: "trust", 2: "kerberos", 3: "password", 5: "md5", 7: "gss", 9: "sspi"}
_WITHOUT_TLS = ("disable", "allow")
_NEEDS_TLS = ("require", "verify-ca", "verify-full")
_VERIFIES = ("verify-ca", "verify-full")


@dataclass
class Seen:
    """What was seen at an address, as far as it went; None for what was not tried."""

    target: Target
    connect_seconds: float | None = None
    connect_error: str | None = None
    #: How long the first answer took.
    answer_seconds: float | None = None
    #: Why this is not PostgreSQL's protocol; empty while that is not known.
    protocol_error: str | None = None
    #: Whether the server takes TLS.
    offers_tls: bool | None = None
    tls_seconds: float | None = None
    tls_error: str | None = None
    tls_version: str | None = None
    tls_cipher: str | None = None
    chain: list[certificates.Certificate] = field(default_factory=list)
    #: How the server wants us to log in, by the names of pg_hba.conf.
    method: str | None = None
    #: The error that it answered instead.
    sqlstate: str | None = None


class _Strange(Exception):
    """This is not PostgreSQL's protocol; the message says what it is."""


def look(seen: Seen, settings: Settings, seconds: float) -> Seen:
    """Look at an address, each wait for `seconds` at most. `seen` has at any time what is known."""
    target = seen.target
    began = time.monotonic()
    connection = socket.socket(target.family, socket.SOCK_STREAM)
    with contextlib.closing(connection):
        try:
            connection.settimeout(seconds)
            address = target.address
            if isinstance(address, str) and address.startswith("@"):
                address = "\0" + address[1:]
            connection.connect(address)
        except (OSError, ValueError) as error:
            timed_out = isinstance(error, TimeoutError)
            told = error.strerror if isinstance(error, OSError) else str(error)
            seen.connect_error = "no answer" if timed_out else told or str(error)
            return seen
        seen.connect_seconds = time.monotonic() - began
        try:
            _converse(connection, seen, settings)
        except _Strange as error:
            seen.protocol_error = str(error)
        except TimeoutError:
            if seen.offers_tls and seen.tls_seconds is None:
                seen.tls_error = f"the handshake was not over after {seconds:g} s"
            elif seen.answer_seconds is None:
                seen.protocol_error = f"it accepts connections, and said nothing for {seconds:g} s"
        except OSError as error:
            if seen.tls_seconds is None and seen.offers_tls:
                seen.tls_error = getattr(error, "reason", None) or error.strerror or str(error)
            elif not seen.tls_seconds:
                seen.protocol_error = f"the connection broke: {error.strerror or error}"
    return seen


def _converse(connection: socket.socket, seen: Seen, settings: Settings) -> None:
    mode = settings.get("sslmode")
    began = time.monotonic()
    if not seen.target.host.is_local and mode not in _WITHOUT_TLS:
        if settings.get("sslnegotiation") == "direct":
            seen.offers_tls = True
        else:
            connection.sendall(_SSL_REQUEST)
            seen.offers_tls = _answer_to_request(connection)
            seen.answer_seconds = time.monotonic() - began
        if seen.offers_tls:
            began = time.monotonic()
            connection = _encrypted(connection, seen, settings)
            seen.tls_seconds = time.monotonic() - began
        elif mode in _NEEDS_TLS:
            return
    if mode in _VERIFIES and not seen.target.host.is_local:
        return
    began = time.monotonic()
    connection.sendall(_startup(settings))
    try:
        _first_answer(connection, seen)
    except OSError:
        # With TLS 1.3 a server tells only now that it wants another certificate of the client's.
        if seen.answer_seconds is None:
            raise
    if seen.answer_seconds is None:
        seen.answer_seconds = time.monotonic() - began


def _answer_to_request(connection: socket.socket) -> bool:
    answer = _take(connection, 1)
    if answer in (b"S", b"N"):
        if not _has_more(connection):
            return answer == b"S"
        # A server waits for us after its answer.
        raise _Strange(_told(answer, connection))
    if answer == b"E":
        raise _Strange("it answers the request for TLS with an error, as servers before 7.0 did")
    raise _Strange(_told(answer, connection))


def _has_more(connection: socket.socket) -> bool:
    """Whether more has come already."""
    seconds = connection.gettimeout()
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(seconds)


def _told(answer: bytes, connection: socket.socket) -> str:
    """What speaks there, by its first words."""
    with contextlib.suppress(OSError):
        connection.settimeout(0.2)
        answer += connection.recv(64)
    for begin, name in (
        (b"HTTP/", "it speaks HTTP"),
        (b"SSH-", "it speaks SSH"),
        (b"\x15\x03", "it speaks TLS from the beginning, or a proxy of HTTPS is in front of it"),
        (b"220", "it speaks SMTP or FTP"),
        (b"-ERR", "it speaks Redis's protocol"),
    ):
        if answer.startswith(begin):
            return name
    if answer[3:5] == b"\0\x0a" or answer[3:5] == b"\0\xff":
        return "it speaks MySQL's protocol"
    return f"its first words are {answer[:16]!r}"


def _encrypted(connection: socket.socket, seen: Seen, settings: Settings) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["postgresql"])
    _add_identity(context, settings)
    name = seen.target.host.name
    encrypted = context.wrap_socket(connection, server_hostname=_server_name(name, settings))
    seen.tls_version = encrypted.version()
    cipher = encrypted.cipher()
    seen.tls_cipher = cipher[0] if cipher else None
    ders = _chain(encrypted)
    seen.chain = [read for read in map(certificates.read, ders) if read is not None]
    return encrypted


def _server_name(name: str, settings: Settings) -> str | None:
    """The name that is sent in the handshake: that of a host, if the options allow it."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        fits = name and name.isascii() and not name.startswith((".", "-")) and len(name) < 254
        return name if fits and settings.get("sslsni") == "1" else None
    return None


def _add_identity(context: ssl.SSLContext, settings: Settings) -> None:
    """Show the client's certificate, if there is one that can be read."""
    from psycoxide._doctor.files import home

    folder = f"{home(settings.environment)}/.postgresql"
    certificate = settings.get("sslcert") or f"{folder}/postgresql.crt"
    key = settings.get("sslkey") or f"{folder}/postgresql.key"
    if settings.get("sslcertmode") == "disable" or not os.path.exists(certificate):
        return
    with contextlib.suppress(OSError, ValueError):
        # Without a callable OpenSSL would ask at the terminal.
        context.load_cert_chain(certificate, key, lambda: settings.get("sslpassword") or "-")


def _chain(encrypted: ssl.SSLSocket) -> list[bytes]:
    """The server's certificates, its own first; only that one before Python 3.13."""
    get_all = getattr(encrypted, "get_unverified_chain", None)
    if get_all is not None:
        return [bytes(each) for each in get_all() or ()]
    own = encrypted.getpeercert(binary_form=True)
    return [own] if own else []


def _startup(settings: Settings) -> bytes:
    body = struct.pack("!I", _VERSION_3_0)
    for name, option in (("user", "user"), ("database", "dbname")):
        body += name.encode() + b"\0" + (settings.get(option) or "").encode() + b"\0"
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def _first_answer(connection: socket.socket, seen: Seen) -> None:
    kind = _take(connection, 1)
    if kind not in (b"R", b"E", b"v", b"N", b"S"):
        raise _Strange(_told(kind, connection))
    (length,) = struct.unpack("!I", _take(connection, 4))
    if not 4 <= length <= _LONGEST:
        raise _Strange(f"a message of the type {kind.decode()} has the length {length}")
    body = _take(connection, length - 4)
    if kind == b"R" and len(body) >= 4:
        (code,) = struct.unpack("!I", body[:4])
        if code == 10:
            mechanisms = [each.decode("ascii", "replace") for each in body[4:].split(b"\0") if each]
            is_oauth = mechanisms == ["OAUTHBEARER"]
            seen.method = "oauth" if is_oauth else "scram-sha-256"
        else:
            seen.method = _METHODS.get(code, f"unknown ({code})")
        if code == 0:
            # It would let us in: go in order.
            with contextlib.suppress(OSError):
                connection.sendall(b"X" + struct.pack("!I", 4))
    elif kind == b"E":
        for part in body.split(b"\0"):
            if part.startswith(b"C"):
                seen.sqlstate = part[1:].decode("ascii", "replace")


def _take(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise _Strange("it closes the connection without a word")
        data += more
    return data
