"""Lists a driver's public interface: `inventory.py DRIVER` prints it as JSON.

Every public name of every module, with its kind; for classes their bases, members and traits; for
functions their signature; for constants their value. psycopg2's inventory is the expectation.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import types
from typing import Any

MODULES = ["", "extensions", "extras", "errors", "errorcodes", "pool", "sql", "tz"]

# What every class has, or what says nothing about the interface.
BORING = set(dir(type("Plain", (), {}))) | {
    "__annotations__", "__abstractmethods__", "__parameters__", "__orig_bases__", "__slots__",
    "__text_signature__", "__setstate__", "__firstlineno__", "__static_attributes__",
    "__annotations_cache__", "__annotate_func__",
}  # fmt: skip


class Inventory:
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
            for attribute in dir(module):
                if attribute.startswith("_"):
                    continue
                thing = getattr(module, attribute)
                facts = self.describe(thing)
                if facts is not None:
                    found[f"{name or 'psycopg2'}.{attribute}"] = facts
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
            if name not in BORING and not (name.startswith("_") and not name.startswith("__"))
            and self.is_own(kind, name)
        }  # fmt: skip
        return {
            "kind": "class",
            "name": kind.__name__,
            "mro": [base.__name__ for base in kind.__mro__],
            "members": members,
            "subclassable": bool(kind.__flags__ & (1 << 10)),
        }

    def is_own(self, kind: type, name: str) -> bool:
        return any(name in base.__dict__ and self.ours(base) for base in kind.__mro__)

    @staticmethod
    def describe_member(kind: type, name: str) -> str:
        raw = inspect.getattr_static(kind, name)
        if isinstance(raw, (classmethod, types.ClassMethodDescriptorType)):
            return "classmethod"
        if isinstance(raw, staticmethod):
            return "staticmethod"
        if isinstance(raw, type):
            return "class"
        if inspect.isdatadescriptor(raw):
            return "data"
        if callable(raw):
            return "method"
        return f"constant {constant(raw)}" if raw is not None else "None"


def signature(thing: Any) -> list[list[Any]] | None:
    """Names, kinds and defaults of the parameters; None where introspection cannot tell."""
    if isinstance(thing, types.BuiltinFunctionType):
        return None  # C functions tell little, and differently
    parameters = inspect.signature(thing).parameters.values()
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
    return type(value).__name__


if __name__ == "__main__":
    json.dump(Inventory(sys.argv[1]).build(), sys.stdout)
