#!/usr/bin/env python3
"""Proves the one rule of the house: proto and sql <- net <- py, and never back.

Read from `cargo metadata`, so no source is parsed for it. Also: the crates that must know nothing
of Python, sockets or randomness do not depend on what would give it to them, and the crates that
hold no unsafe code forbid it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# What each crate of the workspace may use of the others.
MAY_USE: dict[str, set[str]] = {
    "psycoxide-proto": set(),
    "psycoxide-sql": set(),
    "psycoxide-net": {"psycoxide-proto", "psycoxide-sql"},
    "psycoxide-py": {"psycoxide-proto", "psycoxide-sql", "psycoxide-net"},
}

# Time, sockets, randomness and Python come in as arguments, so these may not be linked in.
OUTSIDE_WORLD = {"getrandom", "rand", "socket2", "rustix", "libc", "tokio", "mio"}
PYTHON = {"pyo3", "pyo3-ffi", "pyo3-macros"}
MUST_NOT_USE: dict[str, set[str]] = {
    "psycoxide-proto": OUTSIDE_WORLD | PYTHON,
    "psycoxide-sql": OUTSIDE_WORLD | PYTHON,
    "psycoxide-net": PYTHON,
}

FORBID_UNSAFE = ["psycoxide-proto", "psycoxide-sql"]


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
    """What breaks the rule, in words."""
    wrong = []
    for package in packages:
        name = package["name"]
        if name not in MAY_USE:
            wrong.append(f"{name}: not in the table of tools/check_layering.py; give it a place")
            continue
        # Tests may use whatever helps them; what ships may not.
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


def main() -> int:
    wrong = check(metadata()["packages"])
    for line in wrong:
        print(f"layering: {line}")
    if not wrong:
        print("layering: proto and sql <- net <- py holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
