"""The source text of the asyncio API, made into that of its sync twin.

Text stays as it was written, comments included, but for these changes:

* `async def/with/for` and `await` lose their keyword, and the names of the protocols
  (`__aenter__`, `StopAsyncIteration`, `AsyncIterator`, `asynccontextmanager`, ...) become the sync
  ones; `Awaitable[X]` and `Coroutine[Any, Any, X]` become `X`.
* `AsyncConnection` and every other name of that form becomes `Connection`; `aio` becomes `sync`.
* Docstrings, comments and other strings lose the same words, where they are code. In docstrings and
  comments a task becomes a thread.

Where that is not enough, the source says what differs:

    if ASYNC:              only the branch for sync stays; also in `x if ASYNC else y`, and with
        ...                `not`. The import or the definition of ASYNC goes, and any other use of
    else:                  it becomes False.
        ...
    import asyncio         # only in aio
    async def each():      # only in aio: a reason

The second comment removes the statement that begins or ends on its line (a whole function, class,
handler or import), a decorator, or one line of something longer: a name that is imported, a
parameter, an item. The comments directly above go too. As the first line of a file it says that the
file has no twin.

    \"""For asyncio.\"""  # in sync: \"""Without asyncio.\"""

replaces the statement that ends there, and so does a longer text below it:

    \"""For asyncio,
    to be awaited.
    \"""
    # in sync:
    # \"""Without asyncio,
    # for threads.
    # \"""
"""

from __future__ import annotations

from collections.abc import Callable

from twins.branches import resolved_branch, resolved_expression
from twins.marks import without_marked
from twins.names import renamed, unwrapped_type
from twins.source import Source


def without_async(source: str) -> str:
    """The sync twin of a source. Raises Untranslatable."""
    source = without_marked(source)
    for step in (resolved_branch, resolved_expression, unwrapped_type):
        source = until_none(step, source)
    return renamed(source)


def until_none(step: Callable[[Source], str | None], source: str) -> str:
    """Repeat a step that makes one change, as long as there is one to make."""
    while (changed := step(Source(source))) is not None:
        source = changed
    return source
