#!/usr/bin/env python3
"""Generate the sync API from the asyncio API, and the tests of the one from those of the other.

    generate_sync.py           write the files
    generate_sync.py --check   exit with status 1, naming them, if one is stale, missing or too much

`python/psycoxide/sync` is made from `python/psycoxide/aio`, `tests/sync` from `tests/aio`:
`twins/` has the rules. A file that is the same in both is an error: it belongs where both
can import it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from twins import without_async
from twins.marks import has_twin
from twins.names import check_left_over
from twins.source import Untranslatable

ROOT = Path(__file__).resolve().parent.parent
# Folders of sources, and the folders that are generated from them.
FOLDERS = {"python/psycoxide/aio": "python/psycoxide/sync", "tests/aio": "tests/sync"}
HEADER = "# Generated from {source} by tools/generate_sync.py: do not edit.\n"


class Wrong(Exception):
    """Sources that cannot be generated from, or files that may not be overwritten."""


def twin(text: str, source: str, target: str) -> str:
    """The text of a generated file, formatted. Raises Untranslatable."""
    changed = without_async(text)
    if changed == text:
        raise Untranslatable("1: there is nothing asynchronous in it: it needs no twin")
    text = formatted(HEADER.format(source=source) + changed, target)
    check_left_over(text)
    return text


def formatted(text: str, name: str) -> str:
    """Without imports that have no use any more, lists of names in order, and formatted."""
    ruff = [sys.executable, "-m", "ruff"]
    steps = (
        ["check", "--quiet", "--fix-only", "--select=F401,I,RUF022"],
        ["format", "--quiet"],
    )
    for step in steps:
        done = subprocess.run(
            [*ruff, *step, "--stdin-filename", name, "-"],
            input=text,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode or not done.stdout:
            raise Wrong(f"ruff {step[0]} of {name}: {done.stderr or done.stdout}")
        text = done.stdout
    return text


def outputs(root: Path) -> dict[Path, str]:
    """The generated files and their texts."""
    found = {}
    for source_folder, target_folder in FOLDERS.items():
        for path in sorted((root / source_folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if not has_twin(text):
                continue
            target = root / target_folder / path.relative_to(root / source_folder)
            names = (each.relative_to(root).as_posix() for each in (path, target))
            try:
                found[target] = twin(text, *names)
            except Untranslatable as error:
                raise Wrong(f"{path.relative_to(root)}:{error}") from error
    return found


def superfluous(root: Path, found: dict[Path, str]) -> Iterator[Path]:
    """Files in the generated folders that no source has."""
    for folder in FOLDERS.values():
        yield from (path for path in sorted((root / folder).rglob("*.py")) if path not in found)


def check(root: Path) -> list[str]:
    """What is wrong with the generated files, a line each."""
    found = outputs(root)
    lines = [f"{path.relative_to(root)} has no source" for path in superfluous(root, found)]
    for path, text in found.items():
        if not path.exists():
            lines.append(f"{path.relative_to(root)} is missing")
        elif path.read_text(encoding="utf-8") != text:
            lines.append(f"{path.relative_to(root)} is stale")
    return lines


def write(root: Path) -> None:
    """Write what is stale or missing; remove what has no source, if it was generated."""
    found = outputs(root)
    for path in superfluous(root, found):
        if not path.read_text(encoding="utf-8").startswith(HEADER.split("{")[0]):
            raise Wrong(f"{path.relative_to(root)} has no source, and was not generated: remove it")
        path.unlink()
    for path, text in found.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def main(root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    arguments = parser.parse_args()
    try:
        if not arguments.check:
            write(root)
            return 0
        lines = check(root)
    except Wrong as error:
        print(error)
        return 1
    for line in lines:
        print(f"{line}: run tools/generate_sync.py")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
