"""The comparison of clients finds what is behind, and survives tests that hang and crash."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOLS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))

from clients import compare, watch  # noqa: E402
from clients.catalog import CLIENTS  # noqa: E402
from clients.compare import Comparison, Outcome  # noqa: E402
from clients.watch import Limits, Result  # noqa: E402

# Tests as the recorder reports them: one hangs, one ends the process.
PROGRAM = """
import json, os, time
def tell(**event):
    with open(os.environ["CLIENTS_EVENTS"], "a") as file:
        file.write(json.dumps(event) + "\\n")
done = open(os.environ["CLIENTS_DONE"]).read().split("\\n")
tell(event="driver", name="psycoxide", version="1")
for test in ("one", "hangs", "two", "crashes", "fails", "three"):
    if test in done:
        continue
    tell(event="start", id=test)
    if test == "hangs":
        time.sleep(600)
    if test == "crashes":
        os.abort()
    tell(event="stop", id=test, outcome="failed" if test == "fails" else "passed", text="")
tell(event="finished")
"""


def outcome(finished: bool = True, **results: str) -> Outcome:
    found = {name: Result(name, how) for name, how in results.items()}
    return Outcome({"name": "x"}, found, 1.0, finished)


def comparison(theirs: Outcome, ours: Outcome, *allowed: str) -> Comparison:
    return Comparison("Client 1", theirs, ours, list(allowed), "client")


def run(program: str, folder: Path, limits: Limits) -> tuple[watch.Events, int]:
    started = []
    events = watch.run_all(
        [sys.executable, "-c", program],
        folder,
        dict(os.environ),
        folder,
        limits,
        lambda: started.append(time.monotonic()),
    )
    return events, len(started)


def test_goes_on_after_a_hang_and_a_crash(tmp_path):
    events, processes = run(PROGRAM, tmp_path, Limits(test=2, idle=20, all=60))
    assert {test: result.outcome for test, result in events.results.items()} == {
        "one": "passed",
        "hangs": "hang",
        "two": "passed",
        "crashes": "crash",
        "fails": "failed",
        "three": "passed",
    }
    assert (events.finished, processes) == (True, 3)
    assert events.driver == {"name": "psycoxide", "version": "1"}


def test_gives_up_on_a_process_that_reaches_no_test(tmp_path):
    events, processes = run("raise SystemExit('broken')", tmp_path, Limits(2, 20, 60))
    assert (events.finished, processes) == (False, 2)
    (result,) = events.results.values()
    assert result.outcome == "crash" and "broken" in result.text


def test_has_an_end_whatever_happens(tmp_path):
    began = time.monotonic()
    events, processes = run("import time; time.sleep(600)", tmp_path, Limits(600, 600, 1))
    assert (events.finished, processes) == (False, 1)
    assert time.monotonic() - began < 20


def test_a_half_written_line_waits(tmp_path):
    path = tmp_path / "events"
    path.write_text('{"event": "start", "id": "a"}\n{"event": "sto')
    events = watch.Events(path)
    assert events.poll() and events.current == "a"
    assert not events.poll()
    with path.open("a") as file:
        file.write('p", "id": "a", "outcome": "passed", "text": ""}\n')
    assert events.poll() and events.results["a"].outcome == "passed"


def test_a_failure_outlasts_the_teardown(tmp_path):
    events = watch.Events(tmp_path / "events")
    for how in ("passed", "error", "passed"):
        events.take({"event": "stop", "id": "a", "outcome": how, "text": ""})
    assert events.results["a"].outcome == "error"


def test_behind_is_what_passes_on_psycopg2_alone():
    theirs = outcome(a="passed", b="passed", c="failed", d="passed", e="skipped", f="passed")
    ours = outcome(a="passed", b="failed", c="passed", d="skipped", e="failed")
    one = comparison(theirs, ours)
    assert (one.behind, one.ahead, one.good) == (["b", "d", "f"], ["c"], False)
    told = compare.differences(one)
    assert "BEHIND client f: not run" in told and "BEHIND client d: skipped" in told


def test_allowed_tests_do_not_count():
    one = comparison(outcome(a="passed", b="passed"), outcome(a="passed", b="failed"), "client b")
    assert one.good
    assert compare.differences(one) == "allowed client b: failed"


def test_a_crash_between_two_tests_is_behind():
    one = comparison(outcome(a="passed"), outcome(a="passed", between="crash"))
    assert (one.behind, one.good) == (["between"], False)
    assert comparison(outcome(a="passed", b="hang"), outcome(a="passed", b="hang")).good


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (outcome(), outcome()),
        (outcome(a="skipped"), outcome(a="skipped")),
        (outcome(a="passed"), outcome(finished=False, a="passed")),
        (outcome(finished=False, a="passed"), outcome(a="passed")),
    ],
    ids=["nothing", "skipped", "unfinished", "reference unfinished"],
)
def test_nothing_to_compare_is_not_good(theirs, ours):
    assert not comparison(theirs, ours).good


def test_the_allow_list_wants_reasons(tmp_path):
    path = tmp_path / "allowed.txt"
    path.write_text("# a comment\n\nclient a[1-*] # because\n")
    assert compare.read_allowed(path) == ["client a[[]1-*]"]
    path.write_text("client a\n")
    with pytest.raises(SystemExit, match="no reason"):
        compare.read_allowed(path)


def test_the_allow_list_of_the_repository_reads():
    compare.read_allowed(TOOLS.parent / "tests" / "parity" / "clients_allowed.txt")


def test_a_client_that_binds_is_compared_with_the_same_results():
    one, other = CLIENTS["django"], CLIENTS["django-binding"]
    assert (one.binds, one.same_as, other.binds, other.same_as) == (False, None, True, "django")
    assert (other.labels, other.peer) == (one.labels, one.peer)
    names = {name for name in CLIENTS if name.endswith("-binding")}
    assert {CLIENTS[name].name for name in names} == names


def test_the_engine_is_compared_with_psycopg2_in_djangos_own_backend():
    for name, other in {
        "django-engine": "django",
        "django-engine-pool": "django",
        "django-engine-binding": "django",
        "django-engine-more": "django-more",
        "django-engine-queries": "django-queries",
    }.items():
        client = CLIENTS[name]
        assert (client.same_as, client.labels) == (other, CLIENTS[other].labels)
        assert (client.by_run, client.by_shim) == (False, False)
        prepared = SimpleNamespace(source=Path("nowhere"))
        theirs, ours = (
            client.command(prepared, None, "x", who) for who in ("psycopg2", "psycoxide")
        )
        assert theirs == CLIENTS[other].command(prepared, None, "x", "psycopg2")
        assert "psycoxide_django" in theirs and "psycoxide_django" not in ours


def test_results_survive_the_file():
    one = outcome(a="passed", b="failed")
    assert Outcome.from_json(one.to_json()) == one
