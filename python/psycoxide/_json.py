"""JSON: a Python object as a parameter, `json` and `jsonb` values in results.

See <https://www.postgresql.org/docs/current/datatype-json.html>.
"""

from __future__ import annotations

from psycoxide._catalog import lookup
from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import (
    _JSON,
    ISQLQuote,
    QuotedString,
    _default_types,
    _json_loads,
    _JSONLoads,
    connection,
    new_array_type,
    new_type,
    register_type,
)

# Not imported when the program runs: every process pays for the imports of `import psycoxide`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from psycoxide._types import Scope, Typecaster

# The oids are fixed: src/include/catalog/pg_type.dat of PostgreSQL.
JSON_OID = 114
JSONARRAY_OID = 199
JSONB_OID = 3802
JSONBARRAY_OID = 3807


class Json:
    """Wraps an object so that it is passed to the server as JSON text.

    The text is a plain quoted literal, which the server converts to json or jsonb as needed.
    `dumps` turns the object into text, by default `json.dumps`; subclasses can override
    the method `dumps()` instead.
    """

    def __init__(self, adapted: Any, dumps: Callable[[Any], str] | None = None) -> None:
        self.adapted = adapted
        self._conn: connection | None = None
        if not dumps:
            from json import dumps
        assert dumps is not None
        self._dumps = dumps

    def __conform__(self, proto: object) -> Json | None:
        return self if proto is ISQLQuote else None

    def dumps(self, obj: Any) -> str:
        """The JSON text of `obj`."""
        return self._dumps(obj)

    def prepare(self, conn: connection) -> None:
        """Use the encoding and the quoting rules of `conn`."""
        self._conn = conn

    def getquoted(self) -> bytes:
        """The quoted JSON text."""
        quoted = QuotedString(self.dumps(self.adapted))
        if self._conn is not None:
            quoted.prepare(self._conn)
        return quoted.getquoted()

    def __str__(self) -> str:
        return self.getquoted().decode("ascii", "replace")


def register_json(
    conn_or_curs: Scope | None = None,
    globally: bool = False,
    loads: Callable[[str], Any] | None = None,
    oid: int | None = None,
    array_oid: int | None = None,
    name: str = "json",
) -> tuple[Typecaster, Typecaster | None]:
    """Register typecasters that turn the JSON type `name` and its array into Python objects.

    They are registered on `conn_or_curs`, or everywhere if `globally`. `loads` makes the object
    from the text, by default `json.loads`. The oids are looked up through `conn_or_curs` unless
    `oid` is given. Returns the two typecasters; the second is None if there is no `array_oid`.
    Raises ProgrammingError if the server has no such type.
    """
    if oid is None:
        oid, array_oid = _get_json_oids(conn_or_curs, name)

    caster, array_caster = _create_json_typecasters(oid, array_oid, loads=loads, name=name.upper())
    scope = None if globally else conn_or_curs
    register_type(caster, scope)
    if array_caster is not None:
        register_type(array_caster, scope)
    return caster, array_caster


def register_default_json(
    conn_or_curs: Scope | None = None,
    globally: bool = False,
    loads: Callable[[str], Any] | None = None,
) -> tuple[Typecaster, Typecaster | None]:
    """`register_json()` for the server's type json, without a query: its oids are known."""
    return register_json(
        conn_or_curs=conn_or_curs,
        globally=globally,
        loads=loads,
        oid=JSON_OID,
        array_oid=JSONARRAY_OID,
    )


def register_default_jsonb(
    conn_or_curs: Scope | None = None,
    globally: bool = False,
    loads: Callable[[str], Any] | None = None,
) -> tuple[Typecaster, Typecaster | None]:
    """`register_json()` for the server's type jsonb, without a query: its oids are known."""
    return register_json(
        conn_or_curs=conn_or_curs,
        globally=globally,
        loads=loads,
        oid=JSONB_OID,
        array_oid=JSONBARRAY_OID,
        name="jsonb",
    )


def _create_json_typecasters(
    oid: int,
    array_oid: int | None,
    loads: Callable[[str], Any] | None = None,
    name: str = "JSON",
) -> tuple[Typecaster, Typecaster | None]:
    # The native typecaster returns the same as `json.loads`, unless a program has replaced that.
    loads = loads or _json_loads()
    caster = new_type((oid,), name, _JSON if loads is None else _JSONLoads(loads))
    if array_oid is None:
        return caster, None
    return caster, new_array_type((array_oid,), f"{name}ARRAY", caster)


def _get_json_oids(conn_or_curs: Scope | None, name: str = "json") -> tuple[int, int]:
    with lookup(conn_or_curs) as (_, curs):
        curs.execute("SELECT t.oid, t.typarray FROM pg_type t WHERE t.typname = %s", (name,))
        found = curs.fetchone()
    if not found:
        raise ProgrammingError(f"{name} data type not found")
    return found[0], found[1]


# The typecasters that every connection has from the start.
JSON = _default_types[JSON_OID]
JSONARRAY = _default_types[JSONARRAY_OID]
JSONB = _default_types[JSONB_OID]
JSONBARRAY = _default_types[JSONBARRAY_OID]
