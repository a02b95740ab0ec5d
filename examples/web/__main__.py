"""The seats of a show, in every browser at once: `make web`, or `python examples/web` with DSN.

python examples/web [--host 127.0.0.1] [--port 8000]
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import socket
import sys
from types import FrameType

import uvicorn
from app import make_app
from starlette.applications import Starlette

PORT = 8000
# Seconds that running answers may take once we are told to stop.
GRACE = 2


class Server(uvicorn.Server):
    """Says so when it answers, and ends the event streams when it has to stop: they would never
    end by themselves."""

    def __init__(self, app: Starlette, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            greet(f"http://{self.config.host}:{port}/")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.started:
            self._app.state.feed.close()
        super().handle_exit(sig, frame)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--port", type=int, default=PORT, help="0 for one that is free")
    options = parser.parse_args()
    dsn = os.environ.get("PSYCOXIDE_TEST_DSN") or os.environ.get("DSN")
    if not dsn:
        print("no server: run `make web`, or set DSN", file=sys.stderr)
        return 2
    app = make_app(dsn)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
    )
    try:
        Server(app, config).run()
    except KeyboardInterrupt:
        # uvicorn has ended in good order, and raises it again.
        return 130
    return 0


def greet(url: str) -> None:
    """Print the page's address and the commands to type."""
    lines = [("page", f"{url}   (open it twice)")]
    if state := os.environ.get("PSYCOXIDE_TEST_SERVER"):
        psql = os.environ.get("PSYCOXIDE_TEST_PSQL") or shutil.which("psql") or "psql"
        dsn = os.environ["PSYCOXIDE_TEST_DSN"]
        free = "update seat set guest = null"
        restart = [sys.executable, "tools/pgserver.py", "restart", "--state", state]
        lines.append(("free all", f'{shlex.quote(psql)} {shlex.quote(dsn)} -c "{free}"'))
        lines.append(("restart", f"{shlex.join(restart)}   (the page carries on)"))
    lines.append(("stop", "Ctrl-C"))
    print("\n" + "\n".join(f"  {name:<9} {text}" for name, text in lines) + "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
