"""The scenarios of psycogreen's tests, each in a process: `green_program.py HUB SCENARIO`.

HUB is gevent or eventlet. A scenario that fails ends with a traceback.
"""

import importlib
import sys
import time

HUB = sys.argv[1]
if HUB == "gevent":
    import gevent.monkey

    gevent.monkey.patch_all()
    import gevent as hub

    Timeout = hub.Timeout
else:
    import eventlet as hub

    hub.monkey_patch()
    Timeout = hub.Timeout

importlib.import_module(f"psycogreen.{HUB}").patch_psycopg()

import psycopg2  # noqa: E402
import psycopg2.extensions  # noqa: E402
import psycopg2.extras  # noqa: E402
import psycopg2.pool  # noqa: E402


def all_of(functions):
    """Run each function in a greenlet. Returns their results, or raises the first exception."""
    if HUB == "gevent":
        jobs = [hub.spawn(function) for function in functions]
        hub.joinall(jobs, raise_error=True)
        return [job.value for job in jobs]
    return [job.wait() for job in [hub.spawn(function) for function in functions]]


def one(query, *parameters):
    with psycopg2.connect("") as conn, conn.cursor() as cur:
        cur.execute(query, parameters)
        found = cur.fetchone()[0]
    conn.close()
    return found


def overlap():
    began = time.monotonic()
    assert all_of([lambda n=n: one("select %s from pg_sleep(1)", n) for n in range(40)]) == list(
        range(40)
    )
    took = time.monotonic() - began
    assert took < 15, f"40 sleeps of a second took {took:.1f} s"


def hammer():
    """Many greenlets on many connections, each with transactions of its own."""
    with psycopg2.connect("") as conn, conn.cursor() as cur:
        cur.execute("create table hammered (worker int, turn int, text text)")
    conn.close()

    def work(worker):
        conn = psycopg2.connect("")
        for turn in range(30):
            with conn, conn.cursor() as cur:
                cur.execute(
                    "insert into hammered values (%s, %s, %s) returning text",
                    (worker, turn, f"{worker}/{turn}" * (turn + 1)),
                )
                assert cur.fetchone() == (f"{worker}/{turn}" * (turn + 1),)
                if turn % 5 == 4:
                    conn.rollback()
        conn.close()

    all_of([lambda n=n: work(n) for n in range(30)])
    assert one("select count(*) from hammered") == 30 * 24


def large():
    def work(size):
        conn = psycopg2.connect("")
        cur = conn.cursor()
        cur.execute("select i, repeat('x', i %% 100) from generate_series(1, %s) i", (size,))
        assert sum(row[0] for row in cur) == size * (size + 1) // 2
        named = conn.cursor("named")
        named.execute("select generate_series(1, %s)", (size // 10,))
        assert sum(1 for _ in named) == size // 10
        conn.close()
        return size

    assert all_of([lambda n=n: work(20000 + n) for n in range(8)]) == list(range(20000, 20008))


def pool():
    shared = psycopg2.pool.ThreadedConnectionPool(2, 10, "")

    def work(n):
        conn = shared.getconn()
        try:
            cur = conn.cursor(cursor_factory=psycopg2.extras.DictCursor)
            cur.execute("select %s as n, pg_sleep(0.05)", (n,))
            return cur.fetchone()["n"]
        finally:
            shared.putconn(conn)

    for _ in range(5):
        assert all_of([lambda n=n: work(n) for n in range(10)]) == list(range(10))
    shared.closeall()


def errors():
    """An error of the server reaches its own greenlet, and only that."""

    def work(n):
        conn = psycopg2.connect("")
        conn.autocommit = True
        cur = conn.cursor()
        for turn in range(20):
            try:
                cur.execute("select 1 / %s", ((n + turn) % 2,))
            except psycopg2.errors.DivisionByZero:
                assert (n + turn) % 2 == 0
            else:
                assert (n + turn) % 2 == 1
        conn.close()

    all_of([lambda n=n: work(n) for n in range(20)])


def timeout():
    """A greenlet that is interrupted in a query loses its connection, and nobody else does."""
    other = psycopg2.connect("")
    conn = psycopg2.connect("")
    try:
        with Timeout(0.3):
            conn.cursor().execute("select pg_sleep(30)")
    except Timeout:
        pass
    else:
        raise AssertionError("the query came to an end")
    assert conn.closed
    cur = other.cursor()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)


def shared_connection():
    """Two greenlets at once on one connection: the second is refused, the first is served."""
    conn = psycopg2.connect("")

    def second():
        hub.sleep(0.2)
        try:
            conn.cursor().execute("select 2")
        except psycopg2.ProgrammingError as error:
            return str(error)
        return None

    def first():
        cur = conn.cursor()
        cur.execute("select 1 from pg_sleep(0.6)")
        return cur.fetchone()[0]

    served, refused = all_of([first, second])
    assert served == 1
    assert refused is not None and "asynchronous query" in refused, refused


def notify():
    """LISTEN in one greenlet, NOTIFY in another."""
    listener = psycopg2.connect("")
    listener.autocommit = True
    cur = listener.cursor()
    cur.execute("listen clients")

    def listen():
        end = time.monotonic() + 10
        while not listener.notifies and time.monotonic() < end:
            psycopg2.extensions.get_wait_callback()
            hub.sleep(0.02)
            listener.poll()
        return listener.notifies.pop(0).payload

    def tell():
        hub.sleep(0.2)
        return one("select pg_notify('clients', 'hello')::text")

    assert all_of([listen, tell])[0] == "hello"


if __name__ == "__main__":
    {
        function.__name__: function
        for function in (
            overlap, hammer, large, pool, errors, timeout, shared_connection, notify,
        )
    }[sys.argv[2]]()  # fmt: skip
