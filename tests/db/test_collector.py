"""What an object of ours holds is shown to Python's garbage collector, each reference once.

A reference that is not shown makes a cycle immortal; one that is shown twice lets the collector
take for garbage what somebody still uses.
"""

import gc
import types
import weakref

import pytest

import psycoxide
from psycoxide import extensions, extras, rows
from psycoxide._psycopg import Channel


class Token:
    """Something to be held."""

    def __call__(self, *args):
        """Stands for a caster, a factory, ..."""


def native_classes():
    """The classes that are written in Rust, found as Python knows them: `object`'s subclasses."""
    # These are made when they are first needed.
    assert extras.RealDictRow
    psycoxide.BINARY("\\x00", None)
    psycoxide.Date(2001, 2, 3)
    assert awaitable()
    found, waiting = set(), [object]
    while waiting:
        for cls in type.__subclasses__(waiting.pop()):
            if cls not in found:
                found.add(cls)
                waiting.append(cls)
    return {
        cls.__name__: cls
        for cls in found
        if cls.__module__ in ("psycoxide._psycopg", "psycoxide.extensions")
        and not issubclass(cls, BaseException)
        and not any(isinstance(value, types.FunctionType) for value in vars(cls).values())
    }


# For each class a generator of objects, each with the object that it holds.


def connections(cls, conn):
    for name in ("notices", "notifies", "cursor_factory"):
        made, token = cls.__new__(cls), Token()
        setattr(made, name, token)
        yield made, token
    for name in ("string_types", "binary_types"):
        made = cls.__new__(cls)
        yield made, getattr(made, name)


def cursors(cls, conn):
    for name in ("row_factory", "tzinfo_factory"):
        made, token = cls(conn), Token()
        setattr(made, name, token)
        yield made, token
    yield cls(conn), conn
    made, token = cls(conn), Token()
    extensions.register_type(extensions.new_type((25,), "TOKEN", token), made)
    yield made, made.string_types
    made.execute("select 'a'::text, 1")
    yield made, token


def fields(count):
    def each(cls, conn):
        for place in range(count):
            values, token = [None] * count, Token()
            values[place] = token
            yield cls(*values), token

    return each


def messages(cls, conn):
    cursor, token = conn.cursor(), Token()
    yield cls(cursor, None), cursor
    yield cls(cursor, token), token


def casters(cls, conn):
    token = Token()
    yield extensions.new_type((1,), "CASTER", token), token
    yield (
        extensions.new_array_type((1,), "ARRAY", extensions.new_type((2,), "CASTER", token)),
        token,
    )
    values = (1, 2)
    yield extensions.new_type(values, "CASTER", token), values


def identifiers(cls, conn):
    """Only what `tpc_recover()` gives holds anything."""
    conn.tpc_begin(conn.xid(1, "collector", "test"))
    conn.tpc_prepare()
    conn.reset()
    xid = next(xid for xid in conn.tpc_recover() if xid.gtrid == "collector")
    conn.rollback()
    conn.tpc_rollback(xid)
    yield from ((xid, token) for token in (xid.prepared, xid.owner, xid.database))


def of_connections(cls, conn):
    made = conn.lobject() if cls is extensions.lobject else cls(conn)
    yield made, conn


def deferred(cls, conn):
    """The casters of ranges: they hold what they import at their first use."""
    extensions.string_types[3904]("[1,2)", None)
    made = next(each for each in gc.get_objects() if type(each) is cls and gc.get_referents(each))
    (held,) = (each for each in gc.get_referents(made) if each is not cls)
    yield made, held


def ordered_rows(cls, conn):
    """Rows whose order is written down late."""
    with conn.cursor(cursor_factory=extras.RealDictCursor) as cur:
        token = Token()
        extensions.register_type(extensions.new_type((23,), "TOKEN", lambda *_: token), cur)
        cur.execute("select 1 as a")
        yield cur.fetchone(), token


def adapters(cls, conn):
    token = Token()
    yield cls(token), token


def prepared(cls, conn):
    token = []
    yield cls(token), token
    made = cls([])
    made.prepare(conn)
    yield made, conn


def channels(cls, conn):
    made = cls(True, 5.0)
    yield made, made.connection
    yield made, referred(made, "LoopDriver")


def awaitables(cls, conn):
    made = awaitable()
    yield made, referred(made, "LoopDriver")


def awaitable():
    channel = Channel(True, 5.0)
    return channel.read(channel.cursor(), 1, None)


def loop_drivers(cls, conn):
    channel = Channel(True, 5.0)
    yield referred(channel, "LoopDriver"), channel.connection


def streams(asynchronous):
    def pairs(cls, conn):
        channel = Channel(asynchronous, 5.0)
        cursor = channel.cursor()
        made = channel.stream(cursor, "SELECT 1", None, rows.dict_row, None)
        yield made, channel
        yield made, cursor

    return pairs


def batch_streams(cls, conn):
    for asynchronous in (True, False):
        channel = Channel(asynchronous, 5.0)
        made = channel.stream_arrow(channel.cursor(), "SELECT 1", None, None)
        yield made, channel


def copies(cls, conn):
    channel = Channel(True, 5.0)
    yield channel.copy(channel.cursor(), "COPY t FROM STDIN", None, None), channel


def channel_like(conn):
    """An open channel to the server of a connection."""
    made, info = Channel(False, 5.0), conn.info
    made.connect(None, {**info.dsn_parameters, "password": info.password}, None)
    return made


def pipeline_statements(cls, conn):
    cursor = (channel := channel_like(conn)).cursor()
    yield channel.pipeline_statement(cursor, "select 1", None, None, None), cursor


def pipeline_groups(cls, conn):
    channel, made = channel_like(conn), cls()
    statement = channel.pipeline_statement(channel.cursor(), "select 1/0", None, None, None)
    channel.start_part(made, [statement], True, False, False, False, None)
    yield made, statement


def referred(made, name):
    """The object of a class that an object holds."""
    return next(each for each in gc.get_referents(made) if type(each).__name__ == name)


HOLDERS = {
    "AsyncRowIterator": streams(asynchronous=True),
    "Awaitable": awaitables,
    "BatchStream": batch_streams,
    "Channel": channels,
    "CopyPlace": copies,
    "RowIterator": streams(asynchronous=False),
    "LoopDriver": loop_drivers,
    "PipelineGroup": pipeline_groups,
    "PipelineStatement": pipeline_statements,
    "connection": connections,
    "ReplicationConnection": connections,
    "cursor": cursors,
    "ReplicationCursor": cursors,
    "Column": fields(9),
    "Notify": fields(3),
    "ReplicationMessage": messages,
    "type": casters,
    "Xid": identifiers,
    "ConnectionInfo": of_connections,
    "lobject": of_connections,
    "Deferred": deferred,
    "_OrderedRow": ordered_rows,
    "_JSONLoads": adapters,
    "Binary": prepared,
    "List": prepared,
    "QuotedString": prepared,
    "SQL_IN": prepared,
    **dict.fromkeys(("AsIs", "Boolean", "Decimal", "Float", "Int", "ISQLQuote"), adapters),
    "datetime": lambda cls, conn: (
        (made, made.adapted) for made in (psycoxide.Date(2001, 2, 3), psycoxide.Time(1, 2, 3))
    ),
}
# The memory of a memoryview, an adapter that keeps nothing, and what holds Arrow's memory alone.
HOLD_NOTHING = {"chunk", "NoneAdapter", "ArrowEncoder"}


def test_no_class_is_left_out():
    assert native_classes().keys() == HOLD_NOTHING | HOLDERS.keys()


@pytest.mark.parametrize("name", sorted(HOLDERS))
def test_a_reference_is_shown_once(conn, name):
    looked_at = 0
    for made, token in HOLDERS[name](native_classes()[name], conn):
        assert gc.is_tracked(made)
        shown = [each for each in gc.get_referents(made) if each is token]
        assert shown == [token], f"{made!r} shows {token!r} {len(shown)} times"
        looked_at += 1
    assert looked_at


def refilled_column():
    """A column that leads back to itself."""
    column = extensions.Column()
    return column, lambda back: column.__setstate__((back,))


def settable(make, name):
    def made(dsn):
        holder = make(psycoxide.connect(dsn))
        return holder, lambda back: setattr(holder, name, back)

    return made


CYCLES = {
    "Column": lambda dsn: refilled_column(),
    **{
        f"connection.{name}": settable(lambda conn: conn, name)
        for name in ("notices", "notifies", "cursor_factory")
    },
    **{
        f"{cls.__name__}.{name}": settable(
            lambda conn, cls=cls: conn.cursor(cursor_factory=cls), name
        )
        for cls in (extensions.cursor, extras.DictCursor, extras.ReplicationCursor)
        for name in ("row_factory", "tzinfo_factory")
    },
}


@pytest.mark.parametrize("name", sorted(CYCLES))
def test_an_object_that_leads_back_to_itself_is_collected(dsn, name):
    """Through a method of its own, which has nothing that could be cleared."""
    holder, lead = CYCLES[name](dsn)
    token = Token()
    lead(types.MethodType(lambda *args: None, (holder, token)))
    held = weakref.ref(token)
    del holder, lead, token
    gc.collect()
    assert held() is None
