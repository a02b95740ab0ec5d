"""The state of a pool: steps in any order leave it consistent."""

from __future__ import annotations

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from psycoxide import aio
from psycoxide._pooling.member import Member, Request, caller, described
from psycoxide._pooling.stock import Stock


class Waiter:
    """A wait that the test looks at."""

    def __init__(self):
        self.over = False
        self.member = None

    def done(self):
        return self.over

    def set_result(self, member):
        assert not self.over
        self.over, self.member = True, member

    def set_exception(self, error):
        assert not self.over
        self.over = True


class Borrowing(RuleBasedStateMachine):
    """Borrowers, the server and the pool's upkeep, in any order."""

    def __init__(self):
        super().__init__()
        self.stock = Stock(1, 3, 0, keeps=True)
        self.now = 0.0
        self.waiters = []
        self.opening = []
        self.held = []
        self.mended = []

    def settle(self):
        """What came for a waiter is held."""
        for waiter in list(self.waiters):
            if waiter.over:
                self.waiters.remove(waiter)
                if waiter.member is not None:
                    self.held.append(waiter.member)
        self.opening += [object()] * self.stock.claim()

    @rule()
    def borrow(self):
        self.now += 1
        waiter = Waiter()
        member = self.stock.take_or_wait(waiter, Request(self.now, self.now + 10, caller()))
        if member is None:
            self.waiters.append(waiter)
        else:
            self.held.append(member)
        self.settle()

    @precondition(lambda self: self.stock.idle)
    @rule(works=st.booleans())
    def look_after(self, works):
        self.now += 1
        member = self.stock.idle[0]
        assert self.stock.take_this(member, self.now, caller())
        assert not self.stock.take_this(member, self.now, caller())
        if works:
            self.stock.give(member, self.now)
        else:
            self.stock.retire(member, self.now)
        self.settle()

    @precondition(lambda self: self.held)
    @rule()
    def fail_a_check(self):
        self.stock.reopen(self.held.pop(), self.now)
        self.opening.append(object())
        self.settle()

    @precondition(lambda self: self.opening)
    @rule()
    def interrupt_an_attempt(self):
        self.stock.drop(self.opening.pop())
        self.settle()

    @precondition(lambda self: self.opening)
    @rule(works=st.booleans())
    def open_one(self, works):
        self.now += 1
        attempt = self.opening.pop()
        if works:
            self.stock.probe = None
            self.stock.opened(Member(None, 0.0, self.stock.generation), self.now)
        elif self.stock.fails(attempt):
            self.opening.append(attempt)
        self.settle()

    @precondition(lambda self: self.held)
    @rule(first=st.booleans())
    def give_back(self, first):
        self.now += 1
        self.stock.give(self.held.pop(0 if first else -1), self.now)
        self.settle()

    @precondition(lambda self: self.held)
    @rule()
    def give_back_for_mending(self):
        member = self.held.pop()
        assert self.stock.come_back(member, self.now)
        self.mended.append(member)

    @precondition(lambda self: self.mended)
    @rule(works=st.booleans())
    def mend(self, works):
        member = self.mended.pop()
        if works:
            self.stock.give(member, self.now)
        else:
            self.stock.retire(member, self.now)
        self.settle()

    @precondition(lambda self: self.waiters)
    @rule()
    def stop_waiting(self):
        waiter = self.waiters.pop()
        waiter.over = True
        assert self.stock.withdraw(waiter, self.now)

    @rule(small=st.booleans())
    def resize(self, small):
        self.stock.resize(0 if small else 1, 1 if small else 3)
        self.settle()

    @rule()
    def expire(self):
        self.stock.expire()
        self.settle()

    @rule()
    def let_time_pass(self):
        self.now += 11
        for waiter in self.stock.overdue(self.now):
            waiter.over = True
            self.waiters.remove(waiter)

    @invariant()
    def all_are_counted(self):
        stock = self.stock
        assert stock.opening == len(self.opening)
        assert stock.lent == set(self.held)
        assert stock.size == len(stock.idle) + len(self.held) + len(self.mended) + stock.opening

    @invariant()
    def nobody_waits_in_vain(self):
        stock = self.stock
        assert list(stock.waiting) == self.waiters
        assert not (stock.idle and stock.waiting)
        if stock.waiting:
            assert stock.size, "nothing is there, and nothing comes"


TestBorrowing = Borrowing.TestCase
TestBorrowing.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_limit_of_those_who_wait():
    stock = Stock(1, 1, 1, keeps=True)
    stock.take_or_wait(Waiter(), Request(0, 1, caller()))
    with pytest.raises(aio.TooManyRequests):
        stock.take_or_wait(Waiter(), Request(0, 1, caller()))
    assert stock.stats()["requests_errors"] == 1


def test_a_place_in_the_program():
    def here():
        return caller()

    place = described(here())
    assert place.endswith("in test_a_place_in_the_program()")
    assert "test_pool_stock.py:" in place
