"""Large objects."""

from __future__ import annotations

import pytest

import psycoxide
from psycoxide import extensions


@pytest.fixture
def large(conn):
    """A new large object, gone with the transaction."""
    return conn.lobject()


@pytest.fixture
def binary(conn):
    return conn.lobject(0, "rwb")


def test_a_new_one(conn, large):
    assert large.oid > 0
    assert large.mode == "wt"
    assert not large.closed
    assert large.write("héllo") == 6  # Bytes, not characters.
    assert large.tell() == 6
    assert large.seek(0) == 0
    assert large.read() == "héllo"
    assert large.read() == ""
    large.close()
    assert large.closed
    large.close()
    assert isinstance(large, extensions.lobject)


@pytest.mark.parametrize(
    ("mode", "shown", "readable", "writable"),
    [
        ("r", "rt", True, False),
        ("rb", "rb", True, False),
        ("rt", "rt", True, False),
        ("w", "wt", True, True),  # The server lets who may write read as well.
        ("wb", "wb", True, True),
        ("rw", "rwt", True, True),
        ("rwb", "rwb", True, True),
    ],
)
def test_modes(conn, large, mode, shown, readable, writable):
    large.write("abc")
    large.close()
    again = conn.lobject(large.oid, mode)
    assert again.mode == shown
    value = b"abc" if "b" in mode else "abc"
    if readable:
        assert again.read() == value
    if writable:
        assert again.write(value) == 3
    else:
        with pytest.raises(psycoxide.OperationalError):
            again.write(value)


def test_unopened(conn, large):
    large.close()
    unopened = conn.lobject(large.oid, "n")
    assert unopened.mode == "n"
    assert unopened.closed
    with pytest.raises(psycoxide.InterfaceError):
        unopened.read()
    unopened.unlink()
    with pytest.raises(psycoxide.OperationalError):
        conn.lobject(large.oid)


@pytest.mark.parametrize("mode", ["x", "rx", "rbt", "bw", "wn"])
def test_bad_modes(conn, mode):
    with pytest.raises((ValueError, psycoxide.Error)):
        conn.lobject(0, mode)


def test_binary_takes_bytes_and_text(binary):
    assert binary.write(b"\x00\xff\xfe") == 3
    assert binary.write("é") == 2
    binary.seek(0)
    assert binary.read() == b"\x00\xff\xfe\xc3\xa9"
    with pytest.raises(TypeError):
        binary.write(7)


def test_text_in_the_clients_encoding(conn):
    conn.set_client_encoding("LATIN1")
    large = conn.lobject()
    assert large.write("é") == 1
    large.seek(0)
    assert large.read() == "é"
    large.close()
    assert conn.lobject(large.oid, "rb").read() == b"\xe9"


def test_a_character_cut_in_two(conn, large):
    large.write("é")
    large.seek(1)
    with pytest.raises(UnicodeDecodeError):
        large.read()
    large.seek(0)
    assert large.read() == "é"


def test_seek_read_tell(binary):
    binary.write(bytes(range(100)))
    assert binary.seek(10) == 10
    assert binary.read(3) == bytes([10, 11, 12])
    assert binary.tell() == 13
    assert binary.seek(-3, 1) == 10
    assert binary.seek(-1, 2) == 99
    assert binary.read(100) == bytes([99])
    assert binary.seek(1000) == 1000
    assert binary.read() == b""
    with pytest.raises(psycoxide.OperationalError):
        binary.seek(-1)


def test_beyond_two_gigabytes(binary):
    """Offsets have 64 bits: a sparse object, whose hole reads as zeros."""
    far = 3 << 30
    assert binary.seek(far) == far
    assert binary.write(b"far out") == 7
    assert binary.tell() == far + 7
    assert binary.seek(0, 2) == far + 7
    assert binary.seek(-7, 2) == far
    assert binary.read() == b"far out"
    binary.seek(far - 2)
    assert binary.read(4) == b"\x00\x00fa"
    binary.truncate(far + 3)
    assert binary.seek(0, 2) == far + 3
    binary.truncate(5 << 30)
    assert binary.seek(0, 2) == 5 << 30
    with pytest.raises((OverflowError, psycoxide.Error)):
        binary.seek(1 << 80)


def test_truncate(binary):
    binary.write(b"0123456789")
    binary.truncate(4)
    binary.seek(0)
    assert binary.read() == b"0123"
    binary.truncate()
    binary.seek(0)
    assert binary.read() == b""


def test_much_data(conn, binary):
    data = bytes(range(256)) * 40_000  # 10 MB: more than a message of the function call carries.
    assert binary.write(data) == len(data)
    binary.seek(0)
    assert binary.read() == data
    binary.seek(0)
    parts = []
    while part := binary.read(100_001):
        parts.append(part)
    assert b"".join(parts) == data


def test_export_and_import(conn, tmp_path, binary):
    data = bytes(range(256)) * 1000
    binary.write(data)
    binary.export(str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == data
    copy = conn.lobject(0, "rb", 0, str(tmp_path / "out"))
    assert copy.oid != binary.oid
    assert copy.read() == data
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert conn.lobject(0, "rb", 0, str(empty)).read() == b""
    with pytest.raises((psycoxide.Error, OSError)):
        conn.lobject(0, "rb", 0, str(tmp_path / "missing"))
    with pytest.raises((psycoxide.Error, OSError)):
        binary.export(str(tmp_path / "no" / "such" / "folder"))


def test_an_oid_of_ones_own(conn, tmp_path):
    cur = conn.cursor()
    cur.execute("select coalesce(max(oid), 10000)::int8 + 7 from pg_largeobject_metadata")
    (oid,) = cur.fetchone()
    assert conn.lobject(0, "w", oid).oid == oid
    with pytest.raises(psycoxide.OperationalError):
        conn.lobject(0, "w", oid)
    conn.rollback()
    (tmp_path / "file").write_bytes(b"xyz")
    imported = conn.lobject(0, "rb", oid, str(tmp_path / "file"))
    assert (imported.oid, imported.read()) == (oid, b"xyz")


def test_unlink(conn, large):
    large.unlink()
    assert large.closed
    with pytest.raises(psycoxide.OperationalError, match="does not exist"):
        conn.lobject(large.oid)
    conn.rollback()


def test_what_is_not_there(conn):
    with pytest.raises(psycoxide.OperationalError) as caught:
        conn.lobject(123456789)
    assert "does not exist" in str(caught.value)
    conn.rollback()
    assert conn.status == extensions.STATUS_READY


def test_valid_in_its_transaction_only(conn, large):
    large.write("kept")
    conn.commit()
    for use in (
        large.read,
        large.tell,
        large.truncate,
        lambda: large.write("x"),
        lambda: large.seek(0),
    ):
        with pytest.raises(psycoxide.ProgrammingError, match="lobject isn't valid anymore"):
            use()
    again = conn.lobject(large.oid, "rw")
    assert again.read() == "kept"
    again.unlink()
    conn.commit()


def test_close_after_commit_and_after_the_connection(conn, large):
    conn.rollback()
    large.close()
    other = conn.lobject()
    conn.close()
    other.close()
    with pytest.raises(psycoxide.InterfaceError):
        other.read()


def test_outside_transactions(conn):
    conn.autocommit = True
    with pytest.raises(psycoxide.ProgrammingError, match="outside of transactions"):
        conn.lobject()


def test_in_an_aborted_transaction(conn, large):
    with pytest.raises(psycoxide.Error):
        conn.cursor().execute("select 1 / 0")
    with pytest.raises(psycoxide.Error):
        large.read()
    conn.rollback()
    assert conn.lobject().oid


def test_a_class_of_ones_own(conn):
    class Shouting(extensions.lobject):
        def read(self, size=-1):
            return super().read(size).upper()

    large = conn.lobject(lobject_factory=Shouting)
    assert isinstance(large, Shouting)
    large.write("abc")
    large.seek(0)
    assert large.read() == "ABC"


def test_asynchronous_connections_have_none(async_conn):
    with pytest.raises(psycoxide.ProgrammingError, match="cannot be used in asynchronous mode"):
        async_conn.lobject()


def test_repr_names_it(conn, large):
    assert "lobject" in repr(large)
