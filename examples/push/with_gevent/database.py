"""LISTEN and NOTIFY, on gevent: blocking calls, and only the greenlet that makes them waits."""

from __future__ import annotations

import channel
import gevent
from channel import CHANNEL, Display, first_line
from colour import Colour
from gevent.lock import BoundedSemaphore
from gevent.socket import wait_read

import psycoxide
from with_gevent import green

SPEAKERS = BoundedSemaphore(channel.SPEAKERS)


def listen(dsn: str, display: Display) -> None:
    """Pass on what is sent to the channel, for ever: a lost connection is replaced.

    Raises errors that no reconnecting can help, such as a channel that cannot be.
    """
    while True:
        try:
            with green.connection(dsn) as conn:
                with conn.cursor() as cursor, green.deadline("LISTEN"):
                    cursor.execute(f"listen {CHANNEL}")
                display.listening()
                follow(conn, display)
        except (psycoxide.OperationalError, psycoxide.InterfaceError) as error:
            display.lost(first_line(error))
            gevent.sleep(channel.pause(display.failures))


def follow(conn: psycoxide.extensions.connection, display: Display) -> None:
    """Wait for notifications; ends with the exception of a lost connection."""
    while True:
        # Before waiting: some may have come together with another answer.
        notifications, conn.notifies = conn.notifies, []
        for notification in notifications:
            display.received(notification.payload)
            gevent.sleep(0)  # the browsers' turn, or a burst would outrun the history
        try:
            wait_read(conn.fileno(), timeout=channel.SILENCE, timeout_exc=TimeoutError())
        except TimeoutError:
            with conn.cursor() as cursor, green.deadline("asking after the server"):
                cursor.execute("select 1")
        else:
            conn.poll()


def notify(dsn: str, colour: Colour) -> None:
    """Send a colour through the server, as anyone with a connection can.

    Raises `psycoxide.OperationalError` if there is no server, or no answer in time.
    """
    with SPEAKERS, green.connection(dsn) as conn, conn.cursor() as cursor, green.deadline("NOTIFY"):
        cursor.execute("select pg_notify(%s, %s)", (CHANNEL, colour.name))
