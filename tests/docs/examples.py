"""The code examples of a Markdown page, and how they are run.

    python examples.py PAGE [LINE]   run the page's examples, or the one whose fence is at LINE

A page's blocks of `python` and `pycon` run from top to bottom in one namespace. They may `await`
outside of functions, as in `python -m asyncio`: all of a page runs on one event loop. What a
`pycon` block shows is checked as a doctest is; a block of `text` right after one of `python` is
what that prints. Before a block, an HTML comment may say more:

    <!-- not run: the reason -->   the block is only compiled
    <!-- own process -->           the block is a program of its own
    <!-- file: NAME -->            the block is this file, which is not run here
    <!-- since Python 3.14 -->     the block is for this version and later ones
    <!-- run: ... -->              code that is run here and not shown
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import functools
import inspect
import io
import re
import sys
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: (\S.*?) -->\s*\Z", re.DOTALL)
_OWN_PROCESS = re.compile(r"<!-- own process -->\s*\Z")
_FILE = re.compile(r"<!-- file: ([\w.]+) -->\s*\Z")
_SINCE = re.compile(r"<!-- since Python (\d+)\.(\d+) -->\s*\Z")
_HIDDEN = re.compile(r"<!-- run:\n(.*?)-->", re.DOTALL)


class Example(NamedTuple):
    """One block: its language, text, first line (from 1) and what the page says about it."""

    language: str
    source: str
    line: int
    prints: str | None = None
    not_run: str | None = None
    own_process: bool = False
    since: tuple[int, int] | None = None
    file: str | None = None


def examples(text: str) -> list[Example]:
    """The blocks of a page that are Python, in their order. Raises ValueError at a bad marker."""
    found: list[tuple[int, Example]] = []
    fences = list(_FENCE.finditer(text))
    end = 0
    for index, fence in enumerate(fences):
        language, source = fence.groups()
        between, end = text[end : fence.start()], fence.end()
        if language not in ("python", "pycon"):
            continue
        reason = _NOT_RUN.search(between)
        since = _SINCE.search(between)
        file = _FILE.search(between)
        prints = None
        if language == "python" and index + 1 < len(fences):
            following = fences[index + 1]
            if following[1] == "text" and not text[fence.end() : following.start()].strip():
                prints = following[2]
        found.append(
            (
                fence.start(),
                Example(
                    language,
                    source,
                    text.count("\n", 0, fence.start(2)) + 1,
                    prints,
                    reason[1] if reason else None,
                    bool(_OWN_PROCESS.search(between)),
                    (int(since[1]), int(since[2])) if since else None,
                    file[1] if file else None,
                ),
            )
        )
    for hidden in _HIDDEN.finditer(text):
        line = text.count("\n", 0, hidden.start(1)) + 1
        found.append((hidden.start(), Example("python", hidden[1], line)))
    markers = len(re.findall(r"<!-- (?:not run|own process|since|run:|file:)", text))
    used = sum(1 for _, e in found if e.not_run or e.own_process or e.since or e.file) + len(
        _HIDDEN.findall(text)
    )
    if markers != used:
        raise ValueError(f"{markers} markers, of which {used} stand before a block or have a form")
    return [example for _, example in sorted(found, key=lambda item: item[0])]


def run(example: Example, page: str, namespace: dict[str, Any]) -> None:
    """Run one block. Raises what it raises, AssertionError if it shows something else."""
    if example.since and sys.version_info < example.since:
        return
    if example.language == "pycon":
        _run_session(example, page, namespace)
        return
    # Empty lines in front, so that a traceback has the page's line numbers.
    code = compiled("\n" * (example.line - 1) + example.source, page, "exec")
    if example.not_run or example.file:
        return
    if example.prints is None:
        execute(code, namespace)
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        execute(code, namespace)
    if not doctest.OutputChecker().check_output(example.prints, printed.getvalue(), OPTIONS):
        raise AssertionError(f"{page}:{example.line} printed\n{printed.getvalue()}")


def compiled(source: str, page: str, mode: str) -> CodeType:
    """The code of a block, which may `await` outside of functions."""
    code = compile(source, page, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def execute(code: CodeType, namespace: dict[str, Any]) -> None:
    """Run code, on the page's event loop if it awaits something."""
    found = eval(code, namespace)
    if code.co_flags & inspect.CO_COROUTINE:
        event_loop().run_until_complete(found)


@functools.cache
def event_loop() -> asyncio.AbstractEventLoop:
    """The event loop of the page."""
    return asyncio.new_event_loop()


def close_event_loop() -> None:
    """End the page's event loop, if it has one."""
    if event_loop.cache_info().currsize:
        event_loop().close()
        event_loop.cache_clear()


def _run_session(example: Example, page: str, namespace: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(
        example.source, namespace, page, page, example.line - 1
    )
    # It has a copy of its own otherwise, and the next block would not see what this one defines.
    test.globs = namespace
    if example.not_run:
        return
    for step in test.examples:
        code = compiled(step.source, page, "single")
        if code.co_flags & inspect.CO_COROUTINE:
            # A doctest knows no `await`: it calls what does.
            name = f"step {step.lineno}"
            namespace[name] = functools.partial(execute, code, namespace)
            step.source = f"globals()[{name!r}]()\n"
    said = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    if runner.run(test, out=said.write, clear_globs=False).failed:
        raise AssertionError(said.getvalue())


def main(arguments: list[str]) -> None:
    page = arguments[0]
    chosen = int(arguments[1]) if len(arguments) > 1 else None
    namespace: dict[str, Any] = {"__name__": "__main__"}
    try:
        for example in examples(Path(page).read_text(encoding="utf-8")):
            if (example.line == chosen) if chosen else not example.own_process:
                run(example, page, namespace)
    finally:
        close_event_loop()


if __name__ == "__main__":
    main(sys.argv[1:])
