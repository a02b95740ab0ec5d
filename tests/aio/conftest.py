"""A connection for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest


@pytest.fixture
async def aconn(dsn: str) -> AsyncIterator[Any]:
    """A connection of this test's own."""
    from psycoxide import aio

    async with aio.connect(dsn) as conn:
        yield conn
