"""Lists a driver's interface: `inventory.py DRIVER [DSN]` prints it as JSON.

Every public name of every module, with its kind; for classes their bases, members, signatures and
traits; for functions their signature; for constants their value. With a DSN also the attributes of
live objects: the type of the value, and whether it can be set. psycopg2's inventory is the
expectation.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import types
from typing import Any

MODULES = (
    "",
    "extensions",
    "extras",
    "errors",
    "errorcodes",
    "pool",
    "sql",
    "tz",
    "_psycopg",
    "_json",
    "_range",
    "_ipaddress",
)

# What every class has, or what says nothing about the interface.
BORING = set(dir(type("Plain", (), {}))) - {"__str__", "__repr__", "__eq__", "__hash__"} | {
    "__abstractmethods__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__firstlineno__",
    "__orig_bases__",
    "__parameters__",
    "__slots__",
    "__static_attributes__",
    "__text_signature__",
}

# Values that differ from version to version.
LOOSE = {"__version__", "__libpq_version__"}


class Inventory:
    """What `driver` offers; its own name is replaced by psycopg2's."""

    def __init__(self, driver: str) -> None:
        self.driver = driver

    def ours(self, thing: Any) -> bool:
        """Whether this is the driver's own, and not something that it imported."""
        module = getattr(thing, "__module__", None) or ""
        return module.split(".")[0] in (self.driver, "_psycopg", "psycopg2")

    def build(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in MODULES:
            module = importlib.import_module(f"{self.driver}.{name}" if name else self.driver)
            prefix = f"psycopg2.{name}" if name else "psycopg2"
            for attribute in dir(module):
                if attribute.startswith("_") and attribute not in LOOSE:
                    continue
                thing = getattr(module, attribute)
                facts = self.describe(thing)
                if attribute in LOOSE:
                    facts = {"kind": "constant", "value": type(thing).__name__}
                if facts is not None:
                    found[f"{prefix}.{attribute}"] = facts
        return found

    def describe(self, thing: Any) -> dict[str, Any] | None:
        """The facts of a name, or None for what a module merely imported."""
        if isinstance(thing, types.ModuleType):
            return None
        if isinstance(thing, type):
            return self.describe_class(thing) if self.ours(thing) else None
        if isinstance(thing, (types.FunctionType, types.BuiltinFunctionType)):
            if isinstance(thing, types.FunctionType) and not self.ours(thing):
                return None
            return {"kind": "function", "signature": signature(thing)}
        if hasattr(thing, "values") and hasattr(thing, "name"):
            return {"kind": "typecaster", "name": thing.name, "values": list(thing.values)}
        if callable(thing) and hasattr(thing, "__wrapped__"):
            return {"kind": "function", "signature": signature(thing)}
        return {"kind": "constant", "value": constant(thing)}

    def describe_class(self, kind: type) -> dict[str, Any]:
        members = {
            name: self.describe_member(kind, name)
            for name in dir(kind)
            if name not in BORING and not is_private(name) and self.is_own(kind, name)
        }
        facts: dict[str, Any] = {
            "kind": "class",
            "name": kind.__name__,
            "module": kind.__module__.replace(self.driver, "psycopg2"),
            "mro": [base.__name__ for base in kind.__mro__],
            "members": members,
            "subclassable": bool(kind.__flags__ & (1 << 10)),
            "weakrefable": bool(getattr(kind, "__weakrefoffset__", 0)),
            "has_dict": bool(getattr(kind, "__dictoffset__", 0)),
        }
        if kind.__init__ is not object.__init__:
            facts["signature"] = signature(kind)
        return facts

    def is_own(self, kind: type, name: str) -> bool:
        return any(name in base.__dict__ and self.ours(base) for base in kind.__mro__)

    @staticmethod
    def describe_member(kind: type, name: str) -> dict[str, Any]:
        raw = inspect.getattr_static(kind, name)
        if isinstance(raw, type):
            return {"kind": "class"}
        if isinstance(raw, property):
            return {"kind": "data", "settable": raw.fset is not None}
        if inspect.isdatadescriptor(raw):
            return {"kind": "data"}
        if isinstance(raw, (classmethod, types.ClassMethodDescriptorType)):
            member = "classmethod"
        elif isinstance(raw, staticmethod):
            member = "staticmethod"
        elif callable(raw):
            member = "method"
        elif raw is None:
            return {"kind": "none"}
        else:
            return {"kind": "constant", "value": constant(raw)}
        if name.startswith("__"):
            return {"kind": member}
        return {"kind": member, "signature": signature(getattr(kind, name))}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def signature(thing: Any) -> list[list[Any]] | None:
    """Names, kinds and defaults of the parameters; None where introspection cannot tell."""
    if isinstance(thing, types.BuiltinFunctionType) and not inspect.isclass(thing.__self__):
        return None  # Functions in C tell little, and differently.
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, p.kind.name, constant(p.default)] for p in parameters]


def constant(value: Any) -> str:
    """A value as text, for what has one; otherwise its type."""
    if value is inspect.Parameter.empty:
        return "required"
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, (tuple, list)):
        return type(value).__name__ + repr([constant(item) for item in value])
    if isinstance(value, dict):
        return "dict" + repr(sorted((constant(key), constant(value[key])) for key in value))
    return type(value).__name__


def live_objects(driver: str, dsn: str) -> dict[str, Any]:
    """The data attributes of objects in use: what reading and setting each comes to."""
    pg = importlib.import_module(driver)
    extensions = importlib.import_module(f"{driver}.extensions")
    conn = pg.connect(dsn)

    def executed() -> Any:
        cur = conn.cursor()
        cur.execute("select 1 as a, 'x'::text as b")
        return cur

    def failed() -> Any:
        try:
            conn.cursor().execute("select * from nosuchtable")
        except pg.Error as error:
            return error

    objects = {
        "connection": lambda: conn,
        "connection.info": lambda: conn.info,
        "cursor": conn.cursor,
        "cursor.executed": executed,
        "column": lambda: executed().description[0],
        "named cursor": lambda: conn.cursor("named"),
        "lobject": conn.lobject,
        "xid": lambda: conn.xid(1, "a", "b"),
        "notify": lambda: extensions.Notify(1, "a", "b"),
        "error": failed,
        "error.diag": lambda: failed().diag,
        "QuotedString": lambda: extensions.QuotedString("a"),
        "Binary": lambda: pg.Binary(b"a"),
        "AsIs": lambda: extensions.AsIs("a"),
        "Date": lambda: pg.Date(2000, 1, 1),
        "List": lambda: extensions.adapt([1]),
        "typecaster": lambda: extensions.INTEGER,
    }
    found: dict[str, Any] = {}
    for label, make in objects.items():
        thing = make()
        for name in dir(type(thing)):
            raw = inspect.getattr_static(type(thing), name)
            if not name.startswith("_") and inspect.isdatadescriptor(raw):
                found[f"{label}.{name}"] = probe(thing, name)
        conn.rollback()
    conn.close()
    return found


def probe(thing: Any, name: str) -> dict[str, str]:
    try:
        value = getattr(thing, name)
    except Exception as error:
        return {"read": type(error).__name__}
    facts = {"read": "value", "type": type(value).__name__}
    try:
        setattr(thing, name, value)
        facts["set"] = "ok"
    except Exception as error:
        facts["set"] = type(error).__name__
    return facts


if __name__ == "__main__":
    driver, *dsn = sys.argv[1:]
    content = {"names": Inventory(driver).build()}
    if dsn:
        content["live"] = live_objects(driver, dsn[0])
    json.dump(content, sys.stdout)
