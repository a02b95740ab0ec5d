"""Programs as users write them: type checkers must accept them, and see the types named here.

Not run: test_typing.py has them checked. What the types are of comes from expressions without
annotations, as in programs: `conn = psycoxide.connect()`.
"""

from __future__ import annotations

import collections
import datetime
import io
import logging
import sys
from typing import Any, TypeVar

from typing_extensions import assert_type

import psycoxide
from psycoxide import aio, errorcodes, errors, extensions, extras, pool, rows, sql, sync, tz
from psycoxide.extensions import Column, Notify, Xid, connection, cursor
from psycoxide.extras import DictRow, RealDictRow


def connecting() -> None:
    conn = psycoxide.connect("dbname=test", connect_timeout=3)
    assert_type(conn, connection)
    assert_type(psycoxide.connect(host="x", port=5432, async_=1), connection)
    with conn as same:
        assert_type(same, connection)
    options = {"host": "localhost", "user": "me"}
    assert_type(psycoxide.connect(**options), connection)

    logged = psycoxide.connect("", extras.LoggingConnection)
    assert_type(logged, extras.LoggingConnection)
    logged.initialize(logging.getLogger())
    logged.initialize(sys.stderr)
    slow = psycoxide.connect("", connection_factory=extras.MinTimeLoggingConnection)
    slow.initialize(sys.stdout, mintime=100)
    assert_type(slow.cursor(), extras.MinTimeLoggingCursor)


def cursors_of_connections() -> None:
    conn = psycoxide.connect("", cursor_factory=extras.RealDictCursor)
    assert_type(conn, "connection[extras.RealDictCursor]")
    assert_type(conn.cursor(), extras.RealDictCursor)
    assert_type(conn.cursor("named", withhold=True), extras.RealDictCursor)
    assert_type(conn.cursor(cursor_factory=extras.DictCursor), extras.DictCursor)
    assert_type(conn.cursor("named", cursor), cursor)
    takes_any(conn)

    assert_type(psycoxide.connect("", extras.DictConnection).cursor(), extras.DictCursor)
    assert_type(psycoxide.connect("", extras.LoggingConnection).cursor(), extras.LoggingCursor)
    named = psycoxide.connect("", connection_factory=extras.NamedTupleConnection)
    assert_type(named.cursor(), extras.NamedTupleCursor)
    assert_type(named.cursor(cursor_factory=cursor).fetchone(), "tuple[Any, ...] | None")
    real = psycoxide.connect(connection_factory=extras.RealDictConnection, dsn="")
    assert_type(real.cursor(), extras.RealDictCursor)
    physical = psycoxide.connect("", extras.PhysicalReplicationConnection)
    assert_type(physical.cursor(), extras.ReplicationCursor)


def takes_any(conn: connection) -> None:
    """A bare annotation takes every connection, whatever its cursors."""
    assert_type(conn.cursor(), cursor)


def a_factory_may_be_missing(kind: type[extras.DictCursor] | None) -> None:
    conn = psycoxide.connect("")
    assert_type(conn.cursor(cursor_factory=kind), "cursor | extras.DictCursor")


def attributes_of_connections() -> None:
    conn = psycoxide.connect("")
    assert_type(conn.closed, int)
    assert_type(conn.async_, int)
    assert_type(conn.info.server_version, int)
    assert_type(conn.get_parameter_status("TimeZone"), "str | None")
    assert_type(conn.notices, "list[str]")
    assert_type(conn.notifies, "list[Notify]")
    assert_type(conn.isolation_level, "int | None")
    assert_type(conn.readonly, "bool | None")
    for notify in conn.notifies:
        assert_type((notify.pid, notify.channel, notify[0], notify[1]), "tuple[int, str, int, str]")
    assert_type(conn.xid(1, "a", "b"), Xid)
    assert_type(conn.tpc_recover(), "list[Xid]")
    with_errors_of(conn)


def with_errors_of(conn: connection) -> None:
    try:
        conn.commit()
    except conn.IntegrityError as error:
        assert_type(error, psycoxide.IntegrityError)


def set_attributes() -> None:
    conn = psycoxide.connect("")
    conn.autocommit = True
    conn.isolation_level = "serializable"
    conn.isolation_level = extensions.ISOLATION_LEVEL_READ_COMMITTED
    conn.isolation_level = None
    conn.readonly = "default"
    conn.readonly = True
    conn.deferrable = None
    conn.operation_timeout = 3
    conn.cursor_factory = extras.DictCursor
    conn.cursor_factory = None
    conn.notices = collections.deque(maxlen=100)
    conn.notices = ["one"]
    conn.notifies = collections.deque[Notify]()
    conn.set_session("serializable", readonly=True, deferrable="default", autocommit=False)
    conn.set_isolation_level(extensions.ISOLATION_LEVEL_AUTOCOMMIT)

    cur = conn.cursor()
    cur.arraysize = 100
    cur.itersize = 1000
    cur.tzinfo_factory = None
    cur.tzinfo_factory = tz.FixedOffsetTimezone
    cur.tzinfo_factory = datetime.timezone
    cur.row_factory = lambda cursor: [None] * len(cursor.description or ())


def rows_of_cursors() -> None:
    conn = psycoxide.connect("")
    cur = conn.cursor()
    assert_type(cur.fetchone(), "tuple[Any, ...] | None")
    assert_type(cur.fetchmany(2), "list[tuple[Any, ...]]")
    assert_type(cur.fetchall(), "list[tuple[Any, ...]]")
    assert_type(next(cur), "tuple[Any, ...]")
    for row in cur:
        assert_type(row, "tuple[Any, ...]")
    assert_type([column[0] for column in cur.description or ()], "list[str]")
    for name, *_ in cur.description or ():
        print(name)
    with cur as same:
        assert_type(same, cursor)


def rows_with_names() -> None:
    conn = psycoxide.connect("")
    by_name = conn.cursor(cursor_factory=extras.DictCursor)
    assert_type(by_name.fetchone(), "DictRow | None")
    assert_type(next(by_name), DictRow)
    for row in by_name:
        assert_type((row["a"], row[0], row[:2]), "tuple[Any, Any, list[Any]]")
        assert_type(row.copy(), "collections.OrderedDict[str, Any]")
    real = conn.cursor(cursor_factory=extras.RealDictCursor)
    assert_type(real.fetchall(), "list[RealDictRow]")
    assert_type(real.fetchmany(), "list[RealDictRow]")
    for found in real:
        as_dict: dict[str, Any] = found
        print(as_dict["a"])
    named = conn.cursor(cursor_factory=extras.NamedTupleCursor)
    for record in named:
        assert_type((record.a, record[0]), "tuple[Any, Any]")
        assert_type(record._asdict(), "dict[str, Any]")
    with conn.cursor("scrolled", cursor_factory=extras.NamedTupleCursor) as scrolled:
        scrolled.scroll(1, "absolute")
        first = scrolled.fetchone()
        if first is not None:
            print(first.any_name)


def statements() -> None:
    cur = psycoxide.connect("").cursor()
    cur.execute("select %s", (1,))
    cur.execute(b"select %(a)s", {"a": 1})
    cur.execute(sql.SQL("select {}").format(sql.Identifier("a")), [1])
    cur.executemany("insert into t values (%s)", ((n,) for n in range(3)))
    cur.executemany("insert into t values (%(a)s)", [{"a": 1}], prepare=True)
    assert_type(cur.mogrify("select 1"), bytes)
    cur.callproc("f", [1])
    cur.copy_from(io.StringIO("1"), "t", columns=("a",))
    cur.copy_from(io.BytesIO(b"1"), "t", sep=",", null="")
    cur.copy_to(sys.stdout, "t")
    cur.copy_to(io.BytesIO(), "t")
    with open("file") as file:
        cur.copy_expert("copy t from stdin", file)
    cur.copy_expert(sql.SQL("copy t to stdout"), io.BytesIO())
    assert_type(extras.execute_values(cur, "insert into t values %s", [(1,)]), None)
    assert_type(extras.execute_values(cur, "x %s", [(1,)], fetch=True), "list[Any]")
    extras.execute_batch(cur, sql.SQL("select %s"), [[1], (2,)], page_size=10)


def large_objects(mode: str) -> None:
    conn = psycoxide.connect("")
    assert_type(conn.lobject().read(), str)
    assert_type(conn.lobject(1, "r").read(10), str)
    assert_type(conn.lobject(1, "rb").read(), bytes)
    assert_type(conn.lobject(mode="wb", new_file="file").read(), bytes)
    assert_type(conn.lobject(1, mode).read(), Any)
    with conn.lobject(0, "w") as made:
        assert_type(made.write("text"), int)
        assert_type(made.closed, bool)


def replication() -> None:
    conn = psycoxide.connect("", connection_factory=extras.LogicalReplicationConnection)
    cur = conn.cursor()
    assert_type(cur, extras.ReplicationCursor)
    cur.create_replication_slot("slot", output_plugin="pgoutput")
    cur.start_replication("slot", options={"proto_version": 1}, decode=True)

    def consume(message: extras.ReplicationMessage) -> None:
        message.cursor.send_feedback(flush_lsn=message.data_start)
        raise extras.StopReplication

    cur.consume_stream(consume)
    message = cur.read_message()
    if message is not None:
        assert_type(message.send_time, datetime.datetime)


def pools() -> None:
    plain = pool.ThreadedConnectionPool(1, 2, "dsn")
    assert_type(plain.getconn(), connection)
    plain.putconn(plain.getconn(), close=True)
    shared = pool.SimpleConnectionPool(1, 2, "dsn", cursor_factory=extras.RealDictCursor)
    assert_type(shared.getconn().cursor().fetchone(), "RealDictRow | None")
    dicts = pool.ThreadedConnectionPool(1, 2, "", connection_factory=extras.DictConnection)
    assert_type(dicts.getconn("key"), extras.DictConnection)
    takes_any_pool(shared)
    takes_any_pool(dicts)


def takes_any_pool(one: pool.AbstractConnectionPool) -> None:
    one.putconn(one.getconn())
    one.closeall()


def composed() -> None:
    assert_type(sql.SQL(", ").join([sql.Placeholder("a"), sql.Literal(1)]), sql.Composed)
    assert_type(sql.Identifier("a", "b") + sql.NULL, sql.Composed)
    assert_type(sql.Placeholder() * 2, sql.Composed)
    assert_type(sql.Literal(1), "sql.Literal[int]")
    assert_type(sql.Literal("a").wrapped, str)
    conn = psycoxide.connect("")
    assert_type(sql.Identifier("a").as_string(conn), str)
    assert_type(sql.SQL("a").as_string(None), str)


def ranges() -> None:
    assert_type(extras.NumericRange(1, 2).lower, "int | None")
    assert_type(extras.DateRange().upper, "datetime.date | None")
    assert_type(extras.DateTimeTZRange(datetime.datetime.now()).isempty, bool)
    assert_type(extras.Range("a", "b"), "extras.Range[str]")
    for part in extras.NumericMultirange([extras.NumericRange(1, 2)]):
        print(part.lower_inc)


def errors_have_types() -> None:
    try:
        psycoxide.connect("")
    except (errors.UniqueViolation, psycoxide.OperationalError) as error:
        assert_type(error.pgcode, "str | None")
        assert_type(error.diag, extensions.Diagnostics)
        assert_type(error.diag.constraint_name, "str | None")
        if error.cursor is not None:
            assert_type(error.cursor.rowcount, int)
    except errors.lookup("40001"):
        raise
    assert_type(errors.lookup("23505"), "type[psycoxide.Error]")
    assert_type(errorcodes.lookup(errorcodes.UNIQUE_VIOLATION), str)


def adapters_and_typecasters() -> None:
    extensions.register_adapter(dict, extras.Json)
    extensions.register_adapter(Point, lambda point: extensions.AsIs(f"'({point.x}, {point.y})'"))
    extensions.register_adapter(Point, adapt_point)
    caster = extensions.new_type((600,), "POINT", lambda value, cur: value and value.strip("()"))
    conn = psycoxide.connect("")
    extensions.register_type(caster, conn)
    extensions.register_type(extensions.new_array_type((1017,), "POINT[]", caster), conn.cursor())
    assert_type(caster.values, "tuple[int, ...]")
    assert_type(caster.name, str)
    extras.register_uuid(conn_or_curs=conn)
    extras.register_hstore(conn)
    extras.register_default_jsonb(loads=lambda text: text)
    extensions.set_wait_callback(extras.wait_select)
    assert_type(extensions.make_dsn(host="x"), str)
    assert_type(extensions.parse_dsn("host=x"), "dict[str, str]")
    assert_type(tz.LOCAL.utcoffset(datetime.datetime.now()), datetime.timedelta)


class Point:
    x = y = 0.0


def adapt_point(point: Point) -> extensions.QuotedString:
    return extensions.QuotedString(str(point.x))


class Subclassed(connection):
    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("cursor_factory", extras.DictCursor)
        return super().cursor(*args, **kwargs)


class Counting(extras.RealDictCursor):
    count = 0

    def execute(self, query: Any, vars: Any = None) -> Any:
        self.count += 1
        return super().execute(query, vars)


def subclasses() -> None:
    conn = psycoxide.connect("", connection_factory=Subclassed)
    assert_type(conn, Subclassed)
    cur = psycoxide.connect("").cursor(cursor_factory=Counting)
    assert_type(cur.count, int)
    assert_type(cur.fetchall(), "list[RealDictRow]")
    column = Column(name="a", type_code=23)
    assert_type(column.type_code, int)


class Item:
    def __init__(self, name: str) -> None:
        self.name = name


def numbered_row(cursor: rows.Described) -> rows.RowMaker[tuple[int, rows.TupleRow]]:
    columns = cursor.description or ()
    assert_type([column.name for column in columns], "list[str]")
    return lambda values: (len(columns), values)


def row_of_plain_cursors(cursor: cursor) -> rows.RowMaker[str]:
    return lambda values: str(values[0])


async def streams(conn: aio.AsyncConnection[rows.TupleRow]) -> None:
    async for row in conn.stream("SELECT %s", (1,)):
        assert_type(row, "tuple[Any, ...]")
    async with conn.stream("SELECT 1", row_factory=rows.class_row(Item), timeout=1) as items:
        assert_type(await anext(items), Item)
        assert_type([item async for item in items], "list[Item]")
    async with conn.cursor(row_factory=rows.dict_row) as cur:
        async for mapping in cur.stream("SELECT 1"):
            assert_type(mapping, "dict[str, Any]")


async def copies(conn: aio.AsyncConnection[rows.TupleRow]) -> None:
    async with conn.copy("COPY t FROM STDIN", timeout=5) as copy:
        assert_type(copy, aio.AsyncCopy)
        copy.set_types(["int4", 25])
        await copy.write("1\ta\n")
        await copy.write(b"1\ta\n")
        await copy.write_row((1, "a"))
        await copy.write_rows([(1, "a"), [2, "b"]])
        await copy.write_rows((number, "a") for number in range(3))
    assert_type(copy.rowcount, int)
    async with conn.cursor().copy("COPY t TO STDOUT") as copy:
        assert_type(await copy.read(), bytes)
        assert_type(await copy.read_row(), "tuple[Any, ...] | None")
        assert_type([row async for row in copy.rows()], "list[tuple[Any, ...]]")
        assert_type([block async for block in copy], "list[bytes]")


def streams_without_a_loop(conn: sync.Connection[rows.TupleRow]) -> None:
    for row in conn.stream("SELECT %s", (1,)):
        assert_type(row, "tuple[Any, ...]")
    with conn.stream("SELECT 1", row_factory=rows.class_row(Item)) as items:
        assert_type(next(items), Item)
    with conn.copy("COPY t TO STDOUT") as copy:
        assert_type(list(copy.rows()), "list[tuple[Any, ...]]")
        copy.write_rows([(1, "a")])


Made = TypeVar("Made")


def first(factory: rows.RowFactory[Made]) -> Made:
    """What a cursor does with a factory."""
    cur = psycoxide.connect("").cursor()
    return factory(cur)((1,))


def row_factories() -> None:
    assert_type(first(rows.tuple_row), "tuple[Any, ...]")
    assert_type(first(rows.dict_row), "dict[str, Any]")
    assert_type(first(rows.scalar_row), Any)
    assert_type(first(rows.class_row(Item)), Item)
    assert_type(first(rows.kwargs_row(Item)), Item)
    assert_type(first(rows.args_row(len)), int)
    assert_type(first(numbered_row), "tuple[int, tuple[Any, ...]]")
    assert_type(first(row_of_plain_cursors), str)
    named = first(rows.namedtuple_row)
    assert_type(named.id, Any)
    assert_type(named[0], Any)
    record = first(rows.record_row)
    assert_type(record, rows.Record)
    assert_type(record["id"], Any)
    assert_type(record[0], Any)
    assert_type(record[1:], "tuple[Any, ...]")
    assert_type(dict(record), "dict[str, Any]")
    assert_type(list(record.items()), "list[tuple[str, Any]]")
    assert_type(record.get("id", 1), Any)


class Mine(aio.AsyncConnection[rows.TupleRow]):
    """A class of connections of the program's own."""


async def pools_that_wait() -> None:
    async with aio.AsyncConnectionPool("", min_size=1) as pool, pool.connection() as conn:
        assert_type(conn, aio.AsyncConnection[rows.TupleRow])
    assert_type(await aio.AsyncConnectionPool(connection_class=Mine).getconn(), Mine)
    assert_type(await aio.AsyncNullConnectionPool().getconn(), aio.AsyncConnection[rows.TupleRow])
    assert_type(await pool.fetch("select 1", row_factory=rows.dict_row), list[dict[str, Any]])
