"""psycoxide for asyncio: connections, cursors and transactions that are awaited.

    import asyncio
    from psycoxide import aio

    async def main() -> None:
        async with aio.connect("dbname=test user=postgres") as conn:
            print(await conn.fetchval("SELECT %s + 1", (41,)))

    asyncio.run(main())

Calls of several tasks on one connection are sent without waiting for each other, and answered in
order. A call that is cancelled, or takes longer than its `timeout`, raises at once; the connection
ends the statement on the server by itself, and is usable again after that, or closed.

`psycoxide.sync` is the same without `async` and `await`.
"""
# in sync:
# """psycoxide's own API for blocking calls: connections, cursors and transactions.
#
#     from psycoxide import sync
#
#     with sync.connect("dbname=test user=postgres") as conn:
#         print(conn.fetchval("SELECT %s + 1", (41,)))
#
# A connection may be used by several threads: one call runs after the other. A call that takes
# longer than its `timeout` is cancelled on the server; the connection is usable again after that,
# or closed.
#
# `psycoxide.connect()` is another API: that of psycopg2.
# """

from psycoxide._exceptions import (
    CommitUnknown,
    OperationTimeout,
    PipelineAborted,
    PoolClosed,
    PoolTimeout,
    TooManyRequests,
)
from psycoxide._listening import Listening, Lost
from psycoxide._psycopg import Notify
from psycoxide._rollback import Rollback
from psycoxide.aio.arrow import AsyncArrowStream
from psycoxide.aio.connection import (
    AsyncConnection,
    Connecting,  # only in aio
    connect,
)
from psycoxide.aio.copy import AsyncCopy
from psycoxide.aio.cursor import AsyncCursor
from psycoxide.aio.listener import AsyncListener
from psycoxide.aio.pipeline import AsyncPipeline, AsyncPipelineResult
from psycoxide.aio.pool.null import AsyncNullConnectionPool
from psycoxide.aio.pool.pool import AsyncConnectionPool
from psycoxide.aio.prepared import AsyncPreparedStatement
from psycoxide.aio.retrying import AsyncAttempt, AsyncAttemptTransaction, AsyncRetrying
from psycoxide.aio.stream import AsyncStream
from psycoxide.aio.transaction import AsyncTransaction
from psycoxide.rows import (
    Record,
    args_row,
    class_row,
    dict_row,
    kwargs_row,
    namedtuple_row,
    record_row,
    scalar_row,
    tuple_row,
)

__all__ = [
    "AsyncArrowStream",
    "AsyncAttempt",
    "AsyncAttemptTransaction",
    "AsyncConnection",
    "AsyncConnectionPool",
    "AsyncCopy",
    "AsyncCursor",
    "AsyncListener",
    "AsyncNullConnectionPool",
    "AsyncPipeline",
    "AsyncPipelineResult",
    "AsyncPreparedStatement",
    "AsyncRetrying",
    "AsyncStream",
    "AsyncTransaction",
    "CommitUnknown",
    "Connecting",  # only in aio
    "Listening",
    "Lost",
    "Notify",
    "OperationTimeout",
    "PipelineAborted",
    "PoolClosed",
    "PoolTimeout",
    "Record",
    "Rollback",
    "TooManyRequests",
    "args_row",
    "class_row",
    "connect",
    "dict_row",
    "kwargs_row",
    "namedtuple_row",
    "record_row",
    "scalar_row",
    "tuple_row",
]
