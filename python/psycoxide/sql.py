"""Composing SQL safely: identifiers, literals and placeholders as objects.

    cursor.execute(
        sql.SQL("INSERT INTO {table} VALUES ({values})").format(
            table=sql.Identifier("my table"), values=sql.SQL(", ").join(sql.Placeholder() * 2)
        ),
        (10, 20),
    )

Every object is a `Composable`; all are immutable. A cursor's methods take them as queries.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from psycoxide import extensions as ext
from psycoxide._generic import Generic as _Generic, subscript as _subscript

if TYPE_CHECKING:
    from psycoxide._types import WrappedT

Context = ext.connection | ext.cursor

_formatter = string.Formatter()


class Composable:
    """A piece of SQL: the base of this module's classes.

    Pieces can be added with `+`, repeated with `*`, and compared: two are equal if they are of the
    same class and wrap equal objects.
    """

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._wrapped!r})"

    def as_string(self, context: Context | None) -> str:
        """The SQL text, a str.

        `context` is the connection or cursor whose encoding and quoting rules are used; it may be
        None if nothing is quoted. Raises TypeError if it is needed and is neither.
        """
        raise NotImplementedError

    def __add__(self, other: Composable) -> Composed:
        if isinstance(other, Composed):
            return Composed([self]) + other
        if isinstance(other, Composable):
            return Composed([self]) + Composed([other])
        return NotImplemented

    def __mul__(self, n: int) -> Composed:
        return Composed([self] * n)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._wrapped == other._wrapped

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__: ClassVar[None] = None  # type: ignore[assignment]


class Composed(Composable):
    """A sequence of pieces, written one after another: the result of `+`, `*`, `format`, `join`.

    Raises TypeError if an item of `seq` is not a `Composable`.
    """

    _wrapped: list[Composable]

    def __init__(self, seq: Iterable[Composable]) -> None:
        pieces = []
        for piece in seq:
            if not isinstance(piece, Composable):
                raise TypeError(f"Composed elements must be Composable, got {piece!r} instead")
            pieces.append(piece)
        super().__init__(pieces)

    @property
    def seq(self) -> list[Composable]:
        """A list of the pieces."""
        return list(self._wrapped)

    def as_string(self, context: Context | None) -> str:
        """The SQL text of all the pieces, one after another."""
        texts = []
        for piece in self._wrapped:
            # No comprehension: nested pieces would use up the stack twice as fast.
            texts.append(piece.as_string(context))
        return "".join(texts)

    def __iter__(self) -> Iterator[Composable]:
        return iter(self._wrapped)

    def __add__(self, other: Composable) -> Composed:
        if isinstance(other, Composed):
            return Composed(self._wrapped + other._wrapped)
        if isinstance(other, Composable):
            return Composed([*self._wrapped, other])
        return NotImplemented

    def join(self, joiner: str | SQL) -> Composed:
        """The pieces with `joiner` between them. Raises TypeError if it is no str or `SQL`."""
        if isinstance(joiner, str):
            joiner = SQL(joiner)
        elif not isinstance(joiner, SQL):
            raise TypeError("Composed.join() argument must be a string or an SQL")
        return joiner.join(self)


class SQL(Composable):
    """A piece of SQL as it is, which must not come from an untrusted source.

    Raises TypeError if `string` is not a str.
    """

    _wrapped: str

    def __init__(self, string: str) -> None:
        if not isinstance(string, str):
            raise TypeError("SQL values must be strings")
        super().__init__(string)

    @property
    def string(self) -> str:
        """The text."""
        return self._wrapped

    def as_string(self, context: Context | None) -> str:
        """The text."""
        return self._wrapped

    def format(self, *args: Composable, **kwargs: Composable) -> Composed:
        """Put pieces in the place of `{}`, `{0}` or `{name}`; `{{` and `}}` stand for braces.

        Numbered and unnumbered places cannot be mixed. Raises ValueError for that and for a
        conversion or format specification (`{!r}`, `{:x}`), IndexError or KeyError for a missing
        piece, TypeError for one that is not a `Composable`.
        """
        pieces: list[Composable] = []
        automatic: int | None = 0
        for text, name, specification, conversion in _formatter.parse(self._wrapped):
            if specification:
                raise ValueError("no format specification supported by SQL")
            if conversion:
                raise ValueError("no format conversion supported by SQL")
            if text:
                pieces.append(SQL(text))
            if name is None:
                continue
            if name == "":
                if automatic is None:
                    raise ValueError("cannot switch from manual field numbering to automatic")
                pieces.append(args[automatic])
                automatic += 1
            elif name.isdigit():
                if automatic:
                    raise ValueError("cannot switch from automatic field numbering to manual")
                automatic = None
                pieces.append(args[int(name)])
            else:
                pieces.append(kwargs[name])
        return Composed(pieces)

    def join(self, seq: Iterable[Composable]) -> Composed:
        """The pieces of `seq` with this text between them."""
        pieces: list[Composable] = []
        for piece in seq:
            if pieces:
                pieces.append(self)
            pieces.append(piece)
        return Composed(pieces)


class Identifier(Composable):
    """An identifier, quoted as SQL requires: a name, or several with dots between them.

    `Identifier("schema", "table")` is `"schema"."table"`. Raises TypeError without a name, or if
    one is not a str.
    """

    _wrapped: tuple[str, ...]

    def __init__(self, *strings: str) -> None:
        if not strings:
            raise TypeError("Identifier cannot be empty")
        for name in strings:
            if not isinstance(name, str):
                raise TypeError("SQL identifier parts must be strings")
        super().__init__(strings)

    @property
    def strings(self) -> tuple[str, ...]:
        """The names."""
        return self._wrapped

    @property
    def string(self) -> str:
        """The only name. Raises AttributeError if there are several."""
        if len(self._wrapped) == 1:
            return self._wrapped[0]
        raise AttributeError("the Identifier wraps more than one than one string")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._wrapped))})"

    def as_string(self, context: Context | None) -> str:
        """The quoted names with dots between them."""
        # Without a scope `quote_ident()` raises TypeError.
        scope: Any = context
        return ".".join(ext.quote_ident(name, scope) for name in self._wrapped)


class Literal(Composable, _Generic["WrappedT"]):
    """A Python object, written into the SQL as a literal by its adapter.

    Prefer a parameter; use a literal where the server takes no parameters.
    """

    if TYPE_CHECKING:
        _wrapped: WrappedT

        def __init__(self, wrapped: WrappedT) -> None: ...
    else:
        __class_getitem__ = classmethod(_subscript)

    @property
    def wrapped(self) -> WrappedT:
        """The object."""
        return self._wrapped

    def as_string(self, context: Context | None) -> str:
        """The literal. Raises TypeError if `context` is neither a connection nor a cursor."""
        # The connections and cursors of `psycoxide.aio` and `.sync` have psycopg2's inside.
        context = getattr(context, "_native", context)
        if isinstance(context, ext.connection):
            conn = context
        elif isinstance(context, ext.cursor):
            conn = context.connection
        else:
            raise TypeError("context must be a connection or a cursor")

        adapter = ext.adapt(self._wrapped)
        if hasattr(adapter, "prepare"):
            adapter.prepare(conn)
        quoted = adapter.getquoted()
        if isinstance(quoted, bytes):
            return quoted.decode(ext.encodings[conn.encoding])
        text: str = quoted
        return text


class Placeholder(Composable):
    """A parameter's place in a query: `%s`, or `%(name)s` if there is a name.

    Raises ValueError if the name holds a `)`, TypeError if it is not a str.
    """

    _wrapped: str | None

    def __init__(self, name: str | None = None) -> None:
        if isinstance(name, str):
            if ")" in name:
                raise ValueError(f"invalid name: {name!r}")
        elif name is not None:
            raise TypeError(f"expected string or None as name, got {name!r}")
        super().__init__(name)

    @property
    def name(self) -> str | None:
        """The name, or None."""
        return self._wrapped

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self._wrapped is None else repr(self._wrapped)})"

    def as_string(self, context: Context | None) -> str:
        """The placeholder."""
        return "%s" if self._wrapped is None else f"%({self._wrapped})s"


NULL = SQL("NULL")
DEFAULT = SQL("DEFAULT")
