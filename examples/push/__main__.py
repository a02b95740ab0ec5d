"""A web page that shows a square for each NOTIFY: `make push`, or `python examples/push` with DSN.

python examples/push [--asyncio] [--host 127.0.0.1] [--port 8000] [--history 500]
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import shlex
import shutil
import socket
import sys

from channel import CHANNEL, log

import psycoxide

PORT = 8000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--asyncio", action="store_true", help="on asyncio, and not on gevent")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--port", type=int, help=f"by default {PORT}, or a free one if it is taken")
    parser.add_argument("--history", type=int, default=500, help="squares that are remembered")
    options = parser.parse_args()
    if options.history < 1:
        parser.error("--history is at least 1")
    dsn = os.environ.get("PSYCOXIDE_TEST_DSN") or os.environ.get("DSN")
    if not dsn:
        print("no server: run `make push`, or set DSN", file=sys.stderr)
        return 2

    try:
        psycoxide.extensions.parse_dsn(dsn)
    except psycoxide.ProgrammingError as error:
        print(f"DSN cannot be read: {error}", file=sys.stderr)
        return 2

    server = importlib.import_module(f"with_{'asyncio' if options.asyncio else 'gevent'}.server")
    logging.basicConfig(format="[push] %(message)s", level=logging.INFO)
    try:
        listening = listen(options.host, options.port)
    except OSError as error:
        print(f"cannot listen at {options.host}: {error.strerror or error}", file=sys.stderr)
        return 2
    greet(f"http://{options.host}:{listening.getsockname()[1]}/", dsn)
    code: int = server.run(listening, dsn, options.history)
    log.info("stopped")
    return code


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that takes connections at this port or, without one, at the first free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, PORT if port is None else port), family=family)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise
        return listen(host, 0)


def greet(url: str, dsn: str) -> None:
    """Print the page's address and the commands to type."""
    statement = f"notify {CHANNEL}, 'red'"
    state = os.environ.get("PSYCOXIDE_TEST_SERVER")
    psql = os.environ.get("PSYCOXIDE_TEST_PSQL") or shutil.which("psql") or "psql"
    if not state:
        # The user's own password is not shown: psql asks for it.
        parameters = psycoxide.extensions.parse_dsn(dsn)
        dsn = psycoxide.extensions.make_dsn(**{**parameters, "password": None})
    lines = [
        ("page", url),
        ("send", f'{shlex.quote(psql)} {shlex.quote(dsn)} -c "{statement}"'),
    ]
    if state:
        restart = [sys.executable, "tools/pgserver.py", "restart", "--state", state]
        lines.append(("restart", f"{shlex.join(restart)}   (the page carries on)"))
    lines.append(("stop", "Ctrl-C"))
    print("\n" + "\n".join(f"  {name:<8} {text}" for name, text in lines) + "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
