"""How migrations write ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Django has no types: what is of it is not for checkers.
    BaseSerializer = object
else:
    from django.db.migrations.serializer import BaseSerializer


class RangeSerializer(BaseSerializer):
    """By the public name of the class: migrations are read for years."""

    value: object

    def serialize(self) -> tuple[str, set[str]]:
        """Return the expression of the range, and the imports that it needs."""
        return f"psycoxide.extras.{self.value!r}", {"import psycoxide.extras"}
