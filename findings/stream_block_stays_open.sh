#!/bin/sh
# SQLAlchemy's `async with conn.stream(...)` closes the result, except when an exception leaves the block.
#
# Seen: SQLAlchemy 2.1.9, aiosqlite 0.22.1, CPython 3.11, November 2026.
#
# At the end of the block, and after `break`, the result is closed, and its cursor is gone. If the block
# is left by an exception, the cancellation of its task included, the result stays open with its cursor
# until the connection ends its transaction. A driver that streams rows from the socket has its
# connection busy until then, so the rollback has to end the stream first. One would expect a context
# manager to close what it gave in every case, above all in this one.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check \
    'sqlalchemy[asyncio]==2.1.9' aiosqlite==0.22.1
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

NUMBERS = text(
    "with recursive n (i) as (select 1 union all select i + 1 from n where i < 100) select i from n"
)


async def left(conn, how):
    """Whether the result is closed when the block was left in this way."""
    try:
        async with conn.stream(NUMBERS) as result:
            async for _ in result:
                if how == "by break":
                    break
                if how == "by an exception":
                    raise KeyError
    except KeyError:
        pass
    closed = result.closed
    await result.close()
    return closed


async def main():
    seen = {}
    async with create_async_engine("sqlite+aiosqlite://").connect() as conn:
        for how in ("at its end", "by break", "by an exception"):
            seen[how] = await left(conn, how)
            print(f"left {how:16} {'closed' if seen[how] else 'open'}")
    return seen


seen = asyncio.run(main())
assert seen == {"at its end": True, "by break": True, "by an exception": False}, "this has changed"
PYTHON
