"""Tables, as the catalogue describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycoxide import errors
from psycoxide._arrow.asking import Asking, Question
from psycoxide._exceptions import NotSupportedError, ProgrammingError

if TYPE_CHECKING:
    from psycoxide._arrow.source import Source

_KINDS = {
    "r": "a table",
    "p": "a partitioned table",
    "m": "a materialised view",
    "v": "a view",
    "f": "a foreign table",
}

_BY_OID = """\
select c.oid::int8, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
    c.relkind::text, c.relpersistence = 't'
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = {oid}"""

# The relation and all that inherit from it, partitions too: only they have the pages of a
# partitioned table. `reltuples` and `relpages` are of the last VACUUM or ANALYZE.
_TREE = """\
with recursive tree(oid) as (
    select {oid}::pg_catalog.oid
    union
    select i.inhrelid from pg_catalog.pg_inherits i join tree on i.inhparent = tree.oid
)
select c.relkind::text, c.relpages::int8,
    case when c.relkind in ('r', 'm') then
        pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8
    else 0 end
from tree join pg_catalog.pg_class c on c.oid = tree.oid"""


@dataclass(frozen=True)
class Relation:
    """A relation and those that inherit from it."""

    oid: int
    # With its schema, as it stands in a query.
    name: str
    kind: str
    # The sizes of it and of its heirs, in pages: now, and when they were last counted.
    pages: list[int]
    known_pages: int
    # None of it lies on another server.
    is_local: bool

    @property
    def has_pages(self) -> bool:
        """Whether each of its rows has a place in this database."""
        return self.is_local and self.kind in (_KINDS["r"], _KINDS["p"], _KINDS["m"])

    @property
    def has_grown(self) -> bool:
        """Whether what was counted last says little about what there is now."""
        return sum(self.pages) > 1.2 * self.known_pages + 1


def relation(given: Source) -> Asking[Relation]:
    """The relation of that name. Raises UndefinedTable, or NotSupportedError if it has no rows."""
    answer = yield Question(_BY_OID.format(oid="pg_catalog.to_regclass(%s)"), [given.text])
    if not answer.rows:
        raise errors.UndefinedTable(
            f"there is no table or view {given.text} that other sessions see"
        )
    if answer.rows[0][3]:
        raise ProgrammingError(
            f"{given.text} is a temporary table: other sessions, which are to read it, cannot"
        )
    found = yield from _described(answer.rows[0])
    if found is None:
        raise NotSupportedError(f"{given.text} is neither a table nor a view: it has no rows")
    return found


def relation_by_oid(oid: int) -> Asking[Relation | None]:
    """The relation with that OID; None if there is no such table or view."""
    answer = yield Question(_BY_OID.format(oid="%s"), [oid])
    return (yield from _described(answer.rows[0])) if answer.rows else None


def _described(row: tuple[Any, ...]) -> Asking[Relation | None]:
    oid, name, kind, _ = row
    if kind not in _KINDS:
        return None
    tree = (yield Question(_TREE.format(oid="%s"), [oid])).rows
    return Relation(
        oid,
        name,
        _KINDS[kind],
        sorted(int(pages) for _, _, pages in tree),
        sum(max(0, int(known)) for _, known, _ in tree),
        all(each != "f" for each, _, _ in tree),
    )
