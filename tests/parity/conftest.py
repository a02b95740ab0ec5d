"""What the tests beside psycopg2 share: its presence, and both drivers at one server."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from two_drivers import Pair

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# What compares nothing with psycopg2, or says itself that it needs it.
ALONE = ("test_import_system.py", "test_row_factories.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("psycopg2") is not None:
        return
    skip = pytest.mark.skip(
        reason="psycopg2-binary is not installed, so there is nothing to compare with"
    )
    for item in items:
        if item.path.parent == HERE and item.path.name not in ALONE:
            item.add_marker(skip)


@pytest.fixture(scope="module")
def pair(dsn: str) -> Iterator[Pair]:
    """The two drivers, connected, with everything registered that a value may need."""
    import psycopg2
    from two_drivers import Pair

    try:
        both = Pair(dsn)
    except psycopg2.ProgrammingError as error:
        if "hstore" not in str(error):
            raise
        pytest.skip("the server has no hstore to offer")
    yield both
    both.close()
