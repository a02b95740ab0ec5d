"""The rows of the extras' cursors, made from something that looks like a cursor."""

import copy
import pickle
from collections import OrderedDict

import pytest

from psycoxide import extras
from psycoxide.extras import DictRow, NamedTupleCursor, RealDictRow


class Described:
    """What a `DictRow` is made from."""

    def __init__(self, *names):
        self.description = [(name,) for name in names]
        self.index = OrderedDict((name, i) for i, name in enumerate(names))


@pytest.fixture
def row():
    row = DictRow(Described("a", "b", "a"))
    row[:] = [1, 2, 3]
    return row


def test_a_dict_row_is_a_list(row):
    assert isinstance(row, list)
    assert row == [1, 2, 3]
    assert (row[0], row[-1], row[1:], len(row), list(row)) == (1, 3, [2, 3], 3, [1, 2, 3])


def test_a_dict_row_finds_by_name(row):
    assert (row["a"], row["b"]) == (3, 2)
    assert row.get("b") == 2
    assert row.get("c") is None
    assert row.get("c", 4) == 4
    assert row.get(0) == 1
    with pytest.raises(KeyError):
        row["c"]
    with pytest.raises(IndexError):
        row[3]


def test_a_dict_row_is_set_by_name(row):
    row["b"] = 20
    row[0] = 10
    assert row == [10, 20, 3]
    with pytest.raises(KeyError):
        row["c"] = 1


def test_a_dict_row_as_a_mapping(row):
    assert list(row.keys()) == ["a", "b"]
    assert list(row.values()) == [3, 2]
    assert list(row.items()) == [("a", 3), ("b", 2)]
    assert dict(row) == {"a": 3, "b": 2}
    assert "a" in row
    assert 1 not in row
    assert row.copy() == OrderedDict(a=3, b=2)


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy]
    + [lambda r, p=p: pickle.loads(pickle.dumps(r, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)],
)
def test_copies_of_a_dict_row(row, again):
    other = again(row)
    assert type(other) is DictRow
    assert other == row
    assert other["b"] == 2
    other["b"] = 5
    assert row["b"] == 2


def test_rows_have_no_attributes(row):
    with pytest.raises(AttributeError):
        row.anything = 1


def test_a_real_dict_row_is_made_as_a_dict():
    assert RealDictRow() == {}
    assert RealDictRow(a=1) == {"a": 1}
    assert RealDictRow([("a", 1)], b=2) == {"a": 1, "b": 2}
    assert isinstance(RealDictRow(), OrderedDict)
    assert repr(RealDictRow(a=1)).startswith("RealDictRow(")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_a_real_dict_row(protocol):
    again = pickle.loads(pickle.dumps(RealDictRow(a=1, b=2), protocol))
    assert type(again) is RealDictRow
    assert list(again.items()) == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("plain", "plain"),
        ("with space", "with_space"),
        ("a.b-c", "a_b_c"),
        ("_private", "f_private"),
        ("1st", "f1st"),
        ("?column?", "f_column_"),
        ("été", "été"),
        ("", "f"),
    ],
)
def test_fields_of_a_named_tuple(column, field):
    assert NamedTupleCursor._cached_make_nt((column,))._fields == (field,)


@pytest.mark.parametrize("columns", [("class",), ("a", "a"), ("a b", "a.b")])
def test_columns_that_make_no_named_tuple(columns):
    with pytest.raises(ValueError):
        NamedTupleCursor._cached_make_nt(columns)


def test_the_classes_of_named_tuples_are_kept():
    first = NamedTupleCursor._cached_make_nt(("a", "b"))
    assert NamedTupleCursor._cached_make_nt(("a", "b")) is first
    assert NamedTupleCursor._cached_make_nt.cache_info().hits
    assert (first.__name__, first.__module__) == ("Record", "psycoxide.extras")


def test_everything_says_that_it_is_of_extras():
    for name, value in vars(extras).items():
        if isinstance(value, type) and not name.startswith("_"):
            assert value.__module__ in (
                "psycoxide.extras",
                "psycoxide.extensions",
                "psycoxide._range",
                "psycoxide._multirange",
                "psycoxide._json",
            )
