"""Cursors with other rows, logging, replication, more types, and statements run in batches.

The names are those of psycopg2's `extras` module. Most programs need few of them: each is imported,
with its module, at its first use.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json as json  # Programs replace `extras.json.loads`.
    from typing import Any

    from psycoxide import (
        extensions as _ext,  # noqa: F401 (programs know these three under private names)
    )
    from psycoxide._catalog import (
        _solve_conn_curs as _solve_conn_curs,
    )
    from psycoxide._ipaddress import (
        register_ipaddress as register_ipaddress,
    )
    from psycoxide._json import (
        Json as Json,
        register_default_json as register_default_json,
        register_default_jsonb as register_default_jsonb,
        register_json as register_json,
    )
    from psycoxide._multirange import (
        DateMultirange as DateMultirange,
        DateTimeMultirange as DateTimeMultirange,
        DateTimeTZMultirange as DateTimeTZMultirange,
        Multirange as Multirange,
        MultirangeAdapter as MultirangeAdapter,
        MultirangeCaster as MultirangeCaster,
        NumericMultirange as NumericMultirange,
        register_default_multiranges as register_default_multiranges,
        register_multirange as register_multirange,
    )
    from psycoxide._range import (
        DateRange as DateRange,
        DateTimeRange as DateTimeRange,
        DateTimeTZRange as DateTimeTZRange,
        NumericRange as NumericRange,
        Range as Range,
        RangeAdapter as RangeAdapter,
        RangeCaster as RangeCaster,
        register_range as register_range,
    )
    from psycoxide.extensions import (
        connection as _connection,  # noqa: F401
        cursor as _cursor,  # noqa: F401
        quote_ident as quote_ident,
    )
    from psycoxide.extras.batch import (
        _paginate as _paginate,
        _split_sql as _split_sql,
        execute_batch as execute_batch,
        execute_values as execute_values,
    )
    from psycoxide.extras.composite import (
        CompositeCaster as CompositeCaster,
        register_composite as register_composite,
    )
    from psycoxide.extras.dict_rows import (
        DictConnection as DictConnection,
        DictCursor as DictCursor,
        DictCursorBase as DictCursorBase,
        DictRow as DictRow,
        RealDictConnection as RealDictConnection,
        RealDictCursor as RealDictCursor,
        RealDictRow as RealDictRow,
    )
    from psycoxide.extras.hstore import (
        HstoreAdapter as HstoreAdapter,
        register_hstore as register_hstore,
    )
    from psycoxide.extras.inet import (
        Inet as Inet,
        register_inet as register_inet,
    )
    from psycoxide.extras.logged import (
        LoggingConnection as LoggingConnection,
        LoggingCursor as LoggingCursor,
        MinTimeLoggingConnection as MinTimeLoggingConnection,
        MinTimeLoggingCursor as MinTimeLoggingCursor,
    )
    from psycoxide.extras.named_tuple import (
        NamedTupleConnection as NamedTupleConnection,
        NamedTupleCursor as NamedTupleCursor,
        _cached_make_nt as _cached_make_nt,
        _re_clean as _re_clean,
    )
    from psycoxide.extras.replication import (
        REPLICATION_LOGICAL as REPLICATION_LOGICAL,
        REPLICATION_PHYSICAL as REPLICATION_PHYSICAL,
        LogicalReplicationConnection as LogicalReplicationConnection,
        PhysicalReplicationConnection as PhysicalReplicationConnection,
        ReplicationCursor as ReplicationCursor,
        ReplicationMessage as ReplicationMessage,
        StopReplication as StopReplication,
    )
    from psycoxide.extras.uuid_type import (
        UUID_adapter as UUID_adapter,
        register_uuid as register_uuid,
    )
    from psycoxide.extras.wait import (
        wait_select as wait_select,
    )

# The modules of this package's names, its rooms, and their names.
_ROOMS = {
    "psycoxide._catalog": ("_solve_conn_curs",),
    "psycoxide._ipaddress": ("register_ipaddress",),
    "psycoxide._json": (
        "Json",
        "register_default_json",
        "register_default_jsonb",
        "register_json",
    ),
    "psycoxide._multirange": (
        "DateMultirange",
        "DateTimeMultirange",
        "DateTimeTZMultirange",
        "Multirange",
        "MultirangeAdapter",
        "MultirangeCaster",
        "NumericMultirange",
        "register_default_multiranges",
        "register_multirange",
    ),
    "psycoxide._range": (
        "DateRange",
        "DateTimeRange",
        "DateTimeTZRange",
        "NumericRange",
        "Range",
        "RangeAdapter",
        "RangeCaster",
        "register_range",
    ),
    "psycoxide.extras.batch": (
        "_paginate",
        "_split_sql",
        "execute_batch",
        "execute_values",
    ),
    "psycoxide.extras.composite": (
        "CompositeCaster",
        "register_composite",
    ),
    "psycoxide.extras.dict_rows": (
        "DictConnection",
        "DictCursor",
        "DictCursorBase",
        "DictRow",
        "RealDictConnection",
        "RealDictCursor",
        "RealDictRow",
    ),
    "psycoxide.extras.hstore": (
        "HstoreAdapter",
        "register_hstore",
    ),
    "psycoxide.extras.inet": (
        "Inet",
        "register_inet",
    ),
    "psycoxide.extras.logged": (
        "LoggingConnection",
        "LoggingCursor",
        "MinTimeLoggingConnection",
        "MinTimeLoggingCursor",
    ),
    "psycoxide.extras.named_tuple": (
        "NamedTupleConnection",
        "NamedTupleCursor",
        "_cached_make_nt",
        "_re_clean",
    ),
    "psycoxide.extras.replication": (
        "REPLICATION_LOGICAL",
        "REPLICATION_PHYSICAL",
        "LogicalReplicationConnection",
        "PhysicalReplicationConnection",
        "ReplicationCursor",
        "ReplicationMessage",
        "StopReplication",
    ),
    "psycoxide.extras.uuid_type": (
        "UUID_adapter",
        "register_uuid",
    ),
    "psycoxide.extras.wait": ("wait_select",),
}
# Names of other modules' objects. They do not come from `extensions`: a program may have replaced
# its names for a while.
_OTHERS = {
    "json": ("json", None),  # Programs replace `extras.json.loads`.
    "_ext": ("psycoxide.extensions", None),
    "_connection": ("psycoxide._psycopg", "connection"),
    "_cursor": ("psycoxide._psycopg", "cursor"),
    "quote_ident": ("psycoxide._psycopg", "quote_ident"),
}
# The beginning of the rooms' names, and that under the alias.
_ROOM_NAMES = ("psycoxide.extras.", "psycopg2.extras.")
_ORIGINS = {name: room for room, names in _ROOMS.items() for name in names}

if not TYPE_CHECKING:
    # The names of `from psycoxide.extras import *`; type checkers cannot compute the list.
    __all__ = [name for name in (*_ORIGINS, "quote_ident", "json") if not name.startswith("_")]


def _import_late(name: str) -> Any:
    """PEP 562: import the name at its first use."""
    from importlib import import_module

    namespace = globals()
    if name in _ORIGINS:
        room = import_module(_ORIGINS[name])
        for each in _ROOMS[_ORIGINS[name]]:
            # A program may have put another object in its place.
            value = namespace.setdefault(each, getattr(room, each))
            # Pickles and messages name the package, not its rooms, which psycopg2 does not have.
            if str(getattr(value, "__module__", None)).startswith(_ROOM_NAMES):
                value.__module__ = __name__
    elif name in _OTHERS:
        module, attribute = _OTHERS[name]
        found = import_module(module)
        namespace[name] = found if attribute is None else getattr(found, attribute)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return namespace[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_ORIGINS, *_OTHERS})


if not TYPE_CHECKING:
    # A type checker would conclude that the module has every attribute.
    __getattr__ = _import_late
