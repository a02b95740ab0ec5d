"""What a certificate says of itself: whose it is, who signed it, for which names and how long.

Only the fields that are shown are read, from DER (X.509, RFC 5280, section 4.1). Nothing is
verified: that is the driver's work.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

_SEQUENCE, _SET, _OID, _UTC_TIME, _TIME = 0x30, 0x31, 0x06, 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_ALTERNATIVE_NAMES = bytes([0x55, 0x1D, 0x11])
_ATTRIBUTES = {3: "CN", 6: "C", 7: "L", 8: "ST", 10: "O", 11: "OU"}


class Certificate(NamedTuple):
    """The fields that are shown."""

    subject: str
    issuer: str
    names: list[str]
    not_before: datetime.datetime
    not_after: datetime.datetime

    def as_facts(self) -> dict[str, object]:
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "names": self.names,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
        }


def read(der: bytes) -> Certificate | None:
    """The fields of a certificate; None if it cannot be read."""
    try:
        return _read(der)
    except (ValueError, IndexError, StopIteration):
        return None


def _read(der: bytes) -> Certificate:
    _, certificate = next(_elements(der))
    _, body = next(_elements(certificate))
    fields = [field for field in _elements(body) if field[0] != _VERSION]
    # The serial number, the signature's algorithm, and then what counts here.
    issuer, validity, subject = (value for _, value in fields[2:5])
    begin, end = (_time(tag, value) for tag, value in _elements(validity))
    names = [
        name
        for tag, value in fields[6:]
        if tag == _EXTENSIONS
        for name in _alternative_names(value)
    ]
    return Certificate(_name(subject), _name(issuer), names, begin, end)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the contents of each element. Raises ValueError if one is cut."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise ValueError("an element is cut")
        yield tag, data[at : at + length]
        at += length


def _name(data: bytes) -> str:
    parts = []
    for _, group in _elements(data):
        for _, pair in _elements(group):
            (_, oid), (_, value) = _elements(pair)
            attribute = _ATTRIBUTES.get(oid[2]) if oid[:2] == b"\x55\x04" else None
            if attribute is not None:
                parts.append(f"{attribute}={_printable(value)}")
    return ", ".join(parts) or "(no name)"


def _printable(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)


def _time(tag: int, value: bytes) -> datetime.datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        # RFC 5280: years from 50 on are of the last century.
        text = ("19" if text >= "50" else "20") + text
    elif tag != _TIME:
        raise ValueError("no time")
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.timezone.utc)


def _alternative_names(data: bytes) -> Iterator[str]:
    _, extensions = next(_elements(data))
    for _, extension in _elements(extensions):
        parts = list(_elements(extension))
        if parts[0][1] != _ALTERNATIVE_NAMES:
            continue
        _, names = next(_elements(parts[-1][1]))
        for tag, value in _elements(names):
            if tag == _DNS_NAME:
                yield _printable(value)
            elif tag == _IP_ADDRESS:
                yield str(ipaddress.ip_address(value))
