"""Open, break, cancel and drop thousands of connections, and see that nothing is left of them.

    python tests/torture/soak.py [SECONDS]

Threads, greenlets and forks take a third of the time each, in a process of their own that a
watchdog ends when it stands still. At the end of each there is no descriptor and no server session
more than at the beginning, and no more memory than a bound.
"""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import gc
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# Resident memory may grow by so much after the first rounds: what the allocator does not give back.
MOST_GROWTH_MB = 24

# Beyond a worker's own time, after which it stands still.
PATIENCE = 60


def main(seconds: float) -> int:
    import lab

    failed = 0
    with lab.lab() as description:
        for worker in WORKERS:
            env = {**os.environ, "TORTURE_LAB": json.dumps(description)}
            command = [sys.executable, __file__, worker, str(seconds / len(WORKERS))]
            failed |= subprocess.run(command, env=env, check=False).returncode != 0
    return int(failed)


def work(worker: str, seconds: float) -> int:
    """Run one worker: a third of its time to warm up, then the measured rest."""
    import support

    faulthandler.dump_traceback_later(seconds + PATIENCE, exit=True)
    count: collections.Counter[str] = collections.Counter()
    run = WORKERS[worker]
    run(seconds / 3, count)
    before = measure()
    run(seconds * 2 / 3, count)
    after = measure()
    grown = (after[1] - before[1]) / 1024
    left = support.wait_for(lambda: support.sessions("soak") == 0, 20)
    print(f"{worker}: {dict(sorted(count.items()))}; descriptors {before[0]} to {after[0]}", end="")
    print(f", memory {grown:+.1f} MB", flush=True)
    wrong = []
    if after[0] > before[0]:
        wrong.append("descriptors are left")
    if grown > MOST_GROWTH_MB:
        wrong.append("memory is left")
    if not left:
        wrong.append("server sessions are left")
    if count["unexpected"]:
        wrong.append("unexpected exceptions")
    if sum(count.values()) < 20:
        wrong.append("next to nothing was done")
    for what in wrong:
        print(f"{worker}: {what}", file=sys.stderr)
    return len(wrong)


def measure() -> tuple[int, int]:
    """Open descriptors, and resident memory in kB, once all is quiet."""
    import support

    support.wait_for(lambda: threading.active_count() <= 2, 10)
    gc.collect()
    # What was given up a moment ago may still be telling the server.
    descriptors = support.fds()
    for _ in range(20):
        time.sleep(0.1)
        descriptors = min(descriptors, support.fds())
    return descriptors, support.rss_kb()


# ---- what is done with a connection -----------------------------------------------------------


def query(conn, _proxy):
    cur = conn.cursor()
    cur.execute("select g, repeat('x', 100) from generate_series(1, 200) g")
    assert len(cur.fetchall()) == 200
    conn.commit()
    conn.close()


def drop(conn, _proxy):
    conn.cursor().execute("select 1")


def drop_in_a_cycle(conn, _proxy):
    cycle = [conn, conn.cursor("named")]
    cycle[1].execute("select generate_series(1, 1000)")
    cycle[1].fetchmany(5)
    cycle.append(cycle)


def copy(conn, _proxy):
    cur = conn.cursor()
    cur.execute("create temp table t (x text)")
    cur.copy_expert("copy t from stdin", io.StringIO("row\n" * 500))
    out = io.StringIO()
    cur.copy_expert("copy t to stdout", out)
    assert out.getvalue().count("\n") == 500


def copy_that_fails(conn, _proxy):
    class Bad(io.StringIO):
        def write(self, text):
            raise MemoryError("enough")

    with contextlib.suppress(MemoryError):
        conn.cursor().copy_expert("copy (select generate_series(1, 5000)) to stdout", Bad())
    assert conn.closed or not conn.rollback()


def cancel(conn, _proxy):
    import support

    support.later(0.02, lambda: quietly(conn.cancel))
    conn.cursor().execute("select pg_sleep(1)")


def lose(conn, proxy):
    import support

    how = random.choice(["fin", "rst"])
    support.later(0.02, lambda: [each.kill(how) for each in list(proxy.connections[-1:])])
    conn.cursor().execute("select pg_sleep(0.05), repeat('x', 1000) from generate_series(1, 20)")


def time_out(conn, _proxy):
    conn.operation_timeout = 0.02
    conn.cursor().execute("select pg_sleep(1)")


def quietly(function):
    import support

    with contextlib.suppress(support.db.Error):
        function()


USES = [query, query, drop, drop_in_a_cycle, copy, copy_that_fails, cancel, lose, time_out]


def use_one(chance: random.Random, proxy, count: collections.Counter[str]) -> None:
    """Connect, one way or the other, and do something with it."""
    import support
    from fixtures.relay import Fault, Plan

    use = chance.choice(USES)
    options = {"application_name": "soak", "connect_timeout": 5}
    if chance.random() < 0.3:
        options |= {"user": "u_ssl", "password": "pencil", "sslmode": "require"}
    if use is lose or chance.random() < 0.3:
        options["port"] = proxy.port
        cut = chance.randrange(3000) if chance.random() < 0.3 else None
        proxy.plan = Plan(to_client=Fault(cut_after=cut, how=chance.choice(["fin", "rst"])))
    if chance.random() < 0.1:
        options |= {"user": "u_scram", "password": "wrong", "sslmode": "prefer"}
    try:
        use(support.connect(**options), proxy)
        count[use.__name__] += 1
    except support.db.Error:
        count[f"{use.__name__}: error"] += 1
    except Exception as error:
        count["unexpected"] += 1
        print(f"{use.__name__}: {error!r}", file=sys.stderr, flush=True)
    proxy.connections[:-20] = []


# ---- who does it ------------------------------------------------------------------------------


def threads(seconds: float, count: collections.Counter[str]) -> None:
    """Eight threads, each with connections and a proxy of its own."""
    from support import relayed

    end = time.monotonic() + seconds

    def run(number: int) -> None:
        chance = random.Random(number)
        with relayed() as proxy:
            while time.monotonic() < end:
                use_one(chance, proxy, count)

    crew = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def greenlets(seconds: float, count: collections.Counter[str]) -> None:
    """Fifty greenlets, each of whose waits may be ended by a timeout."""
    import gevent
    from gevent.socket import wait_read, wait_write
    from support import connect, db, ext

    def wait(conn):
        while (state := conn.poll()) != ext.POLL_OK:
            (wait_read if state == ext.POLL_READ else wait_write)(conn.fileno())

    end = time.monotonic() + seconds

    def run(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            try:
                with gevent.Timeout(chance.choice([0.02, 0.2, 5])):
                    conn = connect(application_name="soak")
                    cur = conn.cursor()
                    cur.execute("select pg_sleep(%s), generate_series(1, 50)", (0.001,))
                    assert len(cur.fetchall()) == 50
                    if chance.random() < 0.5:
                        conn.close()
                    count["query"] += 1
            except gevent.Timeout:
                count["timeout"] += 1
            except db.Error:
                count["refused"] += 1
            except Exception as error:
                count["unexpected"] += 1
                print(repr(error), file=sys.stderr, flush=True)

    ext.set_wait_callback(wait)
    try:
        gevent.joinall([gevent.spawn(run, number) for number in range(50)])
    finally:
        ext.set_wait_callback(None)


def forks(seconds: float, count: collections.Counter[str]) -> None:
    """Children that use, drop and outlive what they inherit, or are killed."""
    from support import connect

    chance = random.Random(5)
    kept = [connect(application_name="soak"), connect(application_name="soak", sslmode="require")]
    cursors = [conn.cursor() for conn in kept]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        way = chance.choice(["exit", "drop", "killed", "own", "taken"])
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # no watchdog: its thread is not in the child
            in_child(way, kept, cursors)
        _, status = os.waitpid(child, 0)
        fine = os.WTERMSIG(status) == signal.SIGKILL if way == "killed" else status == 0
        if way == "taken":
            fine = fine and kept[0].closed == 2
            kept[0].close()
            kept[0] = connect(application_name="soak")
            cursors[0] = kept[0].cursor()
        count[way if fine else "unexpected"] += 1
        for number, cur in enumerate(cursors):
            cur.execute("select %s", (number,))
            assert cur.fetchone() == (number,)
    for conn in kept:
        conn.close()


def in_child(way: str, kept: list, cursors: list) -> None:
    from support import connect

    code = 1
    try:
        if way == "drop":
            kept.clear()
            cursors.clear()
            gc.collect()
        elif way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif way == "own":
            own = connect(application_name="soak").cursor()
            own.execute("select 1")
            assert own.fetchone() == (1,)
        elif way == "taken":
            cursors[0].execute("select 1")
            assert cursors[0].fetchone() == (1,)
        code = 0
    finally:
        os._exit(code)


WORKERS = {"threads": threads, "greenlets": greenlets, "forks": forks}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in WORKERS:
        sys.exit(work(sys.argv[1], float(sys.argv[2])))
    sys.exit(main(float(sys.argv[1]) if sys.argv[1:] else 30))
