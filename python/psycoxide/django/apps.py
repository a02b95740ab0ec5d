"""The app `psycoxide.django`, for INSTALLED_APPS: importing it is all that it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Django has no types: what is of it is not for checkers.
    AppConfig = object
else:
    from django.apps import AppConfig


class PsycoxideConfig(AppConfig):
    """The app's names."""

    name: str = "psycoxide.django"
    label: str = "psycoxide_django"
    verbose_name: str = "psycoxide"
