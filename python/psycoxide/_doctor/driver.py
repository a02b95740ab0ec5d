"""The driver's own attempt to connect, and which step it failed in."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from psycoxide._exceptions import Error, OperationTimeout
from psycoxide.sync.connection import Connection

# A report of the server begins with its severity, which may be in any language.
_REPORT = re.compile(r"[^\s:]+(?: [^\s:]+)? ?:  ")
_BEGIN = re.compile(r"connection to server (.+?) failed: ", re.DOTALL)
_ATTEMPT = re.compile(
    r"^(?=connection to server |could not translate host name |could not parse network address "
    r"|Unix-domain socket path )",
    re.MULTILINE,
)
# Texts by the step that they are about, in the order in which they are tried.
_LOOKUP = re.compile(r"could not (translate host name|parse network address)|Unix-domain socket p")
_UNFIT = re.compile(r"session is (not )?read-only|server is (not )?in hot standby mode")
_LOGIN = re.compile(
    r"fe_sendauth|SASL|SCRAM|authentication method|server signature|channel binding|OAuth|oauth_"
    r"|requirepeer|peer credentials|local user with ID|host name must be specified$",
    re.IGNORECASE,
)
_PROTOCOL = re.compile(r"unencrypted data after|invalid response to SSL")
_TLS = re.compile(r"\bSSL\b|\bTLS\b|certificate|private key|GSSAPI|could not get home directory")
_SESSION_REPORT = re.compile(
    r"database .* does not exist|no such database|permission denied for database|too many"
    r"|connection slots|no more connections|starting up|shutting down|recovery|not (currently )?"
    r"accepting connections|parameter|query_wait_timeout|cannot connect to server|server login",
    re.IGNORECASE,
)
# SQLSTATEs of refusals that are not about who logs in.
_SESSION_STATES = ("3D", "42", "53", "57", "55", "22")
_LOGIN_STATES = ("28",)


class Failed(NamedTuple):
    """The attempt failed: in which step, why (the driver's text), and the decisive line of that."""

    step: str
    text: str
    reason: str


class Attempt(NamedTuple):
    """The outcome of connecting: one of the two, and how long it took."""

    conn: Connection[Any] | None
    failed: Failed | None
    seconds: float


def connect(
    dsn: str, options: Mapping[str, Any], seconds: float, states: Mapping[str, str | None]
) -> Attempt:
    """Connect as a program would, for `seconds` at most.

    `states` are the addresses that accepted a look at them, with the SQLSTATE of a refusal: they
    help where the driver's text does not say which step it was in.
    """
    began = time.monotonic()
    try:
        conn: Connection[Any] = Connection.connect(dsn, timeout=seconds, **options)
    except OperationTimeout as error:
        text = str(error)
        failed = Failed("protocol" if states else "socket", text, _in_a_line(text))
    except Error as error:
        failed = judged(str(error), states)
    else:
        return Attempt(conn, None, time.monotonic() - began)
    return Attempt(None, failed, time.monotonic() - began)


def judged(text: str, states: Mapping[str, str | None]) -> Failed:
    """The step of a failed connect, by the text of the driver's error.

    Of several servers the one counts that got farthest.
    """
    from psycoxide._doctor.report import EXIT_CODES

    order = list(EXIT_CODES)
    attempts = [part.strip() for part in _ATTEMPT.split(text) if part.strip()] or [text]
    judged_ones = [(_step(part, states), part) for part in attempts]
    step, part = max(judged_ones, key=lambda each: order.index(each[0]))
    return Failed(step, text.strip(), _in_a_line(_BEGIN.sub("", part, count=1)))


def _step(text: str, states: Mapping[str, str | None]) -> str:
    if _LOOKUP.match(text):
        return "lookup"
    place = _BEGIN.match(text)
    reason = text[place.end() :] if place else text
    if "Is the server running" in reason:
        return "socket"
    if reason.startswith("timeout expired"):
        return "protocol" if _was_reached(place[1] if place else "", states) else "socket"
    if _UNFIT.search(reason):
        return "session"
    if _REPORT.match(reason):
        return _step_of_report(reason, states)
    if _LOGIN.search(reason):
        return "authentication"
    is_tls = _TLS.search(reason) and not _PROTOCOL.search(reason)
    return "tls" if is_tls else "protocol"


def _step_of_report(reason: str, states: Mapping[str, str | None]) -> str:
    if _SESSION_REPORT.search(reason):
        return "session"
    # The text may be in a language that this does not know.
    told = [state for state in states.values() if state]
    if told and all(state.startswith(_SESSION_STATES) for state in told):
        return "session"
    return "authentication"


def _was_reached(place: str, states: Mapping[str, str | None]) -> bool:
    """Whether an address in the driver's words is one of those that accepted a connection."""
    port = re.search(r"port (\d+)", place)
    for title in states:
        if title.startswith("socket "):
            if title.removeprefix("socket ") in place:
                return True
        elif port is not None:
            host, _, number = title.rpartition(":")
            if number == port[1] and host.strip("[]") in place:
                return True
    return False


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
