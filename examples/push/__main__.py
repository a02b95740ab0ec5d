"""A web page that shows a square for each NOTIFY: `make push`, or `python examples/push` with DSN.

python examples/push [--host 127.0.0.1] [--port 8000] [--history 500]
"""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import shutil
import signal
import sys

import channel
import gevent
import green
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from hub import Hub
from web import Site

import psycoxide

PORT = 8000
# Seconds that running answers may take once we are told to stop.
GRACE = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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

    green.install()
    hub = Hub(options.history)
    site = Site(hub, lambda colour: channel.notify(dsn, colour))
    try:
        server = serve(site, options.host, options.port)
    except OSError as error:
        print(f"cannot listen at {options.host}: {error.strerror or error}", file=sys.stderr)
        return 2
    greet(f"http://{options.host}:{server.server_port}/", dsn)

    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        gevent.signal_handler(number, stop.set)
    listener = gevent.spawn(channel.listen, dsn, hub, tell)
    listener.link(lambda _greenlet: stop.set())
    stop.wait()

    failed = listener.dead
    server.close()
    hub.close()
    server.stop(GRACE)
    listener.kill()
    tell("stopped")
    return 1 if failed else 0


def serve(site: Site, host: str, port: int | None) -> WSGIServer:
    """A server that takes connections at this port or, without one, at the first free port."""
    server = WSGIServer((host, PORT if port is None else port), site, log=None)
    try:
        server.start()
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise
        return serve(site, host, 0)
    return server


def greet(url: str, dsn: str) -> None:
    """Print the page's address and the commands to type."""
    statement = f"notify {channel.CHANNEL}, 'red'"
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


def tell(text: str) -> None:
    print(f"[push] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
