"""Section 5: one thread and several queries at once, by poll() under select and by gevent."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from show import Show

import psycoxide
from psycoxide import extensions

NAP = 0.4
QUERIES = 5


def run(show: Show, dsn: str) -> None:
    one(show, dsn)
    several(show, dsn)
    green(show, dsn)


def wait(conn: Any) -> list[str]:
    """Poll a connection until it is done; returns the states on the way."""
    states: list[str] = []
    while True:
        state = conn.poll()
        if state == extensions.POLL_OK:
            return [*states, "OK"]
        if state == extensions.POLL_READ:
            states.append("READ")
            select.select([conn.fileno()], [], [], 10)
        elif state == extensions.POLL_WRITE:
            states.append("WRITE")
            select.select([], [conn.fileno()], [], 10)
        else:
            raise psycoxide.OperationalError(f"poll() returned {state}")


def one(show: Show, dsn: str) -> None:
    show.step("[b]connect(…, async_=1)[/b] returns at once; poll() says what to wait for:")
    show.code(wait)
    conn = psycoxide.connect(dsn, async_=1)
    show.value("connecting:", " → ".join(wait(conn)))
    cursor = conn.cursor()
    cursor.execute("select %s || ' rows', count(*) from tour.reading", ("counted",))
    show.check("execute() returns while the server still works", conn.isexecuting())
    show.value("executing: ", " → ".join(wait(conn)))
    show.check(
        "the result is there when poll() says OK", cursor.fetchone(), ("counted rows", 2_000_000)
    )
    conn.close()


def several(show: Show, dsn: str) -> None:
    show.step(f"{QUERIES} queries of {NAP} s each at once, in one thread, one select for all:")
    conns = [psycoxide.connect(dsn, async_=1) for _ in range(QUERIES)]
    for conn in conns:
        wait(conn)
    began = time.perf_counter()
    cursors = {}
    for number, conn in enumerate(conns):
        cursors[conn] = conn.cursor()
        cursors[conn].execute("select pg_sleep(%s), %s::int * 10", (NAP, number))
    answers, ticks, waiting = [], 0, set(conns)
    while waiting:
        ready = select.select(waiting, [], [], 0.05)[0]
        ticks += not ready  # the thread is free between answers
        for conn in ready:
            if conn.poll() == extensions.POLL_OK:
                waiting.remove(conn)
                answers.append(cursors[conn].fetchone()[1])
    took = time.perf_counter() - began
    show.value("answers:", f"{sorted(answers)} in {took:.2f} s, {ticks} idle turns in between")
    show.check("every query is answered", sorted(answers), [n * 10 for n in range(QUERIES)])
    show.check(f"{QUERIES} naps of {NAP} s take about one", took < 2 * NAP)
    for conn in conns:
        conn.close()


def green(show: Show, dsn: str) -> None:
    show.step("With a wait callback, ordinary blocking code yields to other greenlets (gevent):")
    script = Path(__file__).with_name("green.py")
    show.code(script.read_text().split("# --- callback")[1].split("# ---")[0])
    done = subprocess.run(
        [sys.executable, str(script), dsn, str(NAP), str(QUERIES)],
        stdout=subprocess.PIPE,
        env=os.environ,
        check=True,
    )
    told = json.loads(done.stdout)
    show.value("answers:", f"{told['answers']} in {told['seconds']:.2f} s, {told['ticks']} ticks")
    show.check("greenlets share one thread", told["answers"], [n * 10 for n in range(QUERIES)])
    show.check(f"{QUERIES} blocking queries of {NAP} s take about one", told["seconds"] < 2 * NAP)
    show.check("another greenlet ticks meanwhile", told["ticks"] >= 3)
