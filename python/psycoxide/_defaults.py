"""How values of more types are read and adapted in `psycoxide.aio` and `psycoxide.sync`.

These count where the program has registered neither a typecaster nor an adapter for the type. The
native module calls them.
"""

from __future__ import annotations

import enum
import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

from psycoxide._json import Json
from psycoxide.extensions import QuotedString, adapt
from psycoxide.extras.uuid_type import UUID_adapter


def cast_inet(s: str | None, cur: object = None) -> Any:
    """The address in a text, with its network if it has one; None for None."""
    if s is None:
        return None
    return ipaddress.ip_interface(s) if "/" in s else ipaddress.ip_address(s)


def cast_cidr(s: str | None, cur: object = None) -> Any:
    """The network in a text; None for None."""
    return None if s is None else ipaddress.ip_network(s)


def _adapt_address(obj: object) -> QuotedString:
    return QuotedString(str(obj))


def _adapt_enum(obj: enum.Enum) -> Any:
    return adapt(obj.value)


# Base classes of numpy's numbers and truth values, by name: numpy is not imported for them.
_NUMPY = frozenset({"integer", "floating", "bool", "bool_"})

_ADAPTERS: dict[type, Callable[[Any], Any]] = {
    uuid.UUID: UUID_adapter,
    dict: Json,
    enum.Enum: _adapt_enum,
    ipaddress.IPv4Address: _adapt_address,
    ipaddress.IPv6Address: _adapt_address,
    ipaddress.IPv4Network: _adapt_address,
    ipaddress.IPv6Network: _adapt_address,
}


def adapter(obj: object) -> Any:
    """The adapter of an object that psycopg2 has none for; None if there is none here, too."""
    for base in type(obj).__mro__:
        found = _ADAPTERS.get(base)
        if found is not None:
            return found(obj)
        if base.__module__ == "numpy" and base.__name__ in _NUMPY:
            return adapt(obj.item())  # type: ignore[attr-defined]
    return None
