"""What psycoxide and libpq (in psycopg2) make of the same connection string."""

from __future__ import annotations

import os
from typing import Any

import psycopg2
import pytest
from fixtures.clusters import Cluster

import psycoxide


def without_surroundings(monkeypatch: pytest.MonkeyPatch, home: Any) -> None:
    """Leaves nothing in the environment that says how to connect."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))


def keywords(served: Cluster, **options: Any) -> dict[str, Any]:
    """A connection's keywords over TCP, with these options instead; None leaves one out."""
    given = {
        "host": "127.0.0.1",
        "port": served.server.port,
        "dbname": "postgres",
        "sslmode": "disable",
        "gssencmode": "disable",
        "connect_timeout": 10,
        **options,
    }
    return {name: value for name, value in given.items() if value is not None}


def outcome(driver: Any, options: dict[str, Any]) -> str:
    """Who was let in, or the text of the refusal."""
    try:
        conn = driver.connect(**options)
    except driver.OperationalError as error:
        return f"refused: {error}"
    with conn.cursor() as cur:
        cur.execute("select current_user")
        found = f"{cur.fetchone()[0]} used_password={conn.info.used_password}"
    conn.close()
    return found


def same(options: dict[str, Any]) -> str:
    """The outcome, which has to be the same with both."""
    ours, theirs = outcome(psycoxide, options), outcome(psycopg2, options)
    assert ours == theirs
    return ours
