"""The channel: what comes over it, whether it is there, and how long to wait for the server.

Nothing in here waits: `with_gevent/` and `with_asyncio/` do.
"""

from __future__ import annotations

import logging
import random
from typing import Any

from colour import NotAColour, brief, parse
from hub import Hub

import psycoxide

CHANNEL = "data"
APPLICATION = "psycoxide-push"
# Seconds for connecting, and for each statement.
PATIENCE = 10.0
# Seconds of silence after which the listener asks whether the server is still there: if a network
# or a machine just vanishes, nobody says so.
SILENCE = 30.0
# Seconds between attempts to reconnect: doubled each time, less a random part, so that not all
# clients of a server that comes back arrive in the same moment.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
# The number of connections for NOTIFY; further forms wait for one, on asyncio so many seconds.
SPEAKERS = 4
WAIT = 2.0
# Notifications of a burst arrive at once, and are shown one by one: if more wait than this, the
# listener on asyncio drops them.
MOST_WAITING = 1_000_000

log = logging.getLogger("push")


class Display:
    """Shows what the listener hears, on the pages and on the terminal."""

    def __init__(self, hub: Hub[Any]) -> None:
        self._hub = hub
        # Since it listened last.
        self.failures = 0

    def listening(self) -> None:
        """The server has confirmed it."""
        self.failures = 0
        log.info("listening to channel %s", CHANNEL)
        self._hub.announce("listener", listening=True)

    def received(self, payload: str) -> None:
        """A notification has come."""
        try:
            self._hub.show(parse(payload))
        except NotAColour as error:
            log.info("ignored: %s", error)
            self._hub.announce("refused", text=brief(payload))

    def lost(self, why: str) -> None:
        """The connection is lost, or another attempt to connect has failed."""
        self.failures += 1
        log.warning("%s", why)
        self._hub.announce("listener", listening=False, attempts=self.failures)


def pause(failures: int) -> float:
    """How many seconds to wait before the next attempt to connect, after so many failures."""
    doubled = FIRST_PAUSE * 2.0 ** min(failures - 1, 10)
    return min(LONGEST_PAUSE, doubled) * random.uniform(0.75, 1)


def first_line(error: psycoxide.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
