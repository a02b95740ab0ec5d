"""COPY FROM out of real files and buffers, which may be sent from where they lie: as if they were
read."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import threading
import time

import pytest
from fixtures.connections import waiting

import psycoxide
from psycoxide import errors, extras

LINE = b"%d\tsome text that makes the line a little longer\n"
LINES = 60_000


@pytest.fixture(scope="module")
def content():
    return b"".join(LINE % n for n in range(LINES))


@pytest.fixture
def path(tmp_path, content):
    path = tmp_path / "lines"
    path.write_bytes(content)
    return path


@pytest.fixture(params=["unix", "disable", "require"])
def held(request, connect, dsn):
    """A table to fill, over the Unix socket, TCP and TLS: over that the file is read."""
    if request.param == "unix":
        conn = connect(request.getfixturevalue("unix_dsn"))
    else:
        try:
            conn = connect(dsn, sslmode=request.param)
        except psycoxide.OperationalError as error:
            pytest.skip(f"the server has no TLS: {error}")
    cur = conn.cursor()
    cur.execute("create temporary table held (a int, b text)")
    cur.connection.commit()
    return cur


def check(cur, first=0, last=LINES):
    assert cur.rowcount == last - first
    cur.execute("select count(*), sum(a::bigint), min(length(b)), max(length(b)) from held")
    assert cur.fetchone() == (last - first, sum(range(first, last)), 45, 45)


@pytest.mark.parametrize("buffering", [0, -1, 1_000_000])
@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_whole_files(held, path, mode, buffering):
    with open(path, mode, buffering=buffering) as file:
        held.copy_from(file, "held")
        assert file.tell() == path.stat().st_size
        assert file.read() == b""
    check(held)


def test_copy_expert_and_sizes(held, path):
    with open(path, "rb") as file:
        held.copy_expert("copy held from stdin", file)
        file.seek(0)
        held.copy_from(file, "held", size=10_000)
    held.execute("select count(*) from held")
    assert held.fetchone() == (2 * LINES,)


@pytest.mark.parametrize("buffering", [0, -1])
def test_from_where_the_file_is(held, path, buffering):
    with open(path, "rb", buffering=buffering) as file:
        for _ in range(7):
            file.readline()
        held.copy_from(file, "held")
    check(held, first=7)


def test_at_the_end_and_empty(held, path, tmp_path):
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        held.copy_from(file, "held")
        assert held.rowcount == 0
    (tmp_path / "empty").touch()
    with open(tmp_path / "empty", "rb") as file:
        held.copy_from(file, "held")
        assert held.rowcount == 0


def test_what_was_written_is_there(held, content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        file.write(content[: len(content) // 2])
        file.seek(len(LINE % 0))
        file.write(b"9")
        file.seek(0)
        held.copy_from(file, "held")
    held.execute("select a from held order by ctid limit 2")
    assert held.fetchall() == [(0,), (9,)]
    held.execute("select count(*) from held")
    assert held.fetchone() == (LINES,)


def test_other_objects_are_read(held, path):
    class Doubling(io.FileIO):
        def readinto(self, buffer):
            raise AssertionError

        def read(self, size=-1):
            return super().read(size).replace(b"some", b"SOME")

    class Reader(io.BufferedReader):
        def read(self, size=-1):
            return super().read(size).replace(b"some", b"SOME")

    files = [Doubling(path), Reader(io.FileIO(path))]
    patched = open(path, "rb")  # noqa: SIM115
    take = patched.read
    patched.read = lambda size: take(size).replace(b"some", b"SOME")
    for file in [*files, patched]:
        held.execute("truncate held")
        held.copy_from(file, "held")
        check(held)
        held.execute("select count(*) from held where b like 'SOME%'")
        # A word that two reads have a part of each is not found.
        assert held.fetchone()[0] > LINES - 200
        file.close()


def test_text_and_pipes(held, path, content):
    with open(path) as file:
        held.copy_from(file, "held")
    check(held)
    held.execute("truncate held")
    read, write = os.pipe()

    def feed():
        with open(write, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=feed)
    thread.start()
    with open(read, "rb") as pipe:
        held.copy_from(pipe, "held")
    thread.join()
    check(held)


def test_files_that_cannot_be_read(held, path, tmp_path):
    with open(tmp_path / "new", "wb") as file, pytest.raises(io.UnsupportedOperation):
        held.copy_from(file, "held")
    held.connection.rollback()
    with open(path, "rb") as file:
        pass
    with pytest.raises(ValueError, match="closed file"):
        held.copy_from(file, "held")
    held.connection.rollback()
    held.execute("select count(*) from held")
    assert held.fetchone() == (0,)


@pytest.mark.parametrize("line", [0, 1, 5_000, 30_000, LINES - 1])
def test_an_error_in_the_middle(held, path, content, line):
    at = content.index(LINE % line)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(b"x")
    for _ in range(3):
        with open(path, "rb") as file, pytest.raises(errors.InvalidTextRepresentation) as raised:
            held.copy_from(file, "held")
        assert f"line {line + 1}, column a" in str(raised.value)
        held.connection.rollback()
        held.execute("select 1")
        assert held.fetchone() == (1,)
        held.connection.rollback()


def test_with_a_wait_callback(held, path):
    with waiting(extras.wait_select):
        with open(path, "rb") as file:
            held.copy_from(file, "held")
        check(held)


SLOW = """create function pg_temp.slow() returns trigger language plpgsql as
    $$ begin perform pg_sleep(case when new.a % 1000 = 999 then 0.3 else 0 end); return new; end $$;
    create trigger slow before insert on held for each row execute function pg_temp.slow()"""


def during_the_first_row(held, dsn, change):
    """Has the server wait at the first row of a COPY until the file was changed."""
    held.execute("""create function pg_temp.wait() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(17); return new; end $$;
        create trigger wait before insert on held for each row when (new.a = 0)
        execute function pg_temp.wait()""")
    held.connection.commit()
    holder = psycoxide.connect(dsn)
    cur = holder.cursor()
    cur.execute("select pg_advisory_lock(17)")

    def act():
        waiting = "select count(*) from pg_locks where objid = 17 and not granted"
        while not (cur.execute(waiting) or cur.fetchone()[0]):
            holder.rollback()
        change()
        holder.close()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


ROW = b"%09d\t" + b"x" * 53 + b"\n"
ROWS = 300_000


@pytest.fixture
def even(tmp_path):
    """A file of 64 bytes a line, so that what a part of it ends with is a line's end."""
    path = tmp_path / "even"
    path.write_bytes(b"".join(ROW % n for n in range(ROWS)))
    return path


def test_a_file_that_becomes_shorter_than_what_was_sent(held, dsn, even):
    thread = during_the_first_row(held, dsn, lambda: os.truncate(even, 64 * 100))
    with open(even, "rb") as file:
        if held.connection.info.ssl_in_use:
            # It is read there, and ends where it ends.
            held.copy_from(file, "held")
            assert 100 <= held.rowcount < ROWS
        else:
            with pytest.raises(OSError, match="became shorter") as raised:
                held.copy_from(file, "held")
            assert isinstance(raised.value.__cause__, psycoxide.Error)
            held.connection.rollback()
    thread.join()
    assert held.connection.closed == 0
    held.execute("select bool_and(b = repeat('x', 53)) from held")
    assert held.fetchone()[0] is not False


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_file_that_becomes_shorter_when_all_was_sent(held, dsn, even, autocommit):
    # The second message waits in the socket while the server is busy with the first.
    held.connection.autocommit = autocommit
    os.truncate(even, (320 << 10))
    thread = during_the_first_row(held, dsn, lambda: (time.sleep(0.3), os.truncate(even, 270_000)))
    with open(even, "rb") as file:
        if held.connection.info.ssl_in_use:
            held.copy_from(file, "held")
            assert held.rowcount == (320 << 10) // 64
        else:
            with pytest.raises(OSError, match="became shorter"):
                held.copy_from(file, "held")
            held.connection.rollback()
    thread.join()
    held.execute("select bool_and(b = repeat('x', 53)) from held")
    assert held.fetchone()[0] is not False


def test_a_binary_file_that_becomes_shorter_when_all_was_sent(held, dsn, tmp_path):
    """Zeros would be a part of a value there. What was sent is right, or its end is missing."""
    held.execute("alter table held alter b type bytea using null")
    path, value = tmp_path / "binary", b"x" * 100_000
    with open(path, "wb") as file:
        file.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for n in range(3):
            file.write(struct.pack("!hiii", 2, 4, n, len(value)) + value)
        file.write(struct.pack("!h", -1))
    thread = during_the_first_row(held, dsn, lambda: (time.sleep(0.3), os.truncate(path, 280_000)))
    with open(path, "rb") as file:
        try:
            held.copy_expert("copy held from stdin (format binary)", file)
        except errors.BadCopyFileFormat:
            held.connection.rollback()
            thread.join()
            return
    thread.join()
    held.execute("select a, b = %s from held order by a", (value,))
    assert held.fetchall() == [(n, True) for n in range(3)]


def test_a_file_that_becomes_shorter_by_what_was_not_sent(held, dsn, even):
    os.truncate(even, 64 << 20)
    with open(even, "r+b") as file:
        file.seek(64 * ROWS)
        for n in range(ROWS, (64 << 20) // 64):
            file.write(ROW % n)
    last = (48 << 20) // 64
    thread = during_the_first_row(held, dsn, lambda: os.truncate(even, 48 << 20))
    with open(even, "rb") as file:
        held.copy_from(file, "held")
    thread.join()
    assert held.rowcount == last
    held.execute("select max(a), bool_and(b = repeat('x', 53)) from held")
    assert held.fetchone() == (last - 1, True)


def test_a_file_that_grows_is_sent_to_its_end(held, dsn, even):
    def grow():
        with open(even, "ab") as file:
            file.write(b"".join(ROW % n for n in range(ROWS, ROWS + 10)))

    thread = during_the_first_row(held, dsn, grow)
    with open(even, "rb") as file:
        held.copy_from(file, "held")
        assert file.tell() == even.stat().st_size
    thread.join()
    assert held.rowcount == ROWS + 10


# The size of the first kind is said to be 4096, that of the second 0.
@pytest.mark.parametrize("path", ["/sys/kernel/mm/transparent_hugepage/enabled", "/proc/version"])
@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_whose_size_is_not_true(held, path, buffering):
    if not os.path.exists(path):
        pytest.skip(f"there is no {path}")
    with open(path, "rb") as file:
        content = file.read()
    assert os.stat(path).st_size != len(content)
    held.execute("create temporary table lines (a text)")
    with open(path, "rb", buffering=buffering) as file:
        held.copy_expert("copy lines from stdin", file)
        assert file.tell() == len(content)
    held.execute("select array_agg(a) from lines")
    assert held.fetchone() == (content.decode().splitlines(),)


def test_interrupted_by_a_signal(held, path, ctrl_c):
    held.execute(SLOW)
    held.connection.commit()
    with open(path, "rb") as file, ctrl_c(0.5):
        held.copy_from(file, "held")
    assert held.connection.closed == 0
    held.connection.rollback()
    held.execute("select count(*) from held")
    assert held.fetchone() == (0,)


GONE = """
import signal, sys, threading, psycoxide
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
dsn, path, slow = sys.argv[1:]
conn = psycoxide.connect(dsn)
cur = conn.cursor()
cur.execute("create temporary table held (a int, b text)")
cur.execute(slow)
conn.commit()
other = psycoxide.connect(dsn).cursor()
kill = "select pg_terminate_backend(%s)"
threading.Timer(0.5, other.execute, (kill, (conn.info.backend_pid,))).start()
try:
    with open(path, "rb") as file:
        cur.copy_from(file, "held")
except psycoxide.OperationalError as error:
    print(conn.closed, "terminating connection" in str(error))
"""


def test_a_server_that_goes_away_is_no_signal(run_python, unix_dsn, path):
    assert run_python(GONE, unix_dsn, str(path), SLOW).stdout == "2 True\n"


def test_other_connections_of_the_process_are_left_alone(held, path, connect):
    # The file is closed right after an error, while a part of it is still promised to the server.
    with open(path, "r+b") as file:
        file.write(b"x")
    with open(path, "rb") as file, pytest.raises(psycoxide.DataError):
        held.copy_from(file, "held")
    others = [connect().cursor() for _ in range(5)]
    held.connection.rollback()
    for cur in [held, *others]:
        cur.execute("select 1")
        assert cur.fetchone() == (1,)


TEXT = "".join(
    f"{n}\t{n} s\u00e4mtliche zeichen dieser zeile sind lateinisch\n" for n in range(20_000)
)


def written(kind, content):
    """A buffer that the content was written to, at its beginning."""
    file = kind()
    for at in range(0, len(content), 1000):
        file.write(content[at : at + 1000])
    file.seek(0)
    return file


@pytest.mark.parametrize("make", [lambda kind, content: kind(content), written])
@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_buffers(held, content, make, encoding):
    held.connection.set_client_encoding(encoding)
    coded = TEXT.encode(encoding)
    ascii_text = content[: content.index(LINE % 20_000)].decode()
    for kind, given in [
        (io.BytesIO, coded),
        (io.StringIO, TEXT),
        (io.StringIO, ascii_text),
        (io.StringIO, TEXT * 3),
    ]:
        file = make(kind, given)
        held.copy_from(file, "held")
        assert file.read() == given[:0] and file.tell() == len(given)
        assert file.getvalue() == given
        held.execute("select string_agg(a || E'\\t' || b || E'\\n', '' order by ctid) from held")
        assert held.fetchone()[0] == (given.decode(encoding) if kind is io.BytesIO else given)
        held.execute("truncate held")
        # It is the program's own again.
        file.seek(0)
        file.truncate()
        file.write(given[:100])
        assert file.getvalue() == given[:100]


@pytest.mark.parametrize("kind", [io.BytesIO, io.StringIO])
def test_buffers_from_where_they_are(held, content, kind):
    given = content if kind is io.BytesIO else content.decode()
    seventh = len(b"".join(LINE % n for n in range(7)))
    for start, first in [(seventh, 7), (len(given), LINES)]:
        file = kind(given)
        file.seek(start)
        held.copy_from(file, "held")
        assert file.tell() == len(given)
        assert held.rowcount == LINES - first
        file.seek(len(given) + 10)
        held.copy_from(file, "held")
        assert (held.rowcount, file.tell()) == (0, len(given) + 10)


def test_a_buffer_with_a_view_of_it(held, content):
    file = io.BytesIO(content)
    with file.getbuffer() as view:
        held.copy_from(file, "held")
        assert view == content
    check(held)


def test_other_buffers_are_read(held, content):
    class Bytes(io.BytesIO):
        def read(self, size=-1):
            return super().read(size).replace(b"some", b"SOME")

    class Text(io.StringIO):
        def read(self, size=-1):
            return super().read(size).replace("some", "SOME")

    patched = io.BytesIO(content)
    take = patched.read
    patched.read = lambda size: take(size).replace(b"some", b"SOME")
    for file in [Bytes(content), Text(content.decode()), patched]:
        held.execute("truncate held")
        held.copy_from(file, "held")
        check(held)
        held.execute("select count(*) from held where b like 'SOME%'")
        assert held.fetchone()[0] > LINES - 200


@pytest.mark.parametrize("kind", [io.BytesIO, io.StringIO])
def test_a_buffer_that_changes_meanwhile(held, dsn, kind):
    """It is sent as it was when the COPY began, and then what was added."""
    # A text that is sent so may fit into the buffers of TCP: the COPY has ended before the change.
    rows = 300_000 if kind is io.BytesIO else 30_000
    own = (lambda data: data) if kind is io.BytesIO else bytes.decode
    file = kind(own(b"".join(ROW % n for n in range(rows))))

    def change():
        file.seek(64 * (rows - 1))
        file.write(own(b"x" * 64 + ROW % rows))

    thread = during_the_first_row(held, dsn, change)
    held.copy_from(file, "held")
    thread.join()
    sent = held.rowcount
    assert sent == rows + 1 or (sent == rows and kind is io.StringIO)
    held.execute("select max(a), sum(a), bool_and(b = repeat('x', 53)) from held")
    assert held.fetchone() == (sent - 1, sum(range(sent)), True)


def test_buffers_that_cannot_be_sent(held):
    for kind in (io.BytesIO, io.StringIO):
        file = kind()
        file.close()
        with pytest.raises(ValueError, match="closed file"):
            held.copy_from(file, "held")
        held.connection.rollback()
    held.connection.set_client_encoding("LATIN1")
    with pytest.raises(UnicodeEncodeError):
        held.copy_from(io.StringIO(TEXT + "1\t\u20ac\n"), "held")
    assert held.connection.closed == 0
    held.connection.rollback()
    held.execute("select count(*) from held")
    assert held.fetchone() == (0,)


@pytest.mark.parametrize("kind", [io.BytesIO, io.StringIO])
@pytest.mark.parametrize("line", [0, 5_000, 19_999])
def test_an_error_in_the_middle_of_a_buffer(held, kind, line):
    lines = [LINE % n for n in range(20_000)]
    lines[line] = b"x" + lines[line]
    given = b"".join(lines)
    for _ in range(3):
        file = kind(given if kind is io.BytesIO else given.decode())
        with pytest.raises(errors.InvalidTextRepresentation, match=f"line {line + 1}, column a"):
            held.copy_from(file, "held")
        # The rest of what was promised is sent before the next statement, from memory that stays.
        del file
        held.connection.rollback()
        held.execute("select 1")
        assert held.fetchone() == (1,)
        held.connection.rollback()


def test_a_buffer_with_a_wait_callback(held, content):
    with waiting(extras.wait_select):
        held.copy_from(io.BytesIO(content), "held")
        check(held)
