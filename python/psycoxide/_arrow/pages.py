"""Parts of a table by its pages: ranges of ctid, in which no index is needed."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from psycoxide._arrow.ranges import ranges

if TYPE_CHECKING:
    from psycoxide._arrow.relations import Relation


def conditions(table: Relation, count: int) -> list[str]:
    """The conditions of about `count` parts with equally many pages.

    A range of page numbers is read in all partitions of a partitioned table at once. They are read
    through their table, so that its rights and policies count.
    """
    cuts = _cuts(table.pages, count)
    # The last part has no end: pages may have been added since they were counted.
    tids = [f"'({page},0)'::pg_catalog.tid" for page in cuts]
    return ranges('"part".ctid', tids) if tids else [""]


def _cuts(pages: list[int], count: int) -> list[int]:
    """The page numbers at which parts begin, but the first."""

    def below(number: int) -> int:
        return sum(min(number, each) for each in pages)

    end, total = max(pages, default=0), sum(pages)
    targets = (total * part / count for part in range(1, count))
    cuts = {bisect_left(range(end + 1), target, key=below) for target in targets}
    return sorted(cut for cut in cuts if 0 < cut < end)
