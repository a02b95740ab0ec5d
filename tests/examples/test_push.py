"""The push example without a browser: its event stream, its form, and how it starts and stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from fixtures.push import EXAMPLE, EventStream

import psycoxide
from psycoxide.extensions import make_dsn, parse_dsn
from psycoxide.extras import execute_batch

COLOURS = ["red", "orange", "gold", "limegreen", "teal", "dodgerblue", "orchid", "#0af123"]


@pytest.fixture
def notify(dsn):
    """A function that sends payloads to the channel, in one transaction."""
    conn = psycoxide.connect(dsn)

    def send(*payloads):
        with conn, conn.cursor() as cur:
            execute_batch(cur, "select pg_notify('data', %s)", [(text,) for text in payloads])

    yield send
    conn.close()


@pytest.fixture
def follow():
    """A function that opens an event stream of a running example."""
    with contextlib.ExitStack() as opened:
        yield lambda push, last="": opened.enter_context(
            contextlib.closing(EventStream(push.url, last))
        )


def mixture(count, seed=1):
    """Colours, none of them twice: equal notifications of a transaction arrive as one."""
    return [f"#{number:06x}" for number in random.Random(seed).sample(range(1 << 24), count)]


def test_two_clients_see_all_squares_in_order(push, follow, notify):
    one, two = follow(push), follow(push)
    sent = mixture(2000)
    for payload in sent[:20]:
        notify(payload)
    notify(*sent[20:])  # more at once than are remembered
    assert one.squares(2000) == sent
    assert two.squares(2000) == sent
    assert one.last == two.last
    assert one.last.data["number"] == 2000


def test_a_square_comes_at_once(push, follow, notify):
    stream = follow(push)
    stream.until("listener")
    began = time.monotonic()
    notify("red")
    event = stream.next()
    assert time.monotonic() - began < 1
    assert event.data == {"number": 1, "name": "red", "code": "#ff0000"}


def test_who_comes_later_sees_what_is_remembered(start_push, follow, notify):
    push = start_push("--port", "0", "--history", "5")
    first = follow(push)
    notify(*COLOURS)
    assert first.squares(8) == COLOURS
    late = follow(push)
    assert late.next().data == {"resumed": False, "keeps": 5}
    assert late.squares(5) == COLOURS[-5:]
    assert late.last.data["number"] == 8


def test_who_was_away_gets_what_was_sent_meanwhile_and_nothing_twice(push, follow, notify):
    stream = follow(push)
    notify(*COLOURS[:3])
    assert stream.squares(3) == COLOURS[:3]
    stream.close()
    notify(*COLOURS[3:])
    follow(push).squares(8)
    again = follow(push, stream.last.id)
    start = again.next()
    assert start.data["resumed"]
    assert start.id == stream.last.id
    assert again.squares(5) == COLOURS[3:]
    notify("red")
    assert again.squares(1) == ["red"]


def test_who_saw_nothing_yet_resumes_too(push, follow, notify):
    stream = follow(push)
    start = stream.next()
    stream.close()
    notify(*COLOURS)
    again = follow(push, start.id)
    assert again.next().data["resumed"]
    assert again.squares(8) == COLOURS


def test_what_is_forgotten_leaves_a_gap_in_the_numbers(start_push, follow, notify):
    push = start_push("--port", "0", "--history", "3")
    stream = follow(push)
    notify("red")
    assert stream.squares(1) == ["red"]
    seen = stream.last.id
    notify(*mixture(10))
    assert stream.squares(10) == mixture(10)
    again = follow(push, seen)
    assert again.until("square").data["number"] == 9
    assert again.squares(2) == mixture(10)[-2:]


@contextlib.contextmanager
def unread_stream(push):
    """A stream whose client does not read it: the socket."""
    with socket.socket() as lazy:
        lazy.settimeout(20)
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", push.port))
        lazy.sendall(b"GET /squares HTTP/1.0\r\n\r\n")
        yield lazy


@pytest.mark.slow
def test_who_does_not_read_holds_up_nobody(push, follow, notify):
    many = 40_000  # some 4 MB: more than the system's buffers hold
    with unread_stream(push) as lazy, unread_stream(push):
        stream = follow(push)
        sent = mixture(many)
        notify(*sent)
        assert stream.squares(many) == sent
        # It gets what the buffers hold, and then goes on with what is remembered.
        numbers = []
        with lazy.makefile("rb") as lines:
            while not numbers or numbers[-1] < many:
                line = next(lines)
                if line.startswith(b'data: {"number"'):
                    numbers.append(json.loads(line[len("data: ") :])["number"])
        assert numbers == sorted(set(numbers))
        assert numbers[-500:] == list(range(many - 499, many + 1))
        # Nor does the other one when all are told to go.
        began = time.monotonic()
        assert push.stop() == 0
        assert time.monotonic() - began < 5
    assert push.log.read_text().endswith("data\n[push] stopped\n")


def test_an_id_we_never_gave_starts_over(push, follow, notify):
    stream = follow(push)
    name = stream.next().id.partition("-")[0]
    notify("red", "gold")
    stream.squares(2)
    for invented in ["x", "0-1", f"{name}-99", f"{name}--1", f"{name}-\xb2", f"{name}-"]:
        again = follow(push, invented)
        assert not again.next().data["resumed"], invented
        assert again.squares(2) == ["red", "gold"], invented


def test_a_colour_that_is_posted_goes_through_the_server(push, follow, connect):
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute("listen data")
    stream = follow(push)
    colours = [
        ("red", "red", "#ff0000"),
        (" DarkSeaGreen ", "darkseagreen", "#8fbc8f"),
        ("rebeccapurple", "rebeccapurple", "#663399"),
        ("#0Af", "#00aaff", "#00aaff"),
        ("#12AB34", "#12ab34", "#12ab34"),
    ]
    for number, (sent, name, code) in enumerate(colours, 1):
        assert push.post(sent) == (204, "")
        assert stream.until("square").data == {"number": number, "name": name, "code": code}
    listener.cursor().execute("select 1")
    assert [note.payload for note in listener.notifies] == [name for _, name, _ in colours]


HOSTILE = [
    "",
    "purpel",
    "<script>alert(1)</script>",
    "red;background:url(//x)",
    "url(x)",
    "expression(alert(1))",
    "#12345g",
    "#1234",
    "##fff",
    "inherit",
    "transparent",
    "red\n\nevent: square\ndata: {}",
    "\x1b[31mred",
    "r\xe9d",
    "r" * 500,
]


def test_what_is_no_colour_is_not_sent(push, follow):
    stream = follow(push)
    for sent in HOSTILE:
        status, text = push.post(sent)
        assert (status, "is no colour" in text) == (400, True), sent
        assert text.isascii()
        assert len(text) < 300
        push.post("red")
        assert stream.squares(1) == ["red"]


def test_what_is_no_colour_is_not_shown(push, follow, notify):
    stream = follow(push)
    stream.until("listener")
    for payload in [*HOSTILE, "x" * 7999]:
        notify(payload)
        event = stream.next()
        assert (event.name, event.id) == ("refused", "")
        assert len(event.data["text"]) < 300
        assert event.data["text"].isascii()
        assert event.data["text"].isprintable()
    notify("red")
    assert stream.squares(1) == ["red"]
    assert "\x1b" not in push.log.read_text()
    # That was news, not history: who comes later is not told.
    assert follow(push).squares(1) == ["red"]


def test_only_the_page_itself_may_post(push):
    host = push.url.split("/")[2]
    assert push.post("red", Origin=f"http://{host}")[0] == 204
    assert push.post("red", Origin="http://example.org")[0] == 403
    assert push.post("red", Origin="null")[0] == 403


def test_other_requests_are_refused(push):
    assert push.request("nothing")[0] == 404
    assert push.request("page/../hub.py")[0] == 404
    assert push.request("squares", "DELETE")[0] == 405
    assert push.request("squares", "HEAD")[0] == 405
    assert push.request("", "POST", b"")[0] == 405
    assert push.request("squares", "POST", b"colour=" + b"r" * 5000)[0] == 413
    assert push.request("squares", "POST", b"")[0] == 400
    assert push.request("squares", "POST", b"\xff=%ff&colour=%00red")[0] == 400


def test_a_form_of_unknown_length_is_refused(push):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", push.port, timeout=20)) as conn:
        conn.request("POST", "/squares", iter([b"colour=red"]), encode_chunked=True)
        assert conn.getresponse().status == 411


def test_the_page_may_load_its_own_files_only(push):
    status, page = push.request("")
    assert status == 200
    assert "://" not in page
    with contextlib.closing(EventStream(push.url)) as stream:
        policy = stream.response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert push.request("page.js")[0] == push.request("page.css")[0] == 200


def test_the_line_to_type_works(push, follow, dsn):
    if not (os.environ.get("PSYCOXIDE_TEST_PSQL") or shutil.which("psql")):
        pytest.skip("no psql here")
    stream = follow(push)
    env = {**os.environ, "PGPASSWORD": parse_dsn(dsn).get("password", "")}
    subprocess.run(push.greeting["send"], shell=True, check=True, timeout=20, env=env)
    assert stream.squares(1) == ["red"]


def test_a_password_of_yours_is_not_printed(start_push, dsn, monkeypatch):
    monkeypatch.delenv("PSYCOXIDE_TEST_SERVER", raising=False)
    greeting = start_push("--port", "0").greeting
    parameters = parse_dsn(dsn)
    assert f"dbname={parameters['dbname']}" in greeting["send"]
    assert parameters.get("password", "password=") not in greeting["send"]
    assert "restart" not in greeting


def test_a_restarted_server_is_listened_to_again(start_push, follow, restartable):
    push = start_push("--port", "0", dsn=restartable.dsn)
    stream = follow(push)
    assert push.post("red")[0] == 204
    assert stream.squares(1) == ["red"]
    restartable.halt()
    try:
        assert stream.until("listener").data == {"listening": False, "attempts": 1}
        assert stream.until("listener").data == {"listening": False, "attempts": 2}
        status, text = push.post("gold")
        assert (status, text) == (503, "the database cannot be reached just now\n")
    finally:
        restartable.resume()
    while not stream.until("listener").data["listening"]:
        pass
    assert push.post("teal")[0] == 204
    assert stream.squares(1) == ["teal"]
    assert stream.last.data["number"] == 2


def test_it_waits_for_a_server_that_is_not_there_yet(start_push, follow, restartable):
    restartable.halt()
    try:
        push = start_push("--port", "0", dsn=restartable.dsn, listening=False)
        stream = follow(push)
        assert not stream.until("listener").data["listening"]
    finally:
        restartable.resume()
    while not stream.until("listener").data["listening"]:
        pass
    push.post("red")
    assert stream.squares(1) == ["red"]


# The example's listener alone, with less patience than people have.
LISTENER = """
import logging
import sys

sys.path.insert(0, sys.argv[1])
import channel
from hub import Hub

channel.SILENCE = 0.3
channel.PATIENCE = 1
logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
"""
LISTENERS = {
    "gevent": """
from gevent.event import Event
from with_gevent import database, green

green.install()
database.listen(sys.argv[2], channel.Display(Hub(1, Event)))
""",
    "asyncio": """
import asyncio
from with_asyncio import database

asyncio.run(database.listen(sys.argv[2], channel.Display(Hub(1, asyncio.Event))))
""",
}
LOSSES = {
    "gevent": (
        "asking after the server: no answer within 1 s\n",
        "connecting: no answer within 1 s\n",
    ),
    "asyncio": (
        "the connection is lost: the server has not answered for 1 seconds\n",
        "cannot connect: timeout expired: the call took longer than its timeout allows\n",
    ),
}


def test_a_silent_death_of_the_network_is_noticed(server, relay, variant):
    """Nobody says so when a machine vanishes: only asking tells."""
    parameters = server.parameters
    if not {"host", "port"} <= set(parameters) or parameters["host"].startswith("/"):
        pytest.skip("the given server is not reached at a host and a port, by TCP")
    network = relay((parameters["host"], int(parameters["port"])))
    parameters |= {"host": "127.0.0.1", "port": str(network.port)}
    program = LISTENER + LISTENERS[variant]
    command = [sys.executable, "-c", program, str(EXAMPLE), make_dsn(**parameters)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = iter(process.stdout.readline, "")
            assert next(said) == "listening to channel data\n"
            time.sleep(1)  # asking goes well, some times
            network.stall()
            assert (next(said), next(said)) == LOSSES[variant]
            network.flow()
            assert "listening to channel data\n" in said
        finally:
            process.kill()


# gevent looks up the name of its host, in a thread.
@pytest.mark.parametrize("variant", ["asyncio"])
def test_one_thread_does_it_all(push, follow):
    stream = follow(push)
    push.post("red")
    assert stream.squares(1) == ["red"]
    assert len(os.listdir(f"/proc/{push.process.pid}/task")) == 1


PAUSES = """
import sys

sys.path.insert(0, sys.argv[1])
import channel

print(*(channel.pause(failures) for failures in (1, 2, 3, 100_000)))
"""


def test_a_server_that_is_away_for_days_is_still_tried_again():
    command = [sys.executable, "-c", PAUSES, str(EXAMPLE)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    pauses = [float(text) for text in said.split()]
    assert pauses == sorted(pauses)
    assert 0.1 < pauses[0] < pauses[-1] <= 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told_with_streams_open(push, follow, number):
    stream = follow(push)
    stream.until("listener")
    began = time.monotonic()
    assert push.stop(number) == 0
    assert time.monotonic() - began < 5
    with pytest.raises(EOFError):
        stream.until("square")
    log = push.log.read_text()
    assert log.endswith("[push] stopped\n")
    assert "Traceback" not in log


def test_its_connection_is_gone_when_it_stopped(start_push, connect):
    push = start_push("--port", "0")
    push.stop()
    conn = connect()
    conn.autocommit = True
    cur = conn.cursor()
    count = "select count(*) from pg_stat_activity where application_name = 'psycoxide-push'"
    end = time.monotonic() + 10
    while time.monotonic() < end:
        cur.execute(count)
        if cur.fetchone() == (0,):
            return
        time.sleep(0.05)
    pytest.fail("its session is still there")


def test_a_taken_port_is_said(push, dsn):
    taken = str(push.port)
    env = {**os.environ, "PSYCOXIDE_TEST_DSN": dsn}
    command = [sys.executable, str(EXAMPLE), "--port", taken]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr


def test_a_dsn_that_cannot_be_read_is_said():
    env = {**os.environ, "PSYCOXIDE_TEST_DSN": "nonsense"}
    command = [sys.executable, str(EXAMPLE), "--port", "0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert "DSN" in done.stderr
    assert "Traceback" not in done.stderr
