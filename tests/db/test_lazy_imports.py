"""PEP 810: a tour of the API by programs whose imports are all done at first use.

Until then a module's dictionary holds a stand-in for the name, which only the attribute protocol
resolves: whoever reads the dictionary gets the stand-in.
"""

import sys

import pytest

SINCE_3_15 = pytest.mark.skipif(
    sys.version_info < (3, 15), reason="lazy imports came with Python 3.15"
)

IMPORTS = """
import psycoxide
import psycoxide.errors, psycoxide.tz
from psycoxide import errorcodes, errors, extensions, extras, pool, sql, tz
from psycoxide.extras import DictCursor, NamedTupleCursor, RealDictCursor
"""

TOUR = """
import io, os, pickle, uuid

DSN = os.environ["DSN"]
QUERY = "select 1 as a, 'x' as b"

conn = psycoxide.connect(DSN, application_name="tour")
assert isinstance(conn, extensions.connection)
with conn, conn.cursor() as cur:
    cur.execute("select %s, %s, %s", ("it's", [1, 2], None))
    assert cur.fetchone() == ("it's", [1, 2], None)

rows = []
for factory in (None, DictCursor, RealDictCursor, NamedTupleCursor):
    for name in (None, "named"):
        with conn, conn.cursor(name, cursor_factory=factory) as cur:
            cur.execute(QUERY)
            rows.append(cur.fetchall()[0])
assert rows[0] == rows[1] == tuple(rows[2]) == tuple(rows[3]) == rows[6] == rows[7] == (1, "x")
assert rows[4] == rows[5] == {"a": 1, "b": "x"} and rows[7].b == "x" and rows[2]["b"] == "x"

for factory in (extras.DictConnection, extras.RealDictConnection, extras.NamedTupleConnection):
    with psycoxide.connect(DSN, connection_factory=factory) as other:
        cur = other.cursor()
        cur.execute(QUERY)
        assert len(cur.fetchone()) == 2
log = io.StringIO()
logged = psycoxide.connect(DSN, connection_factory=extras.LoggingConnection)
logged.initialize(log)
logged.cursor().execute(QUERY)
assert QUERY in log.getvalue()

extras.register_uuid()
extras.register_default_json(conn)
with conn, conn.cursor() as cur:
    number = uuid.UUID(int=7)
    values = (number, extras.Json({"a": 1}), extras.NumericRange(1, 5), extras.Inet("127.0.0.1"))
    cur.execute("select %s, %s::jsonb, %s::int4range, %s::text", values)
    assert cur.fetchone() == (number, {"a": 1}, extras.NumericRange(1, 5), "127.0.0.1/32")
    cur.execute("create temp table tour (n int, t timestamptz)")
    extras.execute_values(cur, "insert into tour values %s", [(1, None), (2, None)])
    extras.execute_batch(cur, "insert into tour values (%s, now())", [(3,), (4,)])
    cur.copy_expert("copy tour to stdout", copied := io.StringIO())
    assert copied.getvalue().startswith("1\\t")
    cur.execute(sql.SQL("select {} from {}").format(sql.Identifier("n"), sql.Identifier("tour")))
    assert [n for (n,) in cur] == [1, 2, 3, 4]

try:
    conn.cursor().execute("select 1 / 0")
except errors.DivisionByZero as error:
    assert errorcodes.lookup(error.pgcode) == "DIVISION_BY_ZERO"
    assert isinstance(error, psycoxide.DataError) and isinstance(error, conn.DataError)
    assert pickle.loads(pickle.dumps(error)).pgcode == "22012"
conn.rollback()
assert errors.lookup("23505") is errors.UniqueViolation

assert psycoxide.errors is errors and psycoxide.tz is tz
assert psycoxide.extensions.connection is type(conn) and psycoxide._range.Range is extras.Range

shared = pool.ThreadedConnectionPool(1, 2, DSN)
shared.putconn(shared.getconn())
shared.closeall()

assert str(tz.FixedOffsetTimezone(60).tzname(None)) == "+01"
assert extensions.adapt("it's").getquoted() == b"'it''s'"
assert extensions.make_dsn(dbname="x") == "dbname=x"
extensions.register_type(extensions.new_type((25,), "LOUD", lambda text, cur: text.upper()), conn)
with conn, conn.cursor() as cur:
    cur.execute("select 'loud'::text, now()")
    assert cur.fetchone()[0] == "LOUD"

polled = psycoxide.connect(DSN, async_=True)
extras.wait_select(polled)
cur = polled.cursor()
cur.execute(QUERY)
extras.wait_select(polled)
assert cur.fetchall() == [(1, "x")]
password = extensions.parse_dsn(DSN).get("password")
psycoxide.connect(DSN, password=lambda: password).close()

own = psycoxide._connect
psycoxide._connect = lambda dsn, *args, **kwargs: "replaced"
assert psycoxide.connect(DSN) == "replaced"
psycoxide._connect = own
assert psycoxide.connect(DSN).closed == 0
print("toured")
"""

LAZY = IMPORTS.replace("import psycoxide", "lazy import psycoxide").replace("from ", "lazy from ")

AS_PSYCOPG2 = """
import psycoxide
psycoxide.install_as_psycopg2()
"""


@pytest.mark.parametrize(
    ("options", "variable"),
    [
        pytest.param((), "", id="no"),
        pytest.param(("-X", "lazy_imports=all"), "", id="option", marks=SINCE_3_15),
        pytest.param((), "all", id="variable", marks=SINCE_3_15),
    ],
)
@pytest.mark.parametrize("installed", [False, True], ids=["psycoxide", "psycopg2"])
def test_a_tour_with_lazy_imports(run_python, options, variable, installed):
    source = IMPORTS + TOUR
    if installed:
        source = AS_PSYCOPG2 + source.replace("psycoxide", "psycopg2") + MODULES
    done = run_python(
        source, options=options, env={"PYTHON_LAZY_IMPORTS": variable} if variable else {}
    )
    assert done.stdout == "toured\n"


# What an alias is given when it is entered, with some names still to be imported.
MODULES = """
for value in (psycopg2.Error, psycopg2.connect, extensions.connection, errors.UniqueViolation,
              DictCursor, extras.execute_values, sql.SQL, pool.AbstractConnectionPool,
              tz.LocalTimezone, extras.Json, extras.NumericRange, psycopg2.errors.lookup):
    assert value.__module__.startswith("psycopg2"), value
    assert pickle.loads(pickle.dumps(value)) is value
assert psycopg2 is __import__("psycoxide")
"""


@SINCE_3_15
def test_a_tour_with_the_lazy_statement(run_python):
    assert "lazy import psycoxide.errors" in LAZY and LAZY.count("lazy from") == 2
    assert run_python(LAZY + TOUR).stdout == "toured\n"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="no"),
        pytest.param(("-X", "lazy_imports=all"), id="option", marks=SINCE_3_15),
    ],
)
def test_a_tour_of_a_program_for_psycopg2(run_python, options):
    source = (IMPORTS + TOUR).replace("psycoxide", "psycopg2")
    done = run_python(source + MODULES, options=(*options, "-m", "psycoxide", "run"))
    assert done.stdout == "toured\n"
