#!/usr/bin/env python3
"""Prints the requirements of extras of pyproject.toml: `extras.py demo test`.

With it `make` can install them without building the package; pyproject.toml is their only list.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # pip has the same parser
    from pip._vendor import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def expand(names: list[str], extras: dict[str, list[str]], project: str) -> list[str]:
    """The requirements of these extras; an extra may name others as `project[a,b]`."""
    found: list[str] = []
    for name in names:
        for requirement in extras[name]:
            inner = re.fullmatch(rf"{project}\[([\w,\s-]+)\]", requirement)
            wanted = (
                expand([n.strip() for n in inner[1].split(",")], extras, project)
                if inner
                else [requirement]
            )
            found += [item for item in wanted if item not in found]
    return found


def requirements(names: list[str]) -> list[str]:
    """The requirements of these extras of pyproject.toml."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    return expand(names, project["optional-dependencies"], project["name"])


def main() -> int:
    print("\n".join(requirements(sys.argv[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
