"""What PostgreSQL does not print, given to typecasters: psycopg2's value, or an exception of its
class. `other_servers` names what differs.
"""

from __future__ import annotations

import re

import other_servers
import pytest
from two_drivers import Outcome, Pair, attempt, comparable


def told(outcome: Outcome) -> object:
    """A value, or an exception's class: its words are each driver's own."""
    return outcome.error or outcome.value


def differs(pair: Pair, name: str, text: str) -> object:
    """What the drivers make of a text, if that is another thing and may not be."""
    theirs, ours = pair.each(lambda driver: driver.caster(name)(text, driver.cursor))
    if told(theirs) == told(ours):
        return None
    wrong = other_servers.WRONG.get(name, "(?!)")
    if ours.error and not theirs.error and re.fullmatch(wrong, text):
        return None
    if theirs.error and not ours.error and re.fullmatch(other_servers.REFUSED, text):
        return None
    return text, told(theirs), told(ours)


@pytest.mark.parametrize("name", sorted(set(other_servers.TEXTS) - set(other_servers.ARRAYS)))
def test_a_text_of_others_is_read_as_psycopg2_reads_it(pair: Pair, name: str) -> None:
    found = (differs(pair, name, text) for text in other_servers.TEXTS[name])
    assert [different for different in found if different] == []


@pytest.mark.parametrize("name", other_servers.ARRAYS)
def test_so_are_the_elements_of_arrays(pair: Pair, name: str) -> None:
    """As single values: psycopg2 itself reads some of them otherwise in an array."""
    element = other_servers.ARRAYS[name]
    for text, array in zip(other_servers.TEXTS[element], other_servers.TEXTS[name]):
        one, many = (
            attempt(pair.ours, lambda driver, of=of: driver.caster(of[0])(of[1], driver.cursor))
            for of in ((element, text), (name, array))
        )
        expected = ("list", [one.value, comparable(None)])
        assert told(many) == (one.error or expected), array
