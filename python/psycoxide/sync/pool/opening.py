# Generated from python/psycoxide/aio/pool/opening.py by tools/generate_sync.py: do not edit.
"""How a pool opens a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import ProgrammingError
from psycoxide._pooling.member import READY

if TYPE_CHECKING:
    from psycoxide._pooling.settings import Settings


def opened(settings: Settings, timeout: float) -> Any:
    """A new connection, configured. Raises what connecting or configuring raises."""
    conninfo = settings.conninfo
    if callable(conninfo):
        conninfo = value(conninfo())
    kwargs = settings.kwargs
    if callable(kwargs):
        kwargs = value(kwargs())
    options = {"timeout": timeout, **(kwargs or {})}
    connection = settings.connection_class.connect(conninfo or "", **options)
    try:
        configured(settings, connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


def configured(settings: Settings, connection: Any) -> None:
    """Calls `configure`, which has to leave the connection at rest."""
    if settings.configure is None:
        return
    value(settings.configure(connection))
    if connection._channel.standing() != READY:
        raise ProgrammingError("configure() left the connection in a transaction, or closed it")


def value(given: Any) -> Any:
    """What a function of the program has returned, awaited if it has to be."""
    return given
