"""Results as Arrow tables, for DataFrames and everything else that reads Arrow.

    import polars as pl
    import psycoxide

    with psycoxide.connect("dbname=test user=postgres") as conn, conn.cursor() as cur:
        cur.arrow = True
        cur.execute("SELECT n, n * n AS square FROM generate_series(1, 1000) n")
        print(pl.DataFrame(cur))

Every cursor gives its result as Arrow, by `fetch_arrow()`, `fetch_arrow_table()`, `fetch_df()`,
`fetch_polars()`, `fetch_record_batch()` and `__arrow_c_stream__`. If `cursor.arrow` is set before
`execute()`, values come in PostgreSQL's binary formats, and become Arrow's while they arrive: that
is several times faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from psycoxide._psycopg import ArrowTable

if TYPE_CHECKING:

    class ArrowType(Protocol):
        """A type of Arrow's, as pyarrow, nanoarrow or arro3 have it."""

        def __arrow_c_schema__(self) -> object: ...


__all__ = ["ArrowOptions", "ArrowTable"]


@dataclass(frozen=True)
class ArrowOptions:
    """How values become Arrow's, where there is a choice. The defaults change no value: what does
    not fit raises DataError, with its row and column and the option to choose.
    """

    numeric: Literal["decimal", "string", "float64"] | tuple[int, int] = "decimal"
    """`numeric`: a decimal of the column's own precision and scale, text, or float64. A column
    without a precision, such as a `sum()`, gets (38, 18), or the pair that is given here."""

    nan: Literal["error", "null"] = "error"
    """What NaN and the infinities of `numeric` become in a decimal."""

    infinity: Literal["error", "null", "clamp"] = "error"
    """What `infinity` and `-infinity` of dates, timestamps and intervals become; "clamp": the last
    and the first value that the Arrow type has."""

    uuid: Literal["extension", "string"] = "extension"
    """`uuid`: 16 bytes with the extension type `arrow.uuid`, or text."""

    enum: Literal["string", "dictionary"] = "string"
    """Enums: text, or a dictionary of all labels."""

    string: Literal["utf8", "large", "view"] = "utf8"
    """The layout of texts and of `bytea`. "utf8" holds at most 2 GiB of a column in a batch."""

    interval: Literal["month_day_nano", "duration"] = "month_day_nano"
    """`interval`: months, days and nanoseconds, or a duration in microseconds, which has no
    months."""

    tz: str | None = None
    """The time zone that `timestamp with time zone` is shown in: UTC if it is None. The instants
    are the same."""

    duplicate_names: Literal["keep", "suffix"] = "keep"
    """Columns of the same name: left alone, or numbered (`n`, `n_2`)."""

    schema: Mapping[str, ArrowType] = field(default_factory=dict)
    """The Arrow types of some columns, by name, where they are not to be the usual ones."""

    dims: Mapping[str, int] = field(default_factory=dict)
    """How many dimensions array columns have, by name, where it is not one."""
