"""Shared helpers: the driver under test, the lab's addresses, measuring tools."""

import contextlib
import gc
import importlib
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import ways
from fixtures.relay import Plan, Relay
from fixtures.scripted_server import encrypting
from ways import is_blocking as is_blocking, sampled as sampled

HERE = os.path.dirname(os.path.abspath(__file__))

# What `lab.py` set up, as it described it; nothing while the checks are only collected.
LAB = json.loads(os.environ.get("TORTURE_LAB", "{}"))
PORT = LAB.get("port")
BPORT = LAB.get("bouncer_port")
PSQL = LAB.get("psql")
SOCK = LAB.get("sockets")
CERTS = LAB.get("certificates")
DRIVER = os.environ.get("TORTURE_DRIVER", "psycoxide")

db = importlib.import_module(DRIVER)
ext = importlib.import_module(DRIVER + ".extensions")
extras = importlib.import_module(DRIVER + ".extras")
errors = importlib.import_module(DRIVER + ".errors")
sql = importlib.import_module(DRIVER + ".sql")

# What a hostile *value* may raise; a hostile *message* may only raise db.Error.
VALUE_ERRORS = (db.Error, ValueError, OverflowError, ArithmeticError)


def check(level="parity", timeout=30, alone=False, loops=None):
    """Makes a function a check; its id is the first word of its name.

    `level` is "parity" (psycopg2 is meant to pass too) or "beyond" (psycoxide must do better than
    psycopg2), `timeout` the seconds it may take, `alone` says that it disturbs every other check:
    it crashes the server, or measures what a busy machine would spoil. `loops` says whether it is
    also run on psycoxide.aio (see ways.py): "both" with asyncio and with uvloop, "either" with one
    of them, where what is checked has little to do with the loop.
    """

    def deco(f):
        f = pytest.mark.timeout(timeout, method="thread")(f)
        return pytest.mark.check(level=level, timeout=timeout, alone=alone, loops=loops)(f)

    return deco


def cert(name):
    return os.path.join(CERTS, name)


def serving(name, **versions):
    """TLS of a server that shows this certificate."""
    return encrypting(cert(f"{name}.crt"), cert(f"{name}.key"), **versions)


def relayed(plan: Plan | None = None) -> Relay:
    """A relay before the server, which injects faults."""
    return Relay(("127.0.0.1", PORT), plan)


def base(**kw):
    d = dict(host="127.0.0.1", port=PORT, user="torture", dbname="torture", sslmode="disable")
    d.update(kw)
    return {k: v for k, v in d.items() if v is not None}


def dial(*args, **options):
    """Connects, in the way of calling that this process has."""
    if is_blocking():
        return db.connect(*args, **options)
    return ways.connect(*args, **options)


def connect(**kw):
    """Connects to the lab's server."""
    return dial(**base(**kw))


def gone():
    """What a call on a connection that was lost raises."""
    return db.InterfaceError if is_blocking() else (db.InterfaceError, db.OperationalError)


def takes_connections():
    try:
        connect(connect_timeout=2).close()
        return True
    except db.OperationalError:
        return False


def psql(sqltext, dbname="torture", check_rc=True):
    where = ["-h", SOCK, "-p", str(PORT), "-U", "torture", "-d", dbname]
    p = subprocess.run(
        [PSQL, "-X", "-q", "-A", "-t", *where, "-v", "ON_ERROR_STOP=1"],
        input=sqltext,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if check_rc:
        assert p.returncode == 0, p.stderr
    return p.stdout.strip()


def later(delay, fn, *a):
    t = threading.Timer(delay, fn, a)
    t.daemon = True
    t.start()
    return t


@contextlib.contextmanager
def within(seconds, at_least=0.0):
    t0 = time.monotonic()
    yield
    dt = time.monotonic() - t0
    assert dt <= seconds, f"took {dt:.1f} s, limit {seconds} s"
    assert dt >= at_least, f"took only {dt:.2f} s, expected at least {at_least} s"


def rss_kb():
    with open("/proc/self/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def reset_peak():
    gc.collect()
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
    return rss_kb()


def peak_kb():
    with open("/proc/self/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


@contextlib.contextmanager
def memory_bound(mb):
    """Peak resident growth inside the block stays below mb."""
    before = reset_peak()
    yield
    grown = (peak_kb() - before) / 1024
    assert grown <= mb, f"resident memory grew by {grown:.0f} MB, bound {mb} MB"


def fds():
    return len(os.listdir("/proc/self/fd"))


def sessions(app):
    return int(psql(f"select count(*) from pg_stat_activity where application_name = '{app}'"))


def wait_for(fn, seconds=5.0, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fn():
            return True
        time.sleep(step)
    return False


PREAMBLE = """
import faulthandler, gc, importlib, os, signal, sys, threading, time
faulthandler.enable()
# A runner in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [{here!r}, {tests!r}]
from support import *
"""


def child(code, timeout=20, env=None, ok=True, preexec_fn=None, prefix=()):
    """Runs a script with the driver in a process of its own: crash, hang and
    exit status are observable."""
    src = PREAMBLE.format(here=HERE, tests=os.path.dirname(HERE)) + textwrap.dedent(code)
    e = dict(os.environ, **(env or {}))
    p = subprocess.Popen(
        [*prefix, sys.executable, "-c", src],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=e,
        preexec_fn=preexec_fn,
    )
    try:
        out, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        pytest.fail(
            f"HANG: child did not end in {timeout} s\nstdout: {out[-2000:]}\nstderr: {err[-2000:]}"
        )
    if ok:
        assert p.returncode == 0, (
            f"child exit {p.returncode}\nstdout: {out[-2000:]}\nstderr: {err[-3000:]}"
        )
    p.out, p.err = out, err
    return p


def usable(conn):
    """The connection answers after a rollback."""
    conn.rollback()
    cur = conn.cursor()
    cur.execute("select 41 + 1")
    ok = cur.fetchone() == (42,)
    conn.rollback()
    return ok


def usable_or_closed(conn, seconds=5):
    """After a failure a connection is either usable again or says it is closed."""
    if conn.closed:
        return True
    try:
        return usable(conn)
    except db.Error:
        return bool(conn.closed)


def settled(buf, quiet=0.12):
    """Length of a recorder once nothing has been added for a while."""
    n = -1
    while n != len(buf):
        n = len(buf)
        time.sleep(quiet)
    return n


class File:
    """A file-like object driven by callables, for COPY."""

    def __init__(self, read=None, write=None):
        self._read, self._write, self.reads, self.writes = read, write, 0, 0

    def read(self, n=-1):
        self.reads += 1
        return self._read(self.reads, n)

    def readline(self):
        return self.read()

    def write(self, data):
        self.writes += 1
        return self._write(self.writes, data)
