"""All servers are taken: the next client is refused, in words."""

from __future__ import annotations

import time

import pytest

from .peers.pooler import SIZE

TITLE = "pool is full"

# How what a pooler says of it ends.
WORDS = {
    "PgBouncer": "query_wait_timeout",
    "Odyssey": f"reached {SIZE})",
    "pgagroal": "connection pool is full",
    "Pgpool-II": "too many clients already",
}


@pytest.mark.limit(20)
def test_one_client_too_many(through):
    """It hears of it in the pooler's own words, to the last letter."""
    if through.pooler.server is None:
        pytest.skip(f"{through.pooler.title} has no pool")
    table = through.make_table()
    busy = [through.connect() for _ in range(SIZE)]
    for conn in busy:
        conn.cursor().execute("select 1")
    with pytest.raises(through.driver.OperationalError) as caught:
        conn = through.connect()
        conn.cursor().execute(f"insert into {table} values (1)")
        conn.commit()
    through.check_rows([])
    assert str(caught.value).rstrip().endswith(WORDS[through.pooler.title])
    for conn in busy:
        conn.close()
    time.sleep(through.pooler.settling)
    with through.connect() as conn, conn.cursor() as cur:
        cur.execute(f"insert into {table} values (2)")
    through.check_rows([2])
