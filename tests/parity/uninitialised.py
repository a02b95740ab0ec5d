"""Asks every member of instances whose `__init__` never ran: `uninitialised.py DRIVER`.

Prints what came of each question as JSON. Each is asked in a child of its own: psycopg2 does not
survive all of them.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any

CLASSES = [
    "connection",
    "cursor",
    "lobject",
    "ReplicationConnection",
    "ReplicationCursor",
    "ReplicationMessage",
    "Xid",
    "ConnectionInfo",
    "Column",
    "Notify",
    "QuotedString",
    "Binary",
    "List",
]

SPECIAL = ["__enter__", "__exit__", "__iter__", "__next__", "__repr__", "__str__"]

# The arguments of those that want some.
ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "__exit__": [(None, None, None), (ValueError, ValueError(), None)],
    "callproc": [("f",)],
    "cast": [(23, "1")],
    "consume_stream": [(print,)],
    "copy_expert": [("copy t to stdout", io.StringIO())],
    "copy_from": [(io.StringIO(), "t")],
    "copy_to": [(io.StringIO(), "t")],
    "execute": [("select 1",), ("select %s", (1,))],
    "executemany": [("select 1", [(1,)])],
    "export": [("/nowhere",)],
    "fetchmany": [(), (0,), (2,)],
    "from_string": [("x",)],
    "get_parameter_status": [("TimeZone",)],
    "mogrify": [("select 1",), ("select %s", (1,))],
    "prepare": [(None,)],
    "scroll": [(1,), (1, "absolute")],
    "seek": [(0,)],
    "set_client_encoding": [("UTF8",)],
    "set_isolation_level": [(0,), (1,)],
    "set_session": [(), (1,)],
    "setinputsizes": [(1,)],
    "setoutputsize": [(1,)],
    "start_replication_expert": [("x",)],
    "tpc_begin": [("x",)],
    "write": [("x",)],
    "xid": [(1, "a", "b")],
}


def told(question: Callable[[], Any]) -> str:
    """What a value is, or the class of what was raised."""
    try:
        value = question()
    except Exception as error:
        return f"raises {type(error).__name__}"
    text = re.sub(r"0x[0-9a-f]+", "0x", repr(value)).replace("psycoxide", "psycopg2")
    return f"{type(value).__name__}: {text}"


def ask(question: Callable[[], Any]) -> str:
    """The same, in a child."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        os.write(writing, told(question).encode()[:2000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return answer.decode() if status == 0 else "dies"


def main(driver: str) -> None:
    native = importlib.import_module(f"{driver}._psycopg")
    answers = {}
    for name in CLASSES:
        cls = getattr(native, name)
        try:
            blank = cls.__new__(cls)
        except TypeError:
            answers[name] = "cannot be made"
            continue
        public = [attribute for attribute in dir(cls) if not attribute.startswith("_")]
        for attribute in [*public, *(special for special in SPECIAL if hasattr(cls, special))]:
            member = f"{name}.{attribute}"
            kind = getattr(cls, attribute)
            if not callable(kind):
                answers[member] = ask(lambda: getattr(blank, attribute))  # noqa: B023
                for value in (None, 1, "x"):
                    answers[f"{member} = {value!r}"] = ask(
                        lambda: setattr(blank, attribute, value)  # noqa: B023
                    )
            elif not isinstance(kind, type):
                for arguments in ARGUMENTS.get(attribute, [()]):
                    answers[f"{member}{re.sub('0x[0-9a-f]+', '0x', str(arguments))}"] = ask(
                        lambda: getattr(blank, attribute)(*arguments)  # noqa: B023
                    )
        if hasattr(cls, "close") and name != "lobject":
            blank.close()
            for attribute in ("closed", "__repr__"):
                answers[f"{name}.close() {attribute}"] = ask(lambda: getattr(blank, attribute))  # noqa: B023
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
