"""Whether notifications come through a connection pooler."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import NotSupportedError, OperationalError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from psycoxide.aio.connection import AsyncConnection

# How many seconds a notification may take through a pooler.
PATIENCE = 5.0


async def check_delivery(
    conn: AsyncConnection[Any], connect: Callable[[], Awaitable[AsyncConnection[Any]]]
) -> None:
    """Raises NotSupportedError if notifications do not reach a connection at rest.

    A server's session says which process it has. A pooler gives its clients numbers of its own, so
    one is there if that is not the process that runs the statements. Then a second connection
    notifies the first. The first could not do that itself: what a session sends to itself arrives
    with the answer, even if the pooler takes the session away afterwards.
    """
    process = await conn.fetchval("select pg_backend_pid()")
    if process == conn.info.backend_pid:
        return
    channel = f"psycoxide_{os.urandom(8).hex()}"
    await conn.execute(f"listen {channel}")
    try:
        async with await connect() as other:
            shares = await other.fetchval("select pg_backend_pid()") == process
            if not shares:
                await other.execute(f"notify {channel}")
    except OperationalError as error:
        raise OperationalError(
            "it cannot be found out whether the pooler in front of the server delivers "
            f"notifications, since a second connection failed: {error}"
        ) from error
    arrives = not shares and await _arrives(conn, channel)
    # If the session is another client's by now, this is in vain, and nobody notifies the channel.
    await conn.execute(f"unlisten {channel}")
    if not arrives:
        raise NotSupportedError(
            "notifications do not arrive: the pooler in front of the server lends its sessions for "
            "one transaction at a time. Connect to the server itself, or to a pool in session mode"
        )


async def _arrives(conn: AsyncConnection[Any], channel: str) -> bool:
    until = time.monotonic() + PATIENCE
    arrived: Any = conn._native.notifies
    while True:
        while arrived:
            if arrived.popleft().channel == channel:
                return True
        left = until - time.monotonic()
        if left <= 0:
            return False
        await conn._channel.wait_for_messages(left)
