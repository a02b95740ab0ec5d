"""Range objects, their adapters and the parsing of their text."""

import copy
import itertools
import pickle
from datetime import date, datetime, timezone

import pytest

from psycoxide import InterfaceError, ProgrammingError, _range, extensions
from psycoxide.extras import DateRange, DateTimeTZRange, NumericRange, Range, RangeAdapter

ALL = [
    Range(empty=True),
    Range(),
    Range(None, 2),
    Range(1, None, "[]"),
    Range(1, 2),
    Range(1, 2, "()"),
    Range(1, 3),
    Range(2, 3),
]


def test_the_defaults_are_a_range_of_everything():
    r = Range()
    assert (r.lower, r.upper, r.isempty) == (None, None, False)
    assert (r.lower_inf, r.upper_inf, r.lower_inc, r.upper_inc) == (True, True, False, False)
    assert 10 in r


@pytest.mark.parametrize("bounds", ["[)", "(]", "()", "[]"])
def test_bounds(bounds):
    r = Range(10, 20, bounds)
    assert (r.lower_inc, r.upper_inc) == (bounds[0] == "[", bounds[1] == "]")
    assert (10 in r, 20 in r) == (r.lower_inc, r.upper_inc)
    assert 15 in r
    assert 9 not in r
    assert 21 not in r


@pytest.mark.parametrize("bounds", ["", "[", "](", "[[", "[)x", None])
def test_wrong_bounds(bounds):
    with pytest.raises(ValueError, match="bound flags not valid"):
        Range(10, 20, bounds)


def test_the_empty_range():
    r = Range(1, 2, empty=True)
    assert r.isempty
    assert not r
    assert (r.lower, r.upper, r.lower_inf, r.upper_inf, r.lower_inc) == (None, None, *[False] * 3)
    assert 1 not in r


def test_infinite_sides():
    assert 5 in Range(None, 10)
    assert 10 not in Range(None, 10)
    assert 5 in Range(5, None)
    assert 4 not in Range(5, None)
    assert not Range(None, 10, "[]").lower_inc


def test_equality_and_hash():
    assert Range(1, 2) == NumericRange(1, 2)
    assert hash(Range(1, 2)) == hash(NumericRange(1, 2))
    assert Range(1, 2) != Range(1, 2, "[]")
    assert Range(empty=True) != Range()
    assert Range(1, 2) != (1, 2)


def test_the_order_is_total():
    ordered = sorted(ALL)
    for a, b in itertools.combinations(range(len(ordered)), 2):
        low, high = ordered[a], ordered[b]
        assert low < high
        assert low <= high
        assert high > low
        assert high >= low
    assert Range(1, 2) <= Range(1, 2)
    assert ordered[0] == Range(empty=True)


def test_other_things_do_not_compare():
    for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(Range(1), compare)(1) is NotImplemented
    with pytest.raises(TypeError):
        _ = Range(1) < 1


@pytest.mark.parametrize("r", ALL)
def test_copies(r):
    assert pickle.loads(pickle.dumps(r)) == r
    assert copy.copy(r) == r
    assert copy.deepcopy(r) == r


def test_immutable():
    with pytest.raises(AttributeError):
        Range(1).lower = 2
    with pytest.raises(AttributeError):
        Range(1).anything = 2


def test_reprs_and_strings():
    assert repr(Range(1, None, "[]")) == "Range(1, None, '[]')"
    assert repr(NumericRange(empty=True)) == "NumericRange(empty=True)"
    assert str(Range(1, None, "(]")) == "(1, None]"
    assert str(Range(empty=True)) == "empty"


@pytest.mark.parametrize(
    ("r", "quoted"),
    [
        (NumericRange(1, 5), b"'[1,5)'"),
        (NumericRange(None, -5, "(]"), b"'(, -5]'"),
        (NumericRange(empty=True), b"'empty'"),
        (DateRange(date(2000, 1, 2), None), b"daterange('2000-01-02'::date, NULL, '[)')"),
        (DateRange(empty=True), b"'empty'::daterange"),
        (
            DateTimeTZRange(datetime(2000, 1, 1, tzinfo=timezone.utc), None, "()"),
            b"tstzrange('2000-01-01T00:00:00+00:00'::timestamptz, NULL, '()')",
        ),
    ],
)
def test_adapting(r, quoted):
    assert extensions.adapt(r).getquoted() == quoted


def test_a_plain_range_is_of_no_type():
    with pytest.raises(ProgrammingError, match="can't adapt type 'Range'"):
        extensions.adapt(Range(1, 2))
    with pytest.raises(NotImplementedError):
        RangeAdapter(Range(1, 2)).getquoted()


def caster(pyrange="TextRange", oid=1_000_001):
    return _range.RangeCaster("textrange", pyrange, oid=oid, subtype_oid=25, array_oid=oid + 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("empty", Range(empty=True)),
        ("[a,b)", Range("a", "b")),
        ("(,b]", Range(None, "b", "(]")),
        ("(,)", Range(None, None, "()")),
        ('["a b","c""d"]', Range("a b", 'c"d', "[]")),
        ('["a\\\\b",")")', Range("a\\b", ")")),
        ('["",b)', Range("", "b")),
        ('["a,b",c)', Range("a,b", "c")),
        ('["a\nb",c)', Range("a\nb", "c")),
    ],
)
def test_parsing(text, expected):
    assert caster().parse(text) == expected


@pytest.mark.parametrize("text", ["", "nonsense", "[a,b", "a,b)", "[a)"])
def test_what_is_no_range(text):
    with pytest.raises(InterfaceError, match="failed to parse range"):
        caster().parse(text)


def test_a_caster_makes_classes_from_names():
    made = caster()
    assert made.range.__name__ == "TextRange"
    assert issubclass(made.range, Range)
    assert made.adapter.name == "textrange"
    assert made.typecaster.values == (1_000_001,)
    assert made.array_typecaster.values == (1_000_002,)


def test_a_caster_takes_classes():
    class Mine(Range):
        pass

    assert caster(Mine).range is Mine
    assert type(caster(Mine).parse("[a,b)")) is Mine


@pytest.mark.parametrize("wrong", [int, None, 3, Range])
def test_a_caster_takes_nothing_else(wrong):
    with pytest.raises(TypeError, match="pyrange must be a type or a Range strict subclass"):
        caster(wrong)


def test_the_built_in_casters_are_registered():
    for oid in (3904, 3905, 3906, 3907, 3908, 3909, 3910, 3911, 3912, 3913, 3926, 3927):
        assert oid in extensions.string_types


def test_annotations_may_name_the_bounds():
    assert NumericRange[int].__origin__ is NumericRange
    assert NumericRange.__mro__ == (NumericRange, Range, object)
