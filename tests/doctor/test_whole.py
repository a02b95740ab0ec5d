"""What the command says where all is well, its forms, and its end before the end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fixtures.ports import closed_port
from fixtures.server import ServerUnderTest

from psycoxide._doctor.report import EXIT_CODES

from .conftest import Doctor, Written

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "doctor.md"
STATUSES = {"ok", "warning", "failed", "skipped"}


@pytest.fixture
def well(doctor: Doctor, dsn: str, server: ServerUnderTest) -> dict[str, Any]:
    """The report on the server under test."""
    secret = server.parameters.get("password", "")
    code, report = doctor.report(f"{dsn} connect_timeout=10", secrets=(secret,) if secret else ())
    assert code == 0, report
    return report


def facts(report: dict[str, Any], name: str) -> dict[str, Any]:
    (step,) = [step for step in report["steps"] if step["name"] == name]
    return dict(step["facts"])


def test_all_is_well(well: dict[str, Any], server: ServerUnderTest) -> None:
    assert (well["format"], well["verdict"], well["failed_step"]) == (1, "ok", None)
    assert [step["name"] for step in well["steps"]] == list(EXIT_CODES)
    for step in well["steps"]:
        assert set(step) == {"name", "status", "milliseconds", "summary", "cause", "facts"}
        assert step["status"] in STATUSES - {"failed", "skipped"}
        assert step["milliseconds"] >= 0 and step["summary"] and step["facts"]
    assert {advice["step"] for advice in well["advice"]} <= set(EXIT_CODES)

    found = facts(well, "interpreter")
    assert found["python"] == sys.version.split()[0] and found["gil"] is True
    where = facts(well, "session")
    assert (where["dbname"], where["user"]) == (
        server.parameters["dbname"],
        server.parameters["user"],
    )
    assert (where["standby"], where["read_only"]) == (False, False)
    assert facts(well, "server")["supported"]
    assert facts(well, "pooler")["pooler"] is False
    assert facts(well, "statements")["bound"]
    assert facts(well, "listen")["arrives"]
    for figures in (facts(well, "latency")["sync"], facts(well, "latency")["statement"]):
        assert 0 < figures["min"] <= figures["median"] <= figures["p99"]
    assert facts(well, "encoding")["codec"] == "utf_8"
    count = facts(well, "connections")
    assert 0 < count["left"] < count["max_connections"]
    assert "plpgsql" in facts(well, "extensions")["extensions"]
    assert facts(well, "extensions")["types"]["hstore"] > 0
    assert abs(facts(well, "clock")["skew_seconds"]) < 2


def test_what_tls_is_in_use(well: dict[str, Any], tls_files: dict[str, str]) -> None:
    found = facts(well, "tls")
    assert found["in_use"] and found["offered"] and found["verifies"] == "nothing"
    assert found["version"].startswith("TLSv1.") and found["cipher"]
    own = found["chain"][0]
    assert "localhost" in own["names"] and own["not_before"] < own["not_after"]


def test_verified_and_with_a_password_of_its_own_file(
    doctor: Doctor, server: ServerUnderTest, tls_files: dict[str, str], written: Written
) -> None:
    given = server.parameters
    password = given.pop("password")
    written(".pgpass", f"# mine\nlocalhost:{given['port']}:*:{given['user']}:{password}\n")
    options = {**given, "host": "localhost", "hostaddr": "127.0.0.1", "sslmode": "verify-full"}
    uri = f"postgresql://{options.pop('user')}@/?" + "&".join(
        f"{name}={value}" for name, value in options.items()
    )
    root = tls_files["root"]
    code, report = doctor.report(f"{uri}&sslrootcert={root}", secrets=(password,))
    assert code == 0, report
    assert facts(report, "tls")["verifies"] == "name"
    found = facts(report, "authentication")
    assert found["password"] == "passfile" and found["password_place"].endswith(".pgpass, line 2")
    assert found["password_used"] is True


def test_over_a_unix_socket(doctor: Doctor, unix_dsn: str) -> None:
    code, text = doctor.text(unix_dsn)
    assert code == 0, text
    assert "no name to look up: socket /" in text
    assert "a Unix socket is never encrypted" in text
    assert text.endswith("All steps have passed.")


def test_a_connection_of_replication(doctor: Doctor, dsn: str) -> None:
    code, report = doctor.report(f"{dsn} replication=database")
    assert code == 0, report
    statuses = {step["name"]: step["status"] for step in report["steps"]}
    assert (statuses["session"], statuses["server"]) == ("ok", "skipped")


def test_one_host_of_two_is_enough(doctor: Doctor, server: ServerUnderTest) -> None:
    given = server.parameters
    hosts = {
        **given,
        "host": f"nosuch.invalid,127.0.0.1,{given['host']}",
        "port": f"1,{closed_port()},{given['port']}",
    }
    code, report = doctor.report(" ".join(f"{name}={value}" for name, value in hosts.items()))
    assert code == 0, report
    by_name = {step["name"]: step["status"] for step in report["steps"]}
    assert by_name["lookup"] == by_name["socket"] == "warning"
    assert by_name["protocol"] == by_name["session"] == "ok"


def test_the_page_has_every_step_with_its_code_and_facts(well: dict[str, Any]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    codes = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE))
    assert {name: int(code) for code, name in codes.items()} == EXIT_CODES
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (.+) \|$", text.partition("The facts")[2], re.MULTILINE)
    )
    assert list(rows) == list(EXIT_CODES)
    for step in well["steps"]:
        named = set(re.findall(r"`(\w+)`", rows[step["name"]]))
        assert set(step["facts"]) <= named, step["name"]


# ---- forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("host=h", "password=hush11"), ("host=h", "--dsn=hush11"), ("--timeout=hush11",)],
)
def test_no_error_repeats_an_argument(doctor: Doctor, arguments: tuple[str, ...]) -> None:
    process = doctor.start(*arguments)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and "not repeated here" in errors
    assert "hush11" not in printed + errors


def on_a_terminal(doctor: Doctor, **env: str) -> str:
    """What the command writes to a terminal."""
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "psycoxide", "doctor", f"host=127.0.0.1 port={closed_port()}"],
        env=doctor.environment(TERM="xterm", **env),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    said = b""
    with contextlib.suppress(OSError):
        while more := os.read(reader, 65536):
            said += more
    os.close(reader)
    assert process.communicate(timeout=60)[1] == b"" and process.returncode == 13
    return said.decode()


def test_colours_are_for_terminals(doctor: Doctor) -> None:
    assert "\x1b[31mFAIL" in on_a_terminal(doctor)
    assert "\x1b" not in on_a_terminal(doctor, NO_COLOR="1")
    _, piped = doctor.text(f"host=127.0.0.1 port={closed_port()}")
    assert "FAIL socket" in piped and "\x1b" not in piped


def test_a_reader_that_has_seen_enough(doctor: Doctor) -> None:
    process = doctor.start(f"host=127.0.0.1 port={closed_port()}")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) in (0, 13)


@pytest.mark.parametrize("form", ["text", "json"])
def test_ctrl_c_prints_what_is_known(doctor: Doctor, form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"host=127.0.0.1 port={listener.getsockname()[1]} connect_timeout=30"
        process = doctor.start(where, *(["--json"] if form == "json" else []))
        listener.settimeout(30)
        connection, _ = listener.accept()
        with connection:
            # It waits for an answer.
            assert connection.recv(8)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            printed, errors = process.communicate(timeout=60)
            assert time.monotonic() - began < 5
    assert process.returncode == 130 and not errors
    if form == "text":
        assert re.search(r"ok +lookup", printed) and "interrupted by Ctrl-C" in printed
        assert printed.endswith("Interrupted: this is what is known.\n")
        return
    report = json.loads(printed)
    assert (report["verdict"], report["exit_code"]) == ("interrupted", 130)
    statuses = {step["name"]: step["status"] for step in report["steps"]}
    assert statuses["settings"] == "ok" and statuses["session"] == "skipped"


def test_the_other_commands_do_not_load_it(doctor: Doctor) -> None:
    source = (
        "import sys\nfrom psycoxide.__main__ import main\nmain(['version'])\n"
        "print([name for name in sys.modules if '_doctor' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("\n[]\n")
