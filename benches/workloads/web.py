"""The web example beside itself on asyncpg: Starlette on uvicorn, with a pool of ten connections.

The client process of the figures is the web server; the browsers are a process of their own.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from .registry import workload

REQUESTS = 6_000
CLIENTS = 20
BENCHES = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCHES.parent / "examples" / "web"))


def example(name: str) -> Any:
    """A module of the web example."""
    return importlib.import_module(name)


async def serve(driver: Any, seats: Any) -> None:
    """Answer the requests of another process, and measure that."""
    import uvicorn
    from starlette.applications import Starlette

    site = example("app")
    app = Starlette(routes=site.routes(), exception_handlers=site.HANDLERS)
    app.state.seats = seats
    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await load(port, CLIENTS * 10)
    with driver.meter():
        answers = await load(port, REQUESTS)
    server.should_exit = True
    await serving
    assert answers["200"] == REQUESTS * 9 // 10, answers
    assert answers.keys() <= {"200", "204", "409"}, answers


async def prepare(driver: Any) -> None:
    """Make the table, in which all seats are free."""
    from psycoxide import aio

    async with aio.AsyncConnectionPool(kwargs=driver.unix, min_size=1) as pool:
        await example("seats").Seats(pool).prepare()
        await pool.execute("update seat set guest = null")


async def load(port: int, requests: int) -> dict[str, int]:
    """The statuses of the answers, and how many there were of each."""
    arguments = [str(BENCHES / "load.py"), str(port), str(requests), str(CLIENTS)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    counted: dict[str, int] = json.loads(out)
    return counted


@workload(
    "web",
    f"{REQUESTS:,} requests of {CLIENTS} clients to a web server",
    baseline="asyncpg",
    drivers=("asyncpg", "psycoxide"),
)
async def web(driver: Any) -> None:
    from psycoxide import aio

    await prepare(driver)
    async with aio.AsyncConnectionPool(kwargs=driver.unix, min_size=10) as pool:
        await pool.wait()
        await serve(driver, example("seats").Seats(pool))


@web.on("asyncpg")
async def web_asyncpg(driver: Any) -> None:
    await prepare(driver)
    where = dict(driver.unix)
    where["database"] = where.pop("dbname")
    async with driver.module.create_pool(min_size=10, max_size=10, **where) as pool:
        await serve(driver, AsyncpgSeats(pool, driver.module.SerializationError))


class AsyncpgSeats:
    """What the example's `Seats` does, as one writes it for asyncpg."""

    def __init__(self, pool: Any, serialization_failure: type[Exception]) -> None:
        self._pool = pool
        self._failure = serialization_failure
        self._seats = example("seats")

    async def all(self) -> dict[str, str | None]:
        return dict(await self._pool.fetch(self._seats.ALL))

    async def take(self, guest: str, wanted: list[str]) -> None:
        rows, numbers = zip(*(self._seats.parse(seat) for seat in wanted), strict=True)
        while True:
            try:
                async with (
                    self._pool.acquire() as conn,
                    conn.transaction(isolation="serializable"),
                ):
                    return await self._take(conn, guest, rows, numbers)
            except self._failure:
                continue

    async def _take(self, conn: Any, guest: str, rows: Any, numbers: Any) -> None:
        has = await conn.fetchval("select count(*) from seat where guest = $1", guest)
        if has + len(rows) > self._seats.MOST:
            raise self._seats.Refused(f"{guest} has {has}")
        status = await conn.execute(
            "update seat set guest = $1 where guest is null and "
            "(row, number) in (select * from unnest($2::text[], $3::int[]))",
            guest,
            rows,
            numbers,
        )
        if status != f"UPDATE {len(rows)}":
            raise self._seats.Refused("somebody was faster: not all of these seats are free")

    async def give_back(self, guest: str) -> None:
        await self._pool.execute("update seat set guest = null where guest = $1", guest)
