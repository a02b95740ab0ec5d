"""Packages of npm, in a folder of our own: nothing is installed for the whole machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("PSYCOXIDE_NPM") or ROOT / ".cache" / "npm").absolute()


class Unavailable(Exception):
    """npm, or one of its packages, cannot be installed, with the reason."""


def package(name: str) -> Path:
    """The folder of the package with this name, if it is installed."""
    return FOLDER / "node_modules" / name


def install(packages: Sequence[str]) -> None:
    """Install packages, each named with its version. Raises Unavailable."""
    if not shutil.which("npm"):
        raise Unavailable("there is no npm here")
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", "."]
    # No package's own script runs; and all are in one folder, whatever peers they ask for.
    command += ["--ignore-scripts", "--legacy-peer-deps"]
    done = subprocess.run([*command, *packages], cwd=FOLDER, stdout=2, check=False)
    if done.returncode:
        raise Unavailable("npm could not install it")
