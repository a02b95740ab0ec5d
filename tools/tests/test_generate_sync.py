"""The sync twin of asyncio sources: a table of snippets, and the files of a tree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))

import generate_sync  # noqa: E402
from twins import without_async  # noqa: E402
from twins.source import Untranslatable  # noqa: E402

# Sources and their twins, by what they are about.
SNIPPETS = {
    "keywords": (
        """
        async def f(conn: AsyncConnection, /) -> int:  # a comment stays
            async with conn.transaction(), conn.lock:
                async for row in conn.stream("select 'await it'"):
                    yield await   row
            return [x async for x in await g()]
        """,
        """
        def f(conn: Connection, /) -> int:  # a comment stays
            with conn.transaction(), conn.lock:
                for row in conn.stream("select 'await it'"):
                    yield row
            return [x for x in g()]
        """,
    ),
    "parentheses that await has needed": (
        """
        async def f(é):
            "é"; x = (await é.g(1)).h
            print((await g()), h(await i()), a[0](await i()), (await (a + b)).c)
            return (await g())[0] if (await g) else (
                await g()
            )
        """,
        """
        def f(é):
            "é"; x = é.g(1).h
            print(g(), h(i()), a[0](i()), ((a + b)).c)
            return g()[0] if g else (
                g()
            )
        """,
    ),
    "protocols": (
        """
        class _AsyncThing(AbstractAsyncContextManager["AsyncThing"]):
            async def __aenter__(self): return self
            async def __aexit__(self, *exc): await self.aclose()
            def __aiter__(self): raise StopAsyncIteration
            async def __anext__(self): return await anext(self._rows)
        """,
        """
        class _Thing(AbstractContextManager["Thing"]):
            def __enter__(self): return self
            def __exit__(self, *exc): self.close()
            def __iter__(self): raise StopIteration
            def __next__(self): return next(self._rows)
        """,
    ),
    "types": (
        """
        def f(
            a: Awaitable[int], b: Callable[[], Awaitable[Coroutine[Any, Any, list[str]]]]
        ) -> collections.abc.AsyncGenerator[Awaitable[int], str]: ...
        def g() -> AsyncGenerator[int]: ...
        def h() -> AsyncIterator[AsyncIterable[T]]: ...
        """,
        """
        def f(
            a: int, b: Callable[[], list[str]]
        ) -> collections.abc.Generator[int, str, None]: ...
        def g() -> Generator[int, None, None]: ...
        def h() -> Iterator[Iterable[T]]: ...
        """,
    ),
    "modules": (
        """
        from psycoxide import aio, rows
        from psycoxide.aio._cursor import AsyncCursor as AsyncCursor
        conn = await psycoxide.aio.connect()
        """,
        """
        from psycoxide import sync, rows
        from psycoxide.sync._cursor import Cursor as Cursor
        conn = psycoxide.sync.connect()
        """,
    ),
    "words of docstrings and comments": (
        '''
        async def f():
            """Makes an `AsyncConnection`, an AsyncIterator; an asynchronous iterator.

                async with aio.connect() as aconn:
                    row = await aconn.fetchrow("select 1")

            Callers await it. Those who await the result (see `await stmt`) call `aclose()`.
            A task may; other tasks, too.
            """
            # then `async for`, in an async context manager, for one task
            print("a task")
            raise TypeError(f"an AsyncCursor of psycoxide.aio: {await conn.fetch()!r}, await it")
        ''',
        '''
        def f():
            """Makes a `Connection`, an Iterator; an iterator.

                with sync.connect() as conn:
                    row = conn.fetchrow("select 1")

            Callers await it. Those who await the result (see `stmt`) call `close()`.
            A thread may; other threads, too.
            """
            # then `for`, in a context manager, for one thread
            print("a task")
            raise TypeError(f"a Cursor of psycoxide.sync: {conn.fetch()!r}, await it")
        ''',
    ),
    "branches": (
        """
        def f():
            if ASYNC:
                a = 1
            else:
                # why
                b = '''
            stays where it is'''

                if c:
                    d()
            # of what follows
            if not ASYNC:
                e()
            if ASYNC:
                if not ASYNC:
                    never()
            elif f:
                g()
            else:
                h()
            if ASYNC:
                i()
            return j
        """,
        """
        def f():
            # why
            b = '''
            stays where it is'''

            if c:
                d()
            # of what follows
            e()
            if f:
                g()
            else:
                h()
            return j
        """,
    ),
    "branches that are all there is": (
        """
        def f():
            if ASYNC:
                a()
        for x in y:
            if z:
                if ASYNC:
                    a()
        """,
        """
        def f():
            pass
        for x in y:
            pass
        """,
    ),
    "expressions": (
        """
        a = "x" if ASYNC else "y"
        b = f(("x" if c else d) if not ASYNC else "y", ASYNC)
        d = 1 if ASYNC else (2 if not ASYNC else 3)
        """,
        """
        a = "y"
        b = f(("x" if c else d), False)
        d = (2)
        """,
    ),
    "where ASYNC comes from": (
        """
        from fixtures.loops import ASYNC
        from fixtures.loops import ASYNC, run
        from fixtures.loops import run, ASYNC
        from fixtures.loops import (
            ASYNC,
            run,
        )
        ASYNC: Final = True
        ASYNC = True
        """,
        """
        from fixtures.loops import run
        from fixtures.loops import run
        from fixtures.loops import (
            run,
        )
        """,
    ),
    "what is only in aio": (
        """
        import a
        # why this
        # is needed
        import asyncio  # only in aio
        from b import (  # noqa: F401  # only in aio
            c,
        )
        from d import (
            e,
            # of a loop
            f,  # only in aio: a reason
        )

        @g  # only in aio
        @h
        async def i(
            j,
            k,  # only in aio
        ):
            try:
                l()
            except asyncio.CancelledError:  # only in aio
                m()
                raise
            except Exception:
                call(
                    n
                )  # only in aio

        @o
        @p
        async def q(  # only in aio
            r,
        ):
            s()

        if TYPE_CHECKING:
            import t  # only in aio
        """,
        """
        import a
        from d import (
            e,
        )

        @h
        def i(
            j,
        ):
            try:
                l()
            except Exception:
                pass


        """,
    ),
    "another statement": (
        '''
        """For asyncio, `await it`."""  # in sync: """Without asyncio."""
        if a:
            b(
                1,
            )  # in sync: c(2)

        async def d():
            """For asyncio.

            More.
            """
            # in sync:
            # """Without AsyncConnection.
            #
            #     e()
            # """

            f()
        ''',
        '''
        """Without asyncio."""
        if a:
            c(2)

        def d():
            """Without Connection.

                e()
            """

            f()
        ''',
    ),
}


def unindented(text: str) -> str:
    return "".join(line[8:] or "\n" for line in text.splitlines(keepends=True)[1:-1])


@pytest.mark.parametrize("title", SNIPPETS)
def test_a_snippet_becomes_its_twin(title):
    source, expected = map(unindented, SNIPPETS[title])
    assert without_async(source) == expected


def test_a_paragraph_that_gets_too_wide_is_wrapped_again():
    wide = "x" * 88
    lines = ["def f():", '    """Any task.', "", f"    {wide} a task", "    of one.", ""]
    code = [f"        {wide} task", '    """', ""]
    twin = ["def f():", '    """Any thread.', "", f"    {wide} a", "    thread of one.", ""]
    expected = "\n".join([*twin, f"        {wide} thread", *code[1:]])
    assert without_async("\n".join(lines + code)) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n# only in aio\n", "2: '# only in aio' belongs to no statement"),
        ("x = 1\n\n# in sync:\n# x = 2\n", "3: '# in sync:' belongs to no statement"),
        ("f(\n  # only in aio\n  1)\n", "2: '# only in aio' belongs to no statement"),
        ("if x:\n  y\nelse:  # only in aio\n  z\n", "3: a branch needs `if ASYNC`"),
        ("if x:\n  y\nelif ASYNC:\n  z\n", "3: `elif ASYNC`"),
        ("async def f():\n  await\n", "2: "),
        ("try:\n  x()\nexcept E:  # only in aio\n  y()\n", "2: "),
    ],
)
def test_what_the_rules_do_not_cover_is_said_with_its_line(source, message):
    with pytest.raises(Untranslatable, match=f"^{message}"):
        without_async(source)


# ---- files --------------------------------------------------------------------------------------

AIO = "python/psycoxide/aio"
SYNC = "python/psycoxide/sync"
HEADER = f"# Generated from {AIO}/a.py by tools/generate_sync.py: do not edit.\n"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / AIO).mkdir(parents=True)
    (tmp_path / AIO / "a.py").write_text("async def f() -> int:\n    return await g()\n")
    return tmp_path


def twin_of(source: str) -> str:
    return generate_sync.twin(source, f"{AIO}/a.py", f"{SYNC}/a.py")


def test_without_a_package_there_is_nothing_to_generate(tmp_path):
    assert generate_sync.check(tmp_path) == []
    generate_sync.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_are_written_and_then_as_they_should_be(tree):
    assert generate_sync.check(tree) == [f"{SYNC}/a.py is missing"]
    generate_sync.write(tree)
    assert generate_sync.check(tree) == []
    text = (tree / SYNC / "a.py").read_text()
    assert text == HEADER + "def f() -> int:\n    return g()\n"


def test_stale_and_superfluous_files_are_found_and_mended(tree):
    generate_sync.write(tree)
    (tree / AIO / "a.py").write_text("async def f(): ...\n")
    (tree / SYNC / "sub").mkdir()
    (tree / SYNC / "sub" / "b.py").write_text(HEADER)
    assert generate_sync.check(tree) == [f"{SYNC}/sub/b.py has no source", f"{SYNC}/a.py is stale"]
    generate_sync.write(tree)
    assert generate_sync.check(tree) == []
    assert not (tree / SYNC / "sub" / "b.py").exists()


def test_a_file_written_by_hand_is_not_removed(tree):
    (tree / SYNC).mkdir()
    (tree / SYNC / "b.py").write_text("x = 1\n")
    with pytest.raises(generate_sync.Wrong, match="was not generated"):
        generate_sync.write(tree)
    assert (tree / SYNC / "b.py").exists()


def test_a_file_may_have_no_twin(tree):
    (tree / AIO / "a.py").write_text("# only in aio\nimport asyncio\n")
    assert generate_sync.check(tree) == []


def test_a_file_without_anything_asynchronous_is_refused(tree):
    (tree / AIO / "a.py").write_text("def f(): ...\n")
    with pytest.raises(generate_sync.Wrong, match=f"^{AIO}/a.py:1: there is nothing asynchronous"):
        generate_sync.check(tree)


def test_needless_imports_go_and_names_are_in_order():
    source = (
        "import asyncio\n"
        "from collections.abc import Awaitable, Callable\n\n"
        "from psycoxide.aio import z\n"
        "from psycoxide.rows import y\n\n"
        '__all__ = ["AsyncX", "S"]\n'
        "w: Callable[[], Awaitable[int]] = y(z)\n"
    )
    assert twin_of(source) == (
        f"{HEADER}from collections.abc import Callable\n\n"
        "from psycoxide.rows import y\n"
        "from psycoxide.sync import z\n\n"
        '__all__ = ["S", "X"]\n'
        "w: Callable[[], int] = y(z)\n"
    )


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\n\nx = asyncio.Event()\n",
        "from collections.abc import Awaitable\n\nx: aio[Awaitable]\n",
    ],
)
def test_what_is_left_of_asyncio_is_refused(source):
    with pytest.raises(Untranslatable, match="left over"):
        twin_of(source.replace("x =", "aclose ="))


def test_the_files_of_the_repository_are_fresh():
    assert generate_sync.check(generate_sync.ROOT) == []
