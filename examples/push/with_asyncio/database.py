"""LISTEN and NOTIFY, on asyncio: a listener that connects again by itself, and a pool."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import channel
from channel import CHANNEL, Display, first_line
from colour import Colour

import psycoxide
from psycoxide import aio


async def listen(dsn: str, display: Display) -> None:
    """Pass on what is sent to the channel, for ever: a lost connection is replaced.

    Raises errors that no reconnecting can help, such as a pooler that delivers no notifications.
    """
    # The listener logs the losses that it reports, and `display` does as well.
    logging.getLogger("psycoxide.listener").setLevel(logging.ERROR)
    while True:
        try:
            async with aio.AsyncListener(
                dsn,
                CHANNEL,
                timeout=channel.PATIENCE,
                ping_every=channel.SILENCE,
                ping_timeout=channel.PATIENCE,
                retry_min=channel.FIRST_PAUSE,
                retry_max=channel.LONGEST_PAUSE,
                max_waiting=channel.MOST_WAITING,
                application_name=channel.APPLICATION,
            ) as events:
                await follow(events, display)
        except psycoxide.OperationalError as error:
            # The listener replaces a connection that it had; the first one is our affair.
            display.lost(first_line(error))
            await asyncio.sleep(channel.pause(display.failures))


async def follow(events: aio.AsyncListener, display: Display) -> None:
    """Wait for notifications."""
    async for event in events:
        match event:
            case aio.Listening():
                display.listening()
            case aio.Lost(reason, attempts):
                what = "cannot connect" if attempts else "the connection is lost"
                display.lost(f"{what}: {first_line(reason)}")
            case aio.Notify(_, payload):
                display.received(payload)
                await asyncio.sleep(0)  # the browsers' turn, or a burst would outrun the history


def speakers(dsn: str) -> aio.AsyncConnectionPool[Any]:
    """The connections for NOTIFY."""
    return aio.AsyncConnectionPool(
        dsn,
        min_size=0,
        max_size=channel.SPEAKERS,
        timeout=channel.WAIT,
        kwargs={"application_name": channel.APPLICATION},
    )


async def notify(pool: aio.AsyncConnectionPool[Any], colour: Colour) -> None:
    """Send a colour through the server, as anyone with a connection can.

    Raises `psycoxide.OperationalError` if there is no server, or no answer in time.
    """
    await pool.execute("select pg_notify(%s, %s)", [CHANNEL, colour.name], timeout=channel.PATIENCE)
