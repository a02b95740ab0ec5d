"""A guided tour of psycoxide: `make demo`, or `python examples/tour` with DSN=... set.

Every section does real work on a real server, prints its steps and their results, and checks
them: the tour ends with a table of the checks, and with exit code 1 if one failed. It needs a
superuser on a database of its own (the one of `make demo` is thrown away).
"""

from __future__ import annotations

import os
import sys
import time

import asynchronous
import awaited
import datatypes
import memory
import notify
import transactions
from show import Show, Unexpected

import psycoxide

SECTIONS = [
    ("asyncio", "awaited, in parallel, cancelled; and the same without it", awaited.run),
    ("Types", "every built-in pair both ways, and types of your own", datatypes.run),
    ("Memory", "two million rows, with and without a named cursor", memory.run),
    ("Transactions", "kept, undone, isolated, retried", transactions.run),
    ("Asynchronous", "poll() under select, and gevent", asynchronous.run),
    ("Notifications", "LISTEN and NOTIFY between two connections", notify.run),
]


def main() -> int:
    dsn = os.environ.get("PSYCOXIDE_TEST_DSN") or os.environ.get("DSN")
    if not dsn:
        print("no server: run `make demo`, or set DSN", file=sys.stderr)
        return 2
    show = Show()
    began = time.perf_counter()
    try:
        greet(show, dsn)
        for number, (title, lead, section) in enumerate(SECTIONS, 1):
            show.section(number, title, lead)
            section(show, dsn)
    except Unexpected as unexpected:
        show.failed(str(unexpected))
        return 1
    except psycoxide.Error as error:
        show.failed(f"{type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        show.failed("interrupted")
        return 130
    show.summary(time.perf_counter() - began)
    return 0


def greet(show: Show, dsn: str) -> None:
    with psycoxide.connect(dsn) as conn, conn.cursor() as cursor:
        cursor.execute("select version()")
        version = cursor.fetchone()[0].split(" on ")[0]
        cursor.execute("drop schema if exists tour cascade; create schema tour")
    conn.close()
    show.title(f"psycoxide {psycoxide.__version__.split()[0]} · {version}")


if __name__ == "__main__":
    sys.exit(main())
