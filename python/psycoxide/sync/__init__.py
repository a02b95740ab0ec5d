# Generated from python/psycoxide/aio/__init__.py by tools/generate_sync.py: do not edit.
"""psycoxide's own API for blocking calls: connections, cursors and transactions.

    from psycoxide import sync

    with sync.connect("dbname=test user=postgres") as conn:
        print(conn.fetchval("SELECT %s + 1", (41,)))

A connection may be used by several threads: one call runs after the other. A call that takes
longer than its `timeout` is cancelled on the server; the connection is usable again after that,
or closed.

`psycoxide.connect()` is another API: that of psycopg2.
"""

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
from psycoxide.sync.arrow import ArrowStream
from psycoxide.sync.connection import (
    Connection,
    connect,
)
from psycoxide.sync.copy import Copy
from psycoxide.sync.cursor import Cursor
from psycoxide.sync.listener import Listener
from psycoxide.sync.pipeline import Pipeline, PipelineResult
from psycoxide.sync.pool.null import NullConnectionPool
from psycoxide.sync.pool.pool import ConnectionPool
from psycoxide.sync.prepared import PreparedStatement
from psycoxide.sync.retrying import Attempt, AttemptTransaction, Retrying
from psycoxide.sync.stream import Stream
from psycoxide.sync.transaction import Transaction

__all__ = [
    "ArrowStream",
    "Attempt",
    "AttemptTransaction",
    "CommitUnknown",
    "Connection",
    "ConnectionPool",
    "Copy",
    "Cursor",
    "Listener",
    "Listening",
    "Lost",
    "Notify",
    "NullConnectionPool",
    "OperationTimeout",
    "Pipeline",
    "PipelineAborted",
    "PipelineResult",
    "PoolClosed",
    "PoolTimeout",
    "PreparedStatement",
    "Record",
    "Retrying",
    "Rollback",
    "Stream",
    "TooManyRequests",
    "Transaction",
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
