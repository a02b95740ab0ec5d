"""A server that means ill while it asks for authentication: bounded in time and in memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from fixtures.messages import authentication, forged, message, notice
from fixtures.scram import Scram
from fixtures.scripted_server import Session

import psycoxide


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
    "more rounds than anybody uses": Scram(first="r={nonce}x,s={salt},i=2147483647"),
    "no rounds": Scram(first="r={nonce}x,s={salt},i=0"),
    "another's nonce": Scram(first="r=other,s={salt},i=4096"),
    "no salt": Scram(first="r={nonce}x,i=4096"),
    "a long salt": Scram(first="r={nonce}x,s=" + "A" * 40000 + ",i=4096"),
    "an extension that is mandatory": Scram(first="m=x,r={nonce}x,s={salt},i=1"),
    "a long request": sending(forged(b"R", 1 << 30)),
    "a long error": sending(forged(b"E", 1 << 30)),
    "a request cut short": sending(message(b"R", b"\0\0")),
    "many mechanisms": sending(authentication(10, b"X\0" * 20_000)),
    "unknown mechanisms": sending(authentication(10, b"X\0" * 1_000 + b"\0")),
    "an unknown method": sending(authentication(77)),
    "Kerberos 5": sending(authentication(2)),
    "a GSSAPI token before any": sending(authentication(8, b"token")),
    "a SASL message before any": sending(authentication(11, b"r=x")),
    "requests without end": endless(authentication(3) * 100),
    "parameters without end": endless(
        authentication(0) + b"".join(message(b"S", b"p%d\0v\0" % n) for n in range(3_000))
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


@pytest.mark.parametrize("block", [notice() * 50])
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
    server = scripted(greet=Scram(first="r={nonce}x,s={salt},i=10000000"))
    begun = time.monotonic()
    with pytest.raises(psycoxide.OperationalError):
        psycoxide.connect(server.dsn, password="x", connect_timeout=2)
    assert time.monotonic() - begun < 8
