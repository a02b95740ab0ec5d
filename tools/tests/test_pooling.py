"""The table of poolers has the outcomes of a run, keeps other rows, and knows when it is stale."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))

from pooling import table  # noqa: E402


def report(*, version="1.5.2", unsteady=False, records=(1, 1), **outcomes):
    """The outcomes of a run: for each scenario those with psycopg2 and with psycoxide."""
    verdicts = [
        {
            "row": "odyssey",
            "column": "errors",
            "scenario": name,
            "driver": driver,
            "outcome": outcome,
            "records": {"seen": record},
        }
        for name, both in outcomes.items()
        for driver, outcome, record in zip(("psycopg2", "psycoxide"), both, records)
    ]
    pooler = {
        "title": "Odyssey",
        "version": version,
        "place": "sid",
        "mode": "session",
        "server": "PostgreSQL 18.6",
        "unsteady": unsteady,
    }
    return {"poolers": {"odyssey": pooler}, "verdicts": verdicts}


def section(before="", **given):
    return table.section(table.rows(report(**given)), before)


def cell(text):
    row = next(line for line in text.splitlines() if line.startswith("| Odyssey"))
    return row.split(" | ")[len(table.HEAD) + table.COLUMNS.index("errors")]


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (("works", "works"), "works"),
        (("fails", "works"), "works"),
        (("fails", "fails"), "as psycopg2"),
        (("hangs", "fails"), "as psycopg2"),
        (("works", "fails"), "**differs**"),
        (("fails", "hangs"), "**differs**"),
        (("hangs", "unsafe"), "**differs**"),
    ],
)
def test_a_cell(outcomes, word):
    assert cell(section(one=("works", "works"), other=outcomes)) == word


def test_what_was_recorded_must_be_the_same():
    assert cell(section(one=("works", "works"), records=(1, 2))) == "**differs**"


def test_faults_and_gains_are_named():
    text = section(one=("fails", "fails"), other=("hangs", "works"))
    assert f"{table.FAULTS}\n\n* *Odyssey of sid, session*: one: fails\n" in text
    assert f"{table.GAINS}\n\n* *Odyssey of sid, session*: other: hangs\n" in text


def test_long_items_are_wrapped_and_read_again():
    many = {f"a scenario with the number {number}": ("fails", "fails") for number in range(9)}
    text = section(**many)
    assert max(len(each) for each in text.splitlines() if not each.startswith("|")) <= 100
    assert "\n  " in text
    assert table.section([], text) == text


def test_a_row_that_was_not_run_stays():
    text = section(one=("fails", "fails"), other=("hangs", "works"))
    assert table.section([], text) == text


def test_a_row_that_was_run_is_replaced():
    old = section(one=("fails", "fails"))
    assert section(old, one=("works", "works")) == section(one=("works", "works"))


def test_only_versions_may_differ():
    old = section(one=("works", "works"))
    same = section(old, one=("works", "works"), version="1.6")
    assert same != old
    assert table.comparable(same) == table.comparable(old)
    assert table.comparable(section(old, one=("fails", "fails"))) != table.comparable(old)


def test_an_unsteady_pooler_is_compared_by_numbers():
    given = {f"n{number}": ("works", "works") for number in range(10)}
    assert cell(section(unsteady=True, **given)) == "10 of 10, 10 with psycopg2"
    assert not table.unsteady_and_worse(report(unsteady=True, **given))
    worse = {**given, **{f"n{number}": ("works", "hangs") for number in range(3)}}
    assert table.unsteady_and_worse(report(unsteady=True, **worse))


def test_the_marks_must_be_there():
    assert "".join(table.split(table.PAGE.read_text())) == table.PAGE.read_text()
    with pytest.raises(ValueError):
        table.split("no marks")
