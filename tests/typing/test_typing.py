"""What type checkers make of the package: mypy and pyright, run over programs."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import psycoxide

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import type_checkers  # noqa: E402

CHECKERS = {"mypy": type_checkers.mypy, "pyright": type_checkers.pyright}
# The packages that they are in, and where of two codes behind `expect:` each one's stands.
PACKAGES = {"mypy": "mypy", "pyright": "basedpyright"}


def needs(checker):
    if importlib.util.find_spec(PACKAGES[checker]) is None:
        pytest.skip(f"{PACKAGES[checker]} is not installed")


@pytest.fixture(scope="module", params=list(CHECKERS))
def checked(request, tmp_path_factory):
    """One checker's name, and what it reports of all the programs: it starts up only once."""
    needs(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    subprocess.run([sys.executable, HERE / "public_names.py", folder], check=True)
    programs = [HERE / "usage.py", HERE / "wrong.py", folder / "names.py", folder / "stars.py"]
    return request.param, CHECKERS[request.param](programs, folder)


@pytest.mark.slow
def test_a_program_is_accepted_with_the_types_it_expects(checked):
    _, reports = checked
    assert dict(reports["usage.py"]) == {}


@pytest.mark.slow
def test_each_mistake_is_reported_and_nothing_else(checked):
    checker, reports = checked
    expected = {}
    for number, line in enumerate((HERE / "wrong.py").read_text().splitlines(), 1):
        if match := re.search(r"# expect: (\S+) (\S+)$", line):
            expected[number] = match[1 + list(CHECKERS).index(checker)]
    assert len(expected) > 40
    reported = {n: {report.code for report in found} for n, found in reports["wrong.py"].items()}
    assert reported.keys() == expected.keys()
    assert {n: code for n, code in expected.items() if code not in reported[n]} == {}


@pytest.mark.slow
def test_every_public_name_is_known(checked):
    checker, reports = checked
    unknown = {
        "mypy": {"attr-defined", "name-defined"},
        "pyright": {"reportAttributeAccessIssue", "reportUndefinedVariable"},
    }[checker]
    reported = [*reports["names.py"].values(), *reports["stars.py"].values()]
    assert [r.text for line in reported for r in line if r.code in unknown] == []


@pytest.mark.slow
def test_every_public_type_is_complete():
    needs("pyright")
    complete = type_checkers.completeness()
    incomplete = [
        (symbol["name"], [one["message"] for one in symbol["diagnostics"]])
        for symbol in complete["symbols"]
        if not symbol["isTypeKnown"]
    ]
    assert incomplete == []
    assert complete["completenessScore"] == 1
    assert complete["exportedSymbolCounts"]["withKnownType"] > 900


def test_the_package_says_that_it_is_typed():
    assert (Path(psycoxide.__file__).parent / "py.typed").exists()
