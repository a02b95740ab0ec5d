"""Of the processes that a fork leaves with a connection, the first to use it has it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from pathlib import Path

import pytest
from fixtures.connections import wait_for, waiting
from fixtures.forks import Peer, forked, in_child

import psycoxide
from psycoxide import extensions, extras, pool

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork()")


def usable(conn) -> bool:
    with conn.cursor() as cur:
        cur.execute("select 42")
        return cur.fetchone() == (42,)


def refused(use, by: int) -> None:
    """Whoever comes too late is told why, and that the connection is of no use to it."""
    with pytest.raises(psycoxide.InterfaceError, match=rf"fork.*process {by} was the first"):
        use()


USES = {
    "execute": lambda conn: conn.cursor().execute("select 1"),
    "executemany": lambda conn: conn.cursor().executemany("select %s", [(1,)]),
    "named cursor": lambda conn: conn.cursor("name").execute("select 1"),
    "commit": lambda conn: conn.commit(),
    "rollback": lambda conn: conn.rollback(),
    "with": lambda conn: conn.__enter__().cursor().execute("select 1"),
    "cancel": lambda conn: conn.cancel(),
    "reset": lambda conn: conn.reset(),
    "poll": lambda conn: conn.poll(),
    "set_client_encoding": lambda conn: conn.set_client_encoding("LATIN1"),
    "set_isolation_level": lambda conn: conn.set_isolation_level(0),
    "tpc_recover": lambda conn: conn.tpc_recover(),
    "lobject": lambda conn: conn.lobject(),
    "copy": lambda conn: conn.cursor().copy_expert("copy (select 1) to stdout", io.StringIO()),
}


@pytest.fixture(params=["tcp", "tls", "unix"])
def any_conn(request, connect, dsn, server):
    """A connection of each kind: what encrypts one is in a state that both processes have."""
    if request.param == "tls":
        if not server.tls:
            pytest.skip("the server has no TLS")
        return connect(dsn, sslmode="require")
    if request.param == "unix":
        if not server.sockets:
            pytest.skip("the server's socket folder is not known")
        return connect(dsn, host=server.sockets)
    return connect(dsn, sslmode="disable")


@pytest.mark.parametrize("use", USES)
def test_a_child_that_is_first(conn, use):
    conn.cursor().execute("select 1")  # A transaction is open: commit has something to do.
    child = in_child(lambda: USES[use](conn))
    refused(lambda: USES[use](conn), child)
    assert conn.closed == 2
    conn.close()
    assert conn.closed == 1


@pytest.mark.parametrize("use", USES)
def test_a_parent_that_is_first(conn, use):
    conn.cursor().execute("select 1")

    def work(parent: Peer):
        parent.hear()
        assert conn.closed == 2
        refused(lambda: USES[use](conn), parent.pid)
        conn.close()

    with forked(work) as child:
        USES[use](conn)
        child.tell()
    conn.rollback()
    assert usable(conn)


def test_both_kinds_of_use(any_conn):
    """The child's use is as good as the parent's would have been, over any kind of stream."""

    def work():
        cur = any_conn.cursor()
        for number in range(5):
            cur.execute("select repeat('x', 100000), %s", (number,))
            assert cur.fetchone() == ("x" * 100000, number)
        any_conn.close()

    child = in_child(work)
    refused(lambda: usable(any_conn), child)


def test_the_parent_goes_on_over_any_kind(any_conn):
    for _ in range(3):
        in_child(lambda: any_conn.closed)
        assert usable(any_conn)


def test_to_look_is_not_to_use(conn):
    cur = conn.cursor()
    cur.execute("select generate_series(1, 3)")

    def look():
        for thing in (conn, conn.info, cur):
            for name in dir(thing):
                with contextlib.suppress(psycoxide.Error):
                    getattr(thing, name)
        repr(conn)
        assert conn.fileno() == conn.info.socket
        assert conn.cursor().closed is False
        assert extensions.quote_ident("a b", conn) == '"a b"'
        assert cur.mogrify("select %s", ("x",)) == b"select 'x'"
        assert cur.fetchall() == [(1,), (2,), (3,)]
        assert conn.get_parameter_status("client_encoding") == "UTF8"
        assert conn.get_backend_pid() == conn.info.backend_pid
        assert conn.get_dsn_parameters()["dbname"]
        assert conn.closed == 0

    in_child(look)
    assert len(cur.fetchall()) == 3
    assert usable(conn)


def test_to_end_what_the_parent_began_is_not_to_use(conn):
    """Whatever a child leaves on its way out."""
    conn.cursor().execute("create temporary table kept (a int)")
    large = conn.lobject()

    def leave():
        with contextlib.suppress(SystemExit), conn, conn.cursor("named") as named, large:
            assert named.closed is False
            sys.exit(0)

    in_child(leave)
    conn.cursor().execute("select * from kept")
    large.write("still here")


def test_a_child_that_leaves_a_block_of_the_parents(run_python):
    done = run_python(
        """
        import os, sys
        import psycoxide

        conn = psycoxide.connect(os.environ["DSN"])
        with conn, conn.cursor("rows") as rows:
            conn.cursor().execute("create temporary table kept (a int)")
            rows.execute("select generate_series(1, 5000)")
            rows.fetchone()
            pid = os.fork()
            if pid == 0:
                sys.exit(7)  # Unwinds the blocks.
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            assert len(rows.fetchall()) == 4999
        conn.cursor().execute("select * from kept")
        print("kept")
        """
    )
    assert done.stdout == "kept\n"
    assert done.stderr == ""


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_transaction_goes_along(connect, end):
    watching = connect()
    watching.autocommit = True
    admin = watching.cursor()
    admin.execute("drop table if exists fork_ownership")
    admin.execute("create table fork_ownership (a int)")
    conn = connect()
    conn.cursor().execute("insert into fork_ownership values (1)")

    def work():
        conn.cursor().execute("insert into fork_ownership values (2)")
        getattr(conn, end)()

    try:
        child = in_child(work)
        admin.execute("select count(*) from fork_ownership")
        assert admin.fetchone() == (2 if end == "commit" else 0,)
        refused(conn.commit, child)
        refused(conn.rollback, child)
    finally:
        admin.execute("drop table fork_ownership")


@pytest.mark.parametrize("way", ["close", "del"])
def test_the_parent_lets_go_of_what_the_child_has(connect, way):
    holder = [connect()]
    kept = holder if way == "close" else []

    def work(parent: Peer):
        assert usable(holder[0])
        parent.tell()
        parent.hear()
        assert usable(holder[0])

    with forked(work) as child:
        child.hear()
        if way == "close":
            kept[0].close()
        else:
            holder.clear()
        child.tell()


def test_the_parent_closes_what_nobody_has(conn):
    def work(parent: Peer):
        parent.hear()
        refused(lambda: usable(conn), parent.pid)

    with forked(work) as child:
        conn.close()
        child.tell()


def test_several_children(conn):
    codes = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                usable(conn)
                os._exit(7)
            except psycoxide.InterfaceError:
                os._exit(8)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    assert codes == [7, 8, 8, 8]


def test_children_at_the_same_time(conn):
    """However close they come, one has it, and what it reads is its own."""

    def work(start):
        os.read(start, 1)
        for number in range(50):
            cur = conn.cursor()
            cur.execute("select %s, pg_backend_pid()", (number,))
            assert cur.fetchone() == (number, conn.info.backend_pid)

    start, go = os.pipe()
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(go)
                work(start)
                status = 7
            except psycoxide.InterfaceError as error:
                status = 8 if "was the first" in str(error) else 1
            finally:
                os._exit(status)
        children.append(pid)
    os.close(go)
    os.close(start)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
    assert codes == [7, 8, 8, 8, 8, 8]


def test_grandchildren(conn):
    def child():
        grandchild = in_child(lambda: usable(conn))
        refused(lambda: usable(conn), grandchild)

    in_child(child)
    with pytest.raises(psycoxide.InterfaceError, match="fork"):
        usable(conn)


def test_each_fork_decides_anew(conn):
    """The parent's use keeps a child from it, but not the children that come later."""

    def work(parent: Peer):
        parent.hear()
        refused(lambda: usable(conn), parent.pid)

    for _ in range(3):
        with forked(work) as child:
            assert usable(conn)
            child.tell()
    late = in_child(lambda: usable(conn))
    refused(lambda: usable(conn), late)


def test_connections_made_after_the_fork_are_each_processs_own(conn, connect, dsn):
    def work(parent: Peer):
        own = [psycoxide.connect(dsn) for _ in range(3)]
        parent.hear()
        assert all(map(usable, own))

    with forked(work) as child:
        own = [connect() for _ in range(3)]
        assert all(map(usable, own))
        child.tell()
        assert all(map(usable, own))
    assert all(map(usable, own))


def test_forks_leave_no_memory_behind(conn):
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system does not tell what memory a process has")

    def shared():
        return sum(" rw-s " in line for line in maps.read_text().splitlines())

    in_child(lambda: None)
    assert usable(conn)
    before = shared()
    for _ in range(100):
        in_child(lambda: None)
        assert usable(conn)
    assert shared() == before


def test_a_process_that_forks_and_ends_hands_the_connection_on(run_python):
    """A daemon connects, forks, and its parent is gone."""
    done = run_python(
        """
        import os
        import psycoxide

        conn = psycoxide.connect(os.environ["DSN"])
        read, write = os.pipe()
        for _ in range(2):
            if os.fork():
                if _ == 0:
                    os.close(write)
                    print(os.read(read, 100).decode())
                os._exit(0)
        cur = conn.cursor()
        cur.execute("select 42")
        os.write(write, str(cur.fetchone()).encode())
        """
    )
    assert done.stdout.strip() in ("(42,)", "")


def test_an_asynchronous_connection_at_rest(async_conn):
    def work():
        cur = async_conn.cursor()
        cur.execute("select 42")
        wait_for(async_conn)
        assert cur.fetchone() == (42,)

    child = in_child(work)
    refused(async_conn.poll, child)


def test_a_bound_on_the_time_goes_along(connect, dsn):
    """A thread of the parent watches over it, which the child has not."""
    conn = connect(dsn, async_=1, operation_timeout="30")
    wait_for(conn)
    cur = conn.cursor()
    cur.execute("select 1")
    wait_for(conn)

    def work():
        conn.operation_timeout = 0.2
        cur.execute("select pg_sleep(20)")
        with pytest.raises(psycoxide.OperationalError, match="operation_timeout"):
            wait_for(conn)

    in_child(work)


def test_while_a_thread_of_the_parent_waits_for_its_turn(conn):
    """What it waits with is of no use in the child, but nobody else does there."""
    cur = conn.cursor()
    threads = [threading.Thread(target=cur.execute, args=("select pg_sleep(0.1)",)) for _ in "abc"]
    for thread in threads:
        thread.start()
    with forked(lambda parent: parent.hear()) as child:
        for thread in threads:
            thread.join()
        child.tell()
    assert usable(conn)


def test_a_pool_of_the_parents(dsn):
    shared = pool.ThreadedConnectionPool(1, 3, dsn)

    def work():
        first = shared.getconn()
        assert usable(first)
        shared.putconn(first)
        assert usable(shared.getconn())

    child = in_child(work)
    first = shared.getconn()
    refused(lambda: usable(first), child)
    # It is thrown away, not lent again.
    shared.putconn(first)
    second = shared.getconn()
    assert second is not first and usable(second)
    shared.putconn(second)
    shared.closeall()


def test_multiprocessing(run_python):
    done = run_python(
        """
        import multiprocessing, os
        import psycoxide

        conn = psycoxide.connect(os.environ["DSN"])

        def work(n):
            try:
                conn.cursor().execute("select 1")
            except psycoxide.InterfaceError:
                shared = False
                own = psycoxide.connect(os.environ["DSN"])
            else:
                shared, own = True, conn
            cur = own.cursor()
            cur.execute("select %s * 2", (n,))
            return cur.fetchone()[0], os.getpid(), shared

        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(4) as workers:
                done = workers.map(work, range(20))
            print([answer for answer, _, _ in done] == [n * 2 for n in range(20)])
            print(len({pid for _, pid, shared in done if shared}))
            try:
                conn.cursor().execute("select 1")
            except psycoxide.InterfaceError:
                print(conn.closed)
        """
    )
    assert done.stdout == "True\n1\n2\n"


class Forking:
    """Forks the process, once, in the middle of an operation: the child raises, or goes on."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.parent = os.getpid()
        self.done = False

    def __call__(self) -> None:
        if self.done:
            return
        self.done = True
        pid = os.fork()
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        elif self.how == "raise":
            raise ZeroDivisionError

    def end_of_child(self, conn: extensions.connection) -> None:
        """The child's last words."""
        if os.getpid() == self.parent:
            return
        status = 1
        try:
            with pytest.raises(psycoxide.InterfaceError, match="fork"):
                conn.cursor().execute("select 1")
            conn.close()
            status = 0
        finally:
            os._exit(status)


def in_a_wait_callback(conn, fork):
    def wait(conn):
        fork()
        extras.wait_select(conn)

    with waiting(wait):
        cur = conn.cursor()
        cur.execute("select 42")
        return cur.fetchone()


def in_copys_read(conn, fork):
    class File:
        def __init__(self):
            self.rows = ["42\n"]

        def read(self, size):
            fork()
            return self.rows.pop() if self.rows else ""

    cur = conn.cursor()
    cur.execute("create temporary table numbers (a int)")
    cur.copy_expert("copy numbers from stdin", File())
    cur.execute("select * from numbers")
    return cur.fetchone()


def in_copys_write(conn, fork):
    class File:
        def write(self, text):
            fork()

    cur = conn.cursor()
    cur.copy_expert(
        "copy (select repeat('x', 1000) from generate_series(1, 5000)) to stdout", File()
    )
    cur.execute("select 42")
    return cur.fetchone()


def in_an_adapter(conn, fork):
    class Value:
        def __conform__(self, protocol):
            fork()
            return extensions.AsIs("42")

    cur = conn.cursor()
    cur.execute("select %s", (Value(),))
    return cur.fetchone()


def in_a_notices_append(conn, fork):
    class Notices:
        def append(self, notice):
            fork()

    conn.notices = Notices()
    cur = conn.cursor()
    cur.execute("do $$begin raise notice 'hello'; end$$; select 42")
    return cur.fetchone()


MIDDLES = [in_a_wait_callback, in_copys_read, in_copys_write, in_a_notices_append]


@pytest.mark.parametrize("how", ["raise", "go on"])
@pytest.mark.parametrize("middle", MIDDLES)
def test_forked_in_the_middle_of_an_operation(any_conn, middle, how):
    """The operation stays the parent's: what the child makes of its copy disturbs nobody."""
    fork = Forking(how)
    try:
        found = middle(any_conn, fork)
    except Exception:
        fork.end_of_child(any_conn)
        raise
    finally:
        if os.getpid() != fork.parent:
            fork.end_of_child(any_conn)
    assert found == (42,)
    assert usable(any_conn)


def test_forked_by_an_adapter(conn):
    """Nothing is under way yet: of the two that go on the first one has it."""
    fork = Forking("go on")
    try:
        found = in_an_adapter(conn, fork)
    except psycoxide.InterfaceError as error:
        assert os.getpid() == fork.parent and "was the first" in str(error)
        return
    finally:
        if os.getpid() != fork.parent:
            os._exit(0)
    pytest.fail(f"the parent went on, with {found}")


@pytest.mark.parametrize("how", ["raise", "go on"])
def test_forked_while_it_connects(dsn, how):
    fork = Forking(how)

    def password():
        fork()
        return extensions.parse_dsn(dsn)["password"]

    conn = None
    if "password" not in extensions.parse_dsn(dsn):
        pytest.skip("the server asks for no password")
    try:
        conn = psycoxide.connect(extensions.make_dsn(dsn, sslmode="disable"), password=password)
    except Exception:
        if os.getpid() != fork.parent:
            os._exit(0)
        raise
    if os.getpid() != fork.parent:
        os._exit(1)
    assert usable(conn)
    conn.close()
