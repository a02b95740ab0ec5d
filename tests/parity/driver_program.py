"""The program that the differential tests run under both drivers.

`driver_program.py DRIVER DSN [LOG]` reads a list of cases from standard input and answers each with
what the driver did: rows with their types, the description, the status, or the error's class and
words, the state the connection is left in, and with the server's log the statements that reached
the server. Values travel as `repr` with their type's name, because JSON would make 1 and 1.0 and
True alike.

psycoxide runs under its alias, so the very same source runs twice.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import server_log


def describe(value: Any) -> Any:
    """A value as something that is equal only for equal values of the same type."""
    if isinstance(value, memoryview):
        return ["memoryview", bytes(value).hex()]
    if isinstance(value, list):
        return ["list", [describe(item) for item in value]]
    if isinstance(value, tuple):
        return [name_of(value), [describe(item) for item in value]]
    if isinstance(value, dict):
        return [name_of(value), [[describe(key), describe(item)] for key, item in value.items()]]
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return ["datetime", value.isoformat(), type(value.tzinfo).__name__]
    return [name_of(value), plain(repr(value))]


def name_of(value: Any) -> str:
    return type(value).__name__


def describe_columns(description: Any) -> Any:
    if description is None:
        return None
    return [
        [c.name, c.type_code, c.internal_size, c.precision, c.scale, c.null_ok] for c in description
    ]


def describe_error(error: BaseException) -> dict[str, Any]:
    told = {
        "class": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "text": plain(str(error)),
    }
    if hasattr(error, "pgcode"):
        told["pgcode"] = error.pgcode
        told["pgerror"] = error.pgerror
        told["primary"] = error.diag.message_primary
        told["position"] = error.diag.statement_position
    return told


# What the interpreter says when a C function, a PyO3 function or an attribute is misused: the class
# of the exception counts, the wording is not the driver's.
ARGUMENT_ERRORS = re.compile(
    r"must be [\w.]+, not |is not an instance of|missing (1 )?required|takes at most \d"
    r"|takes from \d|invalid keyword argument|unexpected keyword argument|readonly attribute"
    r"|is not writable|a bytes-like object is required"
)


def plain(text: str) -> str:
    """A text without what differs between any two processes, or between any two drivers."""
    if ARGUMENT_ERRORS.search(text):
        return "<a misuse>"
    text = re.sub(r"0x[0-9a-f]{6,}", "0x…", text)
    return re.sub(r"\bpsycoxide\b", "psycopg2", text)


def attempt(action: Any) -> dict[str, Any]:
    try:
        return {"value": action()}
    except BaseException as error:
        return {"error": describe_error(error)}


def fetch(cursor: Any) -> Any:
    if cursor.description is None:
        return None
    return [describe(tuple(row)) for row in cursor.fetchall()]


def run_query(connection: Any, case: dict[str, Any]) -> dict[str, Any]:
    """Execute one query and tell all that shows."""
    cursor = connection.cursor()
    parameters = evaluate(case["parameters"])
    told = attempt(lambda: cursor.execute(case["query"], parameters))
    told["rows"] = attempt(lambda: fetch(cursor))
    told["columns"] = describe_columns(cursor.description)
    told["rowcount"] = cursor.rowcount
    told["status"] = cursor.statusmessage
    told["query"] = cursor.query.decode("utf-8", "replace") if cursor.query else None
    told["transaction"] = connection.info.transaction_status
    connection.rollback()
    return told


def evaluate(source: str | None) -> Any:
    """Parameters are written as Python, so that a case can hold any kind of value."""
    if source is None:
        return None
    import psycopg2.extensions as extensions
    import psycopg2.extras as extras

    names = {
        "dt": dt,
        "Decimal": decimal.Decimal,
        "uuid": uuid,
        "extras": extras,
        "extensions": extensions,
    }
    return eval(source, names)


def run_script(
    connection: Any, case: dict[str, Any], dsn: str, more: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Execute a block of statements; what it leaves in `out` is the answer."""
    import psycopg2
    import psycopg2.errors
    import psycopg2.extensions
    import psycopg2.extras
    import psycopg2.sql

    out: list[Any] = []
    names = {
        "psycopg2": psycopg2,
        "extensions": psycopg2.extensions,
        "extras": psycopg2.extras,
        "sql": psycopg2.sql,
        "dt": dt,
        "Decimal": decimal.Decimal,
        "conn": connection,
        "dsn": dsn,
        "show": lambda value: out.append(describe(value)),
        "attempt": lambda action: out.append(attempt(lambda: describe(action()))),
        **(more or {}),
    }
    told = attempt(lambda: exec(case["script"], names))
    told.pop("value", None)
    if not connection.closed:
        connection.rollback()
    return {**told, "out": out}


def state(connection: Any) -> list[Any]:
    """What a case leaves the connection in."""
    return [
        connection.closed,
        connection.status,
        connection.info.transaction_status,
        connection.autocommit,
        connection.isolation_level,
        connection.readonly,
        connection.deferrable,
        connection.encoding,
        list(connection.notices),
        len(connection.notifies),
    ]


def main(driver: str, dsn: str, log: str = "") -> None:
    if driver == "psycoxide":
        import psycoxide

        psycoxide.install_as_psycopg2()
    import psycopg2
    import psycopg2.extras

    psycopg2.extras.register_uuid()
    connection = psycopg2.connect(dsn)
    sent = server_log.ServerLog(log)
    answers = []
    for case in json.load(sys.stdin):
        if connection.closed:
            connection = psycopg2.connect(dsn)
        connection.notices.clear()
        connection.notifies.clear()
        sent.mark()
        if "script" in case:
            told = run_script(connection, case, dsn)
        else:
            told = run_query(connection, case)
        told["state"] = state(connection)
        told["sql"] = sent.statements()
        answers.append(told)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
