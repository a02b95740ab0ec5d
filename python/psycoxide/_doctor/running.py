"""The steps that ask for the state of the session and the server."""

from __future__ import annotations

import time
from typing import Any

from psycoxide._doctor.case import Case
from psycoxide._doctor.report import Finding
from psycoxide._psycopg import encodings

_ENCODING = (
    "client_encoding",
    "server_encoding",
    "standard_conforming_strings",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
)
_TIMEOUTS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
_PLANNING = ("jit", "plan_cache_mode")
_OF_CLIENT = (
    "connect_timeout",
    "operation_timeout",
    "keepalives_idle",
    "tcp_user_timeout",
)
# Types of extensions whose values programs read, and the extensions that bring them.
_TYPES = ("hstore", "vector", "halfvec", "geometry", "geography", "citext", "ltree")
# So many seconds of difference between two clocks matter to nobody.
_CLOCK = 2.0


def _settings(case: Case, names: tuple[str, ...]) -> dict[str, str | None]:
    """Settings of the session; None for one that this server does not have."""
    columns = ", ".join(f"current_setting('{name}', true)" for name in names)
    row = case.row(f"select {columns}", *[str] * len(names))
    return dict(zip(names, row))


def encoding(case: Case) -> Finding:
    """The encodings, and how values are written."""
    facts: dict[str, Any] = dict(_settings(case, _ENCODING))
    client, server = facts["client_encoding"], facts["server_encoding"]
    facts["codec"] = codec = encodings.get(client or "")
    words = f"{client}, in the database {server}"
    if facts["TimeZone"]:
        words += f"; time zone {facts['TimeZone']}"
    finding = Finding("ok", words, None, facts)
    if codec is None:
        finding.status = "failed"
        finding.summary = f"Python has no codec for the client encoding {client}"
        finding.advice.append("Set client_encoding=utf8.")
    elif "SQL_ASCII" in (client, server):
        finding.status = "warning"
        finding.cause = "The database does not know what its bytes mean."
        finding.advice.append(
            "Set client_encoding to what the bytes are, such as utf8: as SQL_ASCII only ASCII can "
            "be read."
        )
    if facts["standard_conforming_strings"] == "off":
        finding.status = "warning"
        finding.cause = (
            "standard_conforming_strings is off: backslashes in literals mean something."
        )
        finding.advice.append("Switch standard_conforming_strings on.")
    return finding


def timeouts(case: Case) -> Finding:
    """What bounds waiting, at the server and here."""
    facts: dict[str, Any] = dict(_settings(case, _TIMEOUTS + _PLANNING))
    given = {name: case.settings.get(name) for name in _OF_CLIENT}
    facts.update(given)
    bounds = {name: facts[name] for name in _TIMEOUTS if facts[name] not in (None, "0")}
    bounds.update({name: value for name, value in given.items() if value and value != "0"})
    words = ", ".join(f"{name} {value}" for name, value in bounds.items()) or "no limit is set"
    finding = Finding("ok", words, None, facts)
    if not case.settings.number("connect_timeout"):
        finding.advice.append(
            "Set connect_timeout=5 or so: without it, connecting to a machine that is gone takes "
            "minutes."
        )
    if not case.is_near():
        if not given["keepalives_idle"] and not given["operation_timeout"]:
            finding.advice.append(
                "Set keepalives_idle=30 and tcp_user_timeout=30000, or operation_timeout: without "
                "them a network that goes silent is noticed after hours."
            )
        if "idle_in_transaction_session_timeout" not in bounds:
            finding.advice.append(
                "Set idle_in_transaction_session_timeout for the role: a program that forgets a "
                "transaction holds its locks, and vacuum, for ever."
            )
    return finding


def connections(case: Case) -> Finding:
    """How many connections are left, of the server's, the database's and the role's."""
    row = case.row(
        "select current_setting('max_connections')::int,"
        " current_setting('superuser_reserved_connections')::int,"
        " coalesce(current_setting('reserved_connections', true), '0')::int,"
        " (select sum(numbackends)::int from pg_catalog.pg_stat_database),"
        " d.datconnlimit, b.numbackends, r.rolconnlimit"
        " from pg_catalog.pg_database d"
        " left join pg_catalog.pg_stat_database b on b.datid = d.oid,"
        " pg_catalog.pg_roles r"
        " where d.datname = current_database() and r.rolname = session_user",
        *[int] * 7,
    )
    most, reserved, more_reserved, used, of_database, used_in_it, of_role = row
    left = most - reserved - more_reserved - used
    if of_database >= 0:
        left = min(left, of_database - used_in_it)
    facts = {
        "max_connections": most,
        "reserved": reserved + more_reserved,
        "used": used,
        "left": left,
        "database_limit": None if of_database < 0 else of_database,
        "role_limit": None if of_role < 0 else of_role,
    }
    words = f"{used} of {most} in use, {max(0, left)} left"
    if of_role >= 0:
        words += f"; the role may have {of_role}"
    finding = Finding("ok", words, None, facts)
    if case.is_pooled:
        finding.summary += ", at the server: the pooler has limits of its own"
    if left < max(3, most // 10):
        finding.status = "warning"
        finding.cause = "The next programs to connect will be refused."
        finding.advice.append("Use smaller pools, a pooler, or raise max_connections.")
    return finding


def extensions(case: Case) -> Finding:
    """The extensions of the database, and the oids of types that programs register."""
    rows = case.rows(
        "select extname::text, extversion from pg_catalog.pg_extension order by 1", str, str
    )
    types = case.rows(
        "select typname::text, oid::bigint from pg_catalog.pg_type where typname = any (%s)"
        " and pg_catalog.pg_type_is_visible(oid) order by 1",
        *(str, int),
        params=[list(_TYPES)],
    )
    facts = {"extensions": dict(rows), "types": dict(types)}
    words = ", ".join(f"{name} {version}" for name, version in rows) or "none"
    return Finding("ok", words, None, facts)


def clock(case: Case) -> Finding:
    """How far the server's clock is from this machine's."""
    best: tuple[float, float] | None = None
    for _ in range(3):
        before = time.time()
        (told,) = case.row("select extract(epoch from clock_timestamp())::float8", float)
        after = time.time()
        # The server looked at its clock somewhere in between.
        if best is None or after - before < best[1] * 2:
            best = (told - (before + after) / 2, (after - before) / 2)
    assert best is not None
    skew, uncertain = best
    facts = {"skew_seconds": round(skew, 6), "uncertain_by_seconds": round(uncertain, 6)}
    if abs(skew) <= max(_CLOCK, uncertain):
        words = f"{abs(skew) * 1000:.1f} ms apart (± {uncertain * 1000:.1f} ms)"
        return Finding("ok", words, None, facts)
    ahead = "ahead of" if skew > 0 else "behind"
    return Finding(
        "warning",
        f"the server's clock is {abs(skew):.1f} s {ahead} this machine's",
        "Certificates and tokens have times, and so have rows.",
        facts,
        ["Let both machines set their clocks by NTP."],
    )
