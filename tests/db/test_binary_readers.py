"""Values of every type that is read from its binary format, beside those of its text.

A cursor declared BINARY sends every column in binary, also those that psycoxide would ask for in
text. Both APIs read the same rows both ways; the values, their types and the exceptions are
compared.
"""

from __future__ import annotations

import random
import struct

import pytest

import psycoxide
import psycoxide.sync

# What is beyond Python's classes is here as well: the exception has to be the same.
VALUES = {
    "int2": ["0", "-1", "32767", "-32768"],
    "int4": ["0", "-1", "2147483647", "-2147483648"],
    "int8": ["0", "-1", "9223372036854775807", "-9223372036854775808"],
    "oid": ["0", "1", "4294967295"],
    "bool": ["t", "f"],
    "float4": [
        *("0", "-0", "1.1", "0.1", "1e-45", "3.4028235e38", "1.17549435e-38", "16777216", "1e10"),
        *("33554432", "8589934592", "67108864", "9.5367431640625e-07", "5e-20", "67e14"),
        *("NaN", "Infinity", "-Infinity"),
    ],
    "float8": [
        *("0", "-0", "0.1", "1e22", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308"),
        *("NaN", "Infinity", "-Infinity"),
    ],
    "numeric": [
        *("0", "0.0", "0.000", "-0.00", "1", "-1", "10", "9999", "10000", "100000000", "1.10"),
        *("0.1", "0.0001", "0.00001", "-0.00001230", "1e-20", "1e-16383", "1e20", "123e4000"),
        *("1e131071", "-" + "9" * 200 + "." + "9" * 200, "10000.0001", "10000000.00000001"),
        *("NaN", "Infinity", "-Infinity"),
    ],
    "text": ["", "a", "snowman \u2603", "NULL", "a'b\\c\"{},()", " ", "\U0001f600"],
    "varchar": ["", "x", "NULL"],
    "char(5)": ["", "ab"],
    "name": ["", "pg_class"],
    "json": ['{"a": [1, 2.5, null, "x\\"y"]}', " 1 ", '"\\u2603"', "[]", '{"a": 1, "a": 2}'],
    "jsonb": ['{"a": [1, 2.5, null, "x\\"y"]}', "1.50", '"\\u2603"', "[]", "null"],
    "bytea": ["", "\\x00", "\\x00ff5c27"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"],
    "date": [
        *("2000-01-01", "1999-12-31", "0001-01-01", "9999-12-31", "infinity", "-infinity"),
        *("10000-01-01", "0001-12-31 BC", "4713-01-01 BC", "5874897-12-31"),
    ],
    "time": ["00:00", "23:59:59.999999", "24:00", "12:34:56.1"],
    "timetz": [
        *("00:00+00", "24:00-15:59", "12:34:56.000001+05:30", "01:02:03-08", "23:59:59+00:00:01"),
        *("12:00+15:59:59", "12:00-15:59:59"),
    ],
    "timestamp": [
        *("2000-01-01", "1999-12-31 23:59:59.999999", "0001-01-01", "9999-12-31 23:59:59.999999"),
        *("infinity", "-infinity", "10000-01-01", "0044-03-15 12:00 BC", "294276-12-31"),
    ],
    "timestamptz": [
        *("2000-01-01+00", "1970-01-01 00:00:01.5+02", "0001-01-01+00", "9999-12-31 23:59:59+00"),
        *("infinity", "-infinity", "10000-01-01+00", "0044-03-15 12:00+00 BC"),
    ],
    "interval": [
        *("0", "1 year 2 mons 3 days 04:05:06.789", "-1 year -2 mons -3 days -04:05:06.789"),
        *("1 year -1 mon", "-1 year 13 mons", "1 mon -1 day", "-1 mon +1 day -00:00:00.000001"),
        *("1 day -00:00:01", "-1 day 00:00:01", "00:00:59.9999995", "2562047788:00:54.775807"),
        *("178956970 years 7 mons", "-178956970 years -8 mons", "1000000 days", "-999999999 days"),
        *("2147483647 days", "-2147483648 days", "11 mons", "-11 mons", "-00:00:00.5", "1000:00"),
    ],
    "inet": [
        *("10.0.0.1", "10.0.0.1/8", "0.0.0.0/0", "255.255.255.255/32", "::", "::1", "::/0"),
        *("2001:db8::ab:0", "::ffff:1.2.3.4", "::1.2.3.4", "1:0:0:2::3", "::2/127", "1::"),
        *("0:0:1::", "1:2:3:4:5:6:7:0", "::ffff:0:0", "::1:0:0", "fe80::1/64", "::abcd"),
    ],
    "cidr": ["10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::1/128", "::/0"],
    "macaddr": ["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"],
    "macaddr8": ["08:00:2b:01:02:03:04:05", "00:00:00:00:00:00:00:00"],
    "int4range": ["empty", "[1,5)", "(,)", "(,5]", "[-5,)", "[1,1]"],
    "int8range": ["empty", "[1,5)", "[-9223372036854775808,9223372036854775807)"],
    "numrange": [
        "empty",
        "[1.10,2.0]",
        "(-1e20,1e-20]",
        "(,NaN]",
        "[0.00,)",
        "(-Infinity,Infinity)",
    ],
    "daterange": ["empty", "[2000-01-01,2024-02-29)", "(,infinity)", "[-infinity,)"],
    "tsrange": [
        *("empty", "[2000-01-01,2024-02-29 12:34:56.5]", "(,)", "[-infinity,infinity]"),
        "[2000-01-01 00:00:00.000001,)",
    ],
    "tstzrange": ["empty", "[2000-01-01+00,2024-02-29 12:34:56.5+00)", "[-infinity,infinity)"],
    "int4multirange": ["{}", "{[1,5)}", "{(,-7),[1,5),[9,)}"],
    "int8multirange": ["{}", "{[1,5),[7,)}"],
    "nummultirange": ["{}", "{[1.10,2.0],(3,4)}"],
    "datemultirange": ["{}", "{[2000-01-01,2024-02-29),[2025-01-01,)}"],
    "tsmultirange": ["{}", "{[2000-01-01,2024-02-29 12:34:56.5],(2025-01-01,)}"],
    "tstzmultirange": ["{}", "{[2000-01-01+00,2024-02-29 12:34:56.5+00]}"],
}


class Legacy:
    """psycopg2's API, with its typecasters."""

    def __init__(self, connect, dsn):
        self.conn = connect(dsn)

    def run(self, statement):
        self.conn.cursor().execute(statement)
        self.conn.commit()

    def read(self, query, way):
        cur = self.conn.cursor(binary=way == "preferred")
        try:
            if way == "declared":
                cur.execute(f"DECLARE b BINARY CURSOR FOR {query}")
                query = "FETCH ALL FROM b"
            cur.execute(query)
            return cur.fetchall()
        finally:
            self.conn.rollback()


class New:
    """The API of `psycoxide.sync`, with its typecasters."""

    def __init__(self, _connect, dsn):
        self.conn = psycoxide.sync.connect(dsn)

    def run(self, statement):
        self.conn.execute(statement)

    def read(self, query, way):
        if way != "declared":
            return self.conn.fetch(query)
        with self.conn.transaction():
            self.conn.execute(f"DECLARE b BINARY CURSOR FOR {query}")
            return self.conn.fetch("FETCH ALL FROM b")


@pytest.fixture(params=[Legacy, New])
def api(request, connect, dsn, uuids):
    api = request.param(connect, dsn)
    if isinstance(api, Legacy):
        uuids(api.conn)
    api.run("SET TIME ZONE 'UTC'")
    yield api
    api.conn.close()


def shown(value):
    if isinstance(value, memoryview):
        return memoryview, value.format, value.readonly, value.tobytes()
    if isinstance(value, list):
        return [shown(item) for item in value]
    return type(value), repr(value)


def rows_or_error(api, query, way):
    try:
        return [[shown(value) for value in row] for row in api.read(query, way)]
    except Exception as error:
        return type(error), str(error)


def same_both_ways(api, query):
    """Compares the binary forms, as preferred and of all columns, with the text form."""
    expected = rows_or_error(api, query, "text")
    assert rows_or_error(api, query, "preferred") == expected
    assert rows_or_error(api, query, "declared") == expected
    return expected


def literal(value, name):
    quoted = value.replace("'", "''").replace("\\", "\\\\")
    return f"E'{quoted}'::{name}"


def without_errors(api, name):
    """The literals of the values of a type that Python's classes can hold."""
    found = []
    for value in VALUES[name]:
        text = literal(value, name)
        if isinstance(rows_or_error(api, f"SELECT {text}", "text"), list):
            found.append(text)
    assert found
    return found


@pytest.mark.parametrize("name", VALUES)
def test_each_value(api, name):
    read = 0
    for value in VALUES[name]:
        read += isinstance(same_both_ways(api, f"SELECT {literal(value, name)}"), list)
    assert read >= 1
    assert same_both_ways(api, f"SELECT NULL::{name}") == [[(type(None), "None")]]


@pytest.mark.parametrize("name", VALUES)
def test_arrays(api, name):
    values = without_errors(api, name)
    one, *_, two = [values[0], *values]
    query = f"""
        SELECT ARRAY[{", ".join(values)}], ARRAY[NULL, {one}, NULL]::{name}[], '{{}}'::{name}[],
            ARRAY[[{one}, NULL], [{two}, {one}]]::{name}[], ARRAY[[[{two}]]]::{name}[],
            array_fill({two}, '{{2,1,3}}', '{{-1,5,0}}'), array_fill(NULL::{name}, '{{3}}'),
            ARRAY[]::{name}[][], NULL::{name}[]"""
    if isinstance(api.read(query, "text")[0][0], str):
        # There is no typecaster for arrays of the type: they are never asked for in binary.
        assert api.read(query, "preferred") == api.read(query, "text")
        return
    assert isinstance(same_both_ways(api, query), list)
    same_both_ways(api, f"SELECT ARRAY[{', '.join(literal(v, name) for v in VALUES[name])}]")


def random_numeric(rng):
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 40)))
    if rng.random() < 0.3:
        digits = digits[:2] + "0" * rng.randint(0, 30) + digits[2:]
    point = rng.randint(0, len(digits))
    text = f"{digits[:point] or 0}.{digits[point:]}" if point < len(digits) else digits
    return rng.choice(["", "-"]) + text + (f"e{rng.randint(-60, 60)}" if rng.random() < 0.3 else "")


def random_interval(rng):
    def part(most):
        return rng.choice([0, 0, rng.randint(-most, most), rng.randint(-2, 2)])

    micros = part(10**15)
    sign, micros = "-" if micros < 0 else "+", abs(micros)
    clock = f"{micros // 10**6}.{micros % 10**6:06}"
    return f"{part(2000)} years {part(30)} months {part(10**6)} days {sign}{clock} seconds"


def random_time(rng):
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}" + rng.choice(
        ["", f".{rng.randrange(10**6):06}", f".{rng.randrange(10)}"]
    )


def random_timetz(rng):
    offset = f"{rng.choice('+-')}{rng.randrange(16):02}"
    offset += rng.choice(
        ["", f":{rng.randrange(60):02}", f":{rng.randrange(60):02}:{rng.randrange(60):02}"]
    )
    return random_time(rng) + offset


def random_timestamp(rng):
    date = f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return f"{date} {random_time(rng)}"


def random_inet(rng):
    if rng.random() < 0.4:
        return (
            f"{rng.getrandbits(8)}.{rng.getrandbits(8)}.0.{rng.getrandbits(8)}/{rng.randint(0, 32)}"
        )
    words = [rng.choice([0, 0, 0xFFFF, rng.getrandbits(16)]) for _ in range(8)]
    return ":".join(f"{word:x}" for word in words) + rng.choice(["", f"/{rng.randint(0, 128)}"])


def random_float4(rng):
    if rng.random() < 0.3:
        return repr(rng.choice([-1, 1]) * 2.0 ** rng.randint(-149, 127))
    (value,) = struct.unpack("f", rng.randbytes(4))
    return repr(value).replace("inf", "Infinity")


def random_text(rng):
    return "".join(
        rng.choice("ab{}[](),;'\"\\ \t\nNUL\u00e9\u2603\U0001f600")
        for _ in range(rng.randint(0, 12))
    )


def random_bounds(bound):
    def make(rng):
        lower, upper = sorted([bound(rng), bound(rng)])
        lower, upper = rng.choice([(lower, upper), (lower, ""), ("", upper), ("", "")])
        return f"{rng.choice('[(')}{lower},{upper}{rng.choice('])')}"

    return make


RANDOM = {
    "numeric": random_numeric,
    "interval": random_interval,
    "time": random_time,
    "timetz": random_timetz,
    "timestamp": random_timestamp,
    "timestamptz": random_timestamp,
    "date": lambda rng: random_timestamp(rng)[:10],
    "inet": random_inet,
    "float4": random_float4,
    "text": random_text,
    "tsrange": random_bounds(random_timestamp),
    "int4range": random_bounds(lambda rng: rng.randint(-9, 9)),
    "macaddr": lambda rng: rng.randbytes(6).hex(),
}


STYLES = ["postgres", "postgres_verbose", "sql_standard"]


@pytest.mark.parametrize(
    ("name", "style"),
    [(name, "postgres") for name in RANDOM] + [("interval", style) for style in STYLES[1:]],
)
def test_random_values(api, name, style):
    api.run(f"SET IntervalStyle = {style}")
    rng = random.Random(22)
    values = ", ".join(f"({literal(RANDOM[name](rng), name)})" for _ in range(2000))
    rows = same_both_ways(api, f"SELECT v, ARRAY[v, NULL, v] FROM (VALUES {values}) _ (v)")
    assert len(rows) == 2000


def test_every_power_of_two_as_real(api):
    values = ", ".join(
        f"({2.0**power!r}::float4), ({-3 * 2.0**power!r}::float4)" for power in range(-148, 126)
    )
    assert len(same_both_ways(api, f"SELECT v FROM (VALUES {values}) _ (v)")) == 548


@pytest.mark.parametrize(
    "setting",
    [
        "IntervalStyle = postgres_verbose",
        "IntervalStyle = sql_standard",
        "DateStyle = 'ISO, DMY'",
        "bytea_output = escape",
        "extra_float_digits = 3",
        "TimeZone = 'GMT'",
        "TimeZone = 'Europe/Rome'",
        "TimeZone = 'Asia/Kolkata'",
        "TimeZone = '+05:30'",
    ],
)
def test_settings_of_the_session(api, setting):
    api.run(f"SET {setting}")
    for name in VALUES:
        values = ", ".join(without_errors(api, name))
        text = rows_or_error(api, f"SELECT {values}", "text")
        assert isinstance(text, list)
        assert rows_or_error(api, f"SELECT {values}", "preferred") == text
        array = f"SELECT ARRAY[{values}]"
        assert rows_or_error(api, array, "preferred") == rows_or_error(api, array, "text")
        # Without its offset a moment is read in UTC, so the session's zone is asked for in text.
        if "TimeZone" not in setting or not name.startswith(("tstz", "timestamptz")):
            assert rows_or_error(api, f"SELECT {values}", "declared") == text


def test_styles_that_are_not_read_as_text_are_in_binary(api):
    plain = api.read("SELECT '1 year -2 days 3 hours'::interval, '2024-02-03'::date", "text")
    api.run("SET IntervalStyle = iso_8601")
    api.run("SET DateStyle = 'SQL, DMY'")
    query = "SELECT '1 year -2 days 3 hours'::interval, '2024-02-03'::date"
    if isinstance(api, Legacy):
        assert api.read(query, "preferred") == plain
    assert api.read(query, "declared") == plain


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("LATIN1", "caf\u00e9"), ("EUC_JP", "\u8868{}"), ("SJIS", '\u8868\u80fd"}')],
)
def test_client_encodings(connect, dsn, encoding, text):
    api = Legacy(connect, dsn)
    api.conn.set_client_encoding(encoding)
    rows = same_both_ways(
        api,
        f"""SELECT v, ARRAY[v, NULL], ARRAY[to_jsonb(v)], to_json(v), to_jsonb(v),
            1.10::numeric, int4range(1, 5), ARRAY[v, v]::varchar[]
            FROM (VALUES ('{text}'::text)) _ (v)""",
    )
    assert rows[0][0] == (str, repr(text))


def test_typecasters_of_the_program_get_text(api):
    seen = []

    def caster(value, cur):
        seen.append(value)
        return value and float(value)

    number = psycoxide.extensions.new_type((1700,), "MINE", caster)
    numbers = psycoxide.extensions.new_array_type((1231,), "MINES", number)
    conn = api.conn if isinstance(api, Legacy) else None
    for one in (number, numbers):
        psycoxide.extensions.register_type(one, conn)
    try:
        same_both_ways(api, "SELECT 1.50::numeric, ARRAY[2.50::numeric, NULL]")
        assert seen == ["1.50", "2.50", None] * 3
    finally:
        if conn is None:
            for one in (psycoxide.extensions.DECIMAL, psycoxide._psycopg.DECIMALARRAY):
                psycoxide.extensions.register_type(one)


def test_numbers_as_floats(connect, dsn):
    api = Legacy(connect, dsn)
    as_float = psycoxide.extensions.new_type((1700,), "FLOATS", psycoxide.extensions.FLOAT)
    arrays = psycoxide.extensions.new_array_type((1231,), "FLOATSARRAY", as_float)
    psycoxide.extensions.register_type(as_float, api.conn)
    psycoxide.extensions.register_type(arrays, api.conn)
    values = ", ".join(literal(value, "numeric") for value in VALUES["numeric"][:22])
    rows = same_both_ways(api, f"SELECT {values}, ARRAY[{values}]")
    assert rows[0][0] == (float, "0.0")


@pytest.mark.parametrize("name", VALUES)
def test_copied_values(dsn, name):
    with psycoxide.sync.connect(dsn) as conn:
        conn.execute("SET TIME ZONE 'UTC'")
        api = New.__new__(New)
        api.conn = conn
        values = ", ".join(f"({value}), (NULL)" for value in without_errors(api, name))
        query = f"SELECT v, ARRAY[v, NULL] FROM (VALUES {values}) _ (v)"
        expected = conn.fetch(query)
        types = conn.fetchrow(
            f"SELECT pg_typeof(v)::oid, pg_typeof(ARRAY[v])::oid FROM ({query}) _"
        )
        with conn.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
            if isinstance(expected[0][1], str):
                copy.set_types(types)
                with pytest.raises(psycoxide.NotSupportedError, match="text format"):
                    list(copy.rows())
                return
            copy.set_types(types)
            rows = list(copy.rows())
        assert [list(map(shown, row)) for row in rows] == [
            list(map(shown, row)) for row in expected
        ]


AS_THEY_ARE = {"text", "varchar", "char(5)", "name", "json", "bytea"}


@pytest.mark.parametrize("name", [name for name in VALUES if name not in AS_THEY_ARE])
def test_malformed_bytes_are_an_error(dsn, name):
    with psycoxide.sync.connect(dsn) as conn:
        (oid, array) = conn.fetchrow(f"SELECT '{name}'::regtype::oid, '{name}[]'::regtype::oid")
        whole = conn.fetchval("SELECT array_send('{}'::int4[])")
        malformed = [(oid, bad) for bad in (b"", b"\xff" * 3, b"\xfe" * 33)]
        if name != "macaddr8":  # its arrays have no typecaster
            malformed += [(array, bad) for bad in (b"", whole[:-1], whole + b"\0")]
        for oid, data in malformed:
            copy = conn.copy(f"COPY (SELECT '\\x{data.hex()}'::bytea) TO STDOUT (FORMAT BINARY)")
            with copy, pytest.raises(psycoxide.DataError, match="malformed binary value"):
                copy.set_types([oid])
                list(copy.rows())
