"""The steps that ask what is behind the connection: the server, a pooler, and what passes it."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

from psycoxide._doctor.case import Case
from psycoxide._doctor.report import Finding
from psycoxide._exceptions import Error, NotSupportedError, OperationalError
from psycoxide.sync.delivery import check_delivery

# The versions that the driver's tests run on.
OLDEST, NEWEST = 12, 19
SUPPORTED_SERVERS = f"psycoxide supports PostgreSQL {OLDEST} to {NEWEST}"
SUPPORTED_POOLERS = "psycoxide is tested with PgBouncer, Odyssey, pgagroal and Pgpool-II"
_ROUND_TRIPS = 20
# Products that speak the protocol and say so in version().
_OTHERS = (
    "CockroachDB",
    "Redshift",
    "YugabyteDB",
    "Greenplum",
    "Materialize",
    "RisingWave",
    "QuestDB",
    "CrateDB",
    "EnterpriseDB",
)


def server(case: Case) -> Finding:
    """Which server it is, and whether it is supported."""
    told = case.conn.info.parameter_status("server_version") or ""
    facts: dict[str, Any] = {"version": told or None, "product": "PostgreSQL", "supported": False}
    if "bouncer" in told.lower():
        facts["product"] = "PgBouncer"
        return Finding(
            "failed",
            f"this is the console of PgBouncer {told.partition('/')[0]}, not a database: "
            f"{SUPPORTED_SERVERS}",
            "The database's name (`pgbouncer`) is that of the console.",
            facts,
            ["Connect to a database that PgBouncer's [databases] lists."],
        )
    number = case.conn.info.server_version
    major = number // 10000
    text = ""
    try:
        text = case.row("select version()", str)[0] or ""
    except Error:
        if case.conn.closed:
            raise
    facts["text"] = text or None
    product = next((name for name in _OTHERS if name.lower() in text.lower()), None)
    if product is not None:
        facts["product"] = product
        return Finding(
            "failed",
            f"{product} is not supported: {SUPPORTED_SERVERS}",
            "It speaks the protocol; its types, catalogs and errors may be others.",
            facts,
        )
    facts["supported"] = OLDEST <= major <= NEWEST
    if major < OLDEST:
        return Finding(
            "failed", f"PostgreSQL {told} is not supported: {SUPPORTED_SERVERS}", None, facts
        )
    if major > NEWEST:
        words = f"PostgreSQL {told} is newer than this driver: {SUPPORTED_SERVERS}"
        return Finding("warning", words, None, facts)
    return Finding("ok", f"PostgreSQL {told}", None, facts)


def pooler(case: Case) -> Finding:
    """Whether a pooler is in between, and which."""
    conn = case.conn
    announced = conn.info.backend_pid
    processes = [case.row("select pg_backend_pid()", int)[0] for _ in range(3)]
    # Odyssey passes on what it knows, and not what PostgreSQL 14 and later report beside it.
    is_odyssey = (
        conn.info.server_version >= 140000 and conn.info.parameter_status("in_hot_standby") is None
    )
    case.is_pooled = is_odyssey or set(processes) != {announced}
    facts = {
        "pooler": case.is_pooled,
        "name": "Odyssey" if is_odyssey else None,
        "announced_process": announced,
        "processes": processes,
    }
    if not case.is_pooled:
        words = f"none is noticed: the session is the server's own process {announced}"
        return Finding("ok", words, None, facts)
    if is_odyssey:
        words = "Odyssey is in between"
    else:
        words = f"one is in between, which does not say its name; {SUPPORTED_POOLERS}"
    advice = [
        "Leave nothing in a session outside of a transaction (SET, advisory locks, temporary "
        "tables), unless the pooler is in session mode."
    ]
    return Finding("ok", words, None, facts, advice)


def statements(case: Case) -> Finding:
    """Whether parameters are bound on the server, and statements prepared by themselves."""
    conn = case.conn
    before = conn.prepare_threshold
    conn.prepare_threshold = 1
    try:
        answers = [conn.fetchval("select $1::int4 + 1", [41]) for _ in range(4)]
        facts = {"bound": answers == [42] * 4, "prepares": conn.prepares}
    finally:
        conn.prepare_threshold = before
    if not facts["bound"]:
        words = f"a bound parameter comes back wrong: {answers}"
        return Finding(
            "failed", words, f"Something in between changes it. {SUPPORTED_POOLERS}.", facts
        )
    if conn.prepares:
        return Finding("ok", "parameters are bound; what runs often is prepared", None, facts)
    why = "behind this pooler" if case.is_pooled else "by this server"
    words = f"parameters are bound or merged; nothing is prepared by itself {why}"
    return Finding("ok", words, None, facts)


def listen(case: Case) -> Finding:
    """Whether notifications arrive."""
    facts: dict[str, Any] = {"arrives": False}
    conn = case.conn
    try:
        check_delivery(conn, case.another)
        if not case.is_pooled:
            _notify_oneself(case)
    except NotSupportedError:
        return Finding(
            "warning",
            "notifications do not arrive through this pooler",
            "It lends its sessions for one transaction at a time, which ends LISTEN.",
            facts,
            ["Listen over a connection to the server itself, or to a pool in session mode."],
        )
    except OperationalError as error:
        if conn.closed:
            raise
        return Finding("warning", _line(error), "It could not be found out.", facts)
    except Error as error:
        if conn.closed:
            raise
        advice = ["Listen at the primary."] if "recovery" in str(error) else []
        return Finding("warning", _line(error), "The server refuses LISTEN.", facts, advice)
    facts["arrives"] = True
    return Finding("ok", "notifications arrive", None, facts)


def _notify_oneself(case: Case) -> None:
    channel = f"psycoxide_{os.urandom(8).hex()}"
    conn = case.conn
    conn.execute(f"listen {channel}")
    conn.execute(f"notify {channel}")
    arrived = [each.channel for each in conn.notifies(timeout=case.seconds, stop_after=1)]
    conn.execute(f"unlisten {channel}")
    if channel not in arrived:
        raise NotSupportedError("the notification did not arrive")


def latency(case: Case) -> Finding:
    """How long a round trip takes: a bare Sync, and a short statement."""
    conn = case.conn
    facts = {
        "round_trips": _ROUND_TRIPS,
        "sync": _percentiles(lambda: conn._channel.ping(case.seconds)),
        "statement": _percentiles(lambda: conn.execute("select 1", prepare=False)),
    }
    words = "; ".join(
        f"{name} {figures['median']:.2f} ms ({figures['min']:.2f} to {figures['p99']:.2f})"
        for name, figures in (("a Sync", facts["sync"]), ("`select 1`", facts["statement"]))
        if isinstance(figures, dict)
    )
    return Finding("ok", words, None, facts)


def _percentiles(call: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of some calls: the least, the median, the 99th percentile."""
    times = []
    for _ in range(_ROUND_TRIPS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
    figures = {"min": min(times), "median": statistics.median(times), "p99": p99}
    return {name: round(value, 3) for name, value in figures.items()}


def _line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()
