"""The push example's page, in real browsers."""

from __future__ import annotations

import time

import pytest

import psycoxide
from psycoxide.extras import execute_batch

SHOWN = "[...document.querySelectorAll('#squares li')].map(item => item.lastChild.textContent)"
COLOURS = ["red", "orange", "gold", "limegreen", "teal", "dodgerblue", "orchid", "#0af123"]


@pytest.fixture
def notify(dsn):
    """A function that sends payloads to the channel, one by one."""

    def send(*payloads, dsn=dsn):
        conn = psycoxide.connect(dsn)
        conn.autocommit = True
        for payload in payloads:
            conn.cursor().execute("select pg_notify('data', %s)", (payload,))
        conn.close()

    return send


def wait_for(page, expression, value, patience=20):
    """Wait until it has this value in the page; some seconds, at most.

    Asked again and again from here: waiting in the page evaluates a string there, and the page's
    own policy forbids that.
    """
    end = time.monotonic() + patience
    while (found := page.evaluate(expression)) != value:
        assert time.monotonic() < end, f"{expression} is {found}, not {value}"
        page.wait_for_timeout(20)


def shows(page, names):
    wait_for(page, SHOWN, names)


def says(page, start):
    """Wait until the state that the page shows starts with this."""
    wait_for(page, f"document.querySelector('#state').innerText.startsWith({start!r})", True)


def test_two_pages_see_the_squares_in_order_also_after_a_restart(
    start_push, open_page, notify, restartable
):
    push = start_push("--port", "0", dsn=restartable.dsn)
    one, two = open_page(push.url), open_page(push.url)
    for page in (one, two):
        says(page, "listening")
    assert one.locator("#empty").is_visible()
    notify(*COLOURS, dsn=restartable.dsn)
    for page in (one, two):
        shows(page, COLOURS)
    assert one.locator("#empty").is_hidden()

    restartable.halt()
    try:
        for page in (one, two):
            says(page, "reconnecting to PostgreSQL")
            shows(page, COLOURS)
    finally:
        restartable.resume()
    for page in (one, two):
        says(page, "listening")
    notify("tomato", "#ABC", dsn=restartable.dsn)
    for page in (one, two):
        shows(page, [*COLOURS, "tomato", "#aabbcc"])
        colours = page.eval_on_selector_all(
            "#squares .tile", "tiles => tiles.map(tile => getComputedStyle(tile).backgroundColor)"
        )
        assert colours[:2] == ["rgb(255, 0, 0)", "rgb(255, 165, 0)"]
        assert colours[-1] == "rgb(170, 187, 204)"
    # A page that is opened now sees what the others see.
    shows(open_page(push.url), [*COLOURS, "tomato", "#aabbcc"])


def test_a_page_that_was_away_loses_nothing_and_repeats_nothing(push, relay, open_page, notify):
    network = relay(("127.0.0.1", push.port))
    page = open_page(f"http://127.0.0.1:{network.port}/")
    says(page, "listening")
    for away in range(3):
        network.cut()
        says(page, "reconnecting to the web server")
        notify(*COLOURS)
        network.restore()
        says(page, "listening")
        shows(page, COLOURS * (away + 1))
    notify("red")
    shows(page, [*COLOURS * 3, "red"])
    assert page.locator("#count").inner_text() == "25 squares"


def test_a_page_shows_what_the_server_remembers(start_push, relay, open_page, notify):
    push = start_push("--port", "0", "--history", "3")
    network = relay(("127.0.0.1", push.port))
    page = open_page(f"http://127.0.0.1:{network.port}/")
    notify("black")
    shows(page, ["black"])
    network.cut()
    says(page, "reconnecting to the web server")
    notify("red", "orange", "gold", "teal")
    network.restore()
    shows(page, ["orange", "gold", "teal"])
    assert page.locator("#count").inner_text() == "5 squares"


def test_a_flood_does_not_stall_a_page(push, open_page, dsn):
    page = open_page(push.url)
    says(page, "listening")
    flood = [f"#{number:06x}" for number in range(0, 5_000_000, 1000)]
    conn = psycoxide.connect(dsn)
    with conn, conn.cursor() as cur:
        execute_batch(cur, "select pg_notify('data', %s)", [(text,) for text in flood])
    conn.close()
    wait_for(page, "document.querySelector('#count').textContent", "5000 squares", patience=10)
    shows(page, flood[-500:])
    # And who looked at the newest square still does.
    box = "document.querySelector('main')"
    wait_for(page, f"{box}.scrollHeight - {box}.scrollTop - {box}.clientHeight < 2", True)


def test_another_process_at_the_address_starts_over(start_push, open_page, notify):
    push = start_push("--port", "0")
    page = open_page(push.url)
    notify("red", "gold")
    shows(page, ["red", "gold"])
    push.stop()
    says(page, "reconnecting to the web server")
    start_push("--port", str(push.port))
    says(page, "listening")
    shows(page, [])
    notify("teal")
    shows(page, ["teal"])


def test_the_form_and_the_palette_send(push, open_page):
    one, two = open_page(push.url), open_page(push.url)
    says(one, "listening")
    one.fill("#colour", "tomato")
    one.press("#colour", "Enter")
    shows(one, ["tomato"])
    assert one.input_value("#colour") == ""
    one.get_by_role("button", name="Send gold").click()
    for page in (one, two):
        shows(page, ["tomato", "gold"])
    one.fill("#colour", "purpel")
    one.get_by_role("button", name="NOTIFY").click()
    wait_for(one, "document.querySelector('#message').textContent", NO_COLOUR)
    assert one.input_value("#colour") == "purpel"
    shows(one, ["tomato", "gold"])


NO_COLOUR = "'purpel' is no colour: try a name, or #rrggbb"


def test_a_notifier_can_inject_nothing(push, open_page, notify):
    page = open_page(push.url)
    says(page, "listening")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    elements = page.evaluate("document.querySelectorAll('*').length")
    for hostile in [
        "<img src=x onerror=alert(1)>",
        "red;background:url(/stolen)",
        "red\n\nevent: square\ndata: {}",
        "</script><script>alert(1)</script>",
    ]:
        notify(hostile)
        wait_for(page, "document.querySelector('#message').textContent", refusal(hostile))
    assert page.evaluate("document.querySelectorAll('*').length") == elements
    notify("red")
    shows(page, ["red"])
    assert page.locator("#squares .tile").get_attribute("style") == (
        "background-color: rgb(255, 0, 0);"
    )
    assert requests == []


def refusal(payload):
    return f"Somebody sent {payload!a}: no colour."
