"""The command line of `python -m psycoxide doctor`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import traceback
from typing import NoReturn

from psycoxide._doctor.case import Case
from psycoxide._doctor.examination import examine, interrupt
from psycoxide._doctor.printing import Printer
from psycoxide._doctor.report import BROKEN, INTERRUPTED, Report
from psycoxide._doctor.secrets import Redactor
from psycoxide._psycopg import __psycoxide_version__

_SECONDS = 10.0


class _Parser(argparse.ArgumentParser):
    """Repeats no argument in its errors: it may be a connection string with a password."""

    def error(self, message: str) -> NoReturn:
        what = message.partition(":")[0]
        super().error(f"{what} (not repeated here, as it may have a password in it)")


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m psycoxide doctor",
        description="Go the way to a server step by step; say what is wrong and what to change. "
        "The exit code names the first step that failed.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "dsn",
        nargs="?",
        default="",
        metavar="DSN",
        help="a connection string or URI; what it leaves out comes from a service, the environment "
        "and the defaults",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_SECONDS,
        metavar="SECONDS",
        help="how long a step may take, unless connect_timeout says so (default: 10)",
    )
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise ValueError("not from 0 to 3600")
    return seconds


def main(arguments: list[str]) -> int:
    """Run the command. Returns the exit code."""
    parsed = _parser().parse_args(arguments)
    redactor = Redactor()
    redactor.hide([os.environ.get("PGPASSWORD", "")])
    case = Case(parsed.dsn, os.environ, parsed.timeout, redactor)
    report = Report()
    try:
        return _run(case, report, parsed.json)
    except BrokenPipeError:
        # Whoever reads has seen enough. Python would complain of the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return report.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        print(redactor.text(text), "psycoxide: doctor itself is broken", sep="", file=sys.stderr)
        return BROKEN
    finally:
        with contextlib.suppress(Exception):
            case.close()


def _run(case: Case, report: Report, as_json: bool) -> int:
    printer = None if as_json else Printer(sys.stdout, os.environ)
    if printer is not None:
        printer.begin(__psycoxide_version__)
    began = time.monotonic()
    try:
        for step in examine(case):
            report.steps.append(step)
            if printer is not None:
                printer.step(step)
            began = time.monotonic()
    except KeyboardInterrupt:
        interrupt(report, time.monotonic() - began)
    if printer is not None:
        printer.end(report)
    else:
        json.dump(report.as_json(__psycoxide_version__), sys.stdout, indent=1)
        print()
    sys.stdout.flush()
    return report.exit_code
