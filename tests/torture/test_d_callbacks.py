"""D: exceptions and re-entrancy in the user's own code called by the driver."""

import contextlib
import gc

import pytest
from support import (
    File,
    base,
    check,
    child,
    connect,
    db,
    dial,
    errors,
    ext,
    fds,
    memory_bound,
    psql,
    sessions,
    usable,
    usable_or_closed,
    wait_for,
    within,
)


class Boom(Exception):
    pass


@pytest.fixture
def tab():
    psql("drop table if exists d_t; create table d_t (x text)")
    return "d_t"


@check(timeout=20)
def test_d01_a_read_that_raises_stores_no_rows(conn, tab):
    """read() raises in COPY FROM: an error naming it, no rows, connection usable; also with text
    files
    """
    for kind in (
        Boom("my bad"),
        UnicodeDecodeError("utf8", b"\xff", 0, 1, "x"),
        db.ProgrammingError("inner"),
    ):

        def rd(i, n, kind=kind):
            if i == 3:
                raise kind
            return "a\n" * 100

        for mode in ("disable", "require"):
            c = connect(sslmode=mode)
            with within(5), pytest.raises((type(kind), db.Error)) as ei:
                c.cursor().copy_expert(f"copy {tab} from stdin", File(read=rd))
            if isinstance(ei.value, errors.QueryCanceled):
                assert type(kind).__name__ in str(ei.value)
            assert c.closed == 0 and usable(c)
    assert psql(f"select count(*) from {tab}") == "0"


@check(timeout=30)
def test_d02_what_a_write_raises_comes_out():
    """write() raises in COPY TO: the exception itself comes out; connection usable, or closed -
    never stuck
    """
    for n, rows in ((1, 10), (3, 200_000)):
        c = connect()

        def wr(i, d):
            if i == n:
                raise Boom("disk full")

        with within(10), pytest.raises(Boom):
            c.cursor().copy_expert(
                f"copy (select repeat('x', 100) from generate_series(1, {rows})) to stdout",
                File(write=wr),
            )
        with within(10):
            assert usable_or_closed(c)


@check(timeout=20)
def test_d03_a_read_that_returns_nonsense_gets_nothing_stuck(tab):
    """read() returns nonsense (None, int, too much, half characters): error or right data, never
    stuck
    """
    for val in (None, 7, object(), ["x\n"]):
        c = connect()
        with within(5), pytest.raises((TypeError, AttributeError, db.Error)):
            c.cursor().copy_expert(
                f"copy {tab} from stdin", File(read=lambda i, n: val if i == 2 else "a\n")
            )
        assert usable_or_closed(c)
    c = connect()
    big = "é" * 300_000 + "\n"
    try:
        c.cursor().copy_expert(
            f"copy {tab} from stdin", File(read=lambda i, n: big if i == 1 else ""), 1000
        )
        c.commit()
        assert psql(f"select length(x) from {tab}") == "300000"
    except db.Error:
        assert usable_or_closed(c)


@check(timeout=20)
def test_d04_a_typecaster_that_raises_leaves_the_connection_usable(conn):
    """typecaster raises at row k, client and server-side cursor, all fetch methods: itself, then
    usable
    """

    def cast(v, cur):
        if v == "7":
            raise Boom(v)
        return v

    ext.register_type(ext.new_type((23,), "B", cast), conn)
    cur = conn.cursor()
    for fetch in (lambda c: c.fetchall(), lambda c: c.fetchmany(50), lambda c: list(c)):
        cur.execute("select g from generate_series(1, 20) g")
        with pytest.raises(Boom):
            fetch(cur)
    cur.execute("select 1::bigint")
    assert cur.fetchone() == (1,)
    k = conn.cursor("srv")
    k.itersize = 5
    k.execute("select g from generate_series(1, 20) g")
    with pytest.raises(Boom):
        for _r in k:
            pass
    ext.register_type(ext.INTEGER, conn)
    assert usable(conn)


@check(timeout=20, loops="either")
def test_d05_an_adapter_that_fails_sends_nothing(conn):
    """adapter raises (adapt, conform, prepare, getquoted) or returns garbage: itself or TypeError,
    nothing sent
    """

    class Bad:
        def __init__(self, where):
            self.where = where

        def __conform__(self, proto):
            if self.where == "conform":
                raise Boom()
            return self

        def prepare(self, c):
            if self.where == "prepare":
                raise Boom()

        def getquoted(self):
            if self.where == "getquoted":
                raise Boom()
            return {"int": 7, "none": None, "list": []}.get(self.where, b"1")

    cur = conn.cursor()
    cur.execute("create temp table n (x int)")
    conn.commit()
    for w in ("conform", "prepare", "getquoted"):
        with pytest.raises((Boom, db.ProgrammingError)):
            cur.execute("insert into n values (%s)", (Bad(w),))
        with pytest.raises((Boom, db.ProgrammingError)):
            cur.execute("insert into n values (%(a)s)", {"a": [1, Bad(w)]})
    for w in ("int", "none", "list"):
        with pytest.raises((TypeError, ValueError, db.Error, AttributeError)):
            cur.execute("insert into n values (%s)", (Bad(w),))
    conn.rollback()
    cur.execute("select count(*) from n")
    assert cur.fetchone() == (0,)

    class Len:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            raise Boom()

    with pytest.raises(Boom):
        cur.execute("select %s, %s, %s", Len())
    assert usable(conn)


@check(timeout=60)
def test_d06_a_copy_callback_on_the_same_connection_does_not_hang():
    """a COPY callback that uses the same connection: an error or an answer in bounded time, no
    deadlock
    """
    for snippet in (
        "c.cursor().copy_expert('copy (select 1 from generate_series(1,9)) to stdout', "
        "File(write=lambda i, d: c.cursor().execute('select 1')))",
        "c.cursor().copy_expert('copy d_t from stdin', "
        "File(read=lambda i, n: c.commit() or 'a\\\\n'))",
        "c.cursor().copy_expert('copy (select 1) to stdout', File(write=lambda i, d: c.close()))",
    ):
        psql("create table if not exists d_t (x text)")
        p = child(
            f"""
            c = connect()
            try:
                {snippet}
                print("no error")
            except db.Error as e: print("error", type(e).__name__)
            print(usable_or_closed(c))
        """,
            timeout=8,
        )
        assert "error" in p.out and "True" in p.out, (snippet, p.out)


@check(timeout=30, loops="either")
def test_d07_copy_through_execute_is_refused(tab):
    """COPY through execute(): ProgrammingError, nothing stored, connection usable (also with much
    data)
    """
    for q in (
        f"copy {tab} from stdin",
        f"copy {tab} to stdout",
        "copy (select repeat('x',100) from generate_series(1,100000)) to stdout",
        f"select 1; copy {tab} from stdin; select 2",
        "copy (select 1) to stdout; select 2",
    ):
        c = connect()
        with within(10), pytest.raises(db.Error):
            c.cursor().execute(q)
        assert usable_or_closed(c), q
        c.close()


@check(level="beyond", timeout=60)
def test_d11_copy_from_stops_reading_after_a_refusal(conn, tab):
    """COPY FROM after the server refused a row: reading the source stops soon, memory bounded"""
    cur = conn.cursor()
    cur.execute("create temp table ints (x int)")
    conn.commit()
    f = File(read=lambda i, n: "not a number\n" * 600 if i <= 40_000 else "")  # 312 MB
    with memory_bound(150), within(30), pytest.raises(errors.InvalidTextRepresentation):
        cur.copy_expert("copy ints from stdin", f)
    assert f.reads < 20_000, f"{f.reads} reads although the first row was refused"
    assert usable(conn)


@check(timeout=20)
def test_d12_subclasses_that_raise_leave_no_session(conn):
    """cursor_factory / connection_factory subclasses whose __init__ or methods raise: clean, no
    session left
    """

    class C(ext.connection):
        def __init__(self, *a, **k):
            super().__init__(*a, **k)
            raise Boom()

    n0 = fds()
    for _i in range(5):
        with pytest.raises(Boom):
            dial(**base(application_name="t_d12"), connection_factory=C)
    gc.collect()
    assert wait_for(lambda: sessions("t_d12") == 0, 5)

    class Cur(ext.cursor):
        def __init__(self, *a, **k):
            raise Boom()

    with pytest.raises(Boom):
        conn.cursor(cursor_factory=Cur)

    class NoInit(ext.cursor):
        def __init__(self, *a, **k):
            pass

    k = None
    try:
        k = conn.cursor(cursor_factory=NoInit)
        k.execute("select 1")
    except db.Error:
        pass
    for meth in ("fetchone", "close", "fetchall"):
        with contextlib.suppress(db.Error, TypeError, AttributeError):
            getattr(NoInit.__new__(NoInit), meth)()
    x = ext.connection.__new__(ext.connection)
    for meth in ("cursor", "close", "commit", "cancel", "poll", "fileno"):
        with contextlib.suppress(db.Error, TypeError, AttributeError):
            getattr(x, meth)()
    for attr in ("notices", "encoding", "closed", "status", "autocommit", "info", "dsn"):
        try:
            getattr(x, attr)
            repr(x)
        except (db.Error, TypeError, AttributeError):
            pass
    assert usable(conn) and fds() <= n0 + 4
