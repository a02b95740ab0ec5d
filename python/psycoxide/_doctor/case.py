"""What the steps of an examination share: the options, what was seen, the connection."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Any

from psycoxide._doctor.driver import Attempt, Failed, connect
from psycoxide._doctor.hosts import Host, Target
from psycoxide._doctor.report import Finding
from psycoxide._doctor.secrets import Redactor
from psycoxide._doctor.settings import Settings
from psycoxide._doctor.wire import Seen
from psycoxide._exceptions import DataError
from psycoxide.sync.connection import Connection

_WORDLESS = re.compile("timeout expired|longer than|closed the connection|reset by peer")


class Case:
    """One examination. The steps fill it in order."""

    settings: Settings
    hosts: list[Host]

    def __init__(
        self, dsn: str, environment: Mapping[str, str], seconds: float, redactor: Redactor
    ) -> None:
        self.dsn = dsn
        self.environment = environment
        self.redactor = redactor
        self._seconds = seconds
        self._attempt: Attempt | None = None
        self.targets: list[Target] = []
        self.seen: list[Seen] = []
        self.is_pooled = False

    @property
    def seconds(self) -> float:
        """How many seconds a step may take: `connect_timeout`, if that is given."""
        return self.settings.number("connect_timeout") or self._seconds

    @property
    def attempt(self) -> Attempt:
        """The driver's attempt to connect, made when it is first asked for."""
        if self._attempt is None:
            # Each name and each address has its time.
            most = self.seconds * (len(self.hosts) + max(1, len(self.targets))) + 1
            attempt = connect(self.dsn, self.limits(), most, self._states())
            if attempt.failed is not None:
                attempt = attempt._replace(failed=self._placed(attempt.failed))
            self._attempt = attempt
        return self._attempt

    @property
    def conn(self) -> Connection[Any]:
        """The driver's connection. Only for steps behind that of connecting."""
        conn = self.attempt.conn
        assert conn is not None
        return conn

    @property
    def is_replication(self) -> bool:
        """Whether the options ask for a connection of replication, which has its own statements."""
        value = self.settings.get("replication") or "off"
        return value.lower() not in ("off", "false", "no", "0")

    def limits(self) -> dict[str, Any]:
        """The options that the driver gets beside those that were given."""
        if self.settings.number("connect_timeout"):
            return {"command_timeout": self.seconds}
        return {"connect_timeout": math.ceil(self.seconds), "command_timeout": self.seconds}

    def another(self) -> Connection[Any]:
        """A second connection like the first."""
        return Connection.connect(self.dsn, timeout=self.seconds * 2, **self.limits())

    def failure(self, *steps: str) -> Finding | None:
        """What the driver says, if it failed to connect in one of these steps."""
        from psycoxide._doctor.causes import explain

        failed = self.attempt.failed
        if failed is None or failed.step not in steps:
            return None
        cause, advice = explain(self, failed)
        return Finding(
            "failed",
            failed.reason,
            cause,
            {"driver": failed.text},
            advice,
            self.attempt.seconds,
        )

    def seen_at(self) -> Seen | None:
        """What was seen at the address that the driver has connected to, or got farthest at."""
        reached = [seen for seen in self.seen if seen.connect_error is None]
        spoke = [seen for seen in reached if seen.protocol_error is None]
        if self.attempt.conn is not None and len(spoke) > 1:
            info = self.conn.info
            for seen in spoke:
                if seen.target.host.title == info.host and seen.target.host.port == info.port:
                    return seen
        return next(iter(spoke or reached), None)

    def is_near(self) -> bool:
        """Whether all servers are on this machine: sockets, and addresses of the loopback."""
        return all(
            isinstance(target.address, str)
            or ipaddress.ip_address(str(target.address[0]).partition("%")[0]).is_loopback
            for target in self.targets
        )

    def row(self, query: str, *types: type) -> tuple[Any, ...]:
        """The only row of a query, whose columns have these types or are NULL.

        Raises DataError for other answers: what speaks the protocol need not be PostgreSQL.
        """
        rows = self.rows(query, *types)
        if len(rows) != 1:
            raise DataError(f"a query of the catalog returns {len(rows)} rows in place of one")
        (row,) = rows
        return tuple(row)

    def rows(self, query: str, *types: type, params: list[Any] | None = None) -> list[Any]:
        """The rows of a query, likewise."""
        rows: list[Any] = self.conn.fetch(query, params)
        for row in rows:
            fits = len(row) == len(types)
            if not fits or not all(x is None or isinstance(x, t) for x, t in zip(row, types)):
                raise DataError("a query of the catalog returns other columns than it asks for")
        return rows

    def close(self) -> None:
        if self._attempt is not None and self._attempt.conn is not None:
            self._attempt.conn.terminate()

    def _placed(self, failed: Failed) -> Failed:
        """Where silence, or a hang-up, came, by what was seen of the server before."""
        spoke = [s for s in self.seen if s.connect_error is None and s.protocol_error is None]
        if failed.step != "protocol" or not spoke or not _WORDLESS.search(failed.reason):
            return failed
        if any(seen.tls_error for seen in spoke):
            return failed._replace(step="tls")
        methods = {seen.method for seen in spoke} - {None}
        if methods:
            return failed._replace(step="session" if methods == {"trust"} else "authentication")
        return failed

    def _states(self) -> dict[str, str | None]:
        return {s.target.title: s.sqlstate for s in self.seen if s.connect_error is None}
