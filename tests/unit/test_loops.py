"""The plugin that runs `async def` tests: they run on both loops, and may leave nothing behind."""

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent

# Tests that pass, each in a way of its own.
CLEAN = """
async def test_coroutines_run(loop):
    await asyncio.sleep(0)
    is_asyncios = isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
    assert is_asyncios == (loop.kind == "asyncio")
    assert not asyncio.get_running_loop().get_debug()

def test_functions_run_once():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()

@pytest.fixture
async def made():
    return asyncio.get_running_loop()

@pytest.fixture
async def opened(made):
    assert asyncio.get_running_loop() is made
    order.append("begin")
    yield made
    assert asyncio.get_running_loop() is made
    order.append("end")

order = []

async def test_fixtures_run_on_the_loop_of_the_test(opened):
    assert order[-1] == "begin"
    assert asyncio.get_running_loop() is opened

def test_the_fixture_has_ended():
    assert order == ["begin", "end"] * (len(order) // 2) != []

@pytest.mark.parametrize("number", [1, 2])
async def test_parameters_are_given(number):
    assert number in (1, 2)

async def test_what_ends_in_the_last_turn_is_not_left():
    asyncio.ensure_future(asyncio.sleep(9)).cancel()

async def test_what_is_expected_is_not_left(loop):
    with pytest.warns(ResourceWarning):
        del unclosed().x
    asyncio.get_running_loop().call_exception_handler({"message": "expected"})
    assert "expected" in loop.left.pop()

async def test_older_things_are_not_of_this_test():
    assert older.cycle is older

async def test_what_is_skipped():
    pytest.skip("a reason")
"""

# Tests that leave something behind, with what is said of it.
UNCLEAN = {
    "a_task": ("keep(asyncio.ensure_future(asyncio.sleep(9)))", "a task: <Task pending"),
    "a_future": ("keep(asyncio.get_running_loop().create_future())", "a future: <Future pending"),
    "an_exception_of_a_task_that_is_gone": (
        "asyncio.ensure_future(fail()); await asyncio.sleep(0)",
        "Task exception was never retrieved: ValueError('mine')",
    ),
    "an_exception_of_a_future_that_is_kept": (
        "keep(asyncio.get_running_loop().create_future()).set_exception(ValueError('mine'))",
        "a future: <Future finished exception=ValueError('mine')",
    ),
    "a_task_that_is_destroyed": (
        "forever = Cycle(); forever.task = asyncio.ensure_future(forever.wait());"
        "await asyncio.sleep(0)",
        "Task was destroyed but it is pending!",
    ),
    "an_exception_of_a_callback": (
        "asyncio.get_running_loop().call_soon(int, 'mine'); await asyncio.sleep(0)",
        "ValueError(\"invalid literal for int() with base 10: 'mine'\")",
    ),
    "a_reader": (
        "asyncio.get_running_loop().add_reader(os.pipe()[0], print)",
        "a reader or writer of descriptor ",
    ),
    "a_writer": (
        "asyncio.get_running_loop().add_writer(os.pipe()[1], print)",
        "a reader or writer of descriptor ",
    ),
    "a_transport": (
        "pair = keep(socket.socketpair())\n"
        "    await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=pair[0])",
        "ResourceWarning: unclosed ",
    ),
    "a_warning": ("unclosed()", "ResourceWarning: unclosed <Unclosed>"),
    "a_warning_when_collected": (
        "one = Cycle(); one.unclosed = unclosed(); one.one = one",
        "ResourceWarning: unclosed <Unclosed>",
    ),
    "an_exception_that_cannot_be_raised": ("Faulty()", "ignored: KeyError('mine')"),
}

PREFACE = """
import asyncio, os, socket, warnings
import pytest

kept = []

def keep(one):
    kept.append(one)
    return one

class Cycle:
    async def wait(self):
        # Nothing but this task holds what it waits for.
        await asyncio.get_running_loop().create_future()

class Unclosed:
    x = None
    def __init__(self):
        self.x = Warns()

class Warns:
    def __del__(self):
        warnings.warn("unclosed <Unclosed>", ResourceWarning)

class Faulty:
    def __del__(self):
        raise KeyError("mine")

unclosed = Unclosed
older = Cycle()
older.cycle = older

async def fail():
    raise ValueError("mine")
"""


def text_of_tests():
    unclean = "".join(
        f"\nasync def test_{name}():\n    {code}\n" for name, (code, _) in UNCLEAN.items()
    )
    faults = """
async def test_a_failure_is_told_alone():
    keep(asyncio.ensure_future(asyncio.sleep(9)))
    assert 1 == 2

@pytest.fixture
async def asynchronous():
    return 1

def test_a_function_cannot_have_it(asynchronous):
    pass
"""
    return PREFACE + CLEAN + unclean + faults


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Of each test, by its name: the failure and error texts of its runs."""
    folder = tmp_path_factory.mktemp("loops")
    (folder / "test_them.py").write_text(text_of_tests())
    report = folder / "report.xml"
    options = ["-p", "fixtures.loops", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--junit-xml={report}", "test_them.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert report.exists(), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, _, parameters = case.get("name").partition("[")
        runs = found.setdefault(name.removeprefix("test_"), {})
        told = [(each.tag, each.text or each.get("message")) for each in case]
        runs.setdefault(parameters.rstrip("]"), []).extend(told)
    return found


needs_uvloop = pytest.mark.skipif(
    importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed"
)
LOOPS = ["asyncio", pytest.param("uvloop", marks=needs_uvloop)]


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(
    "name",
    [
        "coroutines_run",
        "fixtures_run_on_the_loop_of_the_test",
        "what_ends_in_the_last_turn_is_not_left",
        "what_is_expected_is_not_left",
        "older_things_are_not_of_this_test",
    ],
)
def test_a_clean_test_passes_on_each_loop(outcomes, name, kind):
    assert outcomes[name][kind] == []


@pytest.mark.parametrize("kind", LOOPS)
def test_parameters_and_loops_are_combined(outcomes, kind):
    found = outcomes["parameters_are_given"]
    assert (found[f"{kind}-1"], found[f"{kind}-2"]) == ([], [])


@pytest.mark.parametrize("name", ["functions_run_once", "the_fixture_has_ended"])
def test_a_function_runs_once_and_without_a_loop(outcomes, name):
    assert outcomes[name] == {"": []}


@pytest.mark.parametrize("kind", LOOPS)
def test_a_test_may_skip(outcomes, kind):
    [(tag, _)] = outcomes["what_is_skipped"][kind]
    assert tag == "skipped"


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("name", UNCLEAN)
def test_what_is_left_behind_is_told(outcomes, name, kind):
    [(tag, text)] = outcomes[name][kind]
    assert tag == "error"
    assert "left behind:\n" in text
    assert UNCLEAN[name][1] in text


@pytest.mark.parametrize("kind", LOOPS)
def test_a_failure_is_told_and_not_what_it_left(outcomes, kind):
    [(tag, text)] = outcomes["a_failure_is_told_alone"][kind]
    assert tag == "failure"
    assert "assert 1 == 2" in text


def test_a_function_cannot_have_an_asynchronous_fixture(outcomes):
    [[(tag, text)]] = outcomes["a_function_cannot_have_it"].values()
    assert tag == "error"
    assert "asynchronous is asynchronous: the test has to be, too" in text
