"""Green mode: the driver lets other greenlets run whenever it would block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import channel
import gevent
from gevent.socket import wait_read, wait_write

import psycoxide
from psycoxide import extensions


def install() -> None:
    """Switch psycoxide to green mode, for the whole process."""
    extensions.set_wait_callback(wait)


def wait(conn: Any) -> None:
    """The wait callback: called with a connection that is busy, it returns when it is not."""
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return
        if state == extensions.POLL_READ:
            wait_read(conn.fileno())
        elif state == extensions.POLL_WRITE:
            wait_write(conn.fileno())


def deadline(what: str) -> gevent.Timeout:
    """A context in which the driver has `PATIENCE` seconds.

    A timeout is an exception like any other: it comes out of the wait callback, psycoxide closes
    the connection, since nobody knows its state, and raises it where the program waits.
    """
    late = psycoxide.OperationalError(f"{what}: no answer within {channel.PATIENCE:.0f} s")
    return gevent.Timeout(channel.PATIENCE, late)


@contextlib.contextmanager
def connection(dsn: str) -> Iterator[Any]:
    """An autocommit connection, for the length of a block: plain blocking code, and only the
    greenlet that runs it waits.

    Raises `psycoxide.OperationalError` if there is no server, or no answer in time.
    """
    with deadline("connecting"):
        conn = psycoxide.connect(dsn, application_name=channel.APPLICATION)
    try:
        conn.autocommit = True
        yield conn
    finally:
        conn.close()
