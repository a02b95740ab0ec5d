"""Poolers that come from elsewhere than this machine's own packages: from Debian sid, and npm.

What cannot be had is named, and left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sid

ROOT = Path(__file__).resolve().parent.parent.parent
SID = ["postgresql-18", "pgbouncer", "odyssey", "pgagroal", "pgpool2"]
NPM = ["@electric-sql/pglite@0.5.17", "@electric-sql/pglite-socket@0.2.17"]
NPM_FOLDER = Path(os.environ.get("PSYCOXIDE_NPM") or ROOT / ".cache" / "npm")


def say(text: str) -> None:
    print(f"[poolers] {text}", file=sys.stderr, flush=True)


def ensure() -> None:
    """Install what is missing, each thing where it can be had."""
    try:
        sid.ensure(SID)
    except (sid.Unavailable, sid.Failed) as reason:
        say(f"left out, what comes from Debian sid: {reason}")
    from_npm()


def from_npm() -> None:
    """PGlite, into a folder of its own."""
    if (NPM_FOLDER / "node_modules" / "@electric-sql" / "pglite-socket").exists():
        return
    if not shutil.which("npm"):
        say("left out: PGlite (there is no npm here)")
        return
    say(f"installing {' and '.join(NPM)} in {NPM_FOLDER}")
    NPM_FOLDER.mkdir(parents=True, exist_ok=True)
    # The socket server says that an older PGlite is its peer.
    command = ["npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps", "--prefix", "."]
    done = subprocess.run([*command, *NPM], cwd=NPM_FOLDER, stdout=2, check=False)
    if done.returncode:
        say("left out: PGlite (npm could not install it)")
