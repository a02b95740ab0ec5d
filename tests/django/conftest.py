"""Programs that use Django with the engine, each in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent / "project"
# Seconds for a program.
PATIENCE = 60

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def needs_django() -> None:
    """Without Django there is nothing to run."""
    if importlib.util.find_spec("django") is None or importlib.util.find_spec("asgiref") is None:
        pytest.skip("Django is not installed")


@pytest.fixture
def run(shop: dict[str, str], tmp_path: Path) -> Run:
    """Runs a program in a copy of the project, and returns what it prints.

    The program comes after `django.setup()`. `absent` says whether psycopg2 and psycopg are as if
    they were not installed; `database` goes into `DATABASES["default"]`.
    """
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder)

    def run(
        program: str,
        *,
        absent: bool = True,
        apps: list[str] | None = None,
        database: dict[str, Any] | None = None,
        databases: dict[str, Any] | None = None,
        before: str = "",
        **options: Any,
    ) -> str:
        env = {
            **shop,
            "DJANGO_SETTINGS_MODULE": "settings",
            "DATABASE": json.dumps({**(database or {}), "OPTIONS": options}),
            "DATABASES": json.dumps(databases or {}),
            "ABSENT": "yes" if absent else "",
        }
        if apps is not None:
            env["APPS"] = json.dumps(apps)
        text = f"{before}\nimport django\ndjango.setup()\n{textwrap.dedent(program)}"
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", text],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    return run
