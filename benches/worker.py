"""One measurement: `worker.py DRIVER WORKLOAD` prints its figures as JSON."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Coroutine
from typing import Any

import workloads
from drivers import DRIVERS, Absent


def run(coroutine: Coroutine[Any, Any, None], loop: str) -> None:
    """Run it on this loop; on uvloop if that is installed: asyncpg is at its best with it."""
    if loop == "uvloop" and importlib.util.find_spec("uvloop"):
        importlib.import_module("uvloop").install()
    asyncio.run(coroutine)


def main(driver_name: str, workload_name: str) -> None:
    try:
        workload = workloads.ALL[workload_name]
        body = workload.body(driver_name)
        driver = DRIVERS[driver_name]()
        outcome = body(driver)
        if inspect.isawaitable(outcome):
            run(outcome, workload.loop)  # type: ignore[arg-type]
    except (Absent, ImportError) as error:
        print(json.dumps({"absent": str(error)}))
        return
    print(json.dumps(driver.figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
