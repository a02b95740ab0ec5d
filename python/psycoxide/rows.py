"""Row factories: what rows are, with the names and the protocol of psycopg 3, and `Record`.

A row factory is called with a cursor when there is a result to fetch, and returns a row maker; that
is called with the tuple of values of each row, and what it returns is the row. A factory of your
own is a function, typed by what it makes:

    def counted_row(cursor: Described) -> RowMaker[tuple[int, TupleRow]]:
        numbers = itertools.count(1)
        return lambda values: (next(numbers), values)

Without a result (a cursor's `description` is None) factories that need the names of columns return
a maker that raises InterfaceError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    NoReturn,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    overload,
)

import psycoxide

if TYPE_CHECKING:
    from psycoxide.extras.named_tuple import _Record as _NamedTuple

_T = TypeVar("_T")
_Row_co = TypeVar("_Row_co", covariant=True)

# Up to this many sets of column names have a class of rows at a time.
_CLASSES = 512

# The rows of `tuple_row` and `dict_row`.
TupleRow: TypeAlias = tuple[Any, ...]
DictRow: TypeAlias = dict[str, Any]


class Named(Protocol):
    """What row factories read of an item of `description`: the column's name."""

    @property
    def name(self) -> str:
        """The column's name."""


class Described(Protocol):
    """What row factories read of a cursor: its `description`."""

    @property
    def description(self) -> Sequence[Named] | None:
        """The columns of the result, or None if there is no result."""


class RowMaker(Protocol[_Row_co]):
    """A function that makes a row of the tuple of its values."""

    def __call__(self, values: tuple[Any, ...], /) -> _Row_co: ...


class RowFactory(Protocol[_Row_co]):
    """A function that is called with a cursor and returns the maker of its rows."""

    # Any, so that a factory may be written for cursors of one class.
    def __call__(self, cursor: Any, /) -> RowMaker[_Row_co]: ...


# ---- the factories ------------------------------------------------------------------------------


def tuple_row(cursor: Described) -> RowMaker[TupleRow]:
    """Rows that are tuples: the default."""
    return tuple


def dict_row(cursor: Described) -> RowMaker[DictRow]:
    """Rows that are dicts, by column name. Of columns with the same name the last one stays."""
    names = _names(cursor)
    return _no_result if names is None else lambda values: dict(zip(names, values))


def scalar_row(cursor: Described) -> RowMaker[Any]:
    """Rows that are the value of their first column.

    Raises ProgrammingError if the result has no columns.
    """
    if cursor.description is None:
        return _no_result
    if not cursor.description:
        raise psycoxide.ProgrammingError("scalar_row needs a result with a column")
    return lambda values: values[0]


def namedtuple_row(cursor: Described) -> RowMaker[_NamedTuple]:
    """Rows that are named tuples of a class `Row`, made from the column names.

    Characters that an identifier cannot have become `_`; a name that then cannot begin an
    attribute's name, or begins with `_`, gets an `f` before it: `?column?` becomes `f_column_`.
    Raises DataError if two columns then have the same name, or if a name is a Python keyword.
    """
    names = _names(cursor)
    return _no_result if names is None else _row_class(names)._make


def class_row(cls: type[_T]) -> RowFactory[_T]:
    """Rows that are `cls(**columns)`: a data class, or any class that takes such keywords."""
    return kwargs_row(cls)


def kwargs_row(func: Callable[..., _T]) -> RowFactory[_T]:
    """Rows that are what `func` returns, called with the columns as keywords."""

    def factory(cursor: Described) -> RowMaker[_T]:
        names = _names(cursor)
        return _no_result if names is None else lambda values: func(**dict(zip(names, values)))

    return factory


def args_row(func: Callable[..., _T]) -> RowFactory[_T]:
    """Rows that are what `func` returns, called with the values in the order of the columns."""

    def factory(cursor: Described) -> RowMaker[_T]:
        return lambda values: func(*values)

    return factory


def record_row(cursor: Described) -> RowMaker[Record]:
    """Rows that are a `Record` each: a tuple with access by column name."""
    names = _names(cursor)
    return _no_result if names is None else partial(tuple.__new__, _record_class(names))


def _names(cursor: Described) -> tuple[str, ...] | None:
    description = cursor.description
    return None if description is None else tuple([column.name for column in description])


def _no_result(values: tuple[Any, ...], /) -> NoReturn:
    raise psycoxide.InterfaceError("the cursor has no result")


# ---- named tuples -------------------------------------------------------------------------------


@lru_cache(_CLASSES)
def _row_class(names: tuple[str, ...]) -> type[_NamedTuple]:
    from psycoxide.extras.named_tuple import record_class

    try:
        made: type[_NamedTuple] = record_class("Row", map(_attribute, names), __name__)
    except ValueError as error:
        raise psycoxide.DataError(f"no named tuple has these names: {error}") from error
    return made


def _attribute(name: str) -> str:
    """The attribute for a column of this name."""
    clean = "".join([char if f"x{char}".isidentifier() else "_" for char in name])
    return clean if clean.isidentifier() and not clean.startswith("_") else f"f{clean}"


# ---- records ------------------------------------------------------------------------------------


class Record(tuple[Any, ...]):
    """A row as a tuple whose values can also be had by column name, as `row["id"]`.

    It iterates over its values, as a tuple, and compares and hashes as one; `in` looks for a
    column name, and `dict(row)` has the names as keys. Of columns with the same name, access by
    name returns the last one. Made by `record_row`.
    """

    __slots__ = ()
    _columns: ClassVar[tuple[str, ...]]
    _index: ClassVar[dict[str, int]]

    def __new__(cls, *_args: object, **_kwargs: object) -> Record:
        raise TypeError("a Record is made by record_row, which knows the names of its columns")

    @overload
    def __getitem__(self, key: str | SupportsIndex, /) -> Any: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Any, ...]: ...
    def __getitem__(self, key: str | SupportsIndex | slice, /) -> Any:
        if isinstance(key, str):
            key = self._index[key]
        return super().__getitem__(key)

    def __contains__(self, name: object, /) -> bool:
        return name in self._index

    def get(self, name: str, default: Any = None) -> Any:
        """The value of the column of this name, or `default` if there is none."""
        index = self._index.get(name)
        return default if index is None else super().__getitem__(index)

    def keys(self) -> Iterator[str]:
        """An iterator over the column names, in the order of the columns."""
        return iter(self._columns)

    def values(self) -> Iterator[Any]:
        """An iterator over the values, in the order of the columns."""
        return iter(self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """An iterator over the columns, each as its name and value."""
        return zip(self._columns, self)

    def __repr__(self) -> str:
        return f"<{' '.join(['Record', *(f'{name}={value!r}' for name, value in self.items())])}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _record_again, (self._columns, tuple(self))


@lru_cache(_CLASSES)
def _record_class(names: tuple[str, ...]) -> type[Record]:
    """The class of records with these columns: a record itself holds its values only."""
    index = {name: number for number, name in enumerate(names)}
    content = {"__slots__": (), "__module__": __name__, "_columns": names, "_index": index}
    return type("Record", (Record,), content)


def _record_again(names: tuple[str, ...], values: tuple[Any, ...]) -> Record:
    """The record that was pickled."""
    return tuple.__new__(_record_class(names), values)
