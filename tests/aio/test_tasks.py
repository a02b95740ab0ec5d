"""Tests here run on asyncio's loop, on uvloop and as threads: what they do at a time."""

from __future__ import annotations

from functools import partial

import pytest
from fixtures.loops import ASYNC
from fixtures.tasks import agather, ajoin, asleep, aspawn


@pytest.fixture
async def steps():
    found = []
    yield found
    assert len(found) == 4


async def test_two_run_at_the_same_time(steps):
    async def meet(name):
        steps.append(name)
        while len(steps) < 2:
            await asleep(0.001)
        steps.append(name)
        return name

    assert await agather(partial(meet, "a"), partial(meet, "b")) == ["a", "b"]
    assert sorted(steps[:2]) == sorted(steps[2:]) == ["a", "b"]


async def test_an_exception_comes_out_where_it_is_waited_for():
    async def fail(number):
        raise ValueError(number)

    one, other = aspawn(fail, 1), aspawn(fail, 2)
    for spawned, number in ((other, 2), (one, 1)):
        with pytest.raises(ValueError, match=str(number)):
            await ajoin(spawned)


async def test_the_loop_is_one_of_two(loop):  # only in aio
    assert loop.kind in ("asyncio", "uvloop")


async def test_the_kind_of_test_is_known(request):
    assert ("loop" in request.fixturenames) is ASYNC
