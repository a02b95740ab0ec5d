"""What runs the manual's examples notices when one is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from collections.abc import Iterator

from examples import close_event_loop, examples, run


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    close_event_loop()


def block(language: str, source: str) -> str:
    return f"```{language}\n{source}\n```\n"


def test_an_exception_names_the_line_of_the_page() -> None:
    (example,) = examples("# Page\n\n" + block("python", "x = 1\n1 / 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        run(example, "page.md", {})
    assert caught.traceback[-1].lineno + 1 == 5


def test_a_session_that_shows_something_else_fails() -> None:
    (example,) = examples(block("pycon", ">>> 1 + 1\n3"))
    with pytest.raises(AssertionError, match="Expected"):
        run(example, "page.md", {})


def test_output_that_is_something_else_fails() -> None:
    right, wrong = examples(
        block("python", "print(1)")
        + block("text", "1")
        + block("python", "print(1)")
        + "\n"
        + block("text", "2")
    )
    run(right, "page.md", {})
    with pytest.raises(AssertionError, match="printed"):
        run(wrong, "page.md", {})


def test_blocks_share_their_names_and_hidden_code_runs_in_its_place() -> None:
    text = (
        block("python", "a = 1")
        + "<!-- run:\nb = a + 1\n-->\n"
        + block("pycon", ">>> c = a + b\n>>> c\n3")
        + block("python", "assert c == 3")
    )
    namespace: dict[str, object] = {}
    for example in examples(text):
        run(example, "page.md", namespace)
    assert namespace["c"] == 3


def test_a_block_that_is_not_run_must_say_why_and_be_python() -> None:
    (example,) = examples("<!-- not run: needs two servers -->\n" + block("python", "1 / 0"))
    assert example.not_run == "needs two servers"
    run(example, "page.md", {})
    (example,) = examples("<!-- not run: needs two servers -->\n" + block("python", "1 /"))
    with pytest.raises(SyntaxError):
        run(example, "page.md", {})


def test_blocks_may_await_and_share_their_loop() -> None:
    text = (
        block("python", "import asyncio\nloop = asyncio.get_running_loop()\nawait asyncio.sleep(0)")
        + block("python", "later = asyncio.ensure_future(asyncio.sleep(0.01, 5))\nawait later")
        + block("python", "async with asyncio.Lock():\n    print(6)")
        + block("text", "6")
        + block("pycon", ">>> await asyncio.sleep(0, later.result() + 2)\n7\n>>> 1 + 1\n2")
        + block(
            "pycon",
            ">>> x = await asyncio.sleep(0, 1)\n>>> x / 0\n"
            "Traceback (most recent call last):\n    ...\nZeroDivisionError: division by zero",
        )
        + block("python", "async def same():\n    return loop is asyncio.get_running_loop()")
        + block("pycon", ">>> await same()\nTrue")
    )
    namespace: dict[str, object] = {}
    for example in examples(text):
        run(example, "page.md", namespace)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("pycon", ">>> import asyncio\n>>> await asyncio.sleep(0, 1)\n2"),
        ("pycon", ">>> import asyncio\n>>> await asyncio.sleep(0, 1 / 0)\n2"),
        ("python", "import asyncio\nassert await asyncio.sleep(0, 1) == 2"),
    ],
)
def test_what_is_awaited_and_wrong_fails(language: str, source: str) -> None:
    (example,) = examples(block(language, source))
    with pytest.raises(AssertionError):
        run(example, "page.md", {})


def test_a_block_for_later_versions_is_left_out_before() -> None:
    (example,) = examples("<!-- since Python 4.0 -->\n" + block("python", "this is no Python"))
    run(example, "page.md", {})
    (example,) = examples("<!-- since Python 3.10 -->\n" + block("python", "1 / 0"))
    with pytest.raises(ZeroDivisionError):
        run(example, "page.md", {})


def test_a_block_that_is_a_file_is_only_compiled() -> None:
    (example,) = examples("<!-- file: one.py -->\n" + block("python", "1 / 0"))
    assert example.file == "one.py"
    run(example, "page.md", {})
    (example,) = examples("<!-- file: one.py -->\n" + block("python", "1 /"))
    with pytest.raises(SyntaxError):
        run(example, "page.md", {})


@pytest.mark.parametrize(
    "text",
    [
        "<!-- not run -->\n" + block("python", "1"),
        "<!-- not run: why -->\nwords between\n" + block("python", "1"),
        "<!-- own process -->\n" + block("sh", "ls"),
        "<!-- since 3.14 -->\n" + block("python", "1"),
        "<!-- file: folder/one.py -->\n" + block("python", "1"),
    ],
)
def test_a_marker_that_marks_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="markers"):
        examples(text)
