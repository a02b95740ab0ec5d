"""Checks in processes of their own: what becomes of one that crashes, hangs or fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent

CONFTEST = """
import contextlib, os, pathlib
from fixtures import isolated
from fixtures.isolated import Reporter, Runner

def pytest_addoption(parser):
    parser.addoption("--report-to", type=pathlib.Path)

def pytest_configure(config):
    config.pluginmanager.register(isolated)
    surroundings = lambda: contextlib.nullcontext({**os.environ, "AROUND": "yes"})
    if config.option.report_to:
        config.pluginmanager.register(Reporter(config, config.option.report_to))
    else:
        config.pluginmanager.register(Runner(config, surroundings, jobs=2, again=True))
"""

CHECKS = """
import os, pathlib, signal, time, pytest

def check(timeout=20, **more):
    return lambda f: pytest.mark.timeout(timeout, method="thread")(
        pytest.mark.check(timeout=timeout, **more)(f))

MARK = pathlib.Path(__file__).with_name("mark")

@check(alone=True)
def test_is_the_last():
    assert MARK.exists() and os.environ["AROUND"] == "yes"

@check()
def test_passes():
    assert os.getpid() == os.getsid(0)

@check()
def test_fails():
    assert 1 + 1 == 3

@check()
def test_is_skipped():
    pytest.skip("for a reason")

@check()
def test_crashes():
    os.abort()

@check()
def test_leaves():
    os._exit(0)

@check(timeout=1, alone=True)
def test_hangs():
    time.sleep(60)

@check()
def test_fails_once():
    if not MARK.exists():
        MARK.touch()
        pytest.fail("the first time")

@check()
def test_forks():
    if os.fork() == 0:
        os._exit(7)
    os.wait()
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("checks")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_checks.py").write_text(CHECKS)
    command = [sys.executable, "-m", "pytest", "-v", "--color=no"]
    command += ["--rootdir", ".", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("check", "result"),
    [
        ("passes", "PASSED in "),
        ("is_the_last", "PASSED in "),
        ("forks", "PASSED in "),
        ("fails_once", "PASSED in "),
        ("is_skipped", "SKIPPED "),
        ("fails", "FAILED "),
        ("crashes", "CRASH "),
        ("leaves", "CRASH "),
        ("hangs", "HANG "),
    ],
)
def test_each_has_its_result(said, check, result):
    assert f"::test_{check} {result}" in said


def test_all_are_counted(said):
    assert said.splitlines()[-1].strip("= ").startswith("4 failed, 4 passed, 1 skipped")


def test_what_failed_once_is_told(said):
    assert "unsteady: test_fails_once: fail once, then passed" in said
    assert "the first time" in said
    assert said.count("unsteady") == 1


def test_why_is_told(said):
    assert "assert (1 + 1) == 3" in said
    assert "Fatal Python error: Aborted" in said
    assert "time.sleep(60)" in said


@pytest.mark.parametrize("asked", [False, True])
def test_torture_runs_only_if_it_is_asked_for(asked):
    given = ["tests", "--ignore-glob=*/tests/[!t]*", *(["tests/torture"] if asked else [])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *given],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "tests/tls/test_matrix.py" in done.stdout
    assert ("tests/torture/test_a_loss.py" in done.stdout) == asked
