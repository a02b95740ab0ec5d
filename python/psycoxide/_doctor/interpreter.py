"""The step that looks at this interpreter: what it is, and which driver its programs import."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import platform
import sys
from pathlib import Path
from typing import Any

from psycoxide import _psycopg
from psycoxide._doctor.report import Finding

OLDEST, NEWEST = (3, 10), (3, 15)
SUPPORTED = "psycoxide supports CPython 3.10 to 3.15 with its global lock, on Linux"
# Packages that change how a program waits.
_LOOPS = ("uvloop", "gevent", "eventlet")


def interpreter() -> Finding:
    """The interpreter, the driver's version, and psycopg2 beside it."""
    facts = _facts()
    words = (
        f"{facts['implementation']} {facts['python']}, psycoxide {facts['psycoxide']}, "
        f"{_about(facts['psycopg2'])}"
    )
    unsupported = _unsupported(
        facts["implementation"], sys.version_info[:2], facts["gil"], sys.platform
    )
    if unsupported is not None:
        return Finding("failed", f"{unsupported} is not supported: {SUPPORTED}", None, facts)
    finding = Finding("ok", words, None, facts)
    if sys.version_info[:2] > NEWEST:
        finding.status = "warning"
        finding.summary = f"Python {facts['python']} is newer than this driver: {SUPPORTED}"
    installed = facts["distribution"]
    if installed is not None and installed != facts["psycoxide"]:
        finding.status = "warning"
        finding.cause = (
            f"The package that is installed says {installed}, its native module "
            f"{facts['psycoxide']}: one of them is left over."
        )
        finding.advice.append("Install psycoxide again.")
    _look_at_psycopg2(facts["psycopg2"], finding)
    return finding


def _facts() -> dict[str, Any]:
    is_enabled = getattr(sys, "_is_gil_enabled", None)
    return {
        "implementation": platform.python_implementation(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "gil": True if is_enabled is None else bool(is_enabled()),
        "psycoxide": _psycopg.__psycoxide_version__,
        "distribution": _version("psycoxide"),
        "module": _psycopg.__file__,
        "psycopg2_api": _psycopg.__version__.split()[0],
        "psycopg2": _psycopg2(),
        "beside": {name: found for name in _LOOPS if (found := _version(name)) is not None},
    }


def _unsupported(
    implementation: str, version: tuple[int, ...], gil: bool, system: str
) -> str | None:
    """What of this is not supported; None if all is."""
    if implementation != "CPython":
        return implementation
    if version < OLDEST:
        return f"Python {version[0]}.{version[1]}"
    if not gil:
        return "Python without its global lock"
    return f"The system {system}" if system in ("win32", "emscripten", "wasi") else None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _psycopg2() -> dict[str, Any]:
    """What `import psycopg2` gives a program of this interpreter."""
    from psycoxide._alias import SHIM
    from psycoxide._install_shim import _is_ours

    spec = None
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec("psycopg2")
    real = next(
        (version for name in ("psycopg2", "psycopg2-binary") if (version := _real(name))), None
    )
    if spec is None or spec.origin is None:
        return {"is": "absent", "path": None, "version": real}
    folder = Path(spec.origin).parent
    is_shim = folder.parent == Path(SHIM) or _is_ours(folder)
    return {"is": "shim" if is_shim else "real", "path": str(folder), "version": real}


def _about(found: dict[str, Any]) -> str:
    """What there is of psycopg2, in words."""
    if found["is"] == "absent":
        return "no psycopg2"
    if found["is"] == "real":
        return f"psycopg2 {found['version'] or 'of unknown version'} is installed, too"
    hidden = f", which hides the real {found['version']}" if found["version"] else ""
    return f"psycopg2 is psycoxide (the shim){hidden}"


def _real(name: str) -> str | None:
    """The version of a real psycopg2 that is installed."""
    for distribution in importlib.metadata.distributions(name=name):
        installer = (distribution.read_text("INSTALLER") or "").strip()
        if installer != "psycoxide":
            return distribution.version
    return None


def _look_at_psycopg2(found: dict[str, Any], finding: Finding) -> None:
    if found["is"] == "shim" and found["version"] is not None:
        finding.advice.append(
            "A real psycopg2 is installed as well, and hidden: remove it, or the shim (`python -m "
            "psycoxide shim remove`)."
        )
