"""The web example without a browser: seats, the event stream, faults."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fixtures.web import Stream

from psycoxide import sync

# The bodies of requests for seats, and the statuses of their answers.
BAD = [
    (b"", 400),
    (b"[]", 400),
    (b"{", 400),
    (b'"\xff"', 400),
    (b'{"seats": ["A1"]}', 400),
    (b'{"guest": "", "seats": ["A1"]}', 400),
    (b'{"guest": 7, "seats": ["A1"]}', 400),
    (b'{"guest": "a\\u0000b", "seats": ["A1"]}', 400),
    (b'{"guest": "\\ud800", "seats": ["A1"]}', 400),
    (b'{"guest": "Ada"}', 400),
    (b'{"guest": "Ada", "seats": [1]}', 400),
    (b'{"guest": "Ada", "seats": []}', 400),
    (b'{"guest": "Ada", "seats": ["A1", "A11"]}', 409),
    (b'{"guest": "Ada", "seats": ["A1", "A1; drop table seat"]}', 409),
    (b'{"guest": "Ada", "seats": ["A1", "A2", "A3", "A4", "A5"]}', 409),
    (b" " * 5000, 413),
]


def test_a_seat_is_given_once(web: Any) -> None:
    assert web.seats() == {}
    assert web.post("take", guest="Ada", seats=["A1", "A2"]) == (204, "")
    assert web.post("take", guest="Bob", seats=["A2", "A3"])[0] == 409
    assert web.seats() == {"A1": "Ada", "A2": "Ada"}
    assert web.post("give-back", guest="Ada") == (204, "")
    assert web.seats() == {}


def test_many_guests_want_the_same_seat(web: Any) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(lambda n: web.post("take", guest=f"guest {n}", seats=["C5"])[0], range(40))
        )
    assert sorted(answers) == [204] + [409] * 39
    assert list(web.seats()) == ["C5"]


def test_no_guest_gets_more_than_four_however_fast_the_requests(web: Any) -> None:
    wanted = [f"{row}{number}" for row in "ABC" for number in range(1, 7)]
    with ThreadPoolExecutor(len(wanted)) as threads:
        answers = list(
            threads.map(lambda seat: web.post("take", guest="Eve", seats=[seat])[0], wanted)
        )
    assert sorted(answers) == [204] * 4 + [409] * (len(wanted) - 4)
    assert len(web.seats()) == 4


def test_more_requests_than_connections_wait_for_one(web: Any) -> None:
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _n: web.request("seats")[0], range(400)))
    assert answers == [200] * 400


def test_the_stream_tells_of_every_change_whoever_makes_it(web: Any, schema: str) -> None:
    one, two = Stream(web.url), Stream(web.url)
    for stream in (one, two):
        assert len(stream.until("seats")) == 60
    web.post("take", guest="Ada", seats=["D4"])
    for stream in (one, two):
        assert stream.until("seats") == {"D4": "Ada"}
    with sync.connect(schema) as conn:
        conn.execute("update seat set guest = null where guest is not null")
    for stream in (one, two):
        assert stream.until("seats") == {"D4": None}


def test_bad_requests_are_refused(web: Any) -> None:
    for body, status in BAD:
        assert web.request("take", body)[0] == status, body
    assert web.seats() == {}


def test_a_form_of_another_site_is_refused(web: Any) -> None:
    body = b'{"guest": "Ada", "seats": ["A1"]}'
    assert web.request("take", body, "text/plain")[0] == 415
    assert web.seats() == {}


def test_an_interrupt_ends_it_at_once_with_open_streams(web: Any) -> None:
    streams = [Stream(web.url) for _ in range(3)]
    for stream in streams:
        stream.live()
    began = time.monotonic()
    code, log = web.stop()
    assert time.monotonic() - began < 5
    assert (code, log) == (130, "")


def test_it_goes_on_after_the_server_was_away(start_web: Any, restartable: Any) -> None:
    web = start_web(restartable.dsn)
    stream = Stream(web.url)
    stream.live()
    assert web.post("take", guest="Ada", seats=["F1"])[0] == 204
    restartable.halt()
    try:
        stream.live(False)
        began = time.monotonic()
        status, text = web.post("take", guest="Ada", seats=["F2"])
        assert (status, text) == (503, "the database cannot be reached just now: try again")
        assert time.monotonic() - began < 10
    finally:
        restartable.resume()
    stream.live()
    assert web.post("take", guest="Ada", seats=["F2"])[0] == 204
    assert web.seats() == {"F1": "Ada", "F2": "Ada"}
    web.post("give-back", guest="Ada")
