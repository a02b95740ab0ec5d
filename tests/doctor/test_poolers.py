"""Through PgBouncer, in each of its modes, and through a pooler that is played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fixtures.pooler import NaivePooler
from fixtures.server import ServerUnderTest
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


def test_a_naive_pooler(
    naive_pooler: Callable[..., NaivePooler], server: ServerUnderTest, doctor: Doctor
) -> None:
    if not server.sockets:
        pytest.skip("the given server's socket folder is not known")
    pooler = naive_pooler(f"{server.sockets}/.s.PGSQL.{server.port}")
    given = {**server.parameters, "host": "127.0.0.1", "port": pooler.port, "connect_timeout": 5}
    code, report = doctor.report(" ".join(f"{name}={value}" for name, value in given.items()))
    assert code == 0, report
    assert len(set(step(report, "pooler")["facts"]["processes"])) > 1
    assert step(report, "statements")["facts"]["bound"] is True
