"""Results in binary: a cursor that asks for them gives what it would give without."""

from __future__ import annotations

import datetime
import random
import threading

import pytest
from fixtures.connections import waiting

import psycoxide
import psycoxide.extras
from psycoxide import errors, extensions

TYPES = {
    "int2": ["0", "1", "-1", "32767", "-32768"],
    "int4": ["0", "255", "256", "2147483647", "-2147483648"],
    "int8": ["0", "9223372036854775807", "-9223372036854775808"],
    "oid": ["0", "4294967295"],
    "float8": [
        *("0", "-0", "1.5", "0.1", "1e308", "5e-324", "562949953421312.25"),
        *("NaN", "Infinity", "-Infinity"),
    ],
    "bool": ["t", "f"],
    "bytea": ["", "\\x00", "\\x00ff5c27", "\\x" + "ab" * 5000],
    "uuid": [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
    "date": [
        *("2000-01-01", "1999-12-31", "2024-02-29", "1900-03-01", "0001-01-01", "9999-12-31"),
        *("infinity", "-infinity"),
    ],
    "time": ["00:00", "23:59:59.999999", "24:00", "12:34:56.000001"],
    "timestamp": [
        *("2000-01-01", "1999-12-31 23:59:59.999999", "2024-02-29 12:34:56.000001"),
        *("0001-01-01", "9999-12-31 23:59:59.999999", "infinity", "-infinity"),
    ],
    "timestamptz": ["2000-01-01", "1970-01-01 00:00:01.5+02", "infinity", "-infinity"],
    # These come in text, whatever is asked.
    "float4": ["1.1", "0.1", "3.4e38"],
    "numeric": ["1.10", "NaN", "12345678901234567890.5"],
    "text": ["", "snowman \u2603", "a'b\\c"],
    "interval": ["1 year 2 days 03:04:05.6"],
    "timetz": ["12:34:56+05:30"],
    "jsonb": ['{"a": [1, 2.5, null]}'],
    "inet": ["10.0.0.1/8"],
    "int4range": ["[1,5)", "empty"],
}


@pytest.fixture(params=["UTC", "Europe/Rome"])
def zoned(conn, request, uuids):
    uuids(conn)
    cur = conn.cursor()
    cur.execute("SET TIME ZONE %s", (request.param,))
    conn.commit()
    return conn


@pytest.fixture
def conn_through_relay(connect, relay, dsn):
    parameters = psycoxide.extensions.parse_dsn(dsn)
    through = relay((parameters["host"], int(parameters["port"])))
    return connect(dsn, host="127.0.0.1", port=through.port, sslmode="disable"), through


def fetched(conn, query, args=None, *, binary):
    """Rows with the types of their values, and memoryviews as bytes: the two forms compared."""
    cur = conn.cursor(binary=binary)
    cur.execute(query, args)
    return [tuple(map(shown, row)) for row in cur]


def shown(value):
    if isinstance(value, memoryview):
        return (memoryview, value.format, value.readonly, value.tobytes())
    if isinstance(value, list):
        return [shown(item) for item in value]
    return type(value), repr(value)


@pytest.mark.parametrize("name", TYPES)
def test_values_are_those_of_the_text_form(zoned, name):
    values = TYPES[name]
    literals = ", ".join(["(%s::" + name + ")"] * len(values))
    columns = f"v, NULL::{name}, ARRAY[v, NULL, v], '{{}}'::{name}[]"
    query = f"SELECT {columns} FROM (VALUES {literals}) _ (v)"
    plain = fetched(zoned, query, values, binary=False)
    assert len(plain) == len(values)
    assert fetched(zoned, query, values, binary=True) == plain


@pytest.mark.parametrize("name", ["int4", "float8", "bytea", "timestamp", "uuid", "bool"])
def test_arrays_keep_their_dimensions(zoned, name):
    value = TYPES[name][1]
    columns = "ARRAY[[v, v, NULL], [v, NULL, v]], array_fill(v, '{2,1,3}', '{-1,5,0}')"
    query = f"SELECT {columns} FROM (SELECT %s::{name} v) _"
    plain = fetched(zoned, query, (value,), binary=False)
    assert fetched(zoned, query, (value,), binary=True) == plain


@pytest.mark.parametrize(
    "value",
    [
        "'10000-01-01'::date",
        "'0044-03-15 BC'::date",
        "'10000-01-01'::timestamp",
        "'0044-03-15 12:00 BC'::timestamp",
        "'294276-12-31'::timestamptz",
        "'4713-01-01 BC'::date",
        "'5874897-12-31'::date",
    ],
)
def test_what_python_cannot_hold_raises_the_same(conn, value):
    raised = []
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        cur.execute("SET TIME ZONE 'UTC'")
        cur.execute(f"SELECT {value}")
        with pytest.raises(ValueError) as info:
            cur.fetchone()
        raised.append((type(info.value), str(info.value)))
    assert raised[0] == raised[1]


def test_random_values_are_those_of_the_text_form(zoned):
    random.seed(20)
    cur = zoned.cursor()
    cur.execute(
        """CREATE TEMP TABLE r (a int2, b int8, c float8, d timestamp, e date, f time, g bytea,
            h uuid, i int4[], j timestamptz)"""
    )
    rows = []
    for _ in range(2000):
        row = (
            random.randint(-(2**15), 2**15 - 1),
            random.randint(-(2**63), 2**63 - 1),
            random.choice(
                [random.random(), random.uniform(-1e300, 1e300), float(random.randint(0, 9))]
            ),
            datetime.datetime(1, 1, 1)
            + datetime.timedelta(microseconds=random.randrange(315537897600 * 10**6)),
            datetime.date.fromordinal(random.randint(1, 3652059)),
            datetime.time(
                random.randrange(24),
                random.randrange(60),
                random.randrange(60),
                random.randrange(10**6),
            ),
            random.randbytes(random.randrange(300)),
            f"{random.getrandbits(128):032x}",
            [random.randint(-9, 9) for _ in range(random.randrange(5))],
            datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone.utc)
            + datetime.timedelta(microseconds=random.randrange(200 * 365 * 86400 * 10**6)),
        )
        rows.append(tuple(value if random.random() > 0.1 else None for value in row))
    psycoxide.extras.execute_values(
        cur,
        "INSERT INTO r VALUES %s",
        rows,
        template="(%s,%s,%s,%s,%s,%s,%s,%s::uuid,%s::int4[],%s)",
    )
    plain = fetched(zoned, "SELECT * FROM r", binary=False)
    assert len(plain) == 2000
    assert fetched(zoned, "SELECT * FROM r", binary=True) == plain


@pytest.mark.parametrize(
    "value, text, binary",
    [
        ("repeat('x', 1000)::bytea", 2002, 1000),
        ("repeat('x', 1000)", 1000, 1000),
        ("-1234567890::int4", 11, 4),
        ("1::int8", 1, 8),
        ("0.1234567890123::float8", 15, 8),
        ("timestamp '2020-01-01 12:34:56.789'", 23, 8),
        ("timestamptz '2020-01-01 12:34:56.789'", 26, 26),
        ("1.1::float4", 3, 3),
        ("123456789::numeric", 9, 9),
    ],
)
def test_the_wire_carries_binary_only_where_that_says_the_same(
    conn_through_relay, value, text, binary
):
    conn, relay = conn_through_relay

    def received(count, *, binary):
        cur = conn.cursor(binary=binary)
        before = relay.received
        cur.execute(f"SELECT {value} FROM generate_series(1, {count})")
        assert cur.rowcount == count
        return relay.received - before

    conn.cursor().execute("SET TIME ZONE 'Europe/Rome'")
    for mode, size in ((False, text), (True, binary)):
        # Two counts, so that all but the rows falls out.
        more, less = (received(count, binary=mode) for count in (300, 100))
        head = 1 + 4 + 2 + 4  # DataRow, its length, the number of fields, the field's length
        assert more - less - len("SELECT 300") + len("SELECT 100") == 200 * (head + size)


def test_typecasters_of_the_user_get_text(conn):
    seen = []

    def caster(value, cur):
        seen.append(value)
        return value

    number = extensions.new_type((23,), "MINE", caster)
    cur = conn.cursor(binary=True)
    extensions.register_type(number, cur)
    cur.execute("SELECT 42::int4, 42::int8, ARRAY[1::int4]")
    assert cur.fetchone() == ("42", 42, [1])
    assert seen == ["42"]
    array = extensions.new_array_type((1007,), "MINEARRAY", number)
    extensions.register_type(array, cur)
    cur.execute("SELECT ARRAY[7::int4], 5::int4")
    assert cur.fetchone() == (["7"], "5")


def test_tzinfo_factory_is_asked_as_ever(conn):
    conn.cursor().execute("SET TIME ZONE 'UTC'")
    given = []

    def factory(offset):
        given.append(offset)
        return datetime.timezone(offset, "mine")

    for tzinfo_factory in (factory, None):
        values = []
        for binary in (False, True):
            cur = conn.cursor(binary=binary)
            cur.tzinfo_factory = tzinfo_factory
            cur.execute("SELECT now(), ARRAY[now(), NULL], 'infinity'::timestamptz")
            values.append(cur.fetchone())
        assert repr(values[0]) == repr(values[1])
    assert given


def test_statements_without_rows_run_as_ever(conn):
    cur = conn.cursor(binary=True)
    cur.execute("CREATE TEMP TABLE t (a int4, b bytea)")
    cur.execute("INSERT INTO t VALUES (%s, %s)", (1, b"\0\1"))
    assert (cur.rowcount, cur.statusmessage, cur.description) == (1, "INSERT 0 1", None)
    cur.execute("INSERT INTO t VALUES (2, 'x') RETURNING a, b")
    assert cur.rowcount == 1
    assert cur.fetchone()[0] == 2
    cur.executemany("INSERT INTO t VALUES (%s, %s)", [(3, b""), (4, b"x")])
    assert cur.rowcount == 2
    cur.execute("SELECT a FROM t ORDER BY a")
    assert cur.fetchall() == [(1,), (2,), (3,), (4,)]
    cur.callproc("abs", (-5,))
    assert cur.fetchone() == (5,)
    cur.execute("SHOW search_path")
    assert cur.fetchone()
    with pytest.raises(psycoxide.ProgrammingError, match="can't execute COPY"):
        cur.execute("COPY t TO STDOUT")
    with pytest.raises(psycoxide.ProgrammingError, match="empty query"):
        cur.execute(";")
    conn.rollback()


def test_the_transaction_begins_with_the_statement(conn):
    cur = conn.cursor(binary=True)
    assert conn.status == extensions.STATUS_READY
    cur.execute("SELECT txid_current_if_assigned(), 1::int4")
    assert conn.status == extensions.STATUS_BEGIN
    assert conn.get_transaction_status() == extensions.TRANSACTION_STATUS_INTRANS
    conn.rollback()
    with pytest.raises(errors.UndefinedTable) as info:
        cur.execute("SELECT 1::int4\nFROM nowhere")
    assert info.value.diag.statement_position == "21"
    assert "LINE 2: FROM nowhere" in str(info.value)
    assert conn.get_transaction_status() == extensions.TRANSACTION_STATUS_INERROR
    assert cur.description is None
    conn.rollback()
    conn.autocommit = True
    cur.execute("SELECT 1::int4")
    assert conn.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE
    assert cur.fetchone() == (1,)


def test_what_the_extended_protocol_would_not_take_is_run_as_ever(conn):
    cur = conn.cursor(binary=True)
    cur.execute("SELECT 1::int4; SELECT 2::int4")
    assert cur.fetchall() == [(2,)]
    cur.execute("SELECT 3::int4 ; \n;")
    assert cur.fetchall() == [(3,)]
    cur.execute("SELECT $$;$$, 4::int4")
    assert cur.fetchall() == [(";", 4)]
    psycoxide.extras.execute_batch(cur, "SELECT %s::int4", [(5,), (6,)])
    assert cur.fetchall() == [(6,)]
    with pytest.raises(errors.UndefinedParameter):
        cur.execute("SELECT $1::int4")
    assert cur.description is None


def test_errors_of_running_leave_the_connection_usable(conn):
    cur = conn.cursor(binary=True)
    with pytest.raises(errors.DivisionByZero):
        cur.execute("SELECT 1::int4 / (g - 50000) FROM generate_series(1, 50000) g")
    conn.rollback()
    cur.execute("SELECT 7::int8")
    assert cur.fetchone() == (7,)


@pytest.mark.parametrize("size", [1, 100, 10_000, 3_000_000])
def test_long_values_are_whole(conn, size):
    cur = conn.cursor(binary=True)
    for _ in range(2):
        cur.execute(
            """SELECT g, decode(repeat(lpad(to_hex(g), 2, '0'), %s), 'hex'), repeat('x', g)
                FROM generate_series(0, 3) g""",
            (size,),
        )
        assert cur.rowcount == 4
        rows = cur.fetchall()
        assert [(a, b.tobytes(), c) for a, b, c in rows] == [
            (g, bytes([g]) * size, "x" * g) for g in range(4)
        ]
        cur.scroll(1, mode="absolute")
        assert cur.fetchone()[1] == rows[1][1]


@pytest.mark.parametrize(
    "factory",
    [
        psycoxide.extras.DictCursor,
        psycoxide.extras.RealDictCursor,
        psycoxide.extras.NamedTupleCursor,
    ],
)
def test_rows_of_every_kind(conn, factory):
    rows = []
    for binary in (False, True):
        cur = conn.cursor(cursor_factory=factory, binary=binary)
        cur.execute("SELECT g AS a, g::float8 AS b, g::text AS c FROM generate_series(1, 5) g")
        rows.append(cur.fetchall())
    assert rows[0] == rows[1]
    assert list(map(repr, rows[0])) == list(map(repr, rows[1]))


def test_the_attribute(conn):
    cur = conn.cursor()
    assert cur.binary is False
    cur.binary = 1
    assert cur.binary is True
    cur.binary = False
    cur.execute("SELECT 1; SELECT 2")
    assert cur.fetchone() == (2,)
    with pytest.raises(psycoxide.ProgrammingError, match="named cursor"):
        conn.cursor("c", binary=True)
    named = conn.cursor("c")
    named.binary = False
    with pytest.raises(TypeError):
        conn.cursor(None, None, False, None, True)


def test_asynchronous_connections_refuse_it(async_conn):
    with pytest.raises(psycoxide.ProgrammingError, match="asynchronous"):
        async_conn.cursor(binary=True)


def test_other_encodings(conn):
    conn.set_client_encoding("LATIN1")
    query = "SELECT 'caf\u00e9'::text, '\\xe9'::bytea, 1::int4, ARRAY['\u00e9'::text]"
    assert fetched(conn, query, binary=True) == fetched(conn, query, binary=False)


def test_a_cursor_declared_binary_is_read(conn):
    """psycopg2 hands the bytes to its readers of text."""
    cur = conn.cursor()
    cur.execute(
        "DECLARE b BINARY CURSOR FOR SELECT 258::int4, '\\x01ff'::bytea, 0.5::float8, 'x'::text"
    )
    cur.execute("FETCH ALL FROM b")
    number, data, half, text = cur.fetchone()
    assert (number, data.tobytes(), half, text) == (258, b"\1\xff", 0.5, "x")


def test_another_thread_cannot_come_between(conn):
    """The two round trips are one operation."""
    results = []

    def run():
        cur = conn.cursor(binary=True)
        for number in range(200):
            cur.execute("SELECT %s::int8, %s::float8", (number, number))
            results.append(cur.fetchone() == (number, float(number)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 800


def test_with_a_wait_callback(conn):
    with waiting(psycoxide.extras.wait_select):
        cur = conn.cursor(binary=True)
        cur.execute("SELECT g, repeat('x', 5000)::bytea FROM generate_series(1, 300) g")
        with pytest.raises(errors.UndefinedTable):
            conn.cursor(binary=True).execute("SELECT 1 FROM nowhere")
        conn.rollback()
    rows = cur.fetchall()
    assert [(number, bytes(data)) for number, data in rows] == [
        (number, b"x" * 5000) for number in range(1, 301)
    ]
