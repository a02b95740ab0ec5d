#!/usr/bin/env python3
"""Write what the checks came to, for both drivers, into docs/reliability.md.

    tests/torture/report.py OURS.json THEIRS.json

The results are those of `make torture TORTURE=--results=OURS.json`, and of
`make torture TORTURE='--driver=psycopg2 --results=THEIRS.json'`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- checks -->\n", "<!-- end of checks -->\n"
SUBJECTS = {
    "A": "The connection is lost",
    "B": "Cancelling, timeouts, signals",
    "C": "Threads, forks, garbage, the interpreter's end",
    "D": "The program's own callbacks fail",
    "E": "What changes in a session",
    "F": "Odd data",
    "G": "A server that lies",
    "H": "Authentication and TLS",
    "I": "Configuration and secrets",
    "J": "Hosts, poolers, failover",
    "K": "Resources",
    "L": "Bounds on time, and signals",
}
WORDS = {"pass": "passes", "fail": "**fails**", "hang": "**hangs**", "crash": "**crashes**"}


def main(ours: list[dict[str, str]], psycopg2: list[dict[str, str]]) -> None:
    theirs = {row["id"]: row for row in psycopg2}
    loops = [row for row in ours if row["way"] != "blocking"]
    ours = [row for row in ours if row["way"] == "blocking"]
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(head + BEGIN + "\n".join(["", *tables(ours, loops, theirs), ""]) + END + tail)


def tables(
    ours: list[dict[str, str]], loops: list[dict[str, str]], theirs: dict[str, dict[str, str]]
) -> list[str]:
    of_loop = {way: [row for row in loops if row["way"] == way] for way in ("asyncio", "uvloop")}
    on_loops = {f"its aio on {way}": rows for way, rows in of_loop.items()}
    counts = {"psycoxide": ours, **on_loops, "psycopg2": list(theirs.values())}
    lines = [", ".join(f"{count(rows)} for {name}" for name, rows in counts.items()) + "."]
    for letter, subject in SUBJECTS.items():
        rows = [row for row in ours if row["id"].startswith(letter)]
        if not rows:
            continue
        lines += [
            "",
            f"### {subject}",
            "",
            "| | what must hold | psycoxide | its aio | psycopg2 |",
            "|-|-|-|-|-|",
        ]
        for row in rows:
            title = row["title"].replace("|", "\\|")
            other = theirs.get(row["id"], {}).get("result", "skip")
            tried = [each["result"] for each in loops if each["id"] == row["id"]]
            words = map(word, (row["result"], worst(tried), other))
            lines.append(f"| {row['id']} | {title} | {' | '.join(words)} |")
    return lines


def worst(results: list[str]) -> str:
    """What the loops came to, taken together; "skip" for none."""
    return max(results, key=["skip", "pass", "fail", "hang", "crash"].index, default="skip")


def word(result: str) -> str:
    return WORDS.get(result, "not run")


def count(rows: list[dict[str, str]]) -> str:
    run = [row for row in rows if row["result"] != "skip"]
    passed = sum(row["result"] == "pass" for row in run)
    return f"{passed} of {len(run)} pass"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*(json.loads(Path(name).read_text()) for name in sys.argv[1:]))
