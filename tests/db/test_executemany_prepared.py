"""`executemany(prepare=True)`: what it puts into tables is what `executemany()` puts there."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import ipaddress
import math
import random
import struct
import threading
import uuid

import pytest
from fixtures.connections import waiting
from fixtures.server import needs_version_before

import psycoxide
from psycoxide import errors, extensions, extras

D = decimal.Decimal
UTC = dt.timezone.utc
EAST = dt.timezone(dt.timedelta(hours=5, minutes=45))
AT = dt.datetime(2024, 2, 29, 12, 34, 56, 123456)

INTEGERS = [0, 1, -1, 255, -32768, 32767]
FLOATS = [0.0, -0.0, 1.5, -0.1, 1e300, 1e-300, 1e16, 562949953421312.25]
DECIMALS = [D("1.50"), D("-1E+10"), D("1E-20"), D("NaN"), D("0.000"), D("-0.00")]
SPECIAL = [math.inf, -math.inf, math.nan]
MOMENTS = [AT, dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
           dt.datetime(1999, 12, 31, 23, 59, 59), dt.datetime(2024, 3, 31, 2, 30)]  # fmt: skip
AWARE = [AT.replace(tzinfo=UTC), AT.replace(tzinfo=EAST), AT.replace(microsecond=0, tzinfo=EAST),
         dt.datetime(2024, 3, 31, 2, 30, tzinfo=dt.timezone(-dt.timedelta(hours=3, seconds=7))),
         dt.datetime(1, 1, 2, tzinfo=EAST)]  # fmt: skip
TEXTS = ["", "it's", "a\\b\\", 'say "hi"', "\u00e9\u2603\U0001f600", "{},[]; drop --"]
TEXTS += ["NULL", "%s $1"]

# For each type of a column: values that it takes.
VALUES = {
    "smallint": [*INTEGERS, "7", None],
    "integer": [*INTEGERS, 2**31 - 1, -(2**31), " 12 "],
    "bigint": [*INTEGERS, 2**63 - 1, -(2**63), 2**31],
    "numeric": [*INTEGERS, 2**100, *FLOATS, *SPECIAL, *DECIMALS, "1.25"],
    "numeric(10, 2)": [1, 1.239, D("1.005"), "7.777"],
    "real": [*INTEGERS, 16777217, 0.1, 1e30, *SPECIAL, D("0.1"), "0.25"],
    "double precision": [*INTEGERS, 2**53 + 1, -(2**62) - 129, 2**70, *FLOATS, *SPECIAL,
                         5e-324, D("0.1"), "1e5"],
    "text": [*TEXTS, 5, -7, 2**70, True, False],
    "varchar": [*TEXTS, 5, True],
    "varchar(3)": ["abc", "ab   ", 123],
    "char(4)": ["ab", "abcd", 12, True],
    "boolean": [True, False, "t", "no"],
    "bytea": [b"", b"\x00\xff'\\", bytearray(b"abc"), memoryview(b"xyz"),
              bytes(range(256)) * 100, "\\x00ff"],
    "date": [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31), AT, "infinity"],
    "time": [dt.time(0), dt.time(23, 59, 59, 999999), "24:00"],
    "timetz": [dt.time(12, 34, 56, tzinfo=UTC), dt.time(1, 2, 3, 4, tzinfo=EAST),
               dt.time(1, tzinfo=dt.timezone(-dt.timedelta(hours=15, seconds=7)))],
    "timestamp": [*MOMENTS, dt.date(2024, 2, 29), "infinity", "2024-01-01 00:00:00.1234567"],
    "timestamp(0)": [AT],
    "timestamptz": [*AWARE, *MOMENTS[:1], MOMENTS[4], dt.date(2024, 2, 29), "-infinity"],
    "interval": [dt.timedelta(1, 2, 3), -dt.timedelta(microseconds=1), dt.timedelta.min,
                 dt.timedelta.max, "1 year"],
    "interval day": [dt.timedelta(1, 2, 3)],
    "interval(3)": [dt.timedelta(1, 2, 123456)],
    "uuid": [uuid.UUID(int=0), uuid.uuid4(), str(uuid.uuid4())],
    "inet": [ipaddress.ip_interface("10.0.0.1/8"), "::1"],
    "json": [extras.Json({"a": ["it's", 1.5, None, "\u2603"]}), '{"b": 1}'],
    "jsonb": [extras.Json([1, "\\"]), "null"],
    "int4range": [extras.NumericRange(1, 5), "empty"],
    "integer[]": [[1, 2, None], [[1, 2], [3, 4]], [], [None], "{5,6}"],
    "bigint[]": [[1, 2**40]],
    "float8[]": [[1, 2.5, math.inf], [-0.0, 0.5], [D("0.1")]],
    "numeric[]": [[D("1.50"), 2, 3.5], [D("0.000"), 0.0]],
    "text[]": [TEXTS, ["a", None], [["a'", '"b'], ["c\\", "NULL"]], []],
    "boolean[]": [[True, False, None]],
    "date[]": [[dt.date(2024, 2, 29)]],
    "timestamp[]": [[AT, None]],
    "timestamptz[]": [AWARE],
    "bytea[]": [[b"\x00'\\", b""]],
    "uuid[]": [[uuid.UUID(int=5)]],
}  # fmt: skip


@pytest.fixture(autouse=True)
def adapters(conn):
    """Adapters for uuid and addresses, for this test only."""
    before = dict(extensions.adapters)
    extras.register_uuid(conn_or_curs=conn)
    extras.register_ipaddress(conn)
    yield
    extensions.adapters.clear()
    extensions.adapters.update(before)


@pytest.fixture
def ints(cur):
    cur.execute("create temporary table ints (a integer primary key, b text)")
    cur.connection.commit()
    return cur


def inserted(cur, column, values, **how):
    """The text of what a table holds after the values were inserted."""
    cur.execute("savepoint before")
    cur.execute(f"create temporary table held (n serial, x {column})")
    cur.executemany("insert into held (x) values (%s)", [(v,) for v in values], **how)
    assert cur.rowcount == len(values)
    cur.execute("select x::text from held order by n")
    rows = [row[0] for row in cur]
    cur.execute("rollback to before")
    return rows


@pytest.mark.parametrize("column", VALUES)
def test_tables_hold_the_same(cur, column):
    values = [None, *VALUES[column], None]
    if column == "numeric" and cur.connection.info.server_version < 140000:
        values = [value for value in values if value not in (math.inf, -math.inf)]
    cur.execute("set timezone to 'Europe/Berlin'")
    cur.execute("set extra_float_digits to 3")
    assert inserted(cur, column, values, prepare=True) == inserted(cur, column, values)


@pytest.mark.parametrize("setting", ["off", "on"])
@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SJIS", "BIG5", "GBK", "EUC_JP", "WIN1251"])
def test_encodings_and_backslashes(conn, encoding, setting):
    conn.set_client_encoding(encoding)
    cur = conn.cursor()
    if setting == "off":
        needs_version_before(conn, 19, "standard_conforming_strings = off")
    cur.execute(f"set standard_conforming_strings to {setting}")
    samples = {"LATIN1": "\u00e9", "WIN1251": "\u0436", "UTF8": "\u2603"}
    sample = samples.get(encoding, "\u8868\u529f")
    texts = ["it's", "a\\b\\\\", "\\", '"', f"{sample}'{sample}\\", sample]
    for column, values in (("text", texts), ("text[]", [texts]), ("bytea", [b"\\\x00'"])):
        assert inserted(cur, column, values, prepare=True) == inserted(cur, column, values)


def test_random_numbers_and_moments(cur):
    rand = random.Random(5)
    floats = [struct.unpack("d", rand.randbytes(8))[0] for _ in range(3000)]
    floats += [rand.randrange(10**9) / 10 ** rand.randrange(9) for _ in range(1000)]
    moments = [dt.datetime(1, 1, 1) + dt.timedelta(microseconds=rand.randrange(3 * 10**17))
               for _ in range(1000)]  # fmt: skip
    aware = [m.replace(tzinfo=dt.timezone(dt.timedelta(minutes=rand.randrange(-720, 720))))
             for m in moments if 2 < m.year < 9998]  # fmt: skip
    cur.execute("set extra_float_digits to 3")
    for column, values in (("float8", floats), ("timestamp", moments), ("timestamptz", aware),
                           ("date", [m.date() for m in moments])):  # fmt: skip
        assert inserted(cur, column, values, prepare=True) == inserted(cur, column, values)


def test_forms_of_items(ints):
    row = collections.namedtuple("row", "a b")
    query = "insert into ints values (%s, %s)"
    ints.executemany(query, [(1, "a"), [2, "b"], row(3, "c"), UserRow((4, "d"))], prepare=True)
    assert ints.rowcount == 4
    ints.executemany(query, ((n, str(n)) for n in range(5, 2000)), prepare=True)
    assert ints.rowcount == 1995
    named = "insert into ints (b, a) values (%(b)s, %(a)s)"
    ints.executemany(named, [{"a": 3000, "b": "x", "c": 1}, UserMap(a=3001, b="y")], prepare=True)
    ints.executemany("insert into ints values (%(a)s, %(a)s)", [{"a": 5000}], prepare=True)
    ints.executemany("insert into ints values (9000, 'fixed')", [()], prepare=True)
    ints.execute("select count(*), sum(a), max(b) from ints")
    assert ints.fetchone() == (2003, sum(range(2000)) + 3000 + 3001 + 5000 + 9000, "y")
    ints.execute("select b from ints where a in (5, 5000) order by a")
    assert ints.fetchall() == [("5",), ("5000",)]


class UserRow(collections.UserList):
    pass


class UserMap(collections.UserDict):
    pass


def test_no_items_do_nothing(ints):
    for items in ([], (), iter([])):
        ints.executemany("insert into ints values (%s, %s)", items, prepare=True)
        assert ints.rowcount == 0
    assert ints.connection.status == extensions.STATUS_READY


def test_many_rows_and_long_ones(ints):
    rows = [(n, f"it's {n}" * (n % 50)) for n in range(100_000)]
    rows += [(100_000 + n, "x" * 3_000_000) for n in range(3)]
    ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    assert ints.rowcount == 100_003
    assert ints.statusmessage == "INSERT 0 1"
    ints.connection.commit()
    ints.execute("select count(*), sum(a::bigint), sum(length(b)) from ints")
    assert ints.fetchone() == (len(rows), sum(a for a, _ in rows), sum(len(b) for _, b in rows))


def test_the_server_may_talk_while_it_is_talked_to(ints):
    # Notices and rows of megabytes come back while megabytes are sent: neither side may wait for
    # the other to read first.
    ints.execute(
        """create function pg_temp.talk() returns trigger language plpgsql as
        $$ begin raise notice '%', repeat('x', 2000); return new; end $$;
        create trigger talk before insert on ints for each row execute function pg_temp.talk()"""
    )
    rows = [(n, "y" * 1000) for n in range(3000)]
    query = "insert into ints values (%s, %s) returning a, repeat(b, 3)"
    ints.executemany(query, rows, prepare=True)
    assert ints.rowcount == 3000
    assert ints.description is None
    assert len(ints.connection.notices) == 50


@pytest.mark.parametrize("at", [0, 1, 249, 250, 251, 749, 750, 2500])
def test_an_error_names_its_row(ints, at):
    rows = [(n, "it's") for n in range(3000)]
    rows[at] = (at, "broken")
    ints.execute("alter table ints add check (b <> 'broken')")
    with pytest.raises(errors.CheckViolation) as raised:
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    assert raised.value.cursor is ints
    assert ints.query == f"insert into ints values ({at}, 'broken')".encode()
    assert ints.connection.status == extensions.STATUS_BEGIN
    with pytest.raises(errors.InFailedSqlTransaction):
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    ints.connection.rollback()
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (0,)


@pytest.mark.parametrize("value", [2**31, "x", "1.5"])
def test_a_value_that_the_server_refuses(ints, value):
    rows = [(1, "a"), (value, "b")]
    with pytest.raises(psycoxide.DataError) as plain:
        ints.executemany("insert into ints values (%s, %s)", rows)
    ints.connection.rollback()
    with pytest.raises(psycoxide.DataError) as prepared:
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    assert type(prepared.value) is type(plain.value)
    assert f"{value}" in str(prepared.value) or f"{value}" in ints.query.decode()


def test_a_statement_that_the_server_refuses(ints):
    with pytest.raises(errors.UndefinedTable, match=r"LINE 1: insert into nowhere values \(\$1\)"):
        ints.executemany("insert into nowhere values (%s)", [(1,)], prepare=True)
    assert ints.query == b"insert into nowhere values ($1)"
    ints.connection.rollback()
    ints.execute("select 1")


@pytest.mark.parametrize("stop", [0, 1, 300, 5000])
def test_what_the_items_raise(ints, stop):
    def rows():
        for n in range(10_000):
            if n == stop:
                raise ZeroDivisionError
            yield n, "x"

    with pytest.raises(ZeroDivisionError):
        ints.executemany("insert into ints values (%s, %s)", rows(), prepare=True)
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (stop,)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ((1,), IndexError),
        ((1, "x", 3), TypeError),
        (5, TypeError),
        (None, TypeError),
        ((1, "a\0b"), ValueError),
        ((1, object()), psycoxide.ProgrammingError),
        ((1.5, "x"), psycoxide.NotSupportedError),
        ((True, "x"), psycoxide.NotSupportedError),
        ((1, 1.5), psycoxide.NotSupportedError),
        ((1, b"x"), psycoxide.NotSupportedError),
        ((1, extensions.AsIs("now()")), psycoxide.NotSupportedError),
        ((1, (2, 3)), psycoxide.NotSupportedError),
        ((1, ["x"]), psycoxide.NotSupportedError),
        ((1, dt.date(2024, 1, 1)), psycoxide.NotSupportedError),
    ],
)  # fmt: skip
def test_an_item_that_is_refused(ints, bad, error):
    rows = [(n, "x") for n in range(10, 1500)]
    with pytest.raises(error):
        items = [*rows, bad, (5000, "y")]
        ints.executemany("insert into ints values (%s, %s)", items, prepare=True)
    assert ints.query is None
    # The rows before it are there, as after a loop.
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (len(rows),)


def test_the_error_says_what_to_do(ints):
    with pytest.raises(psycoxide.NotSupportedError) as raised:
        ints.executemany("insert into ints values (%s, %s)", [(1, 1.5)], prepare=True)
    assert "'float' as parameter 2" in str(raised.value)
    assert "leave prepare out" in str(raised.value)
    with pytest.raises(psycoxide.ProgrammingError, match=r"plain INSERT .* not a whole value"):
        ints.executemany("insert into ints values (%s + 1, %s)", [(1, "x")], prepare=True)


@pytest.mark.parametrize(
    "query",
    [
        "update ints set a = %s",
        "select %s",
        "insert into ints select %s",
        "insert into ints values (%s::int)",
        "insert into ints values (%s), (%s)",
        "insert into ints values ('%s')",
        "insert into ints values (%s); select 1",
    ],
)
def test_other_statements_are_refused(ints, query):
    with pytest.raises(psycoxide.ProgrammingError, match="only a plain INSERT"):
        ints.executemany(query, [(1,)], prepare=True)
    assert ints.connection.status == extensions.STATUS_READY
    with pytest.raises(psycoxide.ProgrammingError):
        ints.executemany("insert into ints values (%s, %(a)s)", [(1,)], prepare=True)


def test_autocommit_needs_a_transaction(ints):
    ints.connection.autocommit = True
    query = "insert into ints values (%s, %s)"
    with pytest.raises(psycoxide.ProgrammingError, match="needs a transaction"):
        ints.executemany(query, [(1, "x")], prepare=True)
    ints.execute("begin")
    ints.executemany(query, [(1, "x")], prepare=True)
    ints.execute("rollback")
    with ints.connection:
        ints.executemany(query, [(1, "x"), (2, "y")], prepare=True)
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (2,)


def test_items_may_use_the_connection(ints):
    def rows():
        other = ints.connection.cursor()
        for n in range(1000):
            other.execute("select %s::int * 2", (n,))
            yield (*other.fetchone(), "x")
            if n % 300 == 0:
                ints.connection.commit()

    ints.executemany("insert into ints values (%s, %s)", rows(), prepare=True)
    ints.execute("select count(*), max(a) from ints")
    assert ints.fetchone() == (1000, 1998)


def test_types_of_the_program(ints):
    ints.execute("create type pg_temp.mood as enum ('sad', 'it''s')")
    ints.execute("create domain pg_temp.small as text check (length(value) < 5)")
    ints.execute("create temporary table own (m pg_temp.mood, d pg_temp.small)")

    class Mood(str):
        pass

    extensions.register_adapter(Mood, lambda mood: extensions.AsIs(f"'{mood.upper().lower()}'"))
    query = "insert into own values (%s, %s)"
    ints.executemany(query, [("it's", "a"), (Mood("sad"), None), (None, "b")], prepare=True)
    ints.execute("select m::text, d::text from own")
    assert ints.fetchall() == [("it's", "a"), ("sad", None), (None, "b")]
    with pytest.raises(psycoxide.IntegrityError):
        ints.executemany(query, [("sad", "too long")], prepare=True)


def test_registered_adapters_win(ints):
    extensions.register_adapter(int, lambda number: extensions.AsIs(str(number + 1)))
    extensions.register_adapter(str, lambda text: extensions.QuotedString(str(text)[::-1]))
    ints.executemany("insert into ints values (%s, %s)", [(1, "abc"), (2, "d'e")], prepare=True)
    ints.execute("select a, b from ints order by a")
    assert ints.fetchall() == [(2, "cba"), (3, "e'd")]


def test_adapters_that_use_the_connection(ints):
    class Looked:
        def __conform__(self, protocol):
            return self

        def prepare(self, conn):
            self.encoding = conn.encoding

        def getquoted(self):
            return b"'" + self.encoding.encode() + b"'"

    rows = [(n, Looked()) for n in range(1000)]
    ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    ints.execute("select distinct b from ints")
    assert ints.fetchall() == [("UTF8",)]


def test_cursors_that_cannot(conn, async_conn):
    query = "insert into ints values (%s, %s)"
    with pytest.raises(psycoxide.ProgrammingError, match="asynchronous"):
        async_conn.cursor().executemany(query, [(1, "x")], prepare=True)
    with pytest.raises(psycoxide.ProgrammingError, match="named cursors"):
        conn.cursor("name").executemany(query, [(1, "x")], prepare=True)
    with pytest.raises(TypeError):
        conn.cursor().executemany(query, [(1, "x")], True)


@pytest.mark.parametrize("factory", ["DictCursor", "RealDictCursor", "NamedTupleCursor"])
def test_cursors_of_extras(ints, factory):
    cur = ints.connection.cursor(cursor_factory=getattr(extras, factory))
    cur.executemany("insert into ints values (%s, %s)", [(1, "x"), (2, "y")], prepare=True)
    assert cur.rowcount == 2


def test_with_a_wait_callback(ints):
    with waiting(extras.wait_select):
        rows = [(n, "x" * 500) for n in range(5000)]
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
        assert ints.rowcount == 5000
        with pytest.raises(errors.UniqueViolation):
            ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    ints.connection.rollback()
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (0,)


SLOW = """create function pg_temp.slow() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.02); return new; end $$;
    create trigger slow before insert on ints for each row execute function pg_temp.slow()"""


def test_cancelled_by_another_thread(ints):
    ints.execute(SLOW)
    ints.connection.commit()
    timer = threading.Timer(0.5, ints.connection.cancel)
    timer.start()
    with pytest.raises(errors.QueryCanceled):
        rows = [(n, "x") for n in range(3000)]
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    timer.join()
    ints.connection.rollback()
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (0,)


def test_interrupted_by_a_signal(ints, ctrl_c):
    ints.execute(SLOW)
    ints.connection.commit()
    rows = [(n, "x") for n in range(3000)]
    with ctrl_c(0.5):
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    assert ints.connection.closed == 0
    ints.connection.rollback()
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (0,)


def test_a_server_that_goes_away(ints, connect):
    ints.execute(SLOW)
    ints.connection.commit()
    pid = ints.connection.info.backend_pid
    other = connect().cursor()
    timer = threading.Timer(0.3, other.execute, ("select pg_terminate_backend(%s)", (pid,)))
    timer.start()
    with pytest.raises(psycoxide.OperationalError):
        rows = [(n, "x") for n in range(3000)]
        ints.executemany("insert into ints values (%s, %s)", rows, prepare=True)
    timer.join()
    assert ints.connection.closed == 2


def test_threads_take_turns(ints):
    def insert(start):
        cur = ints.connection.cursor()
        rows = [(n, "x") for n in range(start, start + 3000)]
        cur.executemany("insert into ints values (%s, %s)", rows, prepare=True)

    threads = [threading.Thread(target=insert, args=(n * 10_000,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ints.execute("select count(*) from ints")
    assert ints.fetchone() == (12_000,)
