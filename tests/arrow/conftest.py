"""What the tests of Arrow share."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def cur(connect: Any) -> Any:
    conn = connect()
    conn.autocommit = True
    return conn.cursor()
