"""How the API reference shows signatures."""

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api_signatures import Function, annotation, merge_overloads, signature, wrap


def shown(source):
    """The signatures of the functions in a source, as the reference shows them."""
    body = merge_overloads(ast.parse(source).body)
    return [signature(node) for node in body if isinstance(node, Function)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("_Connection[Any] | None", "connection | None"),
        ("None | Query", "str | bytes | sql.Composable | None"),
        ("connection | connection[CursorT] | ConnectionT", "connection"),
        ("CursorFactory[CursorT] | None", "Callable[[connection, str | None], cursor] | None"),
        ("dict[int, type]", "dict[int, typecaster]"),
        ("builtins.type[_exceptions.Error]", "type[Error]"),
        ("str | Any", "Any"),
        ("AsyncCursor[_Row] | None", "AsyncCursor | None"),
        ("Connection[Any]", "Connection"),
        ("list[_Row]", "list[Row]"),
    ],
)
def test_types_are_shown_without_the_names_that_only_type_checkers_know(written, read):
    assert annotation(ast.parse(written, mode="eval").body) == read


def test_overloads_are_shown_as_one_signature():
    assert shown(
        """
@overload
def f(a: int = 1, b: None = None, **c: str) -> int: ...
@overload
def f(a: int = 1, *, b: str) -> str: ...
def g() -> None: ...
"""
    ) == ["f(a: int = 1, b: str | None = None, **c: str) -> int | str", "g() -> None"]


def test_where_overloads_have_a_function_that_one_is_shown():
    assert shown(
        """
@overload
def f(a: int) -> int: ...
def f(a: object) -> object:
    return a
"""
    ) == ["f(a: object) -> object"]


def test_what_has_to_be_awaited_says_so():
    assert shown(
        """
@overload
async def f(a: int) -> int: ...
@overload
async def f(a: str) -> str: ...
async def g() -> AsyncIterator[int]: ...
"""
    ) == ["await f(a: int | str) -> int | str", "g() -> AsyncIterator[int]"]


def test_a_long_signature_has_a_parameter_a_line():
    long = f"f(a: Callable[[int, str], None], b: {'x' * 80}) -> None"
    assert wrap(long) == [
        "f(",
        "    a: Callable[[int, str], None],",
        f"    b: {'x' * 80},",
        ") -> None",
    ]
    assert wrap("f(a: int)") == ["f(a: int)"]
