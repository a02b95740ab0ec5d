"""The steps of the driver's own connection: TLS, authentication, the session's beginning.

They are one call of the driver. What it says of a failure tells which of them it is about.
"""

from __future__ import annotations

import datetime
from typing import Any

from psycoxide._doctor.case import Case
from psycoxide._doctor.causes import password_source
from psycoxide._doctor.report import Finding
from psycoxide._doctor.wire import Seen
from psycoxide._exceptions import Error

# A certificate is to be renewed in the last part of its time: this share of it, these days at most.
_LAST_SHARE, _LAST_DAYS = 0.2, datetime.timedelta(days=21)
_VERIFY = (
    "Set sslmode=verify-full and sslrootcert: sslmode={mode} encrypts, and does not find out "
    "who the server is."
)


def tls(case: Case) -> Finding:
    """Whether the connection is encrypted, by what, and with whose certificate."""
    seen = case.seen_at()
    facts = _tls_facts(seen)
    failure = case.failure("tls")
    if failure is not None:
        failure.facts.update(facts)
        return failure
    mode = case.settings.get("sslmode") or ""
    conn = case.attempt.conn
    if conn is None:
        encrypted = seen is not None and seen.tls_seconds is not None
    else:
        encrypted = conn.info.ssl_in_use
        facts["in_use"] = encrypted
    if not encrypted:
        return _in_clear(case, seen, mode, facts)
    if conn is not None:
        facts["version"] = conn.info.ssl_attribute("protocol")
        facts["cipher"] = conn.info.ssl_attribute("cipher")
    facts["verifies"] = verifies = _verifies(case, mode)
    words = {"name": "verified with its name", "authority": "verified, but for its name"}
    parts = [str(facts["version"]), str(facts["cipher"])]
    parts.append(f"the certificate is {words.get(verifies, 'not verified')}")
    if seen is not None and seen.chain:
        own = seen.chain[0]
        parts.append(f"{own.subject}, signed by {own.issuer}, valid to {own.not_after:%Y-%m-%d}")
    finding = Finding("ok", ", ".join(parts), None, facts)
    finding.seconds = seen.tls_seconds if seen is not None else None
    if verifies != "name" and not case.is_near():
        finding.advice.append(_VERIFY.format(mode=mode))
    _look_at_dates(seen, finding)
    return finding


def _tls_facts(seen: Seen | None) -> dict[str, Any]:
    return {
        "in_use": None,
        "offered": seen.offers_tls if seen is not None else None,
        "version": seen.tls_version if seen is not None else None,
        "cipher": seen.tls_cipher if seen is not None else None,
        "verifies": None,
        "chain": [each.as_facts() for each in seen.chain] if seen is not None else [],
    }


def _verifies(case: Case, mode: str) -> str:
    """What the driver verifies: nothing, the authority, or the name as well."""
    import os

    from psycoxide._doctor.files import home

    if mode == "verify-full":
        return "name"
    root = case.settings.get("sslrootcert")
    default = f"{home(case.environment)}/.postgresql/root.crt"
    return "authority" if mode == "verify-ca" or os.path.exists(root or default) else "nothing"


def _in_clear(case: Case, seen: Seen | None, mode: str, facts: dict[str, Any]) -> Finding:
    if case.attempt.conn is not None and _is_gss(case):
        facts["in_use"] = False
        return Finding("ok", "not used: the connection is encrypted by GSSAPI", None, facts)
    if seen is not None and seen.target.host.is_local:
        return Finding("ok", "not used: a Unix socket is never encrypted", None, facts)
    setting = case.settings.found["sslmode"]
    if mode == "disable":
        why = f"not encrypted, since sslmode=disable ({setting.described()})"
    elif seen is not None and seen.offers_tls is False:
        why = f"not encrypted: the server has no TLS, and sslmode={mode} goes on without"
    else:
        why = f"not encrypted, with sslmode={mode} ({setting.described()})"
    if case.is_near():
        return Finding("ok", why, None, facts)
    advice = ["Switch TLS on at the server, and set sslmode=verify-full and sslrootcert."]
    return Finding("warning", why, "Whoever is in between can read and change all.", facts, advice)


def _is_gss(case: Case) -> bool:
    if case.settings.get("gssencmode") == "disable":
        return False
    try:
        query = "select encrypted from pg_catalog.pg_stat_gssapi where pid = pg_backend_pid()"
        return case.row(query, bool)[0] is True
    except Error:
        if case.conn.closed:
            raise
        return False


def _look_at_dates(seen: Seen | None, finding: Finding) -> None:
    """A certificate that ends soon, or has ended and is not verified."""
    if seen is None or not seen.chain:
        return
    first = min(seen.chain, key=lambda each: each.not_after)
    left = first.not_after - datetime.datetime.now(datetime.timezone.utc)
    if left < min(_LAST_DAYS, (first.not_after - first.not_before) * _LAST_SHARE):
        is_over = left < datetime.timedelta()
        when = "has expired" if is_over else f"expires in {left.days} days"
        finding.status = "warning"
        finding.cause = f"The certificate {first.subject} {when}."
        finding.advice.append("Renew the server's certificate.")


def authentication(case: Case) -> Finding:
    """Whether the server lets the role in, and how it was asked to prove itself."""
    seen = case.seen_at()
    failure = case.failure("authentication")
    password = case.settings.found.get("password")
    facts: dict[str, Any] = {
        "user": case.settings.shown("user"),
        "method": seen.method if seen is not None else None,
        "password": password.source if password is not None and password.value else None,
        "password_place": password.place if password is not None else None,
    }
    if failure is not None:
        failure.facts.update(facts)
        return failure
    method = facts["method"]
    words = f"as {case.settings.shown('user')}"
    if method is not None:
        words += f" by {method}" if method != "trust" else ", whom the server trusts"
    conn = case.attempt.conn
    if conn is not None:
        facts["password_used"] = conn.info.used_password
        if conn.info.used_password:
            words += f", with a password; {password_source(case)}"
    finding = Finding("ok", words, None, facts, [], case.attempt.seconds)
    encrypted = conn is not None and conn.info.ssl_in_use
    if method == "md5":
        finding.advice.append(
            "The server uses MD5, which PostgreSQL is giving up: set password_encryption to "
            "scram-sha-256 and the password anew."
        )
    elif method == "password" and not encrypted and not case.is_near():
        finding.status = "warning"
        finding.cause = "The password crosses the network in clear."
        finding.advice.append("Use scram-sha-256 in pg_hba.conf, and TLS.")
    return finding


def session(case: Case) -> Finding:
    """Whether there is a session in the database, and of which kind."""
    failure = case.failure("session")
    if failure is not None:
        return failure
    info = case.conn.info
    facts: dict[str, Any] = {
        "dbname": info.dbname,
        "user": info.user,
        "host": info.host,
        "port": None if case.settings.hides("port") else info.port,
        "superuser": info.parameter_status("is_superuser") == "on",
    }
    try:
        row = case.row(
            "select current_database()::text, current_user::text, pg_is_in_recovery(),"
            " current_setting('transaction_read_only') = 'on'",
            *(str, str, bool, bool),
        )
    except Error as error:
        if case.conn.closed:
            raise
        text = " ".join(str(error).split())
        return Finding("warning", f"open, and it does not say of which kind: {text}", None, facts)
    facts["dbname"], facts["user"], facts["standby"], facts["read_only"] = row
    kind = "a standby" if row[2] else "a primary"
    words = f"database {row[0]}, as {row[1]}, on {kind}, {'read-only' if row[3] else 'read-write'}"
    finding = Finding("ok", words, None, facts)
    if facts["superuser"]:
        finding.advice.append("The role is a superuser: give the program a role of its own.")
    return finding
