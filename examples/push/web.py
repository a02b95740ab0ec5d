"""The web site: a page, its style and script, the event stream, and a form that sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from colour import Colour, NotAColour, parse
from hub import Hub

import psycoxide

PAGE = Path(__file__).resolve().parent / "page"
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
STREAM = "/squares"
# A form with one colour is some 20 bytes.
LARGEST_FORM = 1024

HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # Even if we make a mistake, no script and no style but our own two files can load.
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Refused(Exception):
    """A request that is refused, with the status and the reason."""

    def __init__(self, status: HTTPStatus, why: str, *headers: tuple[str, str]) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers


class Site:
    """The WSGI application; `send` sends a colour through the server."""

    def __init__(self, hub: Hub, send: Callable[[Colour], None]) -> None:
        self.hub = hub
        self.send = send
        self.files = {path: (PAGE / name).read_bytes() for path, (name, _) in FILES.items()}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            kind, body = self.answer(environ)
        except Refused as refused:
            text = f"{refused}\n".encode()
            start_response(
                f"{refused.status.value} {refused.status.phrase}",
                [("Content-Type", "text/plain; charset=utf-8"), *refused.headers, *HEADERS],
            )
            return [text]
        if kind is None:
            start_response("204 No Content", HEADERS)
        else:
            start_response("200 OK", [("Content-Type", kind), *HEADERS])
        return body

    def answer(self, environ: Environ) -> tuple[str | None, Iterable[bytes]]:
        """The type and the body of an answer. Raises `Refused`."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path in FILES:
            allow(method, "GET")
            return FILES[path][1], [self.files[path]]
        if path != STREAM:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        allow(method, "GET", "POST")
        if method == "POST":
            self.post(environ)
            return None, []
        return "text/event-stream", self.hub.follow(environ.get("HTTP_LAST_EVENT_ID", ""))

    def post(self, environ: Environ) -> None:
        """Send the colour of a form."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and urlsplit(origin).netloc != environ.get("HTTP_HOST"):
            raise Refused(HTTPStatus.FORBIDDEN, "only this page may send from a browser")
        try:
            colour = parse(field(environ, "colour"))
        except NotAColour as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{error}: try a name, or #rrggbb") from None
        try:
            self.send(colour)
        except psycoxide.OperationalError:
            # The reason is on the terminal; not everybody needs to know it.
            why = "the database cannot be reached just now"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, why) from None


def allow(method: str, *methods: str) -> None:
    if method not in methods:
        allowed = ", ".join(methods)
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed}", ("Allow", allowed))


def field(environ: Environ, name: str) -> str:
    """A field of the submitted form, or an empty string."""
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "a form needs a Content-Length")
    if int(length) > LARGEST_FORM:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is no colour")
    body: bytes = environ["wsgi.input"].read(int(length))
    return parse_qs(body.decode("ascii", "replace")).get(name, [""])[0]
