"""The manual's example of notifications with asyncio, when things go wrong."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import psycoxide

sys.path.insert(0, str(Path(__file__).resolve().parent))

from examples import examples

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "notifications.md"


@pytest.fixture
def receive() -> Any:
    """The page's coroutine function."""
    (source,) = (
        example.source.split("\n\n\nother.")[0]
        for example in examples(PAGE.read_text(encoding="utf-8"))
        if "async def receive" in example.source
    )
    namespace: dict[str, Any] = {"psycoxide": psycoxide}
    exec(source, namespace)
    return namespace["receive"]


@pytest.fixture
def listening(connect: Any) -> Any:
    conn = connect()
    conn.autocommit = True
    conn.cursor().execute("listen asyncio_example")
    return conn


def watched(loop: Any) -> list[int]:
    """The descriptors in the loop, besides its own."""
    return [key.fd for key in loop._selector.get_map().values() if key.fd != loop._ssock.fileno()]


def test_a_lost_connection_is_told_at_once(receive: Any, listening: Any, connect: Any) -> None:
    other = connect()
    other.autocommit = True

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        pid = listening.info.backend_pid
        loop.call_later(0.2, other.cursor().execute, f"select pg_terminate_backend({pid})")
        with pytest.raises(psycoxide.OperationalError):
            await receive(listening, 1, 20)
        return watched(loop)

    begun = time.monotonic()
    assert asyncio.run(main()) == []
    assert time.monotonic() - begun < 10
    assert listening.closed


@pytest.mark.parametrize("end", ["timeout", "cancelled", "notified"])
def test_the_descriptor_leaves_the_loop(
    receive: Any, listening: Any, connect: Any, end: str
) -> None:
    other = connect()
    other.autocommit = True

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(receive(listening, 1, 0.3 if end == "timeout" else 20))
        await asyncio.sleep(0.1)
        assert watched(loop) == [listening.fileno()]
        if end == "cancelled":
            task.cancel()
        elif end == "notified":
            other.cursor().execute("notify asyncio_example, 'x'")
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        expected = {"timeout": asyncio.TimeoutError, "cancelled": asyncio.CancelledError}
        assert isinstance(outcome, expected.get(end, type(None)))
        return watched(loop)

    assert asyncio.run(main()) == []
    assert len(listening.notifies) == (end == "notified")
    assert not listening.closed
