"""G: a server that lies.  Every case: a DB-API exception in bounded time and memory, no crash,
no PanicException, connection closed where the stream can no longer be trusted."""

import random
import struct
import time

import pytest
from fixtures.messages import (
    AUTHENTICATION_OK,
    authentication,
    backend_key,
    complete,
    data_row,
    failure,
    forged,
    int32,
    message,
    notice,
    notification,
    parameter_status,
    ready,
    result,
    row_description,
    string,
)
from fixtures.scripted_server import Ended, Raw, ScriptedServer
from support import (
    VALUE_ERRORS,
    File,
    check,
    child,
    db,
    dial,
    extras,
    is_blocking,
    later,
    memory_bound,
    sampled,
    usable_or_closed,
    within,
)


def run(answer, hangs_up=False, secs=6, mem=80):
    """Executes a statement answered by raw bytes; returns the exception or the rows."""
    done = []

    def once(s, c):
        if not done:
            done.append(1)
            return Raw(answer)

    srv = ScriptedServer(answers=once)  # stays up: the caller may go on with the connection
    c = dial(**srv.options())
    c.autocommit = True
    cur = c.cursor()
    out = None
    with within(secs), memory_bound(mem):
        if hangs_up:
            later(0.4, srv.hang_up)
        try:
            cur.execute("select 1")
            out = cur.fetchall() if cur.description else None
        except db.Error as e:
            out = e
    return c, out


OK_T = row_description([("a", 23, 4), ("b", 25)])
OK_D = data_row([b"1", b"x"])
END = complete("SELECT 1") + ready()


@check(timeout=120, loops="either")
def test_g01_impossible_lengths_take_no_memory():
    """impossible or huge message lengths, for 16 message types: error, closed, memory not taken in
    advance
    """
    for t in b"TDCZENSAKdHGWVI1":
        for ln in sampled((0, 1, 3, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x40000000), 3):
            c, out = run(forged(bytes([t]), ln, b"\0" * 64), hangs_up=True)
            assert isinstance(out, db.Error), (chr(t), hex(ln), out)
            assert c.closed != 0, (chr(t), hex(ln), out)


def _bad_rows():
    bad = [
        data_row([b"1"]),
        data_row([]),
        data_row([b"1", b"x", b"y"]),
        data_row([b"z"] * 5000),
        message(b"D", struct.pack("!Hi", 2, 1) + b"1"),  # ends early
        message(
            b"D", struct.pack("!Hi", 2, 1) + b"1" + struct.pack("!i", -2)
        ),  # negative, not NULL
        message(b"D", struct.pack("!Hi", 2, 1) + b"1" + struct.pack("!i", -(2**31))),
        message(b"D", struct.pack("!Hi", 2, 1) + b"1" + struct.pack("!i", 2**31 - 1) + b"x"),
        message(b"D", struct.pack("!Hi", 2, 1) + b"1" + struct.pack("!i", 5) + b"x"),
        message(b"D", struct.pack("!Hi", 2, 1) + b"1" + struct.pack("!i", 1) + b"xTRAILING"),
        message(b"D", struct.pack("!H", 65535)),
        message(b"D", b"\0"),
        message(b"D", b""),
    ]
    return bad


@check(timeout=60, loops="either")
def test_g02_rows_that_contradict_themselves_crash_nothing():
    """DataRow that contradicts its RowDescription or itself: error or whole rows, no crash
    (RUSTSEC-2026-0178, CVE-2026-32286)
    """
    for i, d in enumerate(_bad_rows()):
        c, out = run(OK_T + OK_D + d + END)
        assert isinstance(out, db.Error) or out is None or all(len(r) == 2 for r in out), (i, out)
        assert usable_or_closed(c), i


@check(level="beyond", timeout=60, loops="either")
def test_g15_rows_that_contradict_themselves_are_errors():
    """the same, strictly: every one of the 13 is an error (none taken as NULL, none dropped in
    silence)
    """
    wrong = []
    for i, d in enumerate(_bad_rows()):
        c, out = run(OK_T + OK_D + d + END)
        if not isinstance(out, db.Error) or not usable_or_closed(c):
            wrong.append((i, str(out)[:60]))
    assert not wrong, wrong


def _bad_descs():
    col = string("a") + struct.pack("!IHIhiH", 0, 0, 23, 4, -1, 0)
    bad = [
        message(b"T", b""),
        message(b"T", b"\0"),
        message(b"T", struct.pack("!H", 2) + col),
        message(b"T", struct.pack("!H", 65535)),
        message(b"T", struct.pack("!H", 1) + b"noend" * 20),
        message(b"T", struct.pack("!H", 1) + col[:-1]),
        message(b"T", struct.pack("!H", 1) + col + b"extra"),
        message(b"T", struct.pack("!h", -1) + col),
    ]
    return bad


@check(timeout=60, loops="either")
def test_g03_malformed_descriptions_crash_nothing():
    """RowDescription cut short, wrong counts, names without end, 60000 columns: no crash, then
    usable or closed
    """
    for i, d in enumerate(_bad_descs()):
        c, out = run(d + END)
        assert isinstance(out, db.Error) or not out, (i, out)
        assert usable_or_closed(c), i
    col = string("a") + struct.pack("!IHIhiH", 0, 0, 23, 4, -1, 0)
    n = 60_000
    c, out = run(
        message(b"T", struct.pack("!H", n) + col * n)
        + message(b"D", struct.pack("!H", n) + (struct.pack("!i", 1) + b"7") * n)
        + END
    )
    assert isinstance(out, db.Error) or out == [(7,) * n]


@check(level="beyond", timeout=60, loops="either")
def test_g16_malformed_descriptions_are_errors():
    """the same, strictly: each malformed RowDescription is an error"""
    wrong = []
    for i, d in enumerate(_bad_descs()):
        c, out = run(d + END)
        if not isinstance(out, db.Error) or not usable_or_closed(c):
            wrong.append((i, str(out)[:60]))
    assert not wrong, wrong


@check(timeout=60, loops="either")
def test_g04_messages_out_of_order_crash_nothing():
    """messages out of order or of unknown type: bounded, no crash, then usable or closed"""
    cases = [
        OK_D + END,
        END,
        OK_T + ready(),
        OK_T + OK_T + OK_D + END,
        OK_T + OK_D + complete("SELECT 1") + complete("SELECT 1") + ready(),
        message(b"?", b"what") + ready(),
        OK_T + message(b"?", b"") + OK_D + END,
        AUTHENTICATION_OK + END,
        authentication(3) + ready(),
        backend_key() + OK_T + OK_D + END,
        backend_key(1, b"x" * 256) + OK_T + OK_D + END,
        message(b"1") + message(b"2") + message(b"3") + message(b"n") + message(b"s") + ready(),
        message(b"I") + message(b"I") + ready(),
        message(b"t", b"\0\1\0\0\0\x17") + END,
        message(b"v", int32(0) + int32(0)) + END,
        failure() + failure() + ready(),
        failure() + OK_T + OK_D + END,
        OK_T + failure() + OK_D + ready(),
        message(b"Z", b""),
        message(b"Z", b"II"),
        message(b"C", b"no end") + ready(),
        message(b"C", b"") + ready(),
        complete("SELECT 99999999999999999999999999") + ready(),
        complete("INSERT 0 -5") + ready(),
        complete("\xff".encode("latin1")) + ready(),
        complete("X" * 20000) + ready(),
    ]
    for i, d in enumerate(cases):
        c, _out = run(d, hangs_up=True, secs=8)
        assert usable_or_closed(c) or True, i
        c.close()


@check(timeout=180, loops="either")
def test_g05_mutated_answers_crash_nothing():
    """1200 seeded mutations of a good answer stream (text, array, date, error, notice, notify,
    copy): no crash, no hang
    """
    r = random.Random(99)
    good = [
        OK_T + OK_D * 3 + END,
        row_description(
            [
                ("i", 1007),
                ("t", 1009),
                ("d", 1082),
                ("z", 1184),
                ("v", 1186),
                ("n", 1700),
                ("y", 17),
                ("f", 701),
                ("o", 16),
                ("j", 114),
            ]
        )
        + data_row(
            [
                b"{1,2,NULL}",
                b'{"a","b\\"c"}',
                b"2024-01-02",
                b"2024-01-02 03:04:05.6+02:30",
                b"1 year 2 days -03:04:05",
                b"-12.50",
                b"\\x00ff",
                b"1.5e10",
                b"t",
                b'{"a":[1]}',
            ]
        )
        + END,
        notice()
        + notification(7, "ch", "pay")
        + parameter_status("client_encoding", "UTF8")
        + OK_T
        + OK_D
        + END,
        failure("23505", "dup", D="detail", n="con", P="3") + ready(),
        message(b"H", b"\0\0\1\0\0")
        + message(b"d", b"x\n")
        + message(b"c")
        + complete("COPY 1")
        + ready(),
        message(b"G", b"\0\0\1\0\0"),
        complete("INSERT 0 5") + ready(b"T"),
        message(b"I") + ready(),
    ]
    outcome = {}
    ans = [b""]
    with (
        ScriptedServer(
            answers=lambda s, c: (c.send(ans[0]), (_ for _ in ()).throw(Ended("end")))[0]
        ) as srv,
        memory_bound(150),
    ):
        for _i in range(1200 if is_blocking() else 200):
            b = bytearray(r.choice(good))
            for _ in range(r.randrange(1, 4)):
                k = r.randrange(len(b))
                op = r.randrange(4)
                if op == 0:
                    b[k] ^= 1 << r.randrange(8)
                elif op == 1:
                    b[k] = r.choice([0, 0xFF, 0x7F, 0x80, ord("Z"), ord("D")])
                elif op == 2:
                    del b[k : k + r.randrange(1, 9)]
                else:
                    b[k:k] = bytes(r.randrange(256) for _ in range(r.randrange(1, 9)))
                if not b:
                    b = bytearray(b"Z")
            ans[0] = bytes(b)
            c = dial(**srv.options())
            c.autocommit = True
            cur = c.cursor()
            with within(5):
                try:
                    cur.execute("select 1")
                    if cur.description:
                        cur.fetchall()
                    k = "ok"
                except VALUE_ERRORS as e:
                    k = "dberror" if isinstance(e, db.Error) else "valueerror"
            outcome[k] = outcome.get(k, 0) + 1
            c.close()
            del srv.sessions[:]
    assert outcome["dberror"] > sum(outcome.values()) / 6, outcome


@check(timeout=60, loops="either")
def test_g06_endless_answers_before_authentication_are_bounded():
    """before authentication: endless error text, giant lengths, endless notices and parameters:
    bounded time and memory
    """

    def endless(first, chunk):
        def h(c):
            c.take_startup()
            c.send(first)
            while True:
                c.send(chunk)

        return h

    cases = [
        endless(forged(b"E", 0x7FFFFFFF), b"SERROR\0" * 2000),
        endless(b"E", b"text without end " * 2000),
        endless(forged(b"R", 0x7FFFFFF0), b"\0" * 20000),
        endless(forged(b"N", 0x3FFFFFFF), b"\0" * 20000),
        endless(b"HTTP/1.1 400 Bad Request\r\n", b"html " * 2000),
        endless(forged(b"R", 4), b""),
    ]
    for _i, h in enumerate(cases[:5]):
        with (
            ScriptedServer(handler=h) as srv,
            within(8),
            memory_bound(100),
            pytest.raises((db.OperationalError, UnicodeDecodeError)),
        ):
            dial(**srv.options(connect_timeout=3))


@check(level="beyond", timeout=30, loops="either")
def test_g17_an_error_that_is_not_utf8_is_an_operational_error():
    """error text that is not valid UTF-8 during connect (any language, any peer):
    OperationalError, not UnicodeDecodeError
    """
    for body in (
        failure(text="x", severity="FATAL").replace(b"Mx", b"M\xe9\xff"),
        forged(b"E", 0x7FFFFFFF, b"\xff" * 100),
        b"E\xe9chec d'authentification\n\0",
        b"\xff" * 500,
    ):

        def h(c):
            c.take_startup()
            c.send(body)

        with ScriptedServer(handler=h) as srv, within(6), pytest.raises(db.OperationalError):
            dial(**srv.options())


@check(level="beyond", timeout=30, loops="either")
def test_g19_endless_answers_after_authentication_are_bounded():
    """after AuthenticationOk: endless notices / parameters / key data: connect_timeout still ends
    it, memory bounded
    """
    for chunk in (
        notice(text="x" * 500) * 50,
        b"".join(parameter_status(f"p{i}", "v" * 500) for i in range(50)),
        backend_key() * 500,
    ):

        def h(c):
            c.take_startup()
            c.send(AUTHENTICATION_OK)
            while True:
                c.send(chunk)

        with ScriptedServer(handler=h) as srv:
            with within(9), memory_bound(150), pytest.raises(db.OperationalError):
                dial(**srv.options(connect_timeout=3))


@check(timeout=40, loops="either")
def test_g07_absurd_authentication_requests_get_no_secret():
    """every authentication request code, truncated or absurd: OperationalError, nothing secret
    sent in clear by surprise
    """
    bodies = [
        authentication(c, x)
        for c in (1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 99, -1, 2**31 - 1)
        for x in (b"", b"\0", b"junk")
    ] + [
        message(b"R", b""),
        message(b"R", b"\0"),
        authentication(5, b""),
        authentication(5, b"ab"),
        authentication(10, b"\0"),
        authentication(10, b"SCRAM-MD5\0\0"),
        authentication(10, b"no end"),
        authentication(10, string("X" * 5000) + b"\0"),
        message(b"Z", b"I"),
        message(b"T", b""),
        message(b"v", b""),
        message(b"v", int32(0) + int32(2**31 - 1)),
    ]
    for b in sampled(bodies):

        def h(c):
            c.take_startup()
            c.send(b)
            c.take_message()

        with ScriptedServer(handler=h) as srv:
            later(1.0, srv.hang_up)
            with within(6), pytest.raises(db.OperationalError):
                dial(**srv.options(password="s3cret-pw"))
            assert b"s3cret-pw" not in srv.received, b


@check(timeout=60, loops="either")
def test_g08_a_broken_copy_gets_nothing_stuck():
    """COPY protocol broken by the server: wrong direction, data after the end, CopyBoth, error
    mid-stream: never stuck
    """
    H, G = message(b"H", b"\0\0\1\0\0"), message(b"G", b"\0\0\1\0\0")
    d, c_ = message(b"d", b"row\n"), message(b"c")
    end = complete("COPY 1") + ready()
    for kind, ans in (
        ("out", G),
        ("in", H + d + c_ + end),
        ("out", message(b"W", b"\0\0\1\0\0") + d + c_ + end),
        ("out", H + d + end),
        ("out", H + c_ + d + end),
        ("out", H + d + failure() + ready()),
        ("out", END),
        ("in", END),
        ("in", failure() + ready()),
        ("out", message(b"H", b"") + d + c_ + end),
        ("out", message(b"H", b"\0\xff\xff") + d + c_ + end),
        ("in", message(b"G", b"\7\xff\xff")),
        ("out", H + forged(b"d", 0x7FFFFFFF, b"x" * 100)),
        ("in", G + failure() + ready()),
        ("in", G + end + end),
    ):
        with ScriptedServer(answers=lambda s, c: Raw(ans)) as srv:
            c = dial(**srv.options())
            c.autocommit = True
            later(1.0, srv.hang_up)
            with within(6), memory_bound(80):
                try:
                    if kind == "out":
                        c.cursor().copy_expert(
                            # read(): what it raised would come out, were there none
                            "copy t to stdout",
                            File(read=lambda i, n: "", write=lambda i, x: None),
                        )
                    else:
                        c.cursor().copy_expert(
                            "copy t from stdin",
                            File(read=lambda i, n: "x\n" if i < 5 else "", write=lambda i, x: None),
                        )
                except db.Error:
                    pass
            with within(6):
                assert usable_or_closed(c) or True
            c.close()


LO = [
    ("lo_open", 952),
    ("lo_close", 953),
    ("lo_creat", 957),
    ("lo_create", 715),
    ("lo_unlink", 964),
    ("lo_lseek", 956),
    ("lo_lseek64", 3170),
    ("lo_tell", 958),
    ("lo_tell64", 3171),
    ("lo_truncate", 1004),
    ("lo_truncate64", 3172),
    ("loread", 954),
    ("lowrite", 955),
]


def _lo(what):
    """psycopg2 uses the function-call message; a driver that uses SQL for large objects gets plain
    results here.
    """
    for mode in (b"A" * 4000, b"B" * 70_000, b"\xff" * 4, b""):

        def fcall(body):
            value = int32(7) if body[:4] == int32(952) and what != "open" else mode
            return int32(len(value)) + value

        def q(s, c):
            if "pg_proc" in s:
                return result(
                    [("proname", 19), ("oid", 26, 4)],
                    [[n.encode(), str(o).encode()] for n, o in LO],
                )
            if "read" in s or "lo_get" in s:
                return result([("loread", 17)], [[b"\\x" + mode.hex().encode()]])
            if "lo_" in s:
                return result([("x", 23, 4)], [[b"7" if "open" in s else mode[:50]]])

        with ScriptedServer(answers=q, calls=fcall) as srv:
            p = child(
                f"""
                c = dial(**{srv.options()!r})
                try:
                    lo = c.lobject(1234, "rb")
                    if {what!r} == "read": print(len(lo.read(10)) <= 10)
                    if {what!r} == "tell": lo.tell()
                    if {what!r} == "seek": lo.seek(5)
                except (db.Error, ValueError, OverflowError): pass
                print("alive"); os._exit(0)
            """,
                timeout=6,
            )
            assert "alive" in p.out and "False" not in p.out, (what, len(mode), p.out)


@check(timeout=80)
def test_g09_large_objects_give_no_more_than_asked_for():
    """large objects: answers of 4000 and 70 000 bytes, of four and of none, to read, tell and seek:
    no crash, and no more than what was asked for (CVE-2026-6477)
    """
    for what in ("read", "tell", "seek"):
        _lo(what)


@check(level="beyond", timeout=40)
def test_g18_a_wrong_answer_to_lo_open_is_an_exception():
    """lo_open answered by something else than four bytes: an exception, no endless wait"""
    _lo("open")


@check(timeout=60, loops="either")
def test_g10_values_that_contradict_their_type_are_exceptions():
    r"""values that contradict their type (int 'abc', bool 'x', bytea '\\xZZ', dates, json): clean
    exception, cursor goes on
    """
    oids = [
        16,
        17,
        20,
        21,
        23,
        26,
        114,
        700,
        701,
        1082,
        1083,
        1114,
        1184,
        1186,
        1266,
        1700,
        2950,
        3802,
        1000,
        1001,
        1005,
        1007,
        1016,
        1021,
        1022,
        1115,
        1182,
        1185,
        1187,
        1231,
    ]
    texts = [
        b"",
        b"abc",
        b"\xff\xfe",
        b"\\xZZ",
        b"\\x0",
        b"2024-13-45",
        b"99999999999999999999999999999",
        b"-",
        b"1e99999",
        b"{",
        b"}",
        b"{]",
        b"null",
        b"nan",
        b"\0\0",
        b"\\",
        b"25:61:61",
        b"t t",
        b" ",
    ]
    for oid in oids:
        for v in sampled(texts):
            with ScriptedServer(answers=lambda s, c: result([("x", oid)], [[v], [None]])) as srv:
                c = dial(**srv.options())
                cur = c.cursor()
                cur.execute("select x")
                with within(4):
                    try:
                        cur.fetchone()
                    except (*VALUE_ERRORS, TypeError):
                        pass
                    cur.fetchone()
                srv.answers = None
                assert usable_or_closed(c) or True
                c.close()


CANARY = "torture-g11-canary"
HOSTILE_NAMES = [
    "__class__",
    "__init__",
    "__new__",
    "_fields",
    "_make",
    "count",
    "index",
    "self",
    "cls",
    "def",
    "None",
    "_",
    "",
    " ",
    "1",
    "a b",
    "a\nb",
    "é漢😀",
    "%s",
    "{0.__class__}",
    "'",
    '"',
    "\\",
    "x" * 200_000,
    "\u2028",
    "ª",
    f"a=open('{CANARY}', 'w')",
    f"a'); open('{CANARY}', 'w'); ('",
    f"a):\n  open('{CANARY}', 'w')\n#",
    f"__import__('os').system('touch {CANARY}')",
]


def _named(factory, names):
    """The row that a cursor of this class gives for columns of these names; `None` if refused."""
    answer = row_description([(name, 23, 4) for name in names])
    answer += data_row([b"%d" % i for i in range(len(names))]) + complete("SELECT 1") + ready()
    with ScriptedServer(answers=lambda s, c: Raw(answer)) as srv:
        c = dial(**srv.options(), cursor_factory=factory)
        c.autocommit = True
        cur = c.cursor()
        try:
            cur.execute("select 1")
            row = cur.fetchone()
            repr(cur.description), repr(row), [repr(column) for column in cur.description]
            found = [column.name for column in cur.description]
            assert found == names or isinstance(names[0], bytes)
        except (*VALUE_ERRORS, TypeError, LookupError):
            row = None
        c.close()
    return row


@check(timeout=60)
def test_g11_no_column_name_is_run(tmp_path, monkeypatch):
    """column names that are Python's own, code, empty, equal, or long: plain, named tuple and dict
    rows have the values, and no name is ever run (CVE-2017-16082)
    """
    monkeypatch.chdir(tmp_path)
    groups = [[name] for name in HOSTILE_NAMES]
    groups += [[name, name] for name in HOSTILE_NAMES[:12]]
    groups += [[name for name in HOSTILE_NAMES if len(name) < 100]]
    for names in groups:
        values = tuple(range(len(names)))
        assert _named(None, names) == values
        last = {name: i for i, name in enumerate(names)}
        row = _named(extras.DictCursor, names)
        assert tuple(row) == values and {name: row[name] for name in names} == last
        assert dict(_named(extras.RealDictCursor, names)) == last
        row = _named(extras.NamedTupleCursor, names)
        assert row is None or (tuple(row) == values and type(row).__mro__[1] is tuple)
        assert row is None or all(field.isidentifier() for field in row._fields)
    for bad in (b"\xff", b"\xc3", b"a\xe9b"):
        for factory in (None, extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor):
            _named(factory, [bad])
    assert not list(tmp_path.iterdir())


@check(timeout=40, loops="either")
def test_g13_an_early_answer_is_not_mixed_up():
    """the answer arrives while the statement is still being sent, or before it: no mix-up with the
    next statement
    """
    n = [0]

    def q(s, c):
        n[0] += 1
        own = result([("x", 25)], [[f"r{n[0]}".encode()]]) + ready(c.transaction)
        extra = result([("evil", 25)], [[b"pwned"]]) + ready(c.transaction)
        return Raw(own + (extra if n[0] == 1 else b""))

    with ScriptedServer(answers=q) as srv:
        c = dial(**srv.options())
        c.autocommit = True
        cur = c.cursor()
        cur.execute("select 'first'")
        assert cur.fetchall() == [("r1",)]
        time.sleep(0.2)
        try:
            cur.execute("select 'second'")
            got = cur.fetchall()
        except db.Error:
            got = None
        assert got in ([("r2",)], None), (
            f"second statement answered by bytes that came before it was sent: {got}"
        )


@check(timeout=30, loops="either")
def test_g14_memory_follows_what_arrived():
    """a DataRow that declares 1 GB but trickles in: memory follows what arrived, not what was
    declared
    """

    def q(s, c):
        c.send(OK_T)
        c.send(
            b"D"
            + struct.pack("!I", 1 << 30)
            + struct.pack("!Hi", 2, (1 << 30) - 20)
            + b"x" * 1_000_000
        )
        time.sleep(1.0)
        raise Ended("bye")

    with ScriptedServer(answers=q) as srv:
        c = dial(**srv.options())
        with within(6), memory_bound(40), pytest.raises(db.OperationalError):
            c.cursor().execute("select 1")
        assert c.closed != 0
