"""The private casters for json, uuid and hstore: they give what the Python way would give."""

from __future__ import annotations

import copy
import json
import pickle
import random
import uuid
from typing import Any

import pytest

from psycoxide import _psycopg as native
from psycoxide._exceptions import InterfaceError

# What is wrong by the stubs is tried as well.
_psycopg: Any = native

JSON: Any = _psycopg._JSON
UUID: Any = _psycopg._UUID
HSTORE: Any = _psycopg._HSTORE


def outcome(function: Any, *args: Any) -> tuple[str, str]:
    try:
        return "value", repr(function(*args))
    except Exception as error:
        return type(error).__name__, str(error)


def document(random_: random.Random, depth: int) -> Any:
    """A random JSON value."""
    text = "".join(
        random_.choice('ab"\\/\n\té世😀\x7f {}[]:,') for _ in range(random_.randrange(8))
    )
    scalars: list[Any] = [
        None,
        True,
        random_.choice([0, -1, 10 ** random_.randrange(25), -random_.randrange(2**62)]),
        random_.choice([1.5, -0.0, 1e300, random_.random(), float("nan"), float("-inf")]),
        text,
    ]
    kind = random_.randrange(7 if depth else 5)
    if kind < 5:
        return scalars[kind]
    values = [document(random_, depth - 1) for _ in range(random_.randrange(5))]
    if kind == 5:
        return values
    return {f"{random_.choice(['', 'é', 'key', text])}{n % 3}": v for n, v in enumerate(values)}


@pytest.mark.parametrize("seed", range(10))
def test_json_is_what_json_loads_gives(seed: int) -> None:
    random_ = random.Random(seed)
    for _ in range(500):
        text = json.dumps(
            document(random_, 4),
            ensure_ascii=random_.random() < 0.5,
            indent=random_.choice([None, 2]),
        )
        if random_.random() < 0.5:
            at = random_.randrange(len(text) + 1)
            text = text[:at] + random_.choice('{}[]",:\\0123.eE+-utnf \x00') + text[at + 1 :]
        assert outcome(JSON, text, None) == outcome(json.loads, text)
        assert outcome(JSON, text.encode(), None) == outcome(json.loads, text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": 2, "a": 3}',
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"\\ude00\\ud83d"',
        '"\\u0000"',
        "-",
        "01",
        "1.",
        "-0",
        "1e5",
        "1E+400",
        "123456789012345678901234567890",
        "NaN",
        "-Infinity",
        " [ ] ",
        "\ufeff1",
        "[" * 99 + "]" * 99,
        "[" * 101 + "]" * 101,
        "[" * 100_000,
        "",
        "nul",
        "truefalse",
        '{"a" 1}',
        "[1,]",
        '"\x1f"',
    ],
)
def test_json_at_the_edges(text: str) -> None:
    assert outcome(JSON, text, None) == outcome(json.loads, text)


def test_json_objects_share_their_keys() -> None:
    first, second = JSON('[{"key": 1}, {"key": 2}]', None)
    assert next(iter(first)) is next(iter(second))


def test_uuid_is_what_the_constructor_gives() -> None:
    random_ = random.Random(1)
    for _ in range(500):
        expected = uuid.UUID(int=random_.getrandbits(128))
        made = UUID(str(expected), None)
        assert type(made) is uuid.UUID
        assert (made, hash(made), repr(made)) == (expected, hash(expected), repr(expected))
        assert made.is_safe is expected.is_safe
        assert made.int == expected.int
    assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == made
    with pytest.raises(TypeError):
        made.int = 1


@pytest.mark.parametrize(
    "text",
    [
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1x",
        "a0eebc99x9c0b-4ef8-bb6d-6bb9bd380a11",
        " ",
    ],
)
def test_other_uuid_texts_go_to_the_constructor(text: str) -> None:
    assert outcome(UUID, text, None) == outcome(uuid.UUID, text)


def test_hstore() -> None:
    assert HSTORE("", None) == {}
    text = r'"a"=>"1", "b"=>NULL, "NULL"=>"NULL", "é\"\\"=>""'
    assert HSTORE(text, None) == {"a": "1", "b": None, "NULL": "NULL", 'é"\\': ""}
    assert list(HSTORE(text, None)) == ["a", "b", "NULL", 'é"\\']
    for malformed in ["a", '"a"', '"a"=>', '"a"=>"1', '"a"=>"1" "b"=>"2"', '"a"=>1']:
        with pytest.raises(InterfaceError, match="hstore"):
            HSTORE(malformed, None)


@pytest.mark.parametrize("caster", [JSON, UUID, HSTORE])
def test_null_is_none(caster: Any) -> None:
    assert caster(None, None) is None


def test_new_type_takes_them_over() -> None:
    new = _psycopg.new_type((1,), "MYJSON", JSON)
    assert (new.name, new.values) == ("MYJSON", (1,))
    assert new('{"a": [1]}', None) == {"a": [1]}
    array = _psycopg.new_array_type((2,), "MYJSON[]", new)
    assert array(r'{"{\"a\": 1}",NULL,"null"}', None) == [{"a": 1}, None, None]


def test_composite_fields() -> None:
    fields: Any = _psycopg._composite_fields
    assert fields(r'(1,"a ""b"" \\c",,"",é)') == ["1", r'a "b" \c', None, "", "é"]
    assert fields("()") == [None]
    for malformed in ["", "(", "(1", "1)", '("a)', "(1)x"]:
        with pytest.raises(InterfaceError, match="can't parse type"):
            fields(malformed)


def test_range_bounds() -> None:
    bounds: Any = _psycopg._range_bounds
    assert bounds("empty") is None
    assert bounds("[1,5)") == ("1", "5", "[)")
    assert bounds("(,]") == (None, None, "(]")
    assert bounds('["a ""é","\\\\"]') == ('a "é', "\\", "[]")
    for malformed in ["", "[1", "[1,2", "1,2", "[1,2)x", "[1,2,3)"]:
        with pytest.raises(InterfaceError, match="failed to parse range"):
            bounds(malformed)
