"""What values are on their way between SQLAlchemy's types and the driver.

The driver reads uuid, inet, json, hstore, ranges and multiranges by itself; here is where its
objects are not SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import types as sqltypes
from sqlalchemy.dialects.postgresql import HSTORE, JSON, JSONB, ranges

Processor = Callable[[Any], Any]


class _DriverJSON(JSON):
    """The driver has parsed it."""

    def result_processor(self, dialect: Any, coltype: object) -> None:
        return None


class _DriverJSONB(JSONB):
    """The driver has parsed it."""

    def result_processor(self, dialect: Any, coltype: object) -> None:
        return None


class _DriverHStore(HSTORE):
    """The driver reads it, once the server has the extension. It is sent as text."""

    def result_processor(self, dialect: Any, coltype: object) -> Processor | None:
        if dialect._has_native_hstore:
            return None
        processor: Processor = super().result_processor(dialect, coltype)
        return processor


class _DriverRange(ranges.AbstractSingleRangeImpl):  # type: ignore[type-arg]
    """SQLAlchemy's ranges are sent as text: the statement has a cast for them."""

    def bind_processor(self, dialect: Any) -> Processor:
        return lambda value: str(value) if isinstance(value, ranges.Range) else value

    def result_processor(self, dialect: Any, coltype: object) -> Processor:
        return lambda value: None if value is None else _sqlalchemy_range(value)


class _DriverMultiRange(ranges.AbstractMultiRangeImpl):  # type: ignore[type-arg]
    """The same with several ranges in a value."""

    def bind_processor(self, dialect: Any) -> Processor:
        def to_text(value: Any) -> Any:
            if value is None or isinstance(value, str):
                return value
            parts = list(value)
            if not all(isinstance(part, ranges.Range) for part in parts):
                return value
            return "{" + ",".join(map(str, parts)) + "}"

        return to_text

    def result_processor(self, dialect: Any, coltype: object) -> Processor:
        def to_multirange(value: Any) -> Any:
            return None if value is None else ranges.MultiRange(map(_sqlalchemy_range, value))

        return to_multirange


def _sqlalchemy_range(value: Any) -> Any:
    if value.isempty:
        return ranges.Range(empty=True)
    bounds: Any = ("[" if value.lower_inc else "(") + ("]" if value.upper_inc else ")")
    return ranges.Range(value.lower, value.upper, bounds=bounds)


COLSPECS: dict[type[Any], type[Any]] = {
    JSON: _DriverJSON,
    JSONB: _DriverJSONB,
    sqltypes.JSON: _DriverJSON,
    HSTORE: _DriverHStore,
    ranges.AbstractSingleRange: _DriverRange,
    ranges.AbstractMultiRange: _DriverMultiRange,
}
