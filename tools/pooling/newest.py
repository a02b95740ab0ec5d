"""Poolers that do not come from this machine's own packages, but from Debian sid and npm.

Those that cannot be installed are named, and left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import npm
import sid

SID = ["postgresql-18", "pgbouncer", "odyssey", "pgagroal", "pgpool2"]
NPM = ["@electric-sql/pglite@0.5.17", "@electric-sql/pglite-socket@0.2.17"]


def say(text: str) -> None:
    print(f"[poolers] {text}", file=sys.stderr, flush=True)


def ensure() -> None:
    """Install the missing poolers, each from its source."""
    try:
        sid.ensure(SID)
    except (sid.Unavailable, sid.Failed) as reason:
        say(f"left out, what comes from Debian sid: {reason}")
    from_npm()


def from_npm() -> None:
    """PGlite."""
    if npm.package("@electric-sql/pglite-socket").exists():
        return
    say(f"installing {' and '.join(NPM)} in {npm.FOLDER}")
    try:
        npm.install(NPM)
    except npm.Unavailable as reason:
        say(f"left out: PGlite ({reason})")
