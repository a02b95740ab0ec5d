"""The type hstore: a dict of str to str or None.

See <https://www.postgresql.org/docs/current/hstore.html>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycoxide import extensions as _ext, extras as _extras
from psycoxide._catalog import lookup
from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import _HSTORE, connection

if TYPE_CHECKING:
    from psycoxide._psycopg import cursor
    from psycoxide._types import Scope


# The version from which servers have the function hstore(text[], text[]).
_ARRAYS_SINCE = 90000


class HstoreAdapter:
    """Adapts a dict to an hstore, and parses the text of an hstore.

    An hstore is written as a call of the function `hstore()`; servers before 9.0 do not have it:
    for these it is written as pairs with the operator `=>`.
    """

    def __init__(self, wrapped: dict[str, str | None]) -> None:
        self.wrapped = wrapped
        self.conn: connection | None = None

    def prepare(self, conn: connection) -> None:
        """Use the encoding and the quoting rules of `conn`."""
        self.conn = conn

    def getquoted(self) -> bytes:
        """The SQL, in the form for the server of the connection given to `prepare()`."""
        if self.conn is not None and self.conn.info.server_version < _ARRAYS_SINCE:
            return self._getquoted_8()
        return self._getquoted_9()

    def _getquoted_8(self) -> bytes:
        """The SQL for servers before 9.0: `(('key' => 'value')||...)`."""
        if not self.wrapped:
            return b"''::hstore"
        pairs = (
            b"(" + self._quoted(key) + b" => " + self._quoted(value) + b")"
            for key, value in self.wrapped.items()
        )
        return b"(" + b"||".join(pairs) + b")"

    def _getquoted_9(self) -> bytes:
        """The SQL for servers from 9.0 on: `hstore(ARRAY['key', ...], ARRAY['value', ...])`."""
        if not self.wrapped:
            return b"''::hstore"
        keys = self._quoted(list(self.wrapped.keys()))
        values = self._quoted(list(self.wrapped.values()))
        return b"hstore(" + keys + b", " + values + b")"

    def _quoted(self, value: Any) -> bytes:
        adapted = _ext.adapt(value)
        if self.conn is not None and hasattr(adapted, "prepare"):
            adapted.prepare(self.conn)
        quoted: bytes = adapted.getquoted()
        return quoted

    @classmethod
    def parse(cls, s: str | None, cur: cursor | None = None) -> dict[str, str | None] | None:
        """The dict in the text `s`. Raises InterfaceError if `s` is no hstore."""
        found: dict[str, str | None] | None = _HSTORE(s, cur)
        return found

    # The other name is from the time of Python 2.
    parse_unicode = parse

    @classmethod
    def get_oids(cls, conn_or_curs: Scope) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The oids of hstore, and those of its array, of every schema that has one."""
        with lookup(conn_or_curs) as (_, curs):
            curs.execute("SELECT t.oid, t.typarray FROM pg_type t WHERE t.typname = 'hstore'")
            rows = curs.fetchall()
        return tuple(row[0] for row in rows), tuple(row[1] for row in rows)


_parse = HstoreAdapter.__dict__["parse"].__func__


def register_hstore(
    conn_or_curs: Scope,
    globally: bool = False,
    unicode: bool = False,
    oid: int | tuple[int, ...] | None = None,
    array_oid: int | tuple[int, ...] | None = None,
) -> None:
    """Read hstore values as dicts, and write dicts as hstores.

    The typecasters are registered on `conn_or_curs`, or everywhere if `globally`; the adapter of
    dict is registered everywhere. The oids are looked up through `conn_or_curs` unless `oid` is
    given; `unicode` has no effect. Raises ProgrammingError if the database has no hstore.
    """
    adapter = _extras.HstoreAdapter
    if oid is None:
        oid, array_oid = adapter.get_oids(conn_or_curs)
        if not oid:
            raise ProgrammingError(
                "hstore type not found in the database. "
                "please install it from your 'contrib/hstore.sql' file"
            )

    oids = (oid,) if isinstance(oid, int) else tuple(oid)
    array_oids = (array_oid,) if isinstance(array_oid, int) else tuple(array_oid or ())
    scope = None if globally else conn_or_curs

    # The native typecaster does the same as `parse()`, unless a program has replaced that.
    own = getattr(adapter.parse, "__func__", None) is _parse
    caster = _ext.new_type(oids, "HSTORE", _HSTORE if own else adapter.parse)
    _ext.register_type(caster, scope)
    _ext.register_adapter(dict, adapter)
    array_oids = tuple(found for found in array_oids if found)
    if array_oids:
        _ext.register_type(_ext.new_array_type(array_oids, "HSTOREARRAY", caster), scope)
