"""Aliases, protocols and type variables for the package's annotations.

Only type checkers read this: when the program runs there is no such module.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from io import TextIOBase
from typing import IO, Any, Literal, Protocol, TypeAlias

from typing_extensions import TypeVar

from psycoxide import _psycopg
from psycoxide._psycopg import connection, cursor, lobject
from psycoxide.sql import Composable

# ---- aliases --------------------------------------------------------------------------------

# A statement, and the values for its placeholders.
Query: TypeAlias = str | bytes | Composable
# The same for `psycoxide.aio` and `psycoxide.sync`, which take templates as well.
if sys.version_info >= (3, 14):
    from string.templatelib import Template

    OwnQuery: TypeAlias = Query | Template
else:
    OwnQuery: TypeAlias = Query
Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
Vars: TypeAlias = Params | None
# The class of the objects that `new_type()` makes: it has no public name.
Typecaster: TypeAlias = _psycopg.type
# Where typecasters are registered, and whose encoding and quoting rules a function uses.
Scope: TypeAlias = connection[Any] | cursor
# The values that `conn.readonly` and `conn.deferrable` accept.
Flag: TypeAlias = bool | Literal["default", b"default"] | None
# The modes of a large object, by the type that `read()` returns.
TextMode: TypeAlias = Literal["", "r", "w", "rw", "n", "t", "rt", "wt", "rwt", "nt"]
BytesMode: TypeAlias = Literal["b", "rb", "wb", "rwb", "nb"]

# ---- protocols ------------------------------------------------------------------------------

_T_contra = TypeVar("_T_contra", contravariant=True)

class Adapter(Protocol):
    """An adapter's result: it knows the SQL of an object. It may have `prepare(conn)`, too."""

    def getquoted(self) -> bytes | str: ...

class SupportsAppend(Protocol[_T_contra]):
    """An object that a program may set as `conn.notices` or `conn.notifies`."""

    def append(self, item: _T_contra, /) -> object: ...

class Source(Protocol):
    """A file that COPY reads from."""

    def read(self, size: int, /) -> str | bytes: ...

class _BytesTarget(Protocol):
    def write(self, data: bytes, /) -> object: ...

# A file that COPY writes to: a text file gets str, everything else bytes.
Target: TypeAlias = _BytesTarget | TextIOBase | IO[str]

class SupportsLog(Protocol):
    """A text file to log to."""

    def write(self, text: str, /) -> object: ...

# ---- type variables -------------------------------------------------------------------------

# The class of the objects that a factory makes.
CursorT = TypeVar("CursorT", bound=cursor)
ConnectionT = TypeVar("ConnectionT", bound=connection[Any])
LobjectT = TypeVar("LobjectT", bound=lobject[Any])
# A class whose objects are adapted.
AdaptedT = TypeVar("AdaptedT")
# The cursors of a connection. Covariant, and with a default: `connection` alone has any cursors.
CursorT_co = TypeVar("CursorT_co", bound=cursor, covariant=True, default=cursor)
# The connections of a pool.
ConnectionT_co = TypeVar(
    "ConnectionT_co", bound=connection[Any], covariant=True, default=connection
)
# The type that a large object's `read()` returns.
DataT_co = TypeVar("DataT_co", bound=str | bytes, covariant=True, default=Any)
# The object that a `sql.Literal` wraps.
WrappedT = TypeVar("WrappedT", default=Any)
# The bounds of a range.
BoundT_co = TypeVar("BoundT_co", covariant=True, default=Any)
NumberT_co = TypeVar("NumberT_co", bound=float | Decimal, covariant=True, default=Any)

# Called with a connection and a name or None. A factory may want connections of its own class.
CursorFactory: TypeAlias = Callable[[Any, Any], CursorT]
