"""Packages of npm's, in a folder of our own: nothing is installed for the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("PSYCOXIDE_NPM") or ROOT / ".cache" / "npm").absolute()


class Unavailable(Exception):
    """npm, or a package of its, is not to be had; says why."""


def package(name: str) -> Path:
    """Where the package of this name lies, if it is installed."""
    return FOLDER / "node_modules" / name


def install(packages: Sequence[str]) -> None:
    """Install packages, each named with its version. Raises Unavailable."""
    if not shutil.which("npm"):
        raise Unavailable("there is no npm here")
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", "."]
    # No package's own script runs; and all lie in one folder, whatever peers they ask for.
    command += ["--ignore-scripts", "--legacy-peer-deps"]
    done = subprocess.run([*command, *packages], cwd=FOLDER, stdout=2, check=False)
    if done.returncode:
        raise Unavailable("npm could not install it")
