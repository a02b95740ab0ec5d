"""The settings of a pool."""

from __future__ import annotations

from psycoxide import sync


def test_a_password_is_in_no_repr() -> None:
    pool: sync.ConnectionPool = sync.ConnectionPool(
        "password=hush", kwargs={"password": "hush"}, open=False
    )
    assert "hush" not in repr(pool) + repr(pool._settings)
