"""Signatures and types as the API reference shows them: on few lines, for readers.

The annotations are written for type checkers. Here overloads become one signature, and the aliases
and type variables of `psycoxide/_types.pyi` are replaced by their meaning.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Names of the annotations and their text for readers, replaced in this order.
_SHOWN = {
    r"(Async)?(Connection|Cursor|Stream|Transaction)\[\w+\]": r"\1\2",
    r"RowFactory\[(_Row|_R|Any)\]": "RowFactory",
    r"_Row|_R": "Row",
    # A bare `type` is the stub's class of typecasters.
    r"type(?!\[|\w|:)": "typecaster",
    r"builtins\.typecaster": "type",
    r"builtins\.type": "type",
    r"CursorFactory\[\w+\]": "Callable[[connection, str | None], cursor]",
    r"_?[Cc]onnection\[.*?\]+": "connection",
    r"_?[Ll]object\[.*?\]": "lobject",
    r"Range\[.*?\]": "Range",
    r"AbstractConnectionPool\[.*?\]": "AbstractConnectionPool",
    r"_Connection|_DictConnection|_RealDictConnection|_replicationConnection": "connection",
    r"_Cursor|_replicationCursor|CursorT(_co)?": "cursor",
    r"_FullReplicationCursor": "extras.ReplicationCursor",
    r"ConnectionT(_co)?": "connection",
    r"LobjectT": "lobject",
    r"DataT_co": "str | bytes",
    r"BoundT_co|NumberT_co|WrappedT": "Any",
    r"AdaptedT": "T",
    r"Query": "str | bytes | sql.Composable",
    r"Vars": "Sequence | Mapping | None",
    r"Scope": "connection | cursor",
    r"Flag": "bool | Literal['default'] | None",
    r"(Text|Bytes)Mode": "str",
    r"Typecaster": "typecaster",
    r"_Moment": "ISQLQuote",
    r"_Record": "Record",
    r"Source": "SupportsRead",
    r"Target|SupportsLog": "SupportsWrite",
}


def annotation(node: ast.expr) -> str:
    """A type as a user would write it; each member of a union once, None last."""
    text = re.sub(r"\b(_exceptions|_?ext)\.", "", ast.unparse(node))
    for name, shown in _SHOWN.items():
        text = re.sub(rf"(?<![\w.]){name}(?!\w)", shown, text)
    members = list(dict.fromkeys(split(text, "|")))
    if "Any" in members:
        return "Any"
    if "None" in members:
        members.remove("None")
        members.append("None")
    return " | ".join(members)


def split(text: str, separator: str) -> list[str]:
    """The parts of `text` between separators that no bracket encloses."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += char in "([{"
        depth -= char in ")]}"
        if char == separator and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [*parts, current.strip()]


# ---- one signature --------------------------------------------------------------------------


def signature(node: Function, owner: str = "") -> str:
    """`name(parameters) -> type`, without `self`, as in a call; with `await` if it has to be."""
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    given = _parameters(node.args)
    if owner and not static:
        given = given[1:]
    making = node.name in ("__init__", "__new__")
    name = owner if making else node.name
    returns = "" if making or node.returns is None else f" -> {annotation(node.returns)}"
    awaits = "await " if isinstance(node, ast.AsyncFunctionDef) and not _generates(node) else ""
    return f"{awaits}{name}({', '.join(given)}){returns}"


def _generates(node: ast.AsyncFunctionDef) -> bool:
    """Whether a call is for `async for`."""
    return node.returns is not None and ast.unparse(node.returns).startswith("AsyncIterator")


def _parameters(arguments: ast.arguments) -> list[str]:
    """The parameters with their types and defaults. The stub's `/` says nothing to a reader."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + [*arguments.defaults]
    pairs = zip(positional, defaults)
    found = [_parameter(*pair) for pair in pairs if not pair[0].arg.startswith("_")]
    if arguments.vararg:
        found.append(f"*{_parameter(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        found.append("*")
    found += [_parameter(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    if arguments.kwarg:
        found.append(f"**{_parameter(arguments.kwarg, None)}")
    return found


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg
    if argument.annotation is not None:
        text += f": {annotation(argument.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def wrap(code: str) -> list[str]:
    """A signature on one line if it fits, otherwise with a line for each parameter."""
    if len(code) <= 92:
        return [code]
    head, _, rest = code.partition("(")
    inside, _, tail = rest.rpartition(")")
    return [f"{head}(", *(f"    {part}," for part in split(inside, ",") if part), f"){tail}"]


# ---- overloads ------------------------------------------------------------------------------


def merge_overloads(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, with overloads replaced by one function, in classes as well."""
    merged: list[ast.stmt] = []
    overloads: list[Function] = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            node.body = merge_overloads(node.body)
        same = isinstance(node, Function) and overloads and overloads[0].name == node.name
        if overloads and not same:
            merged.append(_merged(overloads))
            overloads = []
        if isinstance(node, Function) and _is_overload(node):
            overloads.append(node)
            continue
        # The implementation takes the same as its overloads.
        overloads = []
        merged.append(node)
    return [*merged, _merged(overloads)] if overloads else merged


def _is_overload(node: Function) -> bool:
    return any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)


def _merged(overloads: list[Function]) -> Function:
    """The overload with the most positional parameters, with the types of all overloads."""
    whole = max(overloads, key=lambda node: (len(node.args.args), len(node.args.defaults)))
    for argument in _all_arguments(whole.args):
        argument.annotation = _union(
            same.annotation
            for node in overloads
            for same in _all_arguments(node.args)
            if same.arg == argument.arg
        )
    whole.returns = _union(node.returns for node in overloads)
    whole.decorator_list = []
    return whole


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*found, *(one for one in (arguments.vararg, arguments.kwarg) if one)]


def _union(types: Iterable[ast.expr | None]) -> ast.expr | None:
    texts = dict.fromkeys(ast.unparse(one) for one in types if one)
    return ast.parse(" | ".join(texts), mode="eval").body if texts else None
