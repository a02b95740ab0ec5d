"""What the server of a COPY FROM is sent: all that was read, in its order, in few messages."""

from __future__ import annotations

import struct
import threading
import time

import pytest
from fixtures.messages import complete, error, message

import psycoxide

LINE = "1\tname\n"


class Receiver:
    """Takes the messages of a COPY FROM, as the answers of a scripted server."""

    def __init__(self):
        self.messages = []
        self.arrived = threading.Event()

    def answer(self, sql, session):
        if not sql.upper().startswith("COPY"):
            return None
        session.send(message(b"G", struct.pack("!BH", 0, 0)))
        while not self.messages or self.messages[-1][0] == b"d":
            self.messages.append(session.take_message())
            self.arrived.set()
        if self.messages[-1][0] == b"f":
            return error(S="ERROR", V="ERROR", C="57014", M="COPY from stdin failed")
        return complete("COPY 1")

    def data(self):
        return b"".join(body for kind, body in self.messages if kind == b"d")


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def cur(scripted, receiver):
    server = scripted(answers=receiver.answer)
    with psycoxide.connect(server.dsn).cursor() as cur:
        yield cur


class File:
    """A file that gives what an iterator does."""

    def __init__(self, parts):
        self.parts = iter(parts)

    def read(self, _size):
        return next(self.parts, "")


@pytest.mark.parametrize("as_bytes", [False, True])
def test_small_reads_are_sent_together(cur, receiver, as_bytes):
    lines = [f"{number}\tname\n" for number in range(20_000)]
    cur.copy_from(File(line.encode() if as_bytes else line for line in lines), "t")
    assert receiver.data() == "".join(lines).encode()
    assert receiver.messages[-1] == (b"c", b"")
    # How few depends on the machine: what a twentieth of a second brings is sent as well.
    assert len(receiver.messages) < len(lines) / 100


def test_large_reads_among_small_ones_keep_their_place(cur, receiver):
    parts = [LINE * count for count in (1, 2, 50_000, 3, 20_000, 1, 1)]
    cur.copy_from(File(parts), "t")
    assert receiver.data() == "".join(parts).encode()


def test_a_slow_source_is_sent_as_it_comes(cur, receiver):
    def slow():
        yield LINE
        time.sleep(0.06)
        yield LINE
        assert receiver.arrived.wait(20)
        assert receiver.data() == LINE.encode() * 2
        yield LINE

    cur.copy_from(File(slow()), "t")
    assert receiver.data() == LINE.encode() * 3


@pytest.mark.parametrize("wrong", [ZeroDivisionError("broken"), None])
def test_what_was_read_before_a_fault_is_sent_before_it(cur, receiver, wrong):
    def faulty():
        yield LINE
        yield LINE
        if wrong is not None:
            raise wrong
        yield 5

    with pytest.raises(TypeError if wrong is None else ZeroDivisionError) as caught:
        cur.copy_from(File(faulty()), "t")
    assert isinstance(caught.value.__cause__, psycoxide.errors.QueryCanceled)
    assert receiver.data() == LINE.encode() * 2
    assert [kind for kind, _ in receiver.messages][-1] == b"f"
