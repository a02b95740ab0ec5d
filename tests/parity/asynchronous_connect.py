"""What a driver shows of asynchronous connections while they are made, step by step.

`asynchronous_connect.py DRIVER [HOSTS]` reads a list of `connect()`'s options from standard input
and tells for each what was seen. HOSTS is a text to stand in the place of /etc/hosts; the program
has to have a namespace of mounts of its own then.
"""

from __future__ import annotations

import importlib
import json
import select
import subprocess
import sys
import tempfile
from functools import partial
from typing import Any

PATIENCE = 20.0
MOST_STEPS = 100

ATTRIBUTES = ("status", "closed", "autocommit", "async_", "encoding", "isolation_level")
ATTRIBUTES += ("server_version", "protocol_version")
INFO = ("status", "transaction_status", "host", "port", "user", "dbname", "options", "password")
INFO += ("error_message", "needs_password", "used_password", "ssl_in_use", "server_version")
INFO += ("protocol_version",)
METHODS = ("isexecuting", "get_transaction_status", "cancel", "cursor")


def told(action: Any) -> Any:
    """What an action comes to, as JSON has it."""
    try:
        value = action()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return value if value is None or isinstance(value, (int, str)) else type(value).__name__


def number(action: Any) -> Any:
    """The same for descriptors and processes, which differ each time."""
    value = told(action)
    return value > 0 if isinstance(value, int) else value


def state(conn: Any) -> dict[str, Any]:
    seen = {name: told(partial(getattr, conn, name)) for name in ATTRIBUTES}
    seen |= {f"info.{name}": told(partial(getattr, conn.info, name)) for name in INFO}
    seen |= {f"{name}()": told(getattr(conn, name)) for name in METHODS}
    seen["fileno()"] = number(conn.fileno)
    seen["get_backend_pid()"] = number(conn.get_backend_pid)
    seen["info.socket"] = number(lambda: conn.info.socket)
    seen["get_parameter_status()"] = told(lambda: conn.get_parameter_status("server_encoding"))
    seen["repr"] = repr(conn).rsplit("closed: ")[-1]
    return seen


def waits(conn: Any, wanted: int) -> bool:
    readers, writers = ([conn] if wanted == 1 else []), ([conn] if wanted == 2 else [])
    return any(select.select(readers, writers, [], PATIENCE))


def watch(driver: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Everything that shows of one attempt."""
    try:
        conn = driver.connect(**options, async_=1)
    except Exception as error:
        return {"connect": [type(error).__name__, str(error)]}
    seen: dict[str, Any] = {"connect": None, "connected": state(conn), "polls": []}
    for _ in range(MOST_STEPS):
        answer = told(conn.poll)
        seen["polls"].append(answer)
        if len(seen["polls"]) == 1:
            seen["begun"] = state(conn)
        if answer not in (1, 2) or not waits(conn, answer):
            break
    seen["ended"] = state(conn)
    seen["again"] = told(conn.poll)
    conn.close()
    seen["closed"] = state(conn)
    return seen


def main() -> None:
    name, *hosts = sys.argv[1:]
    for text in hosts:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            subprocess.run(["mount", "--bind", file.name, "/etc/hosts"], check=True)
    driver = importlib.import_module(name)
    importlib.import_module(f"{name}.extensions")
    json.dump([watch(driver, options) for options in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
