"""F: values, quoting, encodings, limits."""

import contextlib
import datetime as dt
import decimal
import enum
import gc
import hashlib
import math
import os
import random
import struct

import pytest
from fixtures.scripted_server import ScriptedServer
from support import (
    VALUE_ERRORS,
    File,
    base,
    check,
    child,
    connect,
    db,
    dial,
    errors,
    ext,
    memory_bound,
    rss_kb,
    sql,
    usable,
    usable_or_closed,
)


@check(timeout=20)
def test_f01_nul_smuggles_nothing(conn):
    """NUL in text, bytes in text position, query, identifiers, DSN: ValueError or DB error,
    nothing smuggled
    """
    cur = conn.cursor()
    for v in ("a\0b", ["a\0b"], ("x\0",)):
        with pytest.raises((ValueError, db.Error)):
            cur.execute("select %s", (v,))
    with pytest.raises((ValueError, db.Error)):
        cur.execute("select %(k)s", {"k": "\0"})
    cur.execute("select %s", (b"a\0b\xff",))
    assert bytes(cur.fetchone()[0]) == b"a\0b\xff"
    conn.rollback()
    for bad in (
        lambda: ext.quote_ident("a\0b", conn),
        lambda: sql.Identifier("a\0b").as_string(conn),
        lambda: conn.set_client_encoding("UTF8\0x"),
        lambda: cur.copy_expert("copy t\0 from stdin", File(read=lambda i, n: "")),
    ):
        with contextlib.suppress(ValueError, TypeError, db.Error):
            bad()
    assert usable(conn)


@check(level="beyond", timeout=20, loops="either")
def test_f20_a_statement_is_not_cut_at_nul(conn):
    """a statement text with NUL is refused, not cut at the NUL and run"""
    cur = conn.cursor()
    for q in (
        "select 1 as a where 1=1\0 and 1=0",
        b"select 1 where 1=1\0 and 1=0",
        sql.SQL("select 1\0 where 1=0"),
    ):
        try:
            cur.execute(q)
            got = cur.fetchall()
            pytest.fail(f"statement cut at NUL and run: {got}")
        except (ValueError, db.Error):
            conn.rollback()
    try:
        cur.copy_expert("copy (select 1) to stdout\0 garbage", File(write=lambda i, d: None))
        pytest.fail("COPY statement cut at NUL")
    except (ValueError, db.Error):
        pass


@check(timeout=20)
def test_f21_endless_and_deep_lists_are_an_exception():
    """a list that contains itself, or is nested 100 000 deep, as parameter: an exception, not a
    crash
    """
    child(
        """
        c = connect()
        rec = []; rec.append(rec)
        deep = []
        for i in range(100000): deep = [deep]
        for v in (rec, deep):
            try: c.cursor().execute("select %s", (v,))
            except (RecursionError, ValueError, MemoryError, db.Error): c.rollback()
        assert usable(c)
        os._exit(0)
    """,
        timeout=15,
    )


@check(timeout=20)
def test_f19_nul_adds_no_startup_parameter():
    """NUL in connection parameters cannot add startup parameters (pgx 2026, smuggled user=)"""
    with ScriptedServer() as srv:
        for k in ("user", "dbname", "application_name", "password", "options"):
            try:
                c = dial(**srv.options(**{k: "x\0user\0postgres"}))
                c.close()
                pytest.fail(f"{k} with NUL accepted: startup {srv.sessions[-1].startup_body!r}")
            except (ValueError, db.Error):
                pass


def rnd_text(r, n):
    pools = [
        lambda: chr(r.randrange(32, 127)),
        lambda: r.choice("'\\\"%$;-:{}()[],\n\r\t"),
        lambda: chr(r.randrange(0xA0, 0x800)),
        lambda: chr(r.randrange(0x800, 0xD800)),
        lambda: chr(r.randrange(0x10000, 0x110000)),
        lambda: chr(r.randrange(1, 32)),
    ]
    return "".join(r.choice(pools)() for _ in range(r.randrange(n)))


@check(timeout=90)
def test_f02_random_values_come_back_the_same(conn):
    """4000 random values of every base type go out and come back the same (seeded)"""
    r = random.Random(20241)
    cur = conn.cursor()
    for _ in range(250):
        t = [rnd_text(r, 60) for _ in range(4)]
        b = [bytes(r.randrange(256) for _ in range(r.randrange(80))) for _ in range(2)]
        i = [r.randrange(-(2**63), 2**63), r.choice([0, -1, 2**31, -(2**31), 2**63 - 1, -(2**63)])]
        f = [r.uniform(-1e10, 1e10), math.ldexp(r.random() - 0.5, r.randrange(-1070, 1020))]
        d = decimal.Decimal(r.randrange(-(10**30), 10**30)).scaleb(-r.randrange(40))
        day = dt.date.fromordinal(r.randrange(1, dt.date.max.toordinal() + 1))
        ts = dt.datetime.fromordinal(day.toordinal()).replace(
            hour=r.randrange(24),
            minute=r.randrange(60),
            second=r.randrange(60),
            microsecond=r.randrange(10**6),
        )
        tz = (
            ts.replace(tzinfo=dt.timezone(dt.timedelta(minutes=r.randrange(-899, 900))))
            if 1900 < day.year < 9990
            else dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)
        )
        iv = dt.timedelta(
            days=r.randrange(-100000, 100000),
            seconds=r.randrange(86400),
            microseconds=r.randrange(10**6),
        )
        vals = t + b + i + f + [d, day, ts, tz, iv, ts.time(), r.random() < 0.5, None, t]
        types = (
            ["text"] * 4
            + ["bytea"] * 2
            + ["int8"] * 2
            + ["float8"] * 2
            + [
                "numeric",
                "date",
                "timestamp",
                "timestamptz",
                "interval",
                "time",
                "bool",
                "int",
                "text[]",
            ]
        )
        cur.execute("select " + ", ".join(f"(%s)::{x}" for x in types), vals)
        got = list(cur.fetchone())
        got[4], got[5] = bytes(got[4]), bytes(got[5])
        assert got == vals, [(a, b) for a, b in zip(got, vals) if a != b]
        # and the text form sent is what mogrify says
        assert cur.mogrify("%s", (t[0],)).decode() in cur.query.decode()


@check(timeout=20)
def test_f04_a_negative_number_after_a_minus_stays_a_number(conn):
    """a negative number after a minus sign stays a number (CVE-2024-1597, CVE-2024-27289)"""

    class E(enum.IntEnum):
        A = -5

    class Whole(int):
        pass

    cur = conn.cursor()
    for v in (-1, -1.5, decimal.Decimal("-1.5"), E.A, Whole(-3), -0.0, -1e-300, -(2**70)):
        cur.execute("select 10-%s, %s, 7", (v, "\n; select 'pwned' --"))
        a, b, c = cur.fetchone()
        assert float(a) == pytest.approx(10 - float(v)) and b == "\n; select 'pwned' --" and c == 7
        cur.execute("select -%s, %s", (v, "x"))
        assert cur.fetchone()[1] == "x"
    cur.execute("select 1-%s, %s", (float("-inf"), "x"))
    assert cur.fetchone() == (math.inf, "x")
    cur.execute("select interval '0' -%s, %s", (dt.timedelta(days=-1), "x"))
    assert cur.fetchone() == (dt.timedelta(days=1), "x")
    cur.execute("select array[1]::int[] || %s, %s", ([-1, -2], "x"))
    assert cur.fetchone() == ([1, -1, -2], "x")


@check(timeout=20, loops="either")
def test_f05_characters_outside_the_encoding_send_nothing(conn):
    """lone surrogates and characters outside the encoding: UnicodeEncodeError, nothing sent,
    usable
    """
    with ScriptedServer() as srv:
        c = dial(**srv.options())
        for v in ("\ud800", "ok\udfff", "\udce9"):
            with pytest.raises((UnicodeEncodeError, db.Error)):
                c.cursor().execute("insert into t values (%s)", (v,))
            with pytest.raises((UnicodeEncodeError, db.Error)):
                c.cursor().execute("insert '" + v + "'")
        assert not any("insert" in q for q in srv.queries)
    with pytest.raises((UnicodeEncodeError, db.Error, ValueError)):
        dial(**base(application_name="\ud800"))
    assert usable(conn)
    if hasattr(ext, "QuotedString"):
        q = ext.QuotedString("é'x")
        assert q.getquoted().count(b"'") == 4
        q = ext.QuotedString(
            b"\xc3'; drop table x --"
        )  # an incomplete UTF-8 character before the quote
        try:
            q.prepare(conn)
            out = q.getquoted()
            assert b"\xc3''" in out or b"''" in out, out
        except (TypeError, UnicodeError, ValueError, db.Error):
            pass


@check(timeout=20)
def test_f06_bytes_outside_the_encoding_can_be_had():
    """invalid bytes from a SQL_ASCII database: UnicodeDecodeError, raw bytes to be had, usable"""
    c = connect(dbname="t_ascii")
    cur = c.cursor()
    for enc in ("UTF8", None):
        if enc:
            c.set_client_encoding("SQL_ASCII")
        cur = c.cursor()
        cur.execute("select E'ab\\xe9\\xff'::text as x, 1")
        with pytest.raises((UnicodeDecodeError, db.DataError)):
            cur.fetchone()
        cur.execute("select 2")
        assert cur.fetchone() == (2,)
        c.rollback()
    if hasattr(ext, "BYTES"):
        ext.register_type(ext.BYTES, c)
        cur = c.cursor()
        cur.execute("select E'ab\\xe9\\xff'::text")
        assert bytes(cur.fetchone()[0]) == b"ab\xe9\xff"
    for name, text in (("t_latin1", "é§"), ("t_eucjp", "日本")):
        c2 = connect(dbname=name)
        k = c2.cursor()
        k.execute("select %s::text", (text,))
        assert k.fetchone() == (text,)
        with pytest.raises((db.Error, UnicodeEncodeError)):
            k.execute("select %s::text", ("😀",))
        assert usable(c2)


@check(timeout=20)
def test_f07_dates_out_of_range_are_never_another_date(conn):
    """dates out of Python's range, infinity, 24:00, BC: psycopg2's value or an exception, never
    another date; usable
    """
    cur = conn.cursor()
    table = [
        ("'infinity'::date", dt.date.max),
        ("'-infinity'::date", dt.date.min),
        ("'infinity'::timestamp", dt.datetime.max),
        ("'-infinity'::timestamp", dt.datetime.min),
        ("'24:00:00'::time", dt.time(0, 0)),
        ("'9999-12-31'::date", dt.date.max),
        ("'0001-01-01'::date", dt.date.min),
        ("'0001-01-01 00:00:00'::timestamp", dt.datetime.min),
        ("'9999-12-31 23:59:59.999999'::timestamp", dt.datetime.max),
    ]
    for q, want in table:
        cur.execute("select " + q)
        assert cur.fetchone()[0] == want, q
    for q in (
        "'10000-01-01'::date",
        "'294276-12-31 23:59:59'::timestamp",
        "'5874897-12-31'::date",
        "'0044-03-15 BC'::date",
        "'4713-01-01 BC'::timestamp",
        "'10000-01-01 00:00+00'::timestamptz",
        "'0044-03-15 BC'::timestamptz",
        "array['10000-01-01'::date]",
        "array['0044-03-15 BC'::timestamp]",
    ):
        cur.execute("select " + q)
        with pytest.raises((ValueError, OverflowError, db.DataError)):
            pytest.fail(f"{q} -> {cur.fetchone()}")
        cur.execute("select 1")
        assert cur.fetchone() == (1,)


def _casters():
    names = [
        n
        for n in dir(ext)
        if n.isupper()
        and callable(getattr(ext, n))
        and type(getattr(ext, n)).__name__ == "type"
        and getattr(getattr(ext, n), "values", None) is not None
    ]
    return [(n, getattr(ext, n)) for n in names]


@check(level="beyond", timeout=60)
def test_f08_malformed_texts_are_a_value_or_an_exception(conn):
    """60 000 malformed texts through every built-in typecaster: value or clean exception; no
    crash, no endless loop
    """
    cur = conn.cursor()
    r = random.Random(7)
    casters = _casters()
    assert len(casters) >= 15, [n for n, _ in casters]
    seeds = [
        "1 year 2 mons -3 days +04:05:06.7",
        "2024-03-04 05:06:07.123456+05:30:15",
        "0044-03-15 BC",
        "infinity",
        "{1,2,{3}}",
        '{"a","b\\"c",NULL}',
        "{{1,2},{3,4}}",
        "[2:3]={1,2}",
        "\\x00ff",
        "NaN",
        "1e309",
        "-",
        "",
        "t",
        "12:34:56.789",
        "@ 1 day ago",
        "P1Y2M3DT4H",
        "{" * 40,
        "\\134\\000",
        "99999999999999999999999999",
        "2024-13-45",
        "24:00:00",
        "00:00:60",
        "1 day -",
        "{1,",
        "}",
        "{,}",
        '{"',
        "{\\",
        "é漢😀",
        "\\xZZ",
        "\\x0",
        "1 mon 2",
        "-1 -",
    ]
    alphabet = [
        *list("0123456789:-+ .{},\"\\xabeTPN'"),
        "year",
        "mon",
        "day",
        "infinity",
        "BC",
        "é",
        "\x01",
        "NULL",
        "e+",
    ]
    allowed = (*VALUE_ERRORS, TypeError, MemoryError)
    n = 0
    while n < 60_000:
        s = r.choice(seeds)
        for _ in range(r.randrange(4)):
            k = r.randrange(len(s) + 1)
            op = r.randrange(3)
            s = (
                s[:k] + r.choice(alphabet) + s[k:]
                if op == 0
                else s[:k] + s[k + 1 :]
                if op == 1
                else s[:k] + r.choice(alphabet) + s[k + 1 :]
            )
        for _name, c in casters:
            n += 1
            with contextlib.suppress(allowed):
                c(s, cur)
    for s in (
        "{51,",
        "{a,",
        '{"a',
        '{"\\',
        "{{1,2}",
        "{1",
        "{,",
        "{{}",
        "{1,2,{3}}",
    ):  # psycopg2 2.9.13: endless loop, SIGSEGV
        for _name, c in casters:
            with contextlib.suppress(allowed):
                c(s, cur)
    for deep in (
        "{" * 100_000,
        "{" * 5000 + "1" + "}" * 5000,
        '{"' + "\\" * 100_001 + '"}',
        "{" + "1," * 200_000 + "1}",
    ):
        for _name, c in casters:
            try:
                c(deep, cur)
            except (*allowed, RecursionError):
                pass


@check(timeout=20)
def test_f09_intervals_equal_the_servers_arithmetic(conn):
    """interval extremes and signs: equal to the server's own arithmetic, or an exception"""
    cur = conn.cursor()
    for v in (
        "-00:00:00.000001",
        "1 mon -1 days +00:00:00.000001",
        "-1 mon +1 day -00:00:00.5",
        "999999 days",
        "-999999999 days",
        "178000000 years",
        "-178000000 years",
        "2147483647 mons",
        "00:00:00.999999",
        "1 day 23:59:59.999999",
        "-1 days -23:59:59.999999",
        "2562047788:00:54.775807",
        "1 year 1 mon 1 day 01:01:01.1",
        "0",
    ):
        cur.execute(
            "select %s::interval, extract(epoch from justify_hours("
            "%s::interval - date_trunc('month', %s::interval))), "
            "extract(year from %s::interval)*365 + extract(month from %s::interval)*30",
            (v,) * 5,
        )
        try:
            got, rest, days = cur.fetchone()
        except (OverflowError, ValueError, db.DataError):
            continue
        # psycopg2 counts a year as 365 and a month as 30 days
        want = decimal.Decimal(days) * 86400 + decimal.Decimal(rest)
        assert abs(
            decimal.Decimal(got.days) * 86400
            + got.seconds
            + decimal.Decimal(got.microseconds) / 10**6
            - want
        ) <= decimal.Decimal("0.000001"), (v, got, want)


@check(timeout=20)
def test_f10_extreme_numbers_are_exact(conn):
    """numeric NaN, infinity, 100 000 digits; float extremes, -0.0: exact both ways"""
    cur = conn.cursor()
    D = decimal.Decimal
    for v in (D("NaN"), D("1E-130"), D("1E+130"), D("-0.00"), D("1" * 3000), D("0." + "1" * 3000)):
        cur.execute("select (%s)::numeric, (%s)::numeric::text", (v, v))
        a, text = cur.fetchone()
        assert a.is_nan() if v.is_nan() else a == v, (v, a, text)
    cur.execute("select repeat('9', 100000)::numeric")
    assert cur.fetchone()[0] == D("9" * 100000)
    for f in (
        5e-324,
        1.7976931348623157e308,
        -0.0,
        0.1 + 0.2,
        1 / 3,
        float("nan"),
        float("inf"),
        2.2250738585072014e-308,
    ):
        cur.execute("select (%s)::float8", (f,))
        g = cur.fetchone()[0]
        assert (
            math.isnan(g)
            if math.isnan(f)
            else ((g == f and math.copysign(1, g) == math.copysign(1, f)) or f == 0)
        ), (f, g)
    cur.execute("select '1.5e38'::float4, 'NaN'::float4, '-Infinity'::float4")
    a = cur.fetchone()
    assert a[0] == 1.5e38 and math.isnan(a[1]) and a[2] == -math.inf


@check(level="beyond", timeout=20)
def test_f22_decimal_infinity_is_not_nan(conn):
    """Decimal('Infinity') is not sent as NaN: infinity or an error (PostgreSQL 14+ has numeric
    infinity)
    """
    cur = conn.cursor()
    for v in (decimal.Decimal("Infinity"), decimal.Decimal("-Infinity")):
        try:
            cur.execute("select %s::numeric", (v,))
            got = cur.fetchone()[0]
        except (db.Error, ValueError, OverflowError):
            conn.rollback()
            continue
        assert got == v, f"{v} became {got}"


@check(timeout=20)
def test_f11_odd_arrays_come_back_the_same(conn):
    """arrays: quotes, NULL as a word, backslashes, empty, nested, bounds, 100 000 characters"""
    cur = conn.cursor()
    for v in (
        [],
        [None],
        ["NULL", None, "null"],
        ['"', "\\", "{}", "a,b", " sp ", "", "\n"],
        [[1, 2], [3, 4]],
        [["a", None], ["é", "😀"]],
        [b"\0\xff", b"'"],
        [True, False, None],
        [decimal.Decimal("1.5"), None],
        [dt.date(2020, 1, 1), None],
        [1.5, float("inf")],
        [[["x"]]],
    ):
        cur.execute("select %s", (v,)) if v not in ([], [None]) else cur.execute(
            "select %s::text[]", (v,)
        )
        got = cur.fetchone()[0]
        if v and isinstance(v[0], bytes):
            got = [bytes(x) for x in got]
        assert got == v, v
    cur.execute("select '[2:3]={7,8}'::int[], '{}'::int[], '{{},{}}'::text")
    assert cur.fetchone()[:2] == ([7, 8], [])
    cur.execute("select %s", (["a" * 100_000, "'" * 1000],))
    assert cur.fetchone()[0] == ["a" * 100_000, "'" * 1000]
    assert usable(conn)


@check(timeout=90, loops="either")
def test_f12_large_values_take_bounded_memory(conn):
    """64 MB text and bytea out and back: equal, peak memory under 8 times the size, given back
    after
    """
    cur = conn.cursor()
    n = 64 << 20
    blob = os.urandom(1 << 20) * (n >> 20)
    want = hashlib.sha256(blob).hexdigest()
    with memory_bound(8 * 64 + 100):
        cur.execute("select encode(sha256(%s), 'hex')", (db.Binary(blob),))
        assert cur.fetchone()[0] == want
    with memory_bound(8 * 64):
        cur.execute("select repeat('é漢', %s)", (n // 5,))
        s = cur.fetchone()[0]
        assert len(s) == n // 5 * 2 and s[:2] == "é漢"
    del s
    cur.close()
    conn.rollback()
    gc.collect()
    assert rss_kb() / 1024 < 450


@check(timeout=40, loops="either")
def test_f13_the_servers_limit_leaves_the_connection_usable(conn):
    """server-side 1 GB limit: ProgramLimitExceeded (or out of memory), connection usable"""
    with pytest.raises((errors.ProgramLimitExceeded, errors.OutOfMemory, db.Error)):
        conn.cursor().execute("select repeat('x', 1 << 30)")
    assert conn.closed == 0 and usable(conn)


@check(timeout=240)
def test_f14_a_statement_above_1_gb_is_refused():
    """a statement above 1 GB (TORTURE_HUGE=1): refused by client or server, error, no hang"""
    if not os.environ.get("TORTURE_HUGE"):
        pytest.skip("set TORTURE_HUGE=1 (needs 8 GB)")
    c = connect()
    with pytest.raises((db.Error, MemoryError, OverflowError, ValueError)):
        c.cursor().execute("select length('" + "x" * ((1 << 30) + 10) + "')")
    assert usable_or_closed(c)


class Sink:
    """A server that measures the first statement it is sent, and what comes behind that."""

    def __init__(self):
        self.declared, self.arrived, self.behind = None, 0, b""

    def __call__(self, c):
        c.take_startup()
        c.let_in()
        header = c.take(5)
        self.declared = struct.unpack("!I", header[1:])[0]
        left = self.declared - 4 - len(c.unread)
        self.arrived, space = len(c.unread), bytearray(1 << 20)
        while left > 0:
            count = c.connection.recv_into(space, min(left, len(space)))
            if not count:
                return
            self.arrived, left = self.arrived + count, left - count
        c.unread = b""
        c.connection.settimeout(2)
        with contextlib.suppress(OSError):
            self.behind = c.connection.recv(100)


@check(timeout=240, alone=True)
def test_f15_no_statements_length_wraps_around():
    """statements of 2 and of 4 GiB: whole, with their true length, or an exception before the first
    byte; no length that wraps around, no rest that is read as messages (CVE-2024-27304)
    """
    with open("/proc/meminfo") as lines:
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    for size in (1 << 31, (1 << 32) - 5, (1 << 32) + 100):
        # The statement, the driver's copy of it, and some room.
        if free < 3 * size // 1024:
            pytest.skip(f"a statement of {size >> 20} MB needs {3 * size >> 20} MB of memory")
        sink = Sink()
        with ScriptedServer(handler=sink) as srv:
            done = child(
                f"""
                c = dial(**{srv.options()!r})
                c.autocommit = True
                try: c.cursor().execute(b" " * {size})
                except (db.Error, ValueError, OverflowError, MemoryError) as e: print(repr(e))
                os._exit(0)
                """,
                timeout=100,
            )
        if sink.declared is None:
            assert "Error" in done.out, (size, done.out)
        else:
            whole = (sink.declared, sink.arrived, sink.behind)
            assert whole == (size + 5, size + 1, b""), (size, whole, done.out)


@check(timeout=30, loops="either")
def test_f16_no_columns_and_many(conn):
    """1664 columns, none, no rows, same names, empty and comment-only queries"""
    cur = conn.cursor()
    cur.execute("select " + ", ".join(f"{i} as c{i % 10}" for i in range(1664)))
    assert cur.fetchone() == tuple(range(1664)) and len(cur.description) == 1664
    cur.execute("select from generate_series(1, 3)")
    assert cur.fetchall() == [(), (), ()] and cur.rowcount == 3
    cur.execute("select 1 where false")
    assert cur.fetchall() == [] and cur.fetchone() is None
    with pytest.raises(db.ProgrammingError):
        cur.execute("")
    for q in ("-- only a comment", ";", " ;; "):
        with contextlib.suppress(db.Error):
            cur.execute(q)
    assert usable(conn)


@check(timeout=20, loops="either")
def test_f17_several_statements_give_the_last_result(conn):
    """several statements in one string, with an error in the middle: last result or that error,
    then usable
    """
    cur = conn.cursor()
    cur.execute("select 1; select 2; select 3")
    assert cur.fetchall() == [(3,)]
    cur.execute("create temp table m (x int); insert into m values (1), (2); select x from m")
    assert cur.fetchall() == [(1,), (2,)]
    with pytest.raises(errors.DivisionByZero):
        cur.execute("select 1; select 1/0; select 3")
    with pytest.raises(db.ProgrammingError):
        cur.fetchall()
    assert usable(conn)
    cur.execute(";".join(f"select {i}" for i in range(5000)))
    assert cur.fetchall() == [(4999,)]


@check(timeout=40)
def test_f18_placeholders_are_counted_and_named(conn):
    """placeholders: %% and stray %, too few, too many, names, 100 000 parameters, parameters that
    look like placeholders
    """
    cur = conn.cursor()
    cur.execute("select '%'")
    cur.execute("select '%%', %s", ("%s %(a)s %%",))
    assert cur.fetchone() == ("%", "%s %(a)s %%")
    for q, a in (
        ("select %s", ()),
        ("select %s", (1, 2)),
        ("select %(a)s", {"b": 1}),
        ("select %s %(a)s", {"a": 1}),
        ("select %", (1,)),
        ("select %z", (1,)),
        ("select %(a", {"a": 1}),
        ("select %(a)", {"a": 1}),
        ("select %d", ("x",)),
        ("select %s", {"a": 1}),
        ("select %(a)s", (1,)),
        ("select %s", 5),
        ("select %(\ud800)s", {"a": 1}),
    ):
        with pytest.raises((IndexError, KeyError, TypeError, ValueError, db.Error)):
            cur.execute(q, a)
            conn.rollback()
            pytest.fail(f"{q!r} % {a!r} accepted")
        conn.rollback()
    n = 100_000
    cur.execute("select count(*) from (values " + ",".join(["(%s)"] * n) + ") v", list(range(n)))
    assert cur.fetchone() == (n,)
    cur.execute("select %(é 漢)s, %(a)s, %(a)s", {"é 漢": 1, "a": "%(é 漢)s", "unused": object()})
    assert cur.fetchone() == (1, "%(é 漢)s", "%(é 漢)s")
