"""Which errors a transaction is run again after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypedDict

from psycoxide._exceptions import (
    Error,
    InterfaceError,
    OperationalError,
    OperationTimeout,
    PipelineAborted,
)

SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"
IN_FAILED_SQL_TRANSACTION = "25P02"
# invalid_sql_statement_name, duplicate_prepared_statement
STATEMENT_NAMES = ("26000", "42P05")
# How the names begin that statements get by themselves.
OWN_NAME = '"_px_'
FEATURE_NOT_SUPPORTED = "0A000"


class RetryingOptions(TypedDict, total=False):
    """The options of `AsyncRetrying` and `Retrying`."""

    attempts: int
    deadline: float | None
    retry_min: float
    retry_max: float
    lost: bool
    commit: Literal["plain", "verify"]
    verify_within: float
    isolation: str | None
    read_only: bool | None
    deferrable: bool | None


def is_in_the_way(raised: BaseException) -> bool:
    """Whether another transaction was in the way: the same one may succeed at another time."""
    reasons = {is_reason(error) for error in leaves(raised)}
    # Statements behind the one that has failed have failed as well.
    return True in reasons and False not in reasons


def is_reason(error: BaseException) -> bool | None:
    """Whether a transaction is run again after this error; None if it only follows from another."""
    code = getattr(error, "pgcode", None)
    if code == IN_FAILED_SQL_TRANSACTION:
        return None
    if code == FEATURE_NOT_SUPPORTED:
        # "cached plan must not change result type": somebody has changed a table.
        return error.diag.source_function == "RevalidateCachedQuery"  # type: ignore[attr-defined, no-any-return]
    if code in STATEMENT_NAMES:
        # A statement that is prepared by itself, and that somebody has deallocated, or left behind
        # on the server that a pooler has chosen.
        return OWN_NAME in str(error)
    return code in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)


def is_loss(raised: BaseException) -> bool:
    """Whether it can be the error of a connection that was lost."""
    return all(
        isinstance(error, (OperationalError, InterfaceError))
        and not isinstance(error, OperationTimeout)
        for error in leaves(raised)
    )


def leaves(raised: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, of a TaskGroup for example, or the exception itself."""
    inner = getattr(raised, "exceptions", None)
    if isinstance(inner, tuple) and not isinstance(raised, Error):
        for each in inner:
            yield from leaves(each)
    elif isinstance(raised, PipelineAborted) and raised.__cause__ is not None:
        yield from leaves(raised.__cause__)
    else:
        yield raised
