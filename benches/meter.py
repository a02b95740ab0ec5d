"""The cost of one run of a workload: CPU, wall time, memory, and the server's CPU."""

from __future__ import annotations

import gc
import resource
import time
from typing import Any


class Meter:
    """Measures a `with` block into `figures`; times in seconds, memory in kB.

    `cpu` is this process's user and system time, all threads: the cost of the client's part of the
    work, however long the server takes. `server` is the CPU of the backends with these pids.
    """

    def __init__(self, figures: dict[str, Any], pids: list[int]) -> None:
        self.figures = figures
        self.pids = pids

    def __enter__(self) -> Meter:
        gc.collect()
        self.figures["rss_before"] = memory("VmRSS")
        self.server = server_cpu(self.pids)
        self.usage = resource.getrusage(resource.RUSAGE_SELF)
        self.clock = time.perf_counter()
        return self

    def __exit__(self, *_exception: object) -> None:
        wall = time.perf_counter() - self.clock
        usage = resource.getrusage(resource.RUSAGE_SELF)
        user = usage.ru_utime - self.usage.ru_utime
        system = usage.ru_stime - self.usage.ru_stime
        self.figures.update(
            wall=wall,
            cpu=user + system,
            user=user,
            system=system,
            rss=memory("VmHWM"),
            server=server_cpu(self.pids) - self.server,
        )


def memory(field: str) -> int:
    """A figure of /proc/self/status in kB: VmRSS is memory now, VmHWM the most it ever was."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def server_cpu(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/schedstat") as status:
                total += int(status.read().split()[0])
        except OSError:
            pass  # a server elsewhere: its share is not known
    return total / 1e9
