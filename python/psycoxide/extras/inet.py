"""The type inet as a wrapped str. Deprecated: `register_ipaddress()` reads useful objects."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._psycopg import adapt

if TYPE_CHECKING:
    from psycoxide._types import Scope, Typecaster

# The oids are fixed: src/include/catalog/pg_type.dat of PostgreSQL.
_INET_OID = 869
_INETARRAY_OID = 1041


class Inet:
    """Wraps the text of an address so that it is passed to the server as an inet."""

    def __init__(self, addr: str) -> None:
        self.addr = addr
        self._conn: _ext.connection | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.addr!r})"

    def __str__(self) -> str:
        return str(self.addr)

    def __conform__(self, proto: object) -> Inet | None:
        return self if proto is _ext.ISQLQuote else None

    def prepare(self, conn: _ext.connection) -> None:
        """Use the encoding and the quoting rules of `conn`."""
        self._conn = conn

    def getquoted(self) -> bytes:
        """The SQL: `'...'::inet`."""
        adapted = adapt(self.addr)
        if self._conn is not None and hasattr(adapted, "prepare"):
            adapted.prepare(self._conn)
        quoted: bytes = adapted.getquoted()
        return quoted + b"::inet"


def register_inet(
    oid: int | tuple[int, int] | list[int] | None = None, conn_or_curs: Scope | None = None
) -> Typecaster:
    """Read inet values, and arrays of them, as `Inet` objects. Deprecated: it warns.

    `oid` is the oid of the type, or a pair of it and its array type's; by default those of
    inet. The typecasters are registered on `conn_or_curs`, or everywhere if it is None. Returns the
    typecaster of the type.
    """
    warnings.warn(
        "the inet adapter is deprecated, it's not very useful", DeprecationWarning, stacklevel=2
    )
    if not oid:
        inet_oid, array_oid = _INET_OID, _INETARRAY_OID
    elif isinstance(oid, (list, tuple)):
        inet_oid, array_oid = oid
    else:
        inet_oid, array_oid = oid, _INETARRAY_OID

    def typecast_inet(data: str | None, cursor: Any) -> Inet | None:
        return _extras.Inet(data) if data else None

    caster = _ext.new_type((inet_oid,), "INET", typecast_inet)
    array_caster = _ext.new_array_type((array_oid,), "INETARRAY", caster)
    _ext.register_type(caster, conn_or_curs)
    _ext.register_type(array_caster, conn_or_curs)
    # Programs find them there after the first call.
    _ext.INET, _ext.INETARRAY = caster, array_caster  # type: ignore[attr-defined]
    return caster
