"""The steps, one after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

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


def examine(case: Case) -> Iterator[Step]:
    """Go through the steps, and give each as soon as it is done."""
    blocked = None
    for name in EXIT_CODES:
        if blocked is not None:
            yield Step(name, None, Finding("skipped", blocked))
            continue
        began = time.monotonic()
        finding = _take(name, case)
        seconds = time.monotonic() - began if finding.seconds is None else finding.seconds
        if finding.status == "failed" and (name in _ON_THE_WAY or _is_over(name, case)):
            blocked = f"not reached, since the step {name} has failed"
        elif name == "session" and case.is_replication:
            blocked = "not for a connection of replication"
        yield Step(name, seconds, _clean(finding, case))


def interrupt(report: Report, seconds: float) -> None:
    """Complete the report when Ctrl-C has come, so many seconds after the last step was done."""
    report.interrupted = True
    missing = [name for name in EXIT_CODES if name not in report.names]
    for name in missing[:1]:
        report.steps.append(Step(name, seconds, Finding("skipped", "interrupted by Ctrl-C")))
    for name in missing[1:]:
        words = "not reached, since the command was interrupted"
        report.steps.append(Step(name, None, Finding("skipped", words)))


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
