"""`make bench-instr`: how many instructions the native module spends on the hot paths.

    python benches/instructions.py [--update] [PATH ...]

Times waver with the machine; instructions hardly do. Each path runs under callgrind. The
instructions of the native module itself (not the interpreter's, nor the C library's) are compared
with instructions.json: more than 5 % above it fails, if compiler and Python are the same;
`--update` writes the new counts. Run it under `tools/pgserver.py run`. Without valgrind it says so
and exits with 0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "instructions.json"
ALLOWED = 1.05
LIMIT = 200  # seconds for one path

sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]

import needs  # type: ignore[import-not-found]  # noqa: E402
import paths  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--update", action="store_true", help="write the reference")
    parser.add_argument("path", nargs="*", choices=[*paths.ALL, []], metavar="PATH")
    options = parser.parse_args()
    reason = unable()
    if reason:
        print(f"instructions not counted: {reason}")
        return 0
    chosen = options.path or list(paths.ALL)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(chosen, pool.map(count, chosen)))
    reference = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {"counts": {}}
    made_by = {"rustc": version_of("rustc"), "python": platform.python_version().rpartition(".")[0]}
    same = all(reference.get(tool) == version for tool, version in made_by.items())
    grown = 0
    for name, found in counts.items():
        known = reference["counts"].get(name)
        ratio = found / known if known else 1
        grown += ratio > ALLOWED
        verdict = "  too many" if ratio > ALLOWED else ""
        print(f"{name:16} {found:12,}  {ratio - 1:+7.1%}{verdict}")
    if options.update:
        counts = {**(reference["counts"] if same else {}), **counts}
        REFERENCE.write_text(json.dumps({**made_by, "counts": counts}, indent=4) + "\n")
        return 0
    if not same:
        print(
            f"not judged: the reference is of {reference.get('rustc')}, {reference.get('python')}"
        )
        return 0
    if grown:
        print("if that is worth it: make bench-instr UPDATE=1")
    return 1 if grown else 0


def version_of(tool: str) -> str:
    """The version that a tool reports."""
    said = subprocess.run([tool, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return said.split()[1]


def unable() -> str | None:
    """The reason why instructions cannot be counted here, or nothing."""
    if platform.machine() != "x86_64":
        return "the reference is for x86-64"
    lacking: str | None = needs.lacking("valgrind")
    return lacking


def count(name: str) -> int:
    """The number of instructions that the native module executes for a path."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet",
                   sys.executable, str(HERE / "paths.py"), name]  # fmt: skip
        # The hashes of strings are the same in every run.
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        if done.returncode:
            raise SystemExit(f"{name}: {done.stdout[-2000:]}")
        return own_cost(out.read_text(), "_psycopg.")


def own_cost(profile: str, part: str) -> int:
    """The instructions of the objects with `part` in their name, without their callees' in others.

    The format is in valgrind's manual: a line `ob=(number) name` begins an object's part; the name
    is given only the first time. A line of numbers is a place and its cost; the one after `calls=`
    is the callee's cost.
    """
    names: dict[str, str] = {}
    total = 0
    inside = is_call = False
    for line in profile.splitlines():
        if line.startswith(tuple("0123456789+-*")):
            _place, *cost = line.split()  # no cost is none
            if inside and not is_call and cost:
                total += int(cost[0])
            is_call = False
        elif line.startswith("calls="):
            is_call = True
        elif found := re.match(r"(c?ob)=(\(\d+\))(?: (.*))?", line):
            kind, number, name = found.groups()
            if name:
                names[number] = name
            if kind == "ob":
                inside = part in names[number].rsplit("/", 1)[-1]
    return total


if __name__ == "__main__":
    sys.exit(main())
