"""Connections that log the statements that their cursors run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import connection, cursor

if TYPE_CHECKING:
    from psycoxide._types import CursorFactory, CursorT, Query, SupportsLog, Vars

    # Type checkers know by the base what cursors a connection makes.
    _Connection = connection["LoggingCursor"]
else:
    _Connection = connection


class LoggingConnection(_Connection):
    """A connection that logs every `execute()` and `callproc()` of its cursors.

    Call `initialize()` before the first `cursor()`, which raises ProgrammingError otherwise.
    `executemany()` is not logged.
    """

    def initialize(self, logobj: logging.Logger | SupportsLog) -> None:
        """Log to `logobj`: a `logging.Logger`, at level DEBUG, or a text file open for writing."""
        self._logobj: Any = logobj
        self.log: Callable[[Any, cursor], None]
        is_logger = isinstance(logobj, (logging.Logger, logging.LoggerAdapter))
        self.log = self._logtologger if is_logger else self._logtofile

    def filter(self, msg: Any, curs: Any) -> str | bytes | None:
        """The text to log for the statement `msg` (bytes) of `curs`: bytes, str, or None for none.

        Override it to change that; this one logs every statement as it is.
        """
        given: bytes | None = msg
        return given

    if not TYPE_CHECKING:

        def cursor(self, *args, **kwargs):
            """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
            self._check()
            kwargs.setdefault("cursor_factory", self.cursor_factory or _extras.LoggingCursor)
            return super().cursor(*args, **kwargs)

    def _logtofile(self, msg: Any, curs: cursor) -> None:
        msg = self.filter(msg, curs)
        if msg:
            self._logobj.write(_text(msg, self) + os.linesep)

    def _logtologger(self, msg: Any, curs: cursor) -> None:
        msg = self.filter(msg, curs)
        if msg:
            self._logobj.debug(msg)

    def _check(self) -> None:
        if not hasattr(self, "_logobj"):
            raise ProgrammingError("LoggingConnection object has not been initialize()d")


class LoggingCursor(cursor):
    """A cursor that passes its statements, even failed ones, to the `log()` of its connection."""

    def execute(self, query: Query, vars: Vars = None) -> None:
        """As `extensions.cursor.execute()`."""
        try:
            return super().execute(query, vars)
        finally:
            self._log()

    def callproc(self, procname: str, vars: Vars = None) -> Sequence[Any] | None:
        """As `extensions.cursor.callproc()`."""
        try:
            return super().callproc(procname, vars)
        finally:
            self._log()

    def _log(self) -> None:
        conn: Any = self.connection
        conn.log(self.query, self)


class MinTimeLoggingConnection(LoggingConnection):
    """A `LoggingConnection` that logs only slow statements, with their duration."""

    def initialize(self, logobj: logging.Logger | SupportsLog, mintime: float = 0) -> None:
        """Log to `logobj` the statements that take longer than `mintime` milliseconds."""
        super().initialize(logobj)
        self._mintime = mintime

    def filter(self, msg: Any, curs: Any) -> str | bytes | None:
        """The statement with its duration, or None if it was fast."""
        duration = (time.time() - curs.timestamp) * 1000
        if duration <= self._mintime:
            return None
        return f"{_text(msg, self)}{os.linesep}  (execution time: {duration} ms)"

    if TYPE_CHECKING:

        @overload
        def cursor(
            self,
            name: str | bytes | None = None,
            cursor_factory: None = None,
            withhold: bool | None = None,
            scrollable: bool | None = None,
            *,
            binary: bool = False,
        ) -> MinTimeLoggingCursor: ...
        @overload
        def cursor(
            self,
            name: str | bytes | None = None,
            *,
            cursor_factory: CursorFactory[CursorT],
            withhold: bool | None = None,
            scrollable: bool | None = None,
            binary: bool = False,
        ) -> CursorT: ...
        @overload
        def cursor(
            self,
            name: str | bytes | None,
            cursor_factory: CursorFactory[CursorT],
            withhold: bool | None = None,
            scrollable: bool | None = None,
            *,
            binary: bool = False,
        ) -> CursorT: ...
        def cursor(self, *args: Any, **kwargs: Any) -> Any: ...

    else:

        def cursor(self, *args, **kwargs):
            """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
            kwargs.setdefault("cursor_factory", self.cursor_factory or _extras.MinTimeLoggingCursor)
            return super().cursor(*args, **kwargs)


class MinTimeLoggingCursor(LoggingCursor):
    """The cursor of `MinTimeLoggingConnection`; `timestamp` is when its statement began."""

    timestamp: float

    def execute(self, query: Query, vars: Vars = None) -> None:
        """As `extensions.cursor.execute()`."""
        self.timestamp = time.time()
        return super().execute(query, vars)

    def callproc(self, procname: str, vars: Vars = None) -> Sequence[Any] | None:
        """As `extensions.cursor.callproc()`."""
        self.timestamp = time.time()
        return super().callproc(procname, vars)


def _text(msg: str | bytes, conn: connection[Any]) -> str:
    return msg.decode(_ext.encodings[conn.encoding], "replace") if isinstance(msg, bytes) else msg
