#!/usr/bin/env python3
"""Prints the requirements of groups and extras of pyproject.toml: `requirements.py develop gssapi`.

With it `make` can install them without building the package; pyproject.toml is their only list.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pip has the same parser
    from pip._vendor import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def expand(names: list[str], pyproject: dict[str, Any]) -> list[str]:
    """The requirements of these groups and extras, each once.

    A group may include others, and name extras as `project[a,b]`; so may an extra. Raises KeyError
    for a name that is neither.
    """
    groups = pyproject.get("dependency-groups", {})
    extras = pyproject["project"].get("optional-dependencies", {})
    project = re.escape(pyproject["project"]["name"])
    found: list[str] = []
    for name in names:
        for requirement in groups[name] if name in groups else extras[name]:
            if isinstance(requirement, dict):
                wanted = expand([requirement["include-group"]], pyproject)
            elif inner := re.fullmatch(rf"{project}\[([\w,\s-]+)\]", requirement):
                own = {**pyproject, "dependency-groups": {}}
                wanted = expand([extra.strip() for extra in inner[1].split(",")], own)
            else:
                wanted = [requirement]
            found += [item for item in wanted if item not in found]
    return found


def requirements(names: list[str]) -> list[str]:
    """The requirements of these groups and extras of pyproject.toml."""
    return expand(names, read_toml(PYPROJECT))


def read_toml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> int:
    print("\n".join(requirements(sys.argv[1:])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
