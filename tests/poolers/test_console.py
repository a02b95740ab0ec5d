"""The consoles of poolers, which know simple queries only, and little of SQL."""

from __future__ import annotations

import pytest

TITLE = "console"

STATEMENTS = {
    "PgBouncer": ["show version", "show pools", "show clients", "show nonsense", "select 1"],
    "Odyssey": ["show version", "show pools", "show clients", "show nonsense", "select 1"],
    "Pgpool-II": [
        "show pool_nodes",
        "show pool_version",
        "show pool_processes",
        "pgpool show port",
    ],
}


@pytest.mark.parametrize("autocommit", [True, False], ids=["autocommit", "transaction"])
def test_its_answers(through, autocommit):
    statements = STATEMENTS.get(through.pooler.title)
    if statements is None:
        pytest.skip(f"{through.pooler.title} has no console for SQL")
    database = {"dbname": through.pooler.console} if through.pooler.console else {}
    conn = through.connect(**database)
    conn.autocommit = autocommit
    for statement in statements:
        through.record(statement, answer(through, conn, statement))


def answer(through, conn, statement):
    """What there is to see of a statement, but for values that change."""
    cur = conn.cursor()
    try:
        cur.execute(statement)
        found = [column.name for column in cur.description or []]
        if found:
            cur.fetchall()
    except through.driver.Error as error:
        found = [type(error).__name__, str(error.pgcode)]
    for end in (conn.rollback, conn.commit):
        try:
            end()
        except through.driver.Error as error:
            found += [end.__name__, type(error).__name__]
    return [*found, f"closed: {conn.closed}"]
