# Generated from tests/aio/conftest.py by tools/generate_sync.py: do not edit.
"""A connection for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def conn(dsn: str) -> Iterator[Any]:
    """A connection of this test's own."""
    from psycoxide import sync

    with sync.connect(dsn) as conn:
        yield conn
