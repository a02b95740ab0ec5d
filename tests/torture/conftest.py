"""The checks of `make torture`: which of them run, beside which server, and what is kept of them.

Each has a process of its own (`fixtures/isolated.py`). A pytest that is not asked for this folder
leaves it out.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest
from fixtures.isolated import Reporter, Runner

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def pytest_addoption(parser):
    group = parser.getgroup("torture")
    group.addoption("--checks", default="", help="beginnings of ids: 'A01 B'")
    group.addoption("--driver", default="psycoxide", help="psycoxide, or psycopg2")
    group.addoption("--jobs", type=int, default=2, help="checks at a time")
    group.addoption("--again", action="store_true", help="run what failed thrice more, by itself")
    group.addoption("--results", type=Path, help="write the results as JSON to this file")
    group.addoption("--report-to", type=Path, help="run one check here, and write its reports")


def is_asked_for(config):
    """Whether pytest was given this folder, or something in it."""
    here = config.invocation_params.dir
    return any((here / arg.split("::")[0]).resolve().is_relative_to(HERE) for arg in config.args)


def pytest_ignore_collect(config):
    return None if is_asked_for(config) else True


def pytest_configure(config):
    if not is_asked_for(config):
        return
    if config.option.report_to:
        config.pluginmanager.register(Reporter(config, config.option.report_to))
    else:
        options = {"jobs": config.option.jobs, "again": config.option.again}
        runner = Runner(config, lambda: surroundings(config.option.driver), **options)
        config.pluginmanager.register(runner, "isolated_runner")


@contextlib.contextmanager
def surroundings(driver):
    import lab

    try:
        with lab.lab() as description:
            # The suite decides where it connects, not what the caller's shell happens to export.
            env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
            yield {**env, "TORTURE_DRIVER": driver, "TORTURE_LAB": json.dumps(description)}
    except lab.binaries.NoServer as error:
        pytest.exit(f"nothing was tried: {error}", 1)


def pytest_generate_tests(metafunc):
    mark = metafunc.definition.get_closest_marker("check")
    if mark and mark.kwargs["loops"] and metafunc.config.option.driver == "psycoxide":
        from ways import LOOPS

        # "Either" is that with an odd number, or that with an even one.
        number = int(metafunc.definition.name.split("_")[1][1:])
        loops = LOOPS if mark.kwargs["loops"] == "both" else (LOOPS[number % 2],)
        metafunc.parametrize("way", ("blocking", *loops), indirect=True)


def check_id(item):
    return item.name.split("_")[1].upper()


def pytest_collection_modifyitems(config, items):
    wanted = tuple(config.option.checks.split())
    if not wanted:
        return
    others = [item for item in items if is_check(item) and not check_id(item).startswith(wanted)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def is_check(item):
    return item.get_closest_marker("check") is not None


def pytest_sessionfinish(session):
    config = session.config
    runner = config.pluginmanager.get_plugin("isolated_runner")
    if runner is None or not config.option.results:
        return
    rows = [
        {
            "id": check_id(item),
            "way": item.callspec.params["way"] if hasattr(item, "callspec") else "blocking",
            "title": " ".join(item.function.__doc__.split()),
            "result": outcome.result,
            "seconds": outcome.seconds,
        }
        for item, outcome in runner.outcomes.items()
    ]
    rows.sort(key=lambda row: row["id"])
    config.option.results.write_text(json.dumps(rows, indent=1))


@pytest.fixture(autouse=True)
def way(request):
    """The way of calling that a check is run in, and the processes that it starts."""
    import ways

    found = getattr(request, "param", "blocking")
    if found == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed: pip has no wheel of it")
    ways.choose(found)


@pytest.fixture
def conn():
    """A connection to the server."""
    from support import connect

    conn = connect(application_name="t_main")
    yield conn
    with contextlib.suppress(Exception):
        conn.close()
