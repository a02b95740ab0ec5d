"""Values of a column between which there are about equally many rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycoxide import errors
from psycoxide._arrow.asking import Asking, Question
from psycoxide._arrow.literals import literal
from psycoxide._arrow.relations import Relation, relation_by_oid
from psycoxide._exceptions import NotSupportedError, ProgrammingError

if TYPE_CHECKING:
    from psycoxide.extensions import Column

# How many rows, and pages of a table, are looked at where there are no statistics.
SAMPLE_ROWS = 30_000
SAMPLE_PAGES = 1_000

# What the least and the greatest value may cost, in comparison with reading everything, to be
# preferred to a sample: they are cheap where there is an index.
CHEAP = 0.1

MONEY = 790
_NUMBERS = {20, 21, 23, 700, 701, 1700}
_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184

_TYPE = """\
select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname),
    t.typcategory::text
from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
where t.oid = %s"""

_ATTRIBUTE = """\
select a.attnotnull, coalesce(
    (select ' collate ' || pg_catalog.quote_ident(n.nspname) || '.'
        || pg_catalog.quote_ident(l.collname)
    from pg_catalog.pg_collation l join pg_catalog.pg_namespace n on n.oid = l.collnamespace
    where l.oid = a.attcollation and l.collname <> 'default'), '')
from pg_catalog.pg_attribute a where a.attrelid = %s and a.attnum = %s"""

# The values that the statistics know, in their order, and the share of the rows below each. Between
# two bounds of the histogram there are equally many rows, without those of the common values.
_STATISTICS = """\
with known as (
    select s.null_frac::float8 as nulls, s.most_common_vals::text::text[] as common,
        s.most_common_freqs as shares, s.histogram_bounds::text::text[] as histogram
    from pg_catalog.pg_stats s
    join pg_catalog.pg_namespace n on n.nspname = s.schemaname
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.attname
    where a.attrelid = %s and a.attnum = %s
    order by s.inherited desc limit 1
), shared as (
    select v::{type} as v, share::float8 as own, 0::float8 as below
    from known, unnest(common, shares) as c(v, share)
    union all
    select v::{type}, 0, case when at = 1 then 0 else (
        1 - nulls - coalesce((select sum(share) from unnest(shares) as share), 0)
    ) / (cardinality(histogram) - 1) end
    from known, unnest(histogram) with ordinality as h(v, at)
    where cardinality(histogram) > 1
)
select * from (
    select v::text as written, nulls,
        (sum(own + below) over (order by v{collation} rows unbounded preceding) - own)
            / nullif(1 - nulls, 0) as share
    from shared, known
) as placed
where share > 0{within}
order by share"""

# The values with which each of so many equally long runs of the ordered values begins, but those
# that are the least of all.
_RUNS = """\
select v::text from (
    select v, row_number() over (order by v) - 1 as at, rank() over (order by v) as place,
        count(*) over () as of
    from ({sample}) as s
) as ordered
where place > 1 and at * {count} / of <> (at - 1) * {count} / of"""

_EXTREME = "(select {column} from {whole} where {condition} order by 1{direction} limit 1)"

# The bounds in the order of the column that they are for, with its collation; whether the operator
# of the conditions says the same.
_IN_ORDER = """\
select v::text as written, v > lag(v) over ordered, v >= lag(v) over ordered
from (
    select coalesce((select {column} from {whole} limit 0), given.v)
    from (values {values}) as given(v)
) as bound(v)
window ordered as (order by v) order by row_number() over ordered"""


@dataclass(frozen=True)
class Bounds:
    """The bounds in their order, as literals, and what is known about rows without a value."""

    values: list[str] = field(default_factory=list)
    not_null: bool = False
    few_nulls: bool = False


@dataclass(frozen=True)
class Divider:
    """What is to be divided, and by which column."""

    # What stands in FROM, perhaps several times; and before the query, so that the parameters are
    # there once.
    whole: str
    before: str
    params: Any
    # As it stands in a query.
    column: str
    described: Column
    count: int

    @property
    def can_be_explained(self) -> bool:
        """Whether EXPLAIN takes its parameters: they are merged, which `$1` cannot be."""
        return not self.params or "%" in self.before

    def question(self, query: str, *, explained: bool = False) -> Question:
        """A question about the whole."""
        explain = "explain (format json) " if explained else ""
        return Question(f"{explain}{self.before}{query}", self.params)


@dataclass(frozen=True)
class _Guess:
    """Texts of values, in any order, and the share of rows without a value, if that is known."""

    values: list[str]
    nulls: float | None = None


def bounds(divider: Divider, table: Relation | None) -> Asking[Bounds]:
    """Bounds of the parts: at most one less than their number, none if there is nothing to divide.

    Raises ProgrammingError if the column's type has no order.
    """
    column = divider.described
    try:
        name, category = (yield Question(_TYPE, [column.type_code])).rows[0]
        if column.type_code == MONEY:
            raise NotSupportedError(
                f'"{column.name}" is of type money, whose form depends on the session: '
                "divide by numeric, or by another column"
            )
        if divider.count < 2:
            return Bounds()
        origin = yield from _origin(column)
        not_null, collation = False, ""
        if origin:
            answer = yield Question(_ATTRIBUTE, [origin.oid, column.table_column])
            not_null, collation = answer.rows[0]
        guess = None
        if origin and not origin.has_grown and category != "A":
            guess = yield from _from_statistics(divider, origin, table, name, collation)
        if guess is None:
            guess = yield from _from_values(divider, origin, table, name)
        values = yield from _in_order(divider, guess.values, name)
    except errors.UndefinedFunction as error:
        reason = str(error).splitlines()[0]
        raise ProgrammingError(
            f'"{column.name}" cannot be divided by: values of its type have no order ({reason})'
        ) from error
    few = guess.nulls is not None and guess.nulls * divider.count < 0.5
    # In a query, an outer join may have no value where the table has one in each row.
    return Bounds(values, bool(table and not_null), few and not (table and not_null))


def _origin(column: Column) -> Asking[Relation | None]:
    """The table of this database that a column comes from; None if it comes from no table."""
    if not column.table_oid or not column.table_column:
        return None
    found = yield from relation_by_oid(column.table_oid)
    return found if found and found.has_pages else None


def _from_statistics(
    divider: Divider, origin: Relation, table: Relation | None, name: str, collation: str
) -> Asking[_Guess | None]:
    """By what ANALYZE has noted about the column; None if there is nothing."""
    within = ""
    if table is None and (yield from _extremes_are_cheap(divider)):
        # A query may want a narrow range of what the table has.
        query = f"select {_extreme(divider)}::text, {_extreme(divider, last=True)}::text"
        ((low, high),) = (yield divider.question(query)).rows
        if low is None:
            return _Guess([])
        low, high = literal(low, name), literal(high, name)
        within = f" and written::{name} between {low} and {high}"
    query = _STATISTICS.format(type=name, collation=collation, within=within)
    column = divider.described.table_column
    rows = (yield Question(query, [origin.oid, column])).rows
    if not rows:
        return None
    # What is left out below the first and above the last counts no more.
    least = float(rows[0][2]) if within else 0.0
    most = float(rows[-1][2]) if within else 1.0
    wanted = [least + (most - least) * part / divider.count for part in range(1, divider.count)]
    chosen = {min(rows, key=lambda row: abs(float(row[2]) - share))[0] for share in wanted}
    return _Guess(list(chosen), None if within else float(rows[0][1]))


def _from_values(
    divider: Divider, origin: Relation | None, table: Relation | None, name: str
) -> Asking[_Guess]:
    """By looking: into pages of the table, or into rows of the query."""
    if origin and table and origin.oid == table.oid:
        percent = min(100.0, 100 * SAMPLE_PAGES / max(1, sum(origin.pages)))
        sample = _some(divider, f" tablesample system ({percent:.6f})")
    else:
        between = _between(divider, name)
        if between and (yield from _extremes_are_cheap(divider)):
            found = yield divider.question(between)
            return _Guess([text for (text,) in found.rows])
        fraction = 1.0
        if divider.can_be_explained:
            rows, _cost = yield from _estimates(_some(divider), divider)
            fraction = min(1.0, SAMPLE_ROWS / max(1.0, rows))
        sample = _some(divider)
        if fraction < 1:
            sample += f" and pg_catalog.random() < {fraction:.9f}"
    answer = yield divider.question(_RUNS.format(sample=sample, count=divider.count))
    return _Guess([text for (text,) in answer.rows])


def _some(divider: Divider, how: str = "") -> str:
    """A query for values of the column."""
    column = divider.column
    return f"select {column} as v from {divider.whole}{how} where {column} is not null"


def _extreme(divider: Divider, *, last: bool = False, condition: str = "") -> str:
    """The least or the greatest value of the column. Not by min(): not all types have that."""
    return _EXTREME.format(
        column=divider.column,
        whole=divider.whole,
        condition=condition or f"{divider.column} is not null",
        direction=" desc" if last else "",
    )


def _extremes_are_cheap(divider: Divider) -> Asking[bool]:
    """Whether an index leads to the least and to the greatest value, as far as is known."""
    if not divider.can_be_explained:
        return False
    extremes = f"select {_extreme(divider)}, {_extreme(divider, last=True)}"
    _, cost = yield from _estimates(extremes, divider)
    _, whole = yield from _estimates(_some(divider), divider)
    return cost < CHEAP * whole


def _estimates(query: str, divider: Divider) -> Asking[tuple[float, float]]:
    """How many rows the planner expects, and at what cost."""
    answer = yield divider.question(query, explained=True)
    plan = answer.rows[0][0]
    if isinstance(plan, str):
        plan = json.loads(plan)
    return float(plan[0]["Plan"]["Plan Rows"]), float(plan[0]["Plan"]["Total Cost"])


def _between(divider: Divider, name: str) -> str | None:
    """A query for values between the least and the greatest, at equal distances."""
    column, oid = divider.column, divider.described.type_code
    if oid in _NUMBERS:
        # Neither NaN nor infinite: those minus themselves are NaN.
        finite = f"{column} - {column} = 0" if oid in (700, 701, 1700) else ""
        value = f"(low::numeric + (high::numeric - low::numeric) * k / {divider.count})::{name}"
    elif oid == _DATE:
        finite = f"pg_catalog.isfinite({column})"
        value = f"low + ((high - low)::int8 * k / {divider.count})::int4"
    elif oid in (_TIMESTAMP, _TIMESTAMPTZ):
        finite = f"pg_catalog.isfinite({column})"
        low, high = "extract(epoch from low)::float8", "extract(epoch from high)::float8"
        value = f"pg_catalog.to_timestamp({low} + ({high} - {low}) * k / {divider.count})"
        if oid == _TIMESTAMP:
            value += " at time zone 'UTC'"
    else:
        return None
    low, high = (_extreme(divider, last=last, condition=finite) for last in (False, True))
    return (
        f"select ({value})::text from (select {low} as low, {high} as high) as extremes,"
        f" generate_series(1, {divider.count - 1}) as k where low is not null"
    )


def _in_order(divider: Divider, values: list[str], name: str) -> Asking[list[str]]:
    """The values as literals, each once, ordered as the conditions see them."""
    if not values:
        return []
    given = ", ".join(f"({literal(text, name)})" for text in values)
    query = _IN_ORDER.format(column=divider.column, whole=divider.whole, values=given)
    rows = (yield divider.question(query)).rows
    if any(not_below is False for _, _, not_below in rows):
        raise ProgrammingError(
            f'"{divider.described.name}" cannot be divided by: the operators for {name} that the '
            "search path leads to order it in another way than its type does"
        )
    return [literal(text, name) for text, above, _ in rows if above is not False]
