"""What the package's annotations share: aliases, protocols, type variables.

Only type checkers read this: when the program runs there is no such module.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from io import TextIOBase
from typing import IO, Any, Literal, Protocol, TypeAlias

from typing_extensions import TypeVar

from psycoxide import _psycopg
from psycoxide._psycopg import connection, cursor, lobject
from psycoxide.sql import Composable

# ---- aliases --------------------------------------------------------------------------------

# A statement, and what takes the place of its parameters.
Query: TypeAlias = str | bytes | Composable
Vars: TypeAlias = Sequence[Any] | Mapping[str, Any] | None
# What `new_type()` makes, whose class has no public name.
Typecaster: TypeAlias = _psycopg.type
# What gives functions an encoding and a way to quote, and says where typecasters are registered.
Scope: TypeAlias = connection[Any] | cursor
# What `conn.readonly` and `conn.deferrable` can be set to.
Flag: TypeAlias = bool | Literal["default", b"default"] | None
# The modes of a large object, by what is read from it.
TextMode: TypeAlias = Literal["", "r", "w", "rw", "n", "t", "rt", "wt", "rwt", "nt"]
BytesMode: TypeAlias = Literal["b", "rb", "wb", "rwb", "nb"]

# ---- protocols ------------------------------------------------------------------------------

_T_contra = TypeVar("_T_contra", contravariant=True)

class Adapter(Protocol):
    """What an adapter returns: it knows the SQL of an object. It may have `prepare(conn)`, too."""

    def getquoted(self) -> bytes | str: ...

class SupportsAppend(Protocol[_T_contra]):
    """What can take the place of `conn.notices` and `conn.notifies`."""

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

# The class that a factory makes.
CursorT = TypeVar("CursorT", bound=cursor)
ConnectionT = TypeVar("ConnectionT", bound=connection[Any])
LobjectT = TypeVar("LobjectT", bound=lobject[Any])
# A class whose objects are adapted.
AdaptedT = TypeVar("AdaptedT")
# The cursors of a connection. Covariant, and with a default: `connection` alone is every one.
CursorT_co = TypeVar("CursorT_co", bound=cursor, covariant=True, default=cursor)
# The connections of a pool.
ConnectionT_co = TypeVar(
    "ConnectionT_co", bound=connection[Any], covariant=True, default=connection
)
# What is read from a large object.
DataT_co = TypeVar("DataT_co", bound=str | bytes, covariant=True, default=Any)
# What a `sql.Literal` wraps.
WrappedT = TypeVar("WrappedT", default=Any)
# The bounds of a range.
BoundT_co = TypeVar("BoundT_co", covariant=True, default=Any)
NumberT_co = TypeVar("NumberT_co", bound=float | Decimal, covariant=True, default=Any)

# Two arguments, a connection and a name or None: which connections it takes is its own affair.
CursorFactory: TypeAlias = Callable[[Any, Any], CursorT]
