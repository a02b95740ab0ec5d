"""The files of docs/deployment.md, and the servers that run them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "deployment.md"
sys.path.insert(0, str(ROOT / "tests" / "docs"))

from examples import examples  # noqa: E402

# Seconds for whatever should happen soon.
PATIENCE = 30


def page_files() -> dict[str, str]:
    """The files that the page shows, by name."""
    return {
        example.file: example.source
        for example in examples(PAGE.read_text(encoding="utf-8"))
        if example.file
    }


class Answer:
    """An answer by HTTP."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text

    def json(self) -> Any:
        return json.loads(self.text)


class Server:
    """A program that was started, and may serve HTTP."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str], port: int) -> None:
        self.port = port
        self._output = folder / f"output-{port}.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._output.read_text(errors="replace")

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(self, method: str, path: str) -> Answer:
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str) -> Answer:
        return self.request("POST", path)

    def wait_for_port(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.output
            with contextlib.suppress(ConnectionRefusedError):
                with contextlib.closing(self.connection()) as connection:
                    connection.connect()
                return True
            return False

        wait_until(answers, lambda: self.output)

    def wait_for_output(self, text: str) -> None:
        def is_there() -> bool:
            assert self.process.poll() is None, self.output
            return text in self.output

        wait_until(is_there, lambda: self.output)

    def terminate(self) -> None:
        """SIGTERM, as Kubernetes and systemd send it."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wait_until(
    condition: Callable[[], object], told: Callable[[], object] = lambda: "not in time"
) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, told()
        time.sleep(0.02)


def database_sockets(pid: int, port: int) -> set[str]:
    """The sockets of a process that are connected to this port."""
    connected = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[2].rsplit(":", 1)[1], 16) == port and fields[3] == "01":
                connected.add(f"socket:[{fields[9]}]")
    opened = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            opened.add(os.readlink(descriptor))
    return connected & opened
