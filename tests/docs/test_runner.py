"""What runs the manual's examples notices when one is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from examples import examples, run


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


@pytest.mark.parametrize(
    "text",
    [
        "<!-- not run -->\n" + block("python", "1"),
        "<!-- not run: why -->\nwords between\n" + block("python", "1"),
        "<!-- own process -->\n" + block("sh", "ls"),
    ],
)
def test_a_marker_that_marks_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="markers"):
        examples(text)
