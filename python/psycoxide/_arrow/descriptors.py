"""Descriptors: parts as bytes, for readers in other processes and on other machines.

A descriptor is JSON. It holds the statement of the part, the snapshot to run it on, and the
settings that give the statement its meaning; no name of a user, no address, no password.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from psycoxide._exceptions import NotSupportedError, ProgrammingError
from psycoxide._psycopg import Channel

FORMAT = "psycoxide-partition"
VERSION = 1

# Settings by which the text of a query means one thing or another.
SETTINGS = ("search_path", "datestyle", "intervalstyle", "timezone")

_SNAPSHOT = re.compile(r"[0-9A-F]{1,16}(?:-[0-9A-F]{1,16}){1,3}")


@dataclass(frozen=True)
class Partition:
    """A part that anyone can read as long as its snapshot is there."""

    statement: str
    snapshot: str
    # Which server and database the snapshot is of: others may have one of the same name.
    server: str
    settings: dict[str, str]

    def packed(self) -> bytes:
        """The descriptor."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}).encode()


def is_text(value: object) -> bool:
    """Whether this is text that can be sent: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def unpacked(data: bytes) -> Partition:
    """The part of a descriptor.

    Raises ProgrammingError for anything else, NotSupportedError for another version of them.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a partition is bytes: got {type(data).__name__}")
    try:
        content: Any = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise ProgrammingError("this is not a partition of psycoxide: it is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ProgrammingError("this is not a partition of psycoxide")
    version = content.get("version")
    if version != VERSION:
        raise NotSupportedError(
            f"the partition is of version {version!r}, and this psycoxide reads version {VERSION}: "
            "the same psycoxide has to be installed where partitions are made and read"
        )
    texts = [content.get(name) for name in ("statement", "snapshot", "server")]
    settings = content.get("settings")
    if (
        not all(is_text(text) for text in texts)
        or not _SNAPSHOT.fullmatch(texts[1] or "")
        or not isinstance(settings, dict)
        or set(settings) != set(SETTINGS)
        or not all(is_text(value) for value in settings.values())
    ):
        raise ProgrammingError("the partition is damaged")
    statement, snapshot, server = (str(text) for text in texts)
    # All that are made begin like that. Several statements could end the read-only transaction.
    if not statement.startswith("select ") or not Channel.is_single(statement):
        raise ProgrammingError("the partition is damaged: its statement is not one query")
    return Partition(statement, snapshot, server, settings)
