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
    _credentials,
    _exceptions,
    _json as _json,
    _psycopg,
    _range as _range,
    extensions as _ext,
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
    paramstyle as paramstyle,
    threadsafety as threadsafety,
)

# Not imported when the program runs: every process pays for what `import psycoxide` imports.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
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


def connect(
    dsn: str | None = None,
    connection_factory: Callable[..., Any] | None = None,
    cursor_factory: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Open a connection to a PostgreSQL server.

    `dsn` is a connection string of either form in
    <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>. Keywords are
    merged into it as `extensions.make_dsn()` does: `dbname` (or `database`), `user`, `password`,
    `host`, `port` and all the others. What neither says comes from the environment and the
    defaults; no argument at all is fine.

    `password` may also be a callable without arguments that returns the password, a str or None:
    it is called whenever a server asks for it, once for each attempt, so that tokens which rotate
    are fresh; what the string, the environment and the password file say does not count then.
    `oauth_token` is a callable as well: it is called with an `extensions.OAuthRequest` when the
    server asks for a bearer token of OAuth, and returns the token as a str. What they raise is
    raised from here. (psycopg2 has neither.)

    `connection_factory(dsn)`, usually a subclass of `extensions.connection`, makes what is
    returned; `cursor_factory` becomes its attribute of that name. With `async` or `async_` true the
    connection is asynchronous and has to be polled: `connection_factory(dsn, async=1)`.

    Raises OperationalError if there is no connection to be had, ProgrammingError if `dsn` or a
    keyword is not valid.
    """
    asynchronous = {name: kwargs.pop(name) for name in ("async", "async_") if name in kwargs}
    on_demand = {
        name: kwargs.pop(name) for name in ("password", "oauth_token") if callable(kwargs.get(name))
    }
    dsn = _ext.make_dsn(dsn, **kwargs)
    if on_demand:
        dsn = _credentials.CredentialDSN.carrying(dsn, _credentials.Credentials(**on_demand))
    conn = _connect(dsn, connection_factory=connection_factory, **asynchronous)
    if cursor_factory is not None:
        conn.cursor_factory = cursor_factory
    return conn


def install_as_psycopg2() -> None:
    """Make `import psycopg2` give this driver, in this process, from now on.

    Every module of psycopg2 that exists here is aliased, `psycopg2.extras` and the like too, and
    the classes report psycopg2's module names, as pickles and logs of such programs expect. Calling
    it again does nothing. Raises RuntimeError if the real psycopg2 has been imported already.
    """
    from psycoxide._alias import install

    install()
