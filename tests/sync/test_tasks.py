# Generated from tests/aio/test_tasks.py by tools/generate_sync.py: do not edit.
"""Tests here run on asyncio's loop, on uvloop and as threads: what they do at a time."""

from __future__ import annotations

from functools import partial

import pytest
from fixtures.tasks import gather, join, sleep, spawn


@pytest.fixture
def steps():
    found = []
    yield found
    assert len(found) == 4


def test_two_run_at_the_same_time(steps):
    def meet(name):
        steps.append(name)
        while len(steps) < 2:
            sleep(0.001)
        steps.append(name)
        return name

    assert gather(partial(meet, "a"), partial(meet, "b")) == ["a", "b"]
    assert sorted(steps[:2]) == sorted(steps[2:]) == ["a", "b"]


def test_an_exception_comes_out_where_it_is_waited_for():
    def fail(number):
        raise ValueError(number)

    one, other = spawn(fail, 1), spawn(fail, 2)
    for spawned, number in ((other, 2), (one, 1)):
        with pytest.raises(ValueError, match=str(number)):
            join(spawned)


def test_the_kind_of_test_is_known(request):
    assert ("loop" in request.fixturenames) is False
