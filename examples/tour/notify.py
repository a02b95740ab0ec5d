"""Section 6: the server tells one connection what another had to say."""

from __future__ import annotations

import json
import select
import threading
import time
from typing import Any

from show import Show

import psycoxide

ORDERS = [
    {"order": 17, "of": "Zoë", "total": "12.50"},
    {"order": 18, "of": "Łukasz", "total": "3.99"},
    {"order": 19, "of": "it's me", "total": "100.00"},
]
QUIET = 0.3


def run(show: Show, dsn: str) -> None:
    listener, speaker = psycoxide.connect(dsn), psycoxide.connect(dsn)
    listener.autocommit = True
    with listener.cursor() as cursor:
        cursor.execute("listen orders")
    payloads(show, listener, speaker)
    on_commit(show, listener, speaker)
    listener.close()
    speaker.close()


def wait(conn: Any, timeout: float) -> list[Any]:
    """Sleep in select until notifications arrive; returns them."""
    if not any(select.select([conn], [], [], timeout)):
        return []
    conn.poll()
    came = list(conn.notifies)
    conn.notifies.clear()
    return came


def payloads(show: Show, listener: Any, speaker: Any) -> None:
    show.step("One connection sleeps in select, another sends three notifications with payloads:")
    show.code(wait)

    def speak() -> None:
        for order in ORDERS:
            time.sleep(0.15)
            with speaker, speaker.cursor() as cursor:
                payload = json.dumps({**order, "at": time.time()}, ensure_ascii=False)
                cursor.execute("select pg_notify('orders', %s)", (payload,))

    thread = threading.Thread(target=speak)
    thread.start()
    rows: list[tuple[Any, ...]] = []
    orders: list[dict[str, str]] = []
    while len(orders) < len(ORDERS):
        came = wait(listener, 5)
        if not came:
            break
        for note in came:
            content = json.loads(note.payload)
            late = (time.time() - content.pop("at")) * 1000
            orders.append(content)
            rows.append(
                (note.channel, note.pid, json.dumps(content, ensure_ascii=False), f"{late:.1f}")
            )
            if note.pid != speaker.info.backend_pid:
                show.check("a notification names its sender", note.pid, speaker.info.backend_pid)
    thread.join()
    show.table(["channel", "from pid", "payload", "ms later"], rows)
    show.check("three payloads arrive in order, with their sender's pid", orders, ORDERS)


def on_commit(show: Show, listener: Any, speaker: Any) -> None:
    show.step("Notifications are part of a transaction:")
    cursor = speaker.cursor()
    cursor.execute("notify orders, 'never'")
    speaker.rollback()
    cursor.execute("notify orders, 'kept back'")
    before = wait(listener, QUIET)
    show.check(f"before the commit: {QUIET} s of silence", before, [])
    speaker.commit()
    after = [note.payload for note in wait(listener, 5)]
    show.check("after it: the one that was not rolled back", after, ["kept back"])
