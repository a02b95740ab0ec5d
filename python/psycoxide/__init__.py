"""A PostgreSQL driver with a Rust core and the API of psycopg2.

    import psycoxide

    with psycoxide.connect("dbname=test user=postgres") as conn, conn.cursor() as cur:
        cur.execute("SELECT %s + 1", (41,))
        print(cur.fetchone())

This module is the DB-API 2.0 interface (<https://peps.python.org/pep-0249/>); `extensions`,
`extras`, `errors`, `errorcodes`, `pool`, `sql` and `tz` go beyond it. `install_as_psycopg2()` lets
programs that import psycopg2 use this driver unchanged; `__version__` is the version of psycopg2
whose API this is, because such programs compare it; `__psycoxide_version__` is the driver's own.
"""

try:
    from psycoxide import _psycopg
except ImportError as _error:
    from importlib.util import find_spec as _find_spec

    if _find_spec("psycoxide._psycopg") is not None:
        # It is there, and says itself why it cannot be loaded.
        raise
    import sys as _sys

    raise ImportError(
        "psycoxide has no native module for this interpreter, "
        f"{_sys.implementation.name} {_sys.version.split()[0]}: it supports CPython 3.10 to 3.15 "
        "with its global lock, on Linux",
        name=__name__,
    ) from _error
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

# Not imported when the program runs: every process pays for the imports of `import psycoxide`.
# `_import_late()` imports these names at their first use.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from psycoxide import (
        _json as _json,
        _range as _range,
        errorcodes as errorcodes,
        errors as errors,
        extensions as _ext,  # noqa: F401  psycopg2 has it under this name
        extensions as extensions,
        extras as extras,
        pool as pool,
        sql as sql,
        tz as tz,
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

_EXCEPTIONS = (
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
)
# The modules, by their names here, that are imported at their first use. psycopg2 offers some of
# them without an import of their own, and others not, which surprises.
_MODULES = {
    "_ext": "extensions",
    "_json": "_json",
    "_range": "_range",
    "errorcodes": "errorcodes",
    "errors": "errors",
    "extensions": "extensions",
    "extras": "extras",
    "pool": "pool",
    "sql": "sql",
    "tz": "tz",
}

if not TYPE_CHECKING:
    # The names of `from psycoxide import *`: the same as psycopg2's. Type checkers import every
    # public name instead: they cannot read a list that is made of other lists.
    __all__ = [
        *_EXCEPTIONS,
        "BINARY",
        "DATETIME",
        "NUMBER",
        "ROWID",
        "STRING",
        "Binary",
        "Date",
        "DateFromTicks",
        "Time",
        "TimeFromTicks",
        "Timestamp",
        "TimestampFromTicks",
        "apilevel",
        "connect",
        "errors",
        "extensions",
        "install_as_psycopg2",
        "paramstyle",
        "threadsafety",
    ]


def _import_late(name: str) -> "Any":
    """PEP 562: import the name at its first use."""
    namespace = globals()
    if name in _EXCEPTIONS:
        for exception in _EXCEPTIONS:
            # A program may have put another object in its place.
            namespace.setdefault(exception, getattr(_psycopg, exception))
    elif name in _MODULES:
        from importlib import import_module

        namespace[name] = import_module(f"psycoxide.{_MODULES[name]}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return namespace[name]


if not TYPE_CHECKING:
    # A type checker would conclude that the module has every attribute.
    __getattr__ = _import_late


def __dir__() -> "list[str]":
    return sorted({*globals(), *_EXCEPTIONS, *_MODULES})


# The module that programs import it from.
connect.__module__ = __name__


def install_as_psycopg2() -> None:
    """Make `import psycopg2` import this driver, in this process, from now on.

    `psycopg2.extras` and the others are this driver's modules, too. From their import on, the
    classes report psycopg2's module names, as pickles and logs of such programs expect, and
    `importlib.metadata` knows the distribution. Calling it again does nothing. Raises RuntimeError
    if the real psycopg2 has been imported already.
    """
    from psycoxide._alias import install

    install()
