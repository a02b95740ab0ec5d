"""The servers to try: the lists `host`, `hostaddr` and `port`, combined as the driver does."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import NamedTuple

from psycoxide._doctor.files import DEFAULT_SOCKET_FOLDER
from psycoxide._doctor.settings import Settings

# Where a server that was built from source has its socket.
_OTHER_FOLDER = "/tmp"
_DEFAULT_PORT = 5432


class Host(NamedTuple):
    """A server: its name, or the folder of its Unix socket; its address, if that was given."""

    name: str
    address: str | None
    port: int
    is_default: bool

    @property
    def is_local(self) -> bool:
        return self.address is None and self.name.startswith(("/", "@"))

    @property
    def title(self) -> str:
        """The name, else the address."""
        return self.name or self.address or ""

    def socket_path(self) -> str:
        """The path of the Unix socket; an abstract one begins with `@`."""
        path = f"{self.name}/.s.PGSQL.{self.port}"
        other = f"{_OTHER_FOLDER}/.s.PGSQL.{self.port}"
        moves = self.is_default and not os.path.exists(path) and os.path.exists(other)
        return other if moves else path


class Target(NamedTuple):
    """An address of a host: what `socket.connect()` takes."""

    host: Host
    family: socket.AddressFamily
    address: str | tuple[object, ...]

    @property
    def title(self) -> str:
        if isinstance(self.address, str):
            return f"socket {self.address}"
        shown = str(self.address[0])
        return f"{f'[{shown}]' if ':' in shown else shown}:{self.address[1]}"


def listed(settings: Settings) -> list[Host]:
    """All hosts, in order. Raises ValueError, with libpq's text, if the lists do not match."""
    names, addresses, ports = (
        (settings.get(name) or "").split(",") if settings.get(name) else []
        for name in ("host", "hostaddr", "port")
    )
    count = len(addresses) or max(1, len(names))
    if names and len(names) != count:
        raise ValueError(f"could not match {len(names)} host names to {count} hostaddr values")
    if len(ports) > 1 and len(ports) != count:
        raise ValueError(f"could not match {len(ports)} port numbers to {count} hosts")
    hosts = []
    for index in range(count):
        name = names[index] if names else ""
        address = addresses[index] if addresses else ""
        port = ports[0 if len(ports) == 1 else index] if ports else ""
        is_default = not name and not address
        name = DEFAULT_SOCKET_FOLDER if is_default else name
        hosts.append(Host(name, address or None, _number(port, settings), is_default))
    return hosts


def _number(port: str, settings: Settings) -> int:
    if not port:
        return _DEFAULT_PORT
    shown = "***" if settings.hides("port") else port
    try:
        number = int(port)
    except ValueError:
        raise ValueError(f'invalid integer value "{shown}" for connection option "port"') from None
    if not 0 < number < 65536:
        raise ValueError(f'invalid port number: "{shown}"')
    return number


def look_up(host: Host) -> list[Target] | str:
    """The addresses of a host, or why there is none."""
    if host.is_local:
        path = host.socket_path()
        # The kernel takes a zero byte for the first of an abstract one; shown is the "@".
        return [Target(host, socket.AF_UNIX, path)]
    name = host.address or host.name
    flags = 0
    if host.address is not None:
        try:
            ipaddress.ip_address(host.address)
        except ValueError:
            return "this is no network address"
        flags = socket.AI_NUMERICHOST
    try:
        found = socket.getaddrinfo(name, host.port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError) as error:
        return error.strerror or str(error) if isinstance(error, OSError) else "it is not a name"
    return [Target(host, socket.AddressFamily(each[0]), each[4]) for each in found]
