"""What is registered on each new connection of an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psycoxide import extensions, extras
from psycoxide.extras import HstoreAdapter

if TYPE_CHECKING:
    from psycoxide._psycopg import Channel
    from psycoxide.extensions import connection

# Without a schema: the search path says which one is meant, as for the type's name in a statement.
HSTORE_OIDS = (
    "SELECT t.oid, t.typarray FROM pg_catalog.pg_type t"
    " WHERE t.typname = 'hstore' AND pg_catalog.pg_type_is_visible(t.oid)"
)

# The OIDs of inet and cidr, and of their arrays.
NETWORKS = (869, 650)
NETWORK_ARRAYS = (1041, 651)

# Arrays of built-in types whose elements are texts for psycopg2, which has no lists of them: bit,
# jsonpath, macaddr8, money, tsquery, tsvector, varbit, xml.
TEXT_ARRAYS = (1561, 4073, 775, 791, 3645, 3643, 1563, 143)

# How many seconds a server may take to answer a ping.
PING_TIMEOUT = 5.0


def ping_timeout(channel: Channel) -> float:
    """How many seconds the server may take to answer a ping on this connection."""
    return min(channel.timeout or PING_TIMEOUT, PING_TIMEOUT)


def register_arrays(conn: connection) -> None:
    """Read arrays of texts of any kind as lists."""
    extensions.register_type(
        extensions.new_array_type(TEXT_ARRAYS, "TEXTARRAY", extensions.UNICODE), conn
    )


def register_json(conn: connection, loads: Callable[[str], Any]) -> None:
    """Parse json and jsonb with this function."""
    extras.register_default_json(conn, loads=loads)
    extras.register_default_jsonb(conn, loads=loads)


def register_networks_as_text(conn: connection) -> None:
    """Read inet and cidr as texts instead of `ipaddress` objects."""
    text = extensions.new_type(NETWORKS, "NETWORK", lambda value, cursor: value)
    extensions.register_type(text, conn)
    extensions.register_type(extensions.new_array_type(NETWORK_ARRAYS, "NETWORKARRAY", text), conn)


def register_hstore(conn: connection, oids: tuple[int, int]) -> None:
    """Read hstore as dicts. Its OIDs are known: nothing is asked."""
    hstore = extensions.new_type((oids[0],), "HSTORE", HstoreAdapter.parse)
    extensions.register_type(hstore, conn)
    extensions.register_type(extensions.new_array_type((oids[1],), "HSTOREARRAY", hstore), conn)
