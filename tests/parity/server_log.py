"""The statements that reached the server, read from its log.

A connection with OPTIONS logs every statement it gets, so that others on the same server do not
show. Entries are told apart by the backend's process; a program's connections are numbered in the
order in which they first said something.
"""

from __future__ import annotations

import re
from pathlib import Path

OPTIONS = "-c log_statement=all -c log_replication_commands=on"

# The default log_line_prefix: time, zone, process.
ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[(\d+)\] (\w+):  (.*)$")
# What stands before a statement that the log shows behind its error.
FAILED = "failed: "
SAID = re.compile(
    r"(statement|execute [^:]*|failed|fastpath function call|received replication command): "
)
# What each driver asks in its own words: of types, ranges and cursors that are there.
CATALOG = re.compile(
    r"(?is)^(?:statement|execute <unnamed>|failed): select .*"
    r"\bfrom (pg_type|pg_range|pg_catalog\.pg_cursors)\b"
)


class ServerLog:
    """The log's growth since `mark()`."""

    def __init__(self, path: str) -> None:
        self.path = Path(path) if path else None
        self.offset = 0

    def mark(self) -> None:
        """Begin anew, at what the log's end is now."""
        if self.path is not None:
            self.offset = self.path.stat().st_size

    def statements(self) -> list[list[str]] | None:
        """The statements since `mark()`, a list for each connection; None if there is no log.

        A backend writes an entry before it runs the statement, so all that was answered is there.
        """
        if self.path is None:
            return None
        with self.path.open("rb") as file:
            file.seek(self.offset)
            text = file.read().decode("utf-8", "replace")
        return collect(text)


def collect(text: str) -> list[list[str]]:
    """The statements in a log's text, a list for each process.

    One that fails before it runs, sent by the extended query protocol, stands behind its error.
    """
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.split("\n"):
        entry = ENTRY.match(line)
        if entry is None:
            # Further lines of an entry begin with a tab.
            if current and line.startswith("\t"):
                current[-1] += "\n" + line[1:]
            continue
        process, severity, words = entry.groups()
        said = severity == "STATEMENT" or (severity == "LOG" and SAID.match(words))
        current = found.setdefault(process, []) if said else None
        if current is not None:
            current.append(FAILED + words if severity == "STATEMENT" else words)
    return [texts(said) for said in found.values()]


def texts(said: list[str]) -> list[str]:
    """What one process was asked to run, each statement once."""
    found: list[str] = []
    for words in said:
        # Of one that has run before it failed, the log has told already.
        told = words.startswith(FAILED) and found[-1:] == [plain(words)]
        if not told and not of_libpq(words):
            found.append(plain(words))
    return found


def plain(words: str) -> str:
    """A statement without the message it came in: psycoxide sends BEGIN in an extended one, with a
    statement that reads if one is first, and each driver asks the catalog in its own words."""
    if CATALOG.search(words):
        return "<a look at the catalog>"
    return words if words.startswith("received") else SAID.sub("", words, count=1)


def of_libpq(words: str) -> bool:
    """Whether this is one of the calls that a large object is worked with, which libpq and we
    choose ourselves (libpq looks their OIDs up first), or asks for no rows, which psycoxide does
    only before the first one."""
    return words.startswith(
        (
            "fastpath",
            "statement: select proname, oid from pg_catalog.pg_proc",
            "statement: FETCH FORWARD 0 ",
        )
    )
