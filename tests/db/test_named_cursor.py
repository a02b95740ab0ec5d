"""Named (server-side) cursors."""

from __future__ import annotations

import pytest

import psycoxide
from psycoxide import extras


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


@pytest.mark.parametrize("read", [1, 4, 10, "scroll"])
@pytest.mark.parametrize("options", [{}, {"scrollable": True}, {"withhold": True}], ids=str)
def test_no_rows_are_asked_for(conn, options, read):
    """FETCH 0 would give the last row again, or fail where the cursor cannot go back."""
    cur = series(conn, "none", **options)
    cur.arraysize = cur.itersize = 0
    if "withhold" in options:
        conn.commit()
    if read == "scroll":
        cur.scroll(4)
        read = 4
    else:
        assert len(cur.fetchmany(read)) == read
    told = cur.rowcount, cur.rownumber, cur.statusmessage, cur.description
    assert cur.fetchmany(0) == cur.fetchmany() == list(cur) == []
    assert (cur.rowcount, cur.rownumber, cur.statusmessage, cur.description) == told
    assert cur.fetchall() == [(i,) for i in range(read, 10)]
    assert conn.info.transaction_status != psycoxide.extensions.TRANSACTION_STATUS_INERROR


def test_no_rows_are_asked_for_in_the_middle_of_a_fetch(conn):
    cur = series(conn, "middle")
    cur.itersize = 3
    rows = iter(cur)
    assert next(rows) == (0,)
    assert cur.fetchmany(0) == []
    assert [row for (row,) in rows] == list(range(1, 10))


def test_the_description_can_be_asked_for_before_the_first_row(conn):
    cur = series(conn, "described")
    assert cur.description is None
    assert cur.fetchmany(0) == []
    assert [column.name for column in cur.description] == ["generate_series"]
    assert cur.fetchmany(0) == []
    assert cur.fetchmany(2) == [(0,), (1,)]


@pytest.mark.parametrize(
    "factory", [extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor]
)
def test_no_rows_do_not_settle_the_names(conn, factory):
    cur = series(conn, "names", cursor_factory=factory)
    cur.scroll(1)
    assert cur.fetchmany(0) == []
    row = cur.fetchone()
    name = row._fields[0] if factory is extras.NamedTupleCursor else next(iter(row.keys()))
    assert name == "generate_series"


def test_a_scroll_gives_no_number_of_rows(conn):
    cur = series(conn, "counts", scrollable=True)
    cur.fetchmany(3)
    for value, mode in [(2, "relative"), (0, "relative"), (1, "absolute"), (-1, "relative")]:
        cur.scroll(value, mode)
        assert cur.rowcount == -1
        assert cur.statusmessage.startswith("MOVE")


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
