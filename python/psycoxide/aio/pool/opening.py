"""How a pool opens a connection."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import ProgrammingError
from psycoxide._pooling.member import READY

if TYPE_CHECKING:
    from psycoxide._pooling.settings import Settings


async def opened(settings: Settings, timeout: float) -> Any:
    """A new connection, configured. Raises what connecting or configuring raises."""
    conninfo = settings.conninfo
    if callable(conninfo):
        conninfo = await value(conninfo())
    kwargs = settings.kwargs
    if callable(kwargs):
        kwargs = await value(kwargs())
    options = {"timeout": timeout, **(kwargs or {})}
    connection = await settings.connection_class.connect(conninfo or "", **options)
    try:
        await configured(settings, connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def configured(settings: Settings, connection: Any) -> None:
    """Calls `configure`, which has to leave the connection at rest."""
    if settings.configure is None:
        return
    await value(settings.configure(connection))
    if connection._channel.standing() != READY:
        raise ProgrammingError("configure() left the connection in a transaction, or closed it")


async def value(given: Any) -> Any:
    """What a function of the program has returned, awaited if it has to be."""
    return await given if inspect.isawaitable(given) else given  # in sync: return given
