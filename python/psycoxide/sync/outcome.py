# Generated from python/psycoxide/aio/outcome.py by tools/generate_sync.py: do not edit.
"""What became of a transaction whose connection was lost in COMMIT."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from psycoxide._backoff import Backoff
from psycoxide._exceptions import Error
from psycoxide.rows import tuple_row

if TYPE_CHECKING:
    from psycoxide.sync.connection import Connection


# The functions with these names exist since PostgreSQL 10, those with the newer ones since 13. A
# timeline ends when a standby is promoted: after that, numbers may be given to other transactions.
TIMELINE = """case when not pg_is_in_recovery()
    then substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end"""
IDENTITY = f"select txid_current_if_assigned(), {TIMELINE}"
STATUS = f"select case when not pg_is_in_recovery() then txid_status(%s) end, {TIMELINE}"
# A session that waits for the rest of a COMMIT that will never come.
END = """select pg_terminate_backend(pid) from pg_stat_activity
    where backend_xid = (%s %% 4294967296)::text::xid and state = 'idle in transaction'"""
IN_FUTURE = "22023"

# Seconds for an attempt to ask, and between two attempts.
PATIENCE = 5.0
PAUSES = (0.02, 1.0)


class Identity(NamedTuple):
    """How the server knows a transaction."""

    #: None if it has written nothing.
    xid: int | None
    timeline: str | None


def identity(conn: Connection[Any]) -> Identity:
    """That of the transaction that is open."""
    row = conn.fetchrow(IDENTITY, row_factory=tuple_row)
    return Identity(*row) if row else Identity(None, None)


def was_committed(lost: Connection[Any], transaction: Identity, within: float) -> bool | None:
    """Whether a transaction was committed; None if that is not known after so many seconds."""
    until = time.monotonic() + within
    backoff = Backoff(*PAUSES)
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return None
        try:
            with lost._another(min(left, PATIENCE)) as conn:
                conn.timeout = min(max(left, 0.1), PATIENCE)
                while (found := _ask(conn, transaction)) == "in progress":
                    if time.monotonic() >= until:
                        return None
                    _pause(backoff, until)
        except Error:
            _pause(backoff, until)
            continue
        return {"committed": True, "aborted": False}.get(found)


def _ask(conn: Connection[Any], transaction: Identity) -> str:
    """What the server says: committed, aborted, in progress, or unknown."""
    try:
        row = conn.fetchrow(STATUS, (transaction.xid,), row_factory=tuple_row)
    except Error as error:
        # A standby that has not received the transaction was promoted.
        if error.pgcode == IN_FUTURE:
            return "aborted"
        raise
    status, timeline = row or (None, None)
    if timeline is None:
        # A standby, which may still receive it, or be promoted without it.
        return "in progress"
    if status == "in progress":
        conn.execute(END, (transaction.xid,))
        return "in progress"
    if status == "committed" and timeline != transaction.timeline:
        # It may be another transaction's number by now.
        return "unknown"
    # It has none if that was long ago.
    return str(status or "unknown")


def _pause(backoff: Backoff, until: float) -> None:
    seconds = max(0.0, min(backoff.next(), until - time.monotonic()))
    time.sleep(seconds)
