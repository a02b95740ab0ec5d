"""Network addresses: `inet` and `cidr` as the objects of the standard module `ipaddress`.

See <https://www.postgresql.org/docs/current/datatype-net-types.html>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycoxide._psycopg import QuotedString, new_array_type, new_type, register_type
from psycoxide.extensions import _register_adapter as register_adapter

if TYPE_CHECKING:
    import ipaddress

    from psycoxide._types import Scope, Typecaster
else:
    # Imported by `register_ipaddress()`: the import takes long, and few programs need it.
    ipaddress = None

_casters: list[Typecaster] | None = None


def register_ipaddress(conn_or_curs: Scope | None = None) -> None:
    """Read `inet` and `cidr`, and arrays of them, as objects of the module `ipaddress`.

    inet becomes `IPv4Interface` or `IPv6Interface`, cidr `IPv4Network` or `IPv6Network`. The
    typecasters are registered on `conn_or_curs`, or everywhere if it is None; the adapters for
    these four classes are registered everywhere.
    """
    global ipaddress, _casters
    import ipaddress

    if _casters is None:
        _casters = _make_casters()
    for caster in _casters:
        register_type(caster, conn_or_curs)
    for typ in (
        ipaddress.IPv4Interface,
        ipaddress.IPv6Interface,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
    ):
        register_adapter(typ, adapt_ipaddress)


def cast_interface(s: str | None, cur: Any = None) -> Any:
    """The address in the text `s`, with its network; None for None."""
    return None if s is None else ipaddress.ip_interface(s)


def cast_network(s: str | None, cur: Any = None) -> Any:
    """The network in the text `s`; None for None."""
    return None if s is None else ipaddress.ip_network(s)


def adapt_ipaddress(obj: object) -> QuotedString:
    """Adapt an object of the module `ipaddress`: a plain quoted literal."""
    return QuotedString(str(obj))


def _make_casters() -> list[Typecaster]:
    # The oids are fixed: src/include/catalog/pg_type.dat of PostgreSQL.
    inet = new_type((869,), "INET", cast_interface)
    inet_array = new_array_type((1041,), "INET[]", inet)
    cidr = new_type((650,), "CIDR", cast_network)
    cidr_array = new_array_type((651,), "CIDR[]", cidr)
    return [inet, inet_array, cidr, cidr_array]
