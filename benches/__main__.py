"""`make bench`: the CPU, time and memory of a client, psycoxide beside other drivers.

    python benches [--workloads default|all|GROUP|NAME,...] [--reps 5] [--drivers A,B] [--asleep]
                   [--list]

Run it under `tools/pgserver.py run`. Every repetition of every driver is a fresh process, and the
repetitions are interleaved (A B C A B C ...), so that a slow minute of the machine falls on all
alike. The processors are kept awake meanwhile, if that is possible, unless `--asleep` is given.
Ratios are psycopg2's figure over the driver's, so more than 1 is better than psycopg2; in the group
`awaited` they are asyncpg's, in `arrow` mostly ADBC's. A workload that is for certain drivers runs
with these, unless others are named.
How to read them, and how far to trust them: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import report
import tables
import workloads
from awake import LATENCY, awake
from drivers import BASELINE, DEFAULT, DRIVERS

HERE = Path(__file__).resolve().parent
LIMIT = 300  # seconds that one measurement may take


def main() -> int:
    options = arguments()
    if options.list:
        for group, names in workloads.GROUPS.items():
            print(f"{group:8} {' '.join(names)}")
        print(f"drivers  {' '.join(DRIVERS)}")
        return 0
    if not os.environ.get("PSYCOXIDE_TEST_DSN"):
        print("no server: run me under tools/pgserver.py run", file=sys.stderr)
        return 2
    chosen = workloads.choose(options.workloads)
    named = options.drivers.split(",") if options.drivers else None
    tables.create({table for name in chosen for table in workloads.ALL[name].tables})
    everything: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with nullcontext(False) if options.asleep else awake() as kept_awake:
        if not kept_awake and not options.asleep:
            print(f"processors that are idle may sleep: {LATENCY} cannot be written")
        for name in chosen:
            workload = workloads.ALL[name]
            concerned = [
                one
                for one in named or workload.drivers or DEFAULT
                if one in (workload.drivers or DRIVERS)
            ]
            runs, absent = measure(name, concerned, options.reps)
            report.workload(workload, runs, absent)
            everything[name] = runs
            if options.out:
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(everything, indent=1))
    report.summary(everything, [one for one in DRIVERS if not named or one in named])
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benches", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-w", "--workloads", default="default")
    parser.add_argument("-r", "--reps", type=int, default=5)
    parser.add_argument("-d", "--drivers")
    parser.add_argument("-o", "--out", type=Path, default=Path(".cache/bench.json"))
    parser.add_argument("--asleep", action="store_true", help="let idle processors sleep")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    unknown = [name for name in (options.drivers or BASELINE).split(",") if name not in DRIVERS]
    if unknown:
        parser.error(f"no such driver: {', '.join(unknown)} (there are {', '.join(DRIVERS)})")
    try:
        workloads.choose(options.workloads)
    except KeyError as error:
        parser.error(f"no such workload or group: {error.args[0]} (see --list)")
    return options


def measure(
    name: str, drivers: list[str], reps: int
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """All repetitions of one workload, and the reasons of missing drivers."""
    runs: dict[str, list[dict[str, Any]]] = {driver: [] for driver in drivers}
    absent: dict[str, str] = {}
    for rep in range(reps):
        # Each begins in turn: the run or the pause before a driver affects its figures.
        present = [driver for driver in drivers if driver not in absent]
        first = rep % max(len(present), 1)
        for driver in present[first:] + present[:first]:
            result = once(driver, name)
            if "absent" in result:
                absent[driver] = result["absent"]
            else:
                runs[driver].append(result)
    return runs, absent


def once(driver: str, name: str) -> dict[str, Any]:
    """One measurement, in a process of its own."""
    command = [sys.executable, str(HERE / "worker.py"), driver, name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return {"absent": f"took more than {LIMIT} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        return {"absent": f"failed: {lines[-1][:120]}"}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    sys.exit(main())
