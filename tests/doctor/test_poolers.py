"""Through PgBouncer, in each of its modes, and through poolers that are played."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.messages import reporting, result
from fixtures.scripted_server import ScriptedServer, Session
from poolers.peers.places import Missing
from poolers.peers.rows import ROWS, Site

from .conftest import Doctor


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The server and the pooler that run."""
    made = Site()
    yield made
    made.close()


def through(site: Site, doctor: Doctor, mode: str, **options: Any) -> tuple[int, dict[str, Any]]:
    (row,) = [row for row in ROWS if str(row).startswith("pgbouncer-debian12") and row.mode == mode]
    try:
        parameters = site.open(row).parameters
    except Missing as reason:
        pytest.skip(str(reason))
    given = {**parameters, **options}
    dsn = " ".join(f"{name}={value}" for name, value in given.items())
    return doctor.report(dsn, secrets=(str(parameters["password"]),))


def step(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [step for step in report["steps"] if step["name"] == name]
    return dict(found)


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_pgbouncer(site: Site, doctor: Doctor, mode: str) -> None:
    code, report = through(site, doctor, mode)
    assert code == 0, report
    assert step(report, "pooler")["facts"]["pooler"] is True
    assert "PgBouncer, Odyssey, pgagroal and Pgpool-II" in step(report, "pooler")["summary"]
    assert step(report, "statements")["facts"] == {"bound": True, "prepares": False}
    found = step(report, "listen")
    if mode == "session":
        assert (found["status"], found["facts"]["arrives"]) == ("ok", True)
    else:
        assert (found["status"], found["facts"]["arrives"]) == ("warning", False)
        assert "one transaction at a time" in found["cause"]
        assert "listen" in {advice["step"] for advice in report["advice"]}


def test_its_console(site: Site, doctor: Doctor) -> None:
    code, report = through(site, doctor, "session", dbname="pgbouncer")
    assert (code, report["failed_step"]) == (18, "server"), report
    assert "the console of PgBouncer" in step(report, "server")["summary"]


def test_a_database_that_it_does_not_find(site: Site, doctor: Doctor) -> None:
    code, report = through(site, doctor, "session", dbname="nosuch")
    assert (code, report["failed_step"]) == (17, "session"), report


def test_a_password_that_it_refuses(site: Site, doctor: Doctor) -> None:
    code, report = through(site, doctor, "session", password="hush15")
    assert (code, report["failed_step"]) == (16, "authentication"), report


def test_one_that_announces_a_process_of_its_server(doctor: Doctor) -> None:
    """It may pass once: what counts is that several transactions have one process."""
    processes = itertools.cycle([b"4242", b"4242", b"777"])

    def answer(sql: str, _session: Session) -> bytes | None:
        if "pg_stat_gssapi" in sql or "pg_backend_pid" not in sql:
            return None
        return result([("pg_backend_pid", 23, 4)], [[next(processes)]])

    with ScriptedServer(answers=answer) as played:
        _, report = doctor.report(played.dsn)
    assert step(report, "pooler")["facts"] == {
        "pooler": True,
        "name": None,
        "announced_process": 4242,
        "processes": [4242, 4242, 777],
    }


def test_odyssey_is_known_by_what_it_leaves_out(doctor: Doctor) -> None:
    def answer(sql: str, _session: Session) -> bytes | None:
        is_asked = "pg_backend_pid" in sql and "pg_stat_gssapi" not in sql
        return result([("pg_backend_pid", 23, 4)], [[b"4242"]]) if is_asked else None

    with ScriptedServer(reporting(in_hot_standby=None), answers=answer) as played:
        _, report = doctor.report(played.dsn)
    assert step(report, "pooler")["summary"] == "Odyssey is in between"
