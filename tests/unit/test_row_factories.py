"""The row factories and `Record`, called with something that looks like a cursor."""

import copy
import dataclasses
import json
import pickle
from types import SimpleNamespace

import pytest

import psycoxide
from psycoxide import rows
from psycoxide.rows import Record


def cursor(*names):
    return SimpleNamespace(description=[SimpleNamespace(name=name) for name in names])


NO_RESULT = SimpleNamespace(description=None)


@dataclasses.dataclass
class Item:
    id: int
    name: str = "none"


def keywords(**columns):
    return columns


def positions(*values):
    return values


# ---- the factories -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "names", "values", "expected"),
    [
        (rows.tuple_row, ["id", "id"], (1, 2), (1, 2)),
        (rows.tuple_row, [], (), ()),
        (rows.dict_row, ["id", "name"], (1, "x"), {"id": 1, "name": "x"}),
        (rows.dict_row, ["id", "id"], (1, 2), {"id": 2}),
        (rows.dict_row, ["?column?"], (1,), {"?column?": 1}),
        (rows.dict_row, [], (), {}),
        (rows.scalar_row, ["id", "name"], (1, "x"), 1),
        (rows.class_row(Item), ["name", "id"], ("x", 1), Item(1, "x")),
        (rows.class_row(Item), ["id"], (1,), Item(1)),
        (rows.kwargs_row(keywords), ["id", "?column?"], (1, 2), {"id": 1, "?column?": 2}),
        (rows.kwargs_row(keywords), [], (), {}),
        (rows.args_row(positions), ["id", "id"], (1, 2), (1, 2)),
        (rows.args_row(positions), [], (), ()),
    ],
)
def test_a_row(factory, names, values, expected):
    row = factory(cursor(*names))(values)
    assert row == expected
    assert type(row) is type(expected)


@pytest.mark.parametrize("factory", [rows.tuple_row, rows.args_row(positions)])
def test_a_row_that_needs_no_names_needs_no_result(factory):
    assert factory(NO_RESULT)((1, 2)) == (1, 2)


@pytest.mark.parametrize(
    "factory",
    [
        rows.dict_row,
        rows.namedtuple_row,
        rows.scalar_row,
        rows.record_row,
        rows.class_row(Item),
        rows.kwargs_row(keywords),
    ],
)
def test_a_row_that_needs_names_is_refused_without_a_result(factory):
    make = factory(NO_RESULT)
    with pytest.raises(psycoxide.InterfaceError, match="no result"):
        make((1,))


def test_a_scalar_needs_a_column():
    with pytest.raises(psycoxide.ProgrammingError, match="needs a result with a column"):
        rows.scalar_row(cursor())


@pytest.mark.parametrize("names", [["id", "nome"], ["name"]])
def test_a_class_refuses_columns_as_it_refuses_keywords(names):
    with pytest.raises(TypeError):
        rows.class_row(Item)(cursor(*names))(tuple(names))


def test_the_columns_of_a_real_cursor_are_read():
    described = SimpleNamespace(description=(psycoxide.extensions.Column("id", 23),))
    assert rows.dict_row(described)((1,)) == {"id": 1}


# ---- named tuples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "attribute"),
    [
        ("id", "id"),
        ("?column?", "f_column_"),
        ("1a", "f1a"),
        ("_x", "f_x"),
        ("a b.c", "a_b_c"),
        (" ", "f_"),
        ("", "f"),
        ("é", "é"),
        ("a²", "a_"),
        ("²", "f_"),
    ],
)
def test_a_column_becomes_an_attribute(column, attribute):
    row = rows.namedtuple_row(cursor(column))((1,))
    assert row._fields == (attribute,)
    assert getattr(row, attribute) == 1


@pytest.mark.parametrize("names", [["id", "id"], ["a b", "a-b"], ["class"]])
def test_names_that_no_named_tuple_has(names):
    with pytest.raises(psycoxide.DataError, match="no named tuple"):
        rows.namedtuple_row(cursor(*names))


def test_named_tuples():
    row = rows.namedtuple_row(cursor("id", "name"))((1, "x"))
    assert row == (1, "x")
    assert repr(row) == "Row(id=1, name='x')"
    assert rows.namedtuple_row(cursor())(()) == ()
    for again in (pickle.loads(pickle.dumps(row)), copy.copy(row), copy.deepcopy(row)):
        assert again == row
        assert again.name == "x"


def test_rows_of_the_same_columns_have_one_class():
    make = rows.namedtuple_row
    assert type(make(cursor("id"))((1,))) is type(make(cursor("id"))((2,)))
    assert type(make(cursor("id"))((1,))) is not type(make(cursor("ie"))((1,)))


@pytest.mark.parametrize("cache", [rows._row_class, rows._record_class])
def test_the_classes_are_kept_up_to_a_limit(cache):
    for number in range(rows._CLASSES + 2):
        cache((f"c{number}",))
    assert cache.cache_info().currsize == cache.cache_info().maxsize == rows._CLASSES


# ---- records -------------------------------------------------------------------------------------


def record(*names, of):
    return rows.record_row(cursor(*names))(of)


@pytest.fixture
def row():
    return record("id", "name", of=(1, "x"))


@pytest.fixture
def twice():
    return record("id", "name", "id", of=(1, "x", 3))


def test_a_record_is_a_tuple(row):
    assert isinstance(row, Record)
    assert isinstance(row, tuple)
    assert row == (1, "x")
    assert row == (1, "x")
    assert row != [1, "x"]
    assert row < (1, "y")
    assert hash(row) == hash((1, "x"))
    assert (len(row), list(row), list(reversed(row))) == (2, [1, "x"], ["x", 1])
    assert json.dumps(row) == '[1, "x"]'
    match row:
        case (number, text):
            assert (number, text) == (1, "x")
    assert row == record("a", "b", of=(1, "x"))


def test_a_record_by_position(row):
    assert (row[0], row[-1], row[True]) == (1, "x", "x")
    assert row[:1] == (1,)
    assert type(row[:1]) is tuple
    with pytest.raises(IndexError):
        row[2]
    for other in (None, 1.0):
        with pytest.raises(TypeError):
            row[other]


def test_a_record_by_name(row):
    assert (row["id"], row["name"]) == (1, "x")
    with pytest.raises(KeyError, match="'nome'"):
        row["nome"]
    assert (row.get("id"), row.get("nome"), row.get("nome", 5), row.get(0)) == (1, None, 5, None)
    assert "id" in row
    assert "x" not in row
    assert 1 not in row
    with pytest.raises(AttributeError):
        _ = row.name


def test_a_record_as_a_mapping(row):
    assert next(row.keys()) == "id"
    assert list(row.keys()) == ["id", "name"]
    assert list(row.values()) == [1, "x"]
    assert list(row.items()) == [("id", 1), ("name", "x")]
    assert dict(row) == {**row} == {"id": 1, "name": "x"}


def test_of_columns_with_the_same_name_the_last_one_counts(twice):
    assert (twice["id"], twice.get("id")) == (3, 3)
    assert list(twice.keys()) == ["id", "name", "id"]
    assert list(twice.items()) == [("id", 1), ("name", "x"), ("id", 3)]
    assert dict(twice) == {"id": 3, "name": "x"}
    assert repr(twice) == "<Record id=1 name='x' id=3>"


def test_a_record_without_columns():
    row = record(of=())
    assert (len(row), bool(row), list(row.keys()), repr(row)) == (0, False, [], "<Record>")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_record_survives_pickling(twice, protocol):
    again = pickle.loads(pickle.dumps(twice, protocol))
    assert type(again) is type(twice)
    assert again == twice
    assert list(again.keys()) == ["id", "name", "id"]


def test_a_record_is_copied_with_its_names():
    row = record("list", of=([1],))
    assert copy.copy(row)["list"] is row["list"]
    deep = copy.deepcopy(row)
    assert deep["list"] == [1]
    assert deep["list"] is not row["list"]


def test_a_record_holds_its_values_only(row):
    assert not hasattr(row, "__dict__")
    with pytest.raises(AttributeError):
        row.id = 2


def test_a_record_cannot_be_made_without_its_names(row):
    for cls in (Record, type(row)):
        with pytest.raises(TypeError, match="record_row"):
            cls((1, "x"))
