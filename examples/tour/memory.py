"""Section 3: the memory of a large result, and how to read one in constant memory.

Each way runs in a process of its own (`python memory.py WAY DSN`), so that the memory of the other
way, or of the tour, does not count.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

ROWS = 2_000_000
EVERY = 100_000


def run(show: Any, dsn: str) -> None:
    import psycoxide

    show.step(f"A table of {ROWS:,} rows, made by the server.")
    conn = psycoxide.connect(dsn)
    with conn, conn.cursor() as cursor:
        cursor.execute(
            "create unlogged table tour.reading as "
            "select i as id, 'sensor ' || mod(i, 1000) as sensor, mod(i, 10007) / 10.0::float8 "
            "as value from generate_series(1, %s) i",
            (ROWS,),
        )
        cursor.execute("select sum(value) from tour.reading")
        wanted = cursor.fetchone()[0]
    conn.close()

    show.step("The same job twice, the sum of a column: with everything fetched at once, …")
    show.code(fetchall)
    show.step("… and with a named cursor, which the server keeps and hands out in portions.")
    show.code(named_cursor)
    measured = {way: measure(way, dsn) for way in ("nothing", "fetchall", "named_cursor")}

    base = measured["nothing"]["peak"]
    whole, portions = measured["fetchall"], measured["named_cursor"]
    show.step("Resident memory at its highest, as the kernel counted it (VmHWM):")
    show.bars(
        "MB",
        [
            ("connect only", base, ""),
            ("fetchall()", whole["peak"], f"{whole['seconds']:.2f} s"),
            ("named cursor", portions["peak"], f"{portions['seconds']:.2f} s"),
        ],
    )
    show.step("The same over time, from the first row to the last:")
    largest = whole["peak"]
    show.curve("fetchall()  ", whole["samples"], largest)
    show.curve("named cursor", portions["samples"], largest)
    answers = [round(way["answer"], 3) for way in (whole, portions)]
    show.check("both ways give the server's own sum", answers, [round(wanted, 3)] * 2)
    growth = portions["peak"] - base
    show.check(
        f"a named cursor reads {ROWS:,} rows within {growth:.0f} MB; "
        f"fetchall() takes {whole['peak'] - base:.0f} MB",
        growth < 24 and growth < (whole["peak"] - base) / 5,
    )


def nothing(conn: Any) -> Iterator[float]:
    yield from ()


def fetchall(conn: Any) -> Iterator[float]:
    cursor = conn.cursor()
    cursor.execute("select id, sensor, value from tour.reading")
    rows = cursor.fetchall()
    for _id, _sensor, value in rows:
        yield value


def named_cursor(conn: Any) -> Iterator[float]:
    cursor = conn.cursor("readings")
    cursor.itersize = 10_000  # rows a round trip
    cursor.execute("select id, sensor, value from tour.reading")
    for _id, _sensor, value in cursor:
        yield value


def measure(way: str, dsn: str) -> dict[str, Any]:
    """Run one way in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, __file__, way, dsn], stdout=subprocess.PIPE, check=True, env=os.environ
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def child(way: str, dsn: str) -> None:
    """Do the job and print its memory and time."""
    import psycoxide

    conn = psycoxide.connect(dsn)
    values: Iterable[float] = {
        "nothing": nothing,
        "fetchall": fetchall,
        "named_cursor": named_cursor,
    }[way](conn)
    began = time.perf_counter()
    total, samples = 0.0, [resident()]
    for count, value in enumerate(values, 1):
        total += value
        if count % EVERY == 0:
            samples.append(resident())
    seconds = time.perf_counter() - began
    print(json.dumps({"answer": total, "peak": peak(), "samples": samples, "seconds": seconds}))


def resident() -> float:
    """This process's memory now, in MB."""
    return from_kernel("VmRSS")


def peak() -> float:
    """This process's largest memory so far, in MB."""
    return from_kernel("VmHWM")


def from_kernel(field: str) -> float:
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith(field):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    # Not Linux: only the peak is known, in kB or, on macOS, in bytes.
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    child(*sys.argv[1:])
