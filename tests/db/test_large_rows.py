"""Rows with long fields, which are decoded as they come: the same as if they were not."""

from __future__ import annotations

import subprocess
import sys

import pytest

import psycoxide
from psycoxide import extensions, extras

LONG = "select i, repeat(md5(i::text), 60) as text from generate_series(1, 1500) i"


def is_decoded_early(cur, column):
    """Whether the first row's value is made once, and not at each fetch."""
    cur.scroll(0, "absolute")
    first = cur.fetchone()[column]
    cur.scroll(0, "absolute")
    again = cur.fetchone()[column]
    assert first == again
    return first is again


@pytest.fixture
def waiting(connect):
    """A function that fetches with a wait callback, where nothing is decoded as it comes."""

    def fetch(conn, query):
        extensions.set_wait_callback(extras.wait_select)
        try:
            cur = conn.cursor()
            cur.execute(query)
        finally:
            extensions.set_wait_callback(None)
        return cur.fetchall()

    return fetch


def plain(rows):
    """With memoryviews, which compare by their memory only, as bytes."""
    return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "EUC_JP", "SQL_ASCII"])
@pytest.mark.parametrize("width", [100, 319, 400, 3000, 100_000, 900_000])
def test_all_widths_types_and_encodings(conn, waiting, width, encoding):
    conn.set_client_encoding(encoding)
    query = f"""
        select repeat(md5(i::text), {width} / 32),
            case when i % 4 > 0 then decode(repeat('00ff7f', {width} / 6 + i % 9), 'hex') end,
            case i % 3 when 0 then null when 1 then '' else repeat('{{"é": 1}} ', {width} / 9) end,
            i, i / 8.0::float8, i % 2 = 0, i::numeric, array[i], timestamptz '2020-01-01+00'
        from generate_series(1, {2_000_000 // width + 20}) i"""
    if encoding == "EUC_JP":
        query = query.replace("é", "語")
    if encoding == "SQL_ASCII":
        query = query.replace("é", "e")
    cur = conn.cursor()
    cur.execute(query)
    rows = cur.fetchall()
    assert cur.rownumber == cur.rowcount == len(rows)
    expected = waiting(conn, query)
    assert plain(rows) == plain(expected)
    assert [list(map(type, row)) for row in rows] == [list(map(type, row)) for row in expected]
    assert is_decoded_early(cur, 0) == (encoding == "UTF8" and width >= 3000)


def test_wide_characters_are_kept_as_they_came(cur):
    """A character above U+FFFF makes all others of a str four bytes wide."""
    for text, early in (("é", True), ("語", True), ("\U0001f600", True)):
        cur.execute(f"select repeat('{text}', 1000) from generate_series(1, 1500)")
        assert is_decoded_early(cur, 0) == early, text
    for text in "語\U0001f600":
        cur.execute(f"select repeat('x', 2000) || '{text}' from generate_series(1, 1500)")
        assert not is_decoded_early(cur, 0), text
        assert cur.fetchall() == [("x" * 2000 + text,)] * 1499


def test_each_fetch_gives_memoryviews_of_its_own(cur):
    cur.execute("select decode(repeat('ab', 2000), 'hex') from generate_series(1, 500)")
    first = cur.fetchall()
    first[0][0].release()
    cur.scroll(0, "absolute")
    again = cur.fetchall()
    assert again[0][0].tobytes() == b"\xab" * 2000
    assert again[0][0] is not first[0][0]
    assert again[0][0].format == "c" and again[0][0].readonly
    assert "memory chunk" in repr(again[0][0].obj)


def test_mutable_values_are_new_at_each_fetch(cur):
    cur.execute(
        "select repeat('x', 5000), array[i], jsonb_build_object('i', i)"
        " from generate_series(1, 500) i"
    )
    row = cur.fetchone()
    row[1].append(2)
    row[2]["j"] = 3
    cur.scroll(0, "absolute")
    assert cur.fetchone() == ("x" * 5000, [1], {"i": 1})
    assert is_decoded_early(cur, 0) and not is_decoded_early(cur, 1)


def test_documents_that_cannot_be_kept_stay_raw(cur):
    cur.execute("select to_jsonb(repeat('x', 3000)) from generate_series(1, 500)")
    assert cur.fetchall() == [("x" * 3000,)] * 500
    assert not is_decoded_early(cur, 0)


def test_the_encoding_that_holds_at_the_end_counts(conn, cur, waiting):
    """The server speaks LATIN1 before it tells; some of that looks like UTF-8."""
    query = """
        select set_config('client_encoding', 'LATIN1', false) || repeat('Ã©', 1000), 'é'
        from generate_series(1, 1000)"""
    cur.execute(query)
    rows = cur.fetchall()
    assert conn.encoding == "LATIN1" and rows == [("LATIN1" + "Ã©" * 1000, "é")] * 1000
    conn.set_client_encoding("UTF8")
    assert waiting(conn, query) == rows


def test_a_timezone_factory_is_asked_at_the_fetch(cur):
    cur.execute(
        "select repeat('x', 3000), timestamptz '2020-01-01+00' from generate_series(1, 500)"
    )
    cur.tzinfo_factory = None
    assert cur.fetchone()[1].tzinfo is None
    assert is_decoded_early(cur, 0)


def test_a_typecaster_of_the_users_runs_at_the_fetch(cur):
    seen = []
    caster = extensions.new_type((25,), "SEEN", lambda value, cur: seen.append(value) or value)
    extensions.register_type(caster, cur)
    cur.execute(LONG)
    assert seen == []
    rows = cur.fetchall()
    assert len(seen) == 1500 and rows[-1][1] is seen[-1]


def test_the_last_statement_of_several_counts(cur):
    cur.execute(f"{LONG}; select 1")
    assert cur.fetchall() == [(1,)]
    cur.execute(f"select 1; {LONG} where i > 700; {LONG} limit 900")
    assert [row[0] for row in cur.fetchall()] == list(range(1, 901))


def test_an_error_behind_rows_leaves_nothing(conn, cur):
    with pytest.raises(psycoxide.errors.DivisionByZero):
        cur.execute("select repeat('x', 3000), 1 / (1000 - i) from generate_series(1, 1500) i")
    with pytest.raises(psycoxide.ProgrammingError):
        cur.fetchall()
    conn.rollback()
    cur.execute(LONG)
    assert len(cur.fetchall()) == 1500


MEMORY = """
import psycoxide, sys
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
cur = psycoxide.connect(sys.argv[1]).cursor()
cur.execute("select repeat('x', 2000) from generate_series(1, 2000)")
cur.fetchall()
before = resident()
cur.execute(sys.argv[2])
executed = resident()
rows = cur.fetchall()
print(executed - before, resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the memory")
@pytest.mark.parametrize("value", ["repeat('x', 2000)", "repeat('x', 2000) || '語'"])
def test_rows_that_are_not_fetched_take_no_more_than_they_came_in(dsn, value):
    query = f"select {value} from generate_series(1, 25000) i"
    command = [sys.executable, "-c", MEMORY, dsn, query]
    executed, fetched = map(int, subprocess.check_output(command, text=True).split())
    sent = 25_000 * 2_020 // 1024
    assert executed < 1.25 * sent
    if "語" not in value:
        # The objects were there already.
        assert fetched < 1.35 * sent
