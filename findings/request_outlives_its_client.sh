#!/bin/sh
# A request whose client has gone runs to its end, with its connection; only a streamed answer is cancelled.
#
# Seen: Starlette 1.10.0 on uvicorn 0.54.0, CPython 3.11, November 2026.
#
# A client sends a request and closes its socket while the endpoint awaits, as an endpoint does that
# waits for a slow query. uvicorn sees the end, and tells the application if that asks (receive()). An
# ordinary endpoint does not ask: nothing is cancelled, and it holds what it has borrowed until it has
# finished an answer for nobody. A StreamingResponse asks beside its generator: that one is cancelled at
# its next await. One would expect the same for both, and that a client that gives up frees a connection.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check \
    starlette==1.10.0 uvicorn==0.54.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

ended = {}


async def work(name):
    """Waits for something slow."""
    try:
        await asyncio.sleep(1)
        ended[name] = "ran to its end"
    except asyncio.CancelledError:
        ended[name] = "was cancelled"
        raise


async def ordinary(request):
    await work("ordinary")
    return PlainTextResponse("done")


async def streamed(request):
    async def parts():
        yield "begun"
        await work("streamed")

    return StreamingResponse(parts())


async def leave(port, path):
    """Sends a request, and goes away."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.sleep(0.2)
    writer.close()


async def main():
    app = Starlette(routes=[Route("/ordinary", ordinary), Route("/streamed", streamed)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await asyncio.gather(leave(port, "/ordinary"), leave(port, "/streamed"))
    await asyncio.sleep(1.5)
    server.should_exit = True
    await serving


asyncio.run(main())
for name, how in sorted(ended.items()):
    print(f"{name:9} {how}")
assert ended == {"ordinary": "ran to its end", "streamed": "was cancelled"}, "this has changed"
PYTHON
