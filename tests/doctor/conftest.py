"""The command, run as users run it, in surroundings that say nothing of a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Every test has this one for a password where the right one does not matter. It has characters
# that are written otherwise in a URI and in quotes.
HUSH = "hush'hush/pass@word"


class Doctor:
    """Runs the command."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def environment(self, **env: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "PSYCOXIDE_", "KRB5", "NO_COLOR"))
        }
        return {**kept, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **env}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "psycoxide", "doctor", *arguments],
            env=self.environment(**env),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def text(self, *arguments: str, secrets: tuple[str, ...] = (), **env: str) -> tuple[int, str]:
        """The exit code, and what it prints for people, without line breaks."""
        process = self.start(*arguments, **env)
        printed, errors = process.communicate(timeout=60)
        for secret in (HUSH, *secrets):
            assert secret not in printed + errors
        assert not errors
        return process.returncode, " ".join(printed.split())

    def report(
        self, *arguments: str, secrets: tuple[str, ...] = (), **env: str
    ) -> tuple[int, dict[str, Any]]:
        """The exit code, and what it prints as JSON.

        Whatever it prints for people is in there as well.
        """
        process = self.start(*arguments, "--json", **env)
        printed, errors = process.communicate(timeout=60)
        for secret in (HUSH, *secrets):
            # As it is, and as JSON writes it.
            assert secret not in printed + errors
            assert json.dumps(secret)[1:-1] not in printed + errors
        assert not errors
        return process.returncode, json.loads(printed)


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


Written = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A function that writes a file into the home directory, for its owner only, and gives its
    path."""

    def write(name: str, text: str, mode: int = 0o600) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write
