"""The tools keep their promises: the rule is enforced, servers are removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))

import check_layering  # noqa: E402
import every_server  # noqa: E402
import npm  # noqa: E402
import parity_all  # noqa: E402
import pgserver  # noqa: E402
import requirements  # noqa: E402
import suites  # noqa: E402
from pg import binaries, cluster  # noqa: E402
from upstream.database import Scratch  # noqa: E402
from upstream.report import gist  # noqa: E402


def package(name: str, *uses: str, kind: str | None = None) -> dict[str, object]:
    return {
        "name": name,
        "dependencies": [{"name": used, "kind": kind} for used in uses],
        "manifest_path": str(TOOLS.parent / "crates" / name / "Cargo.toml"),
    }


def packages(**changed: dict[str, object]) -> list[dict[str, object]]:
    return [changed.get(name.split("-")[1], package(name)) for name in check_layering.MAY_USE]


def test_the_workspace_as_it_is_keeps_the_rule():
    assert check_layering.check(check_layering.metadata()["packages"]) == []


def test_an_arrow_that_points_back_is_found():
    changed = packages(proto=package("psycoxide-proto", "psycoxide-net"))
    assert any("wrong way" in line for line in check_layering.check(changed))


def test_python_below_the_binding_is_found():
    changed = packages(net=package("psycoxide-net", "pyo3"))
    assert any("must not know" in line for line in check_layering.check(changed))


def test_what_only_tests_use_is_free():
    changed = packages(proto=package("psycoxide-proto", "rand", kind="dev"))
    assert check_layering.check(changed) == []


def test_a_crate_without_a_place_is_found():
    changed = [*packages(), package("psycoxide-extra")]
    assert any("psycoxide-extra" in line for line in check_layering.check(changed))


def test_groups_may_include_groups_and_extras():
    extras = {"a": ["x"], "b": ["p[a]", "y"], "both": ["p[a,b]"]}
    # An extra that a group names is the extra, even if there is a group of that name.
    groups = {"a": ["p[a]", "g"], "c": [{"include-group": "a"}, "p[both]", "pp[a]"]}
    whole = {
        "project": {"name": "p", "optional-dependencies": extras},
        "dependency-groups": groups,
    }
    assert requirements.expand(["both"], whole) == ["x", "y"]
    assert requirements.expand(["c"], whole) == ["x", "g", "y", "pp[a]"]
    with pytest.raises(KeyError):
        requirements.expand(["d"], whole)


def test_a_dsn_is_read_with_its_quotes():
    assert Scratch("host=h user='a b'", "psql").parameters == {"host": "h", "user": "a b"}


def test_the_gist_of_a_servers_error_is_its_first_line():
    text = "Traceback\npsycoxide.errors.X: no such thing\nLINE 1: select\n        ^\n"
    assert gist(text) == "psycoxide.errors.X: no such thing"


def test_what_psycopg2_passes_and_we_do_not_is_lost():
    mode = parity_all.MODES[0]
    reference = {"a": "passed", "b": "passed", "c": "failed", "d": "passed", "e": "passed"}
    ours = {"a": "passed", "b": "skipped", "c": "failed", "d": "failed", "f": "failed"}
    row = parity_all.Row(mode, ours=ours, reference=reference)
    assert row.lost([]) == ["b", "d", "e"]
    assert row.lost(["d*"]) == ["b", "e"]
    assert parity_all.Row(mode, ours=ours).lost(["d"]) == ["c", "f"]
    assert parity_all.verdict([row], ["*"], {"default": 1}) == 0
    assert parity_all.verdict([row], ["*"], {"default": 2}) == 1
    assert parity_all.verdict([row], [], {"default": 1}) == 1


@pytest.mark.parametrize(
    ("why", "code"), [(parity_all.NotHere("no such Python"), 0), (parity_all.NotRun("crash"), 1)]
)
def test_a_mode_that_is_not_to_be_had_is_no_failure(why, code):
    row = parity_all.Row(parity_all.MODES[0], not_run=why)
    assert parity_all.verdict([row], [], {"default": 1}) == code


def test_pytests_report_is_counted(tmp_path):
    report = tmp_path / "report.xml"
    assert suites.read_pytest(report) == {}
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
    )
    assert suites.read_pytest(report) == {"passed": 3, "failed": 3, "skipped": 3}


def test_the_outcomes_of_psycopg2s_suite_are_read(tmp_path):
    results = tmp_path / "results.json"
    assert suites.read_upstream(results) == {}
    tests = [{"id": "tests.a", "outcome": "passed"}, {"id": "tests.b", "outcome": "timeout"}]
    results.write_text(json.dumps({"not_imported": {"c": "why"}, "tests": tests}))
    outcomes = suites.read_upstream(results)
    assert outcomes == {"tests.c": "error", "tests.a": "passed", "tests.b": "timeout"}
    assert suites.count_upstream(outcomes) == {"passed": 1, "failed": 2, "skipped": 0}


@pytest.mark.parametrize(
    ("changed", "well"),
    [
        ({}, True),
        ({"tests": {}}, False),
        ({"tests": {"passed": 8, "failed": 1, "skipped": 0}}, False),
        ({"ours": {}}, False),
        ({"ours": {"a": "failed", "b": "passed"}}, False),
        ({"ours": {"a": "skipped", "b": "passed"}}, False),
        ({"reference": {"a": "failed", "b": "passed"}, "ours": {"a": "failed"}}, False),
        ({"reference": {"a": "failed", "b": "passed"}, "ours": {"b": "passed"}}, True),
        # Without a run of psycopg2's every failure is lost.
        ({"reference": {}}, True),
        ({"reference": {}, "ours": {"a": "failed"}}, False),
    ],
)
def test_a_server_is_well_when_nothing_failed_or_was_lost(changed, well):
    tests = {"passed": 9, "failed": 0, "skipped": 1}
    both = {"a": "passed", "b": "passed"}
    given = {"tests": tests, "ours": both, "reference": both, **changed}
    outcome = every_server.Outcome("12", "12.22", **given)
    assert outcome.well is well
    assert len(every_server.line(outcome)) == len(every_server.HEAD[-1])


def test_a_server_that_npm_has_not_got_yet_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(npm, "FOLDER", tmp_path)
    with pytest.raises(binaries.NoServer, match=r"^no PostgreSQL 12 here: `make test-servers`"):
        binaries.find("12", print)


def test_libraries_of_npms_servers_are_linked(tmp_path):
    libraries = tmp_path / "native" / "lib"
    libraries.mkdir(parents=True)
    (libraries / "libpq.so.5.12").write_text("a library")
    link = {"source": "native/lib/libpq.so.5.12", "target": "native/lib/libpq.so.5"}
    (tmp_path / "native" / "pg-symlinks.json").write_text(json.dumps([link]))
    for _again in range(2):
        binaries.link_libraries(tmp_path)
        assert os.readlink(libraries / "libpq.so.5") == "libpq.so.5.12"


def test_the_version_of_a_server_is_told():
    tool = [sys.executable, str(TOOLS / "pgserver.py"), "version", "--server"]
    kind = "debian" if binaries.debian() else "embedded"
    if kind == "embedded" and binaries.from_wheel(kind) is None:
        pytest.skip("no PostgreSQL here")
    done = subprocess.run([*tool, kind], capture_output=True, text=True, check=True)
    assert int(done.stdout.split(".")[0]) >= 12


needs_server = pytest.mark.skipif(
    binaries.debian() is None and binaries.from_wheel("embedded") is None,
    reason="no PostgreSQL here",
)


def runner(*command: str) -> subprocess.Popen[str]:
    env = {k: v for k, v in os.environ.items() if k != "DSN"}
    return subprocess.Popen(
        [sys.executable, str(TOOLS / "pgserver.py"), "run", "--", *command],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
        start_new_session=True,
    )


@needs_server
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_server_is_gone_after_a_signal(number):
    say = "import os, time; print(os.environ['PSYCOXIDE_TEST_SERVER'], flush=True); time.sleep(60)"
    process = runner(sys.executable, "-c", say)
    folder = Path(process.stdout.readline().strip()).parent
    pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    if number == signal.SIGINT:  # a terminal tells everyone in the foreground
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(40) != 0
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@needs_server
def test_a_server_stops_when_its_starter_is_killed():
    say = "import os; print(os.environ['PSYCOXIDE_TEST_SERVER'], flush=True); input()"
    process = runner(sys.executable, "-c", say)
    folder = Path(process.stdout.readline().strip()).parent
    pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    process.kill()
    process.wait()
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the server outlived its starter")
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@needs_server
def test_a_restarted_server_is_stopped_with_its_command():
    say = "import os; print(os.environ['PSYCOXIDE_TEST_SERVER'], flush=True); input()"
    env = {k: v for k, v in os.environ.items() if k != "DSN"}
    tool = [sys.executable, str(TOOLS / "pgserver.py")]
    command = [*tool, "run", "--", sys.executable, "-c", say]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        state = process.stdout.readline().strip()
        pid_file = Path(state).parent / "data" / "postmaster.pid"
        before = int(pid_file.read_text().split()[0])
        subprocess.run([*tool, "restart", "--state", state], check=True, timeout=60)
        after = int(pid_file.read_text().split()[0])
        assert after != before
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(60) == 0
    assert not pid_file.exists()
    assert cluster.ended(after)


@needs_server
def test_the_commands_exit_code_is_handed_on():
    assert runner(sys.executable, "-c", "raise SystemExit(7)").wait(60) == 7


def test_a_signal_is_no_ordinary_exception():
    assert not issubclass(pgserver.Stopped, Exception)
