"""What becomes of notices: a list keeps the last 50, any other object is given all of them."""

from __future__ import annotations

import collections
import io

import pytest
from fixtures.connections import waiting

from psycoxide import extras

FLOOD = "do $$ begin for n in 0..{} loop raise notice 'row %', n; end loop; end $$"
SPEAKING = """create temporary table held (a int);
    create function pg_temp.say() returns trigger language plpgsql as
    $$ begin raise notice 'row %', new.a; return new; end $$;
    create trigger say before insert on held for each row execute function pg_temp.say()"""
COUNTS = [3, 51, 1000, 1001, 25_000]


class Log:
    """An object that has `append()`, and nothing else of a list."""

    def __init__(self):
        self.lines = []

    def append(self, notice):
        self.lines.append(notice)


def rows(count, first=0):
    return [f"NOTICE:  row {n}\n" for n in range(first, count)]


@pytest.mark.parametrize("count", COUNTS)
def test_any_object_is_given_all(conn, count):
    cur = conn.cursor()
    conn.notices = log = Log()
    cur.execute(FLOOD.format(count - 1))
    assert log.lines == rows(count)
    conn.notices = queue = collections.deque()
    cur.execute(FLOOD.format(count - 1))
    assert list(queue) == rows(count)


def test_a_list_keeps_the_last_fifty(conn):
    cur = conn.cursor()
    cur.execute(FLOOD.format(24_999))
    assert conn.notices == rows(25_000, 24_950)
    cur.execute(FLOOD.format(9))
    assert conn.notices == [*rows(25_000, 24_960), *rows(10)]


def test_a_list_of_the_programs_is_given_all_and_keeps_fifty(conn):
    class Watched(list):
        def append(self, notice):
            log.append(notice)
            super().append(notice)

    log = Log()
    conn.notices = Watched()
    conn.cursor().execute(FLOOD.format(2_999))
    assert (log.lines, conn.notices) == (rows(3_000), rows(3_000, 2_950))


@pytest.mark.parametrize("count", [500, 20_000])
def test_copy(conn, count):
    cur = conn.cursor()
    cur.execute(SPEAKING)
    conn.notices = log = Log()
    lines = b"".join(b"%d\n" % n for n in range(count))
    cur.copy_expert("copy held from stdin", io.BytesIO(lines))
    assert log.lines == rows(count)
    log.lines.clear()
    cur.executemany("insert into held values (%s)", [(n,) for n in range(count // 10)])
    assert log.lines == rows(count // 10)


def test_while_somebody_polls(connect, dsn):
    conn = connect(dsn, async_=True)
    extras.wait_select(conn)
    conn.notices = log = Log()
    cur = conn.cursor()
    cur.execute(FLOOD.format(19_999))
    extras.wait_select(conn)
    assert log.lines == rows(20_000)


def test_with_a_wait_callback(conn):
    conn.notices = log = Log()
    with waiting(extras.wait_select):
        conn.cursor().execute(FLOOD.format(19_999))
    assert log.lines == rows(20_000)


def test_before_an_error_and_before_a_cancellation(conn, ctrl_c):
    cur = conn.cursor()
    conn.notices = log = Log()
    with pytest.raises(Exception, match="division by zero"):
        cur.execute(FLOOD.format(4_999).replace("end loop;", "end loop; perform 1 / 0;"))
    assert log.lines == rows(5_000)
    conn.rollback()
    log.lines.clear()
    with ctrl_c(0.5):
        cur.execute(FLOOD.format(2_999).replace("end loop;", "end loop; perform pg_sleep(60);"))
    assert conn.closed == 0
    conn.rollback()
    assert log.lines == rows(3_000)
