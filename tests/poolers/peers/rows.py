"""The rows of the table: which pooler, in which mode, before which server."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

from .odyssey import Odyssey
from .pgagroal import Pgagroal
from .pgbouncer import PgBouncer
from .pglite import Pglite
from .pgpool import Pgpool
from .places import Missing, Place, Sid
from .pooler import Pooler
from .servers import Server


class Ourselves(Place):
    """This machine, with programs that run as who runs the tests."""

    def __init__(self) -> None:
        self.uid, self.gid = os.geteuid(), os.getegid()


PLACES: dict[str, Callable[[], Place]] = {"Debian 12": Place, "sid": Sid, "npm": Ourselves}


@dataclasses.dataclass(frozen=True)
class Row:
    """A pooler from a distribution, in a mode."""

    product: type[Pooler]
    place: str
    mode: str

    def __str__(self) -> str:
        words = (self.product.title, self.place, self.mode)
        return "-".join(words).lower().replace(" ", "")


def rows_of(product: type[Pooler], place: str) -> list[Row]:
    return [Row(product, place, mode) for mode in product.modes]


ROWS = [
    *rows_of(PgBouncer, "Debian 12"),
    *rows_of(PgBouncer, "sid"),
    *rows_of(Odyssey, "sid"),
    *rows_of(Pgagroal, "sid"),
    *rows_of(Pgpool, "Debian 12"),
    *rows_of(Pgpool, "sid"),
    *rows_of(Pglite, "npm"),
]


class Site:
    """What was started; ends it."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.servers: dict[str, Server] = {}
        self.pooler: Pooler | None = None
        self.row: Row | None = None
        self.unusable: dict[str, Exception] = {}

    def open(self, row: Row) -> Pooler:
        """The pooler of this row, running; the one before it is ended. Raises Missing, or
        RuntimeError if it does not start."""
        if str(row) in self.unusable:
            raise self.unusable[str(row)]
        try:
            if self.row != row:
                self.close_pooler()
                server = None if row.product.serves else self._server(row.place)
                self.pooler = row.product(self._place(row.place), server, row.mode)
                self.row = row
                self.pooler.start()
            elif not self.pooler.listens():
                self.pooler.restart()
        except (Missing, RuntimeError) as reason:
            self.close_pooler()
            self.unusable[str(row)] = reason
            raise
        return self.pooler

    def _place(self, name: str) -> Place:
        if name not in self.places:
            self.places[name] = PLACES[name]()
        return self.places[name]

    def _server(self, place: str) -> Server:
        """The server that comes with the pooler's distribution."""
        if place not in self.servers:
            home = self._place(place)
            self.servers[place] = Server(home, home.postgresql())
        return self.servers[place]

    def close_pooler(self) -> None:
        if self.pooler is not None:
            self.pooler.close()
        self.pooler = self.row = None

    def close(self) -> None:
        self.close_pooler()
        for server in self.servers.values():
            server.close()
