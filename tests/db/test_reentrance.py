"""Python code that a driver calls in the middle of something may use the very same objects.

Every place where that is possible meets every operation. Whatever comes of it is a result or an
error of DB-API: never a panic, a hang, or a connection that says it is open and cannot be used.
"""

import codecs
import contextlib
import datetime
import io
import json

import pytest
from fixtures.connections import waiting

import psycoxide
from psycoxide import extensions, extras, sql

ROWS = "select i::text, i from generate_series(1, 40) i"


class Leaving:
    """Intrudes when it is let go of."""

    def __init__(self, intrude):
        self.intrude = intrude

    def __call__(self, *args):
        return args

    def append(self, item):
        """Takes a notice or a notification."""

    def __del__(self):
        self.intrude()


# ---- the places: each runs something in the middle of which `intrude` is called ----------------


class Adapted:
    """A parameter whose adapter intrudes at one of its methods."""

    def __init__(self, at, intrude):
        self.at, self.intrude = at, intrude

    def call(self, at):
        if self.at == at:
            self.intrude()

    def __conform__(self, protocol):
        self.call("conform")
        return self

    def prepare(self, conn):
        self.call("prepare")

    def getquoted(self):
        self.call("getquoted")
        return b"1"

    def __str__(self):
        self.call("str")
        return "1"


def parameter(at):
    def place(conn, cur, intrude):
        parameter = Adapted(at, intrude)
        cur.execute("select %s, %s", (parameter, 2))
        return cur.fetchone()

    return place


def text_of_a_parameter(conn, cur, intrude):
    cur.execute("select %s, 2", (extensions.AsIs(Adapted("str", intrude)),))


def mapping(conn, cur, intrude):
    class Parameters(dict):
        def __getitem__(self, name):
            intrude()
            return 1

    cur.execute("select %(a)s, %(b)s", Parameters())


def sequence(conn, cur, intrude):
    class Parameters:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index > 1:
                raise IndexError
            intrude()
            return index

    cur.execute("select %s, %s", Parameters())


def rows_to_run(method):
    def place(conn, cur, intrude):
        def rows():
            yield (1,)
            intrude()
            yield (2,)

        method(cur, rows())

    return place


def composed(conn, cur, intrude):
    class Part(sql.SQL):
        def as_string(self, context):
            intrude()
            return super().as_string(context)

    cur.execute(Part("select 1"))


def argument(conn, cur, intrude):
    cur.callproc("abs", (Adapted("getquoted", intrude),))


def typecaster(take, name=None):
    def place(conn, cur, intrude):
        cur = conn.cursor(name) if name else cur

        def cast(text, cursor):
            if text in ("3", "33"):
                intrude(cur)
            return text

        extensions.register_type(extensions.new_type((25,), "INTRUDES", cast), cur)
        cur.execute(ROWS)
        take(cur)

    return place


def row_factory(take, name=None):
    def place(conn, cur, intrude):
        cur = conn.cursor(name) if name else cur

        class Row(list):
            def __init__(self, cursor):
                intrude(cur)
                super().__init__()

            def __setitem__(self, index, value):
                self.append(value)

        cur.row_factory = Row
        cur.execute(ROWS)
        take(cur)

    return place


def time_zone(conn, cur, intrude):
    def tzinfo(offset):
        intrude()
        return datetime.timezone(offset)

    cur.tzinfo_factory = tzinfo
    cur.execute("select '2020-01-01 00:00+01'::timestamptz from generate_series(1, 3)")
    cur.fetchall()


def json_reader(conn, cur, intrude):
    def loads(text):
        intrude()
        return json.loads(text)

    extras.register_default_json(cur, loads=loads)
    cur.execute("select '[1]'::json from generate_series(1, 3)")
    cur.fetchall()


def notice(conn, cur, intrude):
    class Notices(list):
        def append(self, item):
            intrude()

    conn.notices = Notices()
    cur.execute("do $$ begin raise notice 'a'; raise notice 'b'; end $$")


def notification(conn, cur, intrude):
    class Notifies(list):
        def append(self, item):
            intrude()

    conn.autocommit = True
    conn.notifies = Notifies()
    cur.execute("listen reentrance")
    cur.execute("notify reentrance")
    conn.poll()


def copy_in(conn, cur, intrude):
    class Source(io.StringIO):
        def read(self, size=-1):
            intrude()
            return super().read(4)

    cur.execute("create temp table copied (i int)")
    cur.copy_from(Source("1\n2\n3\n"), "copied")


def copy_out(conn, cur, intrude):
    class Target(io.StringIO):
        def write(self, text):
            intrude()
            return super().write(text)

    cur.copy_expert("copy (select generate_series(1, 3)) to stdout", Target())


def wait_callback(conn, cur, intrude):
    def wait(conn):
        intrude()
        extras.wait_select(conn)

    with waiting(wait):
        cur.execute(ROWS)
        cur.fetchall()


def cursor_class(conn, cur, intrude):
    class Cursor(extensions.cursor):
        def __init__(self, *args, **kwargs):
            intrude()
            super().__init__(*args, **kwargs)

    conn.cursor(cursor_factory=Cursor).execute("select 1")


def lobject_class(conn, cur, intrude):
    class LargeObject(extensions.lobject):
        def __init__(self, *args, **kwargs):
            intrude()

    conn.lobject(lobject_factory=LargeObject).write("a")


def left(name, on_connection=False):
    """What was set before is let go of."""

    def place(conn, cur, intrude):
        holder = conn if on_connection else cur
        setattr(holder, name, Leaving(intrude))
        setattr(holder, name, None)

    return place


def left_query(conn, cur, intrude):
    class Query(str):
        def __del__(self):
            intrude()

    cur.execute(Query("select 1"))
    cur.execute("select 2")


def codec(conn, cur, intrude):
    utf8 = codecs.lookup("utf-8")

    def search(name):
        def decode(data, errors="strict"):
            intrude()
            return utf8.decode(data, errors)

        return codecs.CodecInfo(utf8.encode, decode, name=name) if name == "reentrant" else None

    codecs.register(search)
    before = extensions.encodings["LATIN9"]
    extensions.encodings["LATIN9"] = "reentrant"
    try:
        conn.set_client_encoding("LATIN9")
        cur.execute(ROWS)
        cur.fetchall()
    finally:
        extensions.encodings["LATIN9"] = before
        # The connection asks Python for its codec at each text.
        for leave in (conn.tpc_rollback, lambda: conn.set_client_encoding("UTF8")):
            with contextlib.suppress(psycoxide.Error):
                leave()
        codecs.unregister(search)


def one(cur):
    return [cur.fetchone() for _ in range(5)]


def many(cur):
    return cur.fetchmany(20)


def whole(cur):
    return cur.fetchall()


def each(cur):
    return list(cur)


def insert_prepared(cur, rows):
    cur.execute("create temp table if not exists inserted (i int)")
    cur.executemany("insert into inserted values (%s)", rows, prepare=True)


TAKES = (one, many, whole, each)
PLACES = {
    **{f"parameter's {at}": parameter(at) for at in ("conform", "prepare", "getquoted")},
    "parameter's text": text_of_a_parameter,
    "mapping": mapping,
    "sequence": sequence,
    "executemany": rows_to_run(lambda cur, rows: cur.executemany("select %s", rows)),
    "executemany prepared": rows_to_run(insert_prepared),
    "execute_batch": rows_to_run(lambda cur, rows: extras.execute_batch(cur, "select %s", rows)),
    "execute_values": rows_to_run(
        lambda cur, rows: extras.execute_values(cur, "values %s", rows, fetch=True)
    ),
    "composed": composed,
    "argument": argument,
    **{f"typecaster, {take.__name__}": typecaster(take) for take in TAKES},
    **{f"typecaster of a named cursor, {take.__name__}": typecaster(take, "n") for take in TAKES},
    **{f"row factory, {take.__name__}": row_factory(take) for take in TAKES},
    **{f"row factory of a named cursor, {take.__name__}": row_factory(take, "n") for take in TAKES},
    "time zone": time_zone,
    "json": json_reader,
    "notice": notice,
    "notification": notification,
    "copy in": copy_in,
    "copy out": copy_out,
    "wait callback": wait_callback,
    "cursor class": cursor_class,
    "lobject class": lobject_class,
    **{f"left {name}": left(name) for name in ("row_factory", "tzinfo_factory")},
    **{
        f"left {name}": left(name, on_connection=True)
        for name in ("notices", "notifies", "cursor_factory")
    },
    "left query": left_query,
    "codec": codec,
}

# ---- what is done there ------------------------------------------------------------------------

OPERATIONS = {
    "execute": lambda conn, cur: cur.execute("select generate_series(100, 104)"),
    "execute nothing": lambda conn, cur: cur.execute("set application_name to 'reentrance'"),
    "fail": lambda conn, cur: cur.execute("select 1 / 0"),
    "execute elsewhere": lambda conn, cur: conn.cursor().execute("select 1"),
    "fetchone": lambda conn, cur: cur.fetchone(),
    "fetchmany": lambda conn, cur: cur.fetchmany(3),
    "fetchall": lambda conn, cur: cur.fetchall(),
    "next": lambda conn, cur: next(cur, None),
    "scroll": lambda conn, cur: cur.scroll(0, "absolute"),
    "description": lambda conn, cur: cur.description,
    "executemany": lambda conn, cur: cur.executemany("select %s", [(1,), (2,)]),
    "executemany prepared": lambda conn, cur: insert_prepared(cur, [(1,), (2,)]),
    "mogrify": lambda conn, cur: cur.mogrify("select %s", (1,)),
    "callproc": lambda conn, cur: cur.callproc("abs", (-1,)),
    "copy out": lambda conn, cur: cur.copy_expert("copy (select 1) to stdout", io.StringIO()),
    "copy in": lambda conn, cur: cur.copy_from(io.StringIO("1\n"), "nowhere"),
    "lobject": lambda conn, cur: conn.lobject().write("a"),
    "tuples": lambda conn, cur: setattr(cur, "row_factory", None),
    "lists": lambda conn, cur: setattr(cur, "row_factory", lambda cursor: [None] * 9),
    "zones": lambda conn, cur: setattr(cur, "tzinfo_factory", None),
    "typecaster": lambda conn, cur: extensions.register_type(
        extensions.new_type((25, 23), "LATER", lambda text, _: text), cur
    ),
    "close": lambda conn, cur: cur.close(),
    "close all": lambda conn, cur: conn.close(),
    "commit": lambda conn, cur: conn.commit(),
    "rollback": lambda conn, cur: conn.rollback(),
    "block": lambda conn, cur: conn.__exit__(None, None, None),
    "autocommit": lambda conn, cur: setattr(conn, "autocommit", True),
    "reset": lambda conn, cur: conn.reset(),
    "cancel": lambda conn, cur: conn.cancel(),
    "poll": lambda conn, cur: conn.poll(),
    "encoding": lambda conn, cur: conn.set_client_encoding("LATIN1"),
    "notices": lambda conn, cur: setattr(conn, "notices", []),
    "status": lambda conn, cur: (conn.status, conn.info.transaction_status, conn.info.host),
    "two-phase": lambda conn, cur: conn.tpc_begin("reentrance"),
}


@pytest.mark.parametrize("name", PLACES)
def test_everything_is_done_in_the_middle_of_everything(connect, name):
    place = PLACES[name]
    for operation, act in OPERATIONS.items():
        conn = connect()
        cur = conn.cursor()
        seen = []

        def intrude(used=cur, conn=conn, act=act, seen=seen):
            if len(seen) < 2:
                seen.append(None)
                try:
                    act(conn, used)
                except psycoxide.Error as error:
                    seen[-1] = error

        with contextlib.suppress(psycoxide.Error):
            place(conn, cur, intrude)
        assert seen, f"{name} did not come to its place"
        still_works(conn, cur, f"{operation} in {name}")
        conn.close()


def still_works(conn, cur, where):
    """The connection is as open as it says, and cursors as well."""
    if conn.closed:
        return
    with contextlib.suppress(psycoxide.Error):
        conn.tpc_rollback()
    conn.rollback()
    conn.cursor_factory = None
    cursors = [conn.cursor()] if cur.closed else [conn.cursor(), cur]
    for used in cursors:
        used.row_factory = None
        used.execute("select 42::int8")
        assert used.fetchall() == [(42,)], where
