"""The steps, one after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from psycoxide._doctor import entering, reaching, running, serving
from psycoxide._doctor.case import Case
from psycoxide._doctor.interpreter import interpreter
from psycoxide._doctor.report import EXIT_CODES, Finding, Report, Step
from psycoxide._exceptions import Error

# The steps of which each needs the one before, and the others, which need a connection.
_ON_THE_WAY: dict[str, Callable[[Case], Finding]] = {
    "settings": reaching.settings,
    "lookup": reaching.lookup,
    "socket": reaching.socket,
    "protocol": reaching.protocol,
    "tls": entering.tls,
    "authentication": entering.authentication,
    "session": entering.session,
}
_CONNECTED: dict[str, Callable[[Case], Finding]] = {
    "server": serving.server,
    "pooler": serving.pooler,
    "statements": serving.statements,
    "listen": serving.listen,
    "latency": serving.latency,
    "encoding": running.encoding,
    "timeouts": running.timeouts,
    "connections": running.connections,
    "extensions": running.extensions,
    "clock": running.clock,
}


def examine(case: Case, report: Report, tell: Callable[[Step], None]) -> None:
    """Go through the steps; each is added to the report, and told, as soon as it is done.

    Ctrl-C ends it: the step that it came in, and those behind it, are reported as skipped.
    """
    blocked = None
    for name in EXIT_CODES:
        if blocked is not None:
            step = Step(name, None, Finding("skipped", blocked))
        else:
            began = time.monotonic()
            try:
                finding = _take(name, case)
            except KeyboardInterrupt:
                report.interrupted = True
                finding = Finding("skipped", "interrupted by Ctrl-C")
                blocked = "not reached, since the command was interrupted"
            seconds = time.monotonic() - began if finding.seconds is None else finding.seconds
            step = Step(name, seconds, finding)
            if finding.status == "failed" and (name in _ON_THE_WAY or _is_over(name, case)):
                blocked = f"not reached, since the step {name} has failed"
        step = step._replace(finding=_clean(step.finding, case))
        report.steps.append(step)
        tell(step)


def _take(name: str, case: Case) -> Finding:
    if name == "interpreter":
        return interpreter()
    if name in _ON_THE_WAY:
        try:
            return _ON_THE_WAY[name](case)
        except Error as error:
            return Finding("failed", _line(error), "The connection is lost.")
    try:
        return _CONNECTED[name](case)
    except Error as error:
        if case.conn.closed:
            return Finding("failed", _line(error), "The connection is lost.")
        # One answer that did not come does not make the others useless.
        return Finding("failed", _line(error))


def _is_over(name: str, case: Case) -> bool:
    return name in _CONNECTED and case.conn.closed


def _clean(finding: Finding, case: Case) -> Finding:
    """The finding without secrets, whoever wrote its texts."""
    return dataclasses.replace(
        finding,
        summary=case.redactor.text(finding.summary),
        cause=finding.cause and case.redactor.text(finding.cause),
        facts=case.redactor.value(finding.facts),
        advice=case.redactor.value(finding.advice),
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
