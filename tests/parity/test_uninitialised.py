"""Instances whose `__init__` never ran, which programs make to stand for a connection or a cursor.

psycopg2's answers are the expectation, but for those in KNOWN; where it crashes, anything will do
that does not.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

# What differs, by a pattern, and why.
KNOWN = {
    r".*onnection\.(binary|string)_types": "there is a dict from the start",
    r".*onnection\.(deferrable|readonly|isolation_level)": "psycopg2 shows memory that is all 0",
    r".*ursor\.(arraysize|itersize|rowcount|scrollable|tzinfo_factory)": "likewise",
    r"ReplicationConnection\.(deferrable|readonly) = .*": "no attribute of a replication session",
    r"ReplicationConnection\.replication_type": "None as long as it is not known",
    r".*onnection\.get_dsn_parameters\(\)": "a MemoryError says what is not so",
    r".*onnection\.poll\(\)": "'wait to write' would be waited for for ever",
    r"connection\.__(enter|repr|str)__\(\)": "psycopg2 misspells 'uninitialised'",
    r".*ursor\.mogrify\(.*": "what to quote for is not known without a connection",
    r".*ursor\.(binary|string)_types = .*": "the dict is changed, not replaced",
    r".*ursor\.__iter__\(\)": "it is the first row that is refused",
    r"ReplicationCursor\.(feedback|io)_timestamp": "that there was none yet is no error",
}


CANNOT = "cannot be made"


def answers(driver: str) -> dict[str, str]:
    program = Path(__file__).with_name("uninitialised.py")
    done = subprocess.run(
        [sys.executable, str(program), driver],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def test_as_psycopg2() -> None:
    theirs, ours = answers("psycopg2"), answers("psycoxide")
    assert "dies" not in ours.values()
    differ = {
        question: (answer, ours.get(question))
        for question, answer in theirs.items()
        if answer not in ("dies", ours.get(question)) and question.split(".")[0] not in ours
    }
    # A class of which ours cannot be made has one answer: its name.
    known = [*differ, *(question for question, answer in ours.items() if answer == CANNOT)]
    unknown = [
        f"{question}: {pair}"
        for question, pair in differ.items()
        if not any(re.fullmatch(pattern, question) for pattern in KNOWN)
    ]
    assert unknown == []
    # What does not differ any more has to leave the table.
    for pattern, reason in KNOWN.items():
        assert any(re.fullmatch(pattern, question) for question in known), reason
