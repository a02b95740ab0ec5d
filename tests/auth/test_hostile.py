"""A server that means ill while it asks for authentication: bounded in time and in memory."""

from __future__ import annotations

import resource
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from fixtures.scripted_server import Ended, Session, message

import psycoxide


def request(kind: int, body: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!I", kind) + body)


def read_message(session: Session) -> bytes:
    session.take(1)
    (length,) = struct.unpack("!I", session.take(4))
    return session.take(length - 4)


def scram(first: Callable[[str], bytes]) -> Callable[[Session], None]:
    """Begins SCRAM, and answers the client's nonce with this; then waits."""

    def greet(session: Session) -> None:
        session.send(request(10, b"SCRAM-SHA-256\0\0"))
        nonce = read_message(session).decode().rpartition("r=")[2]
        session.send(request(11, first(nonce)))
        read_message(session)
        raise Ended

    return greet


def endless(block: bytes) -> Callable[[Session], None]:
    def greet(session: Session) -> None:
        while True:
            session.send(block)

    return greet


def sending(data: bytes) -> Callable[[Session], None]:
    def greet(session: Session) -> None:
        session.send(data)
        session.take(1 << 20)

    return greet


CASES = {
    "more rounds than anybody uses": scram(lambda n: f"r={n}x,s=c2FsdA==,i=2147483647".encode()),
    "no rounds": scram(lambda n: f"r={n}x,s=c2FsdA==,i=0".encode()),
    "another's nonce": scram(lambda _: b"r=other,s=c2FsdA==,i=4096"),
    "no salt": scram(lambda n: f"r={n}x,i=4096".encode()),
    "a long salt": scram(lambda n: f"r={n}x,s={'A' * 40000},i=4096".encode()),
    "an extension that is mandatory": scram(lambda n: f"m=x,r={n}x,s=c2Fs,i=1".encode()),
    "a long request": sending(b"R" + struct.pack("!I", 1 << 30)),
    "a long error": sending(b"E" + struct.pack("!I", 1 << 30)),
    "a request cut short": sending(message(b"R", b"\0\0")),
    "many mechanisms": sending(request(10, b"X\0" * 20_000)),
    "unknown mechanisms": sending(request(10, b"X\0" * 1_000 + b"\0")),
    "an unknown method": sending(request(77)),
    "Kerberos 5": sending(request(2)),
    "a GSSAPI token before any": sending(request(8, b"token")),
    "a SASL message before any": sending(request(11, b"r=x")),
    "requests without end": endless(request(3) * 100),
    "parameters without end": endless(
        request(0) + b"".join(message(b"S", b"p%d\0v\0" % n) for n in range(3_000))
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_soon(scripted: Any, name: str) -> None:
    server = scripted(greet=CASES[name])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    with pytest.raises(psycoxide.OperationalError) as raised:
        psycoxide.connect(server.dsn, password="the-password")
    assert time.monotonic() - begun < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10
    assert "timeout" not in str(raised.value) and "the-password" not in str(raised.value)


@pytest.mark.parametrize("block", [message(b"N", b"SNOTICE\0C00000\0Mhello\0\0") * 50])
def test_notices_without_end_are_ended_by_the_timeout(scripted: Any, block: bytes) -> None:
    server = scripted(greet=endless(block))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    with pytest.raises(psycoxide.OperationalError, match="timeout expired"):
        psycoxide.connect(server.dsn, connect_timeout=2)
    assert time.monotonic() - begun < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10


def test_many_rounds_are_honoured_while_there_is_time(scripted: Any) -> None:
    """Ten million are the most that is taken; the time is that of connect_timeout."""
    server = scripted(greet=scram(lambda n: f"r={n}x,s=c2FsdA==,i=10000000".encode()))
    begun = time.monotonic()
    with pytest.raises(psycoxide.OperationalError):
        psycoxide.connect(server.dsn, password="x", connect_timeout=2)
    assert time.monotonic() - begun < 8
