"""A PostgreSQL driver with a Rust core and the API of psycopg2.

    import psycoxide

    with psycoxide.connect("dbname=test user=postgres") as conn, conn.cursor() as cur:
        cur.execute("SELECT %s + 1", (41,))
        print(cur.fetchone())

This module is the DB-API 2.0 interface (<https://peps.python.org/pep-0249/>); `extensions`,
`extras`, `errors`, `errorcodes`, `pool`, `sql` and `tz` go beyond it. `install_as_psycopg2()` lets
programs that import psycopg2 use this driver unchanged; `__version__` is that of the psycopg2 whose
API this is, because such programs compare it, and `__psycoxide_version__` is the driver's own.
"""

from __future__ import annotations

from psycoxide import (
    _exceptions,
    _json as _json,
    _psycopg,
    _range as _range,
    extensions as _ext,  # noqa: F401  psycopg2 has it under this name
)
from psycoxide._exceptions import (
    DatabaseError as DatabaseError,
    DataError as DataError,
    Error as Error,
    IntegrityError as IntegrityError,
    InterfaceError as InterfaceError,
    InternalError as InternalError,
    NotSupportedError as NotSupportedError,
    OperationalError as OperationalError,
    ProgrammingError as ProgrammingError,
    Warning as Warning,
)
from psycoxide._psycopg import (
    BINARY as BINARY,
    DATETIME as DATETIME,
    NUMBER as NUMBER,
    ROWID as ROWID,
    STRING as STRING,
    Binary as Binary,
    Date as Date,
    DateFromTicks as DateFromTicks,
    Time as Time,
    TimeFromTicks as TimeFromTicks,
    Timestamp as Timestamp,
    TimestampFromTicks as TimestampFromTicks,
    __libpq_version__ as __libpq_version__,
    __psycoxide_version__ as __psycoxide_version__,
    __version__ as __version__,
    _connect as _connect,
    apilevel as apilevel,
    connect as connect,
    paramstyle as paramstyle,
    threadsafety as threadsafety,
)

# Not imported when the program runs: every process pays for what `import psycoxide` imports.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from psycoxide import errors as errors


def __getattr__(name: str) -> Any:
    """`psycoxide.errors` is there without an import of its own, as in psycopg2.

    Its hundreds of classes are made when they are first needed: by a program, or for an error.
    """
    if name == "errors":
        from importlib import import_module

        return import_module("psycoxide.errors")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _share_exceptions() -> None:
    """Give the native module the exceptions, which are defined in Python, and connections too.

    That `conn.Error` is the module's `Error` is an optional extension of PEP 249, for programs that
    serve several databases.
    """
    for name in _exceptions.__all__:
        exception = getattr(_exceptions, name)
        setattr(_psycopg, name, exception)
        if name in globals():
            setattr(_psycopg.connection, name, _constant(exception))


def _constant(value: Any) -> property:
    """A read-only attribute that is always the same."""
    return property(lambda _: value, doc=value.__doc__)


_share_exceptions()

# Where its users know it from.
connect.__module__ = __name__


def install_as_psycopg2() -> None:
    """Make `import psycopg2` give this driver, in this process, from now on.

    Every module of psycopg2 that exists here is aliased, `psycopg2.extras` and the like too, and
    the classes report psycopg2's module names, as pickles and logs of such programs expect. Calling
    it again does nothing. Raises RuntimeError if the real psycopg2 has been imported already.
    """
    from psycoxide._alias import install

    install()
