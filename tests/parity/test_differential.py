"""The same program on psycopg2 and on psycoxide, answer by answer.

psycopg2's own answers are the expectation: rows with their types, descriptions, statuses, error
classes and error texts. A case where we differ on purpose is listed in KNOWN with the reason (the
table of docs/differences.md), and then has to differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cases
import pytest
import server_log
from fixtures.server import ServerUnderTest

HERE = Path(__file__).resolve().parent

# All cases are run before the first is looked at, with each driver.
PATIENCE = 300

pytestmark = pytest.mark.timeout(2 * PATIENCE + 60)

KNOWN: dict[str, str] = {
    "read '178000000 years'::interval": "the words of the OverflowError are our own",
    "write extensions.Float('x')": "psycopg2 raises a SystemError, by a slip",
    "query 'copy (select 1) to stdout'": "psycopg2 leaves a refused COPY open till the rollback",
    "query 'copy pg_class from stdin'": "psycopg2 leaves a refused COPY open till the rollback",
    "query 'select \\x00 1'": "psycopg2 cuts a query off at a NUL, and runs what is before it",
    "query \"select 'a\\x00b'\"": "psycopg2 cuts a query off at a NUL, and runs what is before it",
    "program copy_from_a_file_that_fails": "psycopg2 loses what read() raised",
    "program characteristics_set_before_autocommit": "psycopg2 does not apply them",
    "program scroll_mode_of_named_cursors": "psycopg2 takes any word for 'relative'",
    "program transaction_ids_of_others": "psycopg2 reads what is not base64 as an empty string",
    "program malformed_array": "psycopg2 takes it for an empty array, without a word",
}


# Cases of which the server's log is not compared, with the reason.
LOGGED_OTHERWISE: dict[str, str] = {
    "program executemany_in_batches": "in the extended protocol a statement that fails while it is "
    "analysed is logged with its error only, not as a statement that ran",
}


def table() -> dict[str, dict[str, Any]]:
    """All cases by name."""
    found: dict[str, dict[str, Any]] = {}
    for kind, literals in cases.LITERALS.items():
        for literal in literals:
            query = f"select {literal}::{kind}"
            found[f"read {literal}::{kind}"] = {"query": query, "parameters": None}
    for value in cases.VALUES:
        # As a value of unknown type, which shows what is written, and what comes back of it.
        found[f"write {value}"] = {"query": "select %s", "parameters": f"({value},)"}
    for query, parameters in cases.QUERIES:
        name = f"query {query!r}" + (f" with {parameters}" if parameters is not None else "")
        found[name] = {"query": query, "parameters": parameters}
    for program in sorted((HERE / "programs").glob("*.py")):
        found[f"program {program.stem}"] = {"script": program.read_text()}
    return found


CASES = table()


def answers(driver: str, dsn: str, log: str) -> dict[str, Any]:
    """What a driver does with all cases, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "driver_program.py"), driver, dsn, log],
        input=json.dumps(list(CASES.values())),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{driver} ended with {done.returncode}: {done.stderr[-3000:]}")
    return dict(zip(CASES, json.loads(done.stdout)))


@pytest.fixture(scope="module")
def both(server: ServerUnderTest) -> tuple[dict[str, Any], dict[str, Any]]:
    # In clear, because errors name the kind of connection.
    dsn = f"{server.dsn} sslmode=disable options='{server_log.OPTIONS}'"
    log = f"{server.root}/server.log" if server.root else ""
    return answers("psycopg2", dsn, log), answers("psycoxide", dsn, log)


@pytest.mark.parametrize("name", CASES)
def test_as_psycopg2(both: tuple[dict[str, Any], dict[str, Any]], name: str) -> None:
    theirs, ours = both[0][name], both[1][name]
    if name in LOGGED_OTHERWISE:
        theirs, ours = ({**told, "sql": None} for told in (theirs, ours))
    if name in KNOWN:
        assert ours != theirs, f"no difference any more: {KNOWN[name]}"
        return
    assert ours == theirs
