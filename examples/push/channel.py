"""The channel: one connection that LISTENs, for as long as the program runs, and NOTIFY."""

from __future__ import annotations

import random
from collections.abc import Callable

import gevent
import green
from colour import Colour, NotAColour, brief, parse
from gevent.lock import BoundedSemaphore
from gevent.socket import wait_read
from hub import Hub

import psycoxide

CHANNEL = "data"
# Seconds between attempts to reconnect: doubled each time, less a random part, so that not all
# clients of a server that comes back arrive in the same moment.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
# Seconds of silence after which the listener asks whether the server is still there: if a network
# or a machine just vanishes, nobody says so.
SILENCE = 30.0
# The number of connections for NOTIFY; further posts wait for one.
SPEAKERS = BoundedSemaphore(4)

Tell = Callable[[str], None]


def listen(dsn: str, hub: Hub, tell: Tell) -> None:
    """Show a square for each notification, for ever: a lost connection is replaced.

    Raises errors that no reconnecting can help, such as a DSN that cannot be read.
    """
    failures = 0
    while True:
        try:
            with green.connection(dsn) as conn:
                with conn.cursor() as cursor, green.deadline("LISTEN"):
                    cursor.execute(f"listen {CHANNEL}")
                failures = 0
                tell(f"listening to channel {CHANNEL}")
                hub.announce("listener", listening=True)
                follow(conn, hub, tell)
        except (psycoxide.OperationalError, psycoxide.InterfaceError) as error:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures) * random.uniform(0.75, 1)
            failures += 1
            hub.announce("listener", listening=False, attempts=failures)
            tell(f"{first_line(error)}; again in {pause:.1f} s")
            gevent.sleep(pause)


def follow(conn: psycoxide.extensions.connection, hub: Hub, tell: Tell) -> None:
    """Wait for notifications and show them; ends with the exception of a lost connection."""
    while True:
        # Before waiting: some may have come together with another answer.
        notifications, conn.notifies = conn.notifies, []
        for notification in notifications:
            try:
                hub.show(parse(notification.payload))
            except NotAColour as error:
                tell(f"ignored: {error}")
                hub.announce("refused", text=brief(notification.payload))
            gevent.sleep(0)  # the browsers' turn, or a burst would outrun the history
        try:
            wait_read(conn.fileno(), timeout=SILENCE, timeout_exc=TimeoutError())
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


def first_line(error: psycoxide.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
