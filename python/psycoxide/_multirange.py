"""Multiranges: a Python object for PostgreSQL's multirange types, its adapters and typecasters.

psycopg2 does not have them: there a multirange is a str, and here as well, until
`register_default_multiranges()` or `register_multirange()` is called. See
<https://www.postgresql.org/docs/current/rangetypes.html>.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from psycoxide._catalog import fetch_by_name, lookup
from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import (
    _multirange_ranges,
    _range_bounds,
    new_array_type,
    new_type,
    register_type,
)
from psycoxide._range import Range, RangeAdapter, _class_or_new
from psycoxide.extensions import _register_adapter as register_adapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycoxide._psycopg import cursor
    from psycoxide._types import Scope, Typecaster


class Multirange(Sequence[Range]):
    """A sequence of ranges of one type, immutable and hashable.

    `ranges` is any iterable of `Range` objects; other items raise TypeError. They are kept as
    given; the server sorts them, merges those that touch, and leaves empty ones out.

    A value is `in` a multirange if it is in one of its ranges; a range is if it is one of them.
    Two multiranges are equal if their ranges are equal, in the same order.
    """

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges: tuple[Range, ...] = tuple(ranges)
        for one in self._ranges:
            if not isinstance(one, Range):
                raise TypeError(f"a multirange consists of ranges: got {type(one).__name__}")

    @overload
    def __getitem__(self, index: int) -> Range: ...
    @overload
    def __getitem__(self, index: slice) -> Multirange: ...
    def __getitem__(self, index: int | slice) -> Range | Multirange:
        if isinstance(index, slice):
            return type(self)(self._ranges[index])
        return self._ranges[index]

    def __len__(self) -> int:
        return len(self._ranges)

    def __contains__(self, x: object) -> bool:
        if isinstance(x, Range):
            return x in self._ranges
        return any(x in one for one in self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Multirange) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._ranges)!r})"

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self._ranges)) + "}"

    def __getstate__(self) -> dict[str, Any]:
        return {"_ranges": self._ranges}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._ranges = state["_ranges"]


class NumericMultirange(Multirange):
    """A multirange of numbers: int4multirange, int8multirange and nummultirange."""

    __slots__ = ()


class DateMultirange(Multirange):
    """A multirange of dates: datemultirange."""

    __slots__ = ()


class DateTimeMultirange(Multirange):
    """A multirange of timestamps without time zone: tsmultirange."""

    __slots__ = ()


class DateTimeTZMultirange(Multirange):
    """A multirange of timestamps with time zone: tstzmultirange."""

    __slots__ = ()


class MultirangeAdapter(RangeAdapter):
    """Adapts a `Multirange` to a call of the multirange's constructor function.

    A subclass sets `name`, the name of the multirange type, or overrides `getquoted()`.
    """

    adapted: Multirange  # type: ignore[assignment]

    def getquoted(self) -> bytes:
        """The SQL of the multirange. Raises NotImplementedError if the class has no `name`."""
        if self.name is None:
            raise NotImplementedError(
                "MultirangeAdapter must be subclassed overriding its name or the getquoted() method"
            )
        ranges = b", ".join(map(self._bound, self.adapted))
        return b"%s(%s)" % (self.name.encode("utf8"), ranges)


class NumberMultirangeAdapter(MultirangeAdapter):
    """Adapts a `NumericMultirange` to an untyped literal.

    Untyped, because only the server knows which of its multirange types of numbers is meant.
    """

    def getquoted(self) -> bytes:
        """The SQL of the multirange: a literal such as `'{[1,5),[7,)}'`."""
        quoted = map(self._bound, self.adapted)
        ranges = (one.removeprefix(b"'").removesuffix(b"'") for one in quoted)
        return b"'{%s}'" % b",".join(ranges)


class MultirangeCaster:
    """The typecasters of one multirange type, made and registered by `register_multirange()`.

    `multirange` is the Python class, `adapter` its adapter, `typecaster` and `array_typecaster`
    (None if there is no array type) its typecasters. A subclass can override `parse()`.
    """

    def __init__(
        self,
        pgmultirange: str | type[MultirangeAdapter],
        pymultirange: str | type[Multirange],
        oid: int,
        range_oid: int,
        array_oid: int | None = None,
    ) -> None:
        self.range_oid = range_oid
        self.adapter: type[MultirangeAdapter] = _class_or_new(
            pgmultirange,
            MultirangeAdapter,
            {"name": pgmultirange, "__module__": __name__},
            "pgmultirange must be a string or a MultirangeAdapter",
        )
        self.multirange: type[Multirange] = _class_or_new(
            pymultirange,
            Multirange,
            {"__module__": __name__, "__slots__": ()},
            "pymultirange must be a type or a Multirange",
        )
        name = self.adapter.name or self.adapter.__name__
        self.typecaster: Typecaster = new_type((oid,), name, self.parse)
        self.array_typecaster: Typecaster | None = (
            None
            if array_oid is None
            else new_array_type((array_oid,), f"{name}ARRAY", self.typecaster)
        )

    def parse(self, s: str | None, cur: cursor | None = None) -> Multirange | None:
        """The `Multirange` in the text `s`; `cur` casts its ranges.

        Raises InterfaceError if `s` is not a multirange.
        """
        if s is None:
            return None
        texts = _multirange_ranges(s)
        if cur is None:
            return self.multirange(map(_range_of_texts, texts))
        return self.multirange([cur.cast(self.range_oid, text) for text in texts])

    def _register(self, scope: Scope | None = None) -> None:
        """Register the typecasters in `scope` (None: everywhere), the adapter everywhere."""
        register_type(self.typecaster, scope)
        if self.array_typecaster is not None:
            register_type(self.array_typecaster, scope)
        register_adapter(self.multirange, self.adapter)


def _range_of_texts(s: str) -> Range:
    bounds = _range_bounds(s)
    return Range(empty=True) if bounds is None else Range(*bounds)


def register_multirange(
    pgmultirange: str | type[MultirangeAdapter],
    pymultirange: str | type[Multirange],
    conn_or_curs: Scope,
    globally: bool = False,
) -> MultirangeCaster:
    """Register a multirange type of the server, for results and for parameters.

    `pgmultirange` is the type's name, with its schema if necessary, or a `MultirangeAdapter`
    subclass with this `name`. `pymultirange` is a `Multirange` subclass or the name of one to
    create. The typecasters are registered on `conn_or_curs`, or everywhere if `globally`; the
    adapter is registered everywhere. The range type has to be registered as well: the server's own
    are, for others call `register_range()` first. Returns the `MultirangeCaster`. Raises
    ProgrammingError if the server has no type of that name, or is older than 14.
    """
    name = pgmultirange if isinstance(pgmultirange, str) else getattr(pgmultirange, "name", None)
    if not isinstance(name, str):
        raise TypeError("pgmultirange must be a string or a MultirangeAdapter strict subclass")
    found = []
    with lookup(conn_or_curs) as (conn, curs):
        if conn.info.server_version >= 140000:
            found = fetch_by_name(
                conn,
                curs,
                name,
                "r.rngmultitypid, r.rngtypid, t.typarray",
                "pg_range r JOIN pg_type t ON t.oid = r.rngmultitypid",
            )
    if not found:
        raise ProgrammingError(f"PostgreSQL multirange '{name}' not found")
    oid, range_oid, array_oid = found[0][:3]
    caster = MultirangeCaster(
        pgmultirange, pymultirange, oid=oid, range_oid=range_oid, array_oid=array_oid
    )
    caster._register(None if globally else conn_or_curs)
    return caster


# The server's own: the oids are fixed (src/include/catalog/pg_type.dat).
_DEFAULTS = tuple(
    MultirangeCaster(adapter, multirange, oid=oid, range_oid=range_oid, array_oid=array_oid)
    for adapter, multirange, oid, range_oid, array_oid in (
        (NumberMultirangeAdapter, NumericMultirange, 4451, 3904, 6150),
        (NumberMultirangeAdapter, NumericMultirange, 4532, 3906, 6151),
        (NumberMultirangeAdapter, NumericMultirange, 4536, 3926, 6157),
        ("datemultirange", DateMultirange, 4535, 3912, 6155),
        ("tsmultirange", DateTimeMultirange, 4533, 3908, 6152),
        ("tstzmultirange", DateTimeTZMultirange, 4534, 3910, 6153),
    )
)


(
    int4multirange_caster,
    nummultirange_caster,
    int8multirange_caster,
    datemultirange_caster,
    tsmultirange_caster,
    tstzmultirange_caster,
) = _DEFAULTS


def register_default_multiranges(conn_or_curs: Scope | None = None) -> None:
    """Read values of the server's own multirange types as `Multirange` objects.

    The typecasters are registered on `conn_or_curs`, or everywhere if it is None. Without this call
    the values are str, as in psycopg2. Multiranges as parameters work without it.
    """
    for caster in _DEFAULTS:
        caster._register(conn_or_curs)


for _caster in _DEFAULTS:
    # As parameters the classes of this module are multiranges from the start; results are not.
    register_adapter(_caster.multirange, _caster.adapter)
del _caster
