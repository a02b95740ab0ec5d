"""Rows as `OrderedDict`s whose order is written down late: nobody can tell when it was."""

import copy
import gc
import json
import operator
import pickle
import pprint
import subprocess
import sys
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from psycoxide import extensions
from psycoxide._psycopg import _OrderedRow, _row_class
from psycoxide.extras import RealDictCursor, RealDictRow

NAMES = ("b", "a", "d", "c")
VALUES = (1, "two", None, [4])


class Special(OrderedDict):
    """To be compared with: the other side is asked last."""


@pytest.fixture(autouse=True)
def _cursor(conn):
    Given.cursor = conn.cursor(cursor_factory=RealDictCursor)
    extensions.register_type(Given.type, Given.cursor)


class Given:
    """A cursor to fetch any objects from: the server sends their numbers."""

    cursor = None
    values = ()
    type = extensions.new_type((23,), "GIVEN", lambda number, _: Given.values[int(number)])


def fetched(names=NAMES, values=VALUES):
    """A row as a cursor makes it."""
    Given.values = values
    columns = ", ".join(f'{number} as "{name}"' for number, name in enumerate(names))
    Given.cursor.execute(f"select {columns}")
    row = Given.cursor.fetchone()
    Given.values = ()
    return row


def made():
    """The same row as a program makes it."""
    return RealDictRow(zip(NAMES, VALUES))


def drained(row):
    return [row.popitem(), row.popitem(last=False), row.popitem(False)]


def changed_while_iterating(row):
    for key in row:
        del row[key]


def iterated_twice(row):
    first, second = iter(row), reversed(row)
    return [next(first), next(second), next(first), next(second)]


def merged(row):
    plain = {"z": 0}
    plain.update(row)
    return plain, dict(row), {**row}, list(plain)


OPERATIONS = {
    "list": list,
    "reversed": lambda row: list(reversed(row)),
    "two iterators": iterated_twice,
    "keys": lambda row: row.keys(),
    "keys, sorted": lambda row: sorted(row.keys() & {"a", "b", "x"}),
    "values": lambda row: row.values(),
    "items": lambda row: row.items(),
    "items, reversed": lambda row: list(reversed(row.items())),
    "get": lambda row: (row.get("a"), row.get("x"), row.get("x", 5)),
    "item": lambda row: row["d"],
    "no such item": lambda row: row["x"],
    "in": lambda row: ("a" in row, "x" in row, len(row), bool(row)),
    "set": lambda row: operator.setitem(row, "a", 5),
    "set another": lambda row: operator.setitem(row, "x", 5),
    "delete": lambda row: operator.delitem(row, "a"),
    "delete another": lambda row: operator.delitem(row, "x"),
    "pop": lambda row: row.pop("a"),
    "pop another": lambda row: row.pop("x"),
    "pop with a default": lambda row: row.pop("x", default=7),
    "pop too much": lambda row: row.pop(1, 2, 3, 4, 5, 6, 7, 8),
    "popitem": drained,
    "popitem of nothing": lambda row: [row.popitem() for _ in range(9)],
    "move to the end": lambda row: row.move_to_end("b"),
    "move to the start": lambda row: row.move_to_end("c", last=False),
    "move another": lambda row: row.move_to_end("x"),
    "a keyword it has not": lambda row: row.move_to_end("b", first=True),
    "clear": lambda row: row.clear(),
    "clear and fill": lambda row: (row.clear(), row.update(q=1, p=2), list(row)),
    "setdefault": lambda row: (row.setdefault("a", 9), row.setdefault("x", 9)),
    "update": lambda row: row.update({"x": 1, "a": 3}, y=2),
    "copy": lambda row: row.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda row: [pickle.loads(pickle.dumps(row, n)) for n in range(6)],
    "repr": repr,
    "pprint": pprint.pformat,
    "json": json.dumps,
    "json, indented": lambda row: json.dumps(row, indent=1),
    "merged": merged,
    "OrderedDict of it": lambda row: OrderedDict(row),
    "row of it": lambda row: RealDictRow(row),
    "keywords": lambda row: (lambda **keywords: keywords)(**row),
    "eq": lambda row: (row == made(), made() == row, row == dict(made()), dict(made()) == row),
    "ne": lambda row: (row != made(), made() != row, row != dict(made()), row != 1),
    "eq of an OrderedDict": lambda row: (
        OrderedDict(zip(NAMES, VALUES)) == row,
        row == OrderedDict(sorted(zip(NAMES, VALUES))),
        OrderedDict(sorted(zip(NAMES, VALUES))) == row,
        Special(sorted(zip(NAMES, VALUES))) == row,
    ),
    "eq of fetched ones": lambda row: (
        row == fetched(),
        fetched() == row,
        row == fetched(NAMES[::-1], VALUES[::-1]),
        fetched(NAMES[::-1], VALUES[::-1]) == row,
    ),
    "less": lambda row: row < made(),
    "hash": hash,
    "changed while iterating": changed_while_iterating,
    "an attribute": lambda row: (setattr(row, "x", 1), row.x, vars(row)),
    "sizeof": lambda row: sys.getsizeof(row) > 0,
    "bound before": lambda row: (lambda keys: (row.move_to_end("b"), list(keys())))(row.keys),
    "dict's own": lambda row: (dict.get(row, "a"), dict.__len__(row), dict.__contains__(row, "a")),
    "collected": lambda row: (gc.collect(), list(row))[1],
}
OPERATIONS["or"] = lambda row: (row | {"x": 1}, {"x": 1} | row, OrderedDict(x=1) | row)
OPERATIONS["or in place"] = lambda row: operator.ior(row, {"x": 1})


def outcome(operation, row):
    """What an operation gives and leaves behind, in full."""
    try:
        result = operation(row)
    except Exception as error:
        result = type(error), str(error)
    return repr(result), type(result), list(row.items()), list(reversed(row)), dict(row)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_that_of_a_row_with_its_order(name):
    operation = OPERATIONS[name]
    assert outcome(operation, fetched()) == outcome(operation, made())
    # And once more on a row that has its order already.
    row = fetched()
    assert list(row) == list(NAMES)
    assert outcome(operation, row) == outcome(operation, made())


def test_every_method_of_ordereddict_is_known_here():
    own = {name for name in vars(_OrderedRow) if not name.startswith("__")}
    assert own == {"keys", "values", "items", "copy", "pop", "popitem", "move_to_end", "clear"}
    # These go through the ones above, through iteration or through assignment.
    through_others = {"fromkeys", "setdefault", "update"}
    methods = {name for name in vars(OrderedDict) if not name.startswith("__")}
    assert methods - own <= through_others


@pytest.mark.parametrize(
    "past",
    [
        lambda row: list(OrderedDict.__iter__(row)),
        lambda row: list(OrderedDict.__reversed__(row)),
        lambda row: list(OrderedDict.items(row)),
        lambda row: OrderedDict.popitem(row),
        lambda row: OrderedDict.pop(row, "a"),
        lambda row: OrderedDict.move_to_end(row, "a"),
        lambda row: OrderedDict.__setitem__(row, "new", 1),
        lambda row: OrderedDict.__setitem__(row, "a", 1),
        lambda row: OrderedDict.__delitem__(row, "a"),
        lambda row: OrderedDict.copy(row),
        lambda row: OrderedDict.clear(row),
        lambda row: OrderedDict.__eq__(row, made()),
        lambda row: dict.__setitem__(row, "new", 1),
        lambda row: dict.__delitem__(row, "a"),
        lambda row: dict.pop(row, "a"),
        lambda row: dict.popitem(row),
        lambda row: dict.clear(row),
        lambda row: dict.update(row, new=1),
    ],
)
def test_a_row_is_sound_after_what_goes_past_its_class(past):
    row = fetched()
    with suppress(KeyError):
        past(row)
    backwards = list(reversed(row))
    assert sorted(row) == sorted(backwards) == sorted(dict.keys(row))
    assert all(row[key] is value for key, value in row.items())
    row["last"] = 1
    assert list(row)[-1] == "last"
    while row:
        row.popitem()
    assert list(row) == [] and not row


def test_a_key_that_empties_the_row_when_it_is_hashed():
    class Key:
        armed = False

        def __hash__(self):
            if self.armed:
                dict.clear(row)
            return 7

    row = fetched()
    key = Key()
    dict.__setitem__(row, key, ["a value"])
    key.armed = True
    with suppress(KeyError, RuntimeError):
        list(row)
    key.armed = False
    assert list(dict.values(row)) in ([], [["a value"]])
    dict.clear(row)


def test_threads_that_ask_for_the_order_together_get_the_same():
    rows = [fetched() for _ in range(2000)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [list(row.items()) for row in rows], range(4)))
    assert found == [[list(zip(NAMES, VALUES))] * len(rows)] * 4


def test_keys_that_occur_twice_stand_once():
    row = fetched(("a", "b", "a"), (1, 2, 3))
    assert list(row.items()) == [("a", 3), ("b", 2)]


def test_nothing_is_left_of_a_row():
    value = object()
    before = sys.getrefcount(value)
    for touch in (len, list, repr, lambda row: row.popitem(), lambda row: row.clear()):
        row = fetched(("a", "b"), (value, value))
        touch(row)
        del row
    assert sys.getrefcount(value) == before


def test_a_row_in_a_cycle_is_collected():
    class Witness:
        alive = 0

        def __init__(self):
            type(self).alive += 1

        def __del__(self):
            type(self).alive -= 1

    for touch in (len, list):
        row = fetched(("me", "witness"), (None, Witness()))
        row["me"] = row
        touch(row)
        del row
    gc.collect()
    assert Witness.alive == 0


def test_the_class_is_the_same_after_another_import(dsn):
    program = """
import sys
import psycoxide
from psycoxide.extras import RealDictCursor, RealDictRow
before = RealDictCursor, RealDictRow
for name in [name for name in sys.modules if name.partition(".")[0] == "psycoxide"]:
    del sys.modules[name]
from psycoxide.extras import RealDictCursor, RealDictRow
assert RealDictRow is not before[1]
conn = psycoxide.connect(sys.argv[1])
for cursor_class, row_class in (before, (RealDictCursor, RealDictRow)):
    cur = conn.cursor(cursor_factory=cursor_class)
    cur.execute("select 1 as b, 2 as a")
    row = cur.fetchone()
    assert type(row) is row_class and list(row.items()) == [("b", 1), ("a", 2)]
"""
    subprocess.run([sys.executable, "-c", program, dsn], check=True)


def test_other_classes_are_refused():
    for cls in (OrderedDict, dict, int):
        with pytest.raises(TypeError, match="lists or dicts"):
            _row_class(cls)
