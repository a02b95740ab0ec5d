"""Ranges: a Python object for PostgreSQL's range types, its adapters and typecasters.

See <https://www.postgresql.org/docs/current/rangetypes.html>.
"""

from __future__ import annotations

from psycoxide._catalog import fetch_by_name, lookup
from psycoxide._exceptions import InterfaceError as InterfaceError, ProgrammingError
from psycoxide._generic import Generic as _Generic, subscript as _subscript
from psycoxide._psycopg import (
    ISQLQuote,
    _default_types,
    _range_bounds,
    adapt,
    connection,
    new_array_type,
    new_type,
    register_type,
)
from psycoxide.extensions import _register_adapter as register_adapter

# Not imported when the program runs: every process pays for the imports of `import psycoxide`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime  # noqa: F401  (named in a string)
    from typing import Any

    from psycoxide._psycopg import cursor
    from psycoxide._types import BoundT_co, NumberT_co, Scope, Typecaster  # noqa: F401  (likewise)

# The version from which servers have ranges, and the catalogue pg_range.
_RANGES_SINCE = 90200

_BOUNDS = ("[)", "(]", "()", "[]")


class Range(_Generic["BoundT_co"]):
    """A range of values, immutable and hashable.

    `lower` and `upper` are the bounds, or None if the range has no such bound. `bounds` says
    whether they belong to the range: one of `[)`, `(]`, `()`, `[]`; anything else raises
    ValueError. If `empty`, the range has no values and no bounds.

    Two ranges are equal if their bounds are equal, whatever their classes. Ranges sort by lower
    bound, then upper, then `bounds`, with None and the empty range before all others; the server's
    order is another one. A range is true unless it is empty.
    """

    __slots__ = ("_bounds", "_lower", "_upper")

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(_subscript)

    def __init__(
        self,
        lower: BoundT_co | None = None,
        upper: BoundT_co | None = None,
        bounds: str = "[)",
        empty: bool = False,
    ) -> None:
        self._lower: BoundT_co | None = None
        self._upper: BoundT_co | None = None
        self._bounds: str | None = None
        if empty:
            return
        if bounds not in _BOUNDS:
            raise ValueError(f"bound flags not valid: {bounds!r}")
        self._lower = lower
        self._upper = upper
        self._bounds = bounds

    @property
    def lower(self) -> BoundT_co | None:
        """The lower bound; None if the range is empty or has none."""
        return self._lower

    @property
    def upper(self) -> BoundT_co | None:
        """The upper bound; None if the range is empty or has none."""
        return self._upper

    @property
    def isempty(self) -> bool:
        """Whether the range has no values."""
        return self._bounds is None

    @property
    def lower_inf(self) -> bool:
        """Whether the range goes down without end."""
        return self._bounds is not None and self._lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether the range goes up without end."""
        return self._bounds is not None and self._upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound itself belongs to the range."""
        return self._bounds is not None and self._lower is not None and self._bounds[0] == "["

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound itself belongs to the range."""
        return self._bounds is not None and self._upper is not None and self._bounds[1] == "]"

    def __contains__(self, x: Any) -> bool:
        if self._bounds is None:
            return False
        if self._lower is not None and (
            x < self._lower if self._bounds[0] == "[" else x <= self._lower
        ):
            return False
        return self._upper is None or not (
            x > self._upper if self._bounds[1] == "]" else x >= self._upper
        )

    def __bool__(self) -> bool:
        return self._bounds is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and self._key() == other._key()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: Range[Any]) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        for mine, theirs in zip(self._key(), other._key()):
            if mine == theirs:
                continue
            if mine is None or theirs is None:
                return mine is None
            return bool(mine < theirs)
        return False

    def __le__(self, other: Range[Any]) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return self == other or self < other

    def __gt__(self, other: Range[Any]) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return other < self

    def __ge__(self, other: Range[Any]) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return self == other or other < self

    def __repr__(self) -> str:
        if self._bounds is None:
            return f"{type(self).__name__}(empty=True)"
        return f"{type(self).__name__}({self._lower!r}, {self._upper!r}, {self._bounds!r})"

    def __str__(self) -> str:
        if self._bounds is None:
            return "empty"
        return f"{self._bounds[0]}{self._lower}, {self._upper}{self._bounds[1]}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Range.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _key(self) -> tuple[Any, Any, str | None]:
        return self._lower, self._upper, self._bounds


class NumericRange(Range["NumberT_co"]):
    """A range of numbers: int4range, int8range and numrange."""


class DateRange(Range["datetime.date"]):
    """A range of dates: daterange."""


class DateTimeRange(Range["datetime.datetime"]):
    """A range of timestamps without time zone: tsrange."""


class DateTimeTZRange(Range["datetime.datetime"]):
    """A range of timestamps with time zone: tstzrange."""


class RangeAdapter:
    """Adapts a `Range` to a call of the range's constructor function.

    A subclass sets `name`, the name of the range type, or overrides `getquoted()`.
    """

    name: str | None = None

    def __init__(self, adapted: Range[Any]) -> None:
        self.adapted = adapted
        self._conn: connection | None = None

    def __conform__(self, proto: object) -> RangeAdapter | None:
        return self if proto is ISQLQuote else None

    def prepare(self, conn: connection) -> None:
        """Use the encoding and the quoting rules of `conn` for the bounds."""
        self._conn = conn

    def getquoted(self) -> bytes:
        """The SQL of the range. Raises NotImplementedError if the class has no `name`."""
        if self.name is None:
            raise NotImplementedError(
                "RangeAdapter must be subclassed overriding its name or the getquoted() method"
            )
        name = self.name.encode("utf8")
        adapted = self.adapted
        if adapted._bounds is None:
            return b"'empty'::" + name
        return b"%s(%s, %s, '%s')" % (
            name,
            self._bound(adapted.lower),
            self._bound(adapted.upper),
            adapted._bounds.encode("ascii"),
        )

    def _bound(self, value: Any) -> bytes:
        if value is None:
            return b"NULL"
        adapter = adapt(value)
        if self._conn is not None and hasattr(adapter, "prepare"):
            adapter.prepare(self._conn)
        quoted: bytes = adapter.getquoted()
        return quoted


class NumberRangeAdapter(RangeAdapter):
    """Adapts a `NumericRange` to an untyped literal.

    Untyped, because only the server knows which of its range types of numbers is meant.
    """

    def getquoted(self) -> bytes:
        """The SQL of the range: a literal such as `'[1,5)'`."""
        adapted = self.adapted
        if adapted._bounds is None:
            return b"'empty'"
        lower = b"" if adapted.lower is None else self._bound(adapted.lower)
        upper = b"" if adapted.upper is None else self._bound(adapted.upper)
        return b"'%s%s,%s%s'" % (
            adapted._bounds[0].encode("ascii"),
            lower,
            upper,
            adapted._bounds[1].encode("ascii"),
        )


class RangeCaster:
    """The typecasters of one range type, made and registered by `register_range()`.

    `range` is the Python class, `adapter` its adapter, `typecaster` and `array_typecaster` (None if
    there is no array type) its typecasters. A subclass can override `parse()`.
    """

    def __init__(
        self,
        pgrange: str | type[RangeAdapter],
        pyrange: str | type[Range],
        oid: int,
        subtype_oid: int,
        array_oid: int | None = None,
    ) -> None:
        self.subtype_oid = subtype_oid
        self._create_ranges(pgrange, pyrange)

        name = self.adapter.name or type(self.adapter).__name__
        self.typecaster: Typecaster = new_type((oid,), name, self.parse)
        self.array_typecaster: Typecaster | None = (
            None
            if array_oid is None
            else new_array_type((array_oid,), f"{name}ARRAY", self.typecaster)
        )

    def _create_ranges(self, pgrange: Any, pyrange: Any) -> None:
        """Set `adapter` and `range`, each given as a class or as the name of one to create."""
        self.adapter: type[RangeAdapter] = _class_or_new(
            pgrange, RangeAdapter, {"name": pgrange}, "pgrange must be a string or a RangeAdapter"
        )
        self.range: type[Range] = _class_or_new(
            pyrange, Range, {}, "pyrange must be a type or a Range"
        )

    @classmethod
    def _from_db(
        cls,
        name: str | type[RangeAdapter],
        pyrange: str | type[Range],
        conn_or_curs: Scope,
    ) -> RangeCaster:
        """The caster of the server's range type `name`. Raises ProgrammingError if unknown."""
        pgname = name if isinstance(name, str) else getattr(name, "name", None)
        if not isinstance(pgname, str):
            raise TypeError("pgrange must be a string or a RangeAdapter strict subclass")
        with lookup(conn_or_curs) as (conn, curs):
            if 0 < conn.info.server_version < _RANGES_SINCE:
                raise ProgrammingError(
                    f"range types not available in version {conn.info.server_version}"
                )
            found = fetch_by_name(
                conn,
                curs,
                pgname,
                "r.rngtypid, r.rngsubtype, t.typarray",
                "pg_range r JOIN pg_type t ON t.oid = r.rngtypid",
            )
        if not found:
            raise ProgrammingError(f"PostgreSQL range '{pgname}' not found")
        oid, subtype_oid, array_oid = found[0][:3]
        return cls(name, pyrange, oid=oid, subtype_oid=subtype_oid, array_oid=array_oid)

    def parse(self, s: str | None, cur: cursor | None = None) -> Range[Any] | None:
        """The `Range` in the text `s`; `cur` casts its bounds.

        Raises InterfaceError if `s` is not a range.
        """
        if s is None:
            return None
        bounds = _range_bounds(s)
        if bounds is None:
            return self.range(empty=True)
        lower: Any
        upper: Any
        lower, upper, flags = bounds
        if cur is not None:
            lower = cur.cast(self.subtype_oid, lower)
            upper = cur.cast(self.subtype_oid, upper)
        return self.range(lower, upper, flags)

    def _register(self, scope: Scope | None = None) -> None:
        """Register the typecasters in `scope` (None: everywhere), the adapter everywhere."""
        register_type(self.typecaster, scope)
        if self.array_typecaster is not None:
            register_type(self.array_typecaster, scope)
        register_adapter(self.range, self.adapter)


def register_range(
    pgrange: str | type[RangeAdapter],
    pyrange: str | type[Range],
    conn_or_curs: Scope,
    globally: bool = False,
) -> RangeCaster:
    """Register a range type of the server, for results and for parameters.

    `pgrange` is the type's name, with its schema if necessary, or a `RangeAdapter` subclass with
    this `name`. `pyrange` is a `Range` subclass or the name of one to create. The typecasters
    are registered on `conn_or_curs`, or everywhere if `globally`; the adapter is registered
    everywhere. Returns the `RangeCaster`. Raises ProgrammingError if the server has no such type.
    """
    caster = RangeCaster._from_db(pgrange, pyrange, conn_or_curs)
    caster._register(None if globally else conn_or_curs)
    return caster


def _class_or_new(given: Any, base: type, namespace: dict[str, Any], complaint: str) -> Any:
    """`given` if it derives from `base`; if it is a str, a new class of that name."""
    if isinstance(given, str):
        # A name with a schema is no identifier, but a class may have it.
        return type(given, (base,), {"__module__": __name__, **namespace})
    if isinstance(given, type) and issubclass(given, base) and given is not base:
        return given
    raise TypeError(f"{complaint} strict subclass")


def _default(
    pgrange: str | type[RangeAdapter], pyrange: type[Range], oid: int, subtype_oid: int
) -> RangeCaster:
    """The caster of one of the server's own range types, with its registered typecasters.

    Every connection has these from the start; they import this module when they are first called.
    """
    array_oid = oid + 1
    caster = RangeCaster(pgrange, pyrange, oid, subtype_oid, array_oid)
    caster.typecaster = _default_types[oid]
    caster.array_typecaster = _default_types[array_oid]
    register_adapter(caster.range, caster.adapter)
    return caster


# The oids are fixed (src/include/catalog/pg_type.dat).
int4range_caster = _default(NumberRangeAdapter, NumericRange, oid=3904, subtype_oid=23)
int8range_caster = _default(NumberRangeAdapter, NumericRange, oid=3926, subtype_oid=20)
numrange_caster = _default(NumberRangeAdapter, NumericRange, oid=3906, subtype_oid=1700)
daterange_caster = _default("daterange", DateRange, oid=3912, subtype_oid=1082)
tsrange_caster = _default("tsrange", DateTimeRange, oid=3908, subtype_oid=1114)
tstzrange_caster = _default("tstzrange", DateTimeTZRange, oid=3910, subtype_oid=1184)
