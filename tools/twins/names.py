"""Names, keywords and types of asyncio."""

from __future__ import annotations

import ast
import keyword
import re
import tokenize
from typing import TypeGuard

from twins.marks import FLAG
from twins.source import Source, Untranslatable, texts
from twins.words import ASYNC_CLASS, NAMES, prose, words

# Names that are in no sync source: a change that the rules above do not make.
LEFT_OVER = re.compile(r"async|await|asyncio|Awaitable|Coroutine|_*Async[A-Z]\w*")


def unwrapped_type(source: Source) -> str | None:
    """The source with one annotation of an awaitable less; None if there is none."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Subscript):
            continue
        name = getattr(node.value, "attr", getattr(node.value, "id", ""))
        inner = node.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        text = [source.text[source.start(part) : source.end(part)] for part in parts]
        if name == "AsyncGenerator":
            value = source.text[source.start(node.value) : source.end(node.value)]
            value = value.replace(name, "Generator")
            new = f"{value}[{', '.join([*text, 'None', 'None'][: max(3, len(text))])}]"
        elif name == "Awaitable" or (name == "Coroutine" and len(parts) == 3):
            new = text[-1]
        else:
            continue
        source.replace(source.start(node), source.end(node), new)
        return source.edited()
    return None


def renamed(text: str) -> str:
    """The source without `async` and `await`, and with the sync names."""
    source = Source(text)
    strings = list(texts(source))
    docstrings = {source.start(node.value) for node in source.statements() if is_string(node)}
    for start, end in strings:
        is_prose = start in docstrings or text[start] == "#"
        source.replace(start, end, (prose if is_prose else words)(text[start:end]))
    inside = iter(strings)
    here = next(inside, None)
    needless = needless_parentheses(source)
    for index, token in enumerate(source.tokens):
        start, end = source.at(token.start), source.at(token.end)
        while here and here[1] <= start:
            here = next(inside, None)
        if here and here[0] <= start:
            continue
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            source.replace(start, source.at(source.tokens[index + 1].start))
        elif token.type == tokenize.NAME and (new := sync_name(token.string)) != token.string:
            source.replace(start, end, new)
        elif start in needless:
            source.replace(start, end)
    return source.edited()


def is_string(node: ast.AST) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def sync_name(name: str) -> str:
    return "False" if name == FLAG else NAMES.get(name) or ASYNC_CLASS.sub(r"\1", name)


def needless_parentheses(source: Source) -> set[int]:
    """The offsets of parentheses that an `await` has needed, as in `(await f()).x`."""
    primary = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
    awaits = {
        source.start(node): source.end(node)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Await) and isinstance(node.value, primary)
    }
    found = set()
    for before, opening, word in zip(source.tokens, source.tokens[1:], source.tokens[2:]):
        end = awaits.get(source.at(word.start), -1)
        called = before.string in (")", "]") or (
            before.type in (tokenize.NAME, tokenize.STRING) and not keyword.iskeyword(before.string)
        )
        closed = opening.string == "(" and source.text[end : end + 1] == ")"
        # Across lines they may be what holds the expression together.
        if closed and not called and opening.start[0] == word.start[0]:
            found |= {source.at(opening.start), end}
    return found


def check_left_over(source: str) -> None:
    """Raises Untranslatable if there is still a name of asyncio's in the result."""
    for token in Source(source).tokens:
        if token.type == tokenize.NAME and LEFT_OVER.fullmatch(token.string):
            raise Untranslatable(f"{token.start[0]}: {token.string} is left over: {token.line!r}")
