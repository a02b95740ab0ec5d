"""Each scenario runs on every pooler, with psycopg2 first and then with psycoxide.

A scenario that fails with psycopg2 is a fault of the pooler's, and expected. With psycoxide it may
fail only if it did as badly with psycopg2. What hangs is cut off after its time, and a pooler in
front of which something went wrong is started again for the next scenario.

PSYCOXIDE_POOLERS names the rows that run: "all", or words that are in their names; without it the
poolers of this machine's own that need no chroot, with psycoxide alone. DRIVER=psycopg2 runs the
scenarios with that driver only. PSYCOXIDE_POOLERS_REPORT names a file for what was seen, as JSON.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .peers.places import Missing
from .peers.rows import ROWS, Row, Site
from .through import DRIVERS, Through
from .verdicts import Hangs, Verdict, judge

CHOSEN = os.environ.get("PSYCOXIDE_POOLERS", "")
DRIVER = os.environ.get("DRIVER", "")
# Seconds after a scenario's time, when the tests end themselves if nothing else helped.
LAST_RESORT = 60.0

seen: dict[tuple[str, str, str], Verdict] = {}
missing: dict[str, str] = {}
columns: dict[str, str] = {}
poolers: dict[str, dict[str, Any]] = {}
through_key = pytest.StashKey[Through]()


def rows() -> list[Row]:
    if not CHOSEN:
        return [row for row in ROWS if str(row).startswith("pgbouncer-debian12")]
    words = CHOSEN.split()
    return [row for row in ROWS if CHOSEN == "all" or any(word in str(row) for word in words)]


def drivers() -> list[str]:
    if DRIVER:
        return [DRIVER]
    return list(DRIVERS) if CHOSEN else ["psycoxide"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "row" in metafunc.fixturenames:
        metafunc.parametrize("row", rows(), ids=str, scope="session")
    if "driver_name" in metafunc.fixturenames:
        metafunc.parametrize("driver_name", drivers())


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The servers and the pooler that run."""
    made = Site()
    yield made
    made.close()


@pytest.fixture
def through(
    request: pytest.FixtureRequest, site: Site, row: Row, driver_name: str
) -> Iterator[Through]:
    """A driver, and a pooler to go through, with nobody else on it."""
    only = request.node.get_closest_marker("only")
    if only and row.product.title.lower() not in only.args:
        pytest.skip(f"not for {row.product.title}")
    try:
        pooler = site.open(row)
    except Missing as reason:
        missing[str(row)] = str(reason)
        pytest.skip(f"{row}: {reason}")
    reference = seen.get((str(row), name_of(request.node), "psycopg2"))
    if pooler.spares and reference is not None and reference.outcome != "works":
        pytest.skip(f"with psycopg2 this {reference.outcome} on {pooler.title}")
    poolers[str(row)] = {
        "title": pooler.title,
        "version": pooler.version,
        "mode": pooler.mode,
        "place": row.place,
        "unsteady": pooler.mode in pooler.unsteady,
        "server": f"PostgreSQL {pooler.server.version}" if pooler.server else "itself",
    }
    made = Through(driver_name, pooler)
    request.node.stash[through_key] = made
    yield made
    made.close()
    if made.spoiled:
        pooler.restart()
    else:
        time.sleep(pooler.settling)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Cut the scenario's connections when its time is over: that ends whatever waits for them."""
    through = pyfuncitem.stash.get(through_key, None)
    if through is None:
        return (yield)
    marker = pyfuncitem.get_closest_marker("limit")
    seconds = float(marker.args[0]) if marker else through.pooler.limit
    watchdog = threading.Timer(seconds, through.cut)
    watchdog.start()
    # psycopg2 does some of its waiting with the interpreter's lock held, which stops the watchdog.
    faulthandler.dump_traceback_later(seconds + LAST_RESORT, exit=True)
    try:
        result = yield
    except Exception as error:
        if through.was_cut:
            raise Hangs(f"not through after {seconds:g} s") from error
        raise
    finally:
        watchdog.cancel()
        faulthandler.cancel_dump_traceback_later()
    if through.was_cut:
        raise Hangs(f"not through after {seconds:g} s")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    through = item.stash.get(through_key, None)
    if through is None or call.when != "call" or report.skipped:
        return report
    error = call.excinfo.value if call.excinfo else None
    verdict = judge(error, through.records)
    through.spoiled = error is not None
    row = item.callspec.params["row"]
    name = name_of(item)
    columns[name] = item.module.TITLE
    seen[str(row), name, through.name] = verdict
    reference = seen.get((str(row), name, "psycopg2"))
    if through.name == "psycopg2" and not DRIVER:
        if report.failed:
            expect(report, verdict.why)
    elif through.pooler.mode in through.pooler.unsteady and not DRIVER:
        # The whole row is compared, by numbers, where the table is made.
        if report.failed:
            expect(report, f"unsteady: {verdict.why}")
    elif reference is not None and reference is not verdict:
        compare(report, verdict, reference)
    return report


def name_of(item: Any) -> str:
    """The name of a test without its row and its driver: "test_many.py: one that fails (first)"."""
    _, _, given = item.name.partition("[")
    params = item.callspec.params
    for fixed in (str(params["row"]), params["driver_name"]):
        given = given.replace(fixed, "")
    words = [word for word in given.rstrip("]").split("-") if word]
    title = item.originalname.removeprefix("test_").replace("_", " ")
    return f"{item.path.name}: {title}" + (f" ({', '.join(words)})" if words else "")


def compare(report: pytest.TestReport, verdict: Verdict, reference: Verdict) -> None:
    """Fail what is worse than with psycopg2, and expect what is no better."""
    if not verdict.no_worse_than(reference):
        if not report.failed:
            report.outcome = "failed"
            report.longrepr = f"recorded {verdict.records}, with psycopg2 {reference.records}"
    elif report.failed:
        expect(report, f"psycopg2 {reference.outcome}, too: {reference.why}")


def expect(report: pytest.TestReport, why: str) -> None:
    report.outcome = "skipped"
    report.wasxfail = why


def pytest_sessionfinish() -> None:
    path = os.environ.get("PSYCOXIDE_POOLERS_REPORT")
    if not path:
        return
    verdicts = [
        {
            "row": row,
            "column": columns[name],
            "scenario": name.partition(": ")[2],
            "driver": driver,
            **dataclasses.asdict(verdict),
        }
        for (row, name, driver), verdict in seen.items()
    ]
    report = {"poolers": poolers, "verdicts": verdicts, "missing": missing}
    Path(path).write_text(json.dumps(report, indent=1))


def pytest_configure(config: Any) -> None:
    if not rows():
        raise pytest.UsageError(f"no row has {CHOSEN!r} in its name: {', '.join(map(str, ROWS))}")
    config.addinivalue_line("markers", "limit(seconds): how long a scenario may take")
    config.addinivalue_line("markers", "only(pooler, ...): the poolers that a scenario is for")
