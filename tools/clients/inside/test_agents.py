"""Agents and tracers see the statements: each in a process of its own, and started by its tool."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "agents_program.py")
STATEMENTS = ["select 1 as first", "select %s as many", "select 2 as composed", "select 3 as named"]
# The commands of the same names, which are not on the path here.
OPENTELEMETRY = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
DDTRACE = "from ddtrace.commands.ddtrace_run import main; main()"
QUIET = {
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_STARTUP_LOGS": "false",
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "NEW_RELIC_DEVELOPER_MODE": "true",
    "NEW_RELIC_APP_NAME": "agents",
    "NEW_RELIC_LICENSE_KEY": "0" * 40,
    "NEW_RELIC_LOG": os.devnull,
}


def run(*command):
    """What a process prints, and the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **QUIET},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[[") or line == "[]"]
    return done.stdout, json.loads(lines[-1])


def test_opentelemetry():
    _, spans = run(PROGRAM, "opentelemetry")
    assert [text for _, text in spans] == STATEMENTS
    assert {name for name, _ in spans} == {"select"}


def test_opentelemetry_instrument():
    printed, _ = run("-c", OPENTELEMETRY, sys.executable, PROGRAM, "started_by_opentelemetry")
    assert re.findall('"db.statement": "(.*)"', printed) == STATEMENTS


@pytest.mark.parametrize("start", [[], ["-c", DDTRACE, sys.executable]])
def test_ddtrace(start):
    _, spans = run(*start, PROGRAM, "ddtrace")
    assert [text for name, text in spans if name == "postgres.query"] == sorted(STATEMENTS)


def test_sentry():
    _, spans = run(PROGRAM, "sentry")
    assert spans == [["db", "select %(one)s as first"]]


def test_newrelic():
    _, (cursor, wrapped) = run(PROGRAM, "newrelic")
    assert cursor == ["newrelic.hooks.database_psycopg2"] and all(wrapped)


def test_hooks_of_wrapt():
    _, (first, all_of_them) = run(PROGRAM, "wrapt")
    assert [name for name, *_ in first] == [
        "psycopg2", "psycopg2._json", "psycopg2._range", "psycopg2.errors", "psycopg2.extensions",
    ]  # fmt: skip
    assert len(all_of_them) == 11
    assert all(name == called and is_there for name, called, is_there in all_of_them)
