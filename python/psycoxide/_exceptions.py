"""The DB-API exceptions and the diagnostics of a server's error report.

The tree is that of PEP 249 (<https://peps.python.org/pep-0249/#exceptions>), with psycopg2's extra
attributes. The native module imports these classes when it first has to raise one, so this module
imports nothing of the package. The classes for each SQLSTATE are in `psycoxide.errors`.
"""

from __future__ import annotations

# Not imported when the program runs: every process pays for the imports of `import psycoxide`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    from psycoxide._psycopg import cursor as _Cursor

    _E = TypeVar("_E", bound="Error")

    class _Field:
        """The result of `_field()`, for type checkers."""

        def __get__(self, instance: object, owner: type | None = None) -> str | None: ...


__all__ = [
    "CommitUnknown",
    "DataError",
    "DatabaseError",
    "Diagnostics",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationTimeout",
    "OperationalError",
    "PipelineAborted",
    "ProgrammingError",
    "QueryCanceledError",
    "TransactionRollbackError",
    "Warning",
]


class Warning(Exception):
    """An important warning, for instance data truncated on insertion (PEP 249). Never raised."""

    __module__ = "psycoxide"


class Error(Exception):
    """The base of every error that the driver raises (PEP 249).

    Catching it catches all of them; `Warning` is not among them.
    """

    __module__ = "psycoxide"
    # No __weakref__ here: psycopg2's Error has none either, its subclasses do.
    __slots__ = ("_cursor", "_fields", "_pgcode", "_pgerror")

    _pgerror: str | None
    _pgcode: str | None
    _cursor: _Cursor | None
    _fields: Mapping[str, str] | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Error:
        self = super().__new__(cls, *args, **kwargs)
        self._pgerror = None
        self._pgcode = None
        self._cursor = None
        self._fields = None
        return self

    @classmethod
    def _from_report(
        cls: type[_E],
        message: str,
        pgerror: str | None,
        pgcode: str | None,
        fields: Mapping[str, str] | None,
        cursor: _Cursor | None,
    ) -> _E:
        """Make the exception for an error that the server reported. The native module calls this.

        `message` is the exception's `str()`, `pgerror` the whole text with its severity, `pgcode`
        the SQLSTATE, `fields` the ErrorResponse by one-character field code, `cursor` the cursor
        whose command failed, or None.
        """
        self = cls(message)
        self._pgerror = pgerror
        self._pgcode = pgcode
        self._fields = fields
        self._cursor = cursor
        return self

    @property
    def pgerror(self) -> str | None:
        """The server's message in full, with its severity; None if the server sent none."""
        return self._pgerror

    @property
    def pgcode(self) -> str | None:
        """The SQLSTATE, a str of five characters; None if the error is not the server's.

        See <https://www.postgresql.org/docs/current/errcodes-appendix.html> and
        `psycoxide.errorcodes`.
        """
        return self._pgcode

    @property
    def cursor(self) -> _Cursor | None:
        """The cursor whose command raised the error; None if there was none."""
        return self._cursor

    @property
    def diag(self) -> Diagnostics:
        """The fields of the server's report; each is None if the error is not the server's."""
        return Diagnostics(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the cursor and the report, as with psycopg2: neither outlives its process.
        state = {
            name: value
            for name, value in (("pgerror", self._pgerror), ("pgcode", self._pgcode))
            if value is not None
        }
        return type(self), self.args, state

    def __setstate__(self, state: object) -> None:
        if state is None:
            return
        if not isinstance(state, dict):
            raise TypeError("state is not a dictionary")
        self._pgerror = state.get("pgerror")
        self._pgcode = state.get("pgcode")
        self._cursor = None
        self._fields = None


class InterfaceError(Error):
    """The driver was misused or failed, rather than the database (PEP 249)."""

    __module__ = "psycoxide"


class DatabaseError(Error):
    """The database reported the error (PEP 249)."""

    __module__ = "psycoxide"


class DataError(DatabaseError):
    """The data are at fault: division by zero, or a value out of range (PEP 249)."""

    __module__ = "psycoxide"


class OperationalError(DatabaseError):
    """The database's operation is at fault: a lost connection, or no memory (PEP 249)."""

    __module__ = "psycoxide"


class IntegrityError(DatabaseError):
    """A constraint of the database is violated, for instance a foreign key (PEP 249)."""

    __module__ = "psycoxide"


class InternalError(DatabaseError):
    """The database met an internal error, or its cursor or transaction is invalid (PEP 249)."""

    __module__ = "psycoxide"


class ProgrammingError(DatabaseError):
    """The statement is at fault: bad syntax, no such table, or wrong parameters (PEP 249)."""

    __module__ = "psycoxide"


class NotSupportedError(DatabaseError):
    """The database or the driver does not support the operation (PEP 249)."""

    __module__ = "psycoxide"


class QueryCanceledError(OperationalError):
    """A statement was cancelled: by `cancel()`, by a time-out or by an administrator."""

    __module__ = "psycoxide.extensions"


class OperationTimeout(OperationalError):
    """A call of `psycoxide.aio` or `psycoxide.sync` took longer than its `timeout`.

    The statement was cancelled on the server, and the connection is usable again after that, or it
    is closed. It is not a builtin `TimeoutError`: Python has no class that is this and an
    `OperationalError`, too.
    """

    __module__ = "psycoxide.aio"


class CommitUnknown(OperationalError):
    """The connection was lost in COMMIT: whether the transaction was committed is not known.

    Its `__cause__` is the error of the loss.
    """

    __module__ = "psycoxide.aio"

    #: The number of the transaction, for `pg_xact_status()`; None if it is not known.
    xid: int | None = None


class PipelineAborted(OperationalError):
    """A statement of a pipeline was not run, because another one of its group has failed.

    Its `__cause__` is the error of that.
    """

    __module__ = "psycoxide.aio"


class PoolTimeout(OperationalError):
    """A pool had no connection to lend in time."""

    __module__ = "psycoxide.aio"


class PoolClosed(OperationalError):
    """A pool is closed, or not open yet."""

    __module__ = "psycoxide.aio"


class TooManyRequests(OperationalError):
    """As many as a pool allows wait for its connections already."""

    __module__ = "psycoxide.aio"


class TransactionRollbackError(OperationalError):
    """The server rolled the transaction back: a deadlock, or a serialization failure."""

    __module__ = "psycoxide.extensions"


def _field(code: str, doc: str) -> _Field:
    """A read-only attribute of `Diagnostics`: one field of the report, str or None."""

    def get(self: Diagnostics) -> str | None:
        fields = self._error._fields
        return None if fields is None else fields.get(code)

    return property(get, doc=doc)  # type: ignore[return-value]


class Diagnostics:
    """The fields of the server's report of an error: each a str, or None if it was not sent.

    Usually this is `error.diag`; `Diagnostics(error)` raises TypeError unless its argument is an
    `Error`. It keeps the exception, and with it the cursor, alive. The fields are those of
    <https://www.postgresql.org/docs/current/protocol-error-fields.html>, under the names that
    libpq's `PQresultErrorField` has for them.
    """

    __module__ = "psycoxide.extensions"
    __slots__ = ("_error",)

    _error: Error

    def __init__(self, error: Error, /) -> None:
        if not isinstance(error, Error):
            raise TypeError("The argument must be a psycopg2.Error")
        self._error = error

    severity: _Field = _field("S", "ERROR, FATAL or PANIC, possibly translated.")
    severity_nonlocalized: _Field = _field("V", "ERROR, FATAL or PANIC, never translated.")
    sqlstate: _Field = _field("C", "The SQLSTATE code.")
    message_primary: _Field = _field("M", "The primary message, usually one line.")
    message_detail: _Field = _field("D", "More about the problem.")
    message_hint: _Field = _field("H", "A suggestion how to solve it.")
    statement_position: _Field = _field(
        "P", "The position in the statement: characters counted from 1, as str."
    )
    internal_position: _Field = _field(
        "p", "The position in `internal_query`: characters counted from 1, as str."
    )
    internal_query: _Field = _field("q", "The text of an internally generated command that failed.")
    context: _Field = _field("W", "Where it happened: the call stack of functions and queries.")
    schema_name: _Field = _field("s", "The schema that the error is about.")
    table_name: _Field = _field("t", "The table that the error is about.")
    column_name: _Field = _field("c", "The column that the error is about.")
    datatype_name: _Field = _field("d", "The data type that the error is about.")
    constraint_name: _Field = _field("n", "The constraint that the error is about.")
    source_file: _Field = _field("F", "The file of the server's source that reported the error.")
    source_line: _Field = _field("L", "The line of `source_file`, as str.")
    source_function: _Field = _field("R", "The function of `source_file`.")
