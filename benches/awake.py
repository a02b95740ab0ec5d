"""Processors that are kept awake while a benchmark runs.

A processor with nothing to do sleeps, and waking it costs the process that sends the request: in
a virtual machine some 20 microseconds of CPU. On a machine with other work, where a driver's
cost matters, processors do not sleep. Linux lets a program keep them awake, by holding a file
open: https://docs.kernel.org/power/pm_qos_interface.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LATENCY = Path("/dev/cpu_dma_latency")


@contextmanager
def awake() -> Iterator[bool]:
    """Keep them awake within the block; returns whether they are. Needs Linux, and usually root."""
    try:
        request = LATENCY.open("wb", buffering=0)
    except OSError:
        yield False
        return
    with request:
        request.write(struct.pack("=i", 0))
        yield True
