"""`make bench-growth`: how the time grows with sizes that may be large, beside psycopg2.

    python benches/growth.py [--out .cache/growth.json] [--only NAME|THEME,...]

Run it under `tools/pgserver.py run`. Each line is timed at several sizes, each driver in a process
of its own; the least of a few tries counts. The slope is that of a line through the upper half of
the points, both axes logarithmic. 1 is linear growth (outgrown caches make it 1.1 or 1.2), 2 means
a quadratic step somewhere. A line is reported, and the exit status is 1, if its slope is more than
1.4 and psycopg2's is not, or if it takes much more than psycopg2 at the largest size that both were
timed at. Sizes that would need more than a third of the free memory, or too much time, are left
out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lines
from drivers import BASELINE, DRIVERS

OURS = "psycoxide"
MOST_SLOPE = 1.4
# A report needs a slope this much above psycopg2's, or a speed below this share of psycopg2's.
WAVER = 0.15
LEAST_TIMES = 0.9
TRIES = 3
# A try that takes longer, in seconds, is not repeated.
LONG = 1.0
# A size that would probably take longer, in seconds by the clock, is left out.
TOO_LONG = {OURS: 8.0, BASELINE: 4.0}
# Shorter times, in seconds, are not compared.
SHORT = 0.001

Points = list[tuple[int, float]]


def measure(driver_name: str, line_name: str) -> dict[str, Any]:
    """The points of a line, measured in this process, and the sizes without enough memory."""
    driver, chosen = DRIVERS[driver_name](), lines.ALL[line_name]
    conn = driver.connect(autocommit=False)
    points: Points = []
    left_out = []
    for size in chosen.sizes:
        if size * chosen.each > available() / 3:
            left_out.append(size)
            continue
        began = time.perf_counter()
        seconds, wall = timed(chosen.body(driver, conn, size))
        points.append((size, seconds))
        conn.rollback()
        # The next size usually takes three times as long.
        if max(wall, (time.perf_counter() - began) / TRIES) * 3 > TOO_LONG[driver_name]:
            break
    return {"points": points, "slope": slope(points), "left_out": left_out}


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """The least client CPU and the least wall time of a few tries, in seconds; of many tries if
    they are short."""
    least, shortest, spent = math.inf, math.inf, 0.0
    for attempt in range(1000):
        began, clock = time.process_time(), time.perf_counter()
        run()
        took, wall = time.process_time() - began, time.perf_counter() - clock
        least, shortest, spent = min(least, took), min(shortest, wall), spent + wall
        if wall >= LONG or (attempt + 1 >= TRIES and spent > 0.02):
            break
    return max(least, 1e-7), shortest


def slope(points: Points) -> float:
    """The slope of the upper half of the points, where constant costs no longer count."""
    upper = points[len(points) // 2 :]
    xs = [math.log(size) for size, _ in upper]
    ys = [math.log(seconds) for _, seconds in upper]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    across = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / across if across else 0.0


def times(ours: Points, base: Points) -> float:
    """psycopg2's time over ours, at the largest size that both have."""
    own, other = dict(ours), dict(base)
    size = max(own.keys() & other.keys())
    return other[size] / own[size]


def available() -> int:
    """The free memory, in bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def apart(driver: str, line: str) -> dict[str, Any]:
    """`measured()` in a fresh process, so that one driver or line does not affect another."""
    command = [sys.executable, __file__, "--measure", driver, line]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compare(name: str) -> dict[str, Any]:
    ours, base = apart(OURS, name), apart(BASELINE, name)
    return {
        "about": lines.ALL[name].about,
        **ours,
        "baseline": base["slope"],
        "times": times(ours["points"], base["points"]),
        "faults": faults(ours, base),
    }


def faults(ours: dict[str, Any], base: dict[str, Any]) -> list[str]:
    """The report on a line."""
    if ours["points"][-1][1] < SHORT:
        return []
    found = []
    if ours["slope"] > max(MOST_SLOPE, base["slope"] + WAVER):
        found.append("grows faster than its size")
    if times(ours["points"], base["points"]) < LEAST_TIMES:
        found.append("takes more than psycopg2")
    return found


def show(name: str, found: dict[str, Any]) -> None:
    (first, least), (last, most) = found["points"][0], found["points"][-1]
    notes = list(found["faults"])
    if found["left_out"]:
        notes.append(f"left out for want of memory: {found['left_out']}")
    print(
        f"{name:20}{f'{first:,} - {last:,}':>22}{least:>10.2g}{most:>10.2g}{found['slope']:>8.2f}",
        f"{found['baseline']:>8.2f}{found['times']:>8.2f}  {'; '.join(notes)}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path(".cache/growth.json"))
    parser.add_argument("--only", default="", help="lines, or themes: the files in lines/")
    parser.add_argument("--measure", nargs=2, metavar=("DRIVER", "LINE"), help="prints JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return 0
    found: dict[str, Any] = {}
    print(f"{'line':20}{'sizes':>22}{'least':>10}{'most':>10}{'slope':>8}{BASELINE:>9}{'times':>8}")
    for name in lines.choose(options.only):
        found[name] = compare(name)
        show(name, found[name])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    return 1 if any(line["faults"] for line in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
