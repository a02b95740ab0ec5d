"""The web site: a page, the event stream, and two forms."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from feed import Feed
from seats import Pool, Refused, Seats
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import psycoxide
from psycoxide import aio

PAGE = Path(__file__).resolve().parent / "page"
# Seconds: how long a request waits for a connection, and how long a statement may take.
PATIENCE = 3.0
LARGEST_BODY = 2048

Form = dict[str, Any]
Act = Callable[[Seats, str, Form], Awaitable[None]]


def make_app(dsn: str, *, max_size: int = 10) -> Starlette:
    """The application. Its pool and its listener are open while it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        pool: Pool = aio.AsyncConnectionPool(
            dsn,
            kwargs={"command_timeout": PATIENCE},
            min_size=1,
            max_size=max_size,
            timeout=PATIENCE,
            open=False,
        )
        async with pool:
            seats = Seats(pool)
            await seats.prepare()
            app.state.seats, app.state.feed = seats, Feed(seats)
            following = asyncio.create_task(app.state.feed.follow(dsn))
            yield
            following.cancel()
            await asyncio.wait({following})

    return Starlette(routes=routes(), exception_handlers=HANDLERS, lifespan=lifespan)


def routes() -> list[BaseRoute]:
    """What there is. `app.state` has the seats and the feed."""
    return [
        Route("/seats", show, methods=["GET"]),
        Route("/stream", stream, methods=["GET"]),
        Route("/take", endpoint(take), methods=["POST"]),
        Route("/give-back", endpoint(give_back), methods=["POST"]),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]


async def show(request: Request) -> Response:
    """All seats and their guests."""
    return JSONResponse(await request.app.state.seats.all())


async def stream(request: Request) -> Response:
    """The event stream of a browser."""
    feed: Feed = request.app.state.feed
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(feed.stream(), media_type="text/event-stream", headers=headers)


async def take(seats: Seats, guest: str, form: Form) -> None:
    wanted = form.get("seats")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(s, str) for s in wanted):
        raise HTTPException(400, "which seats?")
    await seats.take(guest, sorted(set(wanted)))


async def give_back(seats: Seats, guest: str, _form: Form) -> None:
    await seats.give_back(guest)


def endpoint(act: Act) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a form."""

    async def answer(request: Request) -> Response:
        form = await read(request)
        guest = form.get("guest")
        if not isinstance(guest, str) or not guest.isprintable() or not 0 < len(guest) <= 40:
            raise HTTPException(400, "who are you? A name has up to 40 characters")
        try:
            await act(request.app.state.seats, guest, form)
        except Refused as refused:
            raise HTTPException(409, str(refused)) from None
        return Response(status_code=204)

    return answer


async def read(request: Request) -> Form:
    """A form, which is sent as JSON: a page of another site cannot do that."""
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(415, "send JSON")
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, "that is too much")
    try:
        form = json.loads(body)
    except ValueError:
        form = None
    if not isinstance(form, dict):
        raise HTTPException(400, "that is not a JSON object")
    return form


async def unavailable(_request: Request, _error: Exception) -> Response:
    """There was no connection in time, or it was lost. The reason is not for everybody."""
    text = "the database cannot be reached just now: try again"
    return PlainTextResponse(text, 503, {"Retry-After": "1"})


HANDLERS = {psycoxide.OperationalError: unavailable}
