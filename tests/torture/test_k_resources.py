"""K: leaks and memory bounds."""

import contextlib
import gc

from support import (
    File,
    check,
    connect,
    db,
    extras,
    fds,
    is_blocking,
    memory_bound,
    rss_kb,
    sessions,
)


def steady(fn, rounds, mb, objs=200, warm=0.2):
    """fn repeated: resident memory, fds and gc-tracked objects stay level after a warm-up."""
    for _ in range(max(20, int(rounds * warm))):
        fn()
    gc.collect()
    a, f, o = rss_kb(), fds(), len(gc.get_objects())
    for _ in range(rounds):
        fn()
    gc.collect()
    grown = (rss_kb() - a) / 1024
    assert fds() <= f + 1, f"fds {f} -> {fds()}"
    assert len(gc.get_objects()) - o < objs, f"objects +{len(gc.get_objects()) - o}"
    assert grown < mb, f"memory +{grown:.1f} MB in {rounds} rounds"


@check(timeout=90, loops="either")
def test_k01_connections_leak_nothing():
    """1500 connect/query/close, plain and TLS: no fd, object or memory growth"""

    def one(**kw):
        c = connect(**kw)
        k = c.cursor()
        k.execute("select 1")
        k.fetchall()
        c.close()

    part = 1 if is_blocking() else 4
    steady(one, 1000 // part, 8)
    steady(lambda: one(user="u_ssl", password="pencil", sslmode="require"), 300 // part, 12)


@check(timeout=60, loops="either")
def test_k02_failing_connects_leak_nothing(refusing):
    """1000 failing connects (refused, bad password, cut, bad DSN): nothing left"""

    def bad():
        for kw in (
            dict(port=refusing),
            dict(user="u_scram", password="x"),
            dict(user="u_scram", password="x", sslmode="require"),
            dict(nosuch=1),
            dict(dbname="nodb"),
        ):
            with contextlib.suppress(db.Error):
                connect(**kw)

    steady(bad, 200 if is_blocking() else 50, 10)
    assert sessions("") < 100


@check(timeout=90, loops="either")
def test_k03_statements_and_errors_leak_nothing(conn):
    """40 000 statements, 10 000 errors, 3000 notices and notifications, adapters, typecasters:
    memory and objects level
    """
    cur = conn.cursor()
    cur.execute("listen k03")
    conn.commit()

    def ok():
        cur.execute("select %s, %s, %s, null, %s", (1, "é" * 50, [1, 2, None], {"a": 1}.get("b")))
        cur.fetchall()
        if is_blocking():
            cur.mogrify("select %s", ("x",))

    def err():
        try:
            cur.execute("select 1/0, %s", ("x" * 200,))
        except db.Error as e:
            str(e), e.diag.message_primary, e.pgcode
        conn.rollback()

    def note():
        cur.execute("do $$ begin raise notice 'n'; end $$; notify k03, 'x'")
        conn.commit()
        conn.poll()
        conn.notifies.clear()

    def nt():
        k = conn.cursor(cursor_factory=extras.NamedTupleCursor)
        k.execute("select 1 as a, 2 as b")
        k.fetchall()
        d = conn.cursor(cursor_factory=extras.RealDictCursor)
        d.execute("select 1 as a")
        d.fetchall()

    part = 1 if is_blocking() else 4
    steady(ok, 20_000 // part, 6)
    steady(err, 5000 // part, 6)
    steady(note, 1500 // part, 6)
    if is_blocking():
        steady(nt, 2000, 6)


@check(timeout=90)
def test_k04_a_named_cursor_over_many_rows_takes_little_memory(conn):
    """server-side cursor over 1.5 million rows (180 MB): memory under 40 MB"""
    k = conn.cursor("big")
    k.itersize = 5000
    k.execute("select g, repeat('x', 100) from generate_series(1, 1500000) g")
    n = 0
    with memory_bound(40):
        for _r in k:
            n += 1
    assert n == 1_500_000


@check(timeout=90, loops="either")
def test_k05_copies_stream_in_little_memory(conn):
    """COPY TO 300 MB and COPY FROM 200 MB as streams: memory under 40 MB; server that stops
    reading: writer waits, no growth
    """
    cur = conn.cursor()
    got = [0]
    with memory_bound(40):
        cur.copy_expert(
            "copy (select repeat('x', 1000) from generate_series(1, 300000)) to stdout",
            File(write=lambda i, d: got.__setitem__(0, got[0] + len(d))),
        )
    assert got[0] == 300_000 * 1001
    cur.execute("create temp table k (x text)")
    chunk = ("y" * 999 + "\n") * 8
    with memory_bound(60):
        cur.copy_expert("copy k from stdin", File(read=lambda i, n: chunk if i <= 25_000 else ""))
    cur.execute("select count(*) from k")
    assert cur.fetchone() == (200_000,)


@check(timeout=60, loops="either")
def test_k07_a_million_rows_take_no_more_than_psycopg2(conn):
    """1 million rows in the client: memory per row not above psycopg2's (measured: 400 MB peak),
    all given back
    """
    cur = conn.cursor()
    gc.collect()
    a = rss_kb()
    with memory_bound(400):
        cur.execute("select g, 'abc' || g, g * 1.5 from generate_series(1, 1000000) g")
        rows = cur.fetchall()
    assert len(rows) == 1_000_000 and rows[-1][0] == 1_000_000
    del rows
    cur.close()
    conn.rollback()
    gc.collect()
    cur = conn.cursor()
    cur.execute("select 1")
    assert (rss_kb() - a) / 1024 < 120, f"{(rss_kb() - a) / 1024:.0f} MB kept"


@check(level="beyond", timeout=60, loops="either")
def test_k09_kept_exceptions_are_collected(conn):
    """exceptions kept with their diag, cursor and pickled copy (reference cycles): all collected
    (psycopg2 #557, open: leaks 3 objects each)
    """
    import pickle

    cur = conn.cursor()

    def one():
        try:
            cur.execute("do $$ begin raise exception '%', repeat('x', 5000); end $$")
        except db.Error as e:
            diag, _keep, _k = e.diag, e, e.cursor
            assert diag.message_primary
            pickle.loads(pickle.dumps(e))
        conn.rollback()

    steady(one, 4000 if is_blocking() else 1000, 8)
