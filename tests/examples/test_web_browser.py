"""The web example's page, in a real browser."""

from __future__ import annotations

import time
from typing import Any


def wait_for(page: Any, selector: str, text: str) -> None:
    """Wait until this element of the page has this text."""
    until = time.monotonic() + 20
    while (found := page.locator(selector).inner_text()) != text:
        assert time.monotonic() < until, f"{selector} is {found!r}, not {text!r}"
        page.wait_for_timeout(20)


def seat(name: str) -> str:
    return f"[data-seat={name}]"


def take(page: Any, guest: str, *names: str) -> None:
    page.fill("#guest", guest)
    for name in names:
        page.click(seat(name))
    page.click("#take")


def test_pages_show_all_changes_also_after_a_restart(
    start_web: Any, open_page: Any, restartable: Any
) -> None:
    web = start_web(restartable.dsn)
    one, two = open_page(web.url), open_page(web.url)
    for page in (one, two):
        wait_for(page, "#state", "live")
    take(one, "Ada", "A1", "A2")
    for page in (one, two):
        wait_for(page, seat("A1"), "Ada")
        assert page.locator(seat("A2")).is_disabled()

    restartable.halt()
    try:
        for page in (one, two):
            wait_for(page, "#state", "the database is away: what you see may be old")
        take(two, "Bob", "B1")
        wait_for(two, "#answer", "the database cannot be reached just now: try again")
    finally:
        restartable.resume()
    for page in (one, two):
        wait_for(page, "#state", "live")
    two.click("#take")
    for page in (one, two):
        wait_for(page, seat("B1"), "Bob")
        wait_for(page, seat("A1"), "Ada")
    assert two.locator("#answer").inner_text() == ""
    for page, guest in ((one, "Ada"), (two, "Bob")):
        page.fill("#guest", guest)
        page.click("#give-back")
    wait_for(one, seat("A1"), "A1")
    wait_for(two, seat("B1"), "B1")


def test_who_is_slower_is_told_and_names_are_text(web: Any, open_page: Any) -> None:
    one, two = open_page(web.url), open_page(web.url)
    for page in (one, two):
        wait_for(page, "#state", "live")
    name = "<b>Ada</b>"
    two.click(seat("C3"))
    take(one, name, "C3")
    wait_for(two, seat("C3"), name)
    take(two, "Bob")
    wait_for(two, "#answer", "which seats?")
    take(two, "Bob", "C1", "C2", "C4", "C5", "C6")
    wait_for(two, "#answer", "no more than 4 seats for a guest, and Bob has 0")
    one.click("#give-back")
    wait_for(two, seat("C3"), "C3")
