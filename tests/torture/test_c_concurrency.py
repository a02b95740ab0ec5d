"""C: threads, fork, garbage collection, interpreter shutdown."""

import gc
import threading
import time

from fixtures.scripted_server import ScriptedServer
from support import File, check, child, connect, db, dial, fds, sessions, wait_for, within


@check(timeout=60, loops="both")
def test_c01_threads_on_one_connection_get_their_own_answers(conn):
    """8 threads share a connection, each with its own cursor: answers never mixed; committer
    thread beside
    """
    bad, done = [], []
    stop = threading.Event()

    def worker(k):
        try:
            for i in range(150):
                cur = conn.cursor()
                v = f"{k}-{i}-" + "x" * (i % 50)
                cur.execute("select %s, %s, g from generate_series(1, %s) g", (k, v, 1 + i % 7))
                rows = cur.fetchall()
                if len(rows) != 1 + i % 7 or any(r[:2] != (k, v) for r in rows):
                    bad.append((k, i, rows[:2]))
        except BaseException as e:
            bad.append((k, repr(e)))
        done.append(k)

    def committer():
        while not stop.is_set():
            try:
                conn.commit()
            except db.Error as e:
                bad.append(repr(e))

    ts = [threading.Thread(target=worker, args=(k,), daemon=True) for k in range(8)]
    tc = threading.Thread(target=committer, daemon=True)
    for t in [*ts, tc]:
        t.start()
    for t in ts:
        t.join(50)
    stop.set()
    tc.join(5)
    assert len(done) == 8 and not tc.is_alive(), "deadlock"
    assert not bad, bad[:3]
    assert not any("WARNING" in n for n in conn.notices), conn.notices[:3]


@check(timeout=40, loops="both")
def test_c02_close_while_another_thread_queries():
    """close() while another thread is inside a query: both return in bounded time, no crash"""
    p = child(
        """
        for sub in range(4):
            c = connect()
            out = []
            def run():
                try:
                    c.cursor().execute("select pg_sleep(2)"); out.append("ok")
                except db.Error as e: out.append(type(e).__name__)
            t = threading.Thread(target=run, daemon=True); t.start()
            time.sleep(0.3)
            c.close()
            t.join(10)
            assert not t.is_alive() and c.closed
            print(out)
    """,
        timeout=35,
    )
    assert p.out.count("[") == 4


FORK = """
    kw = {kw}
    c = connect(**kw)
    cur = c.cursor(); cur.execute("select pg_backend_pid()"); pid = cur.fetchone()
    for how in ("exit", "gc", "sysexit"):
        k = os.fork()
        if k == 0:
            if how == "exit": del cur, c; gc.collect(); os._exit(0)
            if how == "gc":
                del cur; c = None; gc.collect(); time.sleep(0.1); os._exit(0)
            sys.exit(0)
        os.waitpid(k, 0)
        time.sleep(0.1)
        cur.execute("select pg_backend_pid(), %s", (how,))
        assert cur.fetchone() == (pid[0], how)
        c.commit()
    # a child may open a connection of its own
    k = os.fork()
    if k == 0:
        c2 = connect(**kw); x = c2.cursor(); x.execute("select 7")
        os._exit(0 if x.fetchone() == (7,) else 9)
    assert os.waitpid(k, 0)[1] == 0
    cur.execute("select 1"); assert cur.fetchone() == (1,)
"""


@check(timeout=30, loops="both")
def test_c03_a_forks_end_leaves_the_parents_session():
    """fork after connect: the child's exit or garbage collection leaves the parent's session"""
    child(FORK.format(kw="{}"), timeout=20)


@check(timeout=60, loops="both")
def test_c05_dropped_connections_leave_nothing_behind():
    """150 connections dropped without close(), in cycles and in other threads: sessions and fds
    come back
    """
    connect().close()  # an event loop has descriptors of its own
    n0 = fds()

    class Node:
        pass

    def drop(n):
        for i in range(n):
            x = Node()
            x.me = x
            x.c = connect(application_name="t_c05", **({} if i % 3 else dict(sslmode="require")))
            x.cur = x.c.cursor()
            x.cur.execute("select 1")

    drop(50)
    ts = [threading.Thread(target=drop, args=(25,)) for _ in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join(30)
    gc.collect()
    assert wait_for(lambda: sessions("t_c05") == 0, 8), f"{sessions('t_c05')} sessions left"
    assert fds() <= n0 + 2, (n0, fds())


@check(timeout=60, loops="both")
def test_c06_the_interpreters_exit_is_clean():
    """interpreter exit with open connections and a daemon thread blocked in a query: clean exit,
    quick
    """
    for body in (
        """
        c = connect(); cur = c.cursor(); cur.execute("select 1")
        """,
        """
        c = connect(user="u_ssl", password="pencil", sslmode="require")
        def run():
            k = c.cursor()
            while True: k.execute("select pg_sleep(0.01)")
        threading.Thread(target=run, daemon=True).start(); time.sleep(0.3)
        """,
        """
        c = connect()
        def sleep(): c.cursor().execute("select pg_sleep(15)")
        threading.Thread(target=sleep, daemon=True).start(); time.sleep(0.3)
        """,
        """
        class Late:
            def __init__(self): self.c = connect()
            def __del__(self):
                try: self.c.cursor().execute("select 1"); self.c.commit()
                except Exception: pass
        import builtins; builtins.late = Late(); cyc = [Late()]; cyc.append(cyc)
        """,
        """
        import atexit
        c = connect(); atexit.register(lambda: c.cursor().execute("select 1"))
        """,
    ):
        with within(8):
            p = child(body, timeout=10)
        assert "Fatal" not in p.err and "panick" not in p.err, p.err


@check(timeout=40)
def test_c07_the_interpreter_lock_is_released_in_every_wait(conn):
    """the interpreter lock is released during query, connect, commit, fetch from cursor, COPY"""
    n = [0]
    stop = []

    def tick():
        while not stop:
            n[0] += 1
            time.sleep(0.005)

    threading.Thread(target=tick, daemon=True).start()

    def ran(fn, name):
        a, t0 = n[0], time.monotonic()
        fn()
        dt = time.monotonic() - t0
        share = (n[0] - a) / (dt / 0.0065)
        assert dt > 0.3 and share > 0.3, (
            f"{name}: other thread ran {share:.2f} of its share in {dt:.2f} s"
        )

    cur = conn.cursor()
    ran(lambda: cur.execute("select pg_sleep(0.6)"), "execute")
    ran(
        lambda: cur.copy_expert(
            "copy (select pg_sleep(0.6)) to stdout", File(write=lambda i, d: None)
        ),
        "copy to",
    )
    named = conn.cursor("n")
    named.execute("select pg_sleep(0.6)")
    ran(named.fetchall, "named fetch")
    named.close()
    cur.execute(
        "create temp table d (x int); create function pg_temp.f() returns trigger "
        "language plpgsql as 'begin perform pg_sleep(0.6); return null; end'; "
        "create constraint trigger t after insert on d deferrable initially deferred "
        "for each row execute function pg_temp.f(); insert into d values (1)"
    )
    ran(conn.commit, "commit")
    with ScriptedServer(greet=lambda c: time.sleep(0.6)) as srv:
        ran(lambda: dial(**srv.options()), "connect")
    stop.append(1)


@check(timeout=20)
def test_c09_a_cursor_keeps_its_connection_alive():
    """a cursor keeps its connection alive; a connection dropped during iteration does not end it"""
    cur = connect().cursor()
    gc.collect()
    cur.execute("select g from generate_series(1, 1000) g")
    assert sum(r[0] for r in cur) == 500500
    k = connect().cursor("srv")
    k.itersize = 7
    k.execute("select g from generate_series(1, 100) g")
    gc.collect()
    assert sum(r[0] for r in k) == 5050


@check(timeout=60, loops="both")
def test_c10_callbacks_that_yield_to_threads_invert_no_lock():
    """Python code inside the driver (typecaster, adapter, notice list) that yields to a thread
    using the same connection: no lock inversion
    """
    child(
        """
        c = connect()
        def cast(v, cur): time.sleep(0.002); return v
        ext.register_type(ext.new_type((25,), "T", cast), c)
        class A:
            def __conform__(self, p): return self
            def prepare(self, conn): time.sleep(0.002)
            def getquoted(self): time.sleep(0.002); return b"1"
        bad = []
        def work():
            try:
                for i in range(60):
                    k = c.cursor()
                    k.execute("select 'a'::text, %s", (A(),))
                    assert k.fetchall() == [("a", 1)]
                    k.execute("do $$ begin raise notice 'n'; end $$")
                    if i % 5 == 0: c.commit()
            except BaseException as e: bad.append(e)
        ts = [threading.Thread(target=work, daemon=True) for _ in range(5)]
        [t.start() for t in ts]; [t.join(30) for t in ts]
        assert not any(t.is_alive() for t in ts), "deadlock"
        assert not bad, bad
    """,
        timeout=45,
    )


@check(level="beyond", timeout=60, loops="both")
def test_c11_copy_beside_statements_of_other_threads():
    """COPY in one thread while others run statements on the same connection: whole answers,
    nothing lost
    """
    p = child(
        """
        import io
        c = connect()
        k = c.cursor(); k.execute("create temp table t (x int)"); c.commit()
        bad, stop = [], []
        def other():
            while not stop:
                try:
                    k = c.cursor(); k.execute("select 'a', g from generate_series(1, 5) g")
                    if k.fetchall() != [("a", i) for i in range(1, 6)]: bad.append("mixed rows")
                except db.Error as e: bad.append(repr(e)[:80]); time.sleep(0.01)
        ts = [threading.Thread(target=other, daemon=True) for _ in range(3)]
        [t.start() for t in ts]
        for r in range(5):
            out = []
            def wr(i, d): out.append(d); time.sleep(0)
            try:
                source = "copy (select g from generate_series(1, 3000) g) to stdout"
                c.cursor().copy_expert(source, File(write=wr))
                data = b"".join(x if isinstance(x, bytes) else x.encode() for x in out)
                if data.split() != [b"%d" % i for i in range(1, 3001)]: bad.append("copy out wrong")
            except db.Error as e: bad.append("copy: " + repr(e)[:80])
            try:
                def rd(i, n):
                    time.sleep(0)
                    return f"{i}\\n" if i <= 2000 else ""
                c.cursor().copy_expert("copy t from stdin", File(read=rd))
            except db.Error as e: bad.append("copyin: " + repr(e)[:80])
        stop.append(1); [t.join(10) for t in ts]
        if any(t.is_alive() for t in ts): bad.append("deadlock")
        else:
            try: c.rollback() if bad else c.commit()
            except db.Error as e: bad.append("stuck after: " + repr(e)[:80])
        print(len(bad), sorted(set(bad))[:4])
        os._exit(0)
    """,
        timeout=45,
    )
    assert p.out.splitlines()[-1].startswith("0 "), p.out
