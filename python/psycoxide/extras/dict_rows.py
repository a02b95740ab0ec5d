"""Cursors whose rows know column names: `DictRow`, a list, and `RealDictRow`, a dict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from psycoxide import extras as _extras
from psycoxide._psycopg import _OrderedRow, _row_class, connection, cursor

if TYPE_CHECKING:
    from psycoxide._types import Query, Vars

    # Type checkers know by the base what cursors a connection makes.
    _DictConnection = connection["DictCursor"]
    _RealDictConnection = connection["RealDictCursor"]
else:
    _DictConnection = _RealDictConnection = connection


class DictCursorBase(cursor):
    """The base of `DictCursor` and `RealDictCursor`. Use one of these.

    Takes a cursor's arguments and the keyword `row_factory`; raises NotImplementedError without it.
    Names are resolved at the first fetch after an `execute()`: a named cursor has no description
    before that.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "row_factory" not in kwargs:
            raise NotImplementedError("DictCursorBase can't be instantiated without a row factory.")
        row_factory = kwargs.pop("row_factory")
        super().__init__(*args, **kwargs)
        self._query_executed = False
        # Whether a row can be made before the names are known.
        self._prefetch = False
        self.row_factory = row_factory

    def fetchone(self) -> Any:
        """The next row, or None if there is none."""
        return self._fetch(super().fetchone)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """A list of the next `size` rows, by default `arraysize`."""
        return self._fetch(super().fetchmany, size)  # type: ignore[no-any-return]

    def fetchall(self) -> list[Any]:
        """A list of all remaining rows."""
        return self._fetch(super().fetchall)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Any]:
        rows = super().__iter__()
        try:
            yield self._fetch(next, rows)
            while True:
                yield next(rows)
        except StopIteration:
            return

    def _fetch(self, fetch: Callable[..., Any], *args: Any) -> Any:
        """The result of `fetch`. The names are resolved before it if rows need them, else after."""
        if self._query_executed and not self._prefetch:
            self._build_index()
        fetched = fetch(*args)
        if self._query_executed and self._prefetch:
            self._build_index()
        return fetched

    def _build_index(self) -> None:
        raise NotImplementedError


class DictConnection(_DictConnection):
    """A connection whose cursors are `DictCursor`s, unless it has a `cursor_factory`."""

    if not TYPE_CHECKING:

        def cursor(self, *args, **kwargs):
            """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
            kwargs.setdefault("cursor_factory", self.cursor_factory or _extras.DictCursor)
            return super().cursor(*args, **kwargs)


class DictCursor(DictCursorBase):
    """A cursor whose rows are `DictRow`s."""

    # The position of each name. The attribute does not exist before the first `execute()`.
    index: OrderedDict[str, int]

    if TYPE_CHECKING:

        def fetchone(self) -> DictRow | None: ...  # type: ignore[override]
        def fetchmany(self, size: int | None = None) -> list[DictRow]: ...  # type: ignore[override]
        def fetchall(self) -> list[DictRow]: ...  # type: ignore[override]
        def __iter__(self) -> Iterator[DictRow]: ...  # type: ignore[override]
        def __next__(self) -> DictRow: ...  # type: ignore[override]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["row_factory"] = _extras.DictRow
        super().__init__(*args, **kwargs)
        # A row shares the index with the cursor, which may fill it after making the row.
        self._prefetch = True

    def execute(self, query: Query, vars: Vars = None) -> None:
        """As `extensions.cursor.execute()`."""
        self.index = OrderedDict()
        self._query_executed = True
        return super().execute(query, vars)

    def callproc(self, procname: str, vars: Vars = None) -> Sequence[Any] | None:
        """As `extensions.cursor.callproc()`."""
        self.index = OrderedDict()
        self._query_executed = True
        return super().callproc(procname, vars)

    def _build_index(self) -> None:
        if self._query_executed and self.description:
            for position, column in enumerate(self.description):
                self.index[column[0]] = position
            self._query_executed = False


# The native module makes these rows itself, without calling the class, as long as a program has not
# changed it.
@_row_class
class DictRow(list[Any]):
    """A row as a list, whose items can also be read and set by column name.

    If columns share a name, the last one is found. As with a mapping, `in` tests names, and
    `keys()`, `values()` and `items()` go through the names.
    """

    __slots__ = ("_index",)

    _index: OrderedDict[str, int]

    def __init__(self, cursor: DictCursor) -> None:
        self._index = cursor.index
        self[:] = [None] * len(cursor.description or ())

    @overload
    def __getitem__(self, x: SupportsIndex | str) -> Any: ...
    @overload
    def __getitem__(self, x: slice) -> list[Any]: ...
    def __getitem__(self, x: Any) -> Any:
        if not isinstance(x, (int, slice)):
            x = self._index[x]
        return super().__getitem__(x)

    @overload
    def __setitem__(self, x: SupportsIndex | str, v: Any) -> None: ...
    @overload
    def __setitem__(self, x: slice, v: Iterable[Any]) -> None: ...
    def __setitem__(self, x: Any, v: Any) -> None:
        if not isinstance(x, (int, slice)):
            x = self._index[x]
        super().__setitem__(x, v)

    def items(self) -> Iterator[tuple[str, Any]]:
        """The names with their values."""
        item = super().__getitem__
        return ((name, item(position)) for name, position in self._index.items())

    def keys(self) -> Iterator[str]:
        """The names."""
        return iter(self._index)

    def values(self) -> Iterator[Any]:
        """The values, in the order of the names."""
        item = super().__getitem__
        return (item(position) for position in self._index.values())

    def get(self, x: SupportsIndex | str, default: Any = None) -> Any:
        """The value of a name or position; `default` if there is none."""
        try:
            return self[x]
        except Exception:
            return default

    def copy(self) -> OrderedDict[str, Any]:  # type: ignore[override]
        """The row as an `OrderedDict`."""
        return OrderedDict(self.items())

    def __contains__(self, x: object) -> bool:
        return x in self._index

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Through the copyreg protocol, because list's own appends item by item to a row that has
        # no index yet.
        return super().__reduce__()

    def __getstate__(self) -> tuple[list[Any], OrderedDict[str, int]]:
        return self[:], self._index.copy()

    def __setstate__(self, data: tuple[list[Any], OrderedDict[str, int]]) -> None:
        self[:] = data[0]
        self._index = data[1]


class RealDictConnection(_RealDictConnection):
    """A connection whose cursors are `RealDictCursor`s, unless it has a `cursor_factory`."""

    if not TYPE_CHECKING:

        def cursor(self, *args, **kwargs):
            """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
            kwargs.setdefault("cursor_factory", self.cursor_factory or _extras.RealDictCursor)
            return super().cursor(*args, **kwargs)


class RealDictCursor(DictCursorBase):
    """A cursor whose rows are `RealDictRow`s: names only, no positions."""

    # The name of each column. The attribute does not exist before the first `execute()`.
    column_mapping: list[str]

    if TYPE_CHECKING:

        def fetchone(self) -> RealDictRow | None: ...  # type: ignore[override]
        def fetchmany(self, size: int | None = None) -> list[RealDictRow]: ...  # type: ignore[override]
        def fetchall(self) -> list[RealDictRow]: ...  # type: ignore[override]
        def __iter__(self) -> Iterator[RealDictRow]: ...  # type: ignore[override]
        def __next__(self) -> RealDictRow: ...  # type: ignore[override]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["row_factory"] = _extras.RealDictRow
        super().__init__(*args, **kwargs)

    def execute(self, query: Query, vars: Vars = None) -> None:
        """As `extensions.cursor.execute()`."""
        self.column_mapping = []
        self._query_executed = True
        return super().execute(query, vars)

    def callproc(self, procname: str, vars: Vars = None) -> Sequence[Any] | None:
        """As `extensions.cursor.callproc()`."""
        self.column_mapping = []
        self._query_executed = True
        return super().callproc(procname, vars)

    def _build_index(self) -> None:
        if self._query_executed and self.description:
            self.column_mapping = [column[0] for column in self.description]
            self._query_executed = False


# Likewise.
@_row_class
class RealDictRow(_OrderedRow, OrderedDict[str, Any]):
    """A row as a dict from column name to value, in the order of the columns.

    It is made as a dict is, or from a cursor: then `row[0] = value` stores the value under the
    first column's name, until the last column is set. If columns share a name, the last is kept.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args or not isinstance(args[0], cursor):
            super().__init__(*args, **kwargs)
            return
        curs: Any = args[0]
        super().__init__(*args[1:], **kwargs)
        # A named cursor has no description before its first fetch, and this is part of a fetch.
        if curs.description and not curs.column_mapping:
            curs._build_index()
        # The names are kept in the dict itself while it is filled: an attribute would show.
        self[RealDictRow] = curs.column_mapping

    def __setitem__(self, key: Any, value: Any) -> None:
        if RealDictRow not in self:  # type: ignore[comparison-overlap]
            super().__setitem__(key, value)
            return
        names: Any = self[RealDictRow]  # type: ignore[index]
        super().__setitem__(names[key], value)
        if key == len(names) - 1:
            del self[RealDictRow]  # type: ignore[arg-type]
