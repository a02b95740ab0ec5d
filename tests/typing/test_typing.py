"""What a type checker makes of the package."""

import subprocess
import sys
from pathlib import Path

import pytest

import psycoxide

HERE = Path(__file__).resolve().parent


def test_a_program_is_accepted_with_the_types_it_expects(tmp_path):
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path}", HERE / "usage.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_says_that_it_is_typed():
    assert (Path(psycoxide.__file__).parent / "py.typed").exists()
