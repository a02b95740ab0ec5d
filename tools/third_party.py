#!/usr/bin/env python3
"""Writes THIRD-PARTY-LICENSES.txt: the licences of everything that is linked into the wheels.

    tools/third_party.py [--check]     with --check it writes nothing, and fails if the file is old

The crates come from `cargo metadata`, for the platforms that `deny.toml` names: what only builds or
tests need is not among them, nor are macros, which run in the compiler. The texts are the files of
the crates themselves. Of a crate that leaves the choice of a licence, MIT is taken if it is one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import requirements

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "THIRD-PARTY-LICENSES.txt"
# The crate that becomes the native module.
MODULE = "psycoxide-py"
# Names of files with licences, and with notices that belong to them.
_LICENCE = re.compile(r"(un)?licen[cs]e|copying|copyright", re.IGNORECASE)
_NOTICE = re.compile(r"notice", re.IGNORECASE)
_RULE = "=" * 88

HEADER = """\
The wheels of psycoxide contain, in compiled form, the Rust crates below, and Rust's standard
library. Not all of them are in the wheel of every platform; the SBOM in its .dist-info says which.
Where a crate leaves the choice of a licence, and MIT is one of them, it is used under MIT.

Written by tools/third_party.py of the sources of the crates that Cargo.lock names.
"""

STANDARD_LIBRARY = """\
Rust's standard library: MIT OR Apache-2.0

Copyright (c) The Rust Project Contributors

The crates that it is made with (hashbrown, gimli, rustc-demangle and others) leave the same choice.
The notices of all of its files: https://github.com/rust-lang/rust/blob/master/COPYRIGHT
"""


class Incomplete(Exception):
    """A crate has no file with its licence, or cargo cannot name the crates."""


@dataclasses.dataclass(frozen=True, order=True)
class Crate:
    """A crate that is linked in, and the folder of its source."""

    name: str
    version: str
    licence: str
    folder: Path = dataclasses.field(compare=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def texts(self) -> list[str]:
        """The texts of its licences and notices. Raises Incomplete if it has none."""
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        licences = [path for path in files if _LICENCE.match(path.name)]
        if leaves_choice(self.licence):
            licences = [path for path in licences if "mit" in path.name.lower()] or licences
        if not licences:
            raise Incomplete(f"{self}: no file with its licence in {self.folder}")
        notices = [path for path in files if _NOTICE.match(path.name)]
        return [path.read_text(encoding="utf-8").strip() for path in [*licences, *notices]]


def leaves_choice(licence: str) -> bool:
    """Whether this expression of SPDX, or one in cargo's old form, allows MIT alone."""
    parts = re.split(r"\s+OR\s+|/", licence)
    return len(parts) > 1 and "MIT" in parts


def platforms() -> list[str]:
    return list(requirements.read_toml(ROOT / "deny.toml")["graph"]["targets"])


def metadata(platform: str) -> dict[str, Any]:
    """What `cargo metadata` says of the workspace on this platform."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    done = subprocess.run(
        [*command, "--filter-platform", platform],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Incomplete(f"cargo metadata failed: {done.stderr.strip()}")
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def linked(metadata: dict[str, Any]) -> set[Crate]:
    """The crates, other than ours, whose code is in the native module."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [key for key, package in packages.items() if package["name"] == MODULE]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        kinds = {kind for target in packages[key]["targets"] for kind in target["kind"]}
        if key in seen or "proc-macro" in kinds:
            continue
        seen.add(key)
        waiting += [
            used["pkg"]
            for used in nodes[key]["deps"]
            if any(kind["kind"] is None for kind in used["dep_kinds"])
        ]
    return {
        Crate(
            package["name"],
            package["version"],
            package["license"] or "see below",
            Path(package["manifest_path"]).parent,
        )
        for package in map(packages.__getitem__, seen)
        if package["source"] is not None
    }


def everywhere() -> list[Crate]:
    """The crates that are linked in on any of the platforms."""
    return sorted(set().union(*(linked(metadata(platform)) for platform in platforms())))


def by_text(crates: Iterable[Crate]) -> Iterator[tuple[str, list[Crate]]]:
    """Each text once, with its crates. Texts that differ in their line breaks only are the same."""
    users: dict[str, list[Crate]] = {}
    texts: dict[str, str] = {}
    for crate in crates:
        for text in crate.texts():
            key = " ".join(text.split())
            texts.setdefault(key, text)
            users.setdefault(key, []).append(crate)
    for key, text in texts.items():
        yield text, users[key]


def render(crates: list[Crate]) -> str:
    """The whole file."""
    listed = "".join(f"  {crate}: {crate.licence}\n" for crate in crates)
    # The text of MIT is the same for all; what differs is who has the copyright.
    ours = (ROOT / "LICENSE-MIT").read_text(encoding="utf-8")
    permission = ours[ours.index("Permission is hereby granted") :]
    parts = [HEADER, listed, f"{STANDARD_LIBRARY}\n{permission}"]
    for text, users in by_text(crates):
        names = ", ".join(dict.fromkeys(str(crate) for crate in users))
        parts.append(f"{names}\n\n{text}\n")
    whole = f"\n{_RULE}\n\n".join(parts)
    return "".join(f"{line.rstrip()}\n" for line in whole.splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    try:
        text = render(everywhere())
    except Incomplete as error:
        print(f"third_party: {error}", file=sys.stderr)
        return 1
    if not options.check:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print(f"{FILE.name} is old: run tools/third_party.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
