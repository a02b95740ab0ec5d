"""The rules of the web site: its files, what may be asked of it, and what a form may say.

Nothing in here waits: `with_gevent/` and `with_asyncio/` do.
"""

from __future__ import annotations

import dataclasses
import signal
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from channel import first_line, log
from colour import Colour, NotAColour, parse

import psycoxide

STREAM = "/squares"
EVENTS = "text/event-stream"
TEXT = "text/plain; charset=utf-8"
# A form with one colour is some 20 bytes.
LARGEST_FORM = 1024
# What tells us to stop, and how many seconds running answers may take then.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 0.5

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Even if we make a mistake, no script and no style but our own two files can load.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}


@dataclasses.dataclass(frozen=True)
class File:
    """A file of the page, and its type."""

    kind: str
    body: bytes


PAGE = Path(__file__).resolve().parent / "page"
FILES = {
    path: File(f"{kind}; charset=utf-8", (PAGE / name).read_bytes())
    for path, name, kind in [
        ("/", "page.html", "text/html"),
        ("/page.css", "page.css", "text/css"),
        ("/page.js", "page.js", "text/javascript"),
    ]
}


class Refused(Exception):
    """A request that is refused, with the status and the reason."""

    def __init__(self, status: HTTPStatus, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers

    @property
    def text(self) -> str:
        return f"{self}\n"


def find(method: str, path: str) -> File | None:
    """The file of an address; None if it is the squares', which may be read and sent.

    Raises `Refused`.
    """
    file = FILES.get(path)
    if file is None and path != STREAM:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such page")
    methods = ["GET"] if file else ["GET", "POST"]
    if method not in methods:
        allowed = ", ".join(methods)
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed}", Allow=allowed)
    return file


def form_length(origin: str | None, host: str | None, length: str | None) -> int:
    """How many bytes of a form to read, by the headers that it comes with. Raises `Refused`."""
    if origin is not None and urlsplit(origin).netloc != host:
        raise Refused(HTTPStatus.FORBIDDEN, "only this page may send from a browser")
    if not length or not length.isdecimal():
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "a form needs a Content-Length")
    if int(length) > LARGEST_FORM:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is no colour")
    return int(length)


def form_colour(body: bytes) -> Colour:
    """The colour that a form sends. Raises `Refused`."""
    text = parse_qs(body.decode("ascii", "replace")).get("colour", [""])[0]
    try:
        return parse(text)
    except NotAColour as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{error}: try a name, or #rrggbb") from None


def not_sent(error: psycoxide.Error) -> Refused:
    """What a sender is told if the server could not take a colour."""
    # The reason goes to the terminal; not everybody needs to know it.
    log.warning("NOTIFY: %s", first_line(error))
    why = "the database cannot be reached just now"
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, why)
