"""F: what looks like a name, an option or a piece of text cannot become SQL."""

import contextlib
import io

import pytest
from support import check, connect, db, ext, psql, sql

EVIL = [
    'x"; drop table canary; --',
    "x'; drop table canary; --",
    "x\\'; drop table canary; --",
    "x); drop table canary; --",
    'x" from stdin; drop table canary; --',
    "$$; drop table canary; --",
    "/* x */ ; drop table canary; --",
    "x\n; drop table canary",
]


def uses(conn, cur, evil):
    """Every place that takes a name or a text and writes it into a statement."""
    yield lambda: conn.cursor(evil).execute("select 1")
    yield lambda: conn.cursor(evil, withhold=True).execute("select 1")
    yield lambda: cur.copy_from(io.StringIO("1\n"), evil)
    yield lambda: cur.copy_from(io.StringIO("1\n"), "canary", columns=[evil])
    yield lambda: cur.copy_from(io.StringIO("1\n"), "canary", sep=evil)
    yield lambda: cur.copy_from(io.StringIO("1\n"), "canary", null=evil)
    yield lambda: cur.copy_to(io.StringIO(), evil)
    yield lambda: cur.copy_to(io.StringIO(), "canary", columns=[evil])
    yield lambda: cur.callproc("now", {evil: 1})
    yield lambda: conn.set_client_encoding(evil)
    yield lambda: conn.set_session(isolation_level=evil)
    yield lambda: conn.tpc_begin(evil)
    yield lambda: conn.tpc_recover()
    yield lambda: cur.execute(sql.SQL("select 1 as {}").format(sql.Identifier(evil)))
    yield lambda: cur.execute(sql.SQL("select {}").format(sql.Literal(evil)))
    yield lambda: cur.execute("select %s", (evil,))
    yield lambda: cur.execute("select %s", ([evil, [evil]],))
    yield lambda: cur.execute("select %s", (evil.encode(),))
    yield lambda: cur.execute("select 1 as " + ext.quote_ident(evil, cur))


@check(timeout=60)
def test_f23_no_name_becomes_a_statement():
    """names of cursors, tables, columns, procedures' arguments, encodings, levels, transactions,
    and every kind of parameter: none becomes a statement of its own
    """
    psql("drop table if exists canary; create table canary (x int); insert into canary values (7)")
    for evil in EVIL:
        number = len(list(uses(None, None, evil)))
        for index in range(number):
            conn = connect()
            use = list(uses(conn, conn.cursor(), evil))[index]
            with contextlib.suppress(db.Error, ValueError, TypeError, LookupError):
                use()
            with contextlib.suppress(db.Error):
                conn.commit()
            conn.close()
    assert psql("select x from canary where x = 7") == "7"
    with pytest.raises(db.Error):
        connect().cursor().execute("select 'a' %s", ("'; drop table canary; --",))
    assert psql("select x from canary where x = 7") == "7"


ENCODINGS = {
    "SJIS": "shift_jis",
    "SHIFT_JIS_2004": "shift_jis_2004",
    "BIG5": "big5",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "UHC": "cp949",
    "JOHAB": "johab",
    "EUC_JP": "euc_jp",
    "EUC_KR": "euc_kr",
}
# What means something in SQL, or in the text form of arrays, as the second byte of a character.
DANGEROUS = b"\\'\"`$%{},;\0\n"
# A little of each to follow: as text it is data, as SQL it drops the table.
TAIL = "'; drop table bird; --\\"


def dangerous_characters(codec):
    """Every character whose bytes, but for the first, hold an ASCII one of those above."""
    for code in [*range(0x80, 0xD800), *range(0xE000, 0x30000)]:
        try:
            written = chr(code).encode(codec)
        except UnicodeEncodeError:
            continue
        if len(written) > 1 and any(byte in DANGEROUS for byte in written[1:]):
            yield chr(code)


def stay_data(cur, texts, tail):
    """Sends each as text and in an array. What comes back has the same tail behind one character:
    which that is, Python's and the server's tables do not always agree.
    """
    values = [part for text in texts for part in (text, [text])]
    cur.execute("select " + ", ".join(["%s::text, %s::text[]"] * len(texts)), values)
    row = cur.fetchone()
    assert len(row) == len(values)
    for read in (row[0::2], [only for (only,) in row[1::2]]):
        assert all(len(text) == len(tail) + 2 and text[1:-1] == tail for text in read)


@check(level="beyond", timeout=120)
def test_f03_no_character_of_any_encoding_ends_a_literal():
    """every character of 9 client encodings with a quote, a backslash or the like for its second
    byte, before such a character, and every lone first byte: data they stay
    """
    psql("drop table if exists bird; create table bird (x int); insert into bird values (7)")
    conn = connect()
    conn.autocommit = True
    for encoding, codec in ENCODINGS.items():
        conn.set_client_encoding(encoding)
        cur = conn.cursor()
        # Python's SHIFT_JIS_2004 has a yen where others have the backslash.
        tail = TAIL if b"\\".decode(codec) == "\\" else TAIL.rstrip("\\")
        found = [char + tail + char for char in dangerous_characters(codec)]
        for begin in range(0, len(found), 200):
            batch = found[begin : begin + 200]
            try:
                stay_data(cur, batch, tail)
                continue
            except (db.Error, ValueError):
                pass
            # One of them is a character that Python has there and the server has not.
            for text in batch:
                with contextlib.suppress(db.DataError, db.NotSupportedError, ValueError):
                    stay_data(cur, [text], tail)
        for char in [text[0] for text in found[:: max(1, len(found) // 20)]]:
            with contextlib.suppress(db.Error, ValueError):
                cur.execute("select 1 as " + ext.quote_ident(char + '"' + tail, cur))
                assert cur.description[0].name == char + '"' + tail
        for lead in range(0x80, 0x100):
            for rest in (b"", b"'", b"\\", b"\\'", b'"'):
                evil = bytes([lead]) + rest + TAIL.encode()
                quoted = ext.QuotedString(evil)
                with contextlib.suppress(db.Error, ValueError, TypeError):
                    quoted.prepare(conn)
                    cur.execute(b"select " + quoted.getquoted())
                with contextlib.suppress(db.Error, ValueError, TypeError):
                    cur.execute("select %s", (ext.adapt(evil),))
        assert psql("select x from bird") == "7", encoding
