"""Names, keywords and types of asyncio, and the words for them in strings and comments."""

from __future__ import annotations

import ast
import keyword
import re
import tokenize

from twins.marks import FLAG
from twins.source import Source, Untranslatable, texts

NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "AbstractAsyncContextManager": "AbstractContextManager",
    "aclose": "close",
    "aclosing": "closing",
    "aio": "sync",
    "aiter": "iter",
    "anext": "next",
    "asend": "send",
    "asynccontextmanager": "contextmanager",
    "athrow": "throw",
    "enter_async_context": "enter_context",
    "push_async_callback": "callback",
    "push_async_exit": "push",
    "StopAsyncIteration": "StopIteration",
    # Fixtures and helpers of tests.
    "aconn": "conn",
    "agather": "gather",
    "ajoin": "join",
    "asleep": "sleep",
    "aspawn": "spawn",
    FLAG: "False",
}
ASYNC_CLASS = re.compile(r"(_*)Async(?=[A-Z])")
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
    for start, end in strings:
        source.replace(start, end, words(text[start:end]))
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


def sync_name(name: str) -> str:
    return NAMES.get(name) or ASYNC_CLASS.sub(r"\1", name)


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


# Code in prose: an `await` before something that is called or has an attribute, or that begins what
# is marked as code. In other places it is a word.
WORDS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"\bawait (?=[\w.]*\w\(|\w+\.\w)"), ""),
    (re.compile(r"(?<=[`({\[])await (?=\w)"), ""),
    (re.compile(r"\basync (?=(with|for|def)\b)"), ""),
    (re.compile(r"\basync(hronous)? (?=(itera|genera|context manager|function|callable))"), ""),
    (re.compile(r"\bAwaitable\[([\w.]+)\]"), r"\1"),
    *((re.compile(rf"\b{name}\b"), new) for name, new in NAMES.items() if name != FLAG),
    (re.compile(r"\b(_*)Async(?=[A-Z])"), r"\1"),
]
ARTICLE = re.compile(r"\b([Aa])n (?=`?_*(Async|async))")


def words(text: str) -> str:
    """A string or comment, with the words of the sync API."""
    articles = ARTICLE.sub("\\1\0 ", text)
    for pattern, new in WORDS:
        articles = pattern.sub(new, articles)
    return re.sub("([Aa])\0 (`?)(\\w)", article, articles)


def article(match: re.Match[str]) -> str:
    """`a` or `an`, as the word behind it wants it now."""
    return f"{match[1]}{'n' if match[3].lower() in 'aeiou' else ''} {match[2]}{match[3]}"


def check_left_over(source: str) -> None:
    """Raises Untranslatable if there is still a name of asyncio's in the result."""
    for token in Source(source).tokens:
        if token.type == tokenize.NAME and LEFT_OVER.fullmatch(token.string):
            raise Untranslatable(f"{token.start[0]}: {token.string} is left over: {token.line!r}")
