"""Names of asyncio, and the words for them in strings and comments."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator

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
    "aeventually": "eventually",
    "agather": "gather",
    "ajoin": "join",
    "asleep": "sleep",
    "aspawn": "spawn",
}
ASYNC_CLASS = re.compile(r"(_*)Async(?=[A-Z])")
WIDTH = 100

# Code in prose: an `await` before something that is called or has an attribute, or that begins what
# is marked as code. In other places it is a word.
WORDS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"\bawait (?=[\w.]*\w\(|\w+\.\w)"), ""),
    (re.compile(r"(?<=[`({\[])await (?=\w)"), ""),
    (re.compile(r"\basync (?=(with|for|def)\b)"), ""),
    (re.compile(r"\basync(hronous)? (?=(itera|genera|context manager|function|callable))"), ""),
    (re.compile(r"\bAwaitable\[([\w.]+)\]"), r"\1"),
    *((re.compile(rf"\b{name}\b"), new) for name, new in NAMES.items()),
    (re.compile(rf"\b{ASYNC_CLASS.pattern}"), r"\1"),
]
# What runs beside others, in prose.
TASK = re.compile(r"\b([Tt])ask(?=s?\b)")
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


def prose(text: str) -> str:
    """The same of a docstring or comment, where a task is a thread."""
    return "\n".join(rewrapped(TASK.sub(r"\1hread", words(text)).split("\n")))


def rewrapped(lines: list[str]) -> Iterator[str]:
    """A docstring's lines; the paragraphs that have become too wide are wrapped again."""
    yield lines[0]
    outermost = min((i for i in map(indentation, lines[1:]) if i is not None), default="")
    for indent, group in itertools.groupby(lines[1:], indentation):
        paragraph = list(group)
        text = [line.strip() for line in paragraph]
        # Code is indented, and items of lists are lines of their own.
        is_list = any(line.startswith(("* ", "- ")) for line in text)
        if indent != outermost or is_list or max(map(len, paragraph)) <= WIDTH:
            yield from paragraph
        else:
            wrapper = textwrap.TextWrapper(
                WIDTH - len(indent), break_long_words=False, break_on_hyphens=False
            )
            yield from (indent + line for line in wrapper.wrap(" ".join(text)))


def indentation(line: str) -> str | None:
    """That of a docstring's line; None if the line is blank, or has the closing quotes only."""
    text = line.strip()
    return None if text in ("", '"""') else line[: line.index(text)]
