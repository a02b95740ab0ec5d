# Generated from tests/aio/test_pipeline.py by tools/generate_sync.py: do not edit.
"""`pipeline()`: statements that are sent together, each with a result of its own."""

from __future__ import annotations

import pytest

import psycoxide
from psycoxide import errors, extensions, sync

MANY = 10_000


@pytest.fixture(params=[True, False], ids=["proven", "unproven"])
def conn_(conn, request):
    """A connection whose server is known to take groups, and one that is still to show that."""
    if request.param:
        with conn.transaction():
            conn.execute("select 1")
    conn.execute("create temp table piped (a int primary key, b text)")
    return conn


@pytest.fixture
def proven(conn):
    with conn.transaction():
        conn.execute("create temp table piped (a int primary key, b text)")
    return conn


def contents(conn):
    return conn.fetch("select a from piped order by a", row_factory=sync.scalar_row)


def is_idle(conn):
    return conn.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_results_come_at_their_handles(conn_):
    with conn_.pipeline() as p:
        a = p.execute("insert into piped values (1, 'x') returning a, b")
        b = p.fetch("select a, b from piped")
        c = p.fetchrow("select %s, %s", (1, "y;'"))
        d = p.fetchval("select %(n)s + 1", {"n": 41})
        e = p.execute("create temp table other (z int)")
        f = p.fetchrow("select 1 where false")
        g = p.fetch("values (1), (2)", row_factory=sync.scalar_row)
        assert not a.done
        assert d.result() == 42
    cursor = a.result()
    assert cursor.statusmessage == "INSERT 0 1"
    assert cursor.fetchall() == [(1, "x")]
    assert cursor.rowcount == 1
    assert b.result() == [(1, "x")]
    assert c.result() == (1, "y;'")
    assert c.result() == (1, "y;'")
    assert e.result().statusmessage == "CREATE TABLE"
    assert f.result() is None
    assert g.result() == [1, 2]
    assert a.done
    assert is_idle(conn_)


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 1_000])
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_an_error_anywhere_leaves_nothing(conn_, count, where):
    bad = {"first": 0, "middle": count // 2, "last": count - 1}[where]
    handles = []

    def run():
        with conn_.pipeline() as p:
            for n in range(count):
                handles.append(p.execute("insert into piped values (%s, null)", (n,)))
                if n == bad:
                    handles[-1] = p.fetchval("select 1 / %s", (0,))

    with pytest.raises(errors.DivisionByZero):
        run()
    assert contents(conn_) == []
    assert is_idle(conn_)
    for n, handle in enumerate(handles):
        if n < bad:
            assert handle.result().rowcount == 1
        elif n == bad:
            with pytest.raises(errors.DivisionByZero):
                handle.result()
        else:
            with pytest.raises(sync.PipelineAborted) as caught:
                handle.result()
            assert isinstance(caught.value.__cause__, errors.DivisionByZero)


def test_an_error_that_was_seen_is_not_raised_again(conn_):
    with conn_.pipeline() as p:
        p.execute("insert into piped values (1, null)")
        bad = p.execute("select 1 / 0")
        with pytest.raises(errors.DivisionByZero):
            bad.result()
        late = p.execute("insert into piped values (2, null)")
        with pytest.raises(sync.PipelineAborted):
            late.result()
    assert contents(conn_) == []
    assert is_idle(conn_)


def test_sync_ends_a_group(conn_):
    with conn_.pipeline() as p:
        p.execute("insert into piped values (1, null)")
        p.sync()
        assert contents(conn_) == [1]
        p.execute("insert into piped values (2, null)")
        p.execute("insert into piped values (2, null)")
        with pytest.raises(errors.UniqueViolation):
            p.sync()
        p.sync()
        p.execute("insert into piped values (3, null)")
    assert contents(conn_) == [1, 3]
    assert is_idle(conn_)


def test_a_block_that_raises_leaves_nothing(conn_):
    for reads in (False, True):
        with pytest.raises(ZeroDivisionError):
            with conn_.pipeline() as p:
                first = p.execute("insert into piped values (1, null)")
                if reads:
                    first.result()
                second = p.execute("insert into piped values (2, null)")
                raise ZeroDivisionError
        assert contents(conn_) == []
        assert is_idle(conn_)
        with pytest.raises(sync.PipelineAborted):
            second.result()


def test_nothing_is_sent_for_nothing(conn_):
    with conn_.pipeline() as p:
        p.sync()
    assert is_idle(conn_)


def test_within_a_transaction_it_belongs_to_it(conn_):
    with conn_.transaction(force_rollback=True):
        with conn_.pipeline() as p:
            for n in range(600):
                p.execute("insert into piped values (%s, null)", (n,))
        assert len(contents(conn_)) == 600
    assert contents(conn_) == []

    def fail():
        with conn_.transaction(), conn_.pipeline() as p:
            p.execute("insert into piped values (1, null)")
            p.execute("select 1 / 0")
            p.execute("insert into piped values (2, null)")

    with pytest.raises(errors.DivisionByZero):
        fail()
    assert contents(conn_) == []
    with conn_.transaction():
        conn_.execute("insert into piped values (1, null)")
        with conn_.pipeline() as p:
            p.execute("insert into piped values (2, null)")
    assert contents(conn_) == [1, 2]
    assert is_idle(conn_)


def test_outside_autocommit_mode_the_program_commits(dsn):
    with sync.connect(dsn, autocommit=False) as conn:
        conn.execute("create temp table piped (a int)")
        conn.commit()
        for ends, expected in ((conn.rollback, []), (conn.commit, [1, 2])):
            with conn.pipeline() as p:
                p.execute("insert into piped values (1)")
                p.execute("insert into piped values (2)")
            assert conn.info.transaction_status == extensions.TRANSACTION_STATUS_INTRANS
            ends()
            assert contents(conn) == expected
            conn.commit()


def test_statements_may_stand_alone(conn_):
    for count in (1, 300):
        with pytest.raises(errors.DivisionByZero):
            with conn_.pipeline(atomic=False) as p:
                for n in range(count):
                    p.execute("insert into piped values (%s, null)", (count * 1000 + n,))
                bad = p.execute("select 1 / 0")
                good = p.execute("insert into piped values (%s, null)", (-count,))
        assert good.result().rowcount == 1
        with pytest.raises(errors.DivisionByZero):
            bad.result()
        assert is_idle(conn_)
    assert len(contents(conn_)) == 303


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select 1; select 2", "one statement"),
        ("copy piped from stdin", "COPY"),
        ("/* x */ copy piped to stdout", "COPY"),
        ("%s", "COPY"),
        ("", "empty"),
    ],
)
def test_what_cannot_be_sent_together_is_refused(conn_, query, words):
    params = (extensions.AsIs("copy piped from stdin"),) if "%" in query else None
    with conn_.pipeline() as p:
        before = p.execute("insert into piped values (1, 'a;b')")
        with pytest.raises(psycoxide.ProgrammingError, match=words):
            p.execute(query, params)
        with pytest.raises(psycoxide.ProgrammingError, match="adapt"):
            p.execute("select %s", (object(),))
    assert before.result().rowcount == 1


def test_single_statements_of_any_kind_are_sent(conn_):
    with conn_.pipeline() as p:
        p.execute("select ';';")
        p.execute("create function pg_temp.f() returns int language sql as $$ select 1; $$")
        p.execute("set local work_mem = '8MB'")
        p.execute("do $$ begin perform 1; perform 2; end $$")
        one = p.fetchval("select pg_temp.f()")
        shown = p.fetchval("show work_mem")
    assert one.result() == 1
    assert isinstance(shown.result(), str)


def test_thousands_of_statements(conn_):
    with conn_.pipeline() as p:
        handles = [
            p.fetchval("insert into piped values (%s, %s) returning a", (n, "x" * 100))
            for n in range(MANY)
        ]
    assert [handle.result() for handle in handles] == list(range(MANY))
    assert conn_.fetchval("select count(*) from piped") == MANY


def test_large_parameters_and_results(conn_):
    with conn_.pipeline() as p:
        handles = [p.fetchval("select %s || '!'", ("x" * 1_000_000,)) for _ in range(20)]
        long = p.fetch("select n, repeat('y', 100) from generate_series(1, 50000) n")
    for handle in handles:
        assert len(handle.result()) == 1_000_001
    assert len(long.result()) == 50_000


def test_a_pipeline_is_used_within_its_block(conn_):
    p = conn_.pipeline()
    with pytest.raises(psycoxide.InterfaceError, match="outside of its block"):
        p.execute("select 1")
    with p:
        pass
    for call in (p.execute, p.fetch, p.fetchrow, p.fetchval):
        with pytest.raises(psycoxide.InterfaceError, match="outside of its block"):
            call("select 1")
    with pytest.raises(psycoxide.InterfaceError):
        p.sync()
    with pytest.raises(psycoxide.ProgrammingError, match="once"):
        p.__enter__()


def test_blocks_within_the_block_are_refused(conn_):
    with conn_.pipeline() as p:
        one = p.fetchval("select 1")
        with pytest.raises(psycoxide.ProgrammingError, match="pipeline"):
            conn_.pipeline().__enter__()
        with pytest.raises(psycoxide.ProgrammingError, match="pipeline"):
            conn_.transaction().__enter__()
    assert one.result() == 1


def test_pipelines_of_two_connections(conn_, dsn):
    with sync.connect(dsn) as other, conn_.pipeline() as p, other.pipeline() as q:
        a, b = p.fetchval("select 1"), q.fetchval("select 2")
    assert (a.result(), b.result()) == (1, 2)


def test_notices_are_kept(conn_):
    with conn_.pipeline() as p:
        p.execute("do $$ begin raise notice 'hello'; end $$")
    assert any("hello" in notice for notice in conn_.notices)


def test_an_error_at_the_end_of_the_transaction_is_raised(conn_):
    conn_.execute("create temp table late (a int unique deferrable initially deferred)")
    for count in (2, 600):
        with pytest.raises(errors.UniqueViolation):
            with conn_.pipeline() as p:
                for _ in range(count):
                    p.execute("insert into late values (1)")
        assert is_idle(conn_)
        assert conn_.fetchval("select count(*) from late") == 0


def test_a_time_limit_ends_the_block(conn_):
    with pytest.raises(sync.OperationTimeout):
        with conn_.pipeline(timeout=0.3) as p:
            p.execute("insert into piped values (1, null)")
            slow = p.execute("select pg_sleep(30)")
            p.execute("insert into piped values (2, null)")
    assert contents(conn_) == []
    assert is_idle(conn_)
    with pytest.raises(psycoxide.Error):
        slow.result()


def test_a_lost_connection_is_an_error(dsn):
    for proves in (False, True):
        conn = sync.connect(dsn)
        if proves:
            with conn.transaction():
                conn.execute("select 1")

        def run(conn=conn):
            with conn.pipeline() as p:
                first = p.fetchval("select 1")
                p.execute("select pg_terminate_backend(pg_backend_pid())")
                last = p.fetchval("select 2")
                try:
                    last.result()
                finally:
                    assert first.done

        with pytest.raises(psycoxide.OperationalError):
            run()
        assert conn.closed
        with pytest.raises(psycoxide.Error):
            with conn.pipeline():
                pass


@pytest.fixture
def relayed(dsn, relay, conn):
    """A relay, and a connection through it, to a table that others see."""
    conn.execute("drop table if exists piped_through; create table piped_through (a int)")
    parameters = extensions.parse_dsn(dsn)
    through = relay((parameters["host"], int(parameters["port"])))
    piped = sync.connect(**{**parameters, **through.options}, cancel_timeout=1)
    with piped.transaction():
        piped.execute("select 1")
    yield through, piped
    through.cut()
    piped.close()
    conn.execute("drop table piped_through")


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("count", [10, 3_000])
def test_a_connection_that_is_cut_in_the_middle(relayed, conn, how, count):
    through, piped = relayed
    handles = []

    def run():
        with piped.pipeline() as p:
            for n in range(count):
                query = "insert into piped_through values (%s) returning a, repeat('x', 1000)"
                handles.append(p.execute(query, (n,)))
                if n == count // 2:
                    through.kill(how)

    with pytest.raises(psycoxide.OperationalError):
        run()
    assert piped.closed
    assert conn.fetchval("select count(*) from piped_through") == 0
    with pytest.raises(psycoxide.Error):
        handles[-1].result()


def test_a_network_that_stalls(relayed, conn):
    through, piped = relayed
    through.stall()
    with pytest.raises(sync.OperationTimeout):
        with piped.pipeline(timeout=0.2) as p:
            for n in range(1_000):
                p.execute("insert into piped_through values (%s)", (n,))
            p.fetchval("select 1").result()
    through.cut()
    assert conn.fetchval("select count(*) from piped_through") == 0


def test_handles_that_nobody_reads(conn_):
    with conn_.pipeline() as p:
        for n in range(1_000):
            p.execute("insert into piped values (%s, null)", (n,))
    assert len(contents(conn_)) == 1_000


def test_row_factories(conn_):
    with conn_.pipeline() as p:
        a = p.fetch("select 1 as x", row_factory=sync.dict_row)
        b = p.fetchrow("select 1 as x", row_factory=sync.scalar_row)
    assert a.result() == [{"x": 1}]
    assert b.result() == 1
    assert "done" in repr(a)
    assert "closed" in repr(p)
    assert p.connection is conn_
