"""A folder with all files of the page, a database `shop`, and programs that run there."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.ports import closed_port

from psycoxide import sync

from .programs import Server, page_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's files."""
    for name, source in page_files().items():
        (tmp_path / name).write_text(source)
    return tmp_path


@pytest.fixture
def add_file(folder: Path) -> Callable[[str, str], None]:
    """Writes a file of the test's own beside those of the page."""

    def add(name: str, source: str) -> None:
        assert not (folder / name).exists()
        (folder / name).write_text(textwrap.dedent(source))

    return add


@pytest.fixture
def start(shop: dict[str, str], folder: Path, conn: Any) -> Iterator[Callable[..., Server]]:
    """Starts `python -m MODULE ARGUMENTS` in the folder; PORT among them becomes a free port."""
    started: list[Server] = []

    def start(*arguments: str, port: bool = True) -> Server:
        number = closed_port()
        line = [argument.replace("PORT", str(number)) for argument in arguments]
        env = {**shop, "PYTHONUNBUFFERED": "1"}
        server = Server([sys.executable, "-m", *line], folder, env, number)
        started.append(server)
        if port:
            server.wait_for_port()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def conn(dsn: str, shop: dict[str, str]) -> Iterator[sync.Connection[Any]]:
    """A look at the database `shop`, with the table that the programs use."""
    with sync.connect(dsn, dbname="shop") as conn:
        conn.execute("create table item (id serial primary key, name text not null)")
        conn.execute("insert into item (name) values ('tea')")
        yield conn


@pytest.fixture
def sessions(conn: sync.Connection[Any]) -> Callable[[str], set[int]]:
    """The process numbers of the sessions of an application."""

    def sessions(application: str) -> set[int]:
        rows = conn.fetch(
            "select pid from pg_stat_activity where datname = 'shop' and application_name = %s",
            [application],
        )
        return {pid for (pid,) in rows}

    return sessions


@pytest.fixture
def sleeping(conn: sync.Connection[Any]) -> Callable[[], int]:
    """How many sessions run pg_sleep()."""

    def sleeping() -> int:
        return conn.fetchval(
            "select count(*) from pg_stat_activity where datname = 'shop' and state = 'active'"
            " and query like '%pg_sleep%' and pid <> pg_backend_pid()"
        )

    return sleeping
