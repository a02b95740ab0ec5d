"""Messages of the server beside results: notices, notifications, errors."""

from __future__ import annotations

import contextlib
from typing import Any

from .registry import Run, line, powers


@line("notices", "notices of one statement", powers(2, 5), 1000)
def notices(driver: Any, conn: Any, size: int) -> Run:
    each = f"for i in 1 .. {size} loop raise notice 'number %', i; end loop;"
    return executing(conn, f"do $$ begin {each} end $$")


@line("notice", "bytes of one notice", powers(2, 7), 20)
def notice(driver: Any, conn: Any, size: int) -> Run:
    return executing(conn, f"do $$ begin raise notice '%', repeat('x', {size}); end $$")


@line("error", "bytes of one error", powers(2, 7), 20)
def error(driver: Any, conn: Any, size: int) -> Run:
    failing = executing(conn, f"do $$ begin raise exception '%', repeat('x', {size}); end $$")

    def run() -> None:
        with contextlib.suppress(driver.module.Error):
            failing()
        conn.rollback()

    return run


@line("error_position", "bytes of a statement before the error in it", powers(2, 7), 20)
def error_position(driver: Any, conn: Any, size: int) -> Run:
    failing = executing(conn, f"select {'/* é */ ' * (size // 9)} nothing")

    def run() -> None:
        with contextlib.suppress(driver.module.Error):
            failing()
        conn.rollback()

    return run


@line("notifications", "notifications received", powers(2, 5), 1000)
def notifications(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("listen growth")
            conn.commit()
            cur.execute(f"select pg_notify('growth', i::text) from generate_series(1, {size}) i")
            conn.commit()
        taken(conn, size)

    return run


@line("notifications_singly", "notifications received, a poll() each", powers(2, 4.5), 1000)
def notifications_singly(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            cur.execute("listen growth")
            conn.commit()
            for _ in range(size):
                cur.execute("notify growth")
                conn.commit()
                conn.poll()
        taken(conn, size)

    return run


@line("channels", "channels listened to, a notification each", powers(1, 4), 1000)
def channels(driver: Any, conn: Any, size: int) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            for number in range(size):
                cur.execute(f"listen growth{number}")
            conn.commit()
            cur.execute(
                f"select pg_notify('growth' || i, '') from generate_series(0, {size - 1}) i"
            )
            cur.execute("unlisten *")
            conn.commit()
            conn.poll()
        conn.notifies.clear()

    return run


def executing(conn: Any, query: str) -> Run:
    def run() -> None:
        with conn.cursor() as cur:
            cur.execute(query)

    return run


def taken(conn: Any, size: int) -> None:
    while len(conn.notifies) < size:
        conn.poll()
    conn.notifies.clear()
