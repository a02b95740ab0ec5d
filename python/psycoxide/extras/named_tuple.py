"""A cursor whose rows are named tuples."""

from __future__ import annotations

import copy
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from psycoxide import extras as _extras
from psycoxide._psycopg import _record, _records, connection, cursor

if TYPE_CHECKING:
    from typing_extensions import Self

    from psycoxide._types import Query, Vars

    # Type checkers know by the base what cursors a connection makes.
    _Connection = connection["NamedTupleCursor"]

    class _Record(tuple[Any, ...]):
        """A row: a named tuple, whose names only the database knows."""

        _fields: tuple[str, ...]
        _of_row: Any

        def __getattr__(self, name: str) -> Any: ...
        @classmethod
        def _make(cls, iterable: Iterable[Any]) -> Self: ...
        def _asdict(self) -> dict[str, Any]: ...
        def _replace(self, **kwargs: Any) -> Self: ...
else:
    _Connection = connection

# Characters that an identifier cannot have: printable ASCII except letters, digits and "_".
_re_clean = re.compile("[" + re.escape(" !\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~") + "]")


def record_class(name: str, fields: Iterable[str], module: str) -> Any:
    """A class of named tuples that can be pickled, though it is in no module."""
    make_class: Any = namedtuple
    record = make_class(name, fields, module=module)
    record.__reduce__ = _reduced
    # Otherwise copies would be made like pickles, and be of another class.
    record.__copy__ = lambda self: self
    record.__deepcopy__ = lambda self, memo: self._make(copy.deepcopy(list(self), memo))
    return record


# The class for unpickled rows: one for all rows with the same names.
_class_again = lru_cache(512)(record_class)


def _reduced(record: Any) -> tuple[Any, ...]:
    cls = type(record)
    return _record_again, (cls.__name__, record._fields, cls.__module__, tuple(record))


def _record_again(
    name: str, fields: tuple[str, ...], module: str, values: tuple[Any, ...]
) -> tuple[Any, ...]:
    made: tuple[Any, ...] = _class_again(name, fields, module)._make(values)
    return made


class NamedTupleConnection(_Connection):
    """A connection whose cursors are `NamedTupleCursor`s, unless it has a `cursor_factory`."""

    if not TYPE_CHECKING:

        def cursor(self, *args, **kwargs):
            """A new cursor; the arguments are those of `extensions.connection.cursor()`."""
            kwargs.setdefault("cursor_factory", self.cursor_factory or _extras.NamedTupleCursor)
            return super().cursor(*args, **kwargs)


class NamedTupleCursor(cursor):
    """A cursor whose rows are named tuples of a class `Record`, made from the column names.

    Characters that an identifier cannot have become `_`; a name that begins with a digit or `_`
    gets an `f` before it. Fetching raises ValueError if two columns then have the same name, or if
    a name is a Python keyword.
    """

    Record: type[_Record] | None = None
    MAX_CACHE = 1024

    def execute(self, query: Query, vars: Vars = None) -> None:
        """As `extensions.cursor.execute()`."""
        self.Record = None
        return super().execute(query, vars)

    def executemany(self, query: Query, vars: Iterable[Vars], *, prepare: bool = False) -> None:
        """As `extensions.cursor.executemany()`."""
        self.Record = None
        return super().executemany(query, vars, prepare=prepare)

    def callproc(self, procname: str, vars: Vars = None) -> Sequence[Any] | None:
        """As `extensions.cursor.callproc()`."""
        self.Record = None
        return super().callproc(procname, vars)

    def fetchone(self) -> _Record | None:
        """The next row, or None if there is none."""
        row = super().fetchone()
        return None if row is None else self._maker()(row)

    def fetchmany(self, size: int | None = None) -> list[_Record]:  # type: ignore[override]
        """A list of the next `size` rows, by default `arraysize`."""
        return self._convert(super().fetchmany(size))

    def fetchall(self) -> list[_Record]:  # type: ignore[override]
        """A list of all remaining rows."""
        return self._convert(super().fetchall())

    def __iter__(self) -> Iterator[_Record]:
        rows = super().__iter__()
        try:
            row = next(rows)
            # The record's class is known only after a fetch.
            make = self._maker()
            while True:
                yield make(row)
                row = next(rows)
        except StopIteration:
            return

    def _convert(self, rows: list[Any]) -> list[Any]:
        """The records for rows, which must have been fetched already."""
        if not rows and self.description is None:
            # A named cursor was moved, and no rows were fetched yet: the names are not known.
            return rows
        make = self._maker()
        if isinstance(make, partial):
            record, count = make.args
            _records(record, count, rows)
            return rows
        return list(map(make, rows))

    def _maker(self) -> Callable[[Any], Any]:
        """The function that makes a record of a row. A row must have been fetched already."""
        record = self.Record
        if record is None:
            record = self.Record = self._make_nt()
        # A program's own class, even one derived from ours, makes its records itself.
        quick: Callable[[Any], Any] | None = vars(record).get("_of_row")
        return quick.__func__ if isinstance(quick, staticmethod) else record._make

    def _make_nt(self) -> type[_Record]:
        """Make the class; a subclass may override this."""
        return self._cached_make_nt(tuple(column[0] for column in self.description or ()))

    @classmethod
    def _do_make_nt(cls, key: tuple[str, ...]) -> type[_Record]:
        """A new class for columns of these names."""
        fields = [_extras._re_clean.sub("_", name) for name in key]
        fields = [
            "f" + name if not name or name[0] == "_" or name[0].isdigit() else name
            for name in fields
        ]
        record: type[_Record] = record_class("Record", fields, NamedTupleCursor.__module__)
        record._of_row = staticmethod(partial(_record, record, len(fields)))
        return record

    @classmethod
    def _cached_make_nt(cls, key: tuple[str, ...]) -> type[_Record]:
        """The class for columns of these names; replaced below by a cache."""
        raise NotImplementedError


@lru_cache(512)
def _cached_make_nt(cls: type[NamedTupleCursor], key: tuple[str, ...]) -> type[_Record]:
    return cls._do_make_nt(key)


# The cache has to be visible through the method, so it is the function that is decorated.
NamedTupleCursor._cached_make_nt = classmethod(_cached_make_nt)  # type: ignore[method-assign, assignment, arg-type]
