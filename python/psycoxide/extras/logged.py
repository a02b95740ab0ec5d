"""Connections that log the statements that their cursors run."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import connection, cursor, encodings


class LoggingConnection(connection):
    """A connection that logs every `execute()` and `callproc()` of its cursors.

    `initialize()` has to be called before the first cursor is made; ProgrammingError otherwise.
    `executemany()` is not logged.
    """

    def initialize(self, logobj: Any) -> None:
        """Log to `logobj`: a `logging.Logger`, at level DEBUG, or a text file open for writing."""
        self._logobj = logobj
        self.log = self._logtologger if isinstance(logobj, logging.Logger) else self._logtofile

    def filter(self, msg: Any, curs: Any) -> Any:
        """What to log for the statement `msg`, bytes, of `curs`: bytes or str, or None for nothing.

        To be overridden; this one logs everything.
        """
        return msg

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
        self._check()
        kwargs.setdefault("cursor_factory", self.cursor_factory or LoggingCursor)
        return super().cursor(*args, **kwargs)

    def _logtofile(self, msg: Any, curs: Any) -> None:
        msg = self.filter(msg, curs)
        if msg:
            self._logobj.write(_text(msg, self) + os.linesep)

    def _logtologger(self, msg: Any, curs: Any) -> None:
        msg = self.filter(msg, curs)
        if msg:
            self._logobj.debug(msg)

    def _check(self) -> None:
        if not hasattr(self, "_logobj"):
            raise ProgrammingError("LoggingConnection object has not been initialize()d")


class LoggingCursor(cursor):
    """A cursor that hands its statements to the `log()` of its connection, failed ones too."""

    def execute(self, query: Any, vars: Any = None) -> Any:
        """As `extensions.cursor.execute()`."""
        try:
            return super().execute(query, vars)
        finally:
            self._log()

    def callproc(self, procname: str, vars: Any = None) -> Any:
        """As `extensions.cursor.callproc()`."""
        try:
            return super().callproc(procname, vars)
        finally:
            self._log()

    def _log(self) -> None:
        conn: Any = self.connection
        conn.log(self.query, self)


class MinTimeLoggingConnection(LoggingConnection):
    """A `LoggingConnection` that logs the statements that took long, and how long they took."""

    def initialize(self, logobj: Any, mintime: float = 0) -> None:
        """Log to `logobj` the statements that take longer than `mintime` milliseconds."""
        super().initialize(logobj)
        self._mintime = mintime

    def filter(self, msg: Any, curs: Any) -> Any:
        """The statement with its duration, or None if it was fast."""
        duration = (time.time() - curs.timestamp) * 1000
        if duration <= self._mintime:
            return None
        return f"{_text(msg, self)}{os.linesep}  (execution time: {duration} ms)"

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
        kwargs.setdefault("cursor_factory", self.cursor_factory or MinTimeLoggingCursor)
        return super().cursor(*args, **kwargs)


class MinTimeLoggingCursor(LoggingCursor):
    """The cursor of `MinTimeLoggingConnection`; `timestamp` says when the statement began."""

    timestamp: float

    def execute(self, query: Any, vars: Any = None) -> Any:
        """As `extensions.cursor.execute()`."""
        self.timestamp = time.time()
        return super().execute(query, vars)

    def callproc(self, procname: str, vars: Any = None) -> Any:
        """As `extensions.cursor.callproc()`."""
        self.timestamp = time.time()
        return super().callproc(procname, vars)


def _text(msg: Any, conn: connection) -> str:
    return msg.decode(encodings[conn.encoding], "replace") if isinstance(msg, bytes) else msg
