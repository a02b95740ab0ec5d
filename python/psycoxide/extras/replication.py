"""The streaming replication protocol.

See <https://www.postgresql.org/docs/current/protocol-replication.html>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import (
    REPLICATION_LOGICAL as REPLICATION_LOGICAL,
    REPLICATION_PHYSICAL as REPLICATION_PHYSICAL,
    QuotedString,
    ReplicationConnection as _replicationConnection,
    ReplicationCursor as _replicationCursor,
    ReplicationMessage as ReplicationMessage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class LogicalReplicationConnection(_replicationConnection):
    """A connection for logical replication: `replication=database` is added to its dsn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["replication_type"] = REPLICATION_LOGICAL
        super().__init__(*args, **kwargs)


class PhysicalReplicationConnection(_replicationConnection):
    """A connection for physical replication: `replication=true` is added to its dsn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["replication_type"] = REPLICATION_PHYSICAL
        super().__init__(*args, **kwargs)


class StopReplication(Exception):
    """Raise it in the function given to `consume_stream()` to end that, which raises it in turn."""


class ReplicationCursor(_replicationCursor):
    """A cursor of a replication connection."""

    def create_replication_slot(
        self, slot_name: str, slot_type: int | None = None, output_plugin: str | None = None
    ) -> None:
        """Create a replication slot.

        `slot_type` is REPLICATION_LOGICAL or REPLICATION_PHYSICAL, by default the connection's.
        Raises ProgrammingError if a logical slot has no `output_plugin`, or a physical one has.
        """
        if self._type(slot_type) == REPLICATION_LOGICAL:
            if output_plugin is None:
                raise ProgrammingError(
                    "output plugin name is required to create logical replication slot"
                )
            kind = f"LOGICAL {_extras.quote_ident(output_plugin, self)}"
        else:
            if output_plugin is not None:
                raise ProgrammingError(
                    "cannot specify output plugin name when creating physical replication slot"
                )
            kind = "PHYSICAL"
        self.execute(f"CREATE_REPLICATION_SLOT {_extras.quote_ident(slot_name, self)} {kind}")

    def drop_replication_slot(self, slot_name: str) -> None:
        """Drop a replication slot."""
        self.execute(f"DROP_REPLICATION_SLOT {_extras.quote_ident(slot_name, self)}")

    def start_replication(
        self,
        slot_name: str | None = None,
        slot_type: int | None = None,
        start_lsn: int | str = 0,
        timeline: int = 0,
        options: Mapping[str, object] | None = None,
        decode: bool = False,
        status_interval: float = 10,
    ) -> None:
        """Start to stream, from `start_lsn` (an int, or a str such as `0/1A2B3C4D`).

        Logical replication needs a `slot_name` and takes `options`, which go to the output plugin;
        physical replication takes a `timeline`. If `decode`, messages are str, decoded from the
        client encoding, otherwise bytes. Every `status_interval` seconds, at least 1, the server
        gets feedback. Raises ProgrammingError if the arguments do not fit.
        """
        command = "START_REPLICATION "
        logical = self._type(slot_type) == REPLICATION_LOGICAL
        if slot_name:
            command += f"SLOT {_extras.quote_ident(slot_name, self)} "
        elif logical:
            raise ProgrammingError("slot name is required for logical replication")
        if logical:
            command += "LOGICAL "
        command += _lsn(start_lsn)
        if timeline != 0:
            if logical:
                raise ProgrammingError("cannot specify timeline for logical replication")
            command += f" TIMELINE {timeline}"
        if options:
            if not logical:
                raise ProgrammingError(
                    "cannot specify output plugin options for physical replication"
                )
            quote = _extras.quote_ident
            pairs = (f"{quote(name, self)} {self._quote(v)}" for name, v in options.items())
            command += f" ({', '.join(pairs)})"
        self.start_replication_expert(command, decode=decode, status_interval=status_interval)

    def fileno(self) -> int:
        """The descriptor of the connection's socket, so that select can wait for the cursor."""
        return self.connection.fileno()

    def _type(self, slot_type: int | None) -> int:
        conn: Any = self.connection
        kind: int = conn.replication_type if slot_type is None else slot_type
        if kind not in (REPLICATION_LOGICAL, REPLICATION_PHYSICAL):
            raise ProgrammingError(f"unrecognized replication type: {kind!r}")
        return kind

    def _quote(self, value: object) -> str:
        quoted = QuotedString(str(value))
        quoted.prepare(self.connection)
        return quoted.getquoted().decode(_ext.encodings[self.connection.encoding])


def _lsn(lsn: int | str) -> str:
    """A log sequence number as the server reads it: two hexadecimal numbers."""
    if isinstance(lsn, str):
        high, low = (int(half, 16) for half in lsn.split("/"))
    else:
        high, low = lsn >> 32 & 0xFFFFFFFF, lsn & 0xFFFFFFFF
    return f"{high:X}/{low:08X}"
