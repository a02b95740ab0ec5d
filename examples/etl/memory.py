"""The memory of this process over time, as Linux counts it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

EVERY = 0.05
# What the kernel calls the memory that is resident now, and the most it was.
NOW, MOST = "VmRSS", "VmHWM"


class Sample(NamedTuple):
    """Memory in MB, `seconds` after the first sample, while the program was in a `phase`."""

    seconds: float
    megabytes: float
    phase: str


class Watch:
    """A thread that looks at the memory while the block runs: `with Watch() as watch:`."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.peaks: dict[str, float] = {}
        self._phase = ""
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def phase(self, name: str) -> None:
        """What comes now is another phase. Its peak counts from here."""
        self._note_peak()
        self._phase = name
        # proc(5): this sets VmHWM to what is resident now.
        Path("/proc/self/clear_refs").write_text("5")

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._note_peak()

    def _look(self) -> None:
        while not self._ended.is_set():
            seconds = time.monotonic() - self._began
            self.samples.append(Sample(seconds, resident(), self._phase))
            self._ended.wait(EVERY)

    def _note_peak(self) -> None:
        # What the kernel saw, and not only the samples: a peak may be short.
        if self._phase:
            self.peaks[self._phase] = resident(MOST)


def resident(field: str = NOW) -> float:
    """This process's memory in MB: now, or, as MOST, the largest since a phase began."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) / 1000 * 1.024
    raise OSError(f"/proc/self/status has no {field}")
