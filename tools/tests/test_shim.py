"""To pip the shim is a distribution like those that pip has installed itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

from fixtures.environments import Environment

import psycoxide

LEVEL = psycoxide.__version__.split()[0]


@pytest.fixture
def environment(tmp_path):
    made = Environment(tmp_path / "venv")
    made.shim("install")
    return made


def pip(environment: Environment, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment.interpreter, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.returncode} {done.stdout}{done.stderr}"


def listed(environment: Environment) -> dict[str, str]:
    said = pip(environment, "list", "--format=freeze")
    return dict(line.split("==") for line in said.removeprefix("0 ").splitlines() if "==" in line)


def test_it_is_listed_and_whole(environment):
    found = listed(environment)
    assert (found["psycopg2"], found["psycopg2-binary"]) == (LEVEL, LEVEL)
    assert "psycopg2/__init__.py" in pip(environment, "show", "-f", "psycopg2")
    assert pip(environment, "check").startswith("0 No broken requirements found.")


@pytest.mark.parametrize(
    ("requirement", "is_met"),
    [("psycopg2>=2.9", True), ("psycopg2-binary~=2.9.0", True), ("psycopg2<2.9", False)],
)
def test_what_requires_it_is_satisfied(environment, requirement, is_met):
    environment.distribution("client", "1", Requires_Dist=requirement)
    assert pip(environment, "check").startswith("0 " if is_met else "1 ")
    said = pip(environment, "install", "--no-index", "--dry-run", requirement)
    assert said.startswith("0 " if is_met else "1 ")
    assert (f"already satisfied: {requirement}" in said) == is_met


@pytest.mark.parametrize("first", [("psycopg2", "psycopg2-binary"), ("psycopg2-binary",)])
def test_it_can_be_uninstalled(environment, first):
    # Compiled, as it is after its first import.
    environment.python("-c", "import psycopg2")
    assert pip(environment, "uninstall", "-y", *first).startswith("0 ")
    assert set(first).isdisjoint(listed(environment))
    pip(environment, "uninstall", "-y", "psycopg2")
    assert [path.name for path in environment.site.glob("psycopg2*")] == []
    assert environment.shim("install").startswith("0 psycopg2 is psycoxide in ")
    assert len(list(environment.site.glob("psycopg2*"))) == 3


def test_it_misses_psycoxide_when_that_is_gone(environment):
    (info,) = environment.site.glob("psycoxide-*.dist-info")
    info.rename(environment.folder / "gone")
    assert f"psycopg2 {LEVEL} requires psycoxide, which is not installed." in pip(
        environment, "check"
    )
