"""Large results, which are packed while they are fetched: the same as if they were not."""

from __future__ import annotations

import gc
import itertools
import math
import sys
import threading
from datetime import datetime, timedelta, timezone, tzinfo

import pytest

import psycoxide
from psycoxide import extensions, extras

# Results of less than 64 MiB are left alone: so many rows with this in each are more.
ROWS = 100_000
PAD = "repeat('x', 700)::varchar"
EDGES_ONLY = """
    select i,
        case i % 7 when 0 then null when 1 then 9223372036854775807
            when 2 then -9223372036854775808 when 3 then 0 else i * -1000003::int8 end as int8,
        case i % 9 when 0 then null when 1 then 'nan' when 2 then '-inf' when 3 then 'inf'
            when 4 then '-0' when 5 then 5e-324 when 6 then 1.7976931348623157e308
            else i / 7.0::float8 end::float8 as float8,
        case i % 3 when 0 then null when 1 then true else false end as bool,
        case i % 6 when 0 then null when 1 then 'infinity' when 2 then '-infinity'
            when 3 then '0001-01-01' when 4 then '9999-12-31'
            else date '1890-01-01' + i % 90000 end::date as date,
        case i % 8 when 0 then null when 1 then 'infinity' when 2 then '-infinity'
            when 3 then '0001-01-01 00:00:00.000001' when 4 then '9999-12-31 23:59:59.999999'
            when 5 then timestamp '2000-01-01' - i * interval '1 microsecond'
            else timestamp '1999-12-31' + i * interval '1 day 1 second' / 100 end as ts,
        case i % 5 when 0 then null when 1 then '24:00' when 2 then '00:00'
            else time '00:00' + i * interval '1.000001 second' end::time as time,
        time with time zone '04:05:06.7-08:30' as timetz,
        case i % 4 when 0 then null when 1 then '' else repeat('é{"x"}\\', i % 12) end as text,
        case i % 4 when 0 then null when 1 then 'nan' else i / 100.0 end::numeric as numeric,
        case i % 2 when 0 then timestamptz '2020-06-01 12:00+00' + i * interval '1 hour'
            when 1 then '-infinity' end as tstz,
        case when i % 3 > 0 then i * interval '1 month 1.5 seconds' end as interval
    from generate_series(1, ROWS) i"""

# As the benches' table for memory has it.
PLAIN_ONLY = """
    select i::int4, i * 1000003::int8, substr(md5(i::text), 1, 20), i / 7.0::float8,
        timestamp '2020-01-01' + i * interval '1 second'
    from generate_series(1, ROWS) i"""


def padded(query):
    columns, _, rest = query.rpartition("from generate_series")
    return f"{columns}, {PAD} from generate_series{rest}".replace("ROWS", str(ROWS))


EDGES = padded(EDGES_ONLY)
PLAIN = padded(PLAIN_ONLY)


def described(rows):
    """Values with their types and all their digits: nan, and the zone of a datetime, included."""
    return [tuple((type(value), repr(value)) for value in row) for row in rows]


def fetched_twice(cur):
    first = described(cur.fetchall())
    cur.scroll(0, "absolute")
    return first, described(cur.fetchall())


def by_another_driver(dsn, query, encoding="UTF8"):
    conn = pytest.importorskip("psycopg2").connect(dsn)
    try:
        conn.set_client_encoding(encoding)
        cur = conn.cursor()
        cur.execute(query)
        return described(cur.fetchall())
    finally:
        conn.close()


@pytest.fixture(autouse=True)
def no_collections():
    """Millions of values do not become garbage by themselves."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def plain(cur):
    """A cursor that has executed PLAIN."""
    cur.execute(PLAIN)
    return cur


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_all_types_and_their_edges(conn, dsn, encoding):
    conn.set_client_encoding(encoding)
    cur = conn.cursor()
    cur.execute(EDGES)
    first, again = fetched_twice(cur)
    assert cur.rownumber == cur.rowcount == len(first) == ROWS
    assert first == again
    assert first == by_another_driver(dsn, EDGES, encoding)


def test_zeros_keep_their_sign(cur):
    cur.execute(EDGES)
    cur.fetchall()
    cur.scroll(3, "absolute")
    assert math.copysign(1, cur.fetchone()[2]) == -1


def test_the_middle_of_a_result(plain):
    plain.fetchall()
    for row in (0, 1, 99_999, 50_000, 12_345):
        plain.scroll(row, "absolute")
        assert plain.fetchone()[:2] == (row + 1, (row + 1) * 1000003)
        assert plain.rownumber == row + 1
    plain.scroll(-3)
    assert [row[0] for row in plain.fetchmany(3)] == [12_344, 12_345, 12_346]
    assert next(plain)[0] == 12_347
    plain.scroll(99_998, "absolute")
    assert [row[0] for row in plain] == [99_999, 100_000]
    with pytest.raises(psycoxide.ProgrammingError):
        plain.scroll(100_000, "absolute")
    assert plain.fetchone() is None and plain.fetchall() == [] and plain.rownumber == 100_000


def test_a_part_is_packed(plain):
    """Reading goes on where packed rows end and raw ones begin."""
    numbers = [row[0] for row in plain.fetchmany(60_000)]
    assert plain.rownumber == 60_000
    plain.scroll(59_998, "absolute")
    assert [plain.fetchone()[0] for _ in range(4)] == [59_999, 60_000, 60_001, 60_002]
    plain.scroll(59_990, "absolute")
    assert [row[0] for row in plain.fetchmany(20)] == list(range(59_991, 60_011))
    plain.scroll(-15)
    assert [row[0] for row in plain] == list(range(59_996, 100_001))
    plain.scroll(60_000, "absolute")
    numbers += [row[0] for row in plain.fetchall()]
    assert numbers == list(range(1, 100_001))
    plain.scroll(0, "absolute")
    assert [row[0] for row in plain.fetchall()] == numbers


def test_rows_made_ahead_before(plain):
    first = [next(plain)[0] for _ in range(100)]
    plain.scroll(0, "absolute")
    assert first == [row[0] for row in plain.fetchmany(20_000)[:100]]
    assert next(plain)[0] == 20_001
    assert [next(plain)[0] for _ in range(100)] == list(range(20_002, 20_102))
    plain.scroll(19_999, "absolute")
    assert [row[0] for row in plain.fetchall()] == list(range(20_000, 100_001))


class Zone(tzinfo):
    def __init__(self, offset):
        self.offset = offset

    def utcoffset(self, _moment):
        return self.offset


def test_a_timezone_factory_is_asked_at_each_fetch(conn, cur):
    cur.execute("set timezone to 'Asia/Kolkata'")
    extensions.register_type(
        extensions.new_type((1184,), "PLAIN", psycoxide._psycopg.PYDATETIME), cur
    )
    cur.execute(f"""
        select i, i, i, i, i, timestamptz '2020-01-01 00:00:00+00', now()::timestamp,
            timestamptz 'infinity', timetz '00:00+02', {PAD}
        from generate_series(1, 100000) i""")
    zone = timezone(timedelta(hours=5.5))

    def zones(factory):
        cur.tzinfo_factory = factory
        cur.scroll(0, "absolute")
        rows = cur.fetchall()
        assert rows[0] == (1, *rows[-1][1:]) or rows[0][5:] == rows[-1][5:]
        assert rows[0][5].replace(tzinfo=None) == datetime(2020, 1, 1, 5, 30)
        return [rows[-1][column].tzinfo for column in (5, 6, 7, 8)]

    two = timezone(timedelta(hours=2))
    assert zones(None) == [None] * 4
    assert zones(timezone) == [zone, None, None, two]
    assert zones(None) == [None] * 4
    made = zones(Zone)
    assert [type(zone) for zone in made] == [Zone, type(None), type(None), Zone]
    assert zones(timezone) == [zone, None, None, two]


@pytest.mark.parametrize("what", ["timestamp '10000-01-01'", "timestamp '0001-01-01 BC'"])
def test_a_value_that_cannot_be_made(dsn, cur, what):
    query = f"""
        select i, i, i, i, {PAD},
            case when i = 60000 then {what} else timestamp '2020-01-01' end
        from generate_series(1, {ROWS}) i"""
    conn = pytest.importorskip("psycopg2").connect(dsn)
    other = conn.cursor()
    places = []
    for cursor in (cur, other):
        cursor.execute(query)
        with pytest.raises(ValueError, match="year"):
            cursor.fetchall()
        place = cursor.rownumber
        rest = [row[0] for row in cursor.fetchall()]
        cursor.scroll(0, "absolute")
        first = [row[0] for row in cursor.fetchmany(59_999)]
        with pytest.raises(ValueError, match="year"):
            cursor.fetchone()
        cursor.scroll(60_000, "absolute")
        places.append(
            (place, rest[0], len(rest), first[0], first[-1], len(first), cursor.fetchone()[0])
        )
    conn.close()
    assert places[0] == (60_000, 60_001, 40_000, 1, 59_999, 59_999, 60_001)
    assert places[0][3:] == places[1][3:]


def test_numbers_that_do_not_fit(cur):
    """A caster for integers, used on what is none."""
    extensions.register_type(
        extensions.new_type((25,), "INTEGERS", psycoxide._psycopg.INTEGER), cur
    )
    cur.execute(f"""
        select i, i, i, case i % 4 when 0 then '99999999999999999999' when 1 then '0x1f'
            when 2 then ' 7 ' else '-0' end, i, i, {PAD}
        from generate_series(1, {ROWS}) i""")
    first, again = fetched_twice(cur)
    assert first == again
    assert [row[3][1] for row in again[:4]] == ["31", "7", "0", "99999999999999999999"]


def test_a_typecaster_of_the_users_runs_each_time(cur):
    seen = []
    extensions.register_type(
        extensions.new_type((25,), "SEEN", lambda value, cur: seen.append(1) or value), cur
    )
    cur.execute(PLAIN)
    first, again = fetched_twice(cur)
    assert first == again and len(seen) == 2 * ROWS


@pytest.mark.parametrize("factory", [extras.DictCursor, extras.RealDictCursor])
def test_rows_that_are_no_tuples(conn, factory):
    cur = conn.cursor(cursor_factory=factory)
    cur.execute(f"""
        select i as a, i as b, i as c, i / 3.0::float8 as d, {PAD} as e
        from generate_series(1, {ROWS}) i""")
    first = cur.fetchall()
    assert type(first[0]) in (extras.DictRow, extras.RealDictRow)
    cur.scroll(0, "absolute")
    again = cur.fetchall()
    assert first == again and again[-1]["c"] == ROWS


def test_a_row_factory_on_packed_rows(plain):
    plain.fetchall()
    plain.scroll(10, "absolute")
    plain.row_factory = lambda cur: [None] * len(cur.description)
    assert plain.fetchone()[:2] == [11, 11 * 1000003]


def test_binary_results(conn):
    cur = conn.cursor(binary=True)
    cur.execute(PLAIN)
    first, again = fetched_twice(cur)
    assert first == again


def test_a_named_cursor(conn):
    cur = conn.cursor("packed")
    cur.execute(PLAIN)
    assert [row[0] for row in cur.fetchall()] == list(range(1, 100_001))
    cur.scroll(50_000, "absolute")
    assert cur.fetchone()[0] == 50_001


def test_another_statement_and_close(plain):
    plain.fetchmany(70_000)
    plain.execute("select 1")
    assert plain.fetchall() == [(1,)]
    plain.execute(PLAIN)
    plain.fetchmany(30_000)
    plain.close()
    with pytest.raises(psycoxide.InterfaceError):
        plain.fetchone()


def test_threads_share_a_cursor(plain):
    """Each row goes to one of them, in whatever portions."""
    parts = [[] for _ in range(4)]

    def fetch(part):
        while rows := plain.fetchmany(7000):
            part += [row[0] for row in rows]

    threads = [threading.Thread(target=fetch, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain(*parts)) == list(range(1, 100_001))
    plain.scroll(0, "absolute")
    assert [row[0] for row in plain.fetchall()] == list(range(1, 100_001))


MEMORY = """
import os, sys
import psycoxide

def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))

cur = psycoxide.connect(os.environ["DSN"]).cursor()
cur.execute(sys.argv[1] + " limit 50")
cur.fetchall()
before = memory("VmRSS")
cur.execute(sys.argv[1])
executed = memory("VmRSS")
rows = cur.fetchall()
fetched, peak = memory("VmRSS"), memory("VmHWM")
del rows
cur.scroll(0, "absolute")
assert len(cur.fetchall()) == cur.rowcount
cur.close()
print(executed - before, fetched - before, peak - before, memory("VmHWM") - before)
"""


LEFT = """
import os, sys
import psycoxide

def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

cur = psycoxide.connect(os.environ["DSN"]).cursor()
cur.execute(sys.argv[1] + " limit 50")
cur.fetchall()
before = memory()
cur.execute(sys.argv[1])
executed = memory()
# In portions of which each takes the memory of the last one's objects.
while cur.fetchmany(40_000):
    pass
print(executed - before, memory() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the memory")
def test_what_came_makes_room_for_what_is_made(run_python):
    query = PLAIN_ONLY.replace("ROWS", "1000000")
    executed, fetched, peak, later = map(int, run_python(MEMORY, query).stdout.split())
    # About 100 bytes a row came, of which less than half is left beside some 300 of objects.
    assert executed > 90_000
    objects = 300 * 1_000_000 // 1024
    assert max(fetched, peak) < objects + executed * 3 // 4
    # Another fetch takes no more, the first one's objects being freed.
    assert later < objects + executed * 3 // 4 + 10_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the memory")
def test_all_types_make_room(run_python):
    """Not even a value of each is in the way: what is left is less than what came."""
    query = EDGES_ONLY.replace("ROWS", "400000")
    executed, left = map(int, run_python(LEFT, query).stdout.split())
    assert executed > 64 << 10
    assert left < executed * 3 // 4
