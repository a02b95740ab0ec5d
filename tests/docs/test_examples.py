"""Every example of the manual runs, and prints what the page says it prints.

Each page gets a fresh interpreter and a database `shop` of its own, to which a role `me` connects
without further ado, as the pages do: host, port and password come from the environment.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

import psycoxide

sys.path.insert(0, str(Path(__file__).resolve().parent))

from examples import Example, examples

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = Path(__file__).with_name("examples.py")
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if any(e.language for e in examples(page.read_text(encoding="utf-8")))
]
ALONE = [
    (page, example)
    for page in PAGES
    for example in examples(page.read_text(encoding="utf-8"))
    if example.own_process
]

# What a page's examples need of the server, as a condition and in words.
NEEDS = {
    "cancellation.md": (
        "current_setting('server_version_num')::int >= 140000",
        "client_connection_check_interval, which came with PostgreSQL 14",
    ),
    "errors.md": (
        "current_setting('server_version_num')::int >= 140000",
        "a pg_terminate_backend() that waits, which came with PostgreSQL 14",
    ),
    "partitions.md": (
        "current_setting('server_version_num')::int >= 140000",
        "ranges of pages, which came with PostgreSQL 14",
    ),
    "replication.md": (
        "current_setting('wal_level') = 'logical' and exists (select"
        " from pg_config c, pg_ls_dir(c.setting) file"
        " where c.name = 'PKGLIBDIR' and file like 'test_decoding.%')",
        "wal_level = logical and the output plugin test_decoding",
    ),
    "tls.md": ("current_setting('ssl')::bool", "ssl = on"),
    "transactions.md": (
        "current_setting('max_prepared_transactions')::int > 0",
        "max_prepared_transactions above 0",
    ),
    "types.md": (
        "to_regtype('int4multirange') is not null"
        " and exists (select from pg_available_extensions where name = 'hstore')",
        "multiranges and hstore",
    ),
}


@pytest.fixture
def surroundings(dsn: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of one page, with an empty database."""
    condition, words = NEEDS.get(request.node.callspec.params["page"].name, ("true", ""))
    with contextlib.closing(psycoxide.connect(dsn)) as conn:
        cur = conn.cursor()
        cur.execute(f"select {condition}")
        if cur.fetchone() != (True,):
            pytest.skip(f"the server lacks what the page needs: {words}")
    env = request.getfixturevalue("shop")
    return {**env, "TZ": "UTC", "PYTHONWARNINGS": "error::DeprecationWarning:__main__"}


def run(page: Path, surroundings: dict[str, str], cwd: Path, *line: str) -> None:
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(page), *line],
        env=surroundings,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{page.name}:\n{done.stdout}{done.stderr}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(
    page: Path, surroundings: dict[str, str], tmp_path: Path
) -> None:
    run(page, surroundings, tmp_path)


@pytest.mark.parametrize(
    ("page", "example"), ALONE, ids=lambda value: getattr(value, "name", None) or str(value.line)
)
def test_an_example_with_a_process_of_its_own_runs(
    page: Path, example: Example, surroundings: dict[str, str], tmp_path: Path
) -> None:
    run(page, surroundings, tmp_path, str(example.line))
