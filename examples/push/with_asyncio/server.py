"""The web server, on asyncio: an ASGI application of Starlette's parts, which uvicorn runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
import web
from channel import Display
from hub import HEARTBEAT, STILL_HERE, Browser, Hub
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

import psycoxide
from psycoxide import aio
from with_asyncio import database

try:
    from uvloop import run as run_loop
except ImportError:
    from asyncio import run as run_loop  # type: ignore[assignment]


def run(listening: socket.socket, dsn: str, history: int) -> int:
    """Serve the page at this socket until we are told to stop. Returns the exit code."""
    return run_loop(serve(listening, dsn, history))


async def serve(listening: socket.socket, dsn: str, history: int) -> int:
    hub = Hub(history, asyncio.Event)
    async with database.speakers(dsn) as pool:
        server = Server(Site(hub, pool))
        stop = asyncio.Event()
        for number in web.SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        serving = asyncio.create_task(server.serve([listening]))
        listener = asyncio.create_task(database.listen(dsn, Display(hub)))
        for task in (serving, listener):
            task.add_done_callback(lambda _task: stop.set())
        await stop.wait()

        hub.close()
        server.stop()
        await serving
        if listener.done():
            await listener  # raises why it has ended
        listener.cancel()
        await asyncio.wait([listener])
    return 0


class Server(uvicorn.Server):
    """uvicorn, in a program that it does not own."""

    def __init__(self, site: Site) -> None:
        super().__init__(
            uvicorn.Config(
                site,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=web.GRACE,  # type: ignore[arg-type]
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again when it has ended."""
        yield

    def stop(self) -> None:
        """End soon, also if a browser does not read its stream."""
        self.should_exit = True
        # It calls each stream that it has to cut an error.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


class Site:
    """The ASGI application."""

    def __init__(self, hub: Hub[asyncio.Event], pool: aio.AsyncConnectionPool[Any]) -> None:
        self.hub = hub
        self.pool = pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self.answer(Request(scope, receive))
        except web.Refused as refused:
            response = Response(refused.text, refused.status, refused.headers, web.TEXT)
        response.headers.update(web.HEADERS)
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """Raises `Refused`."""
        file = web.find(request.method, request.scope["path"])
        if file:
            return Response(file.body, media_type=file.kind)
        if request.method == "POST":
            await self.post(request)
            return Response(status_code=204)
        browser = Browser(self.hub, request.headers.get("last-event-id", ""))
        return StreamingResponse(stream(self.hub, browser), media_type=web.EVENTS)

    async def post(self, request: Request) -> None:
        """Send the colour of a form."""
        header = request.headers.get
        length = web.form_length(header("origin"), header("host"), header("content-length"))
        colour = web.form_colour(await read(request, length))
        try:
            await database.notify(self.pool, colour)
        except psycoxide.OperationalError as error:
            raise web.not_sent(error) from None


async def read(request: Request, length: int) -> bytes:
    """The body of a request, or the beginning of one that is longer than it should be."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) >= length:
            break
    return body[:length]


async def stream(hub: Hub[asyncio.Event], browser: Browser) -> AsyncIterator[bytes]:
    """The events for one browser, whose task sleeps until there is news."""
    yield browser.greeting()
    while hub.open:
        changed = hub.changed  # before looking: it is set by what happens while we send
        if news := browser.news():
            yield news
        try:
            await asyncio.wait_for(changed.wait(), HEARTBEAT)
        except asyncio.TimeoutError:
            yield STILL_HERE
