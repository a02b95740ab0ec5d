"""What the driver's errors mean, in plain words, and what to change."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from psycoxide._doctor.case import Case
    from psycoxide._doctor.driver import Failed


class _Cause(NamedTuple):
    """A text of the driver's or the server's, what it means, and what to do about it."""

    text: str
    means: str | Callable[[Case], str]
    advice: str | None = None


def password_source(case: Case) -> str:
    """Where the password comes from, in words."""
    setting = case.settings.found.get("password")
    if setting is None or not setting.value:
        return "none was found"
    return f"it comes from {setting.described()}"


def _missing_password(case: Case) -> str:
    from psycoxide._doctor.files import password_file_fault

    file = case.settings.get("passfile") or ""
    fault = password_file_fault(file)
    places = "not in the connection string, a service or PGPASSWORD"
    if fault is not None:
        return f"The server asks for a password, and there is none: {places}; {fault}."
    return (
        f"The server asks for a password, and there is none: {places}, and no line of the password "
        f"file {case.redactor.text(file)} fits."
    )


def _wrong_password(case: Case) -> str:
    return f"The server does not take this role with this password; {password_source(case)}."


def _expired(case: Case) -> str:
    seen = case.seen_at()
    if seen is None or not seen.chain:
        return "A certificate of the server's has expired."
    first = min(seen.chain, key=lambda each: each.not_after)
    return f"The certificate {first.subject} was valid to {first.not_after:%Y-%m-%d %H:%M} UTC."


def _untrusted(case: Case) -> str:
    seen = case.seen_at()
    root = case.settings.get("sslrootcert") or "~/.postgresql/root.crt"
    signer = f" {seen.chain[-1].issuer}," if seen is not None and seen.chain else ""
    return f"The certificate is signed by{signer} an authority that is not in {root}."


def _wrong_name(case: Case) -> str:
    seen = case.seen_at()
    own = seen.chain[0] if seen is not None and seen.chain else None
    names = ", ".join(own.names or [own.subject]) if own is not None else "others"
    return f"The certificate is for {names}."


_HBA = "pg_hba.conf on the server"
_CAUSES = [
    # authentication
    _Cause(
        "password authentication failed|SASL authentication failed|auth failed",
        _wrong_password,
        "Try the role and password in psql; `alter role ... password` sets a new one.",
    ),
    _Cause(
        "no password supplied",
        _missing_password,
        "Put the password into a password file with the mode 0600, or into PGPASSWORD.",
    ),
    _Cause(
        "no pg_hba.conf entry",
        f"No line of {_HBA} is for this client's address, role, database and encryption.",
        f"Add a line to {_HBA}, or connect with TLS if its lines are `hostssl`.",
    ),
    _Cause("pg_hba.conf rejects", f"A line of {_HBA} rejects this client."),
    _Cause(
        "Peer authentication failed|Ident authentication failed",
        f"{_HBA} wants the role to be the operating system's user.",
        "Connect over TCP (`host=localhost`), or as the role that has the account's name.",
    ),
    _Cause("role .* does not exist", "The server has no role of this name."),
    _Cause("not permitted to log in", "The role exists, and may not log in.", "`alter role login`"),
    _Cause(
        "authentication method requirement",
        "The server asks for another way to log in than `require_auth` allows.",
    ),
    _Cause(
        "channel binding",
        "channel_binding=require needs SCRAM over TLS, which this server does not offer here.",
    ),
    _Cause(
        "valid client certificate|certificate authentication failed",
        f"{_HBA} wants a certificate of the client's (`sslcert`, `sslkey`).",
    ),
    _Cause("requirepeer", "The server runs as another user than `requirepeer` says."),
    # session
    _Cause(
        "database .* does not exist|no such database",
        "The server let the role in, and has no database of this name.",
        "`psql -l` lists the databases; `createdb` makes one.",
    ),
    _Cause("permission denied for database", "The role may not connect to this database."),
    _Cause(
        "too many|connection slots|no more connections",
        "All connections that the server, the database or the role allows are taken.",
        "Use smaller pools, or a pooler in front of the server, or raise max_connections.",
    ),
    _Cause("starting up", "The server is starting, or recovers after a crash: try again soon."),
    _Cause("shutting down", "The server is being stopped."),
    _Cause(
        "recovery|not (currently )?accepting", "The server is up, and takes no connections now."
    ),
    _Cause(
        "read-only|hot standby mode",
        "The server is not of the kind that `target_session_attrs` asks for.",
    ),
    _Cause(
        "parameter",
        "The server or pooler does not know an option of the session (`options`, PGOPTIONS, ...).",
        "Leave the option out, or list it in PgBouncer's ignore_startup_parameters.",
    ),
    _Cause(
        "cannot connect to server|server login|query_wait_timeout",
        "The pooler answers; it gets no connection to its server.",
    ),
    # TLS
    _Cause(
        "does not support SSL",
        "The server has TLS switched off (`ssl = off`), and sslmode demands it.",
        "Switch TLS on at the server; sslmode=prefer would go on without encryption.",
    ),
    _Cause(
        "root certificate file .* does not exist",
        "sslmode wants the server's certificate verified, and there is no authority to trust.",
        "Set sslrootcert to the provider's file, or to `system` for a public authority.",
    ),
    _Cause(
        "CRL", "A list of revoked certificates is missing, outdated or not signed as it should."
    ),
    _Cause("has expired", _expired, "Renew the server's certificate."),
    _Cause(
        "not yet valid", "The certificate's time has not come, or this machine's clock is late."
    ),
    _Cause("revoked", "The authority has revoked the server's certificate."),
    _Cause(
        "self-signed|issuer certificate|UnknownIssuer",
        _untrusted,
        "Set sslrootcert to the certificate of the authority that signs the server's.",
    ),
    _Cause(
        "does not match host name",
        _wrong_name,
        "Connect by a name of the certificate; `hostaddr` gives the address apart from it.",
    ),
    _Cause(
        "private key|certificate file",
        "The client's own certificate or key (`sslcert`, `sslkey`) cannot be used.",
    ),
    _Cause("unsupported protocol|protocol version", "The server has no TLS 1.2 or 1.3."),
    _Cause(
        "application protocol",
        "sslnegotiation=direct needs PostgreSQL 17 or later, without a proxy that ends TLS.",
    ),
    # the way there
    _Cause(
        "translate host name",
        "This machine's resolver does not know the name.",
        "Check the name; `getent hosts NAME` asks the same resolver.",
    ),
    _Cause(
        "timeout expired|longer than",
        "The other side takes connections and stays silent: a proxy without a server, a server "
        "that hangs, or one of another protocol.",
    ),
    _Cause(
        "closed the connection|reset by peer",
        "The other side hung up: a server that crashed, a full proxy, or one of another protocol.",
    ),
    _Cause(
        "invalid response|first received character|lost synchronization|expected authentication",
        "What answers there does not speak PostgreSQL's protocol.",
        "Check host and port.",
    ),
]


def explain(case: Case, failed: Failed) -> tuple[str | None, list[str]]:
    """What the driver's error means, and advice."""
    for cause in _CAUSES:
        if re.search(cause.text, failed.reason, re.IGNORECASE):
            means = cause.means if isinstance(cause.means, str) else cause.means(case)
            return means, [cause.advice] if cause.advice else []
    return None, []
