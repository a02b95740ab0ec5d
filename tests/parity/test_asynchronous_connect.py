"""Asynchronous connections that are made, or not: every step as psycopg2 shows it.

What differs on purpose stands in docs/differences.md: libpq stops more often on its way, psycopg2
loses what an error's text had before the first `poll()`, and takes a connection that failed for one
under way.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.ports import closed_port
from fixtures.scripted_server import ScriptedServer
from fixtures.server import ServerUnderTest

HERE = Path(__file__).resolve().parent
POLL_OK, POLL_READ, POLL_WRITE = 0, 1, 2

# By name; GOOD, BAD and PLAIN are ports: the server's, one that nobody listens on, and one of a
# server that does not encrypt. SOCKETS is the server's folder of sockets.
CASES: dict[str, dict[str, Any]] = {
    "an address": {"host": "127.0.0.1", "port": "GOOD"},
    "a name": {"host": "localhost", "port": "GOOD"},
    "an address as hostaddr": {"hostaddr": "127.0.0.1", "port": "GOOD"},
    "a name with its address": {"host": "whatever", "hostaddr": "127.0.0.1", "port": "GOOD"},
    "a socket": {"host": "SOCKETS", "port": "GOOD"},
    "a socket that is not there": {"host": "/nowhere", "port": "GOOD"},
    "a socket whose path is too long": {"host": "/" + "x" * 120, "port": "GOOD"},
    "an address that refuses": {"host": "127.0.0.1", "port": "BAD"},
    "a name that refuses": {"host": "localhost", "port": "BAD"},
    "a name that nobody knows": {"host": "no-such-name.invalid", "port": "GOOD"},
    "no address": {"hostaddr": "no-address", "port": "GOOD"},
    "refusing, good": {"host": "127.0.0.1,127.0.0.1", "port": "BAD,GOOD"},
    "refusing, good by name": {"host": "localhost,localhost", "port": "BAD,GOOD"},
    "refusing twice": {"host": "127.0.0.1,localhost", "port": "BAD,BAD"},
    "unknown, good": {"host": "no-such-name.invalid,127.0.0.1", "port": "GOOD"},
    "unknown, good by name": {"host": "no-such-name.invalid,localhost", "port": "GOOD"},
    "unknown, refusing": {"host": "no-such-name.invalid,localhost", "port": "BAD"},
    "refusing, unknown": {"host": "127.0.0.1,no-such-name.invalid", "port": "BAD,GOOD"},
    "unknown twice": {"host": "no-such-name.invalid,nor-this.invalid", "port": "GOOD"},
    "good, unknown": {"host": "127.0.0.1,no-such-name.invalid", "port": "GOOD"},
    "no socket, good": {"host": "/nowhere,127.0.0.1", "port": "GOOD"},
    "no socket, a socket": {"host": "/nowhere,SOCKETS", "port": "GOOD"},
    "no socket, refusing": {"host": "/nowhere,localhost", "port": "BAD"},
    "refusing, a socket": {"host": "localhost,SOCKETS", "port": "BAD,GOOD"},
    "no standby": {"host": "127.0.0.1", "port": "GOOD", "target_session_attrs": "standby"},
    "a primary": {"host": "127.0.0.1", "port": "GOOD", "target_session_attrs": "read-write"},
    "no standby, any": {
        "host": "localhost,127.0.0.1",
        "port": "GOOD",
        "target_session_attrs": "prefer-standby",
    },
    "no such database": {"host": "127.0.0.1", "port": "GOOD", "dbname": "nope"},
    "no such database, on a socket": {"host": "SOCKETS", "port": "GOOD", "dbname": "nope"},
    "a wrong password": {"host": "127.0.0.1", "port": "GOOD", "password": "wrong"},
    "an option that is not valid": {"host": "localhost", "port": "GOOD", "options": "-c nope=1"},
    "TLS": {"host": "127.0.0.1", "port": "GOOD", "sslmode": "require"},
    "TLS if there is": {"host": "localhost", "port": "GOOD", "sslmode": "prefer"},
    "TLS where there is none": {"host": "127.0.0.1", "port": "PLAIN", "sslmode": "require"},
    "a bound on the time": {"host": "localhost", "port": "GOOD", "connect_timeout": 10},
    "a keyword that is not valid": {"host": "127.0.0.1", "port": "GOOD", "sslmode": "nope"},
    "a port that is not valid": {"host": "127.0.0.1", "port": "70000"},
    "more addresses than hosts": {"host": "a,b", "hostaddr": "127.0.0.1", "port": "GOOD"},
}

# Of a connection that failed psycopg2 says that it is under way.
OTHERWISE_AFTER_FAILURE = {
    "closed": 2,
    "repr": "2>",
    "cursor()": ["InterfaceError", "connection already closed"],
    "cancel()": ["InterfaceError", "connection already closed"],
    "fileno()": ["InterfaceError", "connection already closed"],
    "get_backend_pid()": ["InterfaceError", "connection already closed"],
    "get_parameter_status()": ["InterfaceError", "connection already closed"],
    "info.socket": False,
    "info.used_password": False,
}


class Cases:
    """The options of cases, for this server."""

    def __init__(self, server: ServerUnderTest, plain: int, refusing: int) -> None:
        self.lacks: dict[str, str] = {}
        if not server.sockets:
            self.lacks["SOCKETS"] = "the server's socket folder is not known"
        if not server.tls:
            self.lacks["require"] = self.lacks["prefer"] = "the server has no TLS"
        parameters = server.parameters
        self.names = {
            "GOOD": parameters.pop("port"),
            "BAD": str(refusing),
            "PLAIN": str(plain),
            "SOCKETS": server.sockets,
        }
        parameters.pop("host")
        self.base = {**parameters, "sslmode": "disable", "gssencmode": "disable"}

    def options(self, case: dict[str, Any]) -> dict[str, Any]:
        def filled(value: Any) -> Any:
            return re.sub(
                r"[A-Z]{3,}", lambda found: self.names.get(found[0], found[0]), str(value)
            )

        return {**self.base, **{name: filled(value) for name, value in case.items()}}

    def reason_to_skip(self, case: dict[str, Any]) -> str | None:
        if case.get("port") == "PLAIN":
            return None
        text = " ".join(map(str, case.values()))
        return next((reason for lack, reason in self.lacks.items() if lack in text), None)

    def watched(self, cases: list[dict[str, Any]], *, hosts: str = "") -> list[tuple[Any, Any]]:
        """What psycopg2 and psycoxide show of these cases."""
        given = json.dumps([self.options(case) for case in cases])
        prefix = ["unshare", "--mount"] if hosts else []
        seen = []
        for driver in ("psycopg2", "psycoxide"):
            program = [sys.executable, str(HERE / "asynchronous_connect.py"), driver]
            done = subprocess.run(
                [*prefix, *program, *([hosts] if hosts else [])],
                input=given,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-3000:]
            seen.append(json.loads(done.stdout))
        return list(zip(*seen))


@pytest.fixture(scope="module")
def cases(server: ServerUnderTest) -> Iterator[Cases]:
    with ScriptedServer() as plain:
        yield Cases(server, plain.port, closed_port())


@pytest.fixture(scope="module")
def watched(cases: Cases) -> dict[str, Any]:
    runnable = [name for name, case in CASES.items() if not cases.reason_to_skip(case)]
    return dict(zip(runnable, cases.watched([CASES[name] for name in runnable])))


def whole(text: str, cut: str) -> bool:
    """Whether a text is one whose beginning psycopg2 has lost."""
    lost = r"(could not translate .*\n|connection to server (.*\n.*\n)?)*.* failed: "
    return re.fullmatch(lost, text.removesuffix(cut)) is not None


def check(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert ours["connect"] == theirs["connect"]
    if theirs["connect"] is not None:
        return
    assert ours["connected"] == theirs["connected"]
    assert ours["polls"][0] == theirs["polls"][0] == POLL_WRITE
    assert ours["begun"] == theirs["begun"]
    for seen in (ours, theirs):
        assert {POLL_READ, POLL_WRITE}.issuperset(seen["polls"][:-1])
    assert ours["closed"] == theirs["closed"]
    if theirs["polls"][-1] == POLL_OK:
        assert ours["polls"][-1] == POLL_OK
        assert (ours["ended"], ours["again"]) == (theirs["ended"], theirs["again"])
        return
    (their_class, cut), (our_class, text) = theirs["polls"][-1], ours["polls"][-1]
    assert our_class == their_class
    assert whole(text, cut), (text, cut)
    assert theirs["again"] == theirs["polls"][-1] and ours["again"] == ours["polls"][-1]
    assert ours["ended"].pop("info.error_message") == text
    assert theirs["ended"].pop("info.error_message") == cut
    assert ours["ended"] == {**theirs["ended"], **OTHERWISE_AFTER_FAILURE}


@pytest.mark.parametrize("name", CASES)
def test_each_step_as_psycopg2(cases: Cases, watched: dict[str, Any], name: str) -> None:
    if reason := cases.reason_to_skip(CASES[name]):
        pytest.skip(reason)
    check(*watched[name])


@pytest.mark.parametrize("addresses", [("127.0.0.2", "127.0.0.1"), ("127.0.0.1", "127.0.0.2")])
@pytest.mark.parametrize("port", ["GOOD", "BAD"])
def test_a_name_with_several_addresses(cases: Cases, addresses: tuple[str, str], port: str) -> None:
    """Of the two the server listens at the first loopback address only."""
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.decode().strip()}")
    hosts = "".join(f"{address} several.test\n" for address in addresses)
    [(theirs, ours)] = cases.watched([{"host": "several.test", "port": port}], hosts=hosts)
    check(theirs, ours)
