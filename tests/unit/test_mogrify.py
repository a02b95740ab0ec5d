"""Merging parameters into a query: the grammar, its errors, encodings."""

from __future__ import annotations

import collections
import sys
from typing import Any

import pytest

from psycoxide import _psycopg as pg
from psycoxide._exceptions import OperationalError, ProgrammingError


@pytest.mark.parametrize(
    ("query", "args", "merged"),
    [
        ("100%", None, "100%"),
        ("%% %s %x", None, "%% %s %x"),
        ("select 1", (), "select 1"),
        ("select 1", (1, 2), "select 1"),
        ("a %% b", (), "a % b"),
        ("%%", (1, 2), "%"),
        ("%s", (1,), "1"),
        ("%s", [1], "1"),
        ("%s", "a", "'a'"),
        ("%s", range(3, 4), "3"),
        ("%s", collections.deque([1]), "1"),
        ("%s %%s %s", (1, "%s"), "1 %s '%s'"),
        ("%(a)s", {"a": 1}, "1"),
        ("%(a)s %(b)s %(a)s", {"a": "x", "b": 2, "unused": object()}, "'x' 2 'x'"),
        ("%(é 漢)s", {"é 漢": 1}, "1"),
        ("%()s", {"": 1}, "1"),
        ("%(a)s", collections.defaultdict(lambda: 7), "7"),
        ("%(a)s", collections.UserDict(a=1), "1"),
        ("%(a)s", {"a": "%(b)s %s %%"}, "'%(b)s %s %%'"),
        ("'%s' --%s", (1, 2), "'1' --2"),
        ("1-%s", (-1,), "1- -1"),
        ("%s", (None,), "NULL"),
    ],
)
def test_merged(query: str, args: Any, merged: str) -> None:
    for _ in range(3):
        assert pg._mogrify(query.encode(), args) == merged.encode()


@pytest.mark.parametrize(
    ("query", "args", "error", "text"),
    [
        ("%s", (), IndexError, "tuple index out of range"),
        ("%s", [], IndexError, "list index out of range"),
        ("%s %s", (1,), IndexError, "tuple index out of range"),
        ("%x", (), IndexError, "tuple index out of range"),
        ("%s", (1, 2), TypeError, "not all arguments converted during string formatting"),
        ("%(a)s", {"b": 1}, KeyError, "'a'"),
        ("%s", {1}, TypeError, "'set' object does not support indexing"),
        ("%s", 5, TypeError, "'int' object does not support indexing"),
        ("%s", iter([1]), TypeError, "'list_iterator' object does not support indexing"),
        ("%s", {"a": 1}, TypeError, "dict is not a sequence"),
        ("%(a)s", [1], TypeError, "list indices must be integers or slices, not str"),
        ("%d", (1,), ValueError, "unsupported format character 'd' (0x64) at index 1"),
        ("é %.2f", (1,), ValueError, "unsupported format character '.' (0x2e) at index 4"),
        ("%(a)d", {"a": 1}, ValueError, "unsupported format character 'd' (0x64) at index 4"),
        ("x%", (1,), ValueError, "incomplete format"),
        ("%(a)", {"a": 1}, ValueError, "incomplete format"),
        ("%(a(b)s", {"a(b": 1}, ValueError, "incomplete format key"),
        ("%(a(b)c)s", {"a(b": 1}, KeyError, "'a(b)c'"),
        ("%s %(a)s", (1,), ProgrammingError, "argument formats can't be mixed"),
        ("%(a)s %s", {"a": 1}, ProgrammingError, "argument formats can't be mixed"),
        ("%(a", {"a": 1}, ProgrammingError, "incomplete placeholder: '%(' without ')'"),
        ("%(a%b)s", {"a": 1}, ProgrammingError, "incomplete placeholder: '%(' without ')'"),
        # Values come first, faults of the query after them.
        ("%s %(a", (object(),), ProgrammingError, "can't adapt type 'object'"),
        ("%d %s", (1,), IndexError, "tuple index out of range"),
    ],
)
def test_errors(query: str, args: Any, error: type[Exception], text: str) -> None:
    for _ in range(2):
        with pytest.raises(error) as caught:
            pg._mogrify(query.encode(), args)
        assert type(caught.value) is error
        assert str(caught.value) == text


def test_a_name_is_looked_up_each_time_but_adapted_once() -> None:
    looked_up = []
    adapted = []

    class Args:
        def __getitem__(self, key: str) -> Any:
            looked_up.append(key)
            return Value()

    class Value:
        def __conform__(self, protocol: object) -> Any:
            adapted.append(self)
            return pg.AsIs("v")

    assert pg._mogrify(b"%(a)s %(b)s %(a)s", Args()) == b"v v v"
    assert looked_up == ["a", "b", "a"]
    assert len(adapted) == 2


def test_many_parameters_and_many_queries() -> None:
    count = 20_000
    merged = pg._mogrify(b",".join([b"%s"] * count), list(range(count)))
    assert merged == ",".join(map(str, range(count))).encode()
    for number in range(100):
        query = f"select {number}, %s, %(x)s".encode() if number % 2 else b"%s" * number
        if number % 2:
            with pytest.raises(ProgrammingError):
                pg._mogrify(query, (1,))
        else:
            assert pg._mogrify(query, [1] * number) == b"1" * number


def test_tens_of_thousands_of_names_some_of_them_again() -> None:
    """As pandas and SQLAlchemy write them: a name for each cell."""
    cells = {f"a_m{number}": number for number in range(60_000)}
    names = [*cells, *reversed(cells)]
    query = ",".join(f"%({name})s" for name in names)
    merged = ",".join(str(cells[name]) for name in names)
    assert pg._mogrify(query.encode(), cells) == merged.encode()
    assert pg._mogrify(query.encode(), collections.UserDict(cells)) == merged.encode()


def test_names_that_a_program_makes_up_are_not_kept_by_python_for_ever() -> None:
    """As interned strings are from Python 3.12 on."""
    made_up = "".join(["made up at ", str(id(object()))])
    assert pg._mogrify(f"%({made_up})s".encode(), {made_up: 1}) == b"1"
    assert sys.intern(made_up) is made_up


def test_no_length_is_an_error_not_a_crash() -> None:
    class Endless:
        def __getitem__(self, index: int) -> int:
            return index

    with pytest.raises(TypeError):
        pg._mogrify(b"%s", Endless())


TEXTS = [
    ("LATIN1", "iso8859_1", "é§ü"),
    ("EUC_JP", "euc_jp", "日本語"),
    ("WIN1251", "cp1251", "Привет"),
    ("UTF8", "utf_8", "é漢😀"),
    ("SJIS", "cp932", "表示ソ能"),
    ("BIG5", "big5", "功許蓋"),
    ("GBK", "gbk", "誠慲"),
    ("GB18030", "gb18030", "誠慲😀"),
    ("UHC", "cp949", "안녕"),
    ("KOI8R", "koi8_r", "Привет"),
    ("LATIN9", "iso8859_15", "€uro"),
    ("SHIFT_JIS_2004", "shift_jis_2004", "表示ソ\\~"),
]


@pytest.mark.parametrize(("name", "codec", "text"), TEXTS)
@pytest.mark.parametrize("standard", [True, False])
def test_encodings(name: str, codec: str, text: str, standard: bool) -> None:
    args = (text + "'" + text,)
    merged = pg._mogrify(b"%s", args, encoding=name, standard_conforming_strings=standard)
    # What a reader of that encoding sees between the quotes.
    inner = merged.removeprefix(b"E")[1:-1].decode(codec)
    if not standard:
        inner = inner.replace("\\\\", "\\")
    read = inner.replace("''", "'")
    assert read == args[0].encode(codec).decode(codec)
    assert merged.startswith(b"'" if standard else b"E'")


def test_names_of_placeholders_are_in_the_encoding_of_the_query() -> None:
    query = "%(é)s %(ü)s"
    assert pg._mogrify(query.encode("latin1"), {"é": 1, "ü": 2}, encoding="LATIN1") == b"1 2"
    assert pg._mogrify(query.encode(), {"é": 1, "ü": 2}) == b"1 2"


def test_string_style() -> None:
    args = ("a\\b'", b"\\", ["\\"])
    merged = pg._mogrify(b"%s %s %s", args, standard_conforming_strings=False)
    assert merged == rb"E'a\\b''' E'\\x5c'::bytea ARRAY[E'\\']"


def test_what_does_not_encode() -> None:
    for value in ("\ud800", "ok\udfff"):
        with pytest.raises(UnicodeEncodeError):
            pg._mogrify(b"%s", (value,))
    with pytest.raises(UnicodeEncodeError, match="latin-1"):
        pg._mogrify(b"%s", ("漢",), encoding="LATIN1")
    with pytest.raises(UnicodeEncodeError):
        pg._mogrify(b"%s", ("é",), encoding="SQL_ASCII")
    assert pg._mogrify(b"%s", (pg.AsIs("é"),), encoding="LATIN1") == b"\xe9"


def test_the_codecs_are_those_of_the_dict() -> None:
    with pytest.raises(OperationalError, match=r"no Python encoding for .* 'EUCTW'"):
        pg._mogrify(b"%s", ("x",), encoding="EUC_TW")
    pg.encodings["EUCTW"] = "big5"
    try:
        assert pg._mogrify(b"%s", ("x",), encoding="EUC_TW") == b"'x'"
    finally:
        del pg.encodings["EUCTW"]
    assert pg.encodings["UNICODE"] == pg.encodings["UTF8"] == "utf_8"
    assert pg.encodings["LATIN9"] == pg.encodings["ISO885915"] == "iso8859_15"
