"""Processors that are kept awake while a benchmark runs.

A processor that has nothing to do sleeps, and to wake it costs the one that does: in a virtual
machine some 20 microseconds, which are charged to whoever sent the request. On a machine with
other work, where a driver's cost matters, there is no such sleep. Linux lets a program ask for
none, by holding a file open: https://docs.kernel.org/power/pm_qos_interface.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LATENCY = Path("/dev/cpu_dma_latency")


@contextmanager
def awake() -> Iterator[bool]:
    """Whether they are, within the block: it takes Linux, and root as a rule."""
    try:
        request = LATENCY.open("wb", buffering=0)
    except OSError:
        yield False
        return
    with request:
        request.write(struct.pack("=i", 0))
        yield True
