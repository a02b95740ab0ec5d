"""Waiting for a connection that is polled."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from psycoxide import extensions as _ext
from psycoxide._exceptions import OperationalError

if TYPE_CHECKING:
    from psycoxide.extensions import connection


def wait_select(conn: connection) -> None:
    """Wait until the asynchronous connection `conn` has done what it is doing.

    It can be given to `extensions.set_wait_callback()`, too: then Ctrl-C cancels the running query,
    which raises `QueryCanceledError`. Raises the exceptions of `conn.poll()`.
    """
    while True:
        try:
            state = conn.poll()
            if state == _ext.POLL_OK:
                return
            if state == _ext.POLL_READ:
                _wait(conn.fileno(), for_writing=False)
            elif state == _ext.POLL_WRITE:
                _wait(conn.fileno(), for_writing=True)
            else:
                raise OperationalError(f"bad state from poll: {state}")
        except KeyboardInterrupt:
            # The loop goes on until the server has answered the cancelled query.
            conn.cancel()


def _wait(fd: int, for_writing: bool) -> None:
    if hasattr(select, "poll"):
        # select() cannot wait for a descriptor above FD_SETSIZE, usually 1024.
        poll = select.poll()
        poll.register(fd, select.POLLOUT if for_writing else select.POLLIN)
        poll.poll()
    elif for_writing:
        select.select([], [fd], [])
    else:
        select.select([fd], [], [])
