"""Workers on asyncio that share a queue of jobs, a table: `python examples/worker [DSN]`.

A job is taken and finished in one transaction, so that a job whose worker dies is taken by another.
NOTIFY wakes idle workers. Ctrl-C cancels them: what they have begun is rolled back, and stays in
the queue. It needs Python 3.11.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from psycoxide import aio

WORKERS = 3
LIMIT = 30.0  # seconds for a job, and for each statement
TABLE = """
create table if not exists job (
    id serial primary key, seconds float not null, done_by int, done_at timestamptz
)
"""
TAKE = (
    "select id, seconds from job where done_at is null order by id for update skip locked limit 1"
)
DONE = "update job set done_by = %s, done_at = clock_timestamp() where id = %s"


async def do_next(conn: aio.AsyncConnection[Any], worker: int) -> bool:
    """Do the next job. Returns whether there was one."""
    async with conn.transaction():
        job = await conn.fetchrow(TAKE, row_factory=aio.namedtuple_row)
        if job is None:
            return False
        async with asyncio.timeout(LIMIT):
            await asyncio.sleep(job.seconds)  # This is the work.
        await conn.execute(DONE, [worker, job.id])
    print(f"worker {worker}: job {job.id} is done", flush=True)
    return True


async def work(dsn: str, worker: int, news: asyncio.Queue[None]) -> None:
    """Do jobs; without one, wait for news of others."""
    async with aio.connect(dsn, timeout=10, command_timeout=LIMIT) as conn:
        while True:
            if not await do_next(conn, worker):
                await news.get()


async def listen(dsn: str, news: asyncio.Queue[None]) -> None:
    """Tell each worker when there may be new jobs."""
    async with aio.connect(dsn, timeout=10) as conn:
        await conn.execute("listen job")
        print("listening", flush=True)
        while True:
            for _ in range(WORKERS):
                news.put_nowait(None)
            # Look at the table once a minute, whatever comes.
            async for _notification in conn.notifies(timeout=60, stop_after=1):
                pass


async def main(dsn: str) -> None:
    async with aio.connect(dsn, timeout=10) as conn:
        await conn.execute(TABLE)
    news: asyncio.Queue[None] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listen(dsn, news))
        for worker in range(WORKERS):
            tasks.create_task(work(dsn, worker, news))


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
    except KeyboardInterrupt:
        sys.exit(130)
