"""Writing Arrow data to a table."""

from __future__ import annotations

import asyncio  # only in aio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psycoxide._arrow.ingest import Chunks, Fetch, Ingest, Send, Steps
from psycoxide._arrow.progress import Progress
from psycoxide._exceptions import Error
from psycoxide._psycopg import UNICODE, register_type
from psycoxide.aio.copy import AsyncCopy

if TYPE_CHECKING:
    from psycoxide._psycopg import ArrowEncoder
    from psycoxide.aio.connection import AsyncConnection

ASYNC = True

# What `get_transaction_status()` returns outside of a transaction.
IDLE = 0


async def next_chunk(encoder: ArrowEncoder) -> bytes:
    """The next data; the producer of the data, and the encoder, may take their time."""
    if ASYNC:
        return await asyncio.to_thread(encoder.read)
    return encoder.read()


async def ingest(
    connection: AsyncConnection[Any],
    table: str,
    data: object,
    mode: str,
    progress: Progress | None,
    **options: Any,
) -> int:
    """Write data to a table, all or nothing: see `AsyncConnection.adbc_ingest()`."""
    plan = Ingest(table, data, mode, **options)
    chunks = Chunks(plan.encoder, progress)
    channel = connection._channel
    is_idle = connection._native.get_transaction_status() == IDLE and not channel.in_block
    try:
        if connection.autocommit or not is_idle:
            async with connection.transaction():
                return await follow(connection, plan, plan.steps(), chunks)
        # The transaction that the first statement begins is the program's to commit.
        try:
            return await follow(connection, plan, plan.steps(), chunks)
        except BaseException as error:
            # The exception says more than what may go wrong here.
            with suppress(Error):
                await rollback(connection, error)
            raise
    finally:
        plan.encoder.close()


async def rollback(connection: AsyncConnection[Any], raised: BaseException) -> None:
    """Ends the transaction, unless there is none any more."""
    channel = connection._channel
    if channel.closed:
        return
    if isinstance(raised, GeneratorExit):
        # A coroutine that is being closed cannot wait any more.
        channel.close()
    elif isinstance(raised, Exception):
        await channel.end_transaction(False, None)
    else:
        # After a cancellation or an interrupt an event loop does that behind our back.
        await channel.command("ROLLBACK", True, True)


async def follow(
    connection: AsyncConnection[Any], plan: Ingest, steps: Steps, chunks: Chunks
) -> int:
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
            async with AsyncCopy(connection, native, place) as copy:
                while chunk := await next_chunk(plan.encoder):
                    await copy.write(chunk)
                    chunks.report(chunk)
                chunks.report(b"")
            answer = native.rowcount
        elif isinstance(step, Fetch):
            await channel.execute(native, step.query, step.params, None)
            row = native.fetchone()
            answer = None if row is None else row[0]
        else:
            await channel.execute(native, step.query, None, None)
            answer = native.rowcount
