"""Everything beyond PEP 249: connections and cursors to subclass, adapters, typecasters, constants.

The names are those of psycopg2's `extensions` module. Most are the native module's, re-exported;
the constants and the registration of adapters are here.
"""

from __future__ import annotations

from psycoxide._exceptions import (
    Diagnostics as Diagnostics,
    QueryCanceledError as QueryCanceledError,
    TransactionRollbackError as TransactionRollbackError,
)
from psycoxide._json import (
    JSON as JSON,
    JSONARRAY as JSONARRAY,
    JSONB as JSONB,
    JSONBARRAY as JSONBARRAY,
)
from psycoxide._psycopg import (
    BINARYARRAY as BINARYARRAY,
    BOOLEAN as BOOLEAN,
    BOOLEANARRAY as BOOLEANARRAY,
    BYTES as BYTES,
    BYTESARRAY as BYTESARRAY,
    DATE as DATE,
    DATEARRAY as DATEARRAY,
    DATETIMEARRAY as DATETIMEARRAY,
    DECIMAL as DECIMAL,
    DECIMALARRAY as DECIMALARRAY,
    FLOAT as FLOAT,
    FLOATARRAY as FLOATARRAY,
    INTEGER as INTEGER,
    INTEGERARRAY as INTEGERARRAY,
    INTERVAL as INTERVAL,
    INTERVALARRAY as INTERVALARRAY,
    LONGINTEGER as LONGINTEGER,
    LONGINTEGERARRAY as LONGINTEGERARRAY,
    PYDATE as PYDATE,
    PYDATEARRAY as PYDATEARRAY,
    PYDATETIME as PYDATETIME,
    PYDATETIMEARRAY as PYDATETIMEARRAY,
    PYDATETIMETZ as PYDATETIMETZ,
    PYDATETIMETZARRAY as PYDATETIMETZARRAY,
    PYINTERVAL as PYINTERVAL,
    PYINTERVALARRAY as PYINTERVALARRAY,
    PYTIME as PYTIME,
    PYTIMEARRAY as PYTIMEARRAY,
    ROWIDARRAY as ROWIDARRAY,
    SQL_IN as SQL_IN,
    STRINGARRAY as STRINGARRAY,
    TIME as TIME,
    TIMEARRAY as TIMEARRAY,
    UNICODE as UNICODE,
    UNICODEARRAY as UNICODEARRAY,
    AsIs as AsIs,
    Binary as Binary,
    Boolean as Boolean,
    Column as Column,
    ConnectionInfo as ConnectionInfo,
    DateFromPy as DateFromPy,
    Float as Float,
    Int as Int,
    IntervalFromPy as IntervalFromPy,
    ISQLQuote as ISQLQuote,
    NoneAdapter as NoneAdapter,
    Notify as Notify,
    QuotedString as QuotedString,
    TimeFromPy as TimeFromPy,
    TimestampFromPy as TimestampFromPy,
    Xid as Xid,
    adapt as adapt,
    adapters as adapters,
    binary_types as binary_types,
    connection as connection,
    cursor as cursor,
    encodings as encodings,
    encrypt_password as encrypt_password,
    get_wait_callback as get_wait_callback,
    libpq_version as libpq_version,
    lobject as lobject,
    make_dsn as make_dsn,
    new_array_type as new_array_type,
    new_type as new_type,
    parse_dsn as parse_dsn,
    quote_ident as quote_ident,
    register_type as register_type,
    set_wait_callback as set_wait_callback,
    string_types as string_types,
)

# Not imported when the program runs: every process pays for this module's imports.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from psycoxide._credentials import OAuthRequest as OAuthRequest
    from psycoxide._types import AdaptedT, Adapter

# Isolation levels, for `connection.isolation_level` and `set_isolation_level()`.
ISOLATION_LEVEL_AUTOCOMMIT = 0
ISOLATION_LEVEL_READ_UNCOMMITTED = 4
ISOLATION_LEVEL_READ_COMMITTED = 1
ISOLATION_LEVEL_REPEATABLE_READ = 2
ISOLATION_LEVEL_SERIALIZABLE = 3
ISOLATION_LEVEL_DEFAULT = None

# The values of `connection.status`: the state as the driver knows it, not as the server reports it.
STATUS_SETUP = 0
STATUS_READY = 1
STATUS_BEGIN = 2
STATUS_SYNC = 3  # never used
STATUS_ASYNC = 4  # never used
STATUS_PREPARED = 5
STATUS_IN_TRANSACTION = STATUS_BEGIN

# The results of `connection.poll()`.
POLL_OK = 0
POLL_READ = 1
POLL_WRITE = 2
POLL_ERROR = 3

# The results of `connection.get_transaction_status()`: libpq's PGTransactionStatusType.
TRANSACTION_STATUS_IDLE = 0
TRANSACTION_STATUS_ACTIVE = 1
TRANSACTION_STATUS_INTRANS = 2
TRANSACTION_STATUS_INERROR = 3
TRANSACTION_STATUS_UNKNOWN = 4


def register_adapter(typ: type[AdaptedT], callable: Callable[[AdaptedT], Adapter]) -> None:
    """Make `callable` the adapter of the objects whose type is `typ`, for every connection.

    `callable(obj)` returns an object whose method `getquoted()` returns the SQL for `obj`, as
    bytes or str. Usually `callable` is a class such as `AsIs`.
    """
    adapters[(typ, ISQLQuote)] = callable


# For modules that are imported later: by then a program may have replaced the public name.
_register_adapter = register_adapter


def _import_late(name: str) -> Any:
    """PEP 562: import the name at its first use."""
    if name != "OAuthRequest":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from psycoxide._credentials import OAuthRequest

    globals()[name] = OAuthRequest
    return OAuthRequest


def __dir__() -> list[str]:
    return sorted({*globals(), "OAuthRequest"})


if not TYPE_CHECKING:
    # A type checker would conclude that the module has every attribute.
    __getattr__ = _import_late
