"""`adbc_ingest()` of the drop-in cursor."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from psycoxide import _psycopg
from psycoxide._arrow.ingest import SCRATCH, Chunks, Fetch, Ingest, Send, Steps
from psycoxide._arrow.progress import Progress
from psycoxide._exceptions import Error

# What `get_transaction_status()` returns outside of a transaction.
IDLE = 0


def ingest(
    cursor: _psycopg.cursor,
    table: str,
    data: object,
    mode: str,
    options: dict[str, Any],
    progress: Progress | None,
) -> int:
    """Write data to a table: see `cursor.adbc_ingest()`."""
    plan = Ingest(table, data, mode, **options)
    connection = cursor.connection
    # No class of the program's, whose methods may do something else.
    own = _psycopg.cursor(connection)
    _psycopg.register_type(_psycopg.UNICODE, own)
    chunks = Chunks(plan.encoder, progress)
    begin, end, undo = block(connection)
    try:
        if begin:
            own.execute(begin)
        try:
            rows = follow(plan.steps(), own, chunks)
            if end:
                own.execute(end)
        except BaseException:
            # Where the connection is lost there is nothing to undo. The exception says more.
            with suppress(Error):
                if undo:
                    own.execute(undo)
                else:
                    _psycopg.connection.rollback(connection)
            raise
        return rows
    finally:
        plan.encoder.close()
        own.close()


def block(connection: _psycopg.connection) -> tuple[str, str, str]:
    """The statements that begin, end and undo what is all done or not at all.

    None of them, if that is a transaction that the connection begins, and has to end, by itself.
    """
    if connection.get_transaction_status() != IDLE:
        undo = f"ROLLBACK TO SAVEPOINT {SCRATCH}; RELEASE SAVEPOINT {SCRATCH}"
        return f"SAVEPOINT {SCRATCH}", f"RELEASE SAVEPOINT {SCRATCH}", undo
    if connection.autocommit:
        return "BEGIN", "COMMIT", "ROLLBACK"
    # The transaction that the first statement begins is the program's to commit.
    return "", "", ""


def follow(steps: Steps, own: _psycopg.cursor, chunks: Chunks) -> int:
    """Run the steps; returns what they return."""
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as done:
            return int(done.value)
        if isinstance(step, Send):
            own.copy_expert(step.query, chunks)
            answer = own.rowcount
        elif isinstance(step, Fetch):
            own.execute(step.query, step.params)
            row = own.fetchone()
            answer = None if row is None else row[0]
        else:
            own.execute(step.query)
            answer = own.rowcount
