"""What the documents recommend, where the pages themselves do not run it."""

import re
from pathlib import Path

import pytest
from fixtures.connections import end_sessions

import psycoxide
from psycoxide import extensions

TYPES = Path(__file__).parents[2] / "docs" / "types.md"
ASCII = "recipes_ascii"


@pytest.fixture
def adapters():
    """The registry of adapters, as it was when the test is over."""
    before = dict(extensions.adapters)
    yield extensions.adapters
    extensions.adapters.clear()
    extensions.adapters.update(before)


def back(cur, value, cast=""):
    cur.execute(f"select %s{cast}", (value,))
    return cur.fetchone()[0]


def test_pandas_and_numpy(cur, adapters):
    pandas = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
    numpy = pytest.importorskip("numpy")
    (block,) = re.findall(r"```python\n(import numpy\n.*?)```", TYPES.read_text(), re.DOTALL)
    exec(block, {"adapt": extensions.adapt})
    missing = (pandas.NaT, pandas.NA, numpy.datetime64("NaT", "s"), numpy.float32("nan"))
    assert [back(cur, value) for value in missing] == [None] * 4
    for value in (numpy.int8(-1), numpy.uint64(2**64 - 1), numpy.float32(0.5), numpy.bool_(True)):
        assert back(cur, value) == value.item()
    moment = pandas.Timestamp("2026-07-14 12:00:00.25")
    assert back(cur, moment) == moment
    assert back(cur, moment.to_datetime64()) == moment
    assert back(cur, numpy.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    frame = pandas.DataFrame({"when": [moment, pandas.NaT], "much": pandas.array([1, None])})
    cur.execute("create temp table frame (at timestamp, much int)")
    cur.executemany("insert into frame values (%s, %s)", frame.itertuples(index=False))
    cur.execute("select * from frame")
    assert cur.fetchall() == [(moment, 1), (None, None)]


@pytest.fixture(scope="module")
def ascii_dsn(dsn):
    """A database that does not know what its bytes mean."""
    conn = psycoxide.connect(dsn)
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute(f"drop database if exists {ASCII}")
        cur.execute(
            f"create database {ASCII} encoding 'SQL_ASCII' template template0"
            " lc_collate 'C' lc_ctype 'C'"
        )
        yield extensions.make_dsn(dsn, dbname=ASCII)
        end_sessions(cur, ASCII)
        cur.execute(f"drop database {ASCII}")
    conn.close()


BYTES = r"select E'caf\xc3\xa9'"


def read(dsn, query, **options):
    conn = psycoxide.connect(dsn, **options)
    try:
        with conn.cursor() as cur:
            cur.execute(query)
            return cur.fetchone()[0]
    finally:
        conn.close()


def test_a_database_without_an_encoding(ascii_dsn):
    with pytest.raises(UnicodeDecodeError):
        read(ascii_dsn, BYTES)
    assert read(ascii_dsn, BYTES, client_encoding="utf8") == "café"
    assert read(ascii_dsn, BYTES, client_encoding="latin1").encode("latin1") == "café".encode()
    with pytest.raises(psycoxide.DataError):
        read(ascii_dsn, r"select E'\xe9'", client_encoding="utf8")
    assert read(ascii_dsn, r"select E'\xe9'", client_encoding="latin1") == "é"
