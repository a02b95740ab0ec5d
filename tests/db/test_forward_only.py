"""Results that are freed as they are read, and large ones that are not: the same rows."""

from __future__ import annotations

import itertools
import sys
import threading

import pytest

import psycoxide
from psycoxide import extensions, extras

# Several buffers of the largest size, and several portions in which they are freed.
ROWS = 60_000
QUERY = f"""
    select i, i * 1000003::int8, nullif(i % 3, 0), i / 7.0::float8, repeat('x', 60),
        timestamp '2020-01-01' + i * interval '1 second'
    from generate_series(1, {ROWS}) i"""
BACKWARDS = "forward_only when it executed"


@pytest.fixture(params=[True, False], ids=["forward_only", "kept"])
def result(request, cur):
    """A cursor that has executed QUERY."""
    cur.forward_only = request.param
    cur.execute(QUERY)
    return cur


@pytest.fixture
def forward(cur):
    """The same, with rows that are freed."""
    cur.forward_only = True
    cur.execute(QUERY)
    return cur


def numbers(rows):
    return [row[0] for row in rows]


def test_all_at_once(result, dsn):
    other = psycoxide.connect(dsn)
    expected = other.cursor()
    expected.itersize = ROWS
    expected.execute(QUERY)
    # Row by row: what is made one by one is made apart.
    assert result.fetchall() == [expected.fetchone() for _ in range(ROWS)]
    assert result.rownumber == result.rowcount == ROWS
    assert result.fetchall() == [] and result.fetchone() is None
    other.close()


@pytest.mark.parametrize("size", [1, 7, 1000, 25_000])
def test_in_portions(result, size):
    found = []
    while rows := result.fetchmany(size):
        assert len(rows) == size or result.rownumber == ROWS
        found += numbers(rows)
    assert found == list(range(1, ROWS + 1))


def test_by_all_ways_in_turn(result):
    found = numbers(next(result) for _ in range(100))
    for _ in range(5):
        found += numbers(result.fetchmany(7000))
        found += numbers(next(result) for _ in range(50))
        found.append(result.fetchone()[0])
    found += numbers(result)
    assert found == list(range(1, ROWS + 1))


def test_forwards_it_can_be_scrolled(result):
    result.scroll(3)
    assert result.fetchone()[0] == 4
    result.fetchmany(30_000)
    result.scroll(10_000)
    assert (result.fetchone()[0], result.rownumber) == (40_005, 40_005)
    result.scroll(0)
    result.scroll(ROWS - 1, "absolute")
    assert numbers(result) == [ROWS]


def test_backwards_it_cannot(forward):
    first = forward.fetchmany(40_000)[0]
    for value, mode in [(0, "absolute"), (-1, "relative"), (39_999, "absolute")]:
        with pytest.raises(psycoxide.ProgrammingError, match=BACKWARDS):
            forward.scroll(value, mode)
    with pytest.raises(psycoxide.ProgrammingError, match="out of bounds"):
        forward.scroll(-40_001)
    assert first[0] == 1 and forward.fetchone()[0] == 40_001


def test_it_counts_from_the_next_statement(cur):
    assert cur.forward_only is False
    cur.execute(QUERY)
    cur.forward_only = True
    cur.fetchall()
    cur.scroll(0, "absolute")
    assert len(cur.fetchall()) == ROWS
    cur.execute(QUERY)
    cur.forward_only = False
    cur.fetchall()
    with pytest.raises(psycoxide.ProgrammingError, match=BACKWARDS):
        cur.scroll(0, "absolute")
    cur.execute("select 1")
    cur.fetchall()
    cur.scroll(0, "absolute")
    assert cur.fetchone() == (1,)


def test_not_for_named_cursors(conn):
    cur = conn.cursor("named")
    with pytest.raises(psycoxide.ProgrammingError, match="scrollable"):
        cur.forward_only = True
    cur.forward_only = False


def test_not_for_long_texts_either(cur):
    """They become objects as they come, and are freed with the rows of them."""
    cur.forward_only = True
    cur.execute("select i, repeat('x', 1000) from generate_series(1, 5000) i")
    assert numbers(cur.fetchmany(3000)) == list(range(1, 3001))
    with pytest.raises(psycoxide.ProgrammingError, match=BACKWARDS):
        cur.scroll(0, "absolute")
    assert numbers(cur.fetchall()) == list(range(3001, 5001))


@pytest.mark.parametrize("factory", [extras.DictCursor, extras.RealDictCursor])
def test_rows_that_are_no_tuples(conn, factory):
    cur = conn.cursor(cursor_factory=factory)
    cur.forward_only = True
    cur.execute(f"select i as a, repeat('x', 100) as b from generate_series(1, {ROWS}) i")
    found = [cur.fetchone()["a"] for _ in range(20_000)]
    found += [row["a"] for row in cur.fetchall()]
    assert found == list(range(1, ROWS + 1))


def test_a_row_factory(forward):
    forward.row_factory = lambda cur: [None] * len(cur.description)
    found = numbers(forward.fetchmany(30_000))
    forward.row_factory = None
    assert found + numbers(forward.fetchall()) == list(range(1, ROWS + 1))


@pytest.mark.parametrize("fetch", ["fetchall", "fetchmany"])
def test_a_value_that_cannot_be_made(cur, fetch):
    cur.forward_only = True
    cur.arraysize = ROWS
    cur.execute(f"""
        select i, repeat('x', 100), case when i = 50000 then timestamp '10000-01-01' end
        from generate_series(1, {ROWS}) i""")
    with pytest.raises(ValueError, match="year"):
        getattr(cur, fetch)()
    assert cur.rownumber == 50_000
    assert numbers(cur.fetchall()) == list(range(50_001, ROWS + 1))


def test_a_typecaster_that_scrolls_and_executes(conn):
    """It runs between rows, and may do anything with the cursor."""
    cur = conn.cursor()
    cur.forward_only = True
    other = f"select i, null, repeat('y', 100) from generate_series(1, {ROWS}) i"

    def cast(value, cur):
        if value == "20000":
            cur.scroll(10_000)
        if value == "40000":
            cur.execute(other)
        return value

    extensions.register_type(extensions.new_type((25,), "MOVES", cast), cur)
    cur.execute(f"select i, i::text, repeat('x', 100) from generate_series(1, {ROWS}) i")
    found = numbers(itertools.islice(cur, 40_000))
    # Behind the row whose value was being made, the cursor was moved once more.
    assert found[:20_000] == list(range(1, 20_001))
    assert found[20_000:] == [*range(30_001, 40_001), *range(2, 10_002)]
    assert cur.fetchone()[0] == 10_002


def test_threads_share_a_cursor(forward):
    """Each row goes to one of them, in whatever portions."""
    parts = [[] for _ in range(4)]

    def fetch(part):
        while rows := forward.fetchmany(3000):
            part += numbers(rows)

    threads = [threading.Thread(target=fetch, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain(*parts)) == list(range(1, ROWS + 1))


LEFT = """
import os, sys
import psycoxide

def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

cur = psycoxide.connect(os.environ["DSN"]).cursor()
cur.forward_only = sys.argv[1] == "forward"
before = memory()
cur.execute("select i, repeat('x', 100) from generate_series(1, 600000) i")
executed = memory()
take = {"many": lambda: cur.fetchmany(5000), "one": cur.fetchone}[sys.argv[2]]
while take():
    pass
print(executed - before, memory() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the memory")
@pytest.mark.parametrize("take", ["many", "one"])
def test_what_was_read_is_freed(run_python, take):
    executed, left = map(int, run_python(LEFT, "forward", take).stdout.split())
    assert executed > 70_000 > 7 * left
    executed, left = map(int, run_python(LEFT, "kept", take).stdout.split())
    assert executed > 70_000 and left > 70_000
