"""The web server, on gevent: a WSGI application, and a greenlet for each request."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import gevent
import gevent.socket
import web
from channel import Display
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from hub import HEARTBEAT, STILL_HERE, Browser, Hub

import psycoxide
from with_gevent import database, green

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def run(listening: socket.socket, dsn: str, history: int) -> int:
    """Serve the page at this socket until we are told to stop. Returns the exit code."""
    green.install()
    hub = Hub(history, Event)
    server = WSGIServer(
        gevent.socket.socket(fileno=listening.detach()), Site(hub, dsn), log=None, spawn=Pool()
    )
    server.start()
    stop = Event()
    for number in web.SIGNALS:
        gevent.signal_handler(number, stop.set)
    listener = gevent.spawn(database.listen, dsn, Display(hub))
    listener.link(lambda _greenlet: stop.set())
    stop.wait()

    failed = listener.dead
    hub.close()
    server.stop(web.GRACE)
    listener.kill()
    return 1 if failed else 0


class Site:
    """The WSGI application."""

    def __init__(self, hub: Hub[Event], dsn: str) -> None:
        self.hub = hub
        self.dsn = dsn

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, kind, body = self.answer(environ)
            headers = web.HEADERS
        except web.Refused as refused:
            status, kind, body = refused.status, web.TEXT, [refused.text.encode()]
            headers = {**web.HEADERS, **refused.headers}
        if kind is not None:
            headers = {**headers, "Content-Type": kind}
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return body

    def answer(self, environ: Environ) -> tuple[HTTPStatus, str | None, Iterable[bytes]]:
        """The status, the type and the body of an answer. Raises `Refused`."""
        file = web.find(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if file:
            return HTTPStatus.OK, file.kind, [file.body]
        if environ["REQUEST_METHOD"] == "POST":
            self.post(environ)
            return HTTPStatus.NO_CONTENT, None, []
        browser = Browser(self.hub, environ.get("HTTP_LAST_EVENT_ID", ""))
        return HTTPStatus.OK, web.EVENTS, stream(self.hub, browser)

    def post(self, environ: Environ) -> None:
        """Send the colour of a form."""
        length = web.form_length(
            environ.get("HTTP_ORIGIN"), environ.get("HTTP_HOST"), environ.get("CONTENT_LENGTH")
        )
        colour = web.form_colour(environ["wsgi.input"].read(length))
        try:
            database.notify(self.dsn, colour)
        except psycoxide.OperationalError as error:
            raise web.not_sent(error) from None


def stream(hub: Hub[Event], browser: Browser) -> Iterator[bytes]:
    """The events for one browser, whose greenlet sleeps until there is news."""
    yield browser.greeting()
    while hub.open:
        changed = hub.changed  # before looking: it is set by what happens while we send
        if news := browser.news():
            yield news
        if not changed.wait(HEARTBEAT):
            yield STILL_HERE
