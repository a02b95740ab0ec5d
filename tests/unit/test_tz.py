"""The time zones from before `datetime.timezone`."""

import copy
import os
import pickle
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from psycoxide.tz import LOCAL, ZERO, FixedOffsetTimezone


@pytest.mark.parametrize(
    ("offset", "name"),
    [
        (0, "+00"),
        (None, "+00"),
        (60, "+01"),
        (-60, "-01"),
        (90, "+01:30"),
        (-90, "-01:30"),
        (timedelta(seconds=3661), "+01:01:01"),
        (timedelta(seconds=-90), "-00:01:30"),
        (timedelta(hours=-11), "-11"),
    ],
)
def test_a_name_is_made_of_the_offset(offset, name):
    assert FixedOffsetTimezone(offset).tzname(None) == name
    assert datetime(2000, 1, 1, tzinfo=FixedOffsetTimezone(offset)).tzname() == name


def test_offsets():
    zone = FixedOffsetTimezone(90, "X")
    assert zone.utcoffset(None) == timedelta(minutes=90)
    assert zone.dst(None) == ZERO
    assert zone.tzname(None) == "X"
    assert FixedOffsetTimezone(timedelta(hours=1)) == FixedOffsetTimezone(60, "Y")
    assert FixedOffsetTimezone(60) != FixedOffsetTimezone(61)
    assert FixedOffsetTimezone(60) != 60


def test_the_same_arguments_give_the_same_object():
    assert FixedOffsetTimezone(60) is FixedOffsetTimezone(60)
    assert FixedOffsetTimezone(60, "X") is FixedOffsetTimezone(60, "X")
    assert FixedOffsetTimezone(60, "X") is not FixedOffsetTimezone(60)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda z: pickle.loads(pickle.dumps(z))]
)
def test_copies(again):
    zone = FixedOffsetTimezone(-210, "X")
    assert again(zone) == zone
    assert again(zone).tzname(None) == "X"


def test_the_repr():
    assert repr(FixedOffsetTimezone(60, "X")) == (
        "psycopg2.tz.FixedOffsetTimezone(offset=datetime.timedelta(seconds=3600), name='X')"
    )


LOCAL_PROGRAM = """
from datetime import datetime
from psycoxide.tz import LOCAL
for month in (1, 7):
    moment = datetime(2020, month, 1, tzinfo=LOCAL)
    print(moment.utcoffset(), moment.tzname(), moment.dst())
"""


def test_the_local_zone_knows_summer_time():
    done = subprocess.run(
        [sys.executable, "-c", LOCAL_PROGRAM],
        env={**os.environ, "TZ": "Europe/Rome"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["1:00:00 CET 0:00:00", "2:00:00 CEST 1:00:00"]


def test_the_local_zone_agrees_with_the_c_library():
    moment = datetime(2021, 5, 5, 12)
    assert moment.replace(tzinfo=LOCAL).utcoffset() == moment.astimezone().utcoffset()
