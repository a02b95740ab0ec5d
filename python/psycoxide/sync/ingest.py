# Generated from python/psycoxide/aio/ingest.py by tools/generate_sync.py: do not edit.
"""Writing Arrow data to a table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psycoxide._arrow.ingest import Chunks, Fetch, Ingest, Send, Steps
from psycoxide._arrow.progress import Progress
from psycoxide._exceptions import Error
from psycoxide._psycopg import UNICODE, register_type
from psycoxide.sync.copy import Copy

if TYPE_CHECKING:
    from psycoxide._psycopg import ArrowEncoder
    from psycoxide.sync.connection import Connection


# What `get_transaction_status()` returns outside of a transaction.
IDLE = 0


def next_chunk(encoder: ArrowEncoder) -> bytes:
    """The next data; the producer of the data, and the encoder, may take their time."""
    return encoder.read()


def ingest(
    connection: Connection[Any],
    table: str,
    data: object,
    mode: str,
    progress: Progress | None,
    **options: Any,
) -> int:
    """Write data to a table, all or nothing: see `Connection.adbc_ingest()`."""
    plan = Ingest(table, data, mode, **options)
    chunks = Chunks(plan.encoder, progress)
    channel = connection._channel
    is_idle = connection._native.get_transaction_status() == IDLE and not channel.in_block
    try:
        if connection.autocommit or not is_idle:
            with connection.transaction():
                return follow(connection, plan, plan.steps(), chunks)
        # The transaction that the first statement begins is the program's to commit.
        try:
            return follow(connection, plan, plan.steps(), chunks)
        except BaseException as error:
            # The exception says more than what may go wrong here.
            with suppress(Error):
                rollback(connection, error)
            raise
    finally:
        plan.encoder.close()


def rollback(connection: Connection[Any], raised: BaseException) -> None:
    """Ends the transaction, unless there is none any more."""
    channel = connection._channel
    if channel.closed:
        return
    if isinstance(raised, GeneratorExit):
        # A coroutine that is being closed cannot wait any more.
        channel.close()
    elif isinstance(raised, Exception):
        channel.end_transaction(False, None)
    else:
        # After a cancellation or an interrupt an event loop does that behind our back.
        channel.command("ROLLBACK", True, True)


def follow(connection: Connection[Any], plan: Ingest, steps: Steps, chunks: Chunks) -> int:
    """Run the steps; returns what they return."""
    channel = connection._channel
    native = channel.cursor()
    register_type(UNICODE, native)
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as done:
            return int(done.value)
        if isinstance(step, Send):
            place = channel.copy(native, step.query, None, None)
            with Copy(connection, native, place) as copy:
                while chunk := next_chunk(plan.encoder):
                    copy.write(chunk)
                    chunks.report(chunk)
                chunks.report(b"")
            answer = native.rowcount
        elif isinstance(step, Fetch):
            channel.execute(native, step.query, step.params, None)
            row = native.fetchone()
            answer = None if row is None else row[0]
        else:
            channel.execute(native, step.query, None, None)
            answer = native.rowcount
