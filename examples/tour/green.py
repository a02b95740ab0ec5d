"""The gevent part of section 5, in a process of its own: `python green.py DSN NAP QUERIES`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gevent
from gevent.socket import wait_read, wait_write

import psycoxide
from psycoxide import extensions


# --- callback
def wait_callback(conn: Any) -> None:
    """Called by the driver whenever it would block: lets others run until the socket is ready."""
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return
        if state == extensions.POLL_READ:
            wait_read(conn.fileno())
        elif state == extensions.POLL_WRITE:
            wait_write(conn.fileno())


extensions.set_wait_callback(wait_callback)


# ---
def query(dsn: str, nap: float, number: int) -> int:
    """Plain blocking code: connect, ask, answer."""
    conn = psycoxide.connect(dsn)
    with conn, conn.cursor() as cursor:
        cursor.execute("select pg_sleep(%s), %s::int * 10", (nap, number))
        answer: int = cursor.fetchone()[1]
    conn.close()
    return answer


def main(dsn: str, nap: float, queries: int) -> None:
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while True:
            gevent.sleep(0.05)
            ticks += 1

    ticker = gevent.spawn(tick)
    began = time.perf_counter()
    jobs = [gevent.spawn(query, dsn, nap, number) for number in range(queries)]
    gevent.joinall(jobs, raise_error=True)
    seconds = time.perf_counter() - began
    ticker.kill()
    answers = sorted(job.value for job in jobs)
    print(json.dumps({"answers": answers, "seconds": seconds, "ticks": ticks}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
