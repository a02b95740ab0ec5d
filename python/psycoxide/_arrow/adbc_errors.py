"""The driver's exceptions as those of ADBC's driver manager, which libraries catch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_manager as adbc

from psycoxide import _exceptions as own

Status = adbc.AdbcStatusCode

# The class for a class, the more special ones first; and the status where there is no SQLSTATE.
CLASSES: list[tuple[type[own.Error], type[adbc.Error], Status]] = [
    (own.IntegrityError, adbc.IntegrityError, Status.INTEGRITY),
    (own.DataError, adbc.DataError, Status.INVALID_DATA),
    (own.InternalError, adbc.InternalError, Status.INTERNAL),
    (own.NotSupportedError, adbc.NotSupportedError, Status.NOT_IMPLEMENTED),
    (own.ProgrammingError, adbc.ProgrammingError, Status.INVALID_ARGUMENT),
    (own.OperationalError, adbc.OperationalError, Status.IO),
    (own.DatabaseError, adbc.DatabaseError, Status.UNKNOWN),
    (own.InterfaceError, adbc.InterfaceError, Status.INVALID_STATE),
]

# What a SQLSTATE says, by itself or by its first two characters ("Error Codes", Appendix A of the
# manual).
STATUSES = {
    "3D000": Status.NOT_FOUND,
    "3F000": Status.NOT_FOUND,
    "42703": Status.NOT_FOUND,
    "42704": Status.NOT_FOUND,
    "42883": Status.NOT_FOUND,
    "42P01": Status.NOT_FOUND,
    "42701": Status.ALREADY_EXISTS,
    "42710": Status.ALREADY_EXISTS,
    "42723": Status.ALREADY_EXISTS,
    "42P04": Status.ALREADY_EXISTS,
    "42P06": Status.ALREADY_EXISTS,
    "42P07": Status.ALREADY_EXISTS,
    "42501": Status.UNAUTHORIZED,
    "57014": Status.CANCELLED,
    "0A": Status.NOT_IMPLEMENTED,
    "22": Status.INVALID_DATA,
    "23": Status.INTEGRITY,
    "25": Status.INVALID_STATE,
    "28": Status.UNAUTHENTICATED,
    "42": Status.INVALID_ARGUMENT,
    "XX": Status.INTERNAL,
}


def translated(error: own.Error) -> adbc.Error:
    """The exception of the driver manager for one of ours."""
    sqlstate = error.pgcode
    kind: Any = adbc.Error
    status = Status.UNKNOWN
    for base, kind, status in CLASSES:  # noqa: B007
        if isinstance(error, base):
            break
    details: dict[str, Any] = {}
    if sqlstate is not None:
        details["sqlstate"] = sqlstate
        status = STATUSES.get(sqlstate, STATUSES.get(sqlstate[:2], status))
    if kind is adbc.NotSupportedError:
        return adbc.NotSupportedError(str(error).rstrip(), **details)
    made: adbc.Error = kind(str(error).rstrip(), status_code=status, **details)
    return made


def not_found(message: str) -> adbc.Error:
    """What libraries take for: there is no such table."""
    return adbc.ProgrammingError(message, status_code=Status.NOT_FOUND, sqlstate="42P01")


def not_supported(message: str) -> adbc.Error:
    return adbc.NotSupportedError(message)


def closed(what: str) -> adbc.Error:
    return adbc.InterfaceError(f"the {what} is closed", status_code=Status.INVALID_STATE)


@contextmanager
def translating() -> Iterator[None]:
    """Raises the driver manager's exceptions for ours, which are their causes."""
    try:
        yield
    except own.Error as error:
        raise translated(error) from error
