"""Values and names within a query that may have placeholders: they hold neither `%` nor `$`."""

from __future__ import annotations

import re

# Everything else in ASCII could mean something: to the server, or to who looks for placeholders.
_SPECIAL = re.compile(r"[^A-Za-z0-9 .:+_/\-\u0080-\U0010ffff]")


def literal(text: str, type_name: str) -> str:
    """A constant of a type, by the text that the server writes for it.

    `type_name` stands as it is.
    """
    escaped = _SPECIAL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return f"E'{escaped}'::{type_name}"


def identifier(name: str) -> str:
    """The name of a column."""
    if "%" not in name and "$" not in name:
        return '"' + name.replace('"', '""') + '"'
    return 'U&"' + _SPECIAL.sub(lambda found: f"\\{ord(found[0]):04x}", name) + '"'
