#!/usr/bin/env python3
"""Checks the one rule of the house: proto and sql <- net and arrow <- py, and never back.

    python tools/check_layering.py [--map CRATE [ROOM ...]]

It reads `cargo metadata`. It also checks that the crates that must know nothing of Python, sockets
or randomness depend on no crate that has these, that the crates without unsafe code forbid it, and,
from the sources, that no circle of files that need each other reaches beyond one room.

`--map` prints which rooms of a crate need which others, and its circles; for the rooms that are
named, also what each file needs. A room is a folder of `src`, or a file outside of any.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import module_graph

ROOT = Path(__file__).resolve().parent.parent

# The crates of the workspace that each crate may use.
MAY_USE: dict[str, set[str]] = {
    "psycoxide-proto": set(),
    "psycoxide-sql": set(),
    "psycoxide-net": {"psycoxide-proto", "psycoxide-sql"},
    "psycoxide-arrow": {"psycoxide-proto", "psycoxide-sql"},
    "psycoxide-py": {"psycoxide-proto", "psycoxide-sql", "psycoxide-net", "psycoxide-arrow"},
}

# Time, sockets, randomness and Python come in as arguments, so these crates may not be linked in.
OUTSIDE_WORLD = {"getrandom", "rand", "socket2", "rustix", "libc", "memmap2", "tokio", "mio"}
PYTHON = {"pyo3", "pyo3-ffi", "pyo3-macros"}
MUST_NOT_USE: dict[str, set[str]] = {
    "psycoxide-proto": OUTSIDE_WORLD | PYTHON,
    "psycoxide-sql": OUTSIDE_WORLD | PYTHON,
    "psycoxide-net": PYTHON,
    "psycoxide-arrow": {"socket2", "rustix", "memmap2", "tokio", "mio"} | PYTHON,
}

FORBID_UNSAFE = ["psycoxide-proto", "psycoxide-sql", "psycoxide-arrow"]

# Rooms that may need each other: a connection runs its own statements (BEGIN, SET, COMMIT) by a
# driver, and a driver works on a connection.
TOGETHER: dict[str, list[set[str]]] = {"psycoxide-py": [{"connection", "driver"}]}


def metadata() -> dict[str, Any]:
    done = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def check(packages: list[dict[str, Any]]) -> list[str]:
    """The violations of the rule, in words."""
    wrong = []
    for package in packages:
        name = package["name"]
        if name not in MAY_USE:
            wrong.append(f"{name}: not in the table of tools/check_layering.py; give it a place")
            continue
        # Tests may use any crate; the product may not.
        used = {d["name"] for d in package["dependencies"] if d["kind"] != "dev"}
        back = {crate for crate in used if crate.startswith("psycoxide")} - MAY_USE[name]
        wrong += [f"{name} uses {crate}: the arrow points the wrong way" for crate in sorted(back)]
        known = used & MUST_NOT_USE.get(name, set())
        wrong += [f"{name} uses {crate}, which it must not know" for crate in sorted(known)]
        if name in FORBID_UNSAFE and not forbids_unsafe(package):
            wrong.append(f"{name}: src/lib.rs lacks #![forbid(unsafe_code)]")
    absent = set(MAY_USE) - {package["name"] for package in packages}
    return wrong + [f"{name}: no such crate any more" for name in sorted(absent)]


def forbids_unsafe(package: dict[str, Any]) -> bool:
    library = Path(package["manifest_path"]).parent / "src" / "lib.rs"
    return "#![forbid(unsafe_code)]" in library.read_text()


def graph(crate: str) -> module_graph.Graph:
    return module_graph.graph(ROOT / "crates" / crate / "src")


def wide_circles(crate: str, edges: module_graph.Graph) -> list[str]:
    """The circles that reach beyond one room, in words."""
    wrong = []
    for circle in module_graph.circles(edges):
        rooms = {module_graph.room(file) for file in circle}
        if len(rooms) > 1 and rooms not in TOGETHER.get(crate, []):
            arrows = "".join(f"\n    {arrow}" for arrow in module_graph.arrows(edges, circle))
            wrong.append(f"{crate}: {len(circle)} files in several rooms need each other{arrows}")
    return wrong


def show_map(crate: str, rooms: list[str]) -> None:
    edges = graph(crate)
    room = module_graph.room
    counted = Counter((room(file), room(to)) for file, needed in edges.items() for to in needed)
    for (source, target), count in sorted(counted.items()):
        if source != target:
            back = f", and {counted[target, source]} back" if counted[target, source] else ""
            print(f"{source} -> {target}: {count}{back}")
    for file, needed in sorted(edges.items()):
        if room(file) in rooms:
            for target in sorted(needed):
                print(f"{file} -> {target}: {', '.join(sorted(needed[target]))}")
    for line in wide_circles(crate, edges):
        print(line)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--map", choices=MAY_USE, metavar="CRATE", help="what needs what in it")
    parser.add_argument("room", nargs="*", help="a room of that crate, to see every file's needs")
    options = parser.parse_args()
    if options.map:
        show_map(options.map, options.room)
        return 0
    wrong = check(metadata()["packages"])
    for crate in MAY_USE:
        wrong += wide_circles(crate, graph(crate))
    for line in wrong:
        print(f"layering: {line}")
    if not wrong:
        print("layering: proto and sql <- net <- py holds, and no circle leaves its room")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
