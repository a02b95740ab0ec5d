"""COPY between tables and file objects."""

from __future__ import annotations

import io
import random

import pytest

import psycoxide


@pytest.fixture
def cur(conn):
    cur = conn.cursor()
    cur.execute("create temp table cargo (id int primary key, name text)")
    return cur


def test_round_trip(cur):
    cur.copy_from(io.StringIO("1\tone\n2\t\\N\n"), "cargo")
    assert cur.rowcount == 2
    cur.execute("select * from cargo order by id")
    assert cur.fetchall() == [(1, "one"), (2, None)]
    out = io.StringIO()
    cur.copy_to(out, "cargo", sep="|", null="nil", columns=("name", "id"))
    assert out.getvalue() == "one|1\nnil|2\n"
    assert cur.rowcount == 2


def test_expert_with_bytes(cur):
    cur.copy_expert("copy cargo from stdin with csv", io.BytesIO(b"1,\xc3\xa9t\xc3\xa9\n"))
    out = io.BytesIO()
    cur.copy_expert("copy cargo to stdout with csv", out)
    assert out.getvalue() == "1,été\n".encode()


def test_much_data(cur):
    lines = "".join(f"{i}\t{'x' * random.Random(i).randrange(200)}\n" for i in range(50000))
    cur.copy_from(io.StringIO(lines), "cargo")
    assert cur.rowcount == 50000
    out = io.StringIO()
    cur.copy_expert("copy (select * from cargo order by id) to stdout", out)
    assert out.getvalue() == lines


def test_bad_rows(cur, conn):
    conn.commit()
    with pytest.raises(psycoxide.DataError) as caught:
        cur.copy_from(io.StringIO("1\ta\nx\tb\n"), "cargo")
    assert "line 2" in caught.value.diag.context
    conn.rollback()
    cur.execute("select 1")


class BrokenRead(io.TextIOBase):
    def read(self, size=-1):
        raise ZeroDivisionError("broken read")


class BrokenWrite(io.TextIOBase):
    def write(self, data):
        raise ZeroDivisionError("broken write")


def test_read_raises(cur, conn):
    with pytest.raises(ZeroDivisionError, match=r"^broken read$") as caught:
        cur.copy_from(BrokenRead(), "cargo")
    answer = caught.value.__cause__
    assert isinstance(answer, psycoxide.errors.QueryCanceled)
    assert "error in .read() call: ZeroDivisionError broken read" in str(answer)
    assert conn.info.transaction_status == psycoxide.extensions.TRANSACTION_STATUS_INERROR
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


@pytest.mark.parametrize("text", ["x" * 40_000, "é" * 40_000, "before\0after", "\0", ""])
def test_what_read_raises_may_say_anything(cur, conn, text):
    class Broken:
        def read(self, size=-1):
            raise ValueError(text)

    with pytest.raises(ValueError) as caught:
        cur.copy_from(Broken(), "cargo")
    assert caught.value.args == (text,)
    assert isinstance(caught.value.__cause__, psycoxide.errors.QueryCanceled)
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


@pytest.mark.parametrize("size", [-1, -5, 1, 8192, 8193])
def test_the_size_is_what_read_gets(cur, size):
    asked = []

    class Asking(io.StringIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    cur.copy_from(Asking("1\tone\n2\ttwo\n"), "cargo", size=size)
    assert cur.rowcount == 2
    # The default is ours to choose.
    assert set(asked) == ({size} if size != 8192 else {65536})


@pytest.mark.parametrize("rows", [10, 1000000])
def test_write_raises(cur, conn, rows):
    with pytest.raises(ZeroDivisionError, match=r"^broken write$") as caught:
        cur.copy_expert(f"copy (select generate_series(1, {rows})) to stdout", BrokenWrite())
    # A short answer is over before the server hears of the cancel.
    if rows > 10:
        assert isinstance(caught.value.__cause__, psycoxide.errors.QueryCanceled)
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_goes_through(cur, conn, exception):
    class Stopping:
        def read(self, size=-1):
            raise exception

        def write(self, data):
            raise exception

    for statement in ("copy cargo from stdin", "copy (select 1) to stdout"):
        with pytest.raises(exception):
            cur.copy_expert(statement, Stopping())
        conn.rollback()
        cur.execute("select 1")
        assert cur.fetchone() == (1,)
        cur.execute("create temp table if not exists cargo (id int primary key, name text)")


def test_what_read_raises_keeps_its_own_causes(cur, conn):
    class Wrapping:
        def read(self, size=-1):
            try:
                raise KeyError("inner")
            except KeyError as inner:
                raise LookupError("outer") from inner

    with pytest.raises(LookupError, match="outer") as caught:
        cur.copy_from(Wrapping(), "cargo")
    inner = caught.value.__cause__
    assert isinstance(inner, KeyError)
    assert isinstance(inner.__cause__, psycoxide.errors.QueryCanceled)


@pytest.mark.parametrize("wrong", [None, 7, object(), ["x"]])
def test_read_returns_something_else(cur, conn, wrong):
    class Odd:
        def read(self, size=-1):
            return wrong

    with pytest.raises(TypeError, match=r"read\(\) must return bytes or str"):
        cur.copy_from(Odd(), "cargo")
    conn.rollback()
    cur.execute("select 1")


def test_files_are_checked(cur):
    with pytest.raises(TypeError):
        cur.copy_from(None, "cargo")
    with pytest.raises(TypeError):
        cur.copy_to(None, "cargo")
    with pytest.raises(TypeError):
        cur.copy_expert("copy cargo to stdout", None)


def test_a_callback_that_uses_the_connection(cur, conn):
    class Greedy(io.BytesIO):
        def read(self, size=-1):
            cur.execute("select 1")
            return b""

    with pytest.raises(psycoxide.Error):
        cur.copy_from(Greedy(), "cargo")
    conn.rollback()
    cur.execute("select 1")
