# Generated from python/psycoxide/aio/pool/opening.py by tools/generate_sync.py: do not edit.
"""How a pool opens a connection."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import ProgrammingError
from psycoxide._pooling.member import READY

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycoxide._pooling.settings import Settings


def opened(settings: Settings, timeout: float) -> Any:
    """A new connection, configured. Raises what connecting or configuring raises."""
    return opened_at_last(settings, timeout)


def opened_at_last(settings: Settings, timeout: float) -> Any:
    """The same; the functions of the program may take longer."""
    conninfo = settings.conninfo
    if callable(conninfo):
        conninfo = value(conninfo())
    kwargs = settings.kwargs
    if callable(kwargs):
        kwargs = value(kwargs())
    options = {"timeout": timeout, **(kwargs or {})}
    connection = settings.connection_class.connect(conninfo or "", **options)
    try:
        configured(settings, connection, timeout)
    except BaseException:
        connection.terminate()
        raise
    return connection


def configured(settings: Settings, connection: Any, timeout: float) -> None:
    """Calls `configure`, which has to leave the connection at rest."""
    if settings.configure is None:
        return
    called(settings.configure, connection, timeout)
    if connection._channel.standing() != READY:
        raise ProgrammingError("configure() left the connection in a transaction, or closed it")


def called(function: Callable[[Any], Any], connection: Any, seconds: float) -> None:
    """Calls a function of the program for a connection. It may take so many seconds.

    So may each of its calls on the connection, unless these have another limit.
    """
    channel = connection._channel
    before = channel.timeout
    during = seconds if before is None else min(before, seconds)
    if math.isfinite(during):
        channel.timeout = during
    try:
        value(function(connection), seconds)
    finally:
        # The function may have set another one.
        if channel.timeout == during:
            channel.timeout = before


def value(given: Any, seconds: float | None = None) -> Any:
    """What a function of the program has returned, awaited if it has to be."""
    return given
