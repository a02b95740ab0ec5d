"""Time zones from before `datetime.timezone`; kept for programs written for psycopg2.

`cursor.tzinfo_factory` is `datetime.timezone` by default; these classes can take its place.
Deprecated: use `datetime.timezone` and `zoneinfo`.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar

ZERO = timedelta(0)


class FixedOffsetTimezone(tzinfo):
    """A time zone with a constant offset from UTC.

    `offset` is a timedelta, or a number of minutes; None means UTC. `name` is the result of
    `tzname()`; without it the name is made from the offset, such as `+01` or `-03:30`. Instances
    are cached: the same arguments return the same object.
    """

    _name: str | None = None
    _offset: timedelta = ZERO
    _cache: dict[tuple[Any, Any], FixedOffsetTimezone] = {}  # noqa: RUF012

    def __new__(cls, offset: Any = None, name: str | None = None) -> FixedOffsetTimezone:
        key = (offset, name)
        found = cls._cache.get(key)
        if found is None:
            found = super().__new__(cls)
            cls._cache[key] = found
        return found

    def __init__(self, offset: timedelta | float | None = None, name: str | None = None) -> None:
        if offset is not None:
            self._offset = offset if isinstance(offset, timedelta) else timedelta(minutes=offset)
        if name is not None:
            self._name = name

    def __repr__(self) -> str:
        # psycopg2's name: programs compare the text.
        return f"psycopg2.tz.FixedOffsetTimezone(offset={self._offset!r}, name={self._name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedOffsetTimezone) and self._offset == other._offset

    def __ne__(self, other: object) -> bool:
        return not self == other

    # Equal zones may have different names; psycopg2's are not hashable either.
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __getinitargs__(self) -> tuple[timedelta, str | None]:
        return self._offset, self._name

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """The offset from UTC."""
        return self._offset

    def tzname(self, dt: datetime | None) -> str:
        """The name given, or else the offset as `+HH`, `+HH:MM` or `+HH:MM:SS`."""
        if self._name is not None:
            return self._name
        sign = "-" if self._offset < ZERO else "+"
        minutes, seconds = divmod(abs(self._offset).seconds, 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{sign}{hours:02d}"
        if minutes or seconds:
            text += f":{minutes:02d}"
        if seconds:
            text += f":{seconds:02d}"
        return text

    def dst(self, dt: datetime | None) -> timedelta:
        """Zero: the offset never changes."""
        return ZERO


STDOFFSET = timedelta(seconds=-time.timezone)
DSTOFFSET = timedelta(seconds=-time.altzone) if time.daylight else STDOFFSET
DSTDIFF = DSTOFFSET - STDOFFSET


class LocalTimezone(tzinfo):
    """The time zone of this machine, as the C library knows it."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        """The offset from UTC at the local time `dt`."""
        return DSTOFFSET if self._isdst(dt) else STDOFFSET

    def dst(self, dt: datetime | None) -> timedelta:
        """The summer time's part of the offset at `dt`."""
        return DSTDIFF if self._isdst(dt) else ZERO

    def tzname(self, dt: datetime | None) -> str:
        """The zone's abbreviation at `dt`."""
        return time.tzname[self._isdst(dt)]

    def _isdst(self, dt: datetime | None) -> bool:
        assert dt is not None
        # Not timetuple(), which would call dst() of this very zone.
        fields = (dt.year, dt.month, dt.day, dt.hour, dt.minute, dt.second, dt.weekday(), 0, -1)
        stamp = time.mktime(fields)
        return time.localtime(stamp).tm_isdst > 0


LOCAL = LocalTimezone()
