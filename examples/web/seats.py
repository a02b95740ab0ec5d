"""The seats of a show, a table in PostgreSQL: who has which, and how they are taken."""

from __future__ import annotations

import re
from typing import Any

from psycoxide import aio

CHANNEL = "seat"
ROWS = "ABCDEF"
SEATS_A_ROW = 10
# More than that is not for one guest.
MOST = 4
# Seconds: how long a request may be in the way of others before it is given up.
PATIENCE = 5.0

# The trigger tells of all changes, whoever makes them: this program, another, or psql.
SCHEMA = """
create table if not exists seat (
    row text, number int, guest text, primary key (row, number)
);
create or replace function tell_of_seat() returns trigger language plpgsql as $$
begin
    perform pg_notify(
        'seat', json_build_object('seat', new.row || new.number, 'guest', new.guest)::text
    );
    return null;
end $$;
create or replace trigger tell_of_seat after update on seat
    for each row execute function tell_of_seat();
"""
FILL = """
insert into seat (row, number)
select row, number from unnest(%s) as row, generate_series(1, %s) as number
on conflict do nothing
"""

ALL = "select row || number, guest from seat order by row, number"

Pool = aio.AsyncConnectionPool[Any]


class Refused(Exception):
    """A wish that cannot be fulfilled; the text is for the guest."""


class Seats:
    """The seats, in the database of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def prepare(self) -> None:
        """Make the table, if it is not there."""
        async with self._pool.connection() as conn, conn.transaction():
            # Another process may be doing the same.
            await conn.execute("select pg_advisory_xact_lock(1)")
            await conn.execute(SCHEMA)
            await conn.execute(FILL, [list(ROWS), SEATS_A_ROW])

    async def all(self) -> dict[str, str | None]:
        """Who has which seat, by its name."""
        return dict(await self._pool.fetch(ALL))

    async def take(self, guest: str, wanted: list[str]) -> None:
        """Give seats to a guest: all that are wanted, or none. Raises Refused.

        The rule that a guest has no more than four seats is about several rows, so that no lock on
        a row can guard it: two requests of one guest could both find three. The isolation level
        "serializable" does, by failing one of two transactions that could have disturbed each
        other; that one is run again.
        """
        keys = [parse(seat) for seat in wanted]
        async for attempt, transaction in self._pool.retrying(
            isolation="serializable", attempts=100, deadline=PATIENCE
        ):
            async with attempt, transaction as conn:
                has = await conn.fetchval("select count(*) from seat where guest = %s", [guest])
                if has + len(keys) > MOST:
                    raise Refused(f"no more than {MOST} seats for a guest, and {guest} has {has}")
                taken = await conn.execute(
                    "update seat set guest = %s where (row, number) in %s and guest is null",
                    [guest, tuple(keys)],
                )
                if taken.rowcount != len(keys):
                    raise Refused("somebody was faster: not all of these seats are free")

    async def give_back(self, guest: str) -> None:
        """Free all seats of a guest."""
        await self._pool.execute("update seat set guest = null where guest = %s", [guest])


def parse(seat: str) -> tuple[str, int]:
    """The row and the number of a seat such as `B7`. Raises Refused."""
    found = re.fullmatch(f"([{ROWS}])([0-9]{{1,2}})", seat)
    if not found or not 1 <= int(found[2]) <= SEATS_A_ROW:
        raise Refused("there is no such seat")
    return found[1], int(found[2])
