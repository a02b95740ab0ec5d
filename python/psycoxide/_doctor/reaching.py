"""The steps up to the first answer: the options, names, sockets, the protocol.

Names, sockets and the first words are tried apart from the driver, so that each has its time and
its own reason. If one fails, the driver has the last word: should it get through all the same, the
step is a warning.
"""

from __future__ import annotations

import functools
import glob
import re
import time
from typing import Any

from psycoxide import _psycopg
from psycoxide._doctor import bounded, hosts, wire
from psycoxide._doctor.case import Case
from psycoxide._doctor.files import password_file_fault
from psycoxide._doctor.report import Finding, Status
from psycoxide._doctor.settings import Setting, Settings
from psycoxide._exceptions import Error

# An address at which no server can be: whoever connects to it learns whether the options are valid.
_NOWHERE: dict[str, Any] = {"host": "/dev/null", "hostaddr": "", "port": "1"}
_NOWHERE_ANSWERS = "connection to server on socket"


def settings(case: Case) -> Finding:
    """Which option comes from where, and whether the driver takes them."""
    try:
        case.settings = Settings(case.dsn, case.environment)
    except Error as error:
        return Finding("failed", _line(error), "The connection string cannot be read.")
    case.redactor.hide(case.settings.secrets())
    fault = _refused(case.dsn)
    if fault is None:
        try:
            case.hosts = hosts.listed(case.settings)
        except ValueError as error:
            fault = str(error)
    if fault is not None:
        return Finding("failed", fault, _where(case.settings, fault), _facts(case.settings))
    case.settings.find_passwords([(host.title, str(host.port)) for host in case.hosts])
    case.redactor.hide(case.settings.secrets())
    case.redactor.show(case.settings.plain())
    return _accepted(case)


def _accepted(case: Case) -> Finding:
    found = case.settings.found
    facts = _facts(case.settings)
    given = [
        name for name, setting in found.items() if setting.source not in ("default", "account")
    ]
    summary = (
        f"{len(given)} of {len(found)} are given" if given else "none is given: all by default"
    )
    advice = []
    password = found.get("password")
    if password is not None and password.source in ("argument", "uri"):
        advice.append(
            "The password is in the connection string, which lists of processes and the shell's "
            "history show. Better are a password file, a service or PGPASSWORD."
        )
    fault = password_file_fault(case.settings.get("passfile") or "")
    if fault is not None and not case.settings.get("password"):
        return Finding("warning", summary, f"{fault[0].upper()}{fault[1:]}.", facts, advice)
    return Finding("ok", summary, None, facts, advice)


def _facts(found: Settings) -> dict[str, Any]:
    return {
        "options": {
            name: {
                "value": found.shown(name),
                "source": setting.source,
                "place": setting.place,
            }
            for name, setting in found.found.items()
        }
    }


def _refused(dsn: str) -> str | None:
    """The driver's reason to refuse the options."""
    try:
        _psycopg.connect(dsn, **_NOWHERE).close()
    except Error as error:
        text = str(error)
        return None if text.startswith(_NOWHERE_ANSWERS) else _line(error)
    return None


def _where(found: Settings, fault: str) -> str | None:
    """Where the option that an error names comes from."""
    named: list[tuple[str, Setting]] = [
        (name, setting)
        for name, setting in found.found.items()
        if setting.source not in ("default", "account") and re.search(rf"\b{name}\b", fault)
    ]
    wrong = [f"{name} comes from {setting.described()}" for name, setting in named]
    return f"{'; '.join(wrong)}." if wrong else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


# ---- names ----------------------------------------------------------------------------------


def lookup(case: Case) -> Finding:
    """The addresses of each host."""
    calls = [functools.partial(hosts.look_up, host) for host in case.hosts]
    found = bounded.all_of(calls, case.seconds)
    told, facts, bad = [], [], 0
    for host, result in zip(case.hosts, found):
        if isinstance(result, list):
            case.targets += result
            # A name may have an address twice.
            addresses = list(dict.fromkeys(target.title for target in result))
            told.append(_looked_up(host, addresses))
        else:
            bad += 1
            addresses = []
            reason = f"no answer within {case.seconds:g} s" if result is None else result
            told.append(f"{_shown(host.title)}: {reason}")
        port = None if case.settings.hides("port") else host.port
        facts.append({"host": _shown(host.title), "port": port, "addresses": addresses})
    summary = "; ".join(told)
    if not bad:
        return Finding("ok", summary, None, {"hosts": facts})
    cause = "This machine's resolver gives no address."
    advice = ["Check the name; `getent hosts NAME` asks the same resolver."]
    return _weighed(case, bool(case.targets), summary, cause, {"hosts": facts}, advice)


def _looked_up(host: hosts.Host, addresses: list[str]) -> str:
    if host.is_local:
        return f"no name to look up: {addresses[0]}"
    if host.address is not None or addresses[0].rpartition(":")[0].strip("[]") == host.name:
        return f"no name to look up: {', '.join(addresses)}"
    return f"{_shown(host.title)}: {', '.join(addresses)}"


def _shown(name: str) -> str:
    """A host's name; what is before an `@` in it may belong to a password."""
    return name if name.startswith("@") or "@" not in name else f"***@{name.rpartition('@')[2]}"


def _weighed(
    case: Case,
    some: bool,
    summary: str,
    cause: str,
    facts: dict[str, Any],
    advice: list[str],
) -> Finding:
    """A step that did not succeed everywhere: a warning, if there is a way all the same."""
    status: Status = "warning" if some or case.attempt.conn is not None else "failed"
    return Finding(status, summary, cause, facts, advice)


# ---- sockets --------------------------------------------------------------------------------


def socket(case: Case) -> Finding:
    """Whether somebody accepts connections at the addresses."""
    case.seen = [wire.Seen(target) for target in case.targets]
    calls = [functools.partial(wire.look, seen, case.settings, case.seconds) for seen in case.seen]
    began = time.monotonic()
    # A little longer than one wait, so that most say themselves what they waited for.
    for seen, result in zip(case.seen, bounded.all_of(calls, case.seconds + 0.5)):
        if result is None:
            _give_up(seen, case.seconds)
    reached = [seen for seen in case.seen if seen.connect_error is None]
    times = [seen.connect_seconds for seen in reached if seen.connect_seconds is not None]
    told = [
        f"{seen.target.title}: {seen.connect_error}"
        if seen.connect_error
        else f"{seen.target.title} accepts"
        for seen in case.seen
    ]
    facts = {
        "addresses": [
            {
                "address": seen.target.title,
                "milliseconds": _milliseconds(seen.connect_seconds),
                "error": seen.connect_error,
            }
            for seen in case.seen
        ]
    }
    finding = Finding("ok", "; ".join(told), None, facts)
    if len(reached) < len(case.seen):
        bad = next(seen for seen in case.seen if seen.connect_error)
        cause, advice = _unreachable(bad)
        finding = _weighed(case, bool(reached), finding.summary, cause, facts, advice)
    finding.seconds = max(times) if times else time.monotonic() - began
    return finding


def _give_up(seen: wire.Seen, seconds: float) -> None:
    if seen.connect_seconds is None:
        seen.connect_error = seen.connect_error or "no answer"
    elif seen.offers_tls and seen.tls_seconds is None:
        seen.tls_error = f"the handshake was not over after {seconds:g} s"
    else:
        seen.protocol_error = f"it did not answer within {seconds:g} s"


def _unreachable(seen: wire.Seen) -> tuple[str, list[str]]:
    error = seen.connect_error or ""
    if seen.target.host.is_local:
        if "Permission" in error:
            return "This account may not use the socket.", []
        others = [
            path
            for folder in ("/var/run/postgresql", "/tmp")
            for path in glob.glob(f"{folder}/.s.PGSQL.*")
            if not path.endswith(".lock")
        ]
        there = f"; there is {', '.join(sorted(others))}" if others else ""
        return (
            f"No server listens on this socket{there}.",
            ["Start the server, or set `host` to its unix_socket_directories and `port` to its."],
        )
    if "refused" in error:
        return (
            "The machine answers, and nobody listens on this port there, or a firewall refuses.",
            [
                "Check the port, that the server runs, and that its listen_addresses has the "
                "address that clients use."
            ],
        )
    if error == "no answer":
        return (
            "Nothing comes back: a firewall drops what is sent, or the machine is off.",
            ["Check address and firewall; connect_timeout bounds the wait."],
        )
    return "The network does not get there.", []


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


# ---- the protocol ---------------------------------------------------------------------------


def protocol(case: Case) -> Finding:
    """Whether PostgreSQL's protocol is spoken there."""
    reached = [seen for seen in case.seen if seen.connect_error is None]
    spoke = [seen for seen in reached if seen.protocol_error is None]
    facts = {
        "addresses": [
            {
                "address": seen.target.title,
                "milliseconds": _milliseconds(seen.answer_seconds),
                "offers_tls": seen.offers_tls,
                "error": seen.protocol_error,
            }
            for seen in reached
        ]
    }
    if len(spoke) < len(reached):
        bad = next(seen for seen in reached if seen.protocol_error)
        summary = f"{bad.target.title}: {bad.protocol_error}"
        finding = _weighed(
            case, bool(spoke), summary, _silence(bad), facts, ["Check host and port."]
        )
        finding.seconds = bad.answer_seconds
        if finding.status == "failed":
            return finding
    else:
        finding = Finding("ok", "what answers is a server of PostgreSQL's protocol", None, facts)
    times = [seen.answer_seconds for seen in spoke if seen.answer_seconds is not None]
    finding.seconds = max(times) if times else None
    # The driver may see what the look at it did not.
    return case.failure("lookup", "socket", "protocol") or finding


def _silence(seen: wire.Seen) -> str:
    if "said nothing" in (seen.protocol_error or "") or "did not answer" in (
        seen.protocol_error or ""
    ):
        return (
            "A proxy without a server behind it, a server that hangs or is overloaded, or "
            "something that waits for another protocol."
        )
    if "without a word" in (seen.protocol_error or ""):
        return "It hangs up: a proxy without a server behind it, or one of another protocol."
    return "This is not PostgreSQL: psycoxide supports servers of PostgreSQL 12 to 19."
