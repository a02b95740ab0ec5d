"""Named (server-side) cursors."""

from __future__ import annotations

import pytest

import psycoxide


def series(conn, name, stop=10, **kwargs):
    cur = conn.cursor(name, **kwargs)
    cur.execute("select generate_series(0, %s)", (stop - 1,))
    return cur


def test_fetches_in_pieces(conn):
    cur = series(conn, "pieces")
    assert cur.name == "pieces"
    assert cur.query == b'DECLARE "pieces" CURSOR WITHOUT HOLD FOR select generate_series(0, 9)'
    assert cur.description is None and cur.rowcount == -1
    assert cur.fetchone() == (0,)
    assert cur.description[0].name == "generate_series"
    assert cur.fetchmany(3) == [(1,), (2,), (3,)]
    assert cur.rowcount == 3
    assert cur.fetchall() == [(i,) for i in range(4, 10)]
    assert cur.fetchone() is None
    cur.close()


def test_iteration_by_itersize(conn):
    cur = series(conn, 'by itersize "quoted"', stop=11)
    cur.itersize = 4
    assert [row[0] for row in cur] == list(range(11))


@pytest.mark.parametrize("itersize", [1, 7, 500, 3000])
def test_the_memory_of_one_fetch_serves_the_next_and_no_row_is_lost(conn, itersize):
    wide = "select i, repeat(chr(97 + i % 26), 1 + i * i % 997) from generate_series(1, 5000) i"
    narrow = "select i from generate_series(1, 5000) i"
    plain = conn.cursor()
    cursors = {}
    for name, query in [("wide", wide), ("narrow", narrow)]:
        plain.execute(query)
        expected = plain.fetchall()
        cursors[name] = conn.cursor(name), expected, []
        cursors[name][0].execute(query)
    while any(len(seen) < 5000 for _cur, _expected, seen in cursors.values()):
        for cur, _expected, seen in cursors.values():
            before = cur.fetchmany(itersize)
            seen += before
            # What is asked for in between has memory of its own.
            plain.execute("select repeat('x', 70000), %s", (len(seen),))
            assert plain.fetchone() == ("x" * 70000, len(seen))
            seen += cur.fetchmany(itersize * 2)
    for cur, expected, seen in cursors.values():
        assert seen == expected
        cur.close()


def test_only_once(conn):
    cur = series(conn, "once")
    with pytest.raises(psycoxide.ProgrammingError, match="more than once"):
        cur.execute("select 1")
    with pytest.raises(psycoxide.ProgrammingError):
        cur.executemany("select 1", [])
    with pytest.raises(psycoxide.ProgrammingError):
        cur.callproc("version")


def test_needs_a_transaction(conn):
    conn.autocommit = True
    cur = conn.cursor("outside")
    with pytest.raises(psycoxide.ProgrammingError, match="outside of transactions"):
        cur.execute("select 1")
    with conn:
        series(conn, "inside").fetchall()


def test_is_gone_after_commit(conn):
    cur = series(conn, "gone")
    conn.commit()
    for call in (cur.fetchone, cur.close):
        with pytest.raises(psycoxide.ProgrammingError, match="isn't valid anymore"):
            call()


def test_withhold(conn):
    cur = series(conn, "held", withhold=True)
    assert cur.withhold is True
    conn.commit()
    assert cur.fetchmany(2) == [(0,), (1,)]
    assert conn.status == psycoxide.extensions.STATUS_READY
    assert len(cur.fetchall()) == 8
    cur.close()


def test_scroll(conn):
    cur = series(conn, "scrolls", scrollable=True)
    cur.scroll(5)
    assert cur.fetchone() == (5,)
    cur.scroll(-3)
    assert cur.fetchone() == (3,)
    cur.scroll(8, "absolute")
    assert cur.fetchall() == [(8,), (9,)]
    forward = series(conn, "forward", scrollable=False)
    forward.fetchall()
    with pytest.raises(psycoxide.OperationalError):
        forward.scroll(-1)


def test_stealing(conn):
    conn.cursor().execute("declare stolen cursor for select generate_series(1, 3)")
    cur = conn.cursor("stolen")
    assert cur.fetchall() == [(1,), (2,), (3,)]
    cur.close()
    never = conn.cursor("never there")
    never.close()


def test_attributes_need_a_name(conn):
    with pytest.raises(psycoxide.ProgrammingError, match="withhold"):
        conn.cursor(withhold=True)
    with pytest.raises(psycoxide.ProgrammingError, match="scrollable"):
        conn.cursor(scrollable=True)
    with pytest.raises(TypeError):
        conn.cursor(1)
    assert conn.cursor(b"bytes").name == "bytes"
    unnamed = conn.cursor()
    unnamed.withhold = False
    unnamed.scrollable = None
    with pytest.raises(psycoxide.ProgrammingError, match="withhold"):
        unnamed.withhold = None


def test_in_a_failed_transaction(conn):
    cur = series(conn, "failed")
    with pytest.raises(psycoxide.ProgrammingError):
        conn.cursor().execute("selecte")
    cur.close()
    conn.rollback()
