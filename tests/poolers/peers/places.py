"""Where programs run: on this machine, or in a chroot of Debian sid.

Both see the same /tmp and the same network, so that a folder there and a port on 127.0.0.1 mean the
same to all.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sid  # fixtures.clusters has put tools/ on the path
from fixtures.clusters import binaries, cluster, needs

# The version of Debian sid's server.
POSTGRESQL = "18"


class Missing(Exception):
    """A program or a place is not to be had on this machine; says why."""


class Place:
    """This machine."""

    title = "this machine"

    def __init__(self) -> None:
        account = cluster.unprivileged() if os.geteuid() == 0 else None
        self.uid = account.pw_uid if account else os.geteuid()
        self.gid = account.pw_gid if account else os.getegid()

    def folder(self, name: str) -> Path:
        """A new folder that programs here can write to."""
        made = Path(tempfile.mkdtemp(prefix=f"psycoxide-{name}-", dir="/tmp"))
        self.own(made)
        return made

    def own(self, path: Path) -> None:
        """Hand a file, or a folder with all that is in it, to the account that programs run as."""
        for each in (path, *path.rglob("*")):
            if os.geteuid() == 0:
                os.chown(each, self.uid, self.gid)

    def write(self, path: Path, text: str) -> Path:
        """Write a file that only programs here can read: it may hold a password."""
        path.write_text(text)
        path.chmod(0o600)
        self.own(path)
        return path

    def find(self, program: str) -> str:
        """The program's path. Raises Missing."""
        found = needs.find(program)
        if not found:
            raise Missing(f"no {Path(program).name} on {self.title}")
        return found

    def postgresql(self) -> Path:
        """The folder of a server's programs. Raises Missing."""
        found = binaries.debian()
        if not found:
            raise Missing(f"no PostgreSQL of Debian's on {self.title}")
        return found.bin

    def run(self, arguments: list[str], *, home: Path | None = None, check: bool = True) -> str:
        """Run a program to its end; what it wrote. Raises RuntimeError where it failed."""
        done = subprocess.run(
            self._command(arguments, home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._options(home),
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}")
        return done.stdout

    def start(self, arguments: list[str], log: Path, *, home: Path | None = None) -> Running:
        """Start a program that goes on until it is ended."""
        options = self._options(home)
        with log.open("ab") as out:
            process = subprocess.Popen(
                self._command(arguments, home),
                stdout=out,
                stderr=out,
                # A session of its own: Ctrl-C is for the tests, and its children end with it.
                start_new_session=True,
                **options,
            )
        return Running(process)

    def _command(self, arguments: list[str], home: Path | None) -> list[str]:
        return arguments

    def _options(self, home: Path | None) -> dict[str, object]:
        account = pwd.getpwuid(self.uid) if os.geteuid() == 0 else None
        options = cluster.as_user(account)
        if home is not None:
            options["env"] = {**options["env"], "HOME": str(home)}
        return {**options, "preexec_fn": cluster.end_with_parent()}


class Sid(Place):
    """The chroot of Debian sid."""

    title = "Debian sid"

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Missing("a chroot of Debian sid takes root")
        users = sid.FOLDER / "etc" / "passwd"
        if not users.exists():
            raise Missing("no chroot of Debian sid here (tools/sid.py ensure makes one)")
        for line in users.read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "postgres":
                self.uid, self.gid = int(uid), int(gid)
                return
        raise Missing("no postgresql in the chroot of Debian sid")

    def find(self, program: str) -> str:
        folders = ["", "usr/bin", "usr/sbin"]
        for folder in folders:
            inside = Path(folder) / program.lstrip("/")
            if (sid.FOLDER / inside).exists():
                return f"/{inside}"
        raise Missing(f"no {Path(program).name} in the chroot of {self.title}")

    def postgresql(self) -> Path:
        return Path(self.find(f"/usr/lib/postgresql/{POSTGRESQL}/bin/postgres")).parent

    def _command(self, arguments: list[str], home: Path | None) -> list[str]:
        # The kernel forgets what end_with_parent() arranged when the account changes.
        arguments = ["setpriv", "--pdeathsig", "KILL", *arguments]
        return sid.command(arguments, user="postgres", env={"HOME": str(home)} if home else None)

    def _options(self, home: Path | None) -> dict[str, object]:
        return {"stdin": subprocess.DEVNULL}


class Running:
    """A program that was started, with its children."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self, number: int = signal.SIGTERM, patience: float = 3) -> None:
        """End it by a signal, or by force when that takes longer than `patience` seconds."""
        if self.alive:
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        # What is left of its session: some poolers leave children behind that hold the port.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wait_until(condition: Callable[[], bool], what: str, patience: float = 20) -> None:
    """Wait for a condition. Raises TimeoutError, naming what did not happen."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {patience} s")
        time.sleep(0.02)
