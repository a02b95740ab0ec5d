# Generated from python/psycoxide/aio/pool/null.py by tools/generate_sync.py: do not edit.
"""The pool that keeps no connection which nobody uses."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from psycoxide._exceptions import OperationalError, OperationTimeout
from psycoxide._pooling import threads as stock
from psycoxide._pooling.member import Place
from psycoxide.sync.connection import Connection
from psycoxide.sync.pool.pool import ConnectionPool

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from psycoxide.rows import TupleRow

    _Conn = TypeVar("_Conn", bound=Connection[Any], default=Connection[TupleRow])
else:
    from typing import TypeVar

    _Conn = TypeVar("_Conn", bound=Connection)


class NullConnectionPool(ConnectionPool[_Conn]):
    """A pool that limits how many connections there are, and keeps none.

    For programs behind a pooler, and those that run for a short time. A request opens a connection
    if fewer than `max_size` are open, any number by default; otherwise it waits for one that is
    given back. A connection that nobody waits for is closed when it is given back.

    The arguments are those of `ConnectionPool`; `min_size` is 0.
    """

    def __init__(
        self,
        conninfo: Any = "",
        *,
        min_size: int = 0,
        max_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(conninfo, min_size=min_size, max_size=max_size, **options)

    def _sizes(self, min_size: int, max_size: int | None) -> tuple[int, float]:
        if min_size:
            raise ValueError("the min_size of a null pool is 0")
        if max_size is not None and max_size < 0:
            raise ValueError("max_size cannot be negative")
        return 0, max_size or math.inf

    def _new_stock(
        self, min_size: int, max_size: float, max_waiting: int, generation: int
    ) -> stock.Stock:
        return stock.Stock(min_size, max_size, max_waiting, keeps=False, generation=generation)

    def _lend(self, timeout: float | None, place: Place) -> _Conn:
        upkeep = self._checked()
        if not self._stock.claim_one():
            return super()._lend(timeout, place)
        seconds = self._settings.timeout if timeout is None else timeout
        generation = self._stock.generation
        until = time.monotonic() + seconds
        try:
            connection = upkeep.connect(seconds)
        except BaseException as error:
            self._stock.retire(None, 0)
            self._stock.count("requests_errors")
            upkeep.fill()
            # A clock may be a little behind another.
            is_late = isinstance(error, OperationTimeout) or time.monotonic() >= until
            if is_late and isinstance(error, OperationalError):
                raise self._timed_out(f"no connection within {seconds:g} s") from error
            raise
        if self._stock.closed:
            connection.terminate()
            self._stock.retire(None, 0)
            self._checked()
        member = upkeep.admit(connection, generation)
        self._stock.opened_for(member, time.monotonic(), place)
        return self._lent(member)

    @property
    def max_size(self) -> int:
        """How many connections may be open; 0 for any number."""
        most = self._stock.max_size
        return 0 if math.isinf(most) else int(most)
