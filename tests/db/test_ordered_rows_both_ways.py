"""Rows of `RealDictCursor` whose nodes are made late, and rows made as `OrderedDict` makes them if
it is not as expected in the running Python: both are `OrderedDict`s."""

import subprocess
import sys

import pytest

# An `OrderedDict` with a method that is not known and reads the nodes: a row made late shows none.
ANOTHER = """
import collections
class Another(collections.OrderedDict):
    __slots__ = ()
    def __repr__(self):
        return f"Another({list(Usual.items(self))})"
Usual, collections.OrderedDict = collections.OrderedDict, Another
"""

PROGRAM = """
import collections, copy, pickle, sys
from hypothesis import HealthCheck, given, settings, strategies as st
import psycoxide
from psycoxide.extras import RealDictCursor

dsn, late = sys.argv[1], sys.argv[2] == "late"
cur = psycoxide.connect(dsn).cursor(cursor_factory=RealDictCursor)
Plain = collections.OrderedDict

# Past the class, the nodes show.
cur.execute("select 1 as a, 2 as b")
assert list(globals().get("Usual", Plain).__iter__(cur.fetchone())) == ([] if late else ["a", "b"])

name = st.sampled_from("abcdefg")
operation = st.one_of(
    st.tuples(st.just("pop"), name),
    st.tuples(st.just("pop"), name, st.integers()),
    st.tuples(st.just("popitem"), st.booleans()),
    st.tuples(st.just("move_to_end"), name, st.booleans()),
    st.tuples(st.just("__setitem__"), name, st.integers()),
    st.tuples(st.just("__delitem__"), name),
    st.tuples(st.just("setdefault"), name, st.integers()),
    st.tuples(st.just("get"), name),
    st.tuples(st.just("update"), st.dictionaries(name, st.integers())),
    st.tuples(st.sampled_from(["clear", "keys", "values", "items", "copy", "__reversed__"])),
)

def done(row, method, *arguments):
    try:
        found = getattr(row, method)(*arguments)
    except KeyError as error:
        return str(error)
    if method in ("keys", "values", "items", "copy", "__reversed__"):
        found = list(found.items() if method == "copy" else found)
    return found

def state(row):
    again = pickle.loads(pickle.dumps(row)) if type(row) is not Plain else row
    return [list(row.items()), list(reversed(row)), dict(row), list(again.items()),
            list(copy.copy(row)), repr(row).partition("(")[2], len(row)]

@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.lists(st.tuples(name, st.integers(0, 99)), min_size=1), st.lists(operation, max_size=8))
def check(columns, operations):
    cur.execute("select " + ", ".join(f'{value} as "{key}"' for key, value in columns))
    row, plain = cur.fetchone(), Plain(columns)
    for each in operations:
        assert done(row, *each) == done(plain, *each), each
    other = Plain(sorted(columns))
    assert (row == plain) and (plain == row) and (row == other) == (plain == other)
    assert state(row) == state(plain)

check()
print("the same")
"""


@pytest.mark.parametrize("way", ["late", "at once"])
def test_rows_are_ordereddicts(dsn, way):
    program = PROGRAM if way == "late" else ANOTHER + PROGRAM
    command = [sys.executable, "-c", program, dsn, way]
    found = subprocess.run(command, capture_output=True, text=True)
    assert (found.stdout, found.returncode) == ("the same\n", 0), found.stderr[-3000:]
