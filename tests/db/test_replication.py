"""Logical and physical replication, on a server that really streams."""

from __future__ import annotations

import datetime as dt
import io
import os
import select
import socket
import time
import uuid
from contextlib import suppress

import pytest
from fixtures.connections import waiting
from fixtures.forks import in_child

import psycoxide
from psycoxide import errors
from psycoxide.extras import (
    LogicalReplicationConnection,
    PhysicalReplicationConnection,
    StopReplication,
)

# `test_decoding` leaves out the BEGIN and COMMIT of others then: autovacuum has transactions in the
# same database, at any time.
CHANGES = {"skip-empty-xacts": "1"}


@pytest.fixture
def admin(connect):
    """A connection in autocommit to make slots' transactions with."""
    conn = connect()
    conn.autocommit = True
    with conn.cursor() as cur:
        cur.execute("show wal_level")
        if cur.fetchone() != ("logical",):
            pytest.skip("the server's wal_level is not logical")
    return conn.cursor()


@pytest.fixture
def stream(connect, dsn, admin):
    """A function that opens a cursor of a logical replication connection."""

    def open_cursor(factory=LogicalReplicationConnection, **kwargs):
        try:
            return connect(dsn, connection_factory=factory, **kwargs).cursor()
        except psycoxide.OperationalError as refused:
            pytest.skip(f"the server does not let us replicate: {refused}")

    return open_cursor


@pytest.fixture
def decoding_plugin(admin):
    """The output plugin of that name, one of the modules that some builds come without."""
    name = f"probe_{uuid.uuid4().hex}"
    try:
        admin.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')", (name,))
    except errors.UndefinedFile:
        pytest.skip("the server has no output plugin test_decoding")
    admin.execute("select pg_drop_replication_slot(%s)", (name,))


@pytest.fixture
def slot(admin):
    """The name of a slot that is dropped after the test."""
    name = f"slot_{uuid.uuid4().hex}"
    yield name
    for _ in range(100):
        with suppress(errors.UndefinedObject):
            try:
                admin.execute("select pg_drop_replication_slot(%s)", (name,))
            except errors.ObjectInUse:
                admin.execute(
                    "select pg_terminate_backend(active_pid) from pg_replication_slots"
                    " where slot_name = %s",
                    (name,),
                )
                time.sleep(0.02)
                continue
        return


@pytest.fixture
def numbers(admin):
    """A table of numbers whose changes are streamed."""
    name = f"numbers_{uuid.uuid4().hex}"
    admin.execute(f"create table {name} (n bigint primary key)")
    yield name
    admin.execute(f"drop table {name}")


def consume(cur, consumer, timeout=20, **kwargs):
    """`consume_stream()` until `consumer` says stop; fails if that takes too long."""
    until = time.monotonic() + timeout

    def guarded(message):
        assert time.monotonic() < until, "the stream went on for too long"
        consumer(message)

    with pytest.raises(StopReplication):
        cur.consume_stream(guarded, **kwargs)


@pytest.mark.usefixtures("decoding_plugin")
def test_a_change_arrives(stream, slot, numbers, admin):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    assert cur.fetchone()[0] == slot
    cur.start_replication(slot, decode=True, options=CHANGES)
    admin.execute(f"insert into {numbers} values (42)")
    seen = []

    def consumer(message):
        seen.append(message)
        if message.payload.startswith("COMMIT"):
            raise StopReplication

    consume(cur, consumer)
    begin, insert, commit = seen
    assert begin.payload.startswith("BEGIN")
    assert insert.payload == f"table public.{numbers}: INSERT: n[bigint]:42"
    assert insert.cursor is cur
    assert insert.data_size == len(insert.payload)
    assert begin.data_start <= insert.data_start <= commit.data_start <= cur.wal_end
    assert abs(insert.send_time - dt.datetime.now()) < dt.timedelta(minutes=1)
    assert cur.io_timestamp >= cur.feedback_timestamp
    with pytest.raises(psycoxide.OperationalError, match="not allowed during COPY BOTH"):
        cur.execute("select 1")


@pytest.mark.usefixtures("decoding_plugin")
def test_bytes_unless_decoded(stream, slot, numbers, admin):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot, options={"include-xids": "0", "skip-empty-xacts": "1"})
    admin.execute(f"insert into {numbers} values (1)")
    seen = []

    def consumer(message):
        seen.append(message.payload)
        if len(seen) == 3:
            raise StopReplication

    consume(cur, consumer)
    assert seen == [b"BEGIN", f"table public.{numbers}: INSERT: n[bigint]:1".encode(), b"COMMIT"]


@pytest.mark.parametrize("started_by", ["parent", "child"])
@pytest.mark.usefixtures("decoding_plugin")
def test_a_reader_of_its_own_process(stream, slot, numbers, admin, started_by):
    """A program connects, forks, and reads in the child."""
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    admin.execute(f"insert into {numbers} values (42)")
    if started_by == "parent":
        cur.start_replication(slot, decode=True, options=CHANGES)

    def read():
        if started_by == "child":
            cur.start_replication(slot, decode=True, options=CHANGES)
        seen = []

        def consumer(message):
            seen.append(message.payload)
            message.cursor.send_feedback(flush_lsn=message.data_start)
            if message.payload.startswith("COMMIT"):
                raise StopReplication

        consume(cur, consumer)
        assert f"table public.{numbers}: INSERT: n[bigint]:42" in seen
        cur.connection.close()

    child = in_child(read)
    for use in (cur.read_message, lambda: cur.start_replication(slot)):
        with pytest.raises(psycoxide.InterfaceError, match=f"fork.*process {child} was the first"):
            use()


def pgoutput_inserts(payload: bytes) -> list[int]:
    """The number that an Insert message of pgoutput brings, in a table of one column."""
    if payload[:1] != b"I":
        return []
    length = int.from_bytes(payload[9:13], "big")
    return [int(payload[13 : 13 + length])]


def decoding_inserts(payload: bytes) -> list[int]:
    return [int(payload.rsplit(b":", 1)[1])] if b": INSERT:" in payload else []


class Session:
    """A consumer that confirms each commit, but stops in the middle of some: after the rows came
    and before they are confirmed. `seen` has the rows that were confirmed."""

    def __init__(self, inserts, commits, rows):
        self.inserts = inserts
        self.commits = commits
        self.rows = rows
        self.seen: list[int] = []
        self.confirmed = 0
        self.pending: list[int] = []

    def __call__(self, message):
        self.pending += self.inserts(message.payload)
        if message.payload[:1] != b"C":
            return
        self.commits -= 1
        if not self.commits:
            raise StopReplication
        self.seen += self.pending
        self.pending.clear()
        self.confirmed = message.data_start
        last = len(self.seen) == self.rows
        message.cursor.send_feedback(flush_lsn=self.confirmed, force=last)
        if last:
            raise StopReplication


@pytest.mark.parametrize("plugin", ["test_decoding", "pgoutput"])
@pytest.mark.parametrize("loss", ["close", "terminate", "vanish"])
def test_restarts_from_the_confirmed_place(stream, slot, numbers, admin, plugin, loss, request):
    """Nothing is lost and nothing comes twice when each commit is confirmed."""
    if plugin == "test_decoding":
        request.getfixturevalue("decoding_plugin")
    options = {}
    if plugin == "pgoutput":
        admin.execute(f"create publication p_{numbers} for table {numbers}")
        options = {"proto_version": "1", "publication_names": f"p_{numbers}"}
    inserts = pgoutput_inserts if plugin == "pgoutput" else decoding_inserts
    with stream() as cur:
        cur.create_replication_slot(slot, output_plugin=plugin)
    cur.connection.close()

    count = 60
    for n in range(0, count, 2):  # Two rows a transaction.
        admin.execute(f"insert into {numbers} values ({n}), ({n + 1})")

    seen: list[int] = []
    confirmed = 0
    while len(seen) < count:
        cur = stream()
        for _ in range(50):
            try:
                cur.start_replication(slot, start_lsn=confirmed, options=options)
                break
            except errors.ObjectInUse:  # The old walsender has not noticed yet.
                time.sleep(0.1)
        session = Session(inserts, commits=13, rows=count - len(seen))
        consume(cur, session)
        seen += session.seen
        confirmed = session.confirmed or confirmed
        if loss == "close":
            cur.connection.close()
        elif loss == "terminate":
            pid = cur.connection.info.backend_pid
            admin.execute("select pg_terminate_backend(%s)", (pid,))
        else:  # As if the network had gone.
            with socket.socket(fileno=os.dup(cur.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
    assert seen == list(range(count))
    if plugin == "pgoutput":
        admin.execute(f"drop publication p_{numbers}")


@pytest.mark.usefixtures("decoding_plugin")
def test_the_server_remembers_what_was_confirmed(stream, slot, numbers, admin):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot, decode=True, options=CHANGES)
    admin.execute(f"insert into {numbers} values (1)")

    def consumer(message):
        if message.payload.startswith("COMMIT"):
            message.cursor.send_feedback(
                write_lsn=message.data_start, flush_lsn=message.data_start, force=True
            )
            raise StopReplication(message.data_start)

    with pytest.raises(StopReplication) as stopped:
        cur.consume_stream(consumer)
    (lsn,) = stopped.value.args
    expected = f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
    for _ in range(50):
        admin.execute(
            "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots"
            " where slot_name = %s",
            (expected, slot),
        )
        if admin.fetchone() == (True,):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the confirmation did not arrive")
    # From there on nothing is left to send.
    cur.connection.close()
    cur = stream()
    for _ in range(50):
        try:
            cur.start_replication(slot, start_lsn=expected, decode=True, options=CHANGES)
            break
        except errors.ObjectInUse:
            time.sleep(0.1)
    admin.execute(f"insert into {numbers} values (2)")
    seen = []

    def collect(message):
        seen.append(message.payload)
        if message.payload.startswith("COMMIT"):
            raise StopReplication

    consume(cur, collect)
    assert [text for text in seen if "INSERT" in text] == [
        f"table public.{numbers}: INSERT: n[bigint]:2"
    ]


def test_physical(stream, admin, numbers):
    marker = uuid.uuid4().hex
    cur = stream(PhysicalReplicationConnection)
    cur.execute("IDENTIFY_SYSTEM")
    _system, timeline, position, _database = cur.fetchone()
    cur.start_replication(start_lsn=position, timeline=int(timeline))
    admin.execute(f"comment on table {numbers} is 'before {marker} after'")
    log = b""
    start = None

    def consumer(message):
        nonlocal log, start
        if start is None:
            start = message.data_start
        assert message.data_start == start + len(log)
        log += message.payload
        message.cursor.send_feedback(flush_lsn=message.data_start + message.data_size)
        if marker.encode() in log:
            raise StopReplication

    consume(cur, consumer)
    assert marker.encode() in log


def test_a_physical_slot(stream, slot, admin):
    cur = stream(PhysicalReplicationConnection)
    cur.create_replication_slot(slot)
    admin.execute("select slot_type from pg_replication_slots where slot_name = %s", (slot,))
    assert admin.fetchone() == ("physical",)
    cur.drop_replication_slot(slot)
    admin.execute("select count(*) from pg_replication_slots where slot_name = %s", (slot,))
    assert admin.fetchone() == (0,)


def read_to_commit(cur):
    seen = []
    until = time.monotonic() + 20
    while not (seen and seen[-1].startswith("COMMIT")):
        assert time.monotonic() < until
        message = cur.read_message()
        if message is None:
            select.select([cur], [], [], 1)
        else:
            seen.append(message.payload)
    return seen


@pytest.mark.usefixtures("decoding_plugin")
def test_read_message_with_select(stream, slot, numbers, admin):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    with pytest.raises(psycoxide.DatabaseError, match="no COPY in progress"):
        cur.read_message()
    cur.start_replication(slot, decode=True, options=CHANGES)
    assert cur.read_message() is None
    admin.execute(f"insert into {numbers} select generate_series(1, 1000)")
    assert len(read_to_commit(cur)) == 1002


@pytest.mark.usefixtures("decoding_plugin")
def test_asynchronously(connect, dsn, slot, numbers, admin, wait_for):
    conn = connect(dsn, connection_factory=LogicalReplicationConnection, async_=1)
    wait_for(conn)
    cur = conn.cursor()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    wait_for(conn)
    assert cur.fetchone()[0] == slot
    cur.start_replication(slot, decode=True, options=CHANGES)
    wait_for(conn)
    admin.execute(f"insert into {numbers} values (7)")
    assert len(read_to_commit(cur)) == 3
    with pytest.raises(psycoxide.ProgrammingError, match="cannot be used in asynchronous mode"):
        cur.consume_stream(lambda message: None)


@pytest.mark.usefixtures("decoding_plugin")
@pytest.mark.parametrize(
    ("method", "asynchronous"), [("execute", 0), ("execute", 1), ("copy_expert", 0)]
)
def test_a_statement_of_the_program_starts_it(
    connect, dsn, slot, numbers, admin, wait_for, method, asynchronous
):
    conn = connect(dsn, connection_factory=LogicalReplicationConnection, async_=asynchronous)
    if asynchronous:
        wait_for(conn)
    cur = conn.cursor()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    if asynchronous:
        wait_for(conn)
    sql = f"START_REPLICATION SLOT {slot} LOGICAL 0/0"
    if method == "execute":
        cur.execute(sql)
    else:
        cur.copy_expert(sql, io.BytesIO())
    if asynchronous:
        wait_for(conn)
    admin.execute(f"insert into {numbers} values (7)")
    seen = b""
    until = time.monotonic() + 20
    while f"{numbers}: INSERT".encode() not in seen:
        assert time.monotonic() < until, seen
        if message := cur.read_message():
            seen += message.payload
        else:
            select.select([conn], [], [], 0.1)
    assert conn.closed == 0


@pytest.mark.usefixtures("decoding_plugin")
def test_keepalives_are_answered(stream, slot, numbers, admin):
    """A server that hears nothing within wal_sender_timeout ends the session."""
    cur = stream(options="-c wal_sender_timeout=1000")
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot, decode=True, options=CHANGES)
    idle_until = time.monotonic() + 3
    while time.monotonic() < idle_until:
        assert cur.read_message() is None
        select.select([cur], [], [], 0.2)
    admin.execute(f"insert into {numbers} values (1)")

    def consumer(message):
        raise StopReplication

    consume(cur, consumer, keepalive_interval=1)
    assert cur.connection.closed == 0


@pytest.mark.usefixtures("decoding_plugin")
def test_idle_feedback_lets_the_server_forget(stream, slot, numbers, admin):
    """The confirmed place follows the end of the log when everything was confirmed."""
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot, decode=True, status_interval=1, options=CHANGES)
    admin.execute(f"insert into {numbers} values (1)")

    def consumer(message):
        message.cursor.send_feedback(flush_lsn=message.data_start)
        if message.payload.startswith("COMMIT"):
            raise StopReplication

    consume(cur, consumer)
    admin.execute("create temporary table elsewhere (a int)")
    admin.execute("select pg_current_wal_lsn()")
    (end,) = admin.fetchone()
    until = time.monotonic() + 20
    while True:
        cur.read_message()
        admin.execute(
            "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots"
            " where slot_name = %s",
            (end, slot),
        )
        if admin.fetchone() == (True,):
            break
        assert time.monotonic() < until, "the confirmed place stands still"
        select.select([cur], [], [], 0.2)


@pytest.mark.usefixtures("decoding_plugin")
def test_an_exception_of_the_consumer_comes_out(stream, slot, numbers, admin):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot)
    admin.execute(f"insert into {numbers} values (1)")

    def consumer(message):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cur.consume_stream(consumer)
    # The stream goes on where it was.
    seen = []

    def collect(message):
        seen.append(message.payload)
        if message.payload.startswith(b"COMMIT"):
            raise StopReplication

    consume(cur, collect)
    assert len(seen) == 2


@pytest.mark.usefixtures("decoding_plugin")
def test_the_server_ends_the_session(stream, slot, admin):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot)
    admin.execute("select pg_terminate_backend(%s)", (cur.connection.info.backend_pid,))
    with pytest.raises(psycoxide.OperationalError, match="terminating connection"):
        cur.consume_stream(lambda message: None)
    assert cur.connection.closed == 2


def test_refusals(stream, slot):
    cur = stream()
    with pytest.raises(psycoxide.ProgrammingError, match="not replicating"):
        cur.consume_stream(lambda message: None)
    with pytest.raises(psycoxide.ProgrammingError, match="output plugin name is required"):
        cur.create_replication_slot(slot)
    with pytest.raises(psycoxide.ProgrammingError, match="slot name is required"):
        cur.start_replication()
    with pytest.raises(psycoxide.ProgrammingError, match="status_interval must be >= 1"):
        cur.start_replication(slot, status_interval=0)
    with pytest.raises(psycoxide.ProgrammingError, match="cannot specify timeline"):
        cur.start_replication(slot, timeline=1)
    with pytest.raises(errors.UndefinedObject):
        cur.start_replication(slot)
    assert cur.connection.closed == 0
    cur.execute("IDENTIFY_SYSTEM")


@pytest.mark.usefixtures("decoding_plugin")
def test_with_a_wait_callback(stream, slot, numbers, admin):
    with waiting(psycoxide.extras.wait_select):
        cur = stream()
        cur.create_replication_slot(slot, output_plugin="test_decoding")
        cur.start_replication(slot, decode=True, options=CHANGES)
        admin.execute(f"insert into {numbers} values (1)")
        seen = []
        while len(seen) < 3:
            message = cur.read_message()
            if message is None:
                assert select.select([cur], [], [], 20)[0]
            else:
                seen.append(message.payload)
        with pytest.raises(psycoxide.ProgrammingError, match="with an asynchronous callback"):
            cur.consume_stream(seen.append)


@pytest.mark.usefixtures("decoding_plugin")
def test_the_first_read_sends_feedback(stream, slot):
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    began = dt.datetime.now()
    cur.start_replication(slot)
    assert cur.io_timestamp >= began
    cur.read_message()
    first = cur.feedback_timestamp
    assert first >= began
    cur.read_message()
    assert cur.feedback_timestamp == first
    cur.send_feedback(force=True)
    assert cur.feedback_timestamp > first


@pytest.mark.usefixtures("decoding_plugin")
def test_a_loop_that_waits_until_feedback_is_due_sleeps(stream, slot):
    """As in psycopg2's manual: reckoned from `feedback_timestamp`."""
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    cur.start_replication(slot)
    rounds = 0
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        cur.read_message()
        rounds += 1
        due = 10 - (dt.datetime.now() - cur.feedback_timestamp).total_seconds()
        select.select([cur], [], [], min(0.1, max(0, due)))
    assert rounds < 1000  # Without a pause it would be some ten thousand.


@pytest.mark.usefixtures("decoding_plugin")
def test_feedback_loses_no_message(stream, slot, numbers, admin):
    """The first read sends feedback while other messages are there already."""
    cur = stream()
    cur.create_replication_slot(slot, output_plugin="test_decoding")
    admin.execute(f"insert into {numbers} select generate_series(1, 100)")
    cur.start_replication(slot, decode=True, options=CHANGES)
    assert select.select([cur], [], [], 20)[0]
    time.sleep(0.2)  # The rest.
    assert len(read_to_commit(cur)) == 102
