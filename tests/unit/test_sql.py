"""Composing SQL: what needs no connection."""

import pytest

from psycoxide import sql
from psycoxide.sql import SQL, Composable, Composed, Identifier, Literal, Placeholder


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (SQL("a"), "SQL('a')"),
        (Identifier("a", "b"), "Identifier('a', 'b')"),
        (Literal([1]), "Literal([1])"),
        (Placeholder(), "Placeholder()"),
        (Placeholder("x"), "Placeholder('x')"),
        (SQL("a") + SQL("b"), "Composed([SQL('a'), SQL('b')])"),
    ],
)
def test_a_repr_shows_how_to_make_it(piece, expected):
    assert repr(piece) == expected
    assert eval(expected) == piece


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SQL(b"bytes"), TypeError),
        (lambda: Identifier(), TypeError),
        (lambda: Identifier("a", 1), TypeError),
        (lambda: Placeholder(1), TypeError),
        (lambda: Placeholder("a)b"), ValueError),
        (lambda: Composed(["text"]), TypeError),
        (lambda: SQL(",").join([1]), TypeError),
        (lambda: (SQL("a") + SQL("b")).join(Literal(",")), TypeError),
        (lambda: SQL("a") + "b", TypeError),
        (lambda: Composed([]) + "b", TypeError),
        (lambda: hash(SQL("a")), TypeError),
        (lambda: Literal(1).as_string(None), TypeError),
        (lambda: Identifier("a").as_string(None), TypeError),
        (lambda: Composable("a").as_string(None), NotImplementedError),
    ],
)
def test_what_is_wrong_is_refused(make, error):
    with pytest.raises(error):
        make()


@pytest.mark.parametrize(
    ("template", "args", "kwargs", "expected"),
    [
        ("a {} b {}", ["1", "2"], {}, "a 1 b 2"),
        ("{1}{0}{1}", ["1", "2"], {}, "212"),
        ("{x} {y} {x}", [], {"x": "1", "y": "2"}, "1 2 1"),
        ("{} {x} {}", ["1", "2"], {"x": "3"}, "1 3 2"),
        ("{{}} {}", ["1"], {}, "{} 1"),
        ("", [], {}, ""),
        ("{}", ["1", "unused"], {}, "1"),
    ],
)
def test_format(template, args, kwargs, expected):
    made = SQL(template).format(*map(SQL, args), **{k: SQL(v) for k, v in kwargs.items()})
    assert isinstance(made, Composed)
    assert made.as_string(None) == expected


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{} {0}", ValueError),
        ("{0} {}", ValueError),
        ("{!r}", ValueError),
        ("{:d}", ValueError),
        ("{", ValueError),
        ("{} {} {}", IndexError),
        ("{2}", IndexError),
        ("{nope}", KeyError),
        ("{a.b}", KeyError),
    ],
)
def test_format_refuses(template, error):
    with pytest.raises(error):
        SQL(template).format(SQL("1"), SQL("2"), a=SQL("3"))


def test_joining():
    pieces = [SQL("a"), SQL("b"), SQL("c")]
    assert SQL(", ").join(pieces).as_string(None) == "a, b, c"
    assert SQL(", ").join([]) == Composed([])
    assert Composed(pieces).join("+").as_string(None) == "a+b+c"
    assert Composed(pieces).join(SQL("-")).as_string(None) == "a-b-c"


def test_adding_and_repeating():
    assert SQL("a") + (SQL("b") + SQL("c")) == Composed([SQL("a"), SQL("b"), SQL("c")])
    assert (Placeholder() * 3).join(",").as_string(None) == "%s,%s,%s"
    assert SQL("a") * 0 == Composed([])
    assert list(Composed([SQL("a")])) == [SQL("a")]


def test_equal_if_of_one_class_and_of_one_content():
    assert SQL("a") == SQL("a")
    assert SQL("a") != SQL("b")
    assert SQL("a") != Identifier("a")
    assert SQL("a") != "a"


def test_the_parts_can_be_read_but_not_changed():
    composed = SQL("a") + SQL("b")
    composed.seq.append(SQL("c"))
    assert composed.seq == [SQL("a"), SQL("b")]
    assert Identifier("a").string == "a"
    assert Identifier("a", "b").strings == ("a", "b")
    with pytest.raises(AttributeError, match="more than one"):
        _ = Identifier("a", "b").string
    assert (SQL("x").string, Literal(1).wrapped, Placeholder("n").name) == ("x", 1, "n")


def test_placeholders():
    assert Placeholder().as_string(None) == "%s"
    assert Placeholder("name").as_string(None) == "%(name)s"


def test_the_constants():
    assert (SQL("NULL"), SQL("DEFAULT")) == (sql.NULL, sql.DEFAULT)


def test_annotations_may_name_what_a_literal_wraps():
    assert Literal[int].__origin__ is Literal
    assert Literal.__mro__ == (Literal, Composable, object)
