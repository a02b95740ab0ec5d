"""The type uuid: values as `uuid.UUID` objects.

See <https://www.postgresql.org/docs/current/datatype-uuid.html>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._psycopg import _UUID

if TYPE_CHECKING:
    from psycoxide._types import Scope, Typecaster

# The oids are fixed: src/include/catalog/pg_type.dat of PostgreSQL.
_UUID_OID = 2950
_UUIDARRAY_OID = 2951


class UUID_adapter:
    """Adapts a `uuid.UUID` to a literal of the type uuid."""

    def __init__(self, uuid: Any) -> None:
        self._uuid = uuid

    def __conform__(self, proto: object) -> UUID_adapter | None:
        return self if proto is _ext.ISQLQuote else None

    def getquoted(self) -> bytes:
        """The SQL: `'...'::uuid`."""
        return f"'{self._uuid}'::uuid".encode()

    def __str__(self) -> str:
        return f"'{self._uuid}'::uuid"


def register_uuid(
    oids: int | tuple[int, int] | list[int] | None = None, conn_or_curs: Scope | None = None
) -> Typecaster:
    """Read uuid values, and arrays of them, as `uuid.UUID` objects, and adapt such objects.

    `oids` is the oid of the type, or a pair of it and its array type's; by default those of
    uuid. The typecasters are registered on `conn_or_curs`, or everywhere if it is None; the adapter
    is registered everywhere. Returns the typecaster of the type.
    """
    import uuid

    if not oids:
        oid, array_oid = _UUID_OID, _UUIDARRAY_OID
    elif isinstance(oids, (list, tuple)):
        oid, array_oid = oids
    else:
        oid, array_oid = oids, _UUIDARRAY_OID

    caster = _ext.new_type((oid,), "UUID", _UUID)
    array_caster = _ext.new_array_type((array_oid,), "UUID[]", caster)
    _ext.register_type(caster, conn_or_curs)
    _ext.register_type(array_caster, conn_or_curs)
    _ext.register_adapter(uuid.UUID, _extras.UUID_adapter)
    # Programs find them there after the first call.
    _ext.UUID, _ext.UUIDARRAY = caster, array_caster  # type: ignore[attr-defined]
    return caster
