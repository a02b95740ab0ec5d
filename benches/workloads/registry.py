"""The list of workloads, filled by the modules beside it.

A workload is a function of a driver: the decorated one is for every driver with the DB-API, and
`.on(NAME)` decorates another body for one driver. A body prepares, measures inside
`with driver.meter():`, and checks that the work was done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from drivers import BASELINE, Absent, Asyncpg, Psqlpy

Body = Callable[..., Any]


@dataclasses.dataclass
class Workload:
    name: str
    about: str
    tables: tuple[str, ...]
    module: str
    default: Body
    # The driver that the others are compared with.
    baseline: str = BASELINE
    # The drivers that it is for, if it is not for all.
    drivers: tuple[str, ...] = ()
    # The event loop of coroutines: `uvloop`, if that is installed, or `asyncio`.
    loop: str = "uvloop"
    own: dict[str, Body] = dataclasses.field(default_factory=dict)

    def on(self, *drivers: str) -> Callable[[Body], Body]:
        """Decorates another body, for these drivers."""

        def add(body: Body) -> Body:
            self.own.update(dict.fromkeys(drivers, body))
            return body

        return add

    def body(self, driver: str) -> Body:
        found = self.own.get(driver)
        if found is None and driver == Psqlpy.name:
            found = self.own.get(Asyncpg.name)
        if found is None:
            if driver in (Asyncpg.name, Psqlpy.name):
                raise Absent("no counterpart")
            found = self.default
        return found


ALL: dict[str, Workload] = {}


def workload(name: str, about: str, *tables: str, **options: Any) -> Callable[[Body], Workload]:
    """Decorates the body of a workload; `tables` are the tables that it reads or writes, `options`
    further fields of `Workload`."""

    def add(body: Body) -> Workload:
        made = Workload(name, about, tables, body.__module__, body, **options)
        ALL[name] = made
        return made

    return add
