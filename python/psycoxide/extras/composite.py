"""Composite types: their values as named tuples.

See <https://www.postgresql.org/docs/current/rowtypes.html>.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._catalog import fetch_by_name, lookup
from psycoxide._exceptions import DataError, ProgrammingError
from psycoxide._psycopg import _composite_fields
from psycoxide.extras.named_tuple import record_class

if TYPE_CHECKING:
    from psycoxide._psycopg import cursor
    from psycoxide._types import Scope, Typecaster


class CompositeCaster:
    """The typecasters of one composite type, made and registered by `register_composite()`.

    `name`, `schema`, `oid` and `array_oid` are the type's; `attnames` and `atttypes` list the names
    and type oids of its attributes; `type` is the class of the values, `typecaster` and
    `array_typecaster` (None if there is no array type) are its typecasters. A subclass can override
    `make()`.
    """

    def __init__(
        self,
        name: str,
        oid: int,
        attrs: Iterable[tuple[str, int]],
        array_oid: int | None = None,
        schema: str | None = None,
    ) -> None:
        attributes = list(attrs)
        self.name = name
        self.schema = schema
        self.oid = oid
        self.array_oid = array_oid
        self.attnames: list[str] = [attribute[0] for attribute in attributes]
        self.atttypes: list[int] = [attribute[1] for attribute in attributes]
        self._create_type(name, self.attnames)
        self.typecaster: Typecaster = _ext.new_type((oid,), name, self.parse)
        self.array_typecaster: Typecaster | None = (
            None
            if array_oid is None
            else _ext.new_array_type((array_oid,), f"{name}ARRAY", self.typecaster)
        )

    def parse(self, s: str | None, curs: cursor) -> Any:
        """The object in the text `s`; `curs` casts its attributes.

        Raises InterfaceError if `s` is not a composite value, DataError if its number of attributes
        is not the type's: the type was changed after it was registered.
        """
        if s is None:
            return None
        tokens = self.tokenize(s)
        if len(tokens) != len(self.atttypes):
            raise DataError(
                f"expecting {len(self.atttypes)} components for the type {self.name}, "
                f"{len(tokens)} found instead"
            )
        cast = curs.cast
        return self.make([cast(oid, token) for oid, token in zip(self.atttypes, tokens)])

    def make(self, values: Sequence[Any]) -> Any:
        """The object for these attributes: a named tuple, unless a subclass overrides it."""
        return self._ctor(values)

    @classmethod
    def tokenize(cls, s: str) -> list[str | None]:
        """The texts of the attributes in the text of a composite value; None for a NULL."""
        tokens: list[str | None] = _composite_fields(s)
        return tokens

    def _create_type(self, name: str, attnames: list[str]) -> None:
        """Set `type`, the class of the values, and `_ctor`, which makes one from a sequence."""
        self.type: Any = record_class(
            _extras._re_clean.sub("_", name), attnames, CompositeCaster.__module__
        )
        self._ctor = self.type._make

    @classmethod
    def _from_db(cls, name: str, conn_or_curs: Scope) -> CompositeCaster:
        """The caster of the server's type `name`. Raises ProgrammingError if there is none."""
        with lookup(conn_or_curs) as (conn, curs):
            rows = fetch_by_name(
                conn,
                curs,
                name,
                "t.oid, t.typarray, a.attname, a.atttypid",
                "pg_type t JOIN pg_attribute a"
                " ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped",
                "ORDER BY a.attnum",
            )
        if not rows:
            raise ProgrammingError(f"PostgreSQL type '{name}' not found")
        oid, array_oid, _, _, type_name, schema = rows[0]
        return cls(
            type_name, oid, [(row[2], row[3]) for row in rows], array_oid=array_oid, schema=schema
        )


def register_composite(
    name: str,
    conn_or_curs: Scope,
    globally: bool = False,
    factory: type[CompositeCaster] | None = None,
) -> CompositeCaster:
    """Read values of the composite type `name`, and arrays of them, as named tuples.

    `name` may have a schema. The typecasters are registered on `conn_or_curs`, or everywhere if
    `globally`. `factory` is a `CompositeCaster` subclass that makes other objects than named
    tuples. Returns the caster. Raises ProgrammingError if the server has no such type.
    """
    caster = (factory or _extras.CompositeCaster)._from_db(name, conn_or_curs)
    scope = None if globally else conn_or_curs
    _ext.register_type(caster.typecaster, scope)
    if caster.array_typecaster is not None:
        _ext.register_type(caster.array_typecaster, scope)
    return caster
